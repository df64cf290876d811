"""Modules and functions stay short enough to read in one go."""

import statistics

import pytest

from tests.support.tree import ROOT, functions, lines_of, modules, place

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
MEDIAN_MAX = 10
NINTH_TENTH_MAX = 35

TABLES: frozenset[str] = frozenset()
"""Functions that are one long table of routes or options, as `module.py:name`."""


@pytest.fixture(scope="module")
def sizes() -> list[tuple[int, str, str]]:
    """Lines, name and place of every function of the product and its tools."""
    return [
        (lines_of(function), f"{path.name}:{function.name}", place(path, function.lineno))
        for path in modules(ROOT / "src", ROOT / "tools")
        for function in functions(path)
    ]


def test_no_module_is_too_long() -> None:
    counted = [
        (len(path.read_text().splitlines()), path) for path in modules(ROOT / "src", ROOT / "tools", ROOT / "tests")
    ]
    assert [f"{path.relative_to(ROOT)}: {lines}" for lines, path in counted if lines > MODULE_LINES_MAX] == []


def test_no_function_is_too_long(sizes: list[tuple[int, str, str]]) -> None:
    long = [(lines, name, where) for lines, name, where in sizes if lines > FUNCTION_LINES_MAX]
    assert [f"{where} {name}: {lines}" for lines, name, where in long if name not in TABLES] == []


def test_every_listed_table_exists(sizes: list[tuple[int, str, str]]) -> None:
    assert {name for _, name, _ in sizes} >= TABLES


def test_most_functions_are_short(sizes: list[tuple[int, str, str]]) -> None:
    ordered = sorted(sizes, reverse=True)
    longest = "\n".join(f"{where} {name}: {lines}" for lines, name, where in ordered[: len(ordered) // 10])
    assert statistics.median(lines for lines, _, _ in ordered) <= MEDIAN_MAX, longest
    assert ordered[len(ordered) // 10][0] <= NINTH_TENTH_MAX, longest
