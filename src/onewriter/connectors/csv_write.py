"""The file that onewriter keeps for another system: one row a record, the old file or the new one, never half of it."""

import csv
import fcntl
import hashlib
import os
import re
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from onewriter.connectors.csv_files import CELL_MAX, Shape, opened
from onewriter.connectors.csv_settings import CsvSettings
from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    FieldPatch,
    Outcome,
    Rejected,
    RemoteValue,
    RetryAfter,
    Unchanged,
)
from onewriter.errors import SystemRefused, SystemUnreachable
from onewriter.vault.sealedfile import sync_folder

LOCK_WAIT_S = 2.0
LOCK_STEP_S = 0.02
RETRY_S = 5.0

_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d\s().\-/]*$)")
"""What a spreadsheet runs: all that begins so, but for plain numbers and phones."""


NAMELESS = "\x00"


@dataclass(frozen=True, slots=True)
class Export:
    """What the system last said: the cells of the records that are written to, and the form of its file."""

    cells: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shape: Shape | None = None


@dataclass(slots=True)
class Table:
    """What the file will hold: the columns, and what becomes of the rows that are named."""

    settings: CsvSettings
    header: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """The rows of the records that this call is about."""


def is_formula(text: str) -> bool:
    """True for a value that a spreadsheet would run, or take for an error, when somebody opens the file in one."""
    return _FORMULA.match(text) is not None


def fault(settings: CsvSettings, header: Sequence[str], encoding: str, name: str, value: RemoteValue) -> str | None:
    """Why a value cannot be written to a column; None for one that can."""
    if name == settings.key:
        return "the key cannot be written"
    if name not in header:
        return "no such field"
    if value is None:
        return None
    if not isinstance(value, str):
        return "not a text"
    if len(value) > CELL_MAX:
        return "value too long"
    if "\x00" in value:
        return "holds a character that the file cannot keep"
    try:
        value.encode(encoding)
    except UnicodeError:
        return "holds a character that the file's encoding cannot write"
    if settings.formulas == "refuse" and is_formula(value):
        return "a spreadsheet would run it as a formula"
    return None


@contextmanager
def locked(file: Path) -> Iterator[bool]:
    """Hold the file against other processes of ours; False if one of them held it for too long."""
    until = time.monotonic() + LOCK_WAIT_S
    with (file.parent / f".{file.name}.lock").open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    yield False
                    return
                time.sleep(LOCK_STEP_S)
            else:
                yield True
                return


def write(
    settings: CsvSettings,
    columns: Sequence[str],
    patches: Sequence[FieldPatch],
    export: Export | None = None,
) -> list[Outcome]:
    """Write all patches by one replacement of the file.

    A record that the file has no row for yet begins with what the system said of it, so that taking the row up empties
    nothing there.
    """
    file = settings.out
    if file is None:
        return [Rejected(None, "the system is only read") for _ in patches]
    try:
        with locked(file) as alone:
            if not alone:
                return [RetryAfter(RETRY_S) for _ in patches]
            return _replaced(settings, file, columns, patches, export or Export())
    except PermissionError:
        raise SystemRefused("The file may not be written; give this user the right to its folder.") from None
    except OSError as error:
        raise SystemUnreachable(f"The file cannot be written ({error.strerror}); it is as it was.") from None


def _replaced(
    settings: CsvSettings,
    file: Path,
    columns: Sequence[str],
    patches: Sequence[FieldPatch],
    export: Export,
) -> list[Outcome]:
    before = _state(file)
    table = _read(settings, file, columns, {key_of(settings, patch) for patch in patches}, export.shape)
    outcomes = [_outcome(table, patch, export.cells) for patch in patches]
    if not any(isinstance(each, Applied) for each in outcomes):
        return outcomes
    part = file.with_name(f".{file.name}.part")
    with os.fdopen(_opened_like(file, part), "w", encoding=table.encoding, newline="") as text:
        _copy(settings, file, table, csv.writer(text, delimiter=table.delimiter).writerow)
        text.flush()
        os.fsync(text.fileno())
    if _state(file) != before:
        # Somebody else has put another file there meanwhile, and theirs must not be lost.
        part.unlink()
        return [RetryAfter(RETRY_S) if isinstance(each, Applied) else each for each in outcomes]
    part.replace(file)
    try:
        sync_folder(file.parent)
    except OSError:
        # The new file is there; whether it outlives a loss of power is what nobody knows.
        unsure = Ambiguous("the folder could not be brought to the disk")
        return [unsure if isinstance(each, Applied) else each for each in outcomes]
    return outcomes


def _opened_like(file: Path, part: Path) -> int:
    """A new file with the owner, the group and the rights of that file; one for a group only where there is none."""
    # What somebody else has put at that place, such as a link, is not written through.
    part.unlink(missing_ok=True)
    try:
        like = file.stat()
    except FileNotFoundError:
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    mode = stat.S_IMODE(like.st_mode)
    for owner in (like.st_uid, -1):
        try:
            os.fchown(made, owner, like.st_gid)
            break
        except OSError:
            continue
    else:
        # The rights were those of another group.
        mode &= ~stat.S_IRWXG
    with suppress(OSError):
        # Some file systems of other machines know no rights.
        os.fchmod(made, mode)
    return made


def _state(file: Path) -> tuple[int, int, int] | None:
    """By what a file is told from another in its place."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(settings: CsvSettings, file: Path, columns: Sequence[str], named: set[str], like: Shape | None) -> Table:
    """The file as it is, with the rows that the call is about; or a new one, of the form of the export."""
    declared = "utf-8" if settings.encoding == "auto" else settings.encoding
    delimiter = {"auto": ",", "tab": "\t"}.get(settings.delimiter, settings.delimiter)
    table = Table(settings, tuple(dict.fromkeys((settings.key, *columns))), declared, delimiter)
    if not file.exists():
        if like is not None:
            table.encoding, table.delimiter = like.encoding, like.delimiter
        return table
    with opened(file, settings) as (shape, rows):
        labels = _labels(shape)
        table.header = tuple(dict.fromkeys((*labels, *columns)))
        table.encoding, table.delimiter = shape.encoding, shape.delimiter
        at = labels.index(settings.key)
        for row in rows:
            if row[at] in named:
                table.rows.setdefault(row[at], []).append(dict(zip(labels, row, strict=True)))
    return table


def _labels(shape: Shape) -> list[str]:
    """The names of the columns; those without one are told apart by their places."""
    return [name or f"{NAMELESS}{at}" for at, name in enumerate(shape.header)]


def _copy(settings: CsvSettings, file: Path, table: Table, put: Callable[[Sequence[str]], object]) -> None:
    """The rows in their order, those that are named as they are now, and the new ones at the end."""
    written: set[str] = set()
    put(["" if name.startswith(NAMELESS) else name for name in table.header])
    if file.exists():
        with opened(file, settings) as (shape, rows):
            at = shape.header.index(settings.key)
            for row in rows:
                changed = table.rows.get(row[at])
                if changed is not None and len(changed) == 1:
                    written.add(row[at])
                    put([changed[0].get(name, "") for name in table.header])
                    continue
                put([*row, *[""] * (len(table.header) - len(row))])
    for key, rows_of_key in table.rows.items():
        if key not in written and len(rows_of_key) == 1:
            put([rows_of_key[0].get(name, "") for name in table.header])


def _outcome(table: Table, patch: FieldPatch, export: Mapping[str, Mapping[str, str]]) -> Outcome:
    settings = table.settings
    for name in (*patch.set, *patch.clear):
        wrong = fault(settings, table.header, table.encoding, name, patch.set.get(name))
        if wrong is not None:
            return Rejected(name, wrong)
    key = key_of(settings, patch)
    rows = table.rows.get(key, [])
    if len(rows) > 1:
        return Rejected(None, "several rows have this key")
    if patch.key is None and not settings.creates:
        return Rejected(None, "no permission to add rows")
    if patch.key is not None and not rows and key not in export:
        return Conflict(key, gone=True)
    start = rows[0] if rows else dict(export.get(key, {}))
    cells = {name: start.get(name, "") for name in table.header} | {settings.key: key}
    wanted = {name: patch.set.get(name) or "" for name in (*patch.set, *patch.clear)}
    if rows and not patch.again and all(cells[name] == value for name, value in wanted.items()):
        return Unchanged(key) if patch.key is not None else Applied(key, None, _told(wanted))
    table.rows[key] = [cells | wanted]
    return Applied(key, None, _told(wanted))


def _told(cells: Mapping[str, str]) -> dict[str, RemoteValue]:
    return {name: value or None for name, value in cells.items()}


def key_of(settings: CsvSettings, patch: FieldPatch) -> str:
    """The key of a patch's record; that of a new one follows from the intent, so that it is the same each time."""
    if patch.key is not None:
        return patch.key
    if patch.idempotency_key is None:
        return uuid.uuid4().hex
    return uuid.UUID(bytes=hashlib.sha256(patch.idempotency_key.encode()).digest()[:16], version=4).hex
