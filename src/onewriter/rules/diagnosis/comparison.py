"""Comparison: what two systems do not say alike, with all that is known of each difference.

Every linked pair is compared in every field that both sides have. What is equal leaves a count behind and nothing else;
what is known of the past is looked up for what is not, and for edits that were undone on the way.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onewriter.rules.diagnosis.evidence import Evidence, Hand, Rec, Report, Side
from onewriter.rules.diagnosis.facts import Compared, FieldCounts, Pair, Row, Track, Verdict, Why
from onewriter.rules.diagnosis.mapped import Schema, forms_of, key_fields, schema_of
from onewriter.rules.diagnosis.motion import Motion, tell, was_fought_over
from onewriter.rules.diagnosis.pairs import Keys, is_erased, is_odd, linked, loose
from onewriter.rules.diagnosis.relations import LENGTH_MIN, fold, relate
from onewriter.rules.diagnosis.sameness import Form
from onewriter.rules.diagnosis.tracks import Past, past_of, track_of

RARE = 3
"""Records that may have a value which is still said to be another record's."""
_MISSING: Any = object()
_NO_TRACK = Track()
"""That of every row of which nobody asks how it came about; never changed."""


class Difference(NamedTuple):
    """Two values that were compared and are not equal."""

    pair: Pair
    form: Form
    source: Any
    target: Any
    verdict: Verdict


def compare(evidence: Evidence) -> Compared:
    """Everything that the comparison of some evidence finds."""
    keys = key_fields(evidence)
    pairs = linked(evidence, keys)
    # Where only what differs was opened, nothing follows from what the records lack.
    is_part = bool(evidence.clean)
    schemas = {side: schema_of(evidence.records[side].values(), is_part=is_part) for side in Side}
    forms = forms_of(evidence, pairs, schemas)
    past = past_of(evidence)
    counts = _counted(evidence, forms)
    found = [each for form in forms for each in _differences(evidence, form, pairs, schemas, counts[form.rules.name])]
    _count_log(evidence, forms, counts)
    loose_targets = loose(evidence, pairs, Side.TARGET)
    held = Keys(evidence, pairs, keys, schemas, forms, past)
    held.fill(loose_targets)
    held.judge_twins()
    looking = _Looking(evidence, forms, pairs, schemas, past)
    rows = looking.rows(found)
    taken = {row.key for row in rows}
    aside = [each for each in found if each.verdict is not Verdict.REAL]
    told = [row for row in map(_bare, aside) if row.key not in taken]
    return Compared(
        rows=rows,
        phantoms=[row for row in told if row.verdict is Verdict.FORMAT],
        undecidable=[row for row in told if row.verdict is Verdict.UNDECIDABLE],
        counts=counts,
        pairs=sum(pair.source is not None and pair.target is not None for pair in pairs),
        loose_sources=loose(evidence, pairs, Side.SOURCE),
        loose_targets=loose_targets,
        odd=[pair for pair in pairs if is_odd(pair)],
        now=past.line.now,
    )


def _counted(evidence: Evidence, forms: Sequence[Form]) -> dict[str, FieldCounts]:
    """The counts to begin with: pairs that nobody had to open."""
    counts = {form.rules.name: FieldCounts() for form in forms}
    for name, clean in evidence.clean.items():
        if name in counts:
            counts[name] = FieldCounts(
                compared=clean.equal, equal=clean.equal, origin_filled=clean.filled, copy_filled=clean.filled
            )
    return counts


def _reader(evidence: Evidence, form: Form, side: Side, schema: Schema) -> tuple[str, Any]:
    """The name of a field on a side, and what a record says that lacks it: nothing, or not known."""
    name = form.names[side]
    is_told = evidence.fields is not None and form.rules.name in evidence.fields
    nowhere = not schema.is_part and name not in schema.names and is_told and form.rules.direction != "none"
    empty = schema.leaves_out or nowhere or (form.rules.covered is False and side is not form.origin)
    return name, None if empty else _MISSING


def _differences(
    evidence: Evidence, form: Form, pairs: Sequence[Pair], schemas: Mapping[Side, Schema], counts: FieldCounts
) -> Iterator[Difference]:
    """Compare one field in all pairs, and count."""
    source_name, no_source = _reader(evidence, form, Side.SOURCE, schemas[Side.SOURCE])
    target_name, no_target = _reader(evidence, form, Side.TARGET, schemas[Side.TARGET])
    compared = equal = filled_sources = filled_targets = 0
    for pair in pairs:
        if pair.source is None or pair.target is None:
            continue
        source = _said(pair.source, source_name, no_source)
        target = _said(pair.target, target_name, no_target)
        if source is _MISSING or target is _MISSING or (is_erased(pair.source) and is_erased(pair.target)):
            continue
        compared += 1
        pair.compared += 1
        filled_sources += _is_filled(source)
        filled_targets += _is_filled(target)
        verdict = Verdict.EQUAL if source == target else form.verdict(source, target)
        if verdict is Verdict.EQUAL:
            equal += 1
            continue
        _count(counts, pair, verdict)
        yield Difference(pair, form, source, target, verdict)
    counts.compared, counts.equal = counts.compared + compared, counts.equal + equal
    filled = (filled_sources, filled_targets) if form.origin is Side.SOURCE else (filled_targets, filled_sources)
    counts.origin_filled, counts.copy_filled = counts.origin_filled + filled[0], counts.copy_filled + filled[1]


def _said(record: Rec, name: str, missing: Any) -> Any:
    """What a record says; one that was erased says nothing, whatever is left of it."""
    return None if record.redacted or record.deleted is not None else record.fields.get(name, missing)


def _is_filled(value: Any) -> bool:
    return value is not None and value != "" and value != []


def _count(counts: FieldCounts, pair: Pair, verdict: Verdict) -> None:
    if verdict is Verdict.REAL:
        counts.real += 1
        pair.differing += 1
    elif verdict is Verdict.FORMAT:
        counts.format += 1
    else:
        counts.undecidable += 1


def _count_log(evidence: Evidence, forms: Sequence[Form], counts: Mapping[str, FieldCounts]) -> None:
    """What the whole log says of each field's copies."""
    if evidence.writes is None:
        return
    names: dict[tuple[Side, str], list[str]] = {}
    for form in forms:
        side = form.origin.other
        for name in form.logged[side]:
            names.setdefault((side, name), []).append(form.rules.name)
    tallies = {name: (Counter[str](), Counter[str]()) for name in counts}
    for each in counts.values():
        each.writes = each.refused = 0
    for write in evidence.writes:
        for name in names.get((write.side, write.field), ()):
            own, (refusals, writers) = counts[name], tallies[name]
            if write.accepted is False:
                own.refused = (own.refused or 0) + 1
                if write.reason is not None:
                    refusals[write.reason] += 1
                continue
            own.writes = (own.writes or 0) + (write.hand is Hand.CONNECTOR)
            if write.writer is not None:
                writers[write.writer] += 1
    for name, (refusals, writers) in tallies.items():
        counts[name].refusals, counts[name].writers = dict(refusals), dict(writers)


def _bare(each: Difference) -> Row:
    """A row of which nothing is asked but what it says."""
    values = (each.source, each.target) if each.form.origin is Side.SOURCE else (each.target, each.source)
    return Row(
        pair=each.pair, rules=each.form.rules, why=Why.DIFFERS, verdict=each.verdict, origin=each.form.origin,
        origin_value=values[0], copy_value=values[1], origin_track=_NO_TRACK, copy_track=_NO_TRACK,
    )  # fmt: skip


@dataclass(slots=True)
class _Looking:
    """What is looked up for the rows."""

    evidence: Evidence
    forms: Sequence[Form]
    pairs: Sequence[Pair]
    schemas: Mapping[Side, Schema]
    past: Past

    def rows(self, found: Sequence[Difference]) -> list[Row]:
        """Every row with its facts: real differences, reports, and edits that were undone; each once."""
        real = [each for each in found if each.verdict is Verdict.REAL]
        rows: dict[tuple[str, str, str], Row] = {}
        for each in real:
            row = _bare(each)
            rows[row.key] = row
            tell(self._motion(row, each.form))
        self._relate(list(rows.values()))
        for each, expected in self._reports():
            row = _bare(each)
            if row.key in rows:
                row = rows[row.key]
            else:
                row.why = Why.REPORTED
                # The sides agree, so that it is what is expected that the value is held against.
                row.relations = relate(expected, row.copy_value)
                row.reverse = relate(row.copy_value, expected)
                rows[row.key] = row
                tell(self._motion(row, each.form))
            row.expected, row.is_reported = expected, True
        for each in self._agreeing():
            row = _bare(each)
            if row.key in rows:
                continue
            motion = self._motion(row, each.form)
            tell(motion)
            if was_fought_over(motion):
                row.why = Why.REVERTED
                rows[row.key] = row
        return list(rows.values())

    def _motion(self, row: Row, form: Form) -> Motion:
        ids = {Side.SOURCE: row.pair.link.source, Side.TARGET: row.pair.link.target}
        origin, copy = row.origin, row.origin.other
        return Motion(
            row, form, track_of(self.past, form, origin, ids[origin], row.origin_value),
            track_of(self.past, form, copy, ids[copy], row.copy_value), self.past,
        )  # fmt: skip

    def _read(self, pair: Pair, form: Form) -> Difference | None:
        """What both say of a field now; None where one of them is not known."""
        if pair.source is None or pair.target is None:
            return None
        values = []
        for record, side in ((pair.source, Side.SOURCE), (pair.target, Side.TARGET)):
            values.append(_said(record, *_reader(self.evidence, form, side, self.schemas[side])))
        if any(value is _MISSING for value in values):
            return None
        return Difference(pair, form, values[0], values[1], form.verdict(values[0], values[1]))

    # ---- Reports and undone edits ----

    def _reports(self) -> Iterator[tuple[Difference, Any]]:
        """What people say is wrong, but for what both sides say already."""
        if not self.evidence.reports:
            return
        by_source: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            by_source.setdefault(pair.link.source, []).append(pair)
        for report in self.evidence.reports:
            form = self._form_of(report)
            for pair in by_source.get(report.source, ()) if form is not None else ():
                each = None if form is None else self._read(pair, form)
                if each is None or form is None:
                    continue
                held = form.alike(each.source, Side.SOURCE, report.expected, Side.SOURCE)
                if not (held and form.alike(report.expected, Side.SOURCE, each.target, Side.TARGET)):
                    yield each, report.expected

    def _form_of(self, report: Report) -> Form | None:
        for form in self.forms:
            if form.rules.name == report.field:
                return form
        return next((form for form in self.forms if report.field in form.names.values()), None)

    def _agreeing(self) -> Iterator[Difference]:
        """Fields that agree now, and of which the log or a look says something else than they say now."""
        moved: dict[Side, dict[str, set[str]]] = {side: {} for side in Side}
        for side in Side:
            records = self.evidence.records[side]
            for id_, writes in self.past.writes[side].items():
                told = Counter(each.field for each in writes if each.accepted is not False)
                moved[side].setdefault(id_, set()).update(name for name, often in told.items() if often > 1)
            for id_, looks in self.past.seen[side].items():
                now = records[id_].fields if id_ in records else {}
                names = {name for look in looks for name, value in look.fields.items() if value != now.get(name, value)}
                moved[side].setdefault(id_, set()).update(names)
        for pair in self.pairs:
            if pair.source is None or pair.target is None or is_erased(pair.source) or is_erased(pair.target):
                continue
            changed = {
                Side.SOURCE: moved[Side.SOURCE].get(pair.link.source, set()),
                Side.TARGET: moved[Side.TARGET].get(pair.link.target, set()),
            }
            if not any(changed.values()):
                continue
            for form in self.forms:
                if any(changed[side] & form.logged[side] for side in Side):
                    each = self._read(pair, form)
                    if each is not None and each.verdict in (Verdict.EQUAL, Verdict.FORMAT):
                        yield each

    # ---- Relations ----

    def _relate(self, rows: Sequence[Row]) -> None:
        by_field: dict[str, list[Row]] = {}
        for row in rows:
            by_field.setdefault(row.rules.name, []).append(row)
        forms = {form.rules.name: form for form in self.forms}
        for name, each in by_field.items():
            form = forms[name]
            origin, copy = form.origin, form.origin.other
            of_copies = self._holders(form, origin, {fold(row.copy_value) for row in each})
            of_origins = self._holders(form, copy, {fold(row.origin_value) for row in each})
            for row in each:
                row.relations = self._relation(row, form, origin, of_copies)
                row.reverse = self._relation(row, form, copy, of_origins)

    def _relation(self, row: Row, form: Form, side: Side, holders: Mapping[str, list[str]]) -> dict[Any, str | None]:
        """What the value of the other side is to that of one side."""
        values = (row.origin_value, row.copy_value) if side is row.origin else (row.copy_value, row.origin_value)
        record = row.pair.source if side is Side.SOURCE else row.pair.target
        others = row.pair.other_sources if side is Side.SOURCE else row.pair.other_targets
        own = row.pair.link.source if side is Side.SOURCE else row.pair.link.target
        name = form.names[side]

        def elsewhere(key: str) -> str | None:
            for id_ in others:
                if fold(self.evidence.records[side][id_].fields.get(name)) == key:
                    return id_
            held = [id_ for id_ in holders.get(key, ()) if id_ != own]
            return held[0] if held and len(held) <= RARE else None

        fields = {} if record is None or is_erased(record) else record.fields
        return relate(values[0], values[1], field=name, fields=fields, elsewhere=elsewhere)

    def _holders(self, form: Form, side: Side, wanted: set[str | None]) -> dict[str, list[str]]:
        """The records of a side that have one of some values in a field, a few of each."""
        found: dict[str, list[str]] = {key: [] for key in wanted if key is not None and len(key) >= LENGTH_MIN}
        name = form.names[side]
        for record in self.evidence.records[side].values() if found else ():
            key = fold(record.fields.get(name))
            if key in found and len(found[key]) <= RARE + 1:
                found[key].append(record.id)
        return found
