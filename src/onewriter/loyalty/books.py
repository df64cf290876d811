"""Books: the working copies of some customers' ledgers, opened, posted to, settled and written down together.

Whatever is to be posted goes through here, under the locks of the customers: what is there already is not posted again,
what follows from the entries (expiries, floors, what a merge drops) is worked out anew, and only the difference to what
was posted is written.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from onewriter.customers.profiles import LIVE, MERGED, customer_binding
from onewriter.db.bulk import lock_stripes, stripe_of
from onewriter.db.tables import customers
from onewriter.errors import DatabaseBusy
from onewriter.loyalty import accounts, entries, programme, receipts, telling
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.receipts import Receipt
from onewriter.records import SHOPIFY, Entry, EntryKind, Instant, sortable_id
from onewriter.rules.earning import Item, Version, in_force
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import Ledger
from onewriter.rules.replaying import Join, Standing, is_fact
from onewriter.rules.tags import join_tags
from onewriter.vault.vault import ShopVault

AGE = "age"
INACTIVITY = "inactivity"
EXPIRY = "expiry"
FLOOR = "floor"

_THESE = customers.c.id.in_(bindparam("ids", expanding=True))
_CUSTOMERS = select(customers.c.id, customers.c.shopify_id, customers.c.state, customers.c.deleted_at).where(_THESE)
_BOXES = select(customers.c.id, customers.c.box).where(_THESE)


@dataclass(slots=True)
class Book:
    """The working copy of one customer's ledger."""

    shop_id: int
    customer_id: bytes
    shopify_id: int | None
    deleted_at: Instant | None
    """When time stood still for it; None for one that is there."""
    is_merged: bool
    """Of one that is gone: whether it was merged away, so that its orders live on."""
    account: Account
    has_account: bool
    entries: list[Entry]
    joins: list[Join]
    others: Mapping[bytes, Account]
    """The accounts of those who were merged into it, for what was decided for them."""
    taken_back: Mapping[bytes, Instant]
    versions: Sequence[Version]
    tags: frozenset[str]
    """In lower case; empty unless the programme asks for tags."""
    fresh: list[Entry] = field(default_factory=list)
    drops: dict[bytes, bytes | None] = field(default_factory=dict)
    """By entry, the receipt that drops it from now on, or None if it counts again."""
    standing: Standing | None = None

    @property
    def ledger(self) -> Ledger:
        """All that is known, for the rules."""
        return Ledger(self.entries, self.joins, self.taken_back)

    @property
    def policy(self) -> Lapse:
        """When points end for want of activity, as it counts for this customer now."""
        return Lapse(self.account.lapse_days, self.account.lapse_since or 0)

    @property
    def counting(self) -> list[Entry]:
        """The entries that no receipt drops."""
        return [entry for entry in self.entries if entry.dropped_by is None]

    def of_order(self, order_id: int) -> list[Entry]:
        """The entries of an order that count."""
        return [entry for entry in self.entries if entry.order_id == order_id and entry.dropped_by is None]

    def excludes(self, at: Instant, origin: bytes | None = None) -> bool:
        """True if nothing earns that happened then, to the customer or to the merged-away one that it comes from."""
        other = self.others.get(origin) if origin is not None else None
        if self.account.excludes(at) or (other is not None and other.excludes(at)):
            return True
        version = in_force(self.versions, at)
        return version is not None and not self.tags.isdisjoint(version.rules.excluded_tags)

    def is_after_end(self, at: Instant) -> bool:
        """True for what happened after the customer was deleted: it is recorded and changes nothing."""
        return self.deleted_at is not None and not self.is_merged and at > self.deleted_at

    def give(self, item: Item, origin: bytes, now: Instant, **more: Any) -> Entry | None:
        """Post what a rule gives, unless it is there already, or the customer earns nothing; the entry, if posted.

        What is given once is looked for with its origin: of two origins that were merged, the merge says which stays.
        """
        if self.excludes(item.occurred_at, origin) or self.is_after_end(item.occurred_at):
            return None
        if any(self._is_given(entry, item, origin) for entry in self.entries):
            return None
        return self.post(item, origin, now, **more)

    def _is_given(self, entry: Entry, item: Item, origin: bytes) -> bool:
        if entry.kind is not item.kind or entry.origin_id != origin or entry.dropped_by in self.taken_back:
            return False
        if item.once_key is not None:
            return entry.once_key == item.once_key
        return entry.rule == item.rule and entry.reference == item.reference

    def post(
        self, item: Item, origin: bytes, now: Instant, *, source: str = SHOPIFY, run_id: str | None = None
    ) -> Entry:
        """Post an item as an entry."""
        entry = Entry(
            id=sortable_id(now, os.urandom(10)),
            customer_id=self.customer_id,
            origin_id=origin,
            kind=item.kind,
            points=item.points,
            rule=item.rule,
            rule_version=item.rule_version,
            reference=item.reference,
            once_key=item.once_key,
            order_id=item.order_id,
            lot_id=item.lot_id,
            amount=item.amount,
            version=item.version,
            days=item.days,
            occurred_at=item.occurred_at,
            available_at=item.available_at,
            expires_at=item.expires_at,
            reason=item.reason,
            source=source,
            run_id=run_id,
            posted_at=now,
        )
        self.entries.append(entry)
        self.fresh.append(entry)
        return entry

    def take_back(self, given: Collection[Entry], receipt: Receipt) -> None:
        """Let entries of an award count no more, by the receipt of taking it back."""
        ids = {entry.id for entry in given}
        self.taken_back = {**self.taken_back, receipt.id: receipt.made_at}
        self.entries = [replace(each, dropped_by=receipt.id) if each.id in ids else each for each in self.entries]
        self.drops.update(dict.fromkeys(ids, receipt.id))

    def settle(self, now: Instant) -> Standing:
        """Work out how the points stand, and post what follows: expiries, the floor of a merge, what is dropped."""
        self._settle_policy(now)
        until = now if self.deleted_at is None else min(now, self.deleted_at)
        drops, _twins = self.ledger.drops()
        self._drop({entry_id: drop.receipt for entry_id, drop in drops.items()})
        standing = self.standing = self.ledger.standing(until, self.policy, drops)
        self._post_expiries(standing, now)
        self._post_floor(standing, now)
        self._settle_account(standing, now)
        return standing

    def _settle_policy(self, now: Instant) -> None:
        """Days of inactivity that have changed are counted from the change on: nothing ends in hindsight."""
        account = self.account
        days = programme.lapse_policy(self.versions, self.tags, account.own_days)
        since = programme.lapse_since(self.versions, self.tags) if self.versions and account.own_days is None else None
        if days == account.lapse_days and account.lapse_since is not None and (since or 0) <= account.lapse_since:
            return
        # It was the programme that changed if its change is the newer one, and else a tag or a person's word.
        since = now if since is None else since
        account.lapse_days = days
        account.lapse_since = since if account.lapse_since is None or since > account.lapse_since else now

    def _drop(self, wanted: Mapping[bytes, bytes]) -> None:
        fresh = {entry.id: place for place, entry in enumerate(self.fresh)}
        for place, entry in enumerate(self.entries):
            receipt = wanted.get(entry.id)
            if entry.dropped_by == receipt:
                continue
            changed = self.entries[place] = replace(entry, dropped_by=receipt)
            if entry.id in fresh:
                self.fresh[fresh[entry.id]] = changed
            else:
                self.drops[entry.id] = receipt

    def _post_expiries(self, standing: Standing, now: Instant) -> None:
        """Post what has ended of each lot, less what was posted of it before."""
        posted: dict[bytes, int] = {}
        tried: set[tuple[bytes, Instant]] = set()
        for entry in self.entries:
            if entry.lot_id is not None and not is_fact(entry) and entry.dropped_by is None:
                posted[entry.lot_id] = posted.get(entry.lot_id, 0) - entry.points
                if entry.kind is EntryKind.EXPIRE:
                    tried.add((entry.lot_id, entry.occurred_at))
        reasons = {entry.id: entry.reason or entry.rule for entry in self.entries}
        origins = {entry.id: entry.origin_id for entry in self.entries}
        for lot_id in sorted(standing.ended.keys() | posted.keys()):
            ended = standing.ended.get(lot_id)
            missing = (ended.points if ended is not None else 0) - posted.get(lot_id, 0)
            if missing == 0:
                continue
            at = ended.at if ended is not None else now
            days = ended.days if ended is not None else None
            first = missing > 0 and (lot_id, at) not in tried
            item = Item(
                kind=EntryKind.EXPIRE if first else EntryKind.CORRECT,
                points=-missing,
                rule=(INACTIVITY if days is not None else AGE) if first else EXPIRY,
                occurred_at=at if first else now,
                available_at=at if first else now,
                reference=f"{lot_id.hex()}@{at}" if first else None,
                lot_id=lot_id,
                days=days if first else None,
                reason=_why(reasons.get(lot_id, ""), days) if first else "late news changed what has expired",
            )
            # The lot itself may have gone back where it came from.
            self.post(item, origins.get(lot_id, self.customer_id), now)

    def _post_floor(self, standing: Standing, now: Instant) -> None:
        """Post what the last merge lifts the balance by, less what was posted of it before."""
        posted = sum(entry.points for entry in self.counting if entry.kind is EntryKind.MERGE_FLOOR)
        if standing.floor != posted:
            at = max((join.at for join in self.joins), default=now)
            item = Item(
                kind=EntryKind.MERGE_FLOOR,
                points=standing.floor - posted,
                rule=FLOOR,
                occurred_at=at,
                available_at=at,
                reason="a merge dropped points that had been spent",
            )
            self.post(item, self.customer_id, now)

    def _settle_account(self, standing: Standing, now: Instant) -> None:
        account = self.account
        account.balance, account.pending, account.earned = standing.balance, standing.pending, standing.earned
        account.activity_at = standing.activity_at
        account.valid_until = None if self.deleted_at is not None else standing.due_at
        account.programme_version = self.versions[-1].number if self.versions else None
        account.changed_at = now


def _why(what: str, days: int | None) -> str:
    return f"expired: {what}" if days is None else f"expired after {days} days without activity: {what}"


@dataclass(slots=True)
class Books:
    """The ledgers of some customers, under their locks."""

    shop_id: int
    by_holder: dict[bytes, Book]
    holders: dict[bytes, bytes]

    def of(self, customer_id: bytes) -> Book | None:
        """The book that has a customer's entries: its own, or that of whoever it was merged into."""
        return self.by_holder.get(self.holders.get(customer_id, customer_id))

    def settle(self, now: Instant) -> None:
        """Settle every book."""
        for book in self.by_holder.values():
            book.settle(now)

    def save(self, db: Connection) -> None:
        """Write down what was posted and settled. A customer without entries or decisions gets no account."""
        settled = [book for book in self.by_holder.values() if book.standing is not None]
        drops: dict[bytes, bytes | None] = {}
        for book in settled:
            drops |= book.drops
        entries.drop(db, drops)
        entries.add(db, self.shop_id, [entry for book in settled for entry in book.fresh])
        known = [book.account for book in settled if book.has_account]
        new = [book.account for book in settled if not book.has_account and (book.entries or _is_decided(book.account))]
        accounts.save(db, known, new)
        telling.tell(db, self.shop_id, [*known, *new])


def _is_decided(account: Account) -> bool:
    return account.own_days is not None or account.excluded_at is not None


def open_books(db: Connection, vault: ShopVault, customer_ids: Collection[bytes]) -> Books:
    """Open the books that have these customers' entries, under the locks of the customers that hold them.

    Customers that are not there (erased, unknown) have none.
    """
    holders = receipts.holders(db, customer_ids)
    found = _rows(db, _CUSTOMERS, holders.values())
    _lock(db, vault, found.values())
    if db.dialect.name != "sqlite" and receipts.holders(db, customer_ids) != holders:
        # Somebody merged one of them between the look and the lock; what we hold then is not the whole of it.
        raise DatabaseBusy("A customer was merged at this very moment; try again.")
    if db.dialect.name != "sqlite":
        # Whoever was deleted, brought back or erased while we waited for the locks stands as it does now.
        found = _rows(db, _CUSTOMERS, found)
    versions = programme.versions(db, vault.shop_id)
    tags = _tags(db, vault, found, versions)
    posted = entries.load(db, found)
    joins = receipts.joins(db, found)
    merged = {customer_id: {join.deleted for join in joins.get(customer_id, ())} for customer_id in found}
    known = accounts.load(db, {*found, *(each for group in merged.values() for each in group)})
    back = _taken_back(db, posted.values())
    books = {
        customer_id: Book(
            vault.shop_id, customer_id, row.shopify_id, None if row.state in LIVE else row.deleted_at,
            row.state == MERGED,
            known.get(customer_id) or Account(customer_id, vault.shop_id), customer_id in known,
            posted[customer_id], joins.get(customer_id, []),
            {each: known[each] for each in merged[customer_id] if each in known},
            back, versions, tags.get(customer_id, frozenset()),
        )
        for customer_id, row in found.items()
    }  # fmt: skip
    return Books(vault.shop_id, books, holders)


def _rows(db: Connection, query: Select[Any], customer_ids: Iterable[bytes]) -> dict[bytes, Row[Any]]:
    wanted = sorted(set(customer_ids))
    found: dict[bytes, Row[Any]] = {}
    for start in range(0, len(wanted), entries.CHUNK):
        for row in db.execute(query, {"ids": wanted[start : start + entries.CHUNK]}):
            found[bytes(row.id)] = row
    return found


def _lock(db: Connection, vault: ShopVault, rows: Iterable[Row[Any]]) -> None:
    names = (vault.key.id_hash(row.shopify_id) for row in rows if row.shopify_id is not None)
    lock_stripes(db, vault.shop_id, {stripe_of(name) for name in names})


def _taken_back(db: Connection, posted: Iterable[Sequence[Entry]]) -> dict[bytes, Instant]:
    """When each receipt of an award that was taken back was made, of those that drop an entry here."""
    named = {entry.dropped_by for each in posted for entry in each if entry.dropped_by is not None}
    found = receipts.of_ids(db, named)
    return {name: receipt.made_at for name, receipt in found.items() if receipt.kind == receipts.AWARD}


def _tags(
    db: Connection, vault: ShopVault, customer_ids: Iterable[bytes], versions: Sequence[Version]
) -> dict[bytes, frozenset[str]]:
    """The tags of customers in lower case; nothing is opened unless the programme asks for tags."""
    if not any(each.rules.excluded_tags or each.rules.expiry.inactivity_by_tag for each in versions):
        return {}
    rows = _rows(db, _BOXES, customer_ids)
    keys = vault.keys.subject_keys(rows, leave_destroyed=True)
    found = {}
    for name, key in keys.items():
        own = key.open_fields(bytes(rows[name].box), customer_binding(vault.shop_id, name))
        found[name] = frozenset(tag.lower() for tag in join_tags(own) or ())
    return found
