"""What was written for a system since its last export, which therefore cannot tell of it.

A system takes a file up when it does, and its next export is the first that could say so. Until then what stands in the
file counts as what the system holds: otherwise each write would look undone. Which cells these are stands in a small
file beside it, with the export that was there then; another export ends all of it. The file holds names of records and
columns, and no value.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from onewriter.connectors.csv_files import opened
from onewriter.connectors.csv_settings import CsvSettings

_BYTES_MAX = 1 << 28


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file, of which an export cannot tell."""

    whole: Mapping[str, str]
    written: Mapping[str, str]
    """The cells that were written since that export."""


def written_since(settings: CsvSettings, export: Path) -> dict[str, Row]:
    """The rows of the file that were written since that export, by key."""
    out = settings.out
    awaited = {} if settings.read is None or out is None or not out.exists() else _awaited(out, export)
    if out is None or not awaited:
        return {}
    found = {}
    with opened(out, settings) as (shape, rows):
        at = shape.header.index(settings.key)
        for row in rows:
            if row[at] in awaited:
                whole = dict(zip(shape.header, row, strict=True))
                columns = [name for name in awaited[row[at]] if name in whole]
                found[row[at]] = Row(whole, {name: whole[name] for name in columns})
    return found


def await_more(out: Path, export: Path, written: Iterable[tuple[str, Collection[str]]]) -> None:
    """Add what was just written. Nobody else does so meanwhile, since a system has one cycle at a time."""
    rows = {key: set(columns) for key, columns in _awaited(out, export).items()}
    before = len(rows), sum(map(len, rows.values()))
    for key, columns in written:
        rows.setdefault(key, set()).update(columns)
    if (len(rows), sum(map(len, rows.values()))) == before:
        return
    told = {"export": _named(export), "rows": {key: sorted(columns) for key, columns in rows.items()}}
    part = out.with_name(f".{out.name}.awaited.part")
    part.write_text(json.dumps(told))
    part.replace(_beside(out))


def _awaited(out: Path, export: Path) -> Mapping[str, Collection[str]]:
    """By key, the columns that were written while that export was the newest."""
    place = _beside(out)
    try:
        held = json.loads(place.read_bytes() if place.stat().st_size <= _BYTES_MAX else b"{}")
        rows: Mapping[str, Collection[str]] = held["rows"] if held["export"] == _named(export) else {}
    except (OSError, ValueError, KeyError, TypeError):
        # Without it each write is only told from the next export.
        return {}
    return rows


def _named(export: Path) -> list[int | str]:
    return [export.stat().st_mtime_ns, export.name]


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.awaited")
