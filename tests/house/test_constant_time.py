"""What proves something is compared in constant time: one that stops at the first difference tells where that is."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.tree import ROOT, modules

PROVES = re.compile(r"(^|_)(mac|hmac|signature|signed|secret|access_token|client_secret|api_secret|password)$")


def named(side: ast.expr) -> str:
    """The last name in an expression: of a variable, an attribute or what is called."""
    if isinstance(side, ast.Call):
        return named(side.func)
    return side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""


def hasty(source: str) -> Iterator[int]:
    """The lines on which something that proves is compared by == or !=."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            continue
        if any(PROVES.search(named(side)) for side in (node.left, *node.comparators)):
            yield node.lineno


def test_nothing_that_proves_is_compared_in_haste() -> None:
    found = {path.relative_to(ROOT).as_posix(): list(hasty(path.read_text(encoding="utf-8"))) for path in modules()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("given == line.mac", True),
        ("key.mac(line) != given", True),
        ("headers.signature == sign(body)", True),
        ("machine == other", False),
        ("compare_digest(mac, given)", False),
    ],
)
def test_a_hasty_comparison_would_be_seen(line: str, seen: bool) -> None:
    assert bool(list(hasty(line))) is seen
