"""How answers look: one JSON document for machines, tables and plain lines for people."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from onewriter.records import Instant, iso

WIDE = 10_000
"""Columns where there is no terminal: nothing may be cut for a program that reads on."""


def answer(as_json: bool, document: Any, tell: Callable[[], None]) -> None:
    """Print the document, or tell people."""
    if as_json:
        emit(document)
    else:
        tell()


def emit(document: Any) -> None:
    """Print one JSON document on a line of its own."""
    click.echo(json.dumps(document, ensure_ascii=False))


def say(line: str = "") -> None:
    """Print one line."""
    click.echo(line)


def note(line: str) -> None:
    """Print one line beside the answer, on standard error."""
    click.echo(line, err=True)


def plain(value: Any) -> str:
    """A value as one line of text that cannot steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def when(moment: Instant | None) -> str:
    """A time as people read it; a dash for none."""
    return iso(moment) or "-"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    console().print(drawn)


def details(values: Mapping[str, Any]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        say(f"{name.ljust(width)}  {plain(value)}")


def console(*, stderr: bool = False) -> Console:
    """Where rich draws."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False)
