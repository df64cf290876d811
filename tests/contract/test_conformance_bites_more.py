"""The conformance suite finds what looks well at first: writes beside the named, half readings, what is said aside."""

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from onewriter.connectors.conformance import run
from onewriter.connectors.interface import Applied, Connector, Deleted, FieldPatch, Outcome, Record, State
from onewriter.errors import SystemRefused
from tests.contract.test_conformance_bites import Faulty, Honest, failed
from tests.support.crm_tables import SqliteTable

SPOKEN = "messages hold no values and no secrets"


class FirstFive(Honest):
    """It writes the first five of a batch and calls all of them applied."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return [*self.real.write(patches[:5]), *(Applied(str(each.key)) for each in patches[5:])]


class Neighbour(Honest):
    """It writes to the record before as well."""

    def __init__(self, real: Connector) -> None:
        super().__init__(real)
        self.before: str | None = None

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        outcomes = self.real.write(patches)
        for each in patches:
            if self.before is not None and each.key is not None and self.before not in {one.key for one in patches}:
                self.real.write([FieldPatch(key=self.before, set=each.set)])
            self.before = each.key
        return outcomes


class Early(Honest):
    """Its reading of everything ends early, with a state."""

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        items = list(self.real.read(state))
        return iter([*items[:5], items[-1]])


class Twice(Honest):
    """Of two items for one record it writes the first."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        first = {each.key: each for each in reversed(patches)}
        return [self.real.write([each])[0] if first[each.key] is each else Applied(str(each.key)) for each in patches]


class Trims(Honest):
    """It takes blanks off."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        kept = [{k: v.strip() if isinstance(v, str) else v for k, v in each.set.items()} for each in patches]
        return self.real.write([replace(each, set=one) for each, one in zip(patches, kept, strict=True)])


class SelfTold(Honest):
    """It tells what it was given, whatever is held."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        outcomes = zip(patches, self.real.write(patches), strict=True)
        return [replace(one, fields=dict(each.set)) if isinstance(one, Applied) else one for each, one in outcomes]


class BadState(Honest):
    """Its state cannot be kept."""

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        for item in self.real.read(None):
            yield State({"when": object()}) if isinstance(item, State) else item


class Logs(Honest):
    """It logs each value, at a level that is seldom shown."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        for each in patches:
            logging.getLogger("crm").debug("writing %s", dict(each.set))
        return self.real.write(patches)


class Prints(Honest):
    """It prints each value."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        for each in patches:
            sys.stderr.write(str(dict(each.set)))
        return self.real.write(patches)


class Warns(Honest):
    """It warns of each value."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        for each in patches:
            warnings.warn(str(dict(each.set)), stacklevel=1)
        return self.real.write(patches)


class Cause(Honest):
    """Its errors carry the driver's own."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        raise SystemRefused("The system refuses it.") from RuntimeError(str(dict(patches[0].set)))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteTable]:
    made = SqliteTable(tmp_path / "crm.db")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (FirstFive, "one outcome an item, in order"),
        (FirstFive, "full batch is taken"),
        (Neighbour, "patch touches the named fields only"),
        (Neighbour, "one outcome an item, in order"),
        (Early, "reading of many is complete"),
        (Twice, "two items of one record are both written"),
        (Trims, "blanks are kept or refused"),
        (SelfTold, "what the system makes of a value is told"),
        (BadState, "reading everything is complete"),
        (Logs, SPOKEN),
        (Prints, SPOKEN),
        (Warns, SPOKEN),
        (Cause, SPOKEN),
    ],
)
def test_a_fault_fails_its_check(fault: type[Honest], name: str, table: SqliteTable) -> None:
    found = failed(fault, table, "value of a wrong type is refused", name)
    assert name in found
    assert "kanarie" not in found[name].detail


def test_what_an_honest_connector_does_passes_and_is_heard_by_nobody_else(
    table: SqliteTable, capsys: pytest.CaptureFixture[str]
) -> None:
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    assert [each for each in run(Faulty(Honest), table.configuration, table) if each.verdict == "failed"] == []
    assert (logging.getLogger().level, logging.getLogger().handlers) == (level, handlers)
    assert capsys.readouterr() == ("", "")
