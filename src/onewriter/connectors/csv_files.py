"""Reading a CSV file that somebody else wrote: whole, or not at all; as it is, and never guessed at."""

import codecs
import csv
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from onewriter.connectors.csv_settings import CsvSettings
from onewriter.errors import SystemChanged, SystemRefused, SystemUnreachable

BYTES_MAX = 1024**3
ROWS_MAX = 2_000_000
COLUMNS_MAX = 500
CELL_MAX = 100_000
"""Characters of one cell; Python's own limit is a little above."""
HEAD_MAX = 65_536
PIECE = 1_048_576
SIGNS = (",", ";", "\t", "|")
"""What may stand between two cells."""
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", ".swp", "~")
"""What programs call a file that they still write."""
AHEAD_S = 60.0
"""Seconds by which a file may seem to come from the future before its time counts for nothing."""
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """A file that is nowhere but in memory."""

    body: bytes = field(repr=False)

    def open(self, _mode: str) -> BinaryIO:
        """The file from its beginning."""
        return BytesIO(self.body)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]


Mark = tuple[int, str]
"""Which of several files is the later: by its time in nanoseconds, and else by its name."""


def newest(settings: CsvSettings, clock: Callable[[], float] = time.time, before: Mark | None = None) -> Path:
    """The newest file, if it is complete and no older than the one that was read before.

    Raises SystemUnreachable for any other: no file is never taken for no customers, and an older one never for the
    newest, since its values have long been changed.
    """
    assert settings.read is not None
    try:
        found = [path for path in settings.folder.glob(settings.read) if _counts(path) and path.is_file()]
        dated = sorted(((path.stat().st_mtime_ns, path.name, path) for path in found), reverse=True)
    except OSError as error:
        raise _unreadable(error) from None
    if not settings.folder.is_dir():
        raise SystemUnreachable("There is no such folder; is its path right, and its disk there?")
    if not dated:
        raise SystemUnreachable("The folder holds no file of that name yet; has the other system exported one?")
    changed, name, path = dated[0]
    if -AHEAD_S <= clock() - changed / NANO < settings.settle_s:
        raise SystemUnreachable(
            f"The newest file is still being written, or was just now; it is read once it has stayed as it is for "
            f"{settings.settle_s:g} seconds."
        )
    if before is not None and (changed, name) < before:
        raise SystemUnreachable("The file that was read last is gone, and what is there is older; export it again.")
    return path


def mark_of(path: Path, clock: Callable[[], float] = time.time) -> Mark:
    """What later files are compared with. One from the future counts as of now, or no other would ever be newer."""
    try:
        return min(path.stat().st_mtime_ns, int(clock() * NANO)), path.name
    except OSError as error:
        raise _unreadable(error) from None


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and not path.name.lower().endswith(UNFINISHED)


@contextmanager
def opened(path: Path, settings: CsvSettings) -> Iterator[tuple[Shape, Iterator[list[str]]]]:
    """The shape of a file and its rows, each with as many cells as the header.

    Raises SystemUnreachable if the file changes meanwhile, and SystemChanged for what is no whole table.
    """
    try:
        with path.open("rb") as raw:
            before = _state(raw)
            if before[1] > BYTES_MAX:
                raise SystemRefused("The file is larger than a gigabyte; export it in a smaller form.")
            encoding = _encoding(raw, settings.encoding)
            with TextIOWrapper(raw, encoding=encoding, newline="") as text:
                delimiter, header = _header(text, settings)
                yield Shape(encoding, delimiter, header), _rows(text, delimiter, len(header), before)
    except OSError as error:
        raise _unreadable(error) from None


@contextmanager
def opened_alone(path: Path | Held) -> Iterator[tuple[Shape, Iterator[tuple[int, list[str]]]]]:
    """The shape of a file of which nothing is known before, and its rows, each with its number in the file.

    It is UTF-8 or UTF-16, and what is neither is read as Windows-1252, in which most old spreadsheets write. The
    delimiter is the one that parts the first line into the most columns. Raises as `opened` does.
    """
    try:
        with path.open("rb") as raw:
            before = _state(raw)
            if before[1] > BYTES_MAX:
                raise SystemRefused("The file is larger than a gigabyte; split it.")
            encoding = _encoding(raw, "auto" if _is_utf8(raw) else "cp1252")
            with TextIOWrapper(raw, encoding=encoding, newline="") as text:
                delimiter, header = _widest(text)
                yield Shape(encoding, delimiter, header), _numbered(text, delimiter, len(header), before)
    except OSError as error:
        raise _unreadable(error) from None


def _is_utf8(raw: BinaryIO) -> bool:
    """Whether all of it can be read as UTF-8; what has another mark at its beginning is told by that."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := raw.read(PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        raw.seek(0)
    return True


def _widest(text: TextIO) -> tuple[str, tuple[str, ...]]:
    """The delimiter that parts the first line into the most names, and the names."""
    with _as_text():
        start = text.readline(HEAD_MAX)
    if not start.strip("\ufeff\r\n\t ,;|"):
        raise SystemChanged("The file is empty: it has not even the names of its columns.")
    parted = [(sign, _names(start, sign)) for sign in SIGNS]
    delimiter, names = max(parted, key=lambda each: len(each[1]))
    _require_names(names)
    return delimiter, names


def _names(start: str, delimiter: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in next(csv.reader([start], delimiter=delimiter), []))


def _state(raw: BinaryIO) -> tuple[float, int]:
    if isinstance(raw, BytesIO):
        return 0, raw.getbuffer().nbytes
    found = os.fstat(raw.fileno())
    return found.st_mtime_ns, found.st_size


def _encoding(raw: BinaryIO, asked: str) -> str:
    """The encoding by the mark at the beginning, or as it is declared, or else UTF-8."""
    head = raw.read(4)
    raw.seek(0)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    return "utf-8" if asked == "auto" else asked


def _header(text: TextIO, settings: CsvSettings) -> tuple[str, tuple[str, ...]]:
    """The delimiter, and the names of the columns."""
    asked = "\t" if settings.delimiter == "tab" else settings.delimiter
    with _as_text():
        start = text.readline(HEAD_MAX)
    if not start.strip():
        raise SystemChanged("The file is empty: it has not even the names of its columns.")
    found: list[tuple[str, tuple[str, ...]]] = []
    for delimiter in SIGNS if asked == "auto" else (asked,):
        names = _names(start, delimiter)
        if settings.key in names:
            found.append((delimiter, names))
    if not found:
        raise SystemChanged("The file has no column of the key's name; compare its first line with the settings.")
    delimiter, names = max(found, key=lambda each: len(each[1]))
    _require_names(names)
    return delimiter, names


def _require_names(names: Sequence[str]) -> None:
    if len(names) > COLUMNS_MAX:
        raise SystemChanged(f"The file has more than {COLUMNS_MAX} columns.")
    filled = [name for name in names if name]
    if len(set(filled)) != len(filled):
        raise SystemChanged("Two columns of the file have one name; give each its own.")


def _rows(text: TextIO, delimiter: str, width: int, before: tuple[float, int]) -> Iterator[list[str]]:
    for _number, row in _numbered(text, delimiter, width, before):
        yield row


def _numbered(text: TextIO, delimiter: str, width: int, before: tuple[float, int]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    number = 1
    try:
        with _as_text():
            for row in reader:
                number += 1
                if not row or (width > 1 and row == [""]):
                    continue
                _require_whole(row, width, number)
                yield number, row
    except csv.Error:
        raise SystemChanged(f"What follows row {number} is no row of a CSV file; is a quote wrong?") from None
    if _state(text.buffer) != before:
        raise SystemUnreachable("The file changed while it was read; it is read with the next cycle.")


def _require_whole(row: Sequence[str], width: int, number: int) -> None:
    if len(row) != width:
        raise SystemChanged(f"Row {number} has {len(row)} cells where the first line has {width}; is the file cut?")
    if number > ROWS_MAX:
        raise SystemRefused(f"The file has more than {ROWS_MAX} rows; export it in parts.")
    if any(len(cell) > CELL_MAX for cell in row):
        raise SystemChanged(f"A cell in row {number} is longer than {CELL_MAX} characters; is a quote missing?")


@contextmanager
def _as_text() -> Iterator[None]:
    try:
        yield
    except UnicodeError:
        raise SystemChanged("The file is not in the encoding that it should be; name its encoding.") from None


def _unreadable(error: OSError) -> Exception:
    """The error that says why a file cannot be opened; a path can hold a name, so that none is told."""
    if isinstance(error, PermissionError):
        return SystemRefused("The file may not be read; give this user the right to it.")
    return SystemUnreachable(f"The file cannot be read ({error.strerror}); is its disk there?")
