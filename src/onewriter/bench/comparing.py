"""The full compare: linked customers a second whose twelve fields are compared with a system's, by digests alone.

One record in a thousand differs in a field, and the bench fails unless just these are found. The rows are written in
bulk, with boxes of the size of real ones, and are not counted. The baseline opens the boxes of both sides of a sample
and compares the values, which is what digests spare.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import msgspec

from onewriter.bench.bare import Bare
from onewriter.bench.figures import Figure
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.rotating import SHOP
from onewriter.bench.stage import Stage, prepared, settle
from onewriter.customers import comparing, owned, remote, shops
from onewriter.customers.profiles import ACTIVE, customer_binding
from onewriter.db.tables import customers, sides
from onewriter.errors import Permanent
from onewriter.runtime import Runtime, now
from onewriter.vault.seal import SubjectKey

DEFAULT = 1_000_000
"""Customers, each with a record in the system."""
SYSTEM = "crm"
FIELDS = tuple(f"custom.field{number}" for number in range(12))
ROWS = 20_000
SAMPLE = 2_000
ONE_IN = 1_000
DIGEST_BYTES = 16
BOX = os.urandom(600)


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Compare `n` customers, one by one in order of the database."""
    with started("compare", place=stage.place("compare"), n=n) as part:
        told = part.hear()
    if told["found"] != told["planted"]:
        raise Permanent(f"The compare that was measured found {told['found']} of {told['planted']} differences.")
    yield Figure("compare", stage.database, n, n / told["took"], told["opened"], told["peak_mb"], took_s=told["took"])


def compare_all(caller: Caller) -> None:
    """A part: make the rows of a place, compare them, and open a sample of them."""
    n = caller.given["n"]
    with prepared(caller.given["place"]) as runtime:
        with runtime.database.write() as db:
            shop_id = shops.add(db, SHOP)
        runtime.keys.make_shop_key(shop_id, now())
        keys = runtime.keys.make_subject_keys(shop_id, min(n, SAMPLE), now())
        planted = _make(runtime, shop_id, n, keys)
        settle(runtime)
        began = time.perf_counter()
        with runtime.database.read() as db:
            found = sum(1 for _each in comparing.differing(db, shop_id, SYSTEM, FIELDS))
        took = time.perf_counter() - began
        peak = peak_mb()
        opened = _open(runtime, shop_id, [identity for identity, _key in keys])
    caller.tell(found=found, planted=planted, took=took, opened=opened, peak_mb=peak)


def _make(runtime: Runtime, shop_id: int, n: int, keys: list[tuple[bytes, SubjectKey]]) -> int:
    planted = 0
    people = _people(shop_id, n, keys)
    with closing(Bare(runtime.database)) as bare:
        while batch := list(islice(people, ROWS)):
            planted += sum(differs for _customer, _side, differs in batch)
            with bare.transaction():
                bare.insert(customers, [_values(customers, row) for row, _side, _differs in batch])
                bare.insert(sides, [_values(sides, row) for _customer, row, _differs in batch])
    return planted


def _people(
    shop_id: int, n: int, keys: list[tuple[bytes, SubjectKey]]
) -> Iterator[tuple[dict[str, Any], dict[str, Any], bool]]:
    encode = msgspec.msgpack.Encoder().encode
    for number in range(n):
        identity, key = keys[number] if number < len(keys) else (_identity(number), None)
        chance = os.urandom(DIGEST_BYTES * len(FIELDS))
        own = {name: chance[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] for at, name in enumerate(FIELDS)}
        differs = number % ONE_IN == 0
        there = own | {FIELDS[number % len(FIELDS)]: os.urandom(DIGEST_BYTES)} if differs else own
        record = os.urandom(16).hex()
        box, side_box = BOX, BOX
        if key is not None:
            values = dict.fromkeys(FIELDS, "a value of thirty letters or so")
            box = key.seal_fields(values, customer_binding(shop_id, identity))
            held = values | {remote.TRUE_ID: str(number)}
            side_box = key.seal_fields(held, remote.binding(shop_id, SYSTEM, record))
        # The columns of a side come in the order of the mapping, those of a customer as they were heard of.
        head = {"shop_id": shop_id, "heard_at": 1, "changed_at": 1}
        customer = head | {"id": identity, "shopify_id": number + 1, "state": ACTIVE, "box": box, "index_version": 0}
        side = head | {"system": SYSTEM, "record_id": record, "customer_id": identity, "key_id": identity}
        side |= {"box": side_box, "path": "cycle", "clean_at": 1}
        backwards = dict(reversed(there.items()))
        yield customer | {"field_digests": encode(own)}, side | {"field_digests": encode(backwards)}, differs


def _identity(number: int) -> bytes:
    """An id as they are made: the later, the greater."""
    return b"\xff" + number.to_bytes(7, "big") + os.urandom(8)


def _values(table: Any, row: dict[str, Any]) -> list[Any]:
    return [row.get(column.name) for column in table.columns]


def _open(runtime: Runtime, shop_id: int, ids: list[bytes]) -> float:
    """Customers a second whose boxes are opened and whose values are compared."""
    vault = runtime.vault(shop_id)
    began = time.perf_counter()
    with runtime.database.read() as db:
        people = owned.load(db, vault, ids)
        records = remote.of_customers(db, vault, SYSTEM, ids)
        for identity, person in people.items():
            for one in records[identity]:
                if any(person.fields.get(name) != one.fields.get(name) for name in FIELDS):
                    raise Permanent("The values that were sealed are not those that were opened.")
    return len(ids) / (time.perf_counter() - began)
