"""The table of a simulation: a row a seed, and their sum."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from onewriter.bench.simulate.tally import Tally

RIGHT_SHARE = 0.95
"""How many of the traced differences must be reported with a true reason, of all seeds together."""
COUNTERS = (
    "events",
    "troubles",
    "answers",
    "spendings",
    "crashes",
    "asked",
    "answered",
    "reported",
    "runs",
    "crash_sites",
    "commits",
)
NUMBERS = (
    "deliveries", "duplicates", "losses", "before", "after", "missing", "erased", "traced", "reasons_right",
    "orders", "refunds", "expired", "ledgers_merged", "balances", "differing",
)  # fmt: skip


def values(tally: Tally) -> dict[str, Any]:
    """One seed for JSON."""
    shown: dict[str, Any] = {"seed": tally.seed, "database": tally.database, "held": tally.held}
    shown |= {"withheld": tally.withheld} | {name: getattr(tally, name) for name in NUMBERS}
    for name in COUNTERS:
        shown[name] = {str(key): number for key, number in sorted(getattr(tally, name).items())}
    return shown | {"trace": tally.trace, "wrong": tally.wrong, "wrong_reasons": tally.wrong_reasons}


def total(tallies: Sequence[Tally]) -> dict[str, Any]:
    """The sum of all seeds, for JSON."""
    counted: dict[str, Any] = {"seeds": len(tallies), "held": sum(tally.held for tally in tallies)}
    counted["without_losses"] = sum(not tally.withheld for tally in tallies)
    counted |= {name: sum(getattr(tally, name) for tally in tallies) for name in NUMBERS}
    for name in COUNTERS:
        summed: Counter[Any] = sum((getattr(tally, name) for tally in tallies), Counter())
        counted[name] = {str(key): number for key, number in sorted(summed.items())}
    counted["seeds_that_asked"] = dict(
        sorted(Counter(kind for tally in tallies for kind, number in tally.asked.items() if number).items())
    )
    counted["commits_never_crashed"] = sorted(counted["commits"].keys() - counted["crash_sites"].keys())
    return counted


def has_held(tallies: Sequence[Tally]) -> bool:
    """True when the promise held in every seed, and the reasons that were reported are true nearly always."""
    traced, right = (sum(getattr(tally, name) for tally in tallies) for name in ("traced", "reasons_right"))
    return all(tally.held for tally in tallies) and right >= RIGHT_SHARE * traced


def table(tallies: Sequence[Tally]) -> Table:
    """All seeds, a row each, and their sum."""
    made = Table("seed", "database", title="The simulation")
    for heading in (
        "events", "deliveries", "twice", "lost", "crashes", "asked", "answered", "before", "after", "reasons right",
        "orders", "refunds", "redeemed", "expired", "merged", "balances", "differing", "",
    ):  # fmt: skip
        made.add_column(heading, justify="right")
    for tally in tallies:
        name = str(tally.seed) + ("" if tally.withheld else " *")
        made.add_row(name, tally.database, *_cells([tally]), "held" if tally.held else "BROKEN")
    made.add_section()
    held = sum(tally.held for tally in tallies)
    made.add_row(f"{len(tallies)} seeds", "", *_cells(tallies), f"{held} held")
    return made


def _cells(tallies: Sequence[Tally]) -> list[str]:
    def sums(name: str) -> int:
        return sum(_number(getattr(tally, name)) for tally in tallies)

    counted = ("events", "deliveries", "duplicates", "losses", "crashes", "asked", "answered", "before", "after")
    redeemed = sum(tally.spendings["redeemed"] for tally in tallies)
    shown = [f"{sums(name):,}" for name in counted]
    shown += [f"{sums('reasons_right')} of {sums('traced')}", f"{sums('orders'):,}", f"{sums('refunds'):,}"]
    shown += [f"{redeemed:,}"]
    return shown + [f"{sums(name):,}" for name in ("expired", "ledgers_merged", "balances", "differing")]


def _number(value: "int | Counter[Any]") -> int:
    return value.total() if isinstance(value, Counter) else value


def notes(tallies: Sequence[Tally]) -> Iterable[str]:
    """What the table has no room for, in lines."""
    counted = total(tallies)
    yield "* nothing was withheld in this seed, so that all must be equal before any reconcile"
    yield f"questions: {_listed(counted['asked'])}"
    yield f"asked to spend points: {_listed(counted['spendings'])}"
    yield f"crashes: {_listed(counted['crashes'])}"
    yield f"reasons reported: {_listed(counted['reported'])}"
    yield f"places of commits that were crashed: {len(counted['crash_sites'])} of {len(counted['commits'])}"
    for tally in tallies:
        yield from (f"seed {tally.seed} on {tally.database}: {wrong}" for wrong in tally.wrong)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"
