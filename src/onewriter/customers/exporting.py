"""Everything that is held of one person, by the register: what whoever asks for their data is given.

A table that the register calls exported is read here without being named, as long as its boxes can be opened. Of what
speaks of two customers, only what is told of this one goes out.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, and_, cast, or_, select

from onewriter.customers import access, erasing, findings, pending, profiles, requests, retention, shops
from onewriter.customers.shops import Shop
from onewriter.db.pointtables import receipts
from onewriter.db.privacytables import access_log
from onewriter.db.register import REGISTER, Entry
from onewriter.db.tables import erasures
from onewriter.db.webtables import metadata
from onewriter.errors import KeyDestroyed, KeyMissing
from onewriter.records import DAY, Instant, dated, id_text, iso
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

PURPOSES: Mapping[str, str] = {
    "customers": "the profile, as the owner of each field says it is",
    "sides": "what each connected system last said, from which the profile is made",
    "links": "which record of another system is this customer, and why",
    "aliases": "which customers were merged, so that late news of a merged one still finds the kept one",
    "field_log": "who wrote which field and when, without the values that are gone",
    "expectations": "what was written to a connected system and is not read back yet",
    "parked_values": "values that no system could take, until a person decides",
    "findings": "what was found to differ between systems, to mend it",
    "case_rows": "in which case of differing systems this customer is concerned, and in which field",
    "case_checks": "whether a correction held, as it was checked on this customer",
    "pending_marks": "which system must still be told of a change",
    "entries": "the points that were earned and spent, and for what",
    "accounts": "the balance, made from the entries, and what a person decided about it",
    "inbox": "deliveries of Shopify's as they came, to apply them and to find mistakes",
    "receipts": "proof of merges: totals and times",
    "erasures": "proof of what was erased",
    "access_log": "who saw or changed this customer's values, and why",
    "privacy_requests": "what was asked in law, and what became of it",
}
"""Why each table is kept, in words for whom it is about."""

HOLDS = {"box": "holds", "kept_box": "kept_for"}
"""What opened boxes are called, by their columns."""
UNSHOWN = frozenset({"shop_id", "box", "key_id", "stripe", "day", "serial", "index_version", "programme_version"})
TIMES = frozenset({"at", "version", "read_began", "lapse_since", "keep_until", "valid_until"})
OF_ANOTHER = "of another customer"
NOT_OPENED = "it was deleted on purpose and cannot be opened any more"
PROOF = "as long as the shop is connected: it holds no value"


@dataclass(frozen=True, slots=True)
class Whom:
    """The person: a customer and all who were merged into it, by each of the names that a table can have for them."""

    numbers: Sequence[int]
    hashes: Sequence[bytes]
    ids: Sequence[bytes]

    def named(self, column: str) -> Sequence[Any]:
        """What to look for in a column that leads to a customer."""
        if column in erasing.SHOPIFY_IDS:
            return self.numbers
        return self.hashes if column.endswith("_hash") else self.ids


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of one table that are about the person."""

    table: str
    why: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one export reads with."""

    db: Connection
    vault: ShopVault
    shop: Shop
    whom: Whom
    keys: Mapping[bytes, SubjectKey]
    untils: Mapping[bytes, tuple[str, Instant | None]]
    keep_days: int


def whom(db: Connection, vault: ShopVault, number: int) -> Whom:
    """A customer and all who were merged into it, by the Shopify id."""
    numbers = erasing.with_merged(db, vault, number)
    ids = findings.customer_ids_of(db, vault.shop_id, numbers)
    return Whom(numbers, [vault.key.id_hash(each) for each in numbers], sorted(ids.values()))


def is_held(db: Connection, vault: ShopVault, who: Whom) -> bool:
    """True when any row leads to the person that still says something, or that will bring something in."""
    return any(
        db.execute(select(metadata.tables[entry.table]).where(leads).limit(1)).first() is not None
        for entry in REGISTER
        if (leads := _leads(entry, vault.shop_id, who)) is not None
    )


def everything(db: Connection, vault: ShopVault, who: Whom, keep_days: int) -> list[Held]:
    """All that is held of the person, opened, table by table; `keep_days` is how long bodies of deliveries are."""
    shop = shops.by_id(db, vault.shop_id)
    keys = vault.keys.subject_keys(who.ids, leave_destroyed=True)
    reading = _Reading(db, vault, shop, who, keys, _untils(db, shop, who), keep_days)
    found = [_held(reading, entry) for entry in REGISTER if entry.exported]
    return [*found, _merges(reading), _erasures(reading), _accesses(reading), _requests(reading)]


def _leads(entry: Entry, shop_id: int, who: Whom) -> ColumnElement[bool] | None:
    """The condition that a row of a table is about the person and holds something; None where none can be."""
    table = metadata.tables[entry.table]
    columns = [name for name in (entry.subject, entry.other) if name is not None and who.named(name)]
    if entry.purge not in ("delete", "hash") or not columns:
        return None
    named: list[ColumnElement[bool]] = [table.c[name].in_(list(who.named(name))) for name in columns]
    # Two shops can have the same id, and merges are found by their shop; elsewhere it would tempt SQLite to walk it.
    if entry.purge == "hash" or not erasing.SHOPIFY_IDS.isdisjoint(columns):
        named = [and_(table.c.shop_id == shop_id, each) for each in named]
    leads = or_(*named)
    if entry.purge == "hash":
        return and_(leads, or_(*(table.c[name].is_not(None) for name in entry.ids)))
    return and_(leads, table.c.box.is_not(None)) if entry.table == "inbox" else leads


def _held(reading: _Reading, entry: Entry) -> Held:
    table = metadata.tables[entry.table]
    leads = _leads(entry, reading.vault.shop_id, reading.whom)
    columns = [name for name in (entry.subject, entry.other) if name is not None]
    if leads is None or entry.table == "inbox":
        # A delivery without its body is told of, too.
        named = [table.c[name].in_(list(reading.whom.named(name))) for name in columns]
        leads = or_(*named)
    order = list(table.primary_key.columns)
    rows = reading.db.execute(select(table).where(leads).order_by(*order))
    shown = [_row(reading, entry, table, dict(row._mapping)) for row in rows]
    return Held(entry.table, PURPOSES.get(entry.table, entry.why), shown)


def _row(reading: _Reading, entry: Entry, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """One row as the person may see it: its box opened, and why and until when it is kept."""
    hidden = UNSHOWN | set(entry.tokens) | set(entry.sealed)
    shown = {name: _shown(name, value) for name, value in row.items() if name not in hidden}
    for name in entry.ids if entry.other is not None else ():
        if row[name] is not None and row[name] not in reading.whom.numbers:
            shown[name] = OF_ANOTHER
    if "evidence" in shown:
        shown["evidence"] = _evidence(reading, shown["evidence"])
    for column in entry.sealed:
        opened = None if row[column] is None else OPENED[entry.table, column](reading, entry.table, row)
        shown[HOLDS.get(column, column)] = opened
    kept, until = _until(reading, entry, row)
    return shown | {"kept_because": kept, "kept_until": iso(until)}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        return id_text(raw) if len(raw) == 16 else raw.hex()
    is_time = name in TIMES or name.endswith("_at")
    # A time of 0 is none.
    return iso(value or None) if is_time and isinstance(value, int) else value


# ---- Opening boxes --------------------------------------------------------------------------------------------------


def _open_customer(reading: _Reading, _table: str, row: Mapping[str, Any]) -> Any:
    identity = bytes(row["id"])
    box = profiles.customer_binding(reading.vault.shop_id, identity)
    return _fields(reading, identity, bytes(row["box"]), box)


def _open_side(reading: _Reading, table: str, row: Mapping[str, Any]) -> Any:
    binding = bound_to(table, reading.vault.shop_id, f"{row['system']}|{row['record_id']}")
    return _fields(reading, bytes(row["key_id"]), bytes(row["box"]), binding)


def _open_own(reading: _Reading, table: str, row: Mapping[str, Any]) -> Any:
    """A box that stands under its row's id and its customer's key."""
    binding = bound_to(table, reading.vault.shop_id, bytes(row["id"]))
    return _fields(reading, bytes(row["customer_id"]), bytes(row["box"]), binding)


def _open_log(reading: _Reading, table: str, row: Mapping[str, Any]) -> Any:
    """The values before and after a write that can still be undone."""
    opened = _open_own(reading, table, row)
    if opened == NOT_OPENED:
        return opened
    return {when: {name: dated(value) for name, value in values.items()} for when, values in opened.items()}


def _open_pending(reading: _Reading, _table: str, row: Mapping[str, Any]) -> Any:
    """A value that somebody proposed to the owner of its field."""
    identity = bytes(row["customer_id"])
    binding = pending.binding(reading.vault.shop_id, row["system"], identity, row["field"])
    return _fields(reading, identity, bytes(row["box"]), binding)


def _open_delivery(reading: _Reading, table: str, row: Mapping[str, Any]) -> Any:
    """The body of a delivery; one that speaks of another customer, too, is not opened."""
    speaks_of = {bytes(row[name]) for name in ("subject_hash", "other_hash") if row[name] is not None}
    if not speaks_of <= set(reading.whom.hashes):
        return OF_ANOTHER
    try:
        key = reading.vault.keys.day_key(reading.vault.shop_id, row["day"])
    except (KeyDestroyed, KeyMissing):
        return NOT_OPENED
    binding = bound_to(table, reading.vault.shop_id, row["webhook_id"])
    text = key.open(bytes(row["box"]), binding).decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _open_kept(reading: _Reading, _table: str, row: Mapping[str, Any]) -> Any:
    """The reason that a person gave for restoring a customer."""
    identity = bytes(row["id"])
    key = reading.keys.get(identity)
    binding = retention.kept_binding(reading.vault.shop_id, identity)
    return NOT_OPENED if key is None else key.open(bytes(row["kept_box"]), binding).decode("utf-8", "replace")


Opener = Callable[[_Reading, str, Mapping[str, Any]], Any]
OPENED: Mapping[tuple[str, str], Opener] = {
    ("customers", "box"): _open_customer,
    ("customers", "kept_box"): _open_kept,
    ("sides", "box"): _open_side,
    ("inbox", "box"): _open_delivery,
    ("pending_marks", "box"): _open_pending,
    ("parked_values", "box"): _open_own,
    ("field_log", "box"): _open_log,
}
"""How each box of an exported table opens."""


def unopened() -> list[str]:
    """The boxes of exported tables that nobody here opens, and exported tables that do not say why they are kept."""
    exported = [entry for entry in REGISTER if entry.exported]
    boxes = [(each.table, column) for each in exported for column in each.sealed]
    shut = [".".join(box) for box in boxes if box not in OPENED]
    return [*shut, *(each.table for each in exported if each.table not in PURPOSES)]


def _fields(reading: _Reading, key_id: bytes, box: bytes, binding: bytes) -> Any:
    key = reading.keys.get(key_id)
    if key is None:
        return NOT_OPENED
    opened = key.open_fields(box, binding)
    return {name: dated(value) for name, value in opened.items() if name != profiles.OTHER_STAMPS}


# ---- What speaks of two, and proof ----------------------------------------------------------------------------------


def _evidence(reading: _Reading, evidence: Any) -> Any:
    """Evidence without our ids of other customers."""
    if isinstance(evidence, Mapping):
        return {name: _evidence(reading, value) for name, value in evidence.items()}
    if isinstance(evidence, list):
        return [_evidence(reading, value) for value in evidence]
    named = isinstance(evidence, str) and len(evidence.replace("-", "")) == 32
    return OF_ANOTHER if named and evidence not in _own_names(reading) else evidence


def _own_names(reading: _Reading) -> Iterator[str]:
    for each in reading.whom.ids:
        yield from (each.hex(), id_text(each))


def _merges(reading: _Reading) -> Held:
    """Receipts of merges; of one with another customer, neither who that is nor totals of the two."""
    ids = list(reading.whom.ids)
    theirs = or_(receipts.c.kept_customer_id.in_(ids), receipts.c.deleted_customer_id.in_(ids))
    shown = []
    for row in reading.db.execute(select(receipts).where(theirs).order_by(receipts.c.id)).mappings():
        told = {name: _shown(name, value) for name, value in row.items() if name not in UNSHOWN}
        sides = [name for name in ("kept_customer_id", "deleted_customer_id") if row[name] is not None]
        others = [name for name in sides if bytes(row[name]) not in ids]
        if others:
            told |= dict.fromkeys(others, OF_ANOTHER) | {"figures": OF_ANOTHER, "why": None, "undone_why": None}
        shown.append(told | {"kept_because": PROOF, "kept_until": None})
    return Held(receipts.name, PURPOSES[receipts.name], shown)


def _erasures(reading: _Reading) -> Held:
    """Receipts of erasures that name the person, such as of one who was merged into it."""
    names = [cast(erasures.c.id_hashes, Text).contains(name.hex()) for name in reading.whom.hashes]
    rows = reading.db.execute(select(erasures).where(erasures.c.shop_id == reading.shop.id, or_(*names)))
    shown = [
        {name: _shown(name, row[name]) for name in ("id", "cause", "asked_at", "erased_at", "ended_at")}
        | {"kept_because": PROOF, "kept_until": None}
        for row in rows.mappings()
    ]
    return Held("erasures", PURPOSES["erasures"], shown)


def _accesses(reading: _Reading) -> Held:
    theirs = access_log.c.customer_id.in_(list(reading.whom.ids))
    rows = reading.db.execute(select(access_log).where(theirs).order_by(access_log.c.position))
    told = ("position", "at", "actor", "role", "action", "fields", "allowed")
    shown = [
        {name: _shown(name, row[name]) for name in told}
        | {"reason": _reason(reading, dict(row)), "kept_because": PROOF, "kept_until": None}
        for row in rows.mappings()
    ]
    return Held(access_log.name, PURPOSES[access_log.name], shown)


def _reason(reading: _Reading, row: Mapping[str, Any]) -> str | None:
    key = None if row["box"] is None or row["key_id"] is None else reading.keys.get(bytes(row["key_id"]))
    if key is None:
        return None
    return key.open(bytes(row["box"]), access.binding(row["shop_id"], row["position"])).decode("utf-8", "replace")


def _requests(reading: _Reading) -> Held:
    found = requests.of_customers(reading.db, reading.shop.id, reading.whom.ids, reading.whom.hashes)
    shown = [
        {"request": each.id, "topic": each.topic, "state": each.state, "outcome": each.outcome}
        | {"asked_at": iso(each.asked_at), "deadline": iso(each.deadline), "ended_at": iso(each.ended_at)}
        | {"kept_because": PROOF, "kept_until": None}
        for each in found
    ]
    return Held("privacy_requests", PURPOSES["privacy_requests"], shown)


# ---- Until when -----------------------------------------------------------------------------------------------------


def _untils(db: Connection, shop: Shop, who: Whom) -> dict[bytes, tuple[str, Instant | None]]:
    """Why each of these customers is kept, and until when, by our id."""
    table = metadata.tables["customers"]
    found: dict[bytes, tuple[str, Instant | None]] = {}
    for row in db.execute(select(table).where(table.c.id.in_(list(who.ids)))):
        kept = retention.kept(row.state, row.deleted_at, row.keep_until, row.kept_reason, shop.retention_days)
        there = f"the shop has this customer; {shop.retention_days} days after it is deleted there, this goes too"
        found[bytes(row.id)] = (there, None) if kept is None else (kept.why, kept.until)
    return found


def _until(reading: _Reading, entry: Entry, row: Mapping[str, Any]) -> tuple[str, Instant | None]:
    if entry.table == "inbox":
        if row["box"] is None:
            return "that it came is kept as a record, without its body", _body_ends(reading, row)
        return "its body is kept so that mistakes can be found, and its key ends then", _body_ends(reading, row)
    if entry.subject is None or entry.purge == "hash":
        return PROOF, None
    owner = row.get("id" if entry.table == "customers" else "customer_id")
    return reading.untils.get(b"" if owner is None else bytes(owner), (PURPOSES.get(entry.table, ""), None))


def _body_ends(reading: _Reading, row: Mapping[str, Any]) -> Instant:
    day: int = row["day"]
    return (day + 1 + reading.keep_days) * DAY
