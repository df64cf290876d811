"""A bundle of files, read as the evidence of a diagnosis: no shop, no database, no keys (docs/bundle.md).

What is not there is not known, and never empty: a missing file is None, and an empty file is known and empty. A line
that cannot be read is told and passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from onewriter.audit.bundle_lines import (
    BOM,
    BundleUnusable,
    Line,
    Lines,
    Problem,
    Unread,
    check_depth,
    instant,
    is_file,
    reason_of,
)
from onewriter.audit.bundle_shapes import (
    About,
    FieldShape,
    Id,
    LinkLine,
    PolicyShape,
    RecordLine,
    ReportLine,
    RunLine,
    SeenLine,
    WriteLine,
)
from onewriter.records import Instant
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

VERSION = 1
ABOUT, POLICY, LINKS, REPORTS = "bundle.json", "policy.json", "links.jsonl", "reports.jsonl"
WRITES, RUNS, HISTORY = "writes.jsonl", "runs.jsonl", "history"
SIDES = {Side.SOURCE: "source.jsonl", Side.TARGET: "target.jsonl"}
WHOLE_MAX = 10_000_000
"""Bytes of a file that is read as a whole."""
HISTORY_MAX = 1000
"""Files of earlier snapshots."""
WAYS = ("source_to_target", "target_to_source", "both", "none")
DIAGNOSED_BY = "docs/bundle.md says what a bundle holds."

_PEOPLE = ("customer", "user", "person", "staff")
_HANDS = {
    "": Hand.UNKNOWN, "api": Hand.UNKNOWN, "unknown": Hand.UNKNOWN, "connector": Hand.CONNECTOR,
    "sync": Hand.CONNECTOR, "import": Hand.IMPORT, "bulk": Hand.IMPORT, "app": Hand.APP,
} | dict.fromkeys(_PEOPLE, Hand.PERSON)  # fmt: skip
_SIDES = {side.value: side for side in Side}
_DEEDS = {"redact": Hand.REDACTION, "merge": Hand.MERGE}

Found = TypeVar("Found")
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """A bundle as it was read, with what was passed over."""

    evidence: Evidence
    problems: tuple[Problem, ...]
    twice: dict[str, int]
    """File: how many of its lines were overruled by a later line of the same id."""


def read(folder: Path) -> Evidence:
    """The evidence of a bundle; BundleUnusable where nothing can be made of it."""
    return reading(folder).evidence


def reading(folder: Path) -> Reading:
    """The evidence of a bundle, and what of it was passed over."""
    if not folder.is_dir():
        raise BundleUnusable(f"{folder} is no folder; name the folder that holds the bundle's files.")
    lines = Lines(folder)
    about = _whole(lines, ABOUT, About) or About()
    if about.version != VERSION:
        raise BundleUnusable(f"{ABOUT} says version {about.version}, and we read version {VERSION}; {DIAGNOSED_BY}")
    if about.source == about.target:
        raise BundleUnusable(f"{ABOUT} calls both systems the same; give each a name of its own.")
    records = {side: _records(lines, name) for side, name in SIDES.items()}
    evidence = Evidence(
        source=about.source,
        target=about.target,
        records=records,
        taken_at=_time(lines, ABOUT, about.taken_at),
        cycles=about.cycles_completed,
        region=about.region,
        links=_links(lines),
        reports=_reports(lines),
        runs=_runs(lines),
        history=_history(lines, records),
        clean={name: Clean(each.equal, each.filled) for name, each in about.clean.items()},
    )
    _add_policy(lines, evidence)
    _add_writes(lines, evidence)
    return Reading(evidence, tuple(lines.problems), lines.twice)


def _time(lines: Lines, name: str, given: Any) -> Instant | None:
    try:
        return instant(given)
    except Unread as error:
        lines.tell(name, None, str(error))
        return None


def _whole(lines: Lines, name: str, kind: type[Line]) -> Line | None:
    """A file that is one object; None where there is no such file, BundleUnusable where it cannot be read."""
    path = lines.folder / name
    if not is_file(path):
        return None
    try:
        if path.stat().st_size > WHOLE_MAX:
            raise BundleUnusable(f"{name} is larger than {WHOLE_MAX // 10**6} MB; {DIAGNOSED_BY}")
        return msgspec.json.decode(path.read_bytes().removeprefix(BOM), type=kind)
    except OSError as error:
        raise BundleUnusable(f"{name} cannot be read ({type(error).__name__}); see who may read it.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BundleUnusable(f"{name} cannot be read: {reason_of(error)}; {DIAGNOSED_BY}") from None


def _each(lines: Lines, name: str, found: Iterator[tuple[int, Line]], make: Callable[[Line], Found]) -> Iterator[Found]:
    """What is made of each line; one that nothing can be made of is told."""
    for number, line in found:
        try:
            yield make(line)
        except Unread as error:
            lines.tell(name, number, str(error))


def _id(lines: Lines, given: Id) -> str:
    text = str(given)
    if not text.strip():
        raise Unread("its id is empty")
    return lines.text(text)


# ---- Records, links, reports ----------------------------------------------------------------------------------------


def _records(lines: Lines, name: str) -> dict[str, Rec]:
    found = lines.of(name, RecordLine)
    if found is None:
        raise BundleUnusable(f"There is no {name}, and nothing can be compared with one side alone; {DIAGNOSED_BY}")

    def record(line: RecordLine) -> Rec:
        created, deleted = instant(line.created_at), instant(line.deleted_at)
        return Rec(_id(lines, line.id), lines.values(line.fields or {}), created, deleted, bool(line.redacted))

    records: dict[str, Rec] = {}
    for each in _each(lines, name, found, record):
        if each.id in records:
            lines.again(name)
        records[each.id] = each
    return records


def _links(lines: Lines) -> list[LinkOf] | None:
    found = lines.of(LINKS, LinkLine)
    if found is None:
        return None

    def link(line: LinkLine) -> LinkOf:
        by = None if line.matched_by is None else lines.text(line.matched_by)
        return LinkOf(_id(lines, line.source), _id(lines, line.target), by)

    links: dict[tuple[str, str], LinkOf] = {}
    for each in _each(lines, LINKS, found, link):
        if (each.source, each.target) in links:
            lines.again(LINKS)
        links[each.source, each.target] = each
    return list(links.values())


def _reports(lines: Lines) -> list[Report]:
    found = lines.of(REPORTS, ReportLine)

    def report(line: ReportLine) -> Report:
        check_depth(line.expected)
        return Report(_id(lines, line.source), line.field, line.expected)

    return [] if found is None else list(_each(lines, REPORTS, found, report))


# ---- Runs and history -----------------------------------------------------------------------------------------------


def _runs(lines: Lines) -> dict[str, RunOf] | None:
    found = lines.of(RUNS, RunLine)
    if found is None:
        return None

    def run(line: RunLine) -> RunOf:
        return RunOf(
            id=_id(lines, line.id), kind=line.kind, state=line.state, cycle=line.cycle,
            started=instant(line.started_at), finished=instant(line.finished_at),
        )  # fmt: skip

    runs: dict[str, RunOf] = {}
    for each in _each(lines, RUNS, found, run):
        if each.id in runs:
            lines.again(RUNS)
        runs[each.id] = each
    return runs


def _history(lines: Lines, records: Mapping[Side, Mapping[str, Rec]]) -> list[Seen] | None:
    """Earlier snapshots, the oldest first; None where there is no such folder."""
    folder = lines.folder / HISTORY
    if not folder.is_dir():
        return None
    names = sorted(
        (path.stem for path in folder.glob("*.jsonl")), key=lambda name: (not name.isdigit(), len(name), name)
    )
    if len(names) > HISTORY_MAX:
        raise BundleUnusable(f"{HISTORY} has more than {HISTORY_MAX} files; leave the oldest out.")
    seen: dict[tuple[int, bool, str], Seen] = {}
    newest = {side.value: {key: each.fields for key, each in found.items()} for side, found in records.items()}
    for stem in names:
        name = f"{HISTORY}/{stem}.jsonl"
        for each in _each(lines, name, lines.of(name, SeenLine) or iter(()), _seen(lines, stem, newest)):
            key = each.cycle, each.side is Side.SOURCE, each.id
            if key in seen:
                lines.again(name)
            seen[key] = each
    return sorted(seen.values(), key=lambda each: each.cycle)


def _seen(lines: Lines, stem: str, newest: dict[str, dict[str, Fields]]) -> Callable[[SeenLine], Seen]:
    """What makes an earlier look of a line; `newest` are the fields that were read last of each record.

    Most looks find what the one before found, so that the same fields are kept once for both.
    """

    def make(line: SeenLine) -> Seen:
        cycle = line.cycle if line.cycle is not None else int(stem) if stem.isdecimal() and len(stem) < 10 else None
        if cycle is None:
            raise Unread("it names no cycle, and the file is not named by one")
        side = _SIDES.get(line.side)
        if side is None:
            raise Unread("its side is neither source nor target")
        key, fields = _id(lines, line.id), line.fields or {}
        known = newest[line.side]
        before = known.get(key)
        # 1 and true are equal and not the same, so that equality alone is not enough.
        if before is not None and before == fields and msgspec.json.encode(before) == msgspec.json.encode(fields):
            return Seen(cycle, side, key, before)
        known[key] = lines.values(fields)
        return Seen(cycle, side, key, fields)

    return make


# ---- Policy ---------------------------------------------------------------------------------------------------------


def _add_policy(lines: Lines, evidence: Evidence) -> None:
    policy = _whole(lines, POLICY, PolicyShape)
    if policy is None:
        return
    evidence.match_keys = None if policy.match_keys is None else tuple(policy.match_keys)
    evidence.two_way, evidence.clock_skew_s = policy.two_way, policy.clock_skew_s
    evidence.region = policy.region or evidence.region
    writers = policy.writers or {}
    if policy.fields is None:
        return
    fields = {}
    for number, (name, raw) in enumerate(policy.fields.items(), 1):
        try:
            fields[name] = _rules(name, msgspec.json.decode(raw, type=FieldShape), writers.get(name))
        except (msgspec.MsgspecError, Unread, RecursionError) as error:
            why = str(error) if isinstance(error, Unread) else reason_of(error)
            lines.tell(POLICY, None, f"field {number} is passed over: {why}")
    evidence.fields = fields


def _rules(name: str, line: FieldShape, writers: list[str] | None) -> FieldRules:
    if line.direction is not None and line.direction not in WAYS:
        raise Unread(f"its direction is none of {', '.join(WAYS)}")
    if line.enum_map is not None:
        check_depth(line.enum_map)
    return FieldRules(
        name=name, kind=line.kind, owner=line.owner, direction=line.direction,
        source_field=line.source_field or name, target_field=line.target_field or name,
        transform=line.transform, max_length=line.max_length, covered=line.covered, permission=line.permission,
        enum=line.enum_map, empty=line.empty, writers=None if writers is None else tuple(writers),
    )  # fmt: skip


# ---- The log --------------------------------------------------------------------------------------------------------


def _add_writes(lines: Lines, evidence: Evidence) -> None:
    found = lines.of(WRITES, WriteLine)
    if found is None:
        return
    sides = {evidence.source: Side.SOURCE, evidence.target: Side.TARGET} | _SIDES
    names = {Side.SOURCE: evidence.source, Side.TARGET: evidence.target}

    def write(line: WriteLine) -> Write:
        side = sides.get(line.system)
        if side is None:
            raise Unread("its system is neither source nor target")
        lines.values(values := {"old": line.old, "new": line.new})
        writer = None if line.writer is None else lines.text(line.writer)
        run = None if line.run is None else lines.text(str(line.run))
        hand = _hand(line.hand)
        if hand is None:
            hand = hand_of(writer, names[side], names[side.other])
            hand = _hand_of_run(evidence, run, line.caused_by) if hand is Hand.UNKNOWN else hand
        return Write(
            at=instant(line.at), seq=line.seq, side=side, id=_id(lines, line.id), field=lines.text(line.field),
            writer=writer, hand=hand, run=run, caused_by=line.caused_by, old=values["old"], new=values["new"],
            accepted=line.accepted, reason=None if line.reason is None else lines.text(line.reason),
        )  # fmt: skip

    evidence.writes = list(_each(lines, WRITES, found, write))


def _hand(given: str | None) -> Hand | None:
    if given is not None and given not in list(Hand):
        raise Unread(f"its hand is none of {', '.join(Hand)}")
    return None if given is None else Hand(given)


def hand_of(writer: str | None, own: str, other: str) -> Hand:
    """What kind of writer a name in the log is, on a record of the system `own`.

    The name of the other system says that the value was carried from there. A system's own name says only that it was
    written there, by a person or a machine. A name that nobody knows is a machine's.
    """
    name = (writer or "").strip()
    if name == own:
        return Hand.UNKNOWN
    if name == other:
        return Hand.CONNECTOR
    kind, sign, deed = name.casefold().partition(":")
    if sign and kind not in _HANDS and deed in _DEEDS:
        return _DEEDS[deed]
    return _HANDS.get(kind, Hand.APP)


def _hand_of_run(evidence: Evidence, run: str | None, caused_by: int | None) -> Hand:
    """Who wrote what bears no name: the run that it was written in tells, or that it carries another write over."""
    known = (evidence.runs or {}).get(run or "")
    if known is not None:
        return Hand.IMPORT if known.kind == "import" else Hand.CONNECTOR
    return Hand.UNKNOWN if caused_by is None else Hand.CONNECTOR
