"""Measurements, the simulation, and the throwaway PostgreSQL server that they share with the tests."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onewriter.bench.figures import Figure

BENCHES = {
    "import": "importing",
    "reconcile": "reconciling",
    "door": "door",
    "drain": "draining",
    "points": "points",
    "purge": "purging",
    "search": "searching",
    "rotate": "rotating",
    "pages": "paging",
    "compare": "comparing",
    "cycle": "cycling",
}
"""Each measurement and the module that makes it; its docstring says what is measured, and against what."""
ALL = "all"
NAMES = (*BENCHES, ALL)
WIDE = 200
"""Columns of the table where there is no terminal."""
DATABASES = {"sqlite": ("sqlite",), "postgres": ("postgres",), "both": ("sqlite", "postgres")}


def run(name: str, *, customers: int | None, database: str, json: bool) -> int:
    """Measure, and print the figures: one JSON object a line, or a table. Returns the exit code, 0.

    `name` is one of NAMES, `database` one of DATABASES. `customers` is how many customers the import reads, and how
    many deliveries the door takes and the drain applies, and how many order events become points; None is each
    measurement's own number.
    """
    import click
    import msgspec
    from rich.console import Console

    from onewriter.bench.figures import table

    found = []
    for figure in _figures(name, customers, database):
        found.append(figure)
        if json:
            click.echo(msgspec.json.encode(figure.values()))
    if not json:
        console = Console()
        console.width = console.width if console.is_terminal else WIDE
        console.print(table(found))
    return 0


def _figures(name: str, customers: int | None, database: str) -> "Iterator[Figure]":
    from onewriter.bench.stage import staged

    for bench in BENCHES if name == ALL else (name,):
        module = import_module(f"onewriter.bench.{BENCHES[bench]}")
        for kind in DATABASES[database]:
            with staged(kind) as stage:
                yield from module.measure(stage, customers or module.DEFAULT)
