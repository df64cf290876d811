"""Causes that links and lives tell: who is linked with whom, by what, and who was merged or erased."""

from collections import Counter

from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, CONCLUSIVE, HINT, STRONG, Told
from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Pair, Row

SOME = 0.5
AT_ONCE = 0.2
"""Parts of a cycle within which a merge changes one customer and removes the other."""
PARTS_MIN = 2
SEVERAL = 4
"""Fields that differ at once where two people share a record."""


def identity_split(it: Traits) -> Told | None:
    """A second record has the customer's key, and holds what the linked one should."""
    twins = it.of_pairs(lambda pair: bool(pair.twins or pair.other_targets))
    if twins < SOME:
        return None
    newer = it.of_pairs(lambda pair: pair.newer_twin)
    points = STRONG * twins + HINT * newer - CLEAR * it.of_pairs(_is_merged) - CLEAR * it.of_pairs(_has_left)
    told = f"{it.customers(twins)} have a second record in {it.evidence.target} with the same key."
    return Told(points, (told,))


def identity_over_merge(it: Traits) -> Told | None:
    """Two customers have one record."""
    shared = it.of_pairs(lambda pair: bool(pair.other_sources))
    if shared < SOME:
        return None
    several = it.of_pairs(lambda pair: pair.differing >= SEVERAL)
    points = STRONG * shared + HINT * several - CLEAR * it.of_pairs(_is_merged) - CLEAR * it.of_pairs(_has_left)
    told = f"{it.customers(shared)} share their record in {it.evidence.target} with another customer."
    return Told(points, (told,))


def recycled_key(it: Traits) -> Told | None:
    """They are linked by a key that the customer has left, and that somebody else has now."""
    left, held = it.of_pairs(_has_left), it.of_pairs(lambda pair: bool(pair.key_holders))
    if max(left, held) < SOME:
        return None
    points = CLEAR * left + STRONG * held - CLEAR * it.of_pairs(_is_merged)
    told = f"{it.customers(max(left, held))} were linked by a key that the customer no longer has."
    return Told(points, (told,))


def deleted_redacted(it: Traits) -> Told | None:
    """One side erased the customer, and the other still has what was known."""
    gone = it.of_pairs(lambda pair: pair.is_erased)
    if gone < SOME:
        return None
    points = CONCLUSIVE * gone - STRONG * max(it.of_pairs(_is_merged), it.share(_is_of_merge))
    return Told(points, (f"{it.customers(gone)} were deleted or redacted on one side, and not on the other.",))


def merge_not_propagated(it: Traits) -> Told | None:
    """A merge was not carried over."""
    merged = max(it.of_pairs(_is_merged), it.share(_is_of_merge))
    if merged < SOME:
        return _perhaps_merged(it)
    return Told(CONCLUSIVE * merged, (f"{it.customers(merged)} were merged in {it.evidence.source}.",))


def _perhaps_merged(it: Traits) -> Told | None:
    """Customers who are gone, and not redacted: another one that changed in several fields at that moment is who was
    kept in their place, probably."""
    gone = [pair for pair in it.pairs if pair.source is not None and pair.source.deleted is not None]
    if len(gone) < len(it.pairs) * SOME or any(pair.source is not None and pair.source.redacted for pair in gone):
        return None
    kept = _changed_then(it)
    points = CLEAR + STRONG * min(1.0, kept / len(gone))
    told = f"{len(gone):,} customers are gone in {it.evidence.source}, and {kept:,} others changed at that moment."
    return Told(points, (told,), ("A line of the log that tells of a merge would settle it.",))


def _changed_then(it: Traits) -> int:
    """How many other customers changed in several fields when these went."""
    went = [row.origin_moved for row in it.rows if row.origin_moved is not None]
    changed: Counter[str] = Counter()
    for row in it.compared.rows:
        moved = row.origin_moved
        if moved is not None and not row.pair.is_erased and any(abs(moved - each) < AT_ONCE for each in went):
            changed[row.pair.link.source] += 1
    return sum(count >= PARTS_MIN for count in changed.values())


def _is_of_merge(row: Row) -> bool | None:
    """Whether the newest line of the origin's field is that of a merge, which gave it a value or took it away."""
    told = [change.write for change in row.origin_track.changes if change.write is not None]
    return told[-1].hand is Hand.MERGE if told else None


def _is_merged(pair: Pair) -> bool:
    return bool(pair.merged_from or pair.merged_into)


def _has_left(pair: Pair) -> bool | None:
    return None if pair.key_held is None else not pair.key_held and pair.key_was_held is not False
