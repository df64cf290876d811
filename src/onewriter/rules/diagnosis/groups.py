"""Groups: rows that one cause explains, probably.

Rows of whole customers come first, since what is wrong with a link or a life explains many fields at once. What is left
is grouped by field, and within a field by what is clearly another story: an edit on its way, a copy that is only
behind, one that was moved away, a likeness of the values.
"""

from collections.abc import Callable, Sequence
from typing import Any

from onewriter.rules.diagnosis.causes.writers import waits
from onewriter.rules.diagnosis.evidence import Evidence, Hand
from onewriter.rules.diagnosis.facts import Compared, Pair, Relation, Row, Why
from onewriter.rules.diagnosis.judgement import Group

LIKE = (
    Relation.OTHER_FIELD, Relation.MOJIBAKE, Relation.ZEROS_LOST, Relation.NUMBER, Relation.DAY_SHIFT,
    Relation.DAY_MONTH, Relation.LOSSY, Relation.PREFIX,
)  # fmt: skip
"""Likenesses, the least likely to come about by chance first."""
SMALL = 0.15
"""A story with a smaller share of a field's rows is told apart only if nobody could take it for the larger one."""


def grouped(evidence: Evidence, compared: Compared) -> list[Group]:
    """All rows that are looked at in groups, and the phantoms of each field in one."""
    left, groups = list(compared.rows), []
    for holds in WHOLE:
        taken = [row for row in left if holds(row.pair)]
        if taken:
            groups.append(_group(taken))
            left = [row for row in left if not holds(row.pair)]
    for rows in _by(left, lambda row: row.rules.name).values():
        groups += [_group(part) for part in _stories(rows)]
    for rows in _by(compared.phantoms, lambda row: row.rules.name).values():
        groups.append(_group(rows))
    return groups


def _is_merged(pair: Pair) -> bool:
    return bool(pair.merged_into or pair.merged_from)


def _is_shared(pair: Pair) -> bool:
    return bool(pair.other_sources) and not pair.is_erased


def _is_left(pair: Pair) -> bool:
    return bool(pair.key_holders) and pair.key_held is False


def _is_doubled(pair: Pair) -> bool:
    return bool(pair.twins or pair.other_targets)


WHOLE: tuple[Callable[[Pair], bool], ...] = (
    _is_merged, lambda pair: pair.is_erased, _is_left, _is_shared, _is_doubled,
)  # fmt: skip
"""What is odd about a pair, in the order in which one explains the other."""


def story(row: Row) -> str:
    """What kind of story a row tells, by itself."""
    if row.why is not Why.DIFFERS:
        return "fought over"
    if waits(row):
        return "young"
    if row.copy_write is not None and row.copy_write.hand in (Hand.PERSON, Hand.IMPORT) and row.copy_had_it:
        return f"by {row.copy_write.hand.value}"
    if Relation.EMPTY_COPY in row.relations:
        return "emptied" if row.copy_was_filled else "empty"
    if row.flips:
        return "to and fro"
    if row.copy_is_older:
        return "behind" if not row.copy_had_it else "went back"
    like = next((each.value for each in LIKE if each in row.relations), None)
    if like is not None:
        return like
    return "moved away" if row.copy_had_it else "other"


def _stories(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows of a field in one part a story; what a chance likeness took away goes back to the largest part."""
    parts = list(_by(rows, story).items())
    parts.sort(key=lambda part: -len(part[1]))
    name, largest = parts[0]
    kept, others = list(largest), []
    for other, some in parts[1:]:
        is_apart = other in APART or name in APART or (len(some) / len(rows) > SMALL and not _alike(name, other))
        if is_apart:
            others.append(some)
        else:
            kept += some
    return [kept, *others]


APART = frozenset(("young", "by person", "by import", "fought over"))
"""Stories that nobody could take for another."""
_CHANCE = (frozenset(("prefix", "lossy", "other", "moved away", "to and fro", "behind", "went back", "empty")),)


def _alike(one: str, other: str) -> bool:
    return any(one in some and other in some for some in _CHANCE)


def _group(rows: Sequence[Row]) -> Group:
    by_field = _by(rows, lambda row: row.rules.name)
    name = max(by_field, key=lambda each: len(by_field[each]))
    return Group(name=name, rows=list(rows), fields=tuple(sorted(by_field)))


def _by(rows: Sequence[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
