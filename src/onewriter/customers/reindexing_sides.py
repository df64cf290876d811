"""Making the tokens of connected systems' records anew, a piece at a time, with the key that their shop has now.

They are found by the very tokens that are to go, in their order: what was made anew is stale no more, wherever it comes
to stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from onewriter.customers import names, policies, remote, strangers
from onewriter.db.tables import sides
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

PIECE = 200
START = b""
COLUMNS = ("email_token", "phone_token")
"""Each record has one of them, or it cannot be found at all."""

_THIS = (
    sides.c.shop_id == bindparam("b_shop"),
    sides.c.system == bindparam("b_system"),
    sides.c.record_id == bindparam("b_record"),
    # Each sealing has a nonce of its own, so an equal box is a side that nobody has written since.
    sides.c.box == bindparam("b_box"),
)
_WRITE = (
    update(sides)
    .where(*_THIS)
    .values(email_token=bindparam("b_email"), phone_token=bindparam("b_phone"), index_version=bindparam("b_version"))
)


@dataclass(frozen=True, slots=True)
class SidesPiece:
    """What became of one piece."""

    after: bytes
    """The token of the last record that was looked at."""
    seen: int
    unopened: int = 0
    """Records whose key is destroyed: nobody may find them either."""


def count_stale(db: Connection, shop_id: int, version: int) -> int:
    """How many records have tokens of an earlier version, counted once for each token."""
    counted = 0
    for column in COLUMNS:
        query = select(func.count()).select_from(sides).where(*_stale(shop_id, column, version))
        counted += db.execute(query).scalar_one()
    return counted


def is_stale(db: Connection, shop_id: int, version: int) -> bool:
    """True while some record has a token of an earlier version."""
    return any(
        db.execute(select(sides.c.shop_id).where(*_stale(shop_id, column, version)).limit(1)).first() is not None
        for column in COLUMNS
    )


def _stale(shop_id: int, column: str, version: int) -> tuple[Any, ...]:
    return (sides.c.shop_id == shop_id, sides.c[column].is_not(None), sides.c.index_version < version)


def reindex(db: Connection, vault: ShopVault, column: str, after: bytes, now: Instant) -> SidesPiece | None:
    """Make the tokens of the next stale records from that token on; None when there are no more."""
    key = names.current_key(db, vault, now)
    query = (
        select(sides.c.system, sides.c.record_id, sides.c.box, sides.c[column].label("token"))
        .where(*_stale(vault.shop_id, column, key.version), sides.c[column] >= after)
        .order_by(sides.c[column])
        .limit(PIECE)
    )
    rows = db.execute(query).all()
    if not rows:
        return None
    opened = _opened(db, vault, rows)
    policy = policies.of_shop(db, vault.shop_id)
    written = []
    for row in rows:
        made: dict[str, Any] = {"b_email": None, "b_phone": None, "b_version": key.version}
        one = opened.get((row.system, row.record_id))
        if one is not None:
            strangers.put_tokens(key, one, strangers.of_side(policy, one, vault.region))
            made |= {"b_email": one.email_token, "b_phone": one.phone_token}
        named = {"b_shop": vault.shop_id, "b_system": row.system, "b_record": row.record_id, "b_box": row.box}
        written.append(named | made)
    db.execute(_WRITE, written)
    return SidesPiece(bytes(rows[-1].token), len(rows), len(rows) - len(opened))


def _opened(db: Connection, vault: ShopVault, rows: Sequence[Any]) -> dict[tuple[str, str], remote.Remote]:
    found = {}
    for system in {row.system for row in rows}:
        wanted = [row.record_id for row in rows if row.system == system]
        for name, each in remote.load(db, vault, system, wanted).items():
            found[system, name] = each
    return found
