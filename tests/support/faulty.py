"""The real SQL connector, failing as a test plans it: a system that is down, an answer that is lost, a dead process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from onewriter.connectors.interface import Ambiguous, FieldPatch, Outcome, Rejected, RetryAfter, Wanted
from onewriter.connectors.sql import SqlTable
from onewriter.errors import SystemUnreachable
from onewriter.workflows import reaching


class Died(Exception):
    """The process ended here."""


@dataclass
class Faulty:
    """A connector that fails in the way that is planned next for a write."""

    inner: Any
    plan: list[str]

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        fault = self.plan.pop(0) if self.plan else "none"
        if fault == "down":
            raise SystemUnreachable("The system does not answer.")
        if fault == "dies before":
            raise Died
        if fault.startswith("wait "):
            return [RetryAfter(float(fault.removeprefix("wait "))) for _each in patches]
        if fault.startswith("refuse "):
            return [Rejected(fault.removeprefix("refuse "), "not allowed") for _each in patches]
        if fault == "lost, not done":
            return [Ambiguous("nothing came back") for _each in patches]
        outcomes: Sequence[Outcome] = self.inner.write(patches)
        if fault == "dies after":
            raise Died
        return [Ambiguous("nothing came back") for _each in patches] if fault == "lost" else outcomes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class FaultyTable:
    """The kind `sql`, whose connectors fail as planned."""

    plan: list[str] = field(default_factory=list)
    name: str = "sql"

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> Any:
        return Faulty(SqlTable().open(configuration, wanted), self.plan)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes wrong with the next writes to any system, in order."""
    table = FaultyTable()
    monkeypatch.setattr(reaching, "kind_named", lambda _name: table)
    return table.plan
