"""The simulation: a shop's history with everything that can go wrong between it and us, and the same end every time.

One process, a virtual clock, a seeded scheduler, real databases, and crashes at any commit: one seed, one run.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onewriter.bench.simulate.tally import Tally

EVENTS = 120
WIDE = 200
"""Columns of the table where there is no terminal."""


def run(seed: int, seeds: int, *, database: str, events: int, real: bool, json: bool) -> int:
    """Play so many seeds from this one on, and print a table or JSON lines; 0 when the promise held in all of them.

    `database` is `sqlite`, `postgres` or `both`; `real` is for processes of their own.
    """
    import click
    import msgspec
    from rich.console import Console

    from onewriter.bench import DATABASES
    from onewriter.bench.simulate import table
    from onewriter.bench.simulate.stages import quietly

    tallies = []
    with quietly():
        for kind in DATABASES[database]:
            for tally in _played(range(seed, seed + seeds), kind, events, real=real):
                tallies.append(tally)
                if json:
                    click.echo(msgspec.json.encode(table.values(tally)))
                else:
                    click.echo(f"seed {tally.seed} on {kind}: {'held' if tally.held else 'BROKEN'}", err=True)
    if json:
        click.echo(msgspec.json.encode({"total": table.total(tallies)}))
    else:
        console = Console()
        console.width = console.width if console.is_terminal else WIDE
        console.print(table.table(tallies))
        for note in table.notes(tallies):
            console.print(note, markup=False, highlight=False)
    return 0 if table.has_held(tallies) else 1


def _played(seeds: range, kind: str, events: int, *, real: bool) -> "Iterator[Tally]":
    from onewriter.bench.simulate.real import play_real
    from onewriter.bench.simulate.seeds import play
    from onewriter.bench.simulate.stages import places

    with places(kind) as new_place:
        for seed in seeds:
            with new_place() as place:
                yield (play_real if real else play)(seed, place, kind, events)
