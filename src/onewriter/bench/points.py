"""Points: order events a second, a balance, an audit of a shop, and a merge of two long ledgers.

Of each the baseline is what no code could do without, by the bare driver in the same database: inserting the entries
and accounts that the order events left behind, in batches of the same size; selecting an account by its key; reading
the entries that are audited; and one statement that moves as many entries as the merge does.

The customers and the ledgers that are only looked at are written in bulk, and not counted.
"""

from collections.abc import Iterator
from typing import Any

from onewriter.bench.figures import Cost, Figure
from onewriter.bench.parts import started
from onewriter.bench.points_parts import EACH
from onewriter.bench.stage import Place, Stage, connect

DEFAULT = 100_000
"""Order events, and customers whose ledgers are audited; the other sizes are parts of it."""
SHARE = 5
"""Order events for each of their customers."""
LONG = 10
"""Of so many customers, how many entries a long ledger has: one in ten."""
SHORT = 10
"""Entries of a short ledger."""


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Measure with `n` order events, an audit of ten times as many entries, and ledgers of a tenth as many."""
    yield _orders(stage, n)
    yield from _balances(stage, max(SHORT, n // LONG))
    yield _audit(stage, n)
    yield _merge(stage, max(8, n // LONG))


def _shop(stage: Stage, name: str) -> Place:
    """A new installation with a shop of nobody connected."""
    place = stage.place(name)
    with started("sandbox", customers=0) as sandbox:
        connect(place, sandbox.hear())
    return place


def _orders(stage: Stage, n: int) -> Figure:
    place = _shop(stage, "orders")
    with started("points orders", place=place, n=n, customers=max(1, n // SHARE)) as part:
        told = part.hear()
    with started("bare points orders", source=place, target=stage.place("bare")) as part:
        bare = part.hear()
    rate, baseline = n / told["took"], n / bare["took"]
    return Figure("points orders", stage.database, n, rate, baseline, told["peak_mb"], largest_costs=_costs(told))


def _balances(stage: Stage, most: int) -> Iterator[Figure]:
    sizes = (SHORT, most)
    with started("points balances", place=_shop(stage, "balances"), sizes=sizes) as part:
        told = part.hear()
    for size, took in zip(sizes, told["looks_s"], strict=True):
        yield Figure("points balance", stage.database, size, 1 / took, 1 / told["bare_s"], took_s=took)


def _audit(stage: Stage, customers: int) -> Figure:
    place, n = _shop(stage, "audit"), customers * EACH
    with started("points audit", place=place, n=customers) as part:
        told = part.hear()
    with started("bare points audit", place=place) as part:
        bare = part.hear()
    rate, baseline = n / told["took"], n / bare["took"]
    return Figure(
        "points audit", stage.database, n, rate, baseline, told["peak_mb"], took_s=told["took"],
        largest_costs=_costs(told),
    )  # fmt: skip


def _merge(stage: Stage, n: int) -> Figure:
    with started("points merge", place=_shop(stage, "merge"), n=n) as part:
        told = part.hear()
    rate = told["moved"] / told["took"]
    return Figure(
        "points merge", stage.database, told["moved"], rate, told["bare"], told["peak_mb"], took_s=told["took"],
        largest_costs=_costs(told),
    )  # fmt: skip


def _costs(told: dict[str, Any]) -> list[Cost]:
    return [Cost(name, share) for name, share in told["costs"][:3]]
