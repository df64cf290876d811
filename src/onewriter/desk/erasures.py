"""Erasing a customer for good, and the receipts of what was erased."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import erasing, find, findings, shops
from onewriter.customers.erasing import Asked
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.intake.apply import lock
from onewriter.intake.redact import erase_all
from onewriter.records import id_text, iso
from onewriter.vault.vault import ShopVault

ERASE = "erase"


class ReceiptDocument(TypedDict):
    """The receipt of an erasure: hashes of ids, counts and times, and nothing of a person."""

    id: str
    shop: str
    cause: str
    delivery: int | None
    asked_at: str | None
    erased_at: str | None
    ids: list[str]
    rows: dict[str, int]
    keys_destroyed_at: str | None


class ReceiptPage(TypedDict):
    """A page of receipts, the newest first."""

    items: list[ReceiptDocument]
    next: str | None


class Erased(TypedDict):
    """What an erasure came to; no customer where only the id is remembered as erased."""

    shop: str
    erased: int
    erased_at: str | None
    receipt: str


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom an erasure would take."""

    shop: Shop
    number: int
    """Shopify's id."""
    customers: int
    """How many would go: the customer, and who was merged into it."""
    held: bool
    about: tuple[About, ...]

    @property
    def told(self) -> str:
        """Whom an erasure takes, in words for the one who must confirm it."""
        if not self.held:
            return f"customer {self.number}, of whom nothing is held (is that the right id?),"
        others = self.customers - 1
        return f"customer {self.number}" + (f" and {others} merged into it" if others else "")


# ---- Receipts -------------------------------------------------------------------------------------------------------


def receipts(caller: Caller, cursor: str | None, limit: int) -> ReceiptPage:
    """A page of the receipts of erasures, the newest first."""
    keys = paging.behind(cursor, str)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        found = erasing.receipts(db, limit + 1, None if keys is None else paging.id_of(keys[0]))
    kept, following = paging.page(found, limit, lambda each: (bytes(each["id"]).hex(),))
    return {"items": [document(each, domains[each["shop_id"]]) for each in kept], "next": following}


def document(receipt: Mapping[str, Any], domain: str) -> ReceiptDocument:
    """A receipt as one JSON document."""
    return {
        "id": id_text(bytes(receipt["id"])),
        "shop": domain,
        "cause": receipt["cause"],
        "delivery": receipt["position"],
        "asked_at": iso(receipt["asked_at"]),
        "erased_at": iso(receipt["erased_at"]),
        "ids": receipt["id_hashes"],
        "rows": receipt["counts"],
        "keys_destroyed_at": iso(receipt["ended_at"]),
    }


# ---- Erasing --------------------------------------------------------------------------------------------------------


def whom(caller: Caller, named: str | None, text: str) -> Whom:
    """Whom an erasure would take: the customer with that id of Shopify's or of ours, and who was merged into it."""
    with caller.runtime.database.read() as db:
        shop = choose_shop(db, named)
        vault = caller.runtime.vault(shop.id)
        number = find.shopify_id_meant(db, shop.id, text)
        return _whom(db, shop, vault, number)


def _whom(db: Connection, shop: Shop, vault: ShopVault, number: int) -> Whom:
    find.refuse_erased(db, vault, number)
    numbers = erasing.with_merged(db, vault, number)
    about = [About(each) for each in findings.customer_ids_of(db, shop.id, numbers).values()] or [About()]
    held = findings.customer_id_of(db, shop.id, number) is not None
    return Whom(shop, number, len(numbers), held, tuple(about))


def erase(caller: Caller, named: str | None, text: str, why: str, *, seen: int) -> Erased:
    """Erase a customer and all who were merged into it, for good.

    `seen` is how many somebody was told that it takes; where more were merged into it since, they are told again.
    """
    said = reason(why)
    meant = whom(caller, named, text)
    _refuse_others(meant, seen)
    runtime, shop, moment = caller.runtime, meant.shop, caller.now
    caller.permit(Role.OWNER, ERASE, meant.about, shop_id=shop.id, why=said)
    vault = runtime.vault(shop.id)
    with runtime.database.write() as db:
        # Somebody else may have erased them, or merged others into them, since we looked.
        lock(db, vault, [meant.number])
        _refuse_others(_whom(db, shop, vault, meant.number), seen)
        erased = erase_all(db, vault, meant.number, Asked(f"by {caller.who}", moment), moment)
    receipt = id_text(erased.receipt)
    log = structlog.get_logger(__name__)
    log.warning("customer erased", actor=caller.who, shop=shop.domain, receipt=receipt)
    erasing.end(runtime.database, runtime.keys, moment)
    return {"shop": shop.domain, "erased": erased.customers, "erased_at": iso(moment), "receipt": receipt}


def _refuse_others(meant: Whom, seen: int) -> None:
    if seen != meant.customers:
        raise BadInput(f"It takes {meant.customers} customers by now; look again, and then decide.", "customers")
