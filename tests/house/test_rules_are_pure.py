"""Rules are data in, data out: the same arguments give the same answer, on any day."""

import ast
from collections.abc import Iterator

from tests.support.tree import SOURCE, modules, parsed, place

IMPURE_MODULES = {"random", "secrets", "time", "os", "socket", "logging"}
IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of whatever reads a clock or chance, or reaches the world."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, one.name) for one in names if one.name.split(".")[0] in IMPURE_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE_MODULES:
                yield node.lineno, module
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in IMPURE_CALLS:
                yield node.lineno, name


def test_rules_read_no_clock_and_no_chance() -> None:
    found = [(path, line, what) for path in modules(SOURCE / "rules") for line, what in impurities(parsed(path))]
    assert [f"{place(path, line)} {what}" for path, line, what in found] == []


def test_an_impure_rule_would_be_seen() -> None:
    text = "from time import time\nimport random\nx = datetime.now(UTC)\ny = now + 1"
    assert sorted(impurities(ast.parse(text))) == [(1, "time"), (2, "random"), (3, "now")]
