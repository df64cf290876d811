"""Customers: found by what they are known by, listed, and shown with all that is known of each; usually masked."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select
from typing_extensions import TypedDict

from onewriter.customers import aliases, clean, listing, log, policies, retention
from onewriter.customers import find as finding
from onewriter.customers.find import Found
from onewriter.customers.people import Role
from onewriter.customers.search import Answer, search
from onewriter.customers.shops import Shop
from onewriter.db.tables import customers
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import UnknownCustomer
from onewriter.records import dated, iso
from onewriter.vault.vault import ShopVault

LINES_MAX = 200
"""Lines of a history that are shown."""


class CustomerDocument(TypedDict):
    """A customer. Values are masked unless they were revealed; times are ISO 8601 in UTC."""

    id: str
    shop: str
    shopify_id: int | None
    state: str
    created_at: str | None
    heard_at: str | None
    changed_at: str | None
    deleted_at: str | None
    confirmed_at: str | None
    fields: dict[str, Any]


class WholeCustomer(CustomerDocument):
    """A customer with the owner of each field, and with what became of it."""

    owners: dict[str, str | None]
    merged_into: int | None
    merged_from: list[int]
    kept_until: str | None
    kept_because: str | None


class CustomerPage(TypedDict):
    """A page of customers."""

    items: list[CustomerDocument]
    next: str | None


class Searched(TypedDict):
    """What a search found, and of whom it may be silent."""

    items: list[CustomerDocument]
    caveats: list[str]


class History(TypedDict):
    """The newest lines of a customer's log, and when each field was last in step with each system."""

    history: list[dict[str, Any]]
    last_clean: dict[str, dict[str, str | None]]


def document(shop: Shop, found: Found) -> CustomerDocument:
    """A customer as one JSON document."""
    return {
        "id": found.id_text,
        "shop": shop.domain,
        "shopify_id": found.shopify_id,
        "state": found.state,
        "created_at": iso(found.created_at),
        "heard_at": iso(found.heard_at),
        "changed_at": iso(found.changed_at),
        "deleted_at": iso(found.deleted_at),
        "confirmed_at": iso(found.confirmed_at),
        "fields": {name: dated(value) for name, value in found.fields.items()},
    }


# ---- Finding --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, named: str | None, cursor: str | None, limit: int, *, gone: bool = False) -> CustomerPage:
    """A page of customers, the newest first; with `gone`, of those who are gone from the shop, the latest first."""
    keys = paging.behind(cursor, int, str)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        behind = None if keys is None else (keys[0], paging.id_of(keys[1]))
        found, end = listing.listed(db, caller.runtime.vault(shop.id), limit, gone=gone, behind=behind)
    following = None if end is None else paging.cursor(end[0], end[1].hex())
    return {"items": [document(shop, each) for each in found], "next": following}


def searched(caller: Caller, named: str | None, text: str, limit: int, *, only_live: bool = False) -> Searched:
    """The customers that a text can mean: an id, an email address, a phone number, or words of a name."""
    with caller.runtime.database.read() as db:
        role = caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        answered = search(
            db, caller.runtime.vault(shop.id), text, limit, only_live=only_live, beginnings=role.covers(Role.STAFF)
        )
    told = caveats(answered, shop, beginnings=role.covers(Role.STAFF))
    return {"items": [document(shop, each) for each in answered.found], "caveats": told}


def caveats(answered: Answer, shop: Shop, *, beginnings: bool) -> list[str]:
    """What must be said of an answer, beside it: whom it may be silent of, and why."""
    told = []
    if answered.building:
        told.append(
            "The index is still being built: somebody may not be found by name yet; `onewriter runs list` shows it."
        )
    if answered.more:
        told.append("More may match: give more letters, another word, or a larger --limit.")
    if not beginnings:
        told.append("A viewer finds names by whole words alone; by their beginnings, whoever may see names.")
    if answered.found:
        return told
    if answered.too_short:
        return [*told, "Nobody has just that as a name; for the beginning of a name give three letters or more."]
    return [*told, f"No customer of {shop.domain} has that id, email address, phone number or name."]


# ---- Showing --------------------------------------------------------------------------------------------------------


def shown(caller: Caller, named: str | None, text: str, reveal_why: str | None = None) -> WholeCustomer:
    """One customer with the owner of each field; in clear with a reason to, which is in the access log first."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        found = finding.show(db, runtime.vault(shop.id), text)
    if reveal_why is not None:
        revealed_now = revealed(caller, shop, [found], reveal_why)
        if not revealed_now:
            raise UnknownCustomer("That customer was erased at this moment.")
        found = revealed_now[0]
    with runtime.database.read() as db:
        return _whole(db, shop, runtime.vault(shop.id), found)


def id_only(given: str) -> str:
    """An id as it stands in an address; raises UnknownCustomer for anything else that a customer is known by."""
    if not finding.is_id(given):
        raise UnknownCustomer("That is no id of a customer: give Shopify's number, or our id.")
    return given


def own_id(told: CustomerDocument) -> bytes:
    """Our id of a customer, as it is kept."""
    return UUID(told["id"]).bytes


def _whole(db: Connection, shop: Shop, vault: ShopVault, found: Found) -> WholeCustomer:
    kept = retention.kept_of(db, shop, found.id)
    number = found.shopify_id
    return {
        **document(shop, found),
        "owners": dict(policies.of_shop(db, shop.id).owners),
        "merged_into": None if number is None else aliases.into(db, vault, number),
        "merged_from": [] if number is None else list(aliases.merged_away(db, vault, number)),
        "kept_until": None if kept is None else iso(kept.until),
        "kept_because": None if kept is None else kept.why,
    }


def revealed(caller: Caller, shop: Shop, found: Sequence[Found], why: str) -> list[Found]:
    """The same customers with their values, opened once it is written down who sees them."""
    caller.permit_reveal(shop, [About(one.id, fields=list(one.fields)) for one in found], why)
    with caller.runtime.database.read() as db:
        return finding.opened(db, caller.runtime.vault(shop.id), [one.id for one in found])


# ---- Their history --------------------------------------------------------------------------------------------------


def history(caller: Caller, customer_id: bytes, field: str | None, reveal_why: str | None = None) -> History:
    """The newest lines of a customer's log, and when each field was last in step with each system.

    With a reason to reveal it has the values before and after where they are kept. The reveal of the customer itself,
    which must come first, is what stands in the access log.
    """
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER if reveal_why is None else Role.STAFF)
        shop_id = _shop_of(db, customer_id)
        if reveal_why is None:
            lines = log.of_customer(db, customer_id, LINES_MAX, field)
        else:
            lines = log.opened(db, runtime.vault(shop_id), customer_id, LINES_MAX, field)
        found = clean.last_clean(db, shop_id, customer_id)
    last: dict[str, dict[str, str | None]] = {}
    for (system, name), at in found.items():
        if field is None or name == field:
            last.setdefault(system, {})[name] = iso(at)
    return {"history": [_line(line) for line in lines], "last_clean": last}


def _shop_of(db: Connection, customer_id: bytes) -> int:
    shop_id: int = db.execute(select(customers.c.shop_id).where(customers.c.id == customer_id)).scalar_one()
    return shop_id


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(line) | {"at": iso(line["at"]), "heard_at": iso(line["heard_at"])}
    for name in ("old", "new"):
        if told.get(name) is not None:
            told[name] = {field: dated(value) for field, value in told[name].items()}
    return told
