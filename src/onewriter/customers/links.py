"""Links: which record of which connected system is whose, by which key, and why.

A record that is linked is sealed with its customer's key, so that it goes when the customer is erased; one that belongs
to nobody has a key of its own, which is destroyed once it seals nothing any more. A pair that a person took apart stays
on record as broken, and is never proposed again. A link has no text of anybody's in it: why a person decided so stands
in the access log, sealed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from onewriter.customers import erasing, policies, remote
from onewriter.customers.profiles import LIVE
from onewriter.customers.remote import Remote
from onewriter.db.bulk import in_chunks, lock_stripes, stripe_of, stripe_of_record
from onewriter.db.tables import customers, links
from onewriter.errors import Permanent
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

LINKED, BROKEN, REVIEW = "linked", "broken", "review"
PERSON = "person"
"""What a link is matched by that somebody made by hand."""
CREATED = "created"
"""The same where the record was made there for its customer, by whatever keys it has."""
GONE = "; deleted there since"
LINKED_BEFORE = "linked before"
"""The reason given of a record that is linked already."""

_OF_RECORDS = select(links).where(
    links.c.shop_id == bindparam("shop_id"),
    links.c.system == bindparam("system"),
    links.c.record_id.in_(bindparam("names", expanding=True)),
)
_OF_CUSTOMERS = (
    select(links)
    .where(links.c.shop_id + 0 == bindparam("shop_id"), links.c.customer_id.in_(bindparam("ids", expanding=True)))
    .order_by(links.c.system, links.c.made_at, links.c.record_id)
)
_WHO = select(customers.c.id, customers.c.shopify_id, customers.c.state).where(
    customers.c.id.in_(bindparam("ids", expanding=True))
)
_PAIR = (
    links.c.shop_id == bindparam("b_shop"),
    links.c.system == bindparam("b_system"),
    links.c.record_id == bindparam("b_record"),
    links.c.customer_id == bindparam("b_customer"),
)
_REMOVE = delete(links).where(*_PAIR)


class NotLinked(Permanent):
    """There is no such link, or it is not in the state that this needs."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A record is this customer's."""

    customer_id: bytes
    matched_by: str
    """The key that decided, or `person`."""
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """A record may be one of these customers', and a person must look."""

    customer_ids: tuple[bytes, ...]
    matched_by: str
    reason: str
    unlinks: bool = False
    """It was linked earlier in the same reading, before another record came that may be that customer as well."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A record is nobody's that we know."""

    reason: str


Found = Linked | Review | Nobody
_Head = tuple[int, Instant, str]
"""The version of the policy that it was decided by, when, and by whom."""


@dataclass(frozen=True, slots=True)
class Link:
    """What is on record of one record and one customer."""

    system: str
    record: str
    """The keyed name of the record's id."""
    customer_id: bytes
    state: str
    matched_by: str
    rule_version: int
    """The version of the policy that it was decided by."""
    reason: str
    made_at: Instant
    made_by: str

    @property
    def is_gone(self) -> bool:
        """True while the system has the record no more."""
        return self.reason.endswith(GONE)


# ---- Looking them up


def of_records(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> dict[str, bytes]:
    """Whose these records are, by the name of each that is linked."""
    return {each.record: each.customer_id for each in among(db, shop_id, system, names) if each.state == LINKED}


def of_customers(db: Connection, shop_id: int, system: str, ids: Sequence[bytes]) -> dict[bytes, list[str]]:
    """The records that these customers have in a system now, by customer, the oldest link first."""
    found: dict[bytes, list[str]] = {}
    for each in of_people(db, shop_id, ids):
        if each.system == system and each.state == LINKED and not each.is_gone:
            found.setdefault(each.customer_id, []).append(each.record)
    return found


def among(db: Connection, shop_id: int, system: str, names: Collection[str]) -> list[Link]:
    """All that is on record of these records, whatever its state."""
    return [
        _link(row)
        for some in in_chunks(list(names))
        for row in db.execute(_OF_RECORDS, {"shop_id": shop_id, "system": system, "names": list(some)})
    ]


def of_people(db: Connection, shop_id: int, ids: Sequence[bytes]) -> list[Link]:
    """All that is on record of these customers, whatever its state, by system."""
    return [
        _link(row)
        for some in in_chunks(ids)
        for row in db.execute(_OF_CUSTOMERS, {"shop_id": shop_id, "ids": list(some)})
    ]


def listed(
    db: Connection,
    shop_id: int,
    state: str,
    most: int,
    *,
    system: str | None = None,
    after: tuple[str, str, bytes] | None = None,
) -> list[Link]:
    """What is in that state, by system and record, from behind (system, record, customer)."""
    order = (links.c.system, links.c.record_id, links.c.customer_id)
    query = select(links).where(links.c.shop_id == shop_id, links.c.state == state).order_by(*order).limit(most)
    if system is not None:
        query = query.where(links.c.system == system)
    if after is not None:
        query = query.where(_behind(after))
    return [_link(row) for row in db.execute(query)]


def _behind(after: tuple[str, str, bytes]) -> ColumnElement[bool]:
    system, record, customer = after
    same = links.c.system == system
    later = (links.c.record_id > record) | ((links.c.record_id == record) & (links.c.customer_id > customer))
    return (links.c.system > system) | (same & later)


def get(db: Connection, shop_id: int, system: str, record: str, customer_id: bytes) -> Link:
    """What is on record of one pair; raises NotLinked."""
    for each in among(db, shop_id, system, [record]):
        if each.customer_id == customer_id:
            return each
    raise NotLinked("That record and that customer were never linked; `onewriter links show` tells whose it is.")


# ---- Linking


def link(
    db: Connection, vault: ShopVault, system: str, found: Mapping[str, Found], rule_version: int, by: str, now: Instant
) -> dict[str, bytes]:
    """Write down what was found of records that we hold, by name; returns whose each is that is linked by this.

    Takes the locks of the customers and of the records. A side is sealed with its customer's key, and forgets that it
    was read, so that its values are looked at anew. `erasing.end` must follow the commit.
    """
    live = lock(db, vault, {each.customer_id for each in found.values() if isinstance(each, Linked)}, found)
    doubtful = {customer for each in found.values() if isinstance(each, Review) for customer in each.customer_ids}
    live |= {bytes(row.id) for row in _who(db, doubtful) if row.state in LIVE}
    owners = _write_down(db, vault.shop_id, system, found, live, (rule_version, now, by))
    reseal(db, vault, system, owners, now)
    return owners


def _write_down(
    db: Connection, shop_id: int, system: str, found: Mapping[str, Found], live: Collection[bytes], head: _Head
) -> dict[str, bytes]:
    """Write down who is linked and who waits to be looked at; returns whose each record is that is linked by this."""
    known = among(db, shop_id, system, found)
    whose = {each.record: each.customer_id for each in known if each.state == LINKED}
    broken = {_pair(each) for each in known if each.state == BROKEN}
    fresh: dict[str, Linked] = {}
    asked: dict[tuple[str, bytes], Review] = {}
    for name, each in found.items():
        if isinstance(each, Review) and name not in whose:
            doubtful = [customer for customer in each.customer_ids if customer in live]
            asked |= {(name, customer): each for customer in doubtful if (name, customer) not in broken}
        elif isinstance(each, Linked) and each.customer_id == whose.get(name, each.customer_id):
            is_apart = (name, each.customer_id) in broken and each.matched_by != PERSON
            fresh |= {} if is_apart or each.customer_id not in live else {name: each}
    waiting = {_pair(each): each for each in known if each.state == REVIEW}
    remove(db, shop_id, [each for pair, each in waiting.items() if pair not in asked])
    # What waits already keeps its age, unless there is something else to say of it.
    news = {pair: each for pair, each in asked.items() if pair not in waiting or waiting[pair].reason != each.reason}
    made = {name: each for name, each in fresh.items() if name not in whose}
    rows = [_row(system, name, each.customer_id, LINKED, each, head) for name, each in made.items()]
    rows += [_row(system, name, customer, REVIEW, each, head) for (name, customer), each in news.items()]
    back = [each for each in known if each.record in fresh and each.state == LINKED and each.is_gone]
    rows += [replace(each, reason=each.reason.removesuffix(GONE)) for each in back]
    put(db, shop_id, rows)
    return {name: each.customer_id for name, each in fresh.items()}


def _pair(one: Link) -> tuple[str, bytes]:
    return one.record, one.customer_id


def _row(system: str, name: str, customer_id: bytes, state: str, found: Linked | Review, head: _Head) -> Link:
    version, now, by = head
    return Link(system, name, customer_id, state, found.matched_by, version, found.reason, now, by)


def lock(db: Connection, vault: ShopVault, ids: Collection[bytes], names: Iterable[str]) -> set[bytes]:
    """Keep everybody else from these customers and records until the transaction ends; returns who of them is live.

    A record can be linked to one customer only, so that who links it to another one has to wait for it, too.
    """
    stripes = {stripe_of(vault.key.id_hash(row.shopify_id)) for row in _who(db, ids) if row.shopify_id is not None}
    stripes.update(map(stripe_of_record, names))
    if stripes:
        lock_stripes(db, vault.shop_id, stripes)
    # Whoever was erased or merged away while we waited is linked to nothing.
    return {bytes(row.id) for row in _who(db, ids) if row.state in LIVE}


def _who(db: Connection, ids: Collection[bytes]) -> Iterable[Any]:
    for some in in_chunks(sorted(ids)):
        yield from db.execute(_WHO, {"ids": list(some)})


def reseal(db: Connection, vault: ShopVault, system: str, owners: Mapping[str, bytes], now: Instant) -> None:
    """Seal the sides of these records, by name, with the keys of the customers whose they are now."""
    if not owners:
        return
    sides = remote.load(db, vault, system, list(owners))
    keys = vault.keys.subject_keys(set(owners.values())) if sides else {}
    maps = policies.of_shop(db, vault.shop_id).maps(system)
    ended = []
    for name, each in sides.items():
        if each.customer_id is None:
            ended.append(each.key_id)
        each.customer_id = each.key_id = owners[name]
        each.key = keys[owners[name]]
        forget_reading(each)
        # Nobody knows of any of its fields yet whether it is in step, so that the next cycle looks at all of them.
        each.unclean = dict.fromkeys(field for field, mapped in maps.items() if mapped.remote in each.fields)
    remote.save(db, vault, sides.values(), now)
    erasing.end_keys(db, vault.shop_id, ended, now)


def forget_reading(one: Remote) -> None:
    """What was found out of a record, with its customer, says nothing any more once it belongs to another."""
    one.raw_digest, one.clean, one.unclean = None, None, None
    one.digests = {}


def gone(db: Connection, shop_id: int, system: str, names: Sequence[str], now: Instant) -> None:
    """Write down that the system has these records no more: one that comes back is its customer's again.

    What waits to be looked at has nothing left to look at.
    """
    known = among(db, shop_id, system, names)
    remove(db, shop_id, [each for each in known if each.state == REVIEW])
    told = [each for each in known if each.state == LINKED and not each.is_gone]
    put(db, shop_id, [replace(each, reason=f"{each.reason}{GONE}") for each in told])


# ---- Rows


def put(db: Connection, shop_id: int, rows: Iterable[Link]) -> None:
    """Write these down, each in the place of what was on record of its pair."""
    written = [
        {
            "shop_id": shop_id, "system": each.system, "record_id": each.record, "customer_id": each.customer_id,
            "state": each.state, "matched_by": each.matched_by, "rule_version": each.rule_version,
            "reason": each.reason, "made_at": each.made_at, "made_by": each.made_by,
        }
        for each in rows
    ]  # fmt: skip
    if not written:
        return
    key = ("shop_id", "system", "record_id", "customer_id")
    add = (sqlite_insert if db.dialect.name == "sqlite" else postgres_insert)(links)
    told = {name: add.excluded[name] for name in written[0] if name not in key}
    add = add.on_conflict_do_update(index_elements=list(key), set_=told)
    for some in in_chunks(sorted(written, key=lambda row: (row["record_id"], row["customer_id"]))):
        db.execute(add, list(some))


def remove(db: Connection, shop_id: int, some: Sequence[Link]) -> None:
    """Forget these pairs."""
    if some:
        db.execute(_REMOVE, [_named(shop_id, each) for each in some])


def _named(shop_id: int, one: Link) -> dict[str, Any]:
    return {"b_shop": shop_id, "b_system": one.system, "b_record": one.record, "b_customer": one.customer_id}


def _link(row: Row[Any]) -> Link:
    head = (row.system, row.record_id, bytes(row.customer_id), row.state, row.matched_by)
    return Link(*head, row.rule_version, row.reason, row.made_at, row.made_by)
