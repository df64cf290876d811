"""The project's own files, as the house tests read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "onewriter"


def modules(*folders: Path) -> list[Path]:
    """The Python files below folders (none: the product's), but migrations: each is written once, as one table."""
    found = [path for folder in folders or (SOURCE,) for path in folder.rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module, nested ones too."""
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function takes, from its `def` to its end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def place(path: Path, line: int) -> str:
    """A file and line as people and editors read them."""
    return f"{path.relative_to(ROOT)}:{line}"


@cache
def texts() -> dict[Path, str]:
    """Every text file that is in the repository or would be with the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("This is no git checkout, so what belongs to the repository is unknown.")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    paths = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    read = {path: path.read_bytes() for path in paths}
    return {path: content.decode("utf-8", "replace") for path, content in read.items() if b"\0" not in content}
