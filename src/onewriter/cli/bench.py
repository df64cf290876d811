"""`onewriter bench`: measure onewriter on this machine."""

import click

from onewriter.cli.inputs import as_json


@click.command("bench")
@click.argument("name", type=click.Choice(["import", "door", "drain", "all"]))
@click.option("--customers", type=click.IntRange(1, 5_000_000), help="How many customers the measured shop has.")
@click.option(
    "--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both", show_default=True,
    help="Where it is measured.",
)  # fmt: skip
@as_json
def bench(name: str, customers: int | None, database: str, as_json: bool) -> int:
    """Measure onewriter on this machine.

    NAME is what is measured: the import of a shop, the webhook door, draining the inbox, or all of
    them.
    """
    from onewriter.bench import run

    return run(name, customers=customers, database=database, json=as_json)
