"""How links are told: which record is whose and why, and of a pair that waits what either side says, masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import owned, policies, remote, strangers
from onewriter.customers.deciding import COMPARED
from onewriter.customers.links import Link
from onewriter.customers.shops import Shop
from onewriter.records import id_text, iso
from onewriter.rules.masking import mask
from onewriter.vault.vault import ShopVault


class LinkDocument(TypedDict):
    """A record and a customer; what either says only of a pair, the system's own id only where it was revealed."""

    shop: str
    system: str
    record: str
    customer: str
    shopify_id: int | None
    state: str
    matched_by: str
    reason: str
    policy_version: int
    made_at: str | None
    made_by: str
    record_says: NotRequired[dict[str, Any]]
    customer_has: NotRequired[dict[str, Any]]
    record_id: NotRequired[str | None]


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


def documents(shop: Shop, found: Sequence[Link], seen: Seen, *, reveal: bool) -> list[LinkDocument]:
    """Links, with the true id of each record only where that was asked for."""
    return [_document(shop, each, seen, reveal=reveal) for each in found]


def _document(shop: Shop, one: Link, seen: Seen, *, reveal: bool) -> LinkDocument:
    told: LinkDocument = {
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
    if reveal:
        told["record_id"] = seen.ids.get((one.system, one.record))
    return told


def pair_documents(shop: Shop, found: Sequence[Link], seen: Seen, *, reveal: bool) -> list[LinkDocument]:
    """Pairs that wait for a person, with what either side says, masked unless it was asked for."""
    told = documents(shop, found, seen, reveal=reveal)
    for each, one in zip(told, found, strict=True):
        each["record_says"] = _values(seen.told.get((one.system, one.record), {}), reveal=reveal)
        each["customer_has"] = _values(seen.held.get(one.customer_id, {}), reveal=reveal)
    return told


def _values(told: Mapping[str, Any], *, reveal: bool) -> dict[str, Any]:
    return {name: told.get(name) if reveal else mask(name, told.get(name)) for name in COMPARED}
