"""Finding customers again: by Shopify id, by our id, by email or phone through the blind index; and counting them."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from onewriter.customers import names
from onewriter.customers import tombstones as stones
from onewriter.customers.profiles import ACTIVE, LIVE, customer_binding
from onewriter.db.bulk import in_chunks
from onewriter.db.tables import customers, tombstones
from onewriter.errors import UnknownCustomer
from onewriter.records import FIELDS, Instant, Value, id_text, iso
from onewriter.rules.identity import canonical_email, phone_forms
from onewriter.rules.masking import mask
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

GID = re.compile(r"gid://shopify/Customer/([0-9]+)")
SHOPIFY_ID_MAX = 2**63 - 1

_SHOWN = (
    customers.c.id, customers.c.shopify_id, customers.c.state, customers.c.box, customers.c.created_at,
    customers.c.heard_at, customers.c.changed_at, customers.c.deleted_at, customers.c.confirmed_at,
)  # fmt: skip

# SQLite would walk the whole shop by one of its indexes, if it saw that it could; hence the sum.
_THESE = select(*_SHOWN).where(
    customers.c.id.in_(bindparam("ids", expanding=True)), customers.c.shop_id + 0 == bindparam("shop_id")
)


@dataclass(frozen=True, slots=True)
class Found:
    """One customer as it may be shown: masked, unless its values were asked for and the reason given."""

    id: bytes
    shopify_id: int | None
    state: str
    fields: Mapping[str, Value]
    created_at: Instant | None
    heard_at: Instant
    changed_at: Instant
    deleted_at: Instant | None
    confirmed_at: Instant | None

    @property
    def id_text(self) -> str:
        """Our id as people see it."""
        return id_text(self.id)


def find(db: Connection, vault: ShopVault, wanted: str, most: int, *, reveal: bool = False) -> list[Found]:
    """The customers that a text can mean: a Shopify id or gid, our id, an email address or a phone number.

    Hidden (deleted) customers are found too, and say so.
    """
    text = wanted.strip()
    meanings = [_same_id(text), _ids_with(db, vault, text)]
    ids: set[bytes] = set()
    # One query each: a choice between indexes is no good reason to use none of them.
    for meant in (each for some in meanings for each in some):
        query = select(customers.c.id).where(customers.c.shop_id == vault.shop_id, meant)
        ids.update(bytes(each) for each in db.execute(query.order_by(customers.c.id).limit(most)).scalars())
    return [shown(row, opened, reveal=reveal) for row, opened in open_rows(db, vault, sorted(ids)[:most])]


def show(db: Connection, vault: ShopVault, wanted: str, *, reveal: bool = False) -> Found:
    """The one customer that a text means; raises UnknownCustomer for none or for several."""
    found = find(db, vault, wanted, 2, reveal=reveal)
    if not found:
        number = _shopify_number(wanted.strip())
        if number is not None:
            refuse_erased(db, vault, number)
        raise UnknownCustomer("No customer of this shop has that id, email address or phone number.")
    if len(found) > 1:
        raise UnknownCustomer("Several customers share that value; `onewriter customers find` lists them.")
    return found[0]


def opened(db: Connection, vault: ShopVault, ids: Sequence[bytes]) -> list[Found]:
    """These customers with their values, by our ids; who was erased meanwhile is left out."""
    return [shown(row, values, reveal=True) for row, values in open_rows(db, vault, ids)]


def count_active(db: Connection, shop_id: int) -> int:
    """How many customers of the shop are not hidden."""
    query = select(func.count()).select_from(customers)
    # Whoever is hidden has a time of deletion, which an index has; their state would be looked up row by row.
    counted: int = db.execute(
        query.where(customers.c.shop_id == shop_id, customers.c.deleted_at.is_(None))
    ).scalar_one()
    return counted


def active_ids(db: Connection, shop_id: int, before: Instant, after_id: int, most: int) -> Sequence[int]:
    """The Shopify ids of customers that are not hidden and were made before that, in order, from behind `after_id`."""
    made = func.coalesce(customers.c.created_at, customers.c.heard_at)
    query = select(customers.c.shopify_id).where(
        customers.c.shop_id == shop_id, customers.c.shopify_id > after_id, customers.c.state == ACTIVE, made < before
    )
    return list(db.execute(query.order_by(customers.c.shopify_id).limit(most)).scalars())


def shopify_id_meant(db: Connection, shop_id: int, text: str) -> int:
    """The Shopify id that a text means: the id itself, its gid, or our id of a customer; raises UnknownCustomer."""
    own = _own_id(text.strip())
    if own is not None:
        known = select(customers.c.shopify_id).where(customers.c.shop_id == shop_id, customers.c.id == own)
        found: int | None = db.execute(known).scalar()
        if found is None:
            raise UnknownCustomer("No customer of this shop has that id; `onewriter customers find` looks for it.")
        return found
    number = _shopify_number(text.strip())
    if number is None:
        raise UnknownCustomer("That is no id of a customer: give Shopify's number or gid, or our id.")
    return number


def any_newer(db: Connection, customer_ids: Sequence[bytes], since: Instant) -> bool:
    """True if one of these customers was made after that, or first heard of where Shopify did not say when."""
    newer = func.coalesce(customers.c.created_at, customers.c.heard_at) > since
    wanted = select(customers.c.id).where(customers.c.id.in_(list(customer_ids)), newer).limit(1)
    return bool(customer_ids) and db.execute(wanted).first() is not None


def refuse_erased(db: Connection, vault: ShopVault, shopify_id: int) -> None:
    """Raise UnknownCustomer, in words that say why, for a customer that was erased."""
    name = vault.key.id_hash(shopify_id)
    erased = stones.purged_at(db, vault.shop_id, [name]).get(name)
    if erased is not None:
        raise UnknownCustomer(
            f"That customer was erased at {iso(erased)} and cannot be brought back: nothing is kept or taken up of it. "
            "`onewriter privacy receipts` lists what was erased."
        )


def account(db: Connection, shop_id: int, since: Instant, until: Instant) -> dict[str, int]:
    """What an import must add up to: in the shop at its start, plus created, less deleted and erased, is active now."""
    created = select(func.count()).select_from(customers).where(*_created(shop_id, since, until))
    return {
        "active": count_active(db, shop_id),
        "created_meanwhile": db.execute(created).scalar_one(),
        "deleted_meanwhile": len(deleted_between(db, shop_id, since, until)) + _buried(db, shop_id, since, until),
        "erased_meanwhile": _buried(db, shop_id, since, until, erased=True),
    }


def created_between(db: Connection, shop_id: int, since: Instant, until: Instant) -> Sequence[int]:
    """The Shopify ids of the customers that Shopify made in that time."""
    return list(db.execute(select(customers.c.shopify_id).where(*_created(shop_id, since, until))).scalars())


def deleted_between(db: Connection, shop_id: int, since: Instant, until: Instant) -> Sequence[int]:
    """The Shopify ids of the customers that were deleted in that time."""
    query = select(customers.c.shopify_id).where(
        customers.c.shop_id == shop_id, customers.c.deleted_at >= since, customers.c.deleted_at <= until
    )
    return list(db.execute(query).scalars())


def _created(shop_id: int, since: Instant, until: Instant) -> tuple[ColumnElement[bool], ...]:
    return (customers.c.shop_id == shop_id, customers.c.created_at >= since, customers.c.created_at <= until)


def _buried(db: Connection, shop_id: int, since: Instant, until: Instant, *, erased: bool = False) -> int:
    """Customers that were deleted in that time before we ever read them; or those that were erased in it."""
    meanwhile = (tombstones.c.deleted_at >= since, tombstones.c.deleted_at <= until)
    purged = tombstones.c.purged_at.is_not(None) if erased else tombstones.c.purged_at.is_(None)
    query = select(func.count()).select_from(tombstones).where(tombstones.c.shop_id == shop_id, *meanwhile, purged)
    counted: int = db.execute(query).scalar_one()
    return counted


def is_id(text: str) -> bool:
    """True for a text that has the shape of an id, whether or not somebody has it."""
    return _shopify_number(text) is not None or _own_id(text) is not None


def _same_id(text: str) -> list[ColumnElement[bool]]:
    """The ids that a text can stand for."""
    meanings: list[ColumnElement[bool]] = []
    number = _shopify_number(text)
    if number is not None:
        meanings.append(customers.c.shopify_id == number)
    own = _own_id(text)
    if own is not None:
        meanings.append(customers.c.id == own)
    return meanings


def _ids_with(db: Connection, vault: ShopVault, text: str) -> list[ColumnElement[bool]]:
    """The address and the number that a text can stand for; a number can be an id besides."""
    email, phones = canonical_email(text), phone_forms(text, vault.region)
    if email is None and not phones:
        return []
    keys = vault.index.live(names.version_of(db, vault.shop_id))
    meanings: list[ColumnElement[bool]] = []
    if email is not None:
        meanings.append(customers.c.email_token.in_([key.token("email", email) for key in keys]))
    if phones:
        tokens = [key.token("phone", phone) for key in keys for phone in phones]
        meanings.append(customers.c.phone_token.in_(tokens))
    return meanings


def _shopify_number(text: str) -> int | None:
    gid = GID.fullmatch(text)
    number = gid.group(1) if gid else text
    digits = number.isascii() and number.isdecimal() and len(number) <= len(str(SHOPIFY_ID_MAX))
    return int(number) if digits and 0 < int(number) <= SHOPIFY_ID_MAX else None


def _own_id(text: str) -> bytes | None:
    try:
        return uuid.UUID(text).bytes if len(text) == 36 else None
    except ValueError:
        return None


def open_rows(db: Connection, vault: ShopVault, ids: Sequence[bytes]) -> list[tuple[Any, dict[str, Value]]]:
    """These customers' rows with their values, in that order; who is erased at this moment is left out."""
    rows: dict[bytes, Any] = {}
    for some in in_chunks(ids):
        for row in db.execute(_THESE, {"shop_id": vault.shop_id, "ids": some}):
            rows[bytes(row.id)] = row
    keys = vault.keys.subject_keys(rows, leave_destroyed=True) if rows else {}
    return [(rows[each], _open(vault, rows[each], keys[each])) for each in ids if each in rows and each in keys]


def live_among(db: Connection, ids: Sequence[bytes]) -> list[bytes]:
    """Those of these customers that are not hidden, in that order."""
    live: set[bytes] = set()
    for some in in_chunks(ids):
        those = (customers.c.id.in_(some), customers.c.state.in_(LIVE))
        live.update(bytes(each) for each in db.execute(select(customers.c.id).where(*those)).scalars())
    return [each for each in ids if each in live]


def _open(vault: ShopVault, row: Any, key: SubjectKey) -> dict[str, Value]:
    return key.open_fields(bytes(row.box), customer_binding(vault.shop_id, bytes(row.id)))


def shown(row: Any, opened: Mapping[str, Value], *, reveal: bool) -> Found:
    """A customer's row as it may be shown."""
    names = [*(name for name in FIELDS if name in opened), *sorted(opened.keys() - set(FIELDS))]
    fields = {name: opened[name] if reveal else mask(name, opened[name]) for name in names}
    values = dict(row._mapping) | {"id": bytes(row.id), "fields": fields}
    del values["box"]
    return Found(**values)


def ids_by_email(db: Connection, vault: ShopVault, email: str | None) -> list[bytes]:
    """Our ids of all customers of the shop with that email address, hidden ones too, in order."""
    return _ids_by(db, vault, customers.c.email_token, lambda key: vault.email_token(key, email))


def ids_by_phone(db: Connection, vault: ShopVault, phone: str | None) -> list[bytes]:
    """Our ids of all customers of the shop with that phone number, hidden ones too, in order."""
    return _ids_by(db, vault, customers.c.phone_token, lambda key: vault.phone_token(key, phone))


def _ids_by(
    db: Connection, vault: ShopVault, column: ColumnElement[Any], token_of: Callable[[IndexKey], bytes | None]
) -> list[bytes]:
    """Whoever has a token, whichever of the shop's index keys has made it."""
    keys = vault.index.live(names.version_of(db, vault.shop_id))
    tokens = [token for key in keys if (token := token_of(key)) is not None]
    if not tokens:
        return []
    theirs = select(customers.c.id).where(customers.c.shop_id == vault.shop_id, column.in_(tokens))
    return [bytes(each) for each in db.execute(theirs.order_by(customers.c.id)).scalars()]
