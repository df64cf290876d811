"""What a connector says while the conformance suite works with it: errors and their causes, log lines, what it prints.

All of it may end in a log, so that none of it may hold a customer's value or a secret.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from onewriter.connectors.interface import (
    Ambiguous,
    Connector,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    State,
)

CAUSES_MAX = 20


class Heard:
    """A connector, and an ear on it: whatever is said in one of its calls is kept in `texts`."""

    def __init__(self, real: Connector, texts: list[str]) -> None:
        self._real = real
        self._texts = texts

    def __repr__(self) -> str:
        return f"{self._real!r} {self._real!s}"

    def check(self) -> Sequence[Problem]:
        """What the connector finds."""
        with listening(self._texts):
            found = self._real.check()
        self._texts += [each.message for each in found]
        return found

    def discover(self) -> Discovery:
        """What it describes."""
        with listening(self._texts):
            return self._real.discover()

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """What it reads."""
        with listening(self._texts):
            items = iter(self._real.read(state))
        yield from _each(items, self._texts)

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The records that it finds."""
        with listening(self._texts):
            items = iter(self._real.read_keys(keys, by))
        yield from _each(items, self._texts)

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """What became of the patches."""
        with listening(self._texts):
            outcomes = self._real.write(patches)
        self._texts += [each.reason for each in outcomes if isinstance(each, Rejected | Ambiguous)]
        return outcomes

    def close(self) -> None:
        """Let go."""
        with listening(self._texts):
            self._real.close()


def _each(items: Iterator[Any], texts: list[str]) -> Iterator[Any]:
    """The items, with an ear on the making of each and on nothing else."""
    while True:
        with listening(texts):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


@contextmanager
def listening(texts: list[str]) -> Iterator[None]:
    """Keep what is raised, warned of, logged at any level or printed meanwhile; nobody else hears it."""
    printed, root, ear = io.StringIO(), logging.getLogger(), _Ear(texts)
    others, level = root.handlers, root.level
    root.handlers = [ear]
    root.setLevel(1)
    try:
        with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield
    except Exception as error:
        texts += said(error)
        raise
    finally:
        root.handlers = others
        root.setLevel(level)
        texts += [str(each.message) for each in warned]
        if printed.getvalue():
            texts.append(printed.getvalue())


class _Ear(logging.Handler):
    """Takes every line, with the traceback that it would be written with."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.NOTSET)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line as it would be written."""
        self._texts.append(logging.Formatter().format(record))


def said(error: BaseException) -> list[str]:
    """What an error says, and what those say that a traceback of it would show."""
    found: list[str] = []
    at: BaseException | None = error
    while at is not None and len(found) < CAUSES_MAX:
        found.append(str(at))
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found
