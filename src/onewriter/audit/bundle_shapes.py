"""The shapes of a bundle's lines, one a file; keys that are not named here are passed over."""

from typing import Any

import msgspec

Id = str | int
Time = str | int | float | None


class CleanShape(msgspec.Struct):
    """Pairs that are not in the files, since they say the same in a field."""

    equal: int
    filled: int = 0


class About(msgspec.Struct):
    """bundle.json."""

    version: int = 1
    source: str = "source"
    target: str = "target"
    taken_at: Time = None
    cycles_completed: int | None = None
    clean: dict[str, CleanShape] = {}
    region: str | None = None


class FieldShape(msgspec.Struct):
    """One field of policy.json."""

    kind: str | None = None
    owner: str | None = None
    direction: str | None = None
    source_field: str | None = None
    target_field: str | None = None
    transform: str | None = None
    max_length: int | None = None
    covered: bool | None = None
    permission: str | None = None
    enum_map: dict[str, Any] | None = None
    empty: str | None = None


class PolicyShape(msgspec.Struct):
    """policy.json."""

    fields: dict[str, msgspec.Raw] | None = None
    match_keys: list[str] | None = None
    two_way: bool | None = None
    writers: dict[str, list[str]] | None = None
    clock_skew_s: float | None = None
    region: str | None = None


class RecordLine(msgspec.Struct):
    """A line of source.jsonl or target.jsonl."""

    id: Id
    fields: dict[str, Any] | None = None
    created_at: Time = None
    deleted_at: Time = None
    redacted: bool | None = None


class LinkLine(msgspec.Struct):
    """A line of links.jsonl."""

    source: Id
    target: Id
    matched_by: str | None = None


class ReportLine(msgspec.Struct):
    """A line of reports.jsonl."""

    source: Id
    field: str
    expected: Any = None


class WriteLine(msgspec.Struct):
    """A line of writes.jsonl."""

    system: str
    id: Id
    field: str
    at: Time = None
    seq: int | None = None
    writer: str | None = None
    hand: str | None = None
    run: Id | None = None
    caused_by: int | None = None
    old: Any = None
    new: Any = None
    accepted: bool | None = True
    reason: str | None = None


class RunLine(msgspec.Struct):
    """A line of runs.jsonl."""

    id: Id
    kind: str
    state: str | None = None
    cycle: int | None = None
    started_at: Time = None
    finished_at: Time = None


class SeenLine(msgspec.Struct):
    """A line of history/N.jsonl; without a cycle of its own it is of the file's."""

    side: str
    id: Id
    fields: dict[str, Any] | None = None
    cycle: int | None = None
