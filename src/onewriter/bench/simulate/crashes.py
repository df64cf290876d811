"""Crashes: a process may end right before or right after any of its commits, as the seed decides.

A crash is an exception that no code of ours catches. It ends everything that the process was doing, and what it had in
memory is dropped; only what was committed remains.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy import Connection, event

from onewriter.db.engine import Database

BEFORE, AFTER = "before", "after"
SIGHTINGS = (1, 1, 2, 5, 20, 60)
"""About how often a place has been passed when it is crashed: early for what happens rarely, late for the rest."""
OURS = "onewriter."
BORING = ("onewriter.db.", "onewriter.bench.")
"""Modules that are passed over when a commit is named after the code that asked for it."""


WRITES = ("INSERT", "UPDATE", "DELETE")


class Crash(BaseException):
    """The process ends here."""


@dataclass
class CrashPlan:
    """Which commits of a seed end their process. Places are met in an order that follows from the seed.

    `met` counts the commits of each place, and `done` the crashes there: (what the process was doing, the code that
    commits, before or after).
    """

    rng: Random
    most: int
    chance: float = 0.35
    met: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    done: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _due: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def pass_by(self, doing: str, code: str, when: str) -> bool:
        """Note that a commit is about to happen, or has happened; True when the process ends here."""
        place = (doing, code, when)
        self.met[place] += 1
        if place not in self._due:
            chosen = self.rng.random() < self.chance
            sighting = self.rng.choice(SIGHTINGS)
            self._due[place] = self.rng.randint(1, sighting) if chosen else 0
        if self.met[place] != self._due[place] or self.done.total() >= self.most:
            return False
        self.done[place] += 1
        return True

    def stop(self) -> None:
        """Crash nobody any more."""
        self.most = 0


class MortalDatabase(Database):
    """A database whose process may end at each of its commits.

    `begins` is told of each transaction that will write, and `commits` of both sides of every commit; what they raise
    is what happens then. Once its process has ended they let nothing through: nobody writes after their death.
    """

    def __init__(
        self, url: str, *, busy_ms: int, begins: Callable[[], None], commits: Callable[[str, str], None]
    ) -> None:
        super().__init__(url, busy_ms=busy_ms)
        self._begins, self._commits = begins, commits
        if self.is_sqlite:
            # A crash here is no loss of power, so nothing has to reach the disk.
            event.listen(self.engine, "connect", _hurry)
        else:
            event.listen(self.engine, "before_cursor_execute", self._before_lone)
            event.listen(self.engine, "after_cursor_execute", self._after_lone)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """As ever, with a crash before or after the commit."""
        code = caller()
        self._begins()
        with super().write() as db:
            yield db
            self._commits(code, BEFORE)
        self._commits(code, AFTER)

    def _before_lone(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if _is_lone_write(connection, statement):
            self._commits(caller(), BEFORE)

    def _after_lone(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if _is_lone_write(connection, statement):
            self._commits(caller(), AFTER)


def _is_lone_write(connection: Connection, statement: str) -> bool:
    """True for a write on a connection where each statement is its own transaction: the door's on PostgreSQL."""
    alone = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    return alone and statement.lstrip()[:6].upper() in WRITES


def _hurry(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def caller() -> str:
    """The function of ours that asked for this commit, as `intake.drain:once`."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        module = frame.f_globals.get("__name__", "")
        if module.startswith(OURS) and not module.startswith(BORING):
            return f"{module.removeprefix(OURS)}:{frame.f_code.co_name}"
    return "bench"
