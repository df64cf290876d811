"""Mutants of a module: each with one thing broken. Also a pytest plugin that puts one of them in the module's place."""

import ast
import copy
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Mult: ast.Add,
}  # fmt: skip


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
    elif isinstance(node, ast.Return) and node.value is not None:
        yield lambda: setattr(node, "value", ast.Constant(None))


def _constants(node: ast.Constant) -> Iterator[Callable[[], None]]:
    value = node.value
    if isinstance(value, bool):
        yield lambda: setattr(node, "value", not value)
    elif isinstance(value, int):
        yield lambda: setattr(node, "value", value + 1)
    elif isinstance(value, str) and value:
        yield lambda: setattr(node, "value", value + " mutated")


def pytest_configure() -> None:
    """Put the mutant that the environment names in its module's place, before any test imports it."""
    named = os.environ.get("ONEWRITER_TEST_MUTANT")
    if not named:
        return
    module, _, number = named.rpartition(":")
    source = source_of(module)
    chosen = next(mutant for mutant in mutants(source) if mutant.number == int(number))
    tree = ast.fix_missing_locations(copy.deepcopy(chosen.tree))
    made = ModuleType(module)
    made.__file__ = f"<mutant {number} of {module}>"
    sys.modules[module] = made
    exec(compile(tree, made.__file__, "exec"), made.__dict__)
    parent, _, name = module.rpartition(".")
    setattr(importlib.import_module(parent), name, made)
