"""Merges of ledgers: the entries of the deleted customer go over to the kept one, and a receipt says what came of it.

One transaction, once: a replay finds the receipt and changes nothing. Undoing is of the ledger alone, and leaves the
receipt, so that nothing is merged again that a person has undone.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select

from onewriter.customers import aliases, findings, following, order_marks
from onewriter.customers.findings import Finding
from onewriter.customers.order_marks import Told
from onewriter.customers.profiles import MERGED, Profile
from onewriter.db.tables import aliases as alias_table
from onewriter.db.tables import customers
from onewriter.errors import Permanent
from onewriter.loyalty import accounts, entries, programme, receipts
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.books import Book, open_books
from onewriter.loyalty.receipts import MERGE, Receipt
from onewriter.records import SHOPIFY, Instant, sortable_id
from onewriter.rules.aliasing import AliasState
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import Plan, plan
from onewriter.rules.replaying import Join, Standing
from onewriter.vault.vault import ShopVault

AT_TWO = "order at two customers"
"""The kind of finding of an order that has earned for customers that are not known to be one."""
FOUND_AGAIN = "Shopify has the customer after all"

_ANY_ALIAS = select(alias_table.c.shop_id).where(alias_table.c.shop_id == bindparam("shop_id")).limit(1)
_WAITING = select(alias_table.c.deleted_id, alias_table.c.kept_id, alias_table.c.heard_at).where(
    alias_table.c.shop_id == bindparam("shop_id"),
    alias_table.c.kept_hash.in_(bindparam("hashes", expanding=True)),
    alias_table.c.state == AliasState.SETTLED.value,
)
_THESE = select(customers.c.id).where(
    customers.c.shop_id + 0 == bindparam("shop_id"), customers.c.id.in_(bindparam("ids", expanding=True))
)


class CannotUndo(Permanent):
    """A merge of ledgers cannot be undone, and why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Who was merged into whom, by our ids, and when."""

    deleted: bytes
    kept: bytes
    at: Instant


def follow(
    db: Connection,
    vault: ShopVault,
    created: Sequence[Profile],
    merged: Sequence[Profile],
    returned: Sequence[Profile],
    now: Instant,
) -> None:
    """Merge the ledgers of customers whose merge is settled, once both are known; undo it for one that came back."""
    for profile in returned:
        assert profile.customer_id is not None
        _come_back(db, vault, profile.customer_id, now)
    for pair in _pairs(db, vault, created, merged):
        merge(db, vault, pair, now)


def _pairs(db: Connection, vault: ShopVault, created: Sequence[Profile], merged: Sequence[Profile]) -> list[Pair]:
    """The merges that these customers make possible: their own, and those into who has only now become known."""
    told: dict[int, tuple[int, Instant]] = {}
    own = [*merged, *(profile for profile in created if profile.state == MERGED)]
    for number, alias in aliases.load(db, vault, [profile.shopify_id for profile in own]).items():
        if alias.state is AliasState.SETTLED:
            told[number] = (alias.kept_id, alias.heard)
    if created and db.execute(_ANY_ALIAS, {"shop_id": vault.shop_id}).first() is not None:
        hashes = [vault.key.id_hash(profile.shopify_id) for profile in created]
        for row in db.execute(_WAITING, {"shop_id": vault.shop_id, "hashes": hashes}):
            if row.deleted_id is not None and row.kept_id is not None:
                told[row.deleted_id] = (row.kept_id, row.heard_at)
    if not told:
        return []
    numbers = {*told, *(kept for kept, _at in told.values())}
    known = findings.customer_ids_of(db, vault.shop_id, numbers)
    pairs = [
        Pair(known[number], known[kept], at) for number, (kept, at) in told.items() if number in known and kept in known
    ]
    return sorted(pairs, key=lambda pair: (pair.at, pair.deleted))


def merge(db: Connection, vault: ShopVault, pair: Pair, now: Instant, by: str = SHOPIFY) -> Receipt | None:
    """Merge two ledgers in the caller's transaction; None if that was done before, or undone by a person.

    What connected systems have of the deleted customer follows in the same transaction.
    """
    before = receipts.of_merge(db, pair.deleted)
    if before is not None and (before.undone_at is None or _was_refused(before, pair, by)):
        return None
    books = open_books(db, vault, (pair.deleted, pair.kept))
    source, target = books.of(pair.deleted), books.of(pair.kept)
    if source is None or target is None or source is target:
        return None
    following.follow_merge(db, vault, pair.deleted, pair.kept, now)
    # What is due on either side is posted before they are one.
    books.settle(now)
    books.save(db)
    receipt_id = sortable_id(now, os.urandom(10))
    planned = plan_of(source, target, Join(receipt_id, pair.deleted, pair.kept, pair.at), now)
    ours = (pair.kept, pair.deleted, pair.at, now, by)
    receipt = Receipt(receipt_id, vault.shop_id, MERGE, *ours, figures_of(planned))
    receipts.add(db, receipt)
    # What is dropped goes first, since a customer can have but one of what is given once.
    entries.drop(db, dict.fromkeys(planned.dropped, receipt_id))
    entries.move(db, source.customer_id, target.customer_id)
    left = replace(source.account, balance=0, pending=0, earned=0, valid_until=None)
    accounts.save(db, [left] if source.has_account or source.entries else [], [])
    _settle_anew(db, vault, target.customer_id, (source.account, pair.at), now)
    _look_again(db, vault.shop_id, source, target, now)
    return receipt


def _was_refused(before: Receipt, pair: Pair, by: str) -> bool:
    """A person has undone the same merge: being told of it again changes nothing, but a person's own word does."""
    return by == SHOPIFY and before.undone_by != SHOPIFY and before.kept_customer_id == pair.kept


def _look_again(db: Connection, shop_id: int, source: Book, target: Book, now: Instant) -> None:
    """Have orders read again that both sides had: whatever either side knew of them, the order itself knows best."""
    both = {entry.order_id for entry in source.entries} & {entry.order_id for entry in target.entries}
    shared = {order_id for order_id in both if order_id is not None}
    order_marks.set_marks(db, shop_id, dict.fromkeys(shared, Told()), now)
    reported = findings.open_of(db, shop_id, AT_TWO) if shared else {}
    findings.heal(db, [name for name, evidence in reported.items() if evidence.get("order") in shared], now)


def plan_of(source: Book, target: Book, join: Join, now: Instant) -> Plan:
    """What merging these two ledgers would come to now."""
    until = now if target.deleted_at is None else min(now, target.deleted_at)
    account = joined_account(source, target, join.at, now)
    after = Lapse(account.lapse_days, account.lapse_since or 0)
    return plan(target.ledger, source.ledger, join, until, target.policy, of_deleted=source.policy, after=after)


def joined_account(source: Book, target: Book, at: Instant, now: Instant) -> Account:
    """What counts for both once they are one, but for the points; when points end, too, and nothing in hindsight."""
    account = replace(target.account)
    _take_over(account, source.account, at, now)
    days = programme.lapse_policy(target.versions, target.tags, account.own_days)
    if days != account.lapse_days:
        account.lapse_days, account.lapse_since = days, now
    return account


def _take_over(account: Account, other: Account, at: Instant, now: Instant) -> None:
    """What was decided for the deleted customer's account counts for the kept one's too, from the merge on."""
    if other.excluded_at is not None and other.included_at is None and not account.excludes(max(other.excluded_at, at)):
        account.excluded_at, account.excluded_why = max(other.excluded_at, at), other.excluded_why
        account.included_at = None
    if account.own_days is None:
        account.own_days = other.own_days
    if account.lapse_since is None:
        account.lapse_days, account.lapse_since = other.lapse_days, other.lapse_since
        return
    # Days that count for one of them only, or only since lately, must not end points of the other in hindsight.
    alike = account.lapse_days == other.lapse_days
    account.lapse_since = max(account.lapse_since, other.lapse_since or 0) if alike else now


def figures_of(planned: Plan) -> dict[str, Any]:
    """What a receipt tells of a merge: totals before and after, and counts."""
    return {
        "kept": _totals(planned.kept),
        "deleted": _totals(planned.deleted),
        "after": _totals(planned.after),
        "moved": len(planned.moves),
        "dropped": len(planned.dropped),
        "points_dropped": planned.points_dropped,
        "floor": planned.after.floor,
    }


def _totals(standing: Standing) -> dict[str, int]:
    return {"balance": standing.balance, "pending": standing.pending, "earned": standing.earned}


def _settle_anew(
    db: Connection, vault: ShopVault, customer_id: bytes, other: tuple[Account, Instant] | None, now: Instant
) -> None:
    """Settle a ledger that others were moved to or from; what was decided for the other account counts for it too."""
    books = open_books(db, vault, [customer_id])
    book = books.of(customer_id)
    if book is None:
        return
    if other is not None:
        _take_over(book.account, *other, now)
    book.settle(now)
    books.save(db)


# ---- Undoing


def undo(db: Connection, vault: ShopVault, receipt: Receipt, by: str, why: str, now: Instant) -> Receipt:
    """Give the deleted customer's entries back to it, in the caller's transaction; the receipt as it stands then.

    Of the ledger alone: in Shopify they stay merged. What was posted for the kept customer since stays with it; news of
    what the deleted one had go back with it. Raises
    CannotUndo if the kept one was merged on, either was erased, or a balance would fall below zero.
    """
    join = undoable(receipt)
    if receipts.holders(db, [join.kept])[join.kept] != join.kept:
        raise CannotUndo("The kept customer was merged on into another one; undo that merge first.")
    books = open_books(db, vault, [join.kept])
    book, there = books.of(join.kept), _there(db, vault.shop_id, (join.kept, join.deleted))
    if book is None or len(there) < 2:
        raise CannotUndo("One of the two was erased, and its entries with it; use `onewriter points adjust` instead.")
    theirs = _origins(book, join.deleted)
    back = [entry for entry in book.entries if entry.origin_id in theirs]
    if not receipts.undo(db, receipt.id, by, why, now):
        raise CannotUndo("This merge was undone at this very moment.")
    entries.move_some(db, [entry.id for entry in back], join.deleted)
    for customer_id, side in ((join.kept, "kept"), (join.deleted, "deleted")):
        _settle_anew(db, vault, customer_id, None, now)
        _refuse_debt(db, customer_id, receipt.figures[side]["balance"])
    return receipts.of_ids(db, [receipt.id])[receipt.id]


def undoable(receipt: Receipt) -> Join:
    """The merge of a receipt that stands; raises CannotUndo for any other."""
    if receipt.kind != MERGE:
        raise CannotUndo("This is not the receipt of a merge.")
    if receipt.undone_at is not None:
        raise CannotUndo(f"This merge was undone already, by {receipt.undone_by}.")
    return receipt.join


def _origins(book: Book, deleted: bytes) -> set[bytes]:
    """A merged-away customer and all who had been merged into it."""
    found = [deleted]
    for each in found:
        found += [join.deleted for join in book.joins if join.kept == each and join.deleted not in found]
    return set(found)


def _there(db: Connection, shop_id: int, customer_ids: Sequence[bytes]) -> list[bytes]:
    rows = db.execute(_THESE, {"shop_id": shop_id, "ids": list(customer_ids)})
    return [bytes(each) for each in rows.scalars()]


def _refuse_debt(db: Connection, customer_id: bytes, before: int) -> None:
    """Refuse what would leave somebody with less than nothing, unless that is how it was before the merge."""
    account = accounts.load(db, [customer_id]).get(customer_id)
    if account is not None and account.balance < min(0, before):
        raise CannotUndo(
            f"Points have been spent since, and a balance would fall to {account.balance}; adjust it first."
        )


def _come_back(db: Connection, vault: ShopVault, customer_id: bytes, now: Instant) -> None:
    """Shopify has a customer after all that was merged away: its points are its own again, where that can be."""
    receipt = receipts.of_merge(db, customer_id)
    if receipt is None or receipt.undone_at is not None:
        return
    try:
        with db.begin_nested():
            undo(db, vault, receipt, SHOPIFY, FOUND_AGAIN, now)
    except CannotUndo as refused:
        found = Finding(
            "merge not undone", f"{FOUND_AGAIN}, and its points are with another one: {refused}", customer_id
        )
        findings.add(db, vault.shop_id, found, now)
