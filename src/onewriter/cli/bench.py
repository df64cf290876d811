"""`onewriter bench`: measure onewriter on this machine, and put its promise to the test."""

from pathlib import Path

import click

from onewriter.cli.inputs import as_json

MEASURED = {
    "import": "Measure the import of a shop.",
    "reconcile": "Measure a full reconcile of a shop in which nothing has changed.",
    "door": "Measure the webhook door.",
    "drain": "Measure draining the inbox.",
    "points": "Measure orders that become points, balances, the audit of points and merges.",
    "purge": "Measure the purge of deleted customers whose time is over.",
    "search": "Measure looking for customers in every way.",
    "pages": "Measure how soon pages come in a large shop, and the door meanwhile.",
    "rotate": "Measure wrapping the keys of customers with a new master key.",
    "compare": "Measure the full compare of customers with a system, by digests.",
    "cycle": "Measure cycles of an SQL system: the first, sending, and one that finds nothing to do.",
    "all": "Measure each of these.",
}

database_option = click.option(
    "--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both", show_default=True,
    help="On which databases.",
)  # fmt: skip


@click.group("bench")
def bench() -> None:
    """Measure onewriter here, and simulate whatever can go wrong."""


def _measurement(name: str, told: str) -> click.Command:
    @click.command(name, help=told)
    @click.option("--customers", type=click.IntRange(1, 5_000_000), help="How many customers the measured shop has.")
    @database_option
    @as_json
    def measure(customers: int | None, database: str, as_json: bool) -> int:
        from onewriter.bench import run

        return run(name, customers=customers, database=database, json=as_json)

    return measure


for _name, _told in MEASURED.items():
    bench.add_command(_measurement(_name, _told))


@bench.command("match")
@click.option("--people", type=click.IntRange(1, 5_000_000), help="How many people the population has.")
@as_json
def match(people: int | None, as_json: bool) -> int:
    """Measure how well and how fast the identity rules tell who is who.

    A population of people with duplicates, and with whatever joins strangers, is matched by the rules, and beside them
    by equal values as they were written and in canonical form. Precision and recall count pairs of records.
    """
    from onewriter.bench.matching import run

    return run(people=people, json=as_json)


@bench.command("simulate")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(1, 100_000), default=10, show_default=True, help="How many, from it on.")
@database_option
@click.option(
    "--events", type=click.IntRange(1, 100_000), default=120, show_default=True,
    help="What happens in the shop, of each seed.",
)  # fmt: skip
@click.option("--real", is_flag=True, help="Real processes over HTTP, killed at random; some 30 seconds a seed.")
@as_json
def simulate(seed: int, seeds: int, database: str, events: int, real: bool, as_json: bool) -> int:
    """Play shops' histories with everything that can go wrong, and compare the ends.

    Each seed is a shop, two days of its life, and what goes wrong between it and onewriter: deliveries that come
    twice, late, out of order or never, throttling, bulk operations that fail, refused values and tokens, and processes
    that crash at any commit. Then everything grows quiet, a full reconcile runs, and what we hold is compared with the
    shop itself. The same seed is the same run. Exits 0 only when every promise held in every seed.
    """
    from onewriter.bench.simulate import run

    return run(seed, seeds, database=database, events=events, real=real, json=as_json)


@bench.command("diagnose")
@click.option("--stores", type=click.IntRange(1, 100_000), default=260, show_default=True, help="How many stores.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="The seed that they come from.")
@click.option("--cause", help="Only stores with this cause.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each store there, with its truth.",
)
@click.option("--simulated", is_flag=True, help="Simulated stores; else living shops, which the real engine keeps.")
@as_json
def diagnose(stores: int, seed: int, cause: str | None, keep: Path | None, simulated: bool, as_json: bool) -> int:
    """Measure how often a diagnosis names the true cause, in shops with one known fault each.

    Living shops are kept in step with a real CRM by real cycles, and the fault is planted in them: some half a second
    each. With --simulated two systems and another connector are simulated, which is faster. A tenth of the log is lost,
    a fifth of the machines have no name, and a fifth of the configuration is hidden.

    Each store is diagnosed from its values alone, then with snapshots, with the configuration and with the log; beside
    it stands what counts alone would say. Exits 0 only when the floors hold with the log.
    """
    from onewriter.bench.examining import run
    from onewriter.bench.living.examined import made as living
    from onewriter.bench.stores.making import FAULTS, made

    if cause is not None and cause not in FAULTS:
        raise click.BadParameter(f"one of {', '.join(FAULTS)}", param_hint="--cause")
    return run((made if simulated else living)(seed, stores, cause), stores, seed, keep=keep, json=as_json)
