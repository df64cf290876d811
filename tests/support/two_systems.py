"""Two systems that hold the same people, as evidence for a diagnosis; their names are nobody's."""

from collections.abc import Mapping, Sequence
from typing import Any

from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, LinkOf, Rec, RunOf, Seen, Side, Write
from onewriter.rules.diagnosis.facts import Compared, Row

SECOND = 1_000_000
HOUR = 3_600 * SECOND
SOURCE, TARGET = Side.SOURCE, Side.TARGET


def ruled(name: str = "note", **said: Any) -> FieldRules:
    """A field that both know by one name and the source owns, if nothing else is said."""
    told = {"owner": "left", "source_field": name, "target_field": name, **said}
    return FieldRules(name=name, **told)


def evidence(
    *pairs: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None],
    fields: Sequence[FieldRules] | None = (),
    matched_by: str | None = None,
    **said: Any,
) -> Evidence:
    """Pairs 1 and c1, 2 and c2 ...; without fields, each name of the first source is one; None is a missing record."""
    if fields is not None and not fields:
        fields = [ruled(name) for name in pairs[0][0] or {}]
    sources = {str(place): one for place, (one, _) in enumerate(pairs, 1) if one is not None}
    targets = {f"c{place}": other for place, (_, other) in enumerate(pairs, 1) if other is not None}
    told: dict[str, Any] = {
        "links": [LinkOf(str(place), f"c{place}", matched_by) for place in range(1, len(pairs) + 1)],
        "fields": None if fields is None else {each.name: each for each in fields},
        "records": {
            SOURCE: {id_: Rec(id_, one) for id_, one in sources.items()},
            TARGET: {id_: Rec(id_, other) for id_, other in targets.items()},
        },
        **said,
    }
    return Evidence(source="left", target="right", **told)


def put(known: Evidence, side: Side, *records: Rec) -> Evidence:
    """The evidence with more records of a side, or others in their place."""
    every = {each: dict(known.records[each]) for each in Side}
    every[side].update({record.id: record for record in records})
    known.records = every
    return known


def compared(one: Any, other: Any, *, name: str = "note", rules: FieldRules | None = None, **said: Any) -> Compared:
    """What comes of one pair with one field."""
    return compare(evidence(({name: one}, {name: other}), fields=[rules or ruled(name)], **said))


def row(found: Compared) -> Row:
    """The one row that was found."""
    assert len(found.rows) == 1
    return found.rows[0]


def wrote(seq: int | None, side: Side, old: Any, new: Any, hand: Hand = Hand.CONNECTOR, **said: Any) -> Write:
    """A write of the note of pair 1."""
    told: dict[str, Any] = {
        "at": None if seq is None else seq * HOUR, "id": "1" if side is SOURCE else "c1", "field": "note",
        "writer": {Hand.CONNECTOR: "connector", Hand.PERSON: "user:ann", Hand.UNKNOWN: None}.get(hand, hand.value),
        **said,
    }  # fmt: skip
    return Write(seq=seq, side=side, old=old, new=new, hand=hand, **told)


def cycles(last: int, length: int = 10) -> dict[str, RunOf]:
    """Cycles 1 to the last, ten hours apart and each an hour long."""
    return {
        f"run{number}": RunOf(
            id=f"run{number}", kind="cycle", state="done", cycle=number,
            started=number * length * HOUR, finished=(number * length + 1) * HOUR,
        )
        for number in range(1, last + 1)
    }  # fmt: skip


def seen(cycle: int, side: Side, value: Any) -> Seen:
    """What the note of pair 1 said at the end of a cycle."""
    return Seen(cycle, side, "1" if side is SOURCE else "c1", {"note": value})
