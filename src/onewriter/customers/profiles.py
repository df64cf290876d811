"""Profiles: the Shopify side and the customer behind it, loaded and written together, many at once.

A `Profile` is the working copy of one customer while changes are applied to it. New ones get a key of their own first,
which is committed to the key store before the row that it seals (key before row).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, Connection, Select, Text, any_, bindparam, select, update

from onewriter.customers import names
from onewriter.customers.log import LogLine, keep_until, log_row
from onewriter.db.bulk import insert_rows
from onewriter.db.tables import customers, field_log, sides
from onewriter.records import PROFILE_FIELDS, SHOPIFY, Change, Instant, Path, Value, sortable_id
from onewriter.rules.ordering import Held, Stamp
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

ACTIVE = "active"
DELETED = "deleted"
MERGED = "merged"
KEPT = "kept"
"""Restored by a person: Shopify has it no more, and it lives on here until its own day."""
LIVE = frozenset((ACTIVE, KEPT))
CHUNK = 500
_OF_OTHERS = (None,) * 8
"""What stands in those columns of `sides` that are of use for other systems than Shopify."""
OTHER_STAMPS = "#"
"""No field has this name; under it a side's box keeps the stamps that its columns do not tell."""

_THESE = (
    sides.c.shop_id == bindparam("shop_id"),
    sides.c.system == SHOPIFY,
    sides.c.record_id.in_(bindparam("ids", expanding=True)),
)

_RAW = select(sides.c.record_id, sides.c.raw_digest).where(*_THESE)
# One array in place of thousands of parameters is three times as fast there, and SQLite has none.
_RAW_POSTGRES = select(sides.c.record_id, sides.c.raw_digest).where(
    *_THESE[:2], sides.c.record_id == any_(bindparam("ids", type_=ARRAY(Text)))
)

_LOAD = (
    select(
        sides.c.record_id, sides.c.box.label("side_box"), sides.c.version, sides.c.heard_at.label("side_heard"),
        sides.c.path, sides.c.read_began, sides.c.raw_digest, customers.c.id, customers.c.box, customers.c.state,
        customers.c.created_at, customers.c.deleted_at, customers.c.confirmed_at, customers.c.index_version,
    )
    .join(customers, customers.c.id == sides.c.customer_id)
    .where(*_THESE)
)  # fmt: skip

_SIDES = (
    select(
        sides.c.record_id, sides.c.box, sides.c.version, sides.c.heard_at, sides.c.path, sides.c.read_began,
        customers.c.id, customers.c.state, customers.c.deleted_at,
    )
    .join(customers, customers.c.id == sides.c.customer_id)
    .where(*_THESE)
)  # fmt: skip

_LEARN = (
    update(sides)
    .where(
        sides.c.shop_id == bindparam("b_shop_id"),
        sides.c.system == SHOPIFY,
        sides.c.record_id == bindparam("b_record_id"),
        # Each sealing has a nonce of its own, so an equal box is a side that nobody has written since.
        sides.c.box == bindparam("b_box"),
    )
    .values(
        raw_digest=bindparam("b_raw"), version=bindparam("b_version"), heard_at=bindparam("b_heard"),
        path=bindparam("b_path"), read_began=bindparam("b_began"),
    )
)  # fmt: skip

_UPDATE_SIDE = (
    update(sides)
    .where(
        sides.c.shop_id == bindparam("b_shop_id"),
        sides.c.system == SHOPIFY,
        sides.c.record_id == bindparam("b_record_id"),
    )
    .values(
        box=bindparam("b_box"), raw_digest=bindparam("b_raw"), field_digests=bindparam("b_digests"),
        version=bindparam("b_version"), heard_at=bindparam("b_heard"), path=bindparam("b_path"),
        read_began=bindparam("b_began"), changed_at=bindparam("b_now"),
    )
)  # fmt: skip

_UPDATE_CUSTOMER = (
    update(customers)
    .where(customers.c.id == bindparam("b_id"))
    .values(
        state=bindparam("b_state"), box=bindparam("b_box"), email_token=bindparam("b_email"),
        phone_token=bindparam("b_phone"), created_at=bindparam("b_created"), changed_at=bindparam("b_now"),
        deleted_at=bindparam("b_deleted"), confirmed_at=bindparam("b_confirmed"), index_version=bindparam("b_index"),
        field_digests=bindparam("b_digests"),
    )
)  # fmt: skip


@dataclass(slots=True)
class Profile:
    """The working copy of one customer: what Shopify's side says, and the owner's value of each field."""

    shopify_id: int
    side: dict[str, Value] = field(default_factory=dict)
    own: dict[str, Value] = field(default_factory=dict)
    version: Instant = 0
    heard: Instant = 0
    path: Path = Path.WEBHOOK
    stamps: dict[str, Stamp] = field(default_factory=dict)
    read_began: Instant | None = None
    raw_digest: bytes | None = None
    created: Instant | None = None
    deleted: Instant | None = None
    confirmed: Instant | None = None
    state: str = ACTIVE
    customer_id: bytes | None = None
    """None until the customer is written for the first time."""
    key: SubjectKey | None = None
    indexed: tuple[int, str | None, str | None] | None = None
    """The version of the key that made its tokens, and the name that it made them of; None while there are none."""
    digests: bytes | None = None
    """The digests of its side, while it is being written."""
    changed: bool = False
    log: list[LogLine] = field(default_factory=list)

    def held(self) -> Held:
        """The profile as the ordering rules see it."""
        return Held(self.side, self.version, self.stamps, self.read_began, self.deleted, self.confirmed is not None)

    @property
    def stamp(self) -> Stamp:
        """The stamp of the newest change, which most fields carry."""
        return (self.version, int(self.path is Path.READ), self.heard)


@dataclass(frozen=True, slots=True)
class Side:
    """What Shopify's side says of one record, opened to be compared, and how its customer stands."""

    shopify_id: int
    customer_id: bytes
    fields: Mapping[str, Value]
    version: Instant
    heard: Instant
    path: Path
    read_began: Instant | None
    state: str
    deleted: Instant | None
    box: bytes
    others: Mapping[str, Stamp] = field(default_factory=dict)
    """The stamps of those fields that another change than the newest one had the last word on."""


def raw_digests(db: Connection, shop_id: int, shopify_ids: Sequence[int]) -> dict[str, bytes | None]:
    """The raw digest of each Shopify side that there is, by record id."""
    query = _RAW if db.dialect.name == "sqlite" else _RAW_POSTGRES
    rows = db.execute(query, {"shop_id": shop_id, "ids": [str(shopify_id) for shopify_id in shopify_ids]})
    return {row[0]: row[1] for row in rows}


def sides_of(db: Connection, vault: ShopVault, shopify_ids: Sequence[int]) -> dict[int, Side]:
    """The Shopify sides that there are, by Shopify id, opened; nothing is opened of the customers behind them."""
    keyed = _keyed(db, vault, _SIDES, shopify_ids, leave_destroyed=True)
    return {int(row.record_id): _open_side(row, key, vault.shop_id) for row, key in keyed}


def _keyed(
    db: Connection, vault: ShopVault, query: Select[Any], shopify_ids: Sequence[int], *, leave_destroyed: bool = False
) -> list[tuple[Any, SubjectKey]]:
    """The rows that a query of Shopify sides has of these customers, each with the key that opens it."""
    rows: list[Any] = []
    for start in range(0, len(shopify_ids), CHUNK):
        names = [str(shopify_id) for shopify_id in shopify_ids[start : start + CHUNK]]
        rows.extend(db.execute(query, {"shop_id": vault.shop_id, "ids": names}))
    ids = (bytes(row.id) for row in rows)
    keys = vault.keys.subject_keys(ids, leave_destroyed=leave_destroyed) if rows else {}
    return [(row, keys[bytes(row.id)]) for row in rows if bytes(row.id) in keys]


def _open_side(row: Any, key: SubjectKey, shop_id: int) -> Side:
    fields = key.open_fields(bytes(row.box), side_binding(shop_id, row.record_id))
    others = {name: (stamp[0], stamp[1], stamp[2]) for name, stamp in fields.pop(OTHER_STAMPS, {}).items()}
    head = (int(row.record_id), bytes(row.id), fields, row.version, row.heard_at, Path(row.path))
    return Side(*head, row.read_began, row.state, row.deleted_at, bytes(row.box), others)


def learn(db: Connection, shop_id: int, learnt: Sequence[tuple[Side, Change]]) -> int:
    """Remember bulk rows that say just what their sides say, so that the same row costs one comparison next time.

    A side takes the row's version and time where those are newer, since it is known now to hold at that version too.
    One that was written since it was opened stays as it is. Returns how many were learnt.
    """
    if not learnt:
        return 0
    return db.execute(_LEARN, [_lesson(shop_id, side, row) for side, row in learnt]).rowcount


def _lesson(shop_id: int, side: Side, row: Change) -> dict[str, Any]:
    version = row.version or 0
    stamp = (version, row.heard, row.path) if version > side.version else (side.version, side.heard, side.path)
    names = {"b_shop_id": shop_id, "b_record_id": str(side.shopify_id), "b_box": side.box, "b_raw": row.raw_digest}
    names |= {"b_version": stamp[0], "b_heard": stamp[1], "b_path": stamp[2].value}
    return names | {"b_began": max(row.heard, side.read_began or 0)}


def load(db: Connection, vault: ShopVault, shopify_ids: Sequence[int]) -> dict[int, Profile]:
    """The profiles that there are, by Shopify id, opened."""
    return {int(row.record_id): _open(row, key, vault.shop_id) for row, key in _keyed(db, vault, _LOAD, shopify_ids)}


def _open(row: Any, key: SubjectKey, shop_id: int) -> Profile:
    customer_id = bytes(row.id)
    side = key.open_fields(bytes(row.side_box), side_binding(shop_id, row.record_id))
    others = side.pop(OTHER_STAMPS, {})
    profile = Profile(
        shopify_id=int(row.record_id),
        side=side,
        own=key.open_fields(bytes(row.box), customer_binding(shop_id, customer_id)),
        version=row.version,
        heard=row.side_heard,
        path=Path(row.path),
        read_began=row.read_began,
        raw_digest=row.raw_digest,
        created=row.created_at,
        deleted=row.deleted_at,
        confirmed=row.confirmed_at,
        state=row.state,
        customer_id=customer_id,
        key=key,
    )
    profile.indexed = (row.index_version, *names.named(profile.own))
    said = {name: profile.stamp for name in PROFILE_FIELDS if name in side}
    profile.stamps = said | {name: (stamp[0], stamp[1], stamp[2]) for name, stamp in others.items()}
    return profile


def _side_box(profile: Profile, key: SubjectKey, shop_id: int) -> bytes:
    """The sealed side, with the stamps of those fields that another change than the newest one had the last word on."""
    others = {name: stamp for name, stamp in profile.stamps.items() if stamp != profile.stamp}
    side = profile.side | {OTHER_STAMPS: others} if others else profile.side
    return key.seal_fields(side, side_binding(shop_id, str(profile.shopify_id)))


def save(db: Connection, vault: ShopVault, profiles: Iterable[Profile], now: Instant, *, keep_days: int = 0) -> None:
    """Write the profiles that changed, and their part of the field log.

    `keep_days` is how long the values of those lines are kept that can be undone; of Shopify's own none is.
    """
    touched = [profile for profile in profiles if profile.changed or profile.log]
    fresh = [profile for profile in touched if profile.customer_id is None and profile.changed]
    known = [profile for profile in touched if profile.customer_id is not None and profile.changed]
    for profile, (identity, key) in zip(
        fresh, vault.keys.make_subject_keys(vault.shop_id, len(fresh), now), strict=True
    ):
        profile.customer_id, profile.key = identity, key
    if fresh or known:
        index = names.current_key(db, vault, now)
        side_rows = [_side_row(vault, profile, now) for profile in fresh]
        insert_rows(db, customers, [_customer_row(vault, index, profile, now) for profile in fresh])
        insert_rows(db, sides, side_rows)
        if known:
            db.execute(_UPDATE_SIDE, [_side_update(vault, profile, now) for profile in known])
            db.execute(_UPDATE_CUSTOMER, [_customer_update(vault, index, profile, now) for profile in known])
        _index_names(db, index, [*fresh, *known])
    insert_rows(db, field_log, list(_log_rows(vault, touched, now, keep_days)))


def _index_names(db: Connection, index: IndexKey, written: Iterable[Profile]) -> None:
    """Write the tokens of the names that are new, or were made of another name or with another key."""
    moved = [one for one in written if one.indexed != (index.version, *names.named(one.own))]
    names.remove(db, [_ids(profile)[0] for profile in moved if profile.indexed is not None])
    names.write(db, index, [(_ids(profile)[0], profile.own) for profile in moved])
    for profile in moved:
        profile.indexed = (index.version, *names.named(profile.own))


def customer_binding(shop_id: int, customer_id: bytes) -> bytes:
    """What a customer's box is bound to."""
    return bound_to("customers", shop_id, customer_id)


def side_binding(shop_id: int, record_id: str) -> bytes:
    """What the box of a Shopify side is bound to."""
    return bound_to("sides", shop_id, f"{SHOPIFY}|{record_id}")


def _ids(profile: Profile) -> tuple[bytes, SubjectKey]:
    assert profile.customer_id is not None
    assert profile.key is not None
    return profile.customer_id, profile.key


def _customer_row(vault: ShopVault, index: IndexKey, profile: Profile, now: Instant) -> tuple[Any, ...]:
    """One value for each column of `customers`, in order."""
    identity, key = _ids(profile)
    box = key.seal_fields(profile.own, customer_binding(vault.shop_id, identity))
    tokens = _tokens(vault, index, profile)
    head = (identity, vault.shop_id, profile.shopify_id, profile.state, box, *tokens)
    return (
        *head,
        profile.created,
        now,
        now,
        profile.deleted,
        profile.confirmed,
        None,
        None,
        None,
        index.version,
        None,
        None,
        _own_digests(profile, key),
    )


def _own_digests(profile: Profile, key: SubjectKey) -> bytes:
    """The digests of the owner's values; most customers have Shopify's, whose digests are made anyway."""
    if profile.digests is None or profile.own != profile.side:
        return key.digests(profile.own)
    return profile.digests


def _side_digests(profile: Profile, key: SubjectKey) -> bytes:
    profile.digests = key.digests(profile.side)
    return profile.digests


def _tokens(vault: ShopVault, index: IndexKey, profile: Profile) -> tuple[bytes | None, bytes | None]:
    email, phone = profile.own.get("email"), profile.own.get("phone")
    return vault.email_token(index, email), vault.phone_token(index, phone)


def _side_row(vault: ShopVault, profile: Profile, now: Instant) -> tuple[Any, ...]:
    """One value for each column of `sides`, in order."""
    identity, key = _ids(profile)
    record_id = str(profile.shopify_id)
    box = _side_box(profile, key, vault.shop_id)
    head = (vault.shop_id, SHOPIFY, record_id, identity, identity, box, profile.raw_digest)
    tail = (profile.version, profile.heard, profile.path.value, profile.read_began, now)
    return (*head, _side_digests(profile, key), *tail, *_OF_OTHERS)


def _side_update(vault: ShopVault, profile: Profile, now: Instant) -> dict[str, Any]:
    _identity, key = _ids(profile)
    record_id = str(profile.shopify_id)
    return {
        "b_shop_id": vault.shop_id,
        "b_record_id": record_id,
        "b_box": _side_box(profile, key, vault.shop_id),
        "b_raw": profile.raw_digest,
        "b_digests": _side_digests(profile, key),
        "b_version": profile.version,
        "b_heard": profile.heard,
        "b_path": profile.path.value,
        "b_began": profile.read_began,
        "b_now": now,
    }


def _customer_update(vault: ShopVault, index: IndexKey, profile: Profile, now: Instant) -> dict[str, Any]:
    identity, key = _ids(profile)
    email, phone = _tokens(vault, index, profile)
    return {
        "b_id": identity,
        "b_state": profile.state,
        "b_box": key.seal_fields(profile.own, customer_binding(vault.shop_id, identity)),
        "b_email": email,
        "b_phone": phone,
        "b_index": index.version,
        "b_created": profile.created,
        "b_now": now,
        "b_deleted": profile.deleted,
        "b_confirmed": profile.confirmed,
        "b_digests": _own_digests(profile, key),
    }


def _log_rows(vault: ShopVault, profiles: Iterable[Profile], now: Instant, keep_days: int) -> Iterable[tuple[Any, ...]]:
    until = keep_until(now, keep_days)
    for profile in profiles:
        if profile.customer_id is None:
            continue  # refused before it ever became a customer: its tombstone tells the story
        identity, key = _ids(profile)
        for line in profile.log:
            yield log_row(vault.shop_id, identity, key, line, sortable_id(now, os.urandom(10)), now, until)
