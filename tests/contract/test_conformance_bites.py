"""The conformance suite finds what it is for: a connector that does one thing wrong fails the check of that thing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onewriter.connectors.conformance import Result, checks, run
from onewriter.connectors.interface import (
    Applied,
    Connector,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    State,
    Wanted,
)
from onewriter.connectors.sql import SqlTable
from tests.support.crm_tables import SqliteTable


class Honest:
    """A connector that passes everything on to one that conforms; a faulty one overrides a method."""

    def __init__(self, real: Connector) -> None:
        self.real = real

    def check(self) -> Sequence[Problem]:
        return self.real.check()

    def discover(self) -> Discovery:
        return self.real.discover()

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        return self.real.read(state)

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        return self.real.read_keys(keys, by)

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.real.write(patches)

    def close(self) -> None:
        self.real.close()


class Endless(Honest):
    """Its reading has no end."""

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        return (item for item in self.real.read(state) if not isinstance(item, State))


class Forgetful(Honest):
    """It brings what changed later than the last it saw, and nothing at that same second."""

    def __init__(self, real: Connector) -> None:
        super().__init__(real)
        self.seen: dict[str, int | None] = {}

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        for item in self.real.read(state):
            known = isinstance(item, Record) and item.id in self.seen and self.seen[item.id] == item.changed
            if isinstance(item, Record):
                self.seen[item.id] = item.changed
            if state is None or not known:
                yield item


class Negating(Honest):
    """It tells empty fields as Odoo does."""

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        for item in self.real.read(state):
            if isinstance(item, Record):
                item = replace(item, fields={name: value or False for name, value in item.fields.items()})
            yield item


class Upserting(Honest):
    """It empties what a patch does not name, as a merge of whole rows does."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.real.write(
            [
                replace(each, clear=each.clear or tuple({"name", "note"} - set(each.set))) if each.key else each
                for each in patches
            ]
        )


class Coercing(Honest):
    """It turns numbers into texts."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        texts = [{k: str(v) if isinstance(v, int) else v for k, v in each.set.items()} for each in patches]
        return self.real.write([replace(each, set=text) for each, text in zip(patches, texts, strict=True)])


class Cutting(Honest):
    """It cuts what is too long."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.real.write(
            [replace(each, set={k: v[:8] if k == "code" else v for k, v in each.set.items()}) for each in patches]
        )


class Ignoring(Honest):
    """It leaves out the fields that it does not know, and calls that applied."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        known = {each.name for each in self.discover().fields}
        return self.real.write(
            [replace(each, set={k: v for k, v in each.set.items() if k in known}) for each in patches]
        )


class AllOrNothing(Honest):
    """One bad item stops its batch."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        bad = [self.real.write([each]) if "points" in each.set else None for each in patches]
        if len(patches) > 1 and any(bad):
            return [Rejected("points", "not a number")] * len(patches)
        return self.real.write(patches)


class Telling(Honest):
    """It tells the value that it refuses."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        outcomes = self.real.write(patches)
        return [
            replace(outcome, reason=f"{outcome.reason}: {dict(each.set)}") if isinstance(outcome, Rejected) else outcome
            for each, outcome in zip(patches, outcomes, strict=True)
        ]


class Reviving(Honest):
    """It takes a write to what is gone for a wish to have it again."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return [Applied(each.key or "") if each.key else self.real.write([each])[0] for each in patches]


class Choosing(Honest):
    """Of several records with one value it takes the first."""

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        found = list(self.real.read_keys(keys, by))
        return iter(found[:1] if by else found)


class Stale(Honest):
    """It does not look at versions."""

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        return self.real.write([replace(each, if_version=None) for each in patches])


class Raw(Honest):
    """It lets through what is no error of ours."""

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        raise KeyError("kanarie")


class Faulty:
    """The kind sql, with a fault."""

    name = "sql"

    def __init__(self, fault: Callable[[Connector], Connector]) -> None:
        self.fault = fault

    def spec(self) -> Mapping[str, Any]:
        return SqlTable().spec()

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> Connector:
        return self.fault(SqlTable().open(configuration, wanted))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[SqliteTable]:
    made = SqliteTable(tmp_path / "crm.db")
    yield made
    made.close()


def failed(fault: Callable[[Connector], Connector], table: SqliteTable, *only: str) -> dict[str, Result]:
    found = run(Faulty(fault), table.configuration, table, only=only)
    return {each.name: each for each in found if each.verdict == "failed"}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Endless, "reading everything is complete"),
        (Forgetful, "two changes in one second are both seen"),
        (Negating, "empty is read as None"),
        (Upserting, "patch touches the named fields only"),
        (Coercing, "number is not turned into a text"),
        (Cutting, "text above the limit is refused, not cut"),
        (Ignoring, "unknown field is refused, never ignored"),
        (AllOrNothing, "bad item does not stop the good ones"),
        (Telling, "messages hold no values and no secrets"),
        (Reviving, "record that is gone is told"),
        (Choosing, "looking up brings every duplicate"),
        (Stale, "stale version is a conflict"),
        (Raw, "reading by ids"),
    ],
)
def test_a_fault_fails_its_check(fault: type[Honest], name: str, table: SqliteTable) -> None:
    found = failed(fault, table, "value of a wrong type is refused", name)
    assert name in found
    assert found[name].detail
    assert found[name].meaning
    assert "kanarie" not in found[name].detail


def test_every_check_has_a_name_of_its_own_and_says_what_it_means() -> None:
    names = [each.name for each in checks()]
    assert len(names) == len(set(names)) >= 40
    assert all(each.meaning and each.function.__doc__ for each in checks())


def test_without_a_workbench_what_it_cannot_do_is_told_and_never_passed(table: SqliteTable) -> None:
    found = {each.name: each for each in run(SqlTable(), table.configuration)}
    assert [each.name for each in found.values() if each.verdict == "failed"] == []
    assert found["deleted record is noticed"].verdict == "not applicable"
    assert found["deleted record is noticed"].detail == "the workbench deletes no records"
    assert found["patch touches the named fields only"].verdict == "passed"
