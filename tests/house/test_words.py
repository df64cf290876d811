"""Names say what a thing is: words that fit anything are not used, and no loose ends are left in the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.tree import SOURCE, modules, parsed, place

EMPTY_WORDS = {"manager", "managers", "helper", "helpers", "utils", "util"}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    return {word.lower() for word in WORD.findall(name)}


def names_given(path: Path) -> Iterator[tuple[str, int]]:
    """Every name that a module gives: its own, and those of its classes, functions, arguments and variables."""
    yield path.stem, 1
    for node in ast.walk(parsed(path)):
        match node:
            case ast.FunctionDef(name=str(name)) | ast.AsyncFunctionDef(name=str(name)) | ast.ClassDef(name=str(name)):
                yield name, node.lineno
            case ast.arg(arg=str(name)) | ast.Name(id=str(name), ctx=ast.Store()):
                yield name, node.lineno
            case ast.Attribute(attr=str(name), ctx=ast.Store()):
                yield name, node.lineno


def test_the_words_of_a_name_are_found() -> None:
    assert words("HTTPManager") == {"http", "manager"}
    assert words("_row_helper2") == {"row", "helper"}
    assert words("contextmanager") == {"contextmanager"}


def test_no_name_says_nothing() -> None:
    found = [
        f"{place(path, line)} {name}"
        for path in modules()
        for name, line in names_given(path)
        if words(name) & EMPTY_WORDS
    ]
    found += [str(folder) for folder in SOURCE.rglob("*") if folder.is_dir() and folder.name in EMPTY_WORDS]
    assert found == []


def swallows(handler: ast.ExceptHandler) -> bool:
    """True for a handler that catches everything and does nothing about it."""
    everything = handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )
    idle = all(
        isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in handler.body
    )
    return everything and idle


def test_no_error_is_swallowed() -> None:
    handlers = [
        (path, node) for path in modules() for node in ast.walk(parsed(path)) if isinstance(node, ast.ExceptHandler)
    ]
    assert [place(path, handler.lineno) for path, handler in handlers if swallows(handler)] == []


def test_a_swallowed_error_would_be_seen() -> None:
    text = (
        "try: pass\nexcept Exception: ...\nexcept (ValueError, KeyError): pass\nexcept Exception: raise\nexcept: pass"
    )
    assert [swallows(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)] == [
        True,
        False,
        False,
        True,
    ]


def test_no_loose_ends() -> None:
    loose = re.compile(r"\b(TODO|FIXME|XXX)\b|# type: ignore(?!\[)")
    found = [
        place(path, number)
        for path in modules()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if loose.search(line)
    ]
    assert found == []
