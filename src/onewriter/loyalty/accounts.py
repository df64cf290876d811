"""Accounts: what is kept of each customer's ledger so that a balance costs one row, and what a person decided for it.

The figures are made from the entries and can be made anew at any time. They hold until `valid_until`, when something
falls due by itself, and only for the version of the programme with which they were made.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from onewriter.db.pointtables import accounts
from onewriter.records import Instant

CHUNK = 500

_THESE = select(accounts).where(accounts.c.customer_id.in_(bindparam("ids", expanding=True)))
_DUE = (
    select(accounts.c.customer_id)
    .where(accounts.c.shop_id == bindparam("shop_id"), accounts.c.valid_until <= bindparam("now"))
    .order_by(accounts.c.valid_until)
    .limit(bindparam("most"))
)
_UPDATE = (
    update(accounts)
    .where(accounts.c.customer_id == bindparam("b_customer_id"))
    .values({column.name: bindparam(f"b_{column.name}") for column in accounts.columns if column.name != "customer_id"})
)


@dataclass(slots=True)
class Account:
    """One customer's account."""

    customer_id: bytes
    shop_id: int
    balance: int = 0
    """What can be spent now."""
    pending: int = 0
    earned: int = 0
    activity_at: Instant | None = None
    valid_until: Instant | None = None
    """From then on the figures must be made anew; None: nothing falls due by itself."""
    programme_version: int | None = None
    changed_at: Instant = 0
    own_days: int | None = None
    """Days of inactivity until this customer's points end, as a person decided; 0 is never."""
    lapse_days: int | None = None
    """Those that count for it now, and since when: they are counted from then on at the earliest."""
    lapse_since: Instant | None = None
    excluded_at: Instant | None = None
    """Nothing that happened from then on earns, as a person decided ..."""
    included_at: Instant | None = None
    """... until then, if a person has decided otherwise since."""
    excluded_why: str | None = None

    def excludes(self, at: Instant) -> bool:
        """True if nothing earns that happened at that time, as a person decided."""
        if self.excluded_at is None or at < self.excluded_at:
            return False
        return self.included_at is None or at < self.included_at

    def holds(self, now: Instant, version: int | None) -> bool:
        """True while the figures are right without looking at the entries."""
        return self.programme_version == version and (self.valid_until is None or now < self.valid_until)


def load(db: Connection, customer_ids: Collection[bytes]) -> dict[bytes, Account]:
    """The accounts that there are, by customer."""
    wanted, found = list(customer_ids), {}
    for start in range(0, len(wanted), CHUNK):
        for row in db.execute(_THESE, {"ids": wanted[start : start + CHUNK]}):
            account = account_of(row)
            found[account.customer_id] = account
    return found


def due(db: Connection, shop_id: int, now: Instant, most: int) -> list[bytes]:
    """Customers whose figures have run out, the longest first."""
    return [bytes(each) for each in db.execute(_DUE, {"shop_id": shop_id, "now": now, "most": most}).scalars()]


def save(db: Connection, known: Iterable[Account], fresh: Iterable[Account]) -> None:
    """Write accounts down: those that were there before, and new ones."""
    changed = [{f"b_{name}": getattr(account, name) for name in Account.__slots__} for account in known]
    if changed:
        db.execute(_UPDATE, changed)
    new = [{name: getattr(account, name) for name in Account.__slots__} for account in fresh]
    if new:
        db.execute(insert(accounts), new)


def account_of(row: Row[Any]) -> Account:
    """The account of a whole row; its columns are the fields of an account, in order."""
    return Account(*tuple(row))
