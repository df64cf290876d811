"""A crowd: as many customers as a measurement needs, made cheaply, without a shop.

Each has a key, a sealed box and its tokens, as an import would leave them. Their names are as unevenly spread as
people's are.
"""

import random
from collections.abc import Sequence
from typing import Any

from onewriter.customers import names, profiles, shops
from onewriter.db.bulk import insert_rows
from onewriter.db.tables import customers
from onewriter.runtime import Runtime, now
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.tokens import seal_credentials
from onewriter.vault.indexkeys import FIRST, IndexKey
from onewriter.vault.vault import ShopVault

BATCH = 10_000
CREDENTIALS = Credentials("token", access_token="of nobody", api_secrets=("of nobody",))  # noqa: S106 - made up
SAMPLE = 200
"""How many of them, about, are told of."""
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


def shop(runtime: Runtime) -> ShopVault:
    """A shop that is connected to nothing."""
    moment = now()
    columns: dict[str, Any] = {"domain": "crowd.myshopify.com", "admin_url": "-", "public_url": "-", "region": "GB"}
    columns |= {"api_version": API_VERSION, "state": shops.CONNECTED, "scopes": [], "box": b""}
    with runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"installed_at": moment, "connected_at": moment})
        key = runtime.keys.make_shop_key(shop_id, moment)
        shops.change(db, shop_id, {"box": seal_credentials(key, shop_id, CREDENTIALS)})
    return runtime.vault(shop_id)


def fill(runtime: Runtime, vault: ShopVault, n: int, chance: random.Random) -> list[dict[str, str]]:
    """Write the customers; returns what some of them are known by."""
    key, sample = vault.index.of(FIRST), []
    spread_given, spread_surnames = _spread(GIVEN), _spread(SURNAMES)
    for start in range(0, n, BATCH):
        count = min(BATCH, n - start)
        given = chance.choices(GIVEN, cum_weights=spread_given, k=count)
        surnames = chance.choices(SURNAMES, cum_weights=spread_surnames, k=count)
        people = [_person(start + place, *both) for place, both in enumerate(zip(given, surnames, strict=True))]
        _write(runtime, vault, key, people, start)
        sample += chance.sample(people, max(1, min(count, SAMPLE * BATCH // n)))
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
