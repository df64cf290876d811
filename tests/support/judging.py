"""Groups of rows by hand, as the comparison and the causes would have made them."""

from collections.abc import Iterable, Sequence
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, LinkOf, Rec, Side, Write
from onewriter.rules.diagnosis.facts import Change, Compared, FieldCounts, Pair, Row, Track, Verdict, Why
from onewriter.rules.diagnosis.judgement import CaseOf, Group, Hypothesis
from onewriter.rules.diagnosis.triage import case_of
from onewriter.rules.evidence import Check


def pair(number: int = 1, *, is_redacted: bool = False, deleted: int | None = None, **changes: Any) -> Pair:
    """Two linked records; the shop's is redacted or deleted where that is said."""
    link = LinkOf(f"s{number}", f"t{number}", changes.pop("matched_by", "email"))
    source = Rec(link.source, {}, deleted=deleted, redacted=is_redacted)
    return Pair(link=link, source=source, target=Rec(link.target, {}), **{"key_held": True, **changes})


def rules(name: str = "phone", **changes: Any) -> FieldRules:
    """A field of the shop's own that goes to the other system."""
    known = {"source_field": name, "target_field": f"x_{name}", "owner": "shopify", "direction": "source_to_target"}
    return FieldRules(name=name, **{**known, **changes})


def row(number: int = 1, of: FieldRules | None = None, with_pair: Pair | None = None, **changes: Any) -> Row:
    """One value that differs."""
    known = {"why": Why.DIFFERS, "verdict": Verdict.REAL, "origin": Side.SOURCE, "origin_value": "a", "copy_value": "b"}
    return Row(pair=with_pair or pair(number), rules=of or rules(), **{**known, **changes})


def rows(count: int, **changes: Any) -> list[Row]:
    """The same of so many customers."""
    return [row(number, **changes) for number in range(1, count + 1)]


def wrote(writer: str, hand: Hand, *, side: Side = Side.TARGET, run: str | None = None, **changes: Any) -> Write:
    """A line of the log."""
    known = {"at": None, "seq": None, "id": "t1", "field": "x_phone"}
    return Write(side=side, writer=writer, hand=hand, run=run, **{**known, **changes})


def track(*writes: Write) -> Track:
    """A value that these writes made, one a cycle."""
    return Track(changes=[Change(number, float(number), each) for number, each in enumerate(writes)])


def group(of: Iterable[Row], *causes: str, asserted: bool = True) -> Group:
    """A group with these causes, the likeliest first."""
    all_rows = list(of)
    fields = tuple(dict.fromkeys(each.rules.name for each in all_rows))
    told = tuple(
        Hypothesis(cause=cause, weight=0.8 / 2**place, evidence=("Most of them.",))
        for place, cause in enumerate(causes)
    )
    return Group(name=fields[0], rows=all_rows, fields=fields, causes=told, asserted=asserted and bool(causes))


def evidence(**changes: Any) -> Evidence:
    """The evidence of a shop and a system, with nothing in it but what is said."""
    return Evidence(**{"source": "shopify", "target": "crm", "records": {}, **changes})


def compared(of: Sequence[Row] = (), *, now: float | None = 7.0, count: int = 40) -> Compared:
    """What the comparison found, of so many pairs."""
    counts = {each.rules.name: FieldCounts(compared=count) for each in of}
    return Compared(
        rows=list(of), phantoms=[], undecidable=[], counts=counts, pairs=count, loose_sources=[], loose_targets=[],
        odd=[], now=now,
    )  # fmt: skip


def case(of: Iterable[Row], *causes: str, asserted: bool = True, checks: Sequence[Check] = (), **known: Any) -> CaseOf:
    """The case that these rows make; `known` is the evidence there is."""
    made = group(of, *causes, asserted=asserted)
    return case_of(made, evidence(**known), compared(made.rows), checks)
