"""The full compare by digests: where a connected system and the owners do not say the same, with no box opened.

A side keeps, for each mapped field, the digest of the owner's value that it was found in step with; a customer keeps
the digests of the owner's values as they are now. Both are keyed by the customer's key, so that equal digests are equal
values, and nothing else can be read from them. What is not in step, or has moved on since, differs.
"""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, select

from onewriter.customers.profiles import LIVE
from onewriter.db.tables import customers, sides
from onewriter.rules.policy import ADDRESS_PART, POINTS, SHOPIFY_ID

AT_ONCE = 5_000
Differing = tuple[bytes, str, tuple[str, ...]]
"""A customer, the keyed name of its record, and the fields in which they differ."""

_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode
# Both tables are walked as they were written, one customer after the other. An inner join would let SQLite begin with
# the sides, whose names have no order, and jump about among the customers; and so would a condition on what is joined.
_BOTH = (
    select(
        customers.c.id, sides.c.record_id, customers.c.field_digests.label("own"), sides.c.field_digests.label("there")
    )
    .outerjoin(
        sides,
        (sides.c.customer_id == customers.c.id)
        & (sides.c.system == bindparam("system"))
        & (sides.c.shop_id + 0 == bindparam("shop_id"))
        & sides.c.gone_at.is_(None),
    )
    .where(customers.c.shop_id + 0 == bindparam("shop_id"), customers.c.state.in_(sorted(LIVE)))
)


def comparable(fields: Sequence[str]) -> list[str]:
    """Those of the fields that have digests of their own: neither parts of the address nor what is made of others."""
    return [name for name in fields if not name.startswith(ADDRESS_PART) and name not in (POINTS, SHOPIFY_ID)]


def differing(db: Connection, shop_id: int, system: str, fields: Sequence[str]) -> Iterator[Differing]:
    """Every linked record that does not say what the owners say, in any of these fields, as it was last read.

    It streams, and opens nothing; a customer whose digests are not made yet is left out. The transaction is in use
    until the last one is taken.
    """
    wanted = frozenset(comparable(fields))
    rows = db.execute(_BOTH, {"shop_id": shop_id, "system": system}, execution_options={"yield_per": AT_ONCE})
    for customer, record, own, there in rows:
        if own is None or record is None:
            continue
        # A set of (field, digest) pairs is compared by the interpreter itself: nearly all records end here.
        moved = _decode(own).items() ^ _decode(there).items()
        if moved and (names := wanted.intersection([name for name, _digest in moved])):
            yield bytes(customer), record, tuple(sorted(names))
