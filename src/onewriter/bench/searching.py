"""Search: how long one takes among so many customers, by each of the things that people know of them.

The customers are made cheaply, without a shop. The baseline is the bare driver, which reads one customer's row by its
primary key.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from onewriter.bench import crowd
from onewriter.bench.bare import Bare
from onewriter.bench.figures import Figure
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import SEED, Stage, prepared, settle
from onewriter.customers.search import search
from onewriter.db.tables import customers
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault

DEFAULT = 200_000
"""Customers; the promise is for a million."""
TURNS = 200
FOUND_MAX = 50

LONG = ("christophe", "christin", "katharin", "alexandr", "christof", "mariann", "marib", "johanne", "annik", "isabell")
COMMON = ("mar", "chr", "joh", "ann", "mic", "ale", "jam", "kat")


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Search among `n` customers in every way."""
    with started("search", place=stage.place("search"), customers=n) as part:
        told = part.hear()
    for way, spent in told["ways"].items():
        ordered = sorted(spent)
        yield Figure(
            f"search: {way}",
            stage.database,
            n,
            len(spent) / sum(spent),
            told["baseline"],
            told["peak_mb"],
            p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
            took_s=ordered[len(ordered) // 2],
        )


def search_all(caller: Caller) -> None:
    """A part: make the customers, and look for some of them in every way."""
    n = caller.given["customers"]
    chance = random.Random(SEED)
    with prepared(caller.given["place"]) as runtime:
        vault = crowd.shop(runtime)
        sample = crowd.fill(runtime, vault, n, chance)
        with runtime.database.read() as db:
            ids = list(db.execute(select(customers.c.id).limit(TURNS)).scalars())
        settle(runtime)
        baseline = _bare(runtime, ids)
        ways = {way: _timed(runtime, vault, texts) for way, texts in _texts(sample).items()}
    caller.tell(ways=ways, baseline=baseline, peak_mb=peak_mb())


def _texts(sample: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """What is looked for, by what it is."""
    people = [sample[place % len(sample)] for place in range(TURNS)]
    rare = sorted({one["last_name"][:6] for one in people})
    return {
        "email": [one["email"].upper() for one in people],
        "phone": [f"0{one['phone'][3:7]} {one['phone'][7:]}" for one in people],
        "id": [str(crowd.FIRST_ID + place) for place in range(TURNS)],
        "3 common letters": _again(COMMON),
        "rare beginning": _again(rare),
        "whole name": _again([one["last_name"] for one in people]),
        "two words": [f"{one['first_name']} {one['last_name']}" for one in people],
        "two beginnings": [f"{one['first_name'][:4]} {one['last_name'][:4]}" for one in people],
        "long beginning of a common one": _again(LONG),
        "nobody": [f"{one['first_name'][:4]} qqqq" for one in people],
    }


def _again(some: Sequence[str]) -> list[str]:
    return [some[place % len(some)] for place in range(TURNS)]


def _timed(runtime: Runtime, vault: ShopVault, texts: Sequence[str]) -> list[float]:
    def look(wanted: str) -> None:
        with runtime.database.read() as db:
            search(db, vault, wanted, FOUND_MAX)

    return _spent(look, texts)


def _spent(act: Callable[[Any], object], given: Sequence[Any]) -> list[float]:
    """Seconds that each took; a tenth is done before, so that nothing is met for the first time."""
    for each in given[: len(given) // 10 or 1]:
        act(each)
    spent = []
    for each in given:
        began = time.perf_counter()
        act(each)
        spent.append(time.perf_counter() - began)
    return spent


def _bare(runtime: Runtime, ids: Sequence[Any]) -> float:
    """How many customers' rows a second the bare driver reads by primary key."""
    bare = Bare(runtime.database)
    spent = _spent(lambda identity: bare.row(customers, identity), [bytes(each) for each in ids])
    bare.close()
    return len(spent) / sum(spent)
