"""The full compare by digests: where a connected system and the owners do not say the same, with no box opened.

A side keeps, for each mapped field, the digest of the owner's value that it was found in step with; a customer keeps
the digests of the owner's values as they are now. Both are keyed by the customer's key, so that equal digests are equal
values, and nothing else can be read from them. What is not in step, or has moved on since, differs.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection, bindparam, select

from onewriter.customers.profiles import LIVE
from onewriter.db.bulk import read_rows
from onewriter.db.tables import customers, sides
from onewriter.rules.policy import ADDRESS_PART, POINTS, SHOPIFY_ID

AT_ONCE = 3_000
Differing = tuple[bytes, str, tuple[str, ...]]
"""A customer, the keyed name of its record, and the fields in which they differ."""

_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode

# Both tables are walked by the customers' ids, piece by piece: a join is planned by figures that a database has not got
# when a shop has just been imported, and then it may look at every pair of rows.
_OWN = (
    select(customers.c.id, customers.c.field_digests)
    .where(customers.c.id > bindparam("after"), customers.c.shop_id + 0 == bindparam("shop_id"))
    .where(customers.c.state.in_(sorted(LIVE)))
    .order_by(customers.c.id)
    .limit(AT_ONCE)
)
_THERE = select(sides.c.customer_id, sides.c.record_id, sides.c.field_digests).where(
    sides.c.customer_id > bindparam("after"),
    sides.c.customer_id <= bindparam("last"),
    sides.c.system == bindparam("system"),
    sides.c.shop_id + 0 == bindparam("shop_id"),
    sides.c.gone_at.is_(None),
)


def comparable(fields: Sequence[str]) -> list[str]:
    """Those of the fields that have digests of their own: neither parts of the address nor what is made of others."""
    return [name for name in fields if not name.startswith(ADDRESS_PART) and name not in (POINTS, SHOPIFY_ID)]


def differing(db: Connection, shop_id: int, system: str, fields: Sequence[str]) -> Iterator[Differing]:
    """Every linked record that does not say what the owners say, in any of these fields, as it was last read.

    It goes by pieces, and opens nothing; a customer whose digests are not made yet is left out. The transaction is in
    use until the last one is taken.
    """
    wanted = frozenset(comparable(fields))
    for customer, record, mine, there in _pairs(db, shop_id, system):
        # A set of (field, digest) pairs is compared by the interpreter itself: nearly all records end here.
        moved = _decode(mine).items() ^ _decode(there).items()
        if moved and (names := wanted.intersection([name for name, _digest in moved])):
            yield customer, record, tuple(sorted(names))


@dataclass(slots=True)
class Level:
    """How many linked records are in step, by field, as their digests tell."""

    pairs: int = 0
    equal: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    """Those in which there is a value; of the others both sides say nothing."""


def level(db: Connection, shop_id: int, system: str, fields: Sequence[str], without: Collection[bytes] = ()) -> Level:
    """How many records of which customers are in step in each of these fields, but for those of some customers."""
    wanted = frozenset(comparable(fields))
    counts, apart = Level(), Counter[str]()
    for customer, _record, mine, there in _pairs(db, shop_id, system):
        if customer in without:
            continue
        counts.pairs += 1
        own, held = _decode(mine), _decode(there)
        counts.filled.update(name for name, _digest in own.items() & held.items() if name in wanted)
        apart.update({name for name, _digest in own.items() ^ held.items() if name in wanted})
    counts.equal.update({name: counts.pairs - apart[name] for name in wanted})
    return counts


def filled(db: Connection, shop_id: int, system: str, fields: Collection[str]) -> Iterator[tuple[bytes, str]]:
    """Every linked record, with its customer, of which any of these fields is in step and says something."""
    wanted = frozenset(fields)
    for customer, record, mine, there in _pairs(db, shop_id, system):
        if any(name in wanted for name, _digest in _decode(mine).items() & _decode(there).items()):
            yield customer, record


def _pairs(db: Connection, shop_id: int, system: str) -> Iterator[tuple[bytes, str, bytes, bytes]]:
    """Each customer with a record there: its id, the record's name, and the digests of the two."""
    after = b""
    while people := read_rows(db, _OWN, {"shop_id": shop_id, "after": after}):
        last = people[-1][0]
        own = dict(people)
        within = {"shop_id": shop_id, "system": system, "after": after, "last": last}
        for customer, record, there in read_rows(db, _THERE, within):
            mine = own.get(customer)
            if mine is not None:
                yield customer, record, mine, there
        after = last
