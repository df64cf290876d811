"""A pytest plugin that counts the requirements held.

A test names the requirements that it keeps: `@pytest.mark.req("K12", "M3")`. A requirement is *held* if at least one
test names it and every test that names it passed, with all of its parameters; a skipped test or one that was left out
has not passed. Where its tests run on databases, there must be one on each; a single test may be of one database alone,
such as one about SQLite's files.

The result is written to build/requirements.json, and the last line of a run says how many are held.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REQUIREMENTS = (*(f"K{number}" for number in range(1, 49)), *(f"M{number}" for number in range(1, 83)))
DATABASES = ("sqlite", "postgres")
PASSED = "passed"


@dataclass(slots=True)
class Tally:
    """The tests that name a requirement, and what became of each."""

    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The requirements that each test names, by the test's id."""
    databases: dict[str, str] = field(default_factory=dict)
    """The database that each of them runs on, if it runs once for each."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """What became of each: passed, or the worst that happened; nothing for one that did not run."""

    def name(self, test: str, requirements: Iterable[str], database: str | None) -> None:
        """Say what a test keeps."""
        self.names[test] = tuple(requirements)
        if database is not None:
            self.databases[test] = database

    def hear(self, test: str, when: str, outcome: str) -> None:
        """Take in the outcome of one phase of a test; anything but passed stays."""
        if outcome != PASSED:
            self.outcomes[test] = outcome
        elif when == "call":
            self.outcomes.setdefault(test, PASSED)

    def objections(self, requirement: str) -> list[str] | None:
        """Why a requirement is not held: nothing where it is, and None where no test names it."""
        tests = [test for test, requirements in self.names.items() if requirement in requirements]
        if not tests:
            return None
        outcomes = [(test, self.outcomes.get(test, "not run")) for test in tests]
        return [f"{test}: {outcome}" for test, outcome in outcomes if outcome != PASSED] + self._missing(tests)

    def _missing(self, tests: list[str]) -> list[str]:
        """A line for a database that none of these tests was made for, though some of them run on the other."""
        seen = {self.databases[test] for test in tests if test in self.databases}
        return [f"no test runs on {one}" for one in DATABASES if seen and one not in seen]

    def summary(self) -> dict[str, Any]:
        """What is written to build/requirements.json."""
        found = {requirement: self.objections(requirement) for requirement in REQUIREMENTS}
        return {
            "held": [requirement for requirement, why in found.items() if why == []],
            "not_held": {requirement: why for requirement, why in found.items() if why},
            "not_named": [requirement for requirement, why in found.items() if why is None],
        }


TALLY = pytest.StashKey[Tally]()
COLLECTED = "onewriter_requirements"


def named_by(item: pytest.Item) -> list[str]:
    """The requirements that a test names, in the order of its marks."""
    return [str(requirement) for mark in item.iter_markers("req") for requirement in mark.args]


def database_of(item: pytest.Item) -> str | None:
    """The database among a test's parameters."""
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec is not None else ()
    return next((value for value in values if isinstance(value, str) and value in DATABASES), None)


def pytest_configure(config: pytest.Config) -> None:
    """Begin an empty tally."""
    config.addinivalue_line("markers", "req(*ids): the requirements that this test keeps")
    config.stash[TALLY] = Tally()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note what a test names, before any filter can leave it out."""
    requirements = named_by(item)
    if requirements:
        database = database_of(item)
        item.config.stash[TALLY].name(item.nodeid, requirements, database)
        # The report carries it too, because under xdist another process collects the tests.
        item.user_properties.append(("requirements", (requirements, database)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a requirement that does not exist: a slip of the pen would otherwise count as a promise kept."""
    unknown = [f"{item.nodeid} names {one}" for item in items for one in named_by(item) if one not in REQUIREMENTS]
    if unknown:
        raise pytest.UsageError("There are only K1 to K48 and M1 to M82: " + "; ".join(unknown))


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """Hears every report; a plugin of its own, since a report does not say whose configuration it belongs to.

    Under xdist other processes collect the tests. Each of them tells at its end which it collected; and what a test
    names stands in its reports too, since a process that dies tells nothing.
    """

    tally: Tally

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear the outcome of one phase of a test; xdist's own word for one that ended its process has no phase."""
        carried = dict(report.user_properties).get("requirements")
        if isinstance(carried, (tuple, list)):
            requirements, database = carried
            self.tally.name(report.nodeid, requirements, database)
        self.tally.hear(report.nodeid, report.when, report.outcome)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take in what one of xdist's processes collected, with what it left out."""
        for test, (requirements, database) in getattr(node, "workeroutput", {}).get(COLLECTED, {}).items():
            self.tally.name(test, requirements, database)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin to listen."""
    session.config.pluginmanager.register(Listener(session.config.stash[TALLY]), "onewriter-requirements-listener")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of xdist's processes, tell the one that counts what was collected here."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        tally = session.config.stash[TALLY]
        output[COLLECTED] = {test: (names, tally.databases.get(test)) for test, names in tally.names.items()}


def _wanted(config: pytest.Config) -> bool:
    """True in a run of tests, and not where tests are only listed or this is one worker of several."""
    listens = config.pluginmanager.has_plugin("onewriter-requirements-listener")
    return listens and not config.option.collectonly and not hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Iterator[None]:
    """Write the summary and print the count, after all else that pytest prints."""
    yield
    if not _wanted(config):
        return
    summary = config.stash[TALLY].summary()
    write(config.rootpath / "build" / "requirements.json", summary)
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.write_line(f"requirements held: {len(summary['held'])} of {len(REQUIREMENTS)}")


def write(path: Path, summary: dict[str, Any]) -> None:
    """Write the summary as JSON, an entry a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
