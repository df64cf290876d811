"""Mutation testing: break one thing of a module at a time, and see whether its tests notice.

    python tools/mutate.py onewriter.rules.ordering tests/rules/test_ordering.py --least 90

The tests are collected and run once unharmed; then this process is forked for each mutant, which lives in the fork's
memory only. The working tree is never written to. In a fork the code of functions and the plain values of the module
are exchanged in place, and every cache is emptied; what that cannot do, a class's defaults above all, is imported anew
with all that knows it. A value that some other module made of the true one at its import stays the true one, which can
hide a mutant and never kill one. What killed a mutant lately is tried first on the next.

The tests must need nothing of conftest.py, as those of pure rules do. What no test noticed is listed, with its line;
exits with 1 when fewer than `--least` per cent were noticed.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import inspect
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SECONDS_MAX = 60
"""How long the tests of one mutant may take; one that never ends is noticed too."""
OPTIONS = ("-q", "-x", "--noconftest", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Mult: ast.Add,
}  # fmt: skip


NOTHING = ast.Constant(None)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break a module."""

    number: int
    line: int
    what: str
    tree: ast.Module
    in_place: bool
    """Whether it is enough to exchange code and plain values; else the module must be imported anew."""


def source_of(module: str) -> str:
    """The source of a module, without importing it."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise SystemExit(f"There is no module {module}.")
    return Path(found.origin).read_text()


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a source, always in the same order."""
    count = sum(1 for _ in _sites(ast.parse(source)))
    for number in range(count):
        tree = ast.parse(source)
        for at, (node, change) in enumerate(_sites(tree)):
            if at == number:
                before = ast.unparse(node)
                change()
                what = f"{before}  ->  {ast.unparse(node)}"
                yield Mutant(number, getattr(node, "lineno", 0), what, tree, _is_in_place(tree, node))
                break


def _is_in_place(tree: ast.Module, broken: ast.AST) -> bool:
    statement = next(each for each in tree.body if broken in set(ast.walk(each)))
    if isinstance(statement, ast.ClassDef):
        methods = (each for each in statement.body if isinstance(each, ast.FunctionDef))
        return any(broken in set(ast.walk(each)) for method in methods for each in method.body)
    return isinstance(statement, ast.FunctionDef | ast.Assign | ast.AnnAssign)


def _sites(tree: ast.Module) -> Iterator[tuple[ast.AST, Callable[[], None]]]:
    """Each place that can be broken, with what breaks it in place."""
    passive = _passive(tree)
    for node in ast.walk(tree):
        if node not in passive:
            for change in _changes(node):
                yield node, change


def _passive(tree: ast.Module) -> set[ast.AST]:
    """Docstrings, annotations and how much a cache holds: no behaviour is in them."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lru_cache":
            found |= set(ast.walk(node))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found |= set(ast.walk(node))
        for name in ("annotation", "returns"):
            if isinstance(getattr(node, name, None), ast.AST):
                found |= set(ast.walk(getattr(node, name)))
        if isinstance(node, ast.ClassDef):
            found |= {each for decorator in node.decorator_list for each in ast.walk(decorator)}
    # What only names a type for others to read.
    return found | {each for node in tree.body if isinstance(node, ast.Assign) for each in _type_alias(node)}


def _type_alias(node: ast.Assign) -> set[ast.AST]:
    return set(ast.walk(node)) if isinstance(node.value, ast.Subscript) else set()


def _changes(node: ast.AST) -> Iterator[Callable[[], None]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield lambda: node.ops.__setitem__(0, COMPARISONS[type(node.ops[0])]())
    elif isinstance(node, ast.BoolOp):
        yield lambda: setattr(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield lambda: setattr(node, "op", OPERATORS[type(node.op)]())
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        for at in range(len(node.keywords)):
            if node.keywords[at].arg is not None:
                yield lambda at=at: node.keywords.pop(at)  # type: ignore[misc]
    elif isinstance(node, ast.Return) and ast.dump(node.value or NOTHING) != ast.dump(NOTHING):
        yield lambda: setattr(node, "value", ast.Constant(None))


def _constants(node: ast.Constant) -> Iterator[Callable[[], None]]:
    value = node.value
    if isinstance(value, bool):
        yield lambda: setattr(node, "value", not value)
    elif isinstance(value, int):
        yield lambda: setattr(node, "value", value + 1)
    elif isinstance(value, str) and "\n" in value.strip():
        # A table of words: one more would be of no interest, while one less is.
        yield lambda: setattr(node, "value", value.strip().partition(" ")[2])
        yield lambda: setattr(node, "value", value.strip().rpartition(" ")[0])
    elif isinstance(value, str) and value:
        yield lambda: setattr(node, "value", value + " mutated")


class _Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out the mutant where its module is imported, whoever imports it first."""

    def __init__(self, module: str, mutant: Mutant) -> None:
        self.module = module
        self.mutant = mutant

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """The place of the mutant; None for every other module."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the broken source."""
        tree = ast.fix_missing_locations(copy.deepcopy(self.mutant.tree))
        exec(compile(tree, f"<mutant {self.mutant.number} of {self.module}>", "exec"), module.__dict__)


PLAIN = (str, bytes, int, float, bool, tuple, frozenset, set, list, dict, re.Pattern, type(None))


def _exchange(name: str, mutant: Mutant) -> bool:
    """Put the mutant's code and plain values into the module as it is; False if something else of it differs."""
    module = sys.modules[name]
    broken = ModuleType(name)
    # Whatever is made while the module runs, such as a dataclass, looks itself up under its name.
    sys.modules[name] = broken
    try:
        exec(compile(ast.fix_missing_locations(mutant.tree), f"<mutant {mutant.number}>", "exec"), broken.__dict__)
    finally:
        sys.modules[name] = module
    for key, value in vars(broken).items():
        true = vars(module).get(key)
        if isinstance(value, type) and value.__module__ == name:
            for attribute, part in vars(value).items():
                _recode(vars(true).get(attribute), part)
        elif isinstance(value, PLAIN):
            if value != true:
                _rebind(key, true, value)
        elif getattr(value, "__module__", None) == name:
            _recode(true, value)
    assigned = [each for each in mutant.tree.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    at = next((each for each in assigned if each.lineno <= mutant.line <= (each.end_lineno or 0)), None)
    made = [each for each in ast.walk(at) if isinstance(each, ast.Name)] if at is not None else []
    return all(isinstance(getattr(broken, each.id), PLAIN) for each in made if isinstance(each.ctx, ast.Store))


def _recode(true: object, broken: object) -> None:
    one, other = _function(true), _function(broken)
    if one is not None and other is not None:
        one.__code__, one.__defaults__ = other.__code__, other.__defaults__
        one.__kwdefaults__ = other.__kwdefaults__


def _function(found: object) -> FunctionType | None:
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, cached_property):
        found = found.func
    found = inspect.unwrap(getattr(found, "__func__", found))  # type: ignore[arg-type]
    return found if isinstance(found, FunctionType) else None


def _rebind(key: str, true: object, broken: object) -> None:
    for module in _ours():
        if vars(module).get(key) is true:
            setattr(module, key, broken)


def _ours() -> list[ModuleType]:
    """The modules of this project that were imported."""
    return [module for name, module in sys.modules.items() if name.partition(".")[0] in ("onewriter", "tests")]


def _empty_caches() -> None:
    for module in _ours():
        for found in vars(module).values():
            if hasattr(found, "cache_clear") and not isinstance(found, type):
                found.cache_clear()


class _Player:
    """Plays the mutants where pytest has collected the tests and would run them."""

    def __init__(self, module: str, tests: list[str], jobs: int) -> None:
        self._module = module
        self._tests = tests
        self._jobs = jobs
        self._is_playing = False
        self._killer: str | None = None
        self._killers: dict[str, None] = {}
        """Tests that noticed something, the latest last."""
        self.found: list[Mutant] = []
        self.survivors: list[Mutant] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the test that failed."""
        if report.failed:
            self._killer = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the tests as they are, and then against each mutant."""
        if self._is_playing:
            return None
        self._is_playing = True
        session.config.hook.pytest_runtestloop(session=session)
        self.found = list(mutants(source_of(self._module)))
        waiting, running = self.found[::-1], list[_Fork]()
        while waiting or running:
            while waiting and len(running) < self._jobs:
                running.append(self._forked(waiting.pop(), session))
            wait([fork.process.sentinel for fork in running], timeout=1)
            for fork in [each for each in running if _is_over(each)]:
                running.remove(fork)
                self._judge(fork)
        return True

    def _forked(self, mutant: Mutant, session: pytest.Session) -> "_Fork":
        answers, told = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=self._broken_run, args=(mutant, session, told))
        process.start()
        told.close()
        return _Fork(process, mutant, answers, time.monotonic() + SECONDS_MAX)

    def _judge(self, fork: "_Fork") -> None:
        if fork.process.exitcode == 0:
            self.survivors.append(fork.mutant)
        # A test that could not even be collected has no name.
        with contextlib.suppress(EOFError):
            killer = fork.answers.recv()
            if killer is not None:
                self._killers.pop(killer, None)
                self._killers[killer] = None
        fork.process.close()
        fork.answers.close()

    def _broken_run(self, mutant: Mutant, session: pytest.Session, told: Connection) -> None:
        """In a fork: run the tests with the mutant in its module's place; a mutant that cannot run is killed."""
        code = 1
        with contextlib.suppress(BaseException):
            code = (
                self._in_place(session) if mutant.in_place and _exchange(self._module, mutant) else self._anew(mutant)
            )
        told.send(self._killer)
        told.close()
        # Whatever a broken module would have done at the end of its process is of no interest.
        os._exit(code)

    def _in_place(self, session: pytest.Session) -> int:
        _empty_caches()
        first = {nodeid: at for at, nodeid in enumerate(reversed(self._killers))}
        session.items.sort(key=lambda item: first.get(item.nodeid, len(first)))
        session.config.hook.pytest_runtestloop(session=session)
        return 1 if session.testsfailed else 0

    def _anew(self, mutant: Mutant) -> int:
        for module in _ours():
            sys.modules.pop(module.__name__, None)
        sys.meta_path.insert(0, _Broken(self._module, mutant))
        return 1 if pytest.main([*OPTIONS, *self._tests]) else 0


FORKS = get_context("fork")


@dataclass(frozen=True, slots=True)
class _Fork:
    """A process that plays one mutant."""

    process: BaseProcess
    mutant: Mutant
    answers: Connection
    until: float


def _is_over(fork: _Fork) -> bool:
    """True for one that ended, or was to be ended."""
    if fork.process.is_alive() and time.monotonic() > fork.until:
        fork.process.kill()
    fork.process.join(timeout=0 if fork.process.is_alive() else None)
    return not fork.process.is_alive()


def main() -> int:
    """Play all mutants of the module that is named; the exit code."""
    wanted = _arguments()
    # No example of chance, and no clock: the same mutants are noticed each time.
    settings.register_profile("mutate", deadline=None, derandomize=True, database=None)
    settings.load_profile("mutate")
    os.chdir(ROOT)
    player = _Player(wanted.module, wanted.tests, wanted.jobs)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*OPTIONS, *wanted.tests], plugins=[player])
    if code or not player.found:
        print(said.getvalue(), "The tests fail without any mutant; mend them first.", file=sys.stderr)
        return 2
    survivors = sorted(player.survivors, key=lambda mutant: mutant.number)
    killed = len(player.found) - len(survivors)
    share = 100 * killed / len(player.found)
    print(f"{wanted.module}: {killed} of {len(player.found)} mutants killed ({share:.1f} %).")
    for mutant in survivors:
        print(f"  survived, line {mutant.line}: {mutant.what}")
    return 0 if share >= wanted.least else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--least", type=float, default=90.0, help="per cent that must be killed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
