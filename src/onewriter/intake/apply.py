"""The one door to what we know: the only code that changes a side or a customer.

It decides by pure rules (order, ownership), writes what it accepts, and writes down what it refuses as carefully. It
never commits: the caller's transaction holds the whole batch or nothing of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.customers import aliases, marks, profiles
from onewriter.db.bulk import lock_stripes, stripe_of
from onewriter.intake.batch import Batch
from onewriter.records import Change, Instant, Kind, Path
from onewriter.vault.vault import ShopVault


@dataclass(slots=True)
class Applied:
    """What a batch did: one outcome a change, in order, and how often each came."""

    outcomes: list[str] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)
    """The Shopify ids whose direct read answered every earlier reason to read."""

    @property
    def counts(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(self.outcomes)


def apply(
    db: Connection,
    vault: ShopVault,
    changes: Sequence[Change],
    now: Instant,
    *,
    run_id: str | None = None,
    logged_as: Mapping[int, Path] | None = None,
) -> Applied:
    """Apply changes of one shop, in the order given, and say what became of each.

    Outcomes: created, changed, unchanged, deleted, confirmed, found (a deleted one is there after all), tombstone,
    marked (to be read again), merged, or `refused: why`. `logged_as` is what the log says of how customers were heard
    of, where they were read for a reason of its own.
    """
    shop = vault.shop_id
    hashes = {change.record_id: vault.key.id_hash(change.record_id) for change in changes}
    kept = {stripe_of(vault.key.id_hash(number)) for number in _kept(db, vault, changes)}
    lock_stripes(db, shop, {stripe_of(name) for name in hashes.values()} | kept)
    unchanged = _same_raw(db, shop, changes)
    rest = [change for change in changes if change.record_id not in unchanged]
    batch = Batch.load(db, vault, rest, {change.record_id: hashes[change.record_id] for change in rest}, run_id)
    batch.logged_as = logged_as or {}
    applied = Applied()
    for change in changes:
        applied.outcomes.append("unchanged" if change.record_id in unchanged else batch.take(change))
    batch.save(db, now)
    applied.settled = batch.settled
    return applied


def lock(db: Connection, vault: ShopVault, shopify_ids: Iterable[int]) -> None:
    """Keep everybody else from these customers until the transaction ends."""
    lock_stripes(db, vault.shop_id, {stripe_of(vault.key.id_hash(number)) for number in shopify_ids})


def lock_for(db: Connection, vault: ShopVault, changes: Sequence[Change]) -> None:
    """Take the locks that applying these changes will take, for who must look before it applies them."""
    lock(db, vault, {change.record_id for change in changes} | _kept(db, vault, changes))


def read_again(db: Connection, vault: ShopVault, wanted: Mapping[int, frozenset[str]], now: Instant) -> None:
    """Have customers read again, each for its reasons; under their locks, since applying sets marks as well."""
    lock(db, vault, wanted)
    marks.set_marks(db, vault.shop_id, wanted, now)


def _kept(db: Connection, vault: ShopVault, changes: Sequence[Change]) -> set[int]:
    """The customers that others may turn out to be merged into: they will be marked to be read again."""
    absent = [change.record_id for change in changes if change.kind is Kind.ABSENT]
    told = {change.into for change in changes if change.into is not None}
    return told | {alias.kept_id for alias in aliases.load(db, vault, absent).values()}


def _same_raw(db: Connection, shop_id: int, changes: Sequence[Change]) -> set[int]:
    """The customers of whom every change in the batch is a bulk row that we have already read just so."""
    bulk = [change for change in changes if change.raw_digest is not None]
    if not bulk:
        return set()
    known = profiles.raw_digests(db, shop_id, [change.record_id for change in bulk])
    same = {change.record_id for change in bulk if known.get(str(change.record_id)) == change.raw_digest}
    return same - {change.record_id for change in changes if change.raw_digest is None}
