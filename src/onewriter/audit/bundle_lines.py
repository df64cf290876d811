"""The lines of a bundle's files: read one by one within limits, and what cannot be read is told and passed over.

A told problem names the file, the line and the reason, and never what stands there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from onewriter.errors import Permanent
from onewriter.records import SECOND, Instant

FILE_MAX = 2_000_000_000
"""Bytes of one file."""
LINE_MAX = 1_000_000
"""Bytes of one line, and so of one record."""
LINES_MAX = 5_000_000
"""Lines of one file."""
DEPTH_MAX = 16
"""How deep lists and objects may lie in each other."""
SHARED_MAX = 64
"""Letters of the longest text that is kept once, however often it comes."""
MEMO_MAX = 100_000
"""Texts that are remembered for that."""
BOM = b"\xef\xbb\xbf"

SECONDS_MAX, MILLIS_MAX = 10**11, 10**14
"""Epoch times are seconds below the first, milliseconds below the second, and microseconds above: all after 1973."""

Line = TypeVar("Line", bound=msgspec.Struct)


class BundleUnusable(Permanent):
    """Nothing can be made of the whole folder."""


class Unread(Exception):
    """One line cannot be read; the text is the reason. The line is told, and the rest goes on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What was passed over: the file, its line (None where it is the whole file or a key), and why."""

    file: str
    line: int | None
    reason: str


@dataclass(slots=True)
class Lines:
    """Reads the files of one folder, and remembers what was passed over."""

    folder: Path
    problems: list[Problem] = field(default_factory=list)
    twice: dict[str, int] = field(default_factory=dict)
    """File: how many lines said again what another line had said; the last one counts."""
    memo: dict[str, str] = field(default_factory=dict)

    def of(self, name: str, kind: type[Line]) -> Iterator[tuple[int, Line]] | None:
        """The lines of a file with their numbers; None where there is no such file."""
        path = self.folder / name
        return self._lines(path, name, kind) if is_file(path) else None

    def tell(self, name: str, line: int | None, reason: str) -> None:
        """Remember that something was passed over."""
        self.problems.append(Problem(name, line, reason))

    def again(self, name: str) -> None:
        """Count a line that says again what another line had said."""
        self.twice[name] = self.twice.get(name, 0) + 1

    def _lines(self, path: Path, name: str, kind: type[Line]) -> Iterator[tuple[int, Line]]:
        decoder = msgspec.json.Decoder(kind, strict=True)
        for number, raw in _raw(path, name):
            if raw is None:
                self.tell(name, number, f"the line is longer than {LINE_MAX:,} bytes")
                continue
            try:
                yield number, decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self.tell(name, number, reason_of(error))

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """The same values, with texts that come often kept once; Unread where they lie too deep in each other."""
        memo = self.memo
        for key, value in given.items():
            if value.__class__ is str:
                if len(value) <= SHARED_MAX:
                    given[key] = memo.get(value) or self._remember(value)
            elif value.__class__ is dict or value.__class__ is list:
                check_depth(value)
        return given

    def text(self, given: str) -> str:
        """The same text, kept once."""
        return self.memo.get(given) or self._remember(given)

    def _remember(self, text: str) -> str:
        if len(self.memo) < MEMO_MAX:
            self.memo[text] = text
        return text


def _raw(path: Path, name: str) -> Iterator[tuple[int, bytes | None]]:
    """Each line that is not blank, with its number; None for one that is too long, which is never held as a whole."""
    try:
        if path.stat().st_size > FILE_MAX:
            raise BundleUnusable(f"{name} is larger than {FILE_MAX // 10**9} GB; diagnose a part of the customers.")
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(LINE_MAX + 1):
                number += 1
                if number > LINES_MAX:
                    raise BundleUnusable(f"{name} has more than {LINES_MAX:,} lines; diagnose a part of the customers.")
                if len(raw) > LINE_MAX and not raw.endswith(b"\n"):
                    while (rest := file.readline(LINE_MAX)) and not rest.endswith(b"\n"):
                        continue
                    yield number, None
                    continue
                if number == 1:
                    raw = raw.removeprefix(BOM)
                if raw.strip():
                    yield number, raw
    except OSError as error:
        raise BundleUnusable(f"{name} cannot be read ({type(error).__name__}); see who may read it.") from None


def is_file(path: Path) -> bool:
    """Whether there is such a file; BundleUnusable where it is something that nobody can read through, as a pipe is."""
    try:
        if not path.exists():
            return False
        if path.is_file():
            return True
    except OSError as error:
        raise BundleUnusable(
            f"{path.name} cannot be looked at ({type(error).__name__}); see who may read it."
        ) from None
    raise BundleUnusable(f"{path.name} is no plain file; put the file itself there.")


def reason_of(error: Exception) -> str:
    """Why something is no line of its file, without what stands in it."""
    if isinstance(error, RecursionError):
        return f"its values lie more than {DEPTH_MAX} deep in each other"
    if isinstance(error, msgspec.ValidationError):
        # Its words name the kinds and the path of keys; only the latter can hold somebody's value.
        expected, _, _ = str(error).partition(" - at ")
        return f"a key is missing or holds the wrong kind of value ({expected[0].lower()}{expected[1:]})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not in UTF-8"
    return "it is no JSON object on one line"


def check_depth(value: Any, depth: int = 1) -> None:
    """Unread where lists and objects lie too deep in each other."""
    if depth > DEPTH_MAX:
        raise Unread(f"its values lie more than {DEPTH_MAX} deep in each other")
    if isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            check_depth(each, depth + 1)


# ---- Times ----------------------------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def instant(given: str | float | None) -> Instant | None:
    """A time: ISO 8601, in UTC where it names no zone, or the seconds or milliseconds since 1970. Unread otherwise."""
    if given is None or given == "":
        return None
    try:
        if isinstance(given, str):
            text = given.strip()
            if not text.lstrip("-").replace(".", "", 1).isdigit() or len(text) == len("20260131"):
                moment = datetime.fromisoformat(text)
                moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
                return (moment - _EPOCH) // _TICK
            given = float(text) if "." in text else int(text)
        size = abs(given)
        scale = SECOND if size < SECONDS_MAX else 1000 if size < MILLIS_MAX else 1
        found = round(given * scale)
        as_text(found)
    except (ValueError, OverflowError):
        raise Unread("a time is neither ISO 8601 nor seconds or milliseconds since 1970") from None
    return found


def as_text(moment: Instant | None) -> str | None:
    """The time as a bundle has it, to the microsecond."""
    return None if moment is None else (_EPOCH + timedelta(microseconds=moment)).isoformat()
