"""The audit of a shop's points: every ledger replayed from its entries, and compared with what is kept of it.

Being wrong is a value here: each check is a small function, and what differs is named with the customer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select

from onewriter.customers.profiles import LIVE
from onewriter.db.pointtables import accounts as account_table
from onewriter.db.pointtables import entries as entry_table
from onewriter.db.pointtables import receipts as receipt_table
from onewriter.db.tables import customers
from onewriter.loyalty.accounts import Account, account_of
from onewriter.loyalty.entries import entry_of
from onewriter.loyalty.receipts import AWARD, MERGE, receipt_of
from onewriter.records import Entry, Instant
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import Ledger
from onewriter.rules.replaying import Drop, Join, Standing

AT_ONCE = 5_000
TELL_EACH = 50_000

_ENTRIES = (
    select(entry_table)
    .where(entry_table.c.shop_id == bindparam("shop_id"))
    .order_by(entry_table.c.customer_id)
    .execution_options(yield_per=AT_ONCE)
)
_ACCOUNTS = (
    select(account_table)
    .where(account_table.c.shop_id == bindparam("shop_id"))
    .order_by(account_table.c.customer_id)
    .execution_options(yield_per=AT_ONCE)
)
_RECEIPTS = select(receipt_table).where(receipt_table.c.shop_id == bindparam("shop_id"))
_HIDDEN = select(customers.c.id, customers.c.deleted_at).where(
    customers.c.shop_id == bindparam("shop_id"), customers.c.state.not_in(LIVE)
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about one customer's points that is not as its entries say."""

    customer_id: bytes
    what: str
    kept: int
    """What is written down."""
    found: int
    """What the entries come to."""


@dataclass(slots=True)
class Audit:
    """What an audit came to."""

    entries: int = 0
    customers: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Case:
    """One customer's ledger, replayed as of when its account was last made."""

    customer_id: bytes
    account: Account | None
    ledger: Ledger
    drops: Mapping[bytes, Drop]
    standing: Standing


def _figures(case: _Case) -> Iterator[Difference]:
    """The account says what the entries come to."""
    account, standing = case.account, case.standing
    for what in ("balance", "pending", "earned"):
        kept = 0 if account is None else getattr(account, what)
        if kept != getattr(standing, what):
            yield Difference(case.customer_id, what, kept, getattr(standing, what))


def _sums(case: _Case) -> Iterator[Difference]:
    """The entries that count add up to what there is: nothing that should have expired is left, or expired twice."""
    total = sum(entry.points for entry in case.ledger.entries if entry.dropped_by is None)
    found = case.standing.balance + case.standing.pending
    if total != found:
        yield Difference(case.customer_id, "sum of entries", total, found)


def _dropped(case: _Case) -> Iterator[Difference]:
    """The entries that do not count are those that the receipts drop."""
    kept = {entry.id: entry.dropped_by for entry in case.ledger.entries if entry.dropped_by is not None}
    if kept != {entry_id: drop.receipt for entry_id, drop in case.drops.items()}:
        yield Difference(case.customer_id, "dropped entries", len(kept), len(case.drops))


CHECKS: Sequence[Callable[[_Case], Iterator[Difference]]] = (_figures, _sums, _dropped)


def audit(db: Connection, shop_id: int, tell: Callable[[int], None] = lambda _seen: None) -> Audit:
    """Recompute every account of a shop, in a snapshot of the database; `tell` hears how far it is, in entries."""
    joins, back, merged_away = _receipts(db, shop_id)
    hidden = {bytes(row.id): row.deleted_at for row in db.execute(_HIDDEN, {"shop_id": shop_id})}
    kept = map(account_of, db.execute(_ACCOUNTS, {"shop_id": shop_id}))
    posted = map(entry_of, db.execute(_ENTRIES, {"shop_id": shop_id}))
    found = Audit()
    told = 0
    for customer_id, account, mine in _together(kept, groupby(posted, attrgetter("customer_id"))):
        found.customers += 1
        found.entries += len(mine)
        ledger = Ledger(mine, joins.get(customer_id, ()), back)
        case = _case(customer_id, account, ledger, hidden.get(customer_id))
        found.differences.extend(each for check in CHECKS for each in check(case))
        if mine and customer_id in merged_away:
            found.differences.append(Difference(customer_id, "entries of one who was merged away", len(mine), 0))
        if found.entries - told >= TELL_EACH:
            told = found.entries
            tell(told)
    return found


def _together(
    kept: Iterator[Account], posted: Iterator[tuple[bytes, Iterator[Entry]]]
) -> Iterator[tuple[bytes, Account | None, list[Entry]]]:
    """Accounts and entries of the same customers side by side; both come in the order of the customers' ids."""
    account = next(kept, None)
    for customer_id, mine in posted:
        while account is not None and account.customer_id < customer_id:
            yield account.customer_id, account, []
            account = next(kept, None)
        matching = account if account is not None and account.customer_id == customer_id else None
        yield customer_id, matching, list(mine)
        account = next(kept, None) if matching is not None else account
    while account is not None:
        yield account.customer_id, account, []
        account = next(kept, None)


def _case(customer_id: bytes, account: Account | None, ledger: Ledger, deleted_at: Instant | None) -> _Case:
    drops, _twins = ledger.drops()
    made_at = 0 if account is None else account.changed_at
    until = made_at if deleted_at is None else min(made_at, deleted_at)
    policy = Lapse() if account is None else Lapse(account.lapse_days, account.lapse_since or 0)
    return _Case(customer_id, account, ledger, drops, ledger.standing(until, policy, drops))


def _receipts(db: Connection, shop_id: int) -> tuple[dict[bytes, list[Join]], dict[bytes, Instant], set[bytes]]:
    """The merges by who holds the entries now, when awards were taken back, and who was merged away."""
    known = [receipt_of(row) for row in db.execute(_RECEIPTS, {"shop_id": shop_id})]
    standing = [receipt.join for receipt in known if receipt.kind == MERGE and receipt.undone_at is None]
    away = {join.deleted: join.kept for join in standing}
    joins: dict[bytes, list[Join]] = {}
    for join in standing:
        joins.setdefault(_end(away, join.kept), []).append(join)
    return joins, {receipt.id: receipt.made_at for receipt in known if receipt.kind == AWARD}, set(away)


def _end(away: Mapping[bytes, bytes], customer_id: bytes) -> bytes:
    seen: set[bytes] = set()
    while customer_id in away and customer_id not in seen:
        seen.add(customer_id)
        customer_id = away[customer_id]
    return customer_id
