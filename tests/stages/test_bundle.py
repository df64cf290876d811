"""A bundle of files: read as it stands, with what is wrong in it told, and written so that it reads the same."""

import json
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.audit import bundle, bundle_lines, bundle_writing
from onewriter.audit.bundle import hand_of, read, reading
from onewriter.audit.bundle_lines import BundleUnusable, instant
from onewriter.audit.bundle_writing import NotWritten, write
from onewriter.rules.diagnosis.evidence import (
    Clean,
    Evidence,
    FieldRules,
    Hand,
    LinkOf,
    Rec,
    Report,
    RunOf,
    Seen,
    Side,
    Write,
)

RECORD = {"id": "1", "fields": {"email": "a@example.com"}}


def put(folder: Path, name: str, *objects: Any) -> None:
    """A file of the bundle; text is a line as it is."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in objects))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest bundle: one record on each side."""
    put(tmp_path, "source.jsonl", RECORD)
    put(tmp_path, "target.jsonl", RECORD | {"id": 7})
    return tmp_path


def test_what_is_not_there_is_not_known(folder: Path) -> None:
    evidence = read(folder)
    assert (evidence.source, evidence.target) == ("source", "target")
    assert evidence.records[Side.TARGET] == {"7": Rec("7", {"email": "a@example.com"})}
    unknown = (evidence.links, evidence.fields, evidence.writes, evidence.runs, evidence.history, evidence.taken_at)
    assert unknown == (None,) * 6


def test_an_empty_file_is_known_and_empty(folder: Path) -> None:
    for name in ("links.jsonl", "writes.jsonl", "runs.jsonl"):
        put(folder, name)
    (folder / "history").mkdir()
    evidence = read(folder)
    assert (evidence.links, evidence.writes, evidence.runs, evidence.history) == ([], [], {}, [])


@pytest.mark.req("M70")
def test_two_systems_of_any_name_are_read_whole(folder: Path) -> None:
    put(folder, "bundle.json", {"version": 1, "source": "erp", "target": "till", "taken_at": 1735689600, "more": 1})
    put(folder, "policy.json", {
        "fields": {"phone": {"owner": "erp", "target_field": "mobile", "direction": "source_to_target", "seen": []}},
        "match_keys": ["number"], "two_way": False, "writers": {"phone": ["erp"]}, "clock_skew_s": 2,
    })  # fmt: skip
    put(folder, "links.jsonl", {"source": 1, "target": 7, "matched_by": "number"})
    put(folder, "runs.jsonl", {"id": 3, "kind": "import", "state": "done", "cycle": 1, "started_at": "2025-01-01"})
    put(folder, "writes.jsonl", {
        "at": "2025-01-01T00:00:01", "seq": 1, "system": "till", "id": 7, "field": "mobile", "writer": "api", "run": 3,
        "old": None, "new": "5",
    })  # fmt: skip
    put(folder, "reports.jsonl", {"source": 1, "field": "phone", "expected": "6"})
    put(folder, "history/2.jsonl", {"side": "source", "id": 1, "fields": {"phone": "4"}})
    put(folder, "history/10.jsonl", {"cycle": 10, "side": "target", "id": 7, "fields": {}})
    found = reading(folder)
    assert found.problems == ()
    evidence, day = found.evidence, 1735689600_000_000
    phone = FieldRules(
        name="phone", owner="erp", direction="source_to_target", source_field="phone", target_field="mobile",
        writers=("erp",),
    )  # fmt: skip
    assert evidence.fields == {"phone": phone}
    assert (evidence.match_keys, evidence.two_way, evidence.clock_skew_s) == (("number",), False, 2)
    assert evidence.links == [LinkOf("1", "7", "number")]
    assert evidence.runs == {"3": RunOf(id="3", kind="import", state="done", cycle=1, started=day)}
    assert evidence.writes == [
        Write(at=day + 1_000_000, seq=1, side=Side.TARGET, id="7", field="mobile", writer="api", hand=Hand.IMPORT,
              run="3", new="5")
    ]  # fmt: skip
    assert evidence.reports == [Report("1", "phone", "6")]
    assert [(each.cycle, each.side) for each in evidence.history or ()] == [(2, Side.SOURCE), (10, Side.TARGET)]


@pytest.mark.parametrize(
    ("writer", "hand"),
    [
        ("customer", Hand.PERSON), ("user:ann", Hand.PERSON), ("connector", Hand.CONNECTOR),
        ("sync:night", Hand.CONNECTOR), ("import", Hand.IMPORT), ("bulk", Hand.IMPORT), ("app:x", Hand.APP),
        ("api", Hand.UNKNOWN), (None, Hand.UNKNOWN), ("shopify:redact", Hand.REDACTION), ("erp:merge", Hand.MERGE),
        ("app:merge", Hand.APP), ("till", Hand.UNKNOWN), ("erp", Hand.CONNECTOR), ("newsletter", Hand.APP),
    ],
)  # fmt: skip
def test_who_a_writer_is(writer: str | None, hand: Hand) -> None:
    assert hand_of(writer, own="till", other="erp") is hand


def test_a_write_that_carries_another_over_is_the_connectors(folder: Path) -> None:
    put(folder, "writes.jsonl", {"system": "target", "id": "7", "field": "email", "writer": "api", "caused_by": 4})
    assert [each.hand for each in read(folder).writes or ()] == [Hand.CONNECTOR]


@pytest.mark.parametrize(
    ("given", "microseconds"),
    [
        ("2025-01-01T00:00:00Z", 1735689600_000_000), ("2025-01-01T01:00:00+01:00", 1735689600_000_000),
        ("2025-01-01 00:00:00.5", 1735689600_500_000), ("2025-01-01", 1735689600_000_000),
        (1735689600, 1735689600_000_000), (1735689600.5, 1735689600_500_000), (1735689600123, 1735689600_123_000),
        ("1735689600", 1735689600_000_000), ("20250101", 1735689600_000_000), (None, None), ("", None),
    ],
)  # fmt: skip
def test_times_of_every_form(given: Any, microseconds: int | None) -> None:
    assert instant(given) == microseconds


@pytest.mark.parametrize("given", ["yesterday", "2025-13-01", 10**30, float("1e300")])
def test_what_is_no_time_is_said(given: Any) -> None:
    with pytest.raises(bundle_lines.Unread, match="ISO 8601"):
        instant(given)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "canary"', "no JSON object"),
        ('{"id": "canary\xff"}', "no JSON object|UTF-8"),
        ('["canary"]', "wrong kind of value"),
        ('{"fields": {"email": "canary"}}', "missing"),
        ('{"id": " ", "fields": {"email": "canary"}}', "id is empty"),
        ('{"id": "2", "created_at": "canary"}', "ISO 8601"),
        ('{"id": "2", "fields": {"tags": ' + "[" * 40 + "]" * 40 + "}}", "deep"),
        ('{"id": "2", "fields": {"tags": ' + "[" * 9000 + "]" * 9000 + "}}", "deep"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_and_passed_over(folder: Path, line: str, reason: str) -> None:
    raw = b"\n".join([b'\xef\xbb\xbf{"id": 1}', line.encode("latin-1"), b"", b'{"id": 3}'])
    (folder / "source.jsonl").write_bytes(raw)
    found = reading(folder)
    assert list(found.evidence.records[Side.SOURCE]) == ["1", "3"]
    [problem] = found.problems
    assert (problem.file, problem.line) == ("source.jsonl", 2)
    assert "canary" not in problem.reason
    assert any(part in problem.reason for part in reason.split("|")), problem.reason


def test_a_line_too_long_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_lines, "LINE_MAX", 60)
    put(folder, "source.jsonl", {"id": 1}, {"id": 2, "fields": {"note": "x" * 500}}, {"id": 3})
    found = reading(folder)
    assert list(found.evidence.records[Side.SOURCE]) == ["1", "3"]
    assert [(each.line, each.reason) for each in found.problems] == [(2, "the line is longer than 60 bytes")]


def test_a_record_without_fields_is_known_by_its_id(folder: Path) -> None:
    put(folder, "source.jsonl", {"id": 1, "fields": None, "redacted": True}, {"id": 2})
    assert read(folder).records[Side.SOURCE] == {"1": Rec("1", {}, redacted=True), "2": Rec("2", {})}


def test_an_earlier_look_keeps_what_it_saw(folder: Path) -> None:
    put(folder, "source.jsonl", {"id": 1, "fields": {"a": True, "b": "x"}})
    for cycle, fields in enumerate(({"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": True, "b": "x"})):
        put(folder, f"history/{cycle}.jsonl", {"side": "source", "id": 1, "fields": fields})
    seen = [(each.fields["a"], each.fields["b"]) for each in read(folder).history or ()]
    assert seen == [(1, "x"), (1, "y"), (True, "x")]
    assert [type(a) for a, _ in seen] == [int, int, bool]


def test_of_two_lines_of_one_id_the_last_counts(folder: Path) -> None:
    put(folder, "source.jsonl", RECORD, {"id": 1, "fields": {"email": "b@example.com"}})
    found = reading(folder)
    assert found.evidence.records[Side.SOURCE]["1"].fields == {"email": "b@example.com"}
    assert found.twice == {"source.jsonl": 1}


def test_a_field_of_the_policy_that_cannot_be_read_is_passed_over(folder: Path) -> None:
    fields = {"email": {"direction": "sideways"}, "phone": {"max_length": "ten"}, "note": {}}
    put(folder, "policy.json", {"fields": fields})
    found = reading(folder)
    assert found.evidence.fields == {"note": FieldRules(name="note", source_field="note", target_field="note")}
    assert ["field 1" in found.problems[0].reason, "field 2" in found.problems[1].reason] == [True, True]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bundle.json", '{"version": 2}', "version 2"),
        ("bundle.json", "{", "bundle.json cannot be read"),
        ("bundle.json", '{"source": "crm", "target": "crm"}', "both systems the same"),
        ("policy.json", "[]", "policy.json cannot be read"),
    ],
)
def test_a_bundle_that_nothing_can_be_made_of(folder: Path, name: str, text: str, said: str) -> None:
    put(folder, name, text)
    with pytest.raises(BundleUnusable, match=said):
        read(folder)


def test_one_side_alone_is_no_bundle(folder: Path) -> None:
    (folder / "target.jsonl").unlink()
    with pytest.raises(BundleUnusable, match=r"There is no target\.jsonl"):
        read(folder)


def test_too_many_lines_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_lines, "LINES_MAX", 2)
    put(folder, "source.jsonl", *({"id": number} for number in range(3)))
    with pytest.raises(BundleUnusable, match="more than 2 lines"):
        read(folder)


def test_too_large_a_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "WHOLE_MAX", 10)
    put(folder, "policy.json", {"match_keys": ["email", "phone"]})
    with pytest.raises(BundleUnusable, match="larger than"):
        read(folder)


# ---- Writing --------------------------------------------------------------------------------------------------------

names = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() != "")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)
maybe_time = st.none() | st.integers(-(10**15), 4 * 10**15)
fields_of = st.dictionaries(names, values, max_size=3)
records_of = st.lists(
    st.builds(Rec, names, fields_of, maybe_time, maybe_time, st.booleans()), max_size=3, unique_by=lambda rec: rec.id
).map(lambda found: {rec.id: rec for rec in found})
rules_of = st.builds(
    FieldRules, name=names, kind=st.none() | names, owner=st.none() | names,
    direction=st.none() | st.sampled_from(bundle.WAYS), source_field=names, target_field=names,
    max_length=st.none() | st.integers(0, 99), covered=st.none() | st.booleans(), permission=st.none() | names,
    enum=st.none() | fields_of, writers=st.none() | st.lists(names, max_size=2).map(tuple),
)  # fmt: skip
writes_of = st.builds(
    Write, at=maybe_time, seq=st.none() | st.integers(0, 99), side=st.sampled_from(Side), id=names, field=names,
    writer=st.none() | names, hand=st.sampled_from(Hand), run=st.none() | names,
    caused_by=st.none() | st.integers(0, 9), old=values, new=values, accepted=st.none() | st.booleans(),
    reason=st.none() | names,
)  # fmt: skip
runs_of = st.builds(
    RunOf, id=names, kind=names, state=st.none() | names, cycle=st.none() | st.integers(0, 9), started=maybe_time,
    finished=maybe_time,
)  # fmt: skip
bundles = st.builds(
    Evidence, source=st.just("erp"), target=st.just("till"),
    records=st.fixed_dictionaries({Side.SOURCE: records_of, Side.TARGET: records_of}),
    taken_at=maybe_time, cycles=st.none() | st.integers(0, 9), region=st.none() | st.just("CH"),
    links=st.none() | st.lists(st.builds(LinkOf, names, names, st.none() | names), max_size=3,
                               unique_by=lambda each: (each.source, each.target)),
    fields=st.none() | st.lists(rules_of, max_size=3).map(lambda found: {each.name: each for each in found}),
    match_keys=st.none() | st.lists(names, max_size=2).map(tuple), two_way=st.none() | st.booleans(),
    clock_skew_s=st.none() | st.integers(-9, 9).map(float),
    writes=st.none() | st.lists(writes_of, max_size=3),
    runs=st.none() | st.lists(runs_of, max_size=2).map(lambda found: {each.id: each for each in found}),
    history=st.none() | st.lists(
        st.builds(Seen, st.integers(0, 20), st.sampled_from(Side), names, fields_of), max_size=3,
        unique_by=lambda each: (each.cycle, each.side, each.id),
    ).map(lambda seen: sorted(seen, key=lambda each: each.cycle)),
    reports=st.lists(st.builds(Report, names, names, values), max_size=2),
    clean=st.dictionaries(names, st.builds(Clean, st.integers(0, 9), st.integers(0, 9)), max_size=2),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(evidence=bundles)
def test_what_is_written_reads_the_same(evidence: Evidence) -> None:
    with tempfile.TemporaryDirectory() as empty:
        write(Path(empty), evidence)
        found = reading(Path(empty))
    assert (found.evidence, found.problems, found.twice) == (evidence, (), {})


def test_nobody_else_may_read_what_was_written(folder: Path, tmp_path: Path) -> None:
    put(folder, "history/1.jsonl", {"side": "source", "id": 1})
    made = tmp_path / "made"
    write(made, read(folder))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [made, *made.rglob("*")]}
    assert {modes.pop("made"), modes.pop("history")} == {0o700}
    assert set(modes.values()) == {0o600}


def test_a_folder_with_something_in_it_stays_as_it_is(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(NotWritten, match="not empty"):
        write(folder, read(folder))
    assert sorted(path.name for path in folder.iterdir()) == before


def test_half_a_bundle_is_never_left(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "links.jsonl", {"source": 1, "target": 7})
    evidence, before = read(folder), sorted(tmp_path.iterdir())
    monkeypatch.setattr(bundle_writing, "LINKS", "no such folder/links.jsonl")
    with pytest.raises(NotWritten, match="was not written"):
        write(tmp_path / "made", evidence)
    assert sorted(tmp_path.iterdir()) == before
