"""Evidence, written as a bundle of files. It holds personal data in clear: nobody else on the machine may read it."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from onewriter.audit.bundle import ABOUT, HISTORY, LINKS, POLICY, REPORTS, RUNS, SIDES, VERSION, WRITES
from onewriter.audit.bundle_lines import as_text
from onewriter.errors import Permanent
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, LinkOf, Rec, Report, RunOf, Seen, Write

Object = Mapping[str, Any]


class NotWritten(Permanent):
    """The bundle was not written, and nothing is left of it."""


def write(folder: Path, evidence: Evidence) -> None:
    """Write the evidence into a folder that is not there yet, or is empty: all of it, or nothing."""
    whole = folder.resolve()
    try:
        if whole.exists() and (not whole.is_dir() or any(whole.iterdir())):
            raise NotWritten(f"{folder} is not empty; name a folder that is not there yet.")
        making = Path(tempfile.mkdtemp(prefix=f".{whole.name}-", dir=whole.parent))
    except OSError as error:
        raise NotWritten(f"{folder} cannot be written ({type(error).__name__}); name another folder.") from None
    try:
        _write(making, evidence)
        making.rename(whole)
    except OSError as error:
        raise NotWritten(f"{folder} was not written ({type(error).__name__}); see how much room is left.") from None
    finally:
        if making.exists():
            shutil.rmtree(making)


def _write(folder: Path, evidence: Evidence) -> None:
    """Every file of which something is known."""
    _lines(folder / ABOUT, [_about(evidence)])
    if _knows_policy(evidence):
        _lines(folder / POLICY, [_policy(evidence)])
    for side, name in SIDES.items():
        _lines(folder / name, map(_record, evidence.records.get(side, {}).values()))
    if evidence.links is not None:
        _lines(folder / LINKS, map(_link, evidence.links))
    if evidence.reports:
        _lines(folder / REPORTS, map(_report, evidence.reports))
    if evidence.writes is not None:
        _lines(folder / WRITES, map(_line, evidence.writes))
    if evidence.runs is not None:
        _lines(folder / RUNS, map(_run, evidence.runs.values()))
    if evidence.history is not None:
        (folder / HISTORY).mkdir(mode=0o700)
        cycles: dict[int, list[Seen]] = {}
        for each in evidence.history:
            cycles.setdefault(each.cycle, []).append(each)
        for cycle, seen in cycles.items():
            _lines(folder / HISTORY / f"{cycle}.jsonl", map(_seen, seen))


def _lines(path: Path, objects: Iterable[Object]) -> None:
    encode = msgspec.json.Encoder().encode
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        for each in objects:
            file.write(encode(each) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _about(evidence: Evidence) -> Object:
    return {
        "version": VERSION, "source": evidence.source, "target": evidence.target,
        "taken_at": as_text(evidence.taken_at), "cycles_completed": evidence.cycles, "region": evidence.region,
        "clean": {name: {"equal": each.equal, "filled": each.filled} for name, each in evidence.clean.items()},
    }  # fmt: skip


def _knows_policy(evidence: Evidence) -> bool:
    return any(
        each is not None
        for each in (evidence.fields, evidence.match_keys, evidence.two_way, evidence.clock_skew_s)
    )  # fmt: skip


def _policy(evidence: Evidence) -> Object:
    fields = evidence.fields
    writers = {name: each.writers for name, each in (fields or {}).items() if each.writers is not None}
    return {
        "fields": None if fields is None else {name: _field(each) for name, each in fields.items()},
        "match_keys": evidence.match_keys, "two_way": evidence.two_way, "writers": writers,
        "clock_skew_s": evidence.clock_skew_s,
    }  # fmt: skip


def _field(each: FieldRules) -> Object:
    return {
        "kind": each.kind, "owner": each.owner, "direction": each.direction, "source_field": each.source_field,
        "target_field": each.target_field, "transform": each.transform, "max_length": each.max_length,
        "covered": each.covered, "permission": each.permission, "enum_map": each.enum, "empty": each.empty,
    }  # fmt: skip


def _record(each: Rec) -> Object:
    return {
        "id": each.id, "fields": each.fields, "created_at": as_text(each.created),
        "deleted_at": as_text(each.deleted), "redacted": each.redacted,
    }  # fmt: skip


def _link(each: LinkOf) -> Object:
    return {"source": each.source, "target": each.target, "matched_by": each.matched_by}


def _report(each: Report) -> Object:
    return {"source": each.source, "field": each.field, "expected": each.expected}


def _line(each: Write) -> Object:
    return {
        "at": as_text(each.at), "seq": each.seq, "system": each.side.value, "id": each.id, "field": each.field,
        "writer": each.writer, "hand": each.hand.value, "run": each.run, "caused_by": each.caused_by,
        "old": each.old, "new": each.new, "accepted": each.accepted, "reason": each.reason,
    }  # fmt: skip


def _run(each: RunOf) -> Object:
    return {
        "id": each.id, "kind": each.kind, "state": each.state, "cycle": each.cycle,
        "started_at": as_text(each.started), "finished_at": as_text(each.finished),
    }  # fmt: skip


def _seen(each: Seen) -> Object:
    return {"cycle": each.cycle, "side": each.side.value, "id": each.id, "fields": each.fields}
