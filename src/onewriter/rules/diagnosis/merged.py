"""Merged: which records of the source were merged away, and into which.

Systems tell of a merge in more than one way: a line that names the other record, lines of one run on both, or a field
of the record that is gone. What only looks like a merge is none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, Hand, Rec, Side, Write
from onewriter.rules.diagnosis.facts import Pair
from onewriter.rules.diagnosis.mapped import KeyField
from onewriter.rules.diagnosis.sameness import identity_key

_IDS_MAX = 50


def merges(evidence: Evidence, pairs: Sequence[Pair], keys: Sequence[KeyField]) -> dict[str, str]:
    """Source records that were merged away: the record each was merged into."""
    records = evidence.records[Side.SOURCE]
    known = {*records, *(pair.link.source for pair in pairs)}
    told = [write for write in evidence.writes or () if write.hand is Hand.MERGE and write.side is Side.SOURCE]
    found = dict(_named(records, known))
    for write in told:
        for other in _ids(write.old, known) + _ids(write.new, known):
            _put(records, found, write.id, other)
    _of_one_run(records, told, found)
    survivors = {write.id for write in told if _is_there(records, write.id)}
    if survivors:
        _by_keys(evidence, pairs, keys, survivors, told, found)
    return found


def _is_there(records: Mapping[str, Rec], id_: str) -> bool:
    record = records.get(id_)
    return record is not None and record.deleted is None and not record.redacted


def _put(records: Mapping[str, Rec], found: dict[str, str], one: str, other: str) -> None:
    """One of two records that a merge names is there, and the other is gone."""
    for gone, kept in ((one, other), (other, one)):
        if gone != kept and not _is_there(records, gone) and _is_there(records, kept):
            found.setdefault(gone, kept)


def _ids(value: Any, known: set[str]) -> list[str]:
    each = value if isinstance(value, list | tuple) else [value]
    return [str(one) for one in each[:_IDS_MAX] if isinstance(one, str | int) and str(one) in known]


def _named(records: Mapping[str, Rec], known: set[str]) -> Iterable[tuple[str, str]]:
    """What a record that is gone says itself."""
    for record in records.values():
        if record.deleted is None and not record.redacted:
            continue
        for name, value in record.fields.items():
            if "merged" in name.lower():
                yield from ((record.id, kept) for kept in _ids(value, known) if _is_there(records, kept))


def _of_one_run(records: Mapping[str, Rec], told: Sequence[Write], found: dict[str, str]) -> None:
    """A run of one merge writes on the one that is kept and on the one that goes."""
    runs: dict[str, set[str]] = {}
    for write in told:
        if write.run is not None:
            runs.setdefault(write.run, set()).add(write.id)
    for ids in runs.values():
        kept = [id_ for id_ in ids if _is_there(records, id_)]
        if len(kept) == 1:
            for gone in sorted(ids - {kept[0]}):
                found.setdefault(gone, kept[0])


def _by_keys(
    evidence: Evidence, pairs: Sequence[Pair], keys: Sequence[KeyField], survivors: set[str], told: Sequence[Write],
    found: dict[str, str],
) -> None:  # fmt: skip
    """A record that is gone, whose address or number the one that is kept has now or was given by the merge."""
    records = evidence.records[Side.SOURCE]
    gone = {
        pair.link.source: pair
        for pair in pairs
        if pair.link.source not in found and not _is_there(records, pair.link.source)
    }
    if not gone:
        return
    held: dict[tuple[KeyField, str], str] = {}
    for key in keys:
        for id_ in sorted(survivors):
            values = [records[id_].fields.get(key.source)]
            values += [each for write in told if write.id == id_ for each in (write.old, write.new)]
            for value in values:
                if (canonical := identity_key(key.nature, value, evidence.region)) is not None:
                    held.setdefault((key, canonical), id_)
    for id_, pair in gone.items():
        for key in keys:
            values = [record.fields.get(key.of(side)) for record, side in _both(pair) if record is not None]
            for value in values:
                canonical = identity_key(key.nature, value, evidence.region)
                if canonical is not None and (key, canonical) in held:
                    found.setdefault(id_, held[key, canonical])


def _both(pair: Pair) -> Sequence[tuple[Rec | None, Side]]:
    return (pair.source, Side.SOURCE), (pair.target, Side.TARGET)
