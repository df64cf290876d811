"""How links look: for JSON, and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.cli.output import say, table
from onewriter.customers import owned, policies, remote, strangers
from onewriter.customers.deciding import COMPARED
from onewriter.customers.links import Link
from onewriter.customers.shops import Shop
from onewriter.records import id_text, iso
from onewriter.rules.masking import mask
from onewriter.vault.vault import ShopVault

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """The records and the customers that links are about, opened; what is gone or erased meanwhile is not there."""

    ids: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(system, record): the id that the system has for it."""
    told: Mapping[tuple[str, str], Mapping[str, str | None]] = field(default_factory=dict)
    """(system, record): what it says."""
    held: Mapping[bytes, Mapping[str, Any]] = field(default_factory=dict)
    """Customer: what it has."""
    numbers: Mapping[bytes, int] = field(default_factory=dict)
    """Customer: its Shopify id."""

    @classmethod
    def look(cls, db: Connection, vault: ShopVault, found: Sequence[Link]) -> "Seen":
        """Open what these links are about. Nothing of it is shown unmasked before that is permitted."""
        policy = policies.of_shop(db, vault.shop_id)
        ids, told = {}, {}
        for system in {each.system for each in found}:
            names = [each.record for each in found if each.system == system]
            for name, one in remote.load(db, vault, system, names).items():
                ids[system, name] = one.id
                told[system, name] = strangers.of_side(policy, one, vault.region).written
        people = owned.load(db, vault, [each.customer_id for each in found])
        held = {identity: one.fields for identity, one in people.items()}
        return cls(ids, told, held, {identity: one.shopify_id for identity, one in people.items()})


def documents(shop: Shop, found: Sequence[Link], seen: Seen, *, reveal: bool) -> list[Document]:
    """Links for JSON, with the true id of each record only where that was asked for."""
    return [_document(shop, each, seen) | (_true_id(each, seen) if reveal else {}) for each in found]


def _document(shop: Shop, one: Link, seen: Seen) -> Document:
    return {
        "shop": shop.domain,
        "system": one.system,
        "record": one.record,
        "customer": id_text(one.customer_id),
        "shopify_id": seen.numbers.get(one.customer_id),
        "state": one.state,
        "matched_by": one.matched_by,
        "reason": one.reason,
        "policy_version": one.rule_version,
        "made_at": iso(one.made_at),
        "made_by": one.made_by,
    }


def _true_id(one: Link, seen: Seen) -> Document:
    return {"record_id": seen.ids.get((one.system, one.record))}


def pair_documents(shop: Shop, found: Sequence[Link], seen: Seen, *, reveal: bool) -> list[Document]:
    """Pairs that wait for a person, with what either side says, masked unless it was asked for."""
    told = []
    for one in found:
        says, has = seen.told.get((one.system, one.record), {}), seen.held.get(one.customer_id, {})
        sides = {"record_says": _values(says, reveal=reveal), "customer_has": _values(has, reveal=reveal)}
        told.append(_document(shop, one, seen) | sides | (_true_id(one, seen) if reveal else {}))
    return told


def _values(told: Mapping[str, Any], *, reveal: bool) -> Document:
    return {name: told.get(name) if reveal else mask(name, told.get(name)) for name in COMPARED}


def tell_links(told: Sequence[Document], *, reveal: bool) -> None:
    """Tell people which records are whose."""
    if not told:
        say("Nothing is linked there, and nothing waits to be.")
        return
    columns = ["system", "record", *(["record_id"] if reveal else []), "customer", "shopify_id", "state", "matched_by"]
    columns += ["reason", "made_at", "made_by"]
    table([name.upper().replace("_", " ") for name in columns], ([each[name] for name in columns] for each in told))


def tell_pairs(told: Sequence[Document]) -> None:
    """Tell people which pairs wait for them."""
    if not told:
        say("No link waits to be looked at.")
        return
    for place, each in enumerate(told):
        if place:
            say()
        say(f"Record {each['record']} of {each['system']}, customer {each['shopify_id'] or each['customer']}")
        say(f"By {each['matched_by']}: {each['reason']}, since {each['made_at']}")
        rows = [[name, each["record_says"][name], each["customer_has"][name]] for name in COMPARED]
        table(("FIELD", "THE RECORD SAYS", "THE CUSTOMER HAS"), rows)
