"""Search: how long one takes among so many customers, by each of the things that people know of them.

The customers are made cheaply, without a shop: each has a key, a sealed box and its tokens, as an import would leave
them. Their names are as unevenly spread as people's are. The baseline is the bare driver, which reads one customer's
row by its primary key.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import select

from onewriter.bench.bare import Bare
from onewriter.bench.figures import Figure
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import SEED, Stage, prepared, settle
from onewriter.customers import names, profiles, shops
from onewriter.customers.search import search
from onewriter.db.bulk import insert_rows
from onewriter.db.tables import customers
from onewriter.runtime import Runtime, now
from onewriter.vault.indexkeys import FIRST, IndexKey
from onewriter.vault.vault import ShopVault

DEFAULT = 200_000
"""Customers; the promise is for a million."""
BATCH = 10_000
TURNS = 200
FOUND_MAX = 50
FIRST_ID = 5_064_055_069_300

GIVEN = tuple(
    word
    for line in (
        "Maria Christian Anna Christopher John Christina Michael Mary James Marie David Sarah Daniel Laura Thomas",
        "Robert Emma Martin Sophie Andreas Katharina William Johanna Stefan Alexander Marion Alexandra Marianne Mario",
        "Charlotte Joseph Elena Marcel Olivia Jonas Emily Lukas Mia Noah Marta Liam Chiara Ethan Marina Jan Isabella",
        "Joanna Christoph Nora Annika Maribel Marisol Christelle Johannes Zoë Søren Łucja Ørjan Xaver Quentin Ulla",
    )
    for word in line.split()
)
STARTS = ("Ba", "Be", "Bo", "Bra", "Ca", "Co", "Da", "De", "Fa", "Ga", "Ha", "Ho", "Ja", "Ka", "Ko", "La", "Ma", "Ne")
MIDDLES = (
    "lan",
    "ren",
    "mir",
    "ton",
    "ver",
    "sel",
    "dor",
    "kan",
    "ber",
    "gin",
    "lor",
    "nes",
    "vik",
    "tal",
    "mon",
    "rad",
)
ENDS = (
    "ez",
    "son",
    "ski",
    "mann",
    "er",
    "ini",
    "ova",
    "o",
    "a",
    "ak",
    "ic",
    "berg",
    "ton",
    "ley",
    "is",
    "eau",
    "dottir",
)
SURNAMES = [start + middle + end for middle in MIDDLES for end in ENDS for start in STARTS]
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
        vault = _shop(runtime)
        sample = _fill(runtime, vault, n, chance)
        with runtime.database.read() as db:
            ids = list(db.execute(select(customers.c.id).limit(TURNS)).scalars())
        settle(runtime)
        baseline = _bare(runtime, ids)
        ways = {way: _timed(runtime, vault, texts) for way, texts in _texts(sample).items()}
    caller.tell(ways=ways, baseline=baseline, peak_mb=peak_mb())


def _shop(runtime: Runtime) -> ShopVault:
    moment = now()
    columns: dict[str, Any] = {"domain": "search.myshopify.com", "admin_url": "-", "public_url": "-", "region": "GB"}
    columns |= {"api_version": "-", "state": shops.CONNECTED, "scopes": [], "box": b""}
    with runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"installed_at": moment, "connected_at": moment})
    runtime.keys.make_shop_key(shop_id, moment)
    return runtime.vault(shop_id)


def _fill(runtime: Runtime, vault: ShopVault, n: int, chance: random.Random) -> list[dict[str, str]]:
    """Write the customers; returns what some of them are known by."""
    key, sample = vault.index.of(FIRST), []
    spread_given, spread_surnames = _spread(GIVEN), _spread(SURNAMES)
    for start in range(0, n, BATCH):
        count = min(BATCH, n - start)
        given = chance.choices(GIVEN, cum_weights=spread_given, k=count)
        surnames = chance.choices(SURNAMES, cum_weights=spread_surnames, k=count)
        people = [_person(start + place, *both) for place, both in enumerate(zip(given, surnames, strict=True))]
        _write(runtime, vault, key, people, start)
        sample += chance.sample(people, max(1, min(count, TURNS * BATCH // n)))
    return sample


def _spread(some: Sequence[str]) -> list[float]:
    """The second is half as frequent as the first, the third a third, and so on, as it is with names."""
    total, summed = 0.0, []
    for place in range(len(some)):
        total += 1 / (place + 2)
        summed.append(total)
    return summed


def _person(number: int, first: str, last: str) -> dict[str, str]:
    phone = f"+447{number:09d}"
    return {"first_name": first, "last_name": last, "email": f"{last}{number}@example.com", "phone": phone}


def _write(runtime: Runtime, vault: ShopVault, key: IndexKey, people: list[dict[str, str]], start: int) -> None:
    moment, state = now(), profiles.ACTIVE
    made = vault.keys.make_subject_keys(vault.shop_id, len(people), moment)
    rows, named = [], []
    for place, ((identity, secret), fields) in enumerate(zip(made, people, strict=True)):
        box = secret.seal_fields(fields, profiles.customer_binding(vault.shop_id, identity))
        tokens = (vault.email_token(key, fields["email"]), vault.phone_token(key, fields["phone"]))
        values = dict(zip(_HEAD, (identity, vault.shop_id, FIRST_ID + start + place, state, box, *tokens), strict=True))
        values |= {"created_at": moment, "heard_at": moment, "changed_at": moment, "index_version": key.version}
        rows.append([values.get(column.name) for column in customers.columns])
        named.append((identity, fields))
    with runtime.database.write() as db:
        insert_rows(db, customers, rows)
        names.write(db, key, named)


_HEAD = ("id", "shop_id", "shopify_id", "state", "box", "email_token", "phone_token")


def _texts(sample: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """What is looked for, by what it is."""
    people = [sample[place % len(sample)] for place in range(TURNS)]
    rare = sorted({one["last_name"][:6] for one in people})
    return {
        "email": [one["email"].upper() for one in people],
        "phone": [f"0{one['phone'][3:7]} {one['phone'][7:]}" for one in people],
        "id": [str(FIRST_ID + place) for place in range(TURNS)],
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
