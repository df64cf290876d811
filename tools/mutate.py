"""Mutation testing: break one thing of a module at a time, and see whether its tests notice.

    python tools/mutate.py onewriter.rules.ordering tests/rules/test_ordering.py --least 90

A mutant lives in memory only: a test process is started with its number in the environment, and this file, loaded there
as a pytest plugin, puts the broken module in the place of the true one. The working tree is never written to. What no
test noticed is listed, with its line; exits with 1 when fewer than `--least` per cent were noticed.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS_MAX = 120
NAMED = "ONEWRITER_TEST_MUTANT"

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
                yield Mutant(number, getattr(node, "lineno", 0), f"{before}  ->  {ast.unparse(node)}", tree)
                break


def _sites(tree: ast.Module) -> Iterator[tuple[ast.AST, Callable[[], None]]]:
    """Each place that can be broken, with what breaks it in place."""
    passive = _passive(tree)
    for node in ast.walk(tree):
        if node not in passive:
            for change in _changes(node):
                yield node, change


def _passive(tree: ast.Module) -> set[ast.AST]:
    """Docstrings and annotations: no behaviour is in them."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
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


def pytest_configure() -> None:
    """Put the mutant that the environment names in its module's place, before any test imports it."""
    named = os.environ.get(NAMED)
    if not named:
        return
    module, _, number = named.rpartition(":")
    chosen = next(mutant for mutant in mutants(source_of(module)) if mutant.number == int(number))
    for name in [each for each in sys.modules if each == module or each.startswith(module.rpartition(".")[0] + ".")]:
        # To find its source its package was imported, and with it what holds the true module's names.
        del sys.modules[name]
    sys.modules.pop(module.rpartition(".")[0], None)
    sys.meta_path.insert(0, _Broken(module, chosen))


def main() -> int:
    """Play all mutants of the modules that are named; the exit code."""
    wanted = _arguments()
    if _run(wanted.tests, None) != 0:
        print("The tests fail without any mutant; mend them first.", file=sys.stderr)
        return 2
    survivors, played = _play(wanted.module, wanted.tests, wanted.jobs)
    killed = played - len(survivors)
    share = 100 * killed / played
    print(f"{wanted.module}: {killed} of {played} mutants killed ({share:.1f} %).")
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


def _play(module: str, tests: list[str], jobs: int) -> tuple[list[Mutant], int]:
    all_of_them = list(mutants(source_of(module)))
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(lambda mutant: _run(tests, f"{module}:{mutant.number}"), all_of_them))
    return [mutant for mutant, code in zip(all_of_them, codes, strict=True) if code == 0], len(all_of_them)


def _run(tests: list[str], mutant: str | None) -> int:
    """Run the tests in a process of their own; 0 when all of them pass. A mutant that never ends is noticed too."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "mutate", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
    environment |= {NAMED: mutant} if mutant else {}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
