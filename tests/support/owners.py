"""A shop where other systems own fields: policy and systems as a test wants them, and what is held of people."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from onewriter.customers import clean, log, parked, policies, profiles, systems
from onewriter.customers.log import Logged
from onewriter.customers.profiles import Profile
from onewriter.db import systemtables
from onewriter.db.tables import customers, links
from onewriter.intake import hand
from onewriter.intake.hand import Edit, Wish
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy, of_shopify, to_document
from tests.support.marked import of_system
from tests.support.shops import Tea

OUT, IN = Direction.OUT, Direction.IN
BY = "user:ben"


def give(
    tea: Tea,
    now: Instant,
    owners: Mapping[str, str],
    maps: Mapping[str, Mapping[str, FieldMap]] | None = None,
) -> Policy:
    """A new version of the shop's policy: these owners beside Shopify, and how systems hold fields."""
    fields = dict(of_shopify().fields) | {name: FieldRule(owner=owner) for name, owner in owners.items()}
    with tea.runtime.database.write() as db:
        version = policies.of_shop(db, tea.shop_id).version + 1
        policy = Policy(version=version, fields=fields, systems=maps or {})
        row = {"shop_id": tea.shop_id, "version": version, "at": now, "set_by": BY, "document": to_document(policy)}
        db.execute(insert(systemtables.policies).values(row))
    return policy


def connect(tea: Tea, now: Instant, name: str, *, creates: bool = False, **columns: Any) -> None:
    """A system beside Shopify."""
    row: dict[str, Any] = {"kind": "sql", "state": "active", "box": b"", "creates": creates, "full_hours": 24}
    row |= {"agreed_version": 1, "allowed": {}, "added_at": now, "added_by": BY, "changed_at": now}
    with tea.runtime.database.write() as db:
        systems.add(db, tea.shop_id, name, row | columns)


def link(tea: Tea, now: Instant, system: str, shopify_id: int) -> None:
    """A record of that system that is known to be this customer."""
    row = {"shop_id": tea.shop_id, "system": system, "record_id": f"{shopify_id:032x}"}
    row |= {"customer_id": held(tea, shopify_id).customer_id, "state": "linked", "matched_by": "email"}
    with tea.runtime.database.write() as db:
        db.execute(insert(links).values(row | {"rule_version": 1, "reason": "test", "made_at": now, "made_by": BY}))


def say(tea: Tea, shopify_id: int, values: Mapping[str, Any], now: Instant) -> None:
    """Have the owners of these fields have said so, as a cycle writes it down."""
    profile = held(tea, shopify_id)
    profile.own.update(values)
    profile.changed = True
    with tea.runtime.database.write() as db:
        profiles.save(db, tea.vault, [profile], now)


def held(tea: Tea, shopify_id: int) -> Profile:
    profile = tea.profile(shopify_id)
    assert profile is not None
    return profile


def marks(tea: Tea, system: str) -> set[tuple[int, str]]:
    """What a system must still be told of: Shopify id and field."""
    with tea.runtime.database.read() as db:
        found = of_system(db, tea.shop_id, system)
        wanted = select(customers.c.id, customers.c.shopify_id)
        numbers = {bytes(row.id): row.shopify_id for row in db.execute(wanted)}
    return {(numbers[each.customer_id], each.field) for each in found}


def parked_of(tea: Tea, *, ended: bool = False) -> list[tuple[str, str, str, Any]]:
    """What is parked: system, direction, field and value."""
    with tea.runtime.database.read() as db:
        found = parked.listed(db, tea.shop_id, 1000, ended=ended)
        values = parked.values(tea.vault, found)
    return [(one.system, one.direction, one.field, values[one.id]) for one in found]


def lines(tea: Tea, shopify_id: int, field: str | None = None) -> list[Mapping[str, Any]]:
    """The log of a customer with its values, the newest first."""
    customer_id = held(tea, shopify_id).customer_id
    assert customer_id is not None
    with tea.runtime.database.read() as db:
        return log.opened(db, tea.vault, customer_id, 100, field)


def refused(tea: Tea, since: Instant, field: str | None = None) -> list[Logged]:
    with tea.runtime.database.read() as db:
        return log.disallowed(db, tea.shop_id, since, field)


def last_clean(tea: Tea, shopify_id: int, system: str = SHOPIFY) -> dict[str, Instant | None]:
    customer_id = held(tea, shopify_id).customer_id
    assert customer_id is not None
    with tea.runtime.database.read() as db:
        found = clean.last_clean(db, tea.shop_id, customer_id)
    return {name: at for (named, name), at in found.items() if named == system}


def set_by_hand(tea: Tea, number: int, now: Instant, /, **typed: str | None) -> list[Edit]:
    """What `customers set` does with what was typed; None clears."""
    with tea.runtime.database.write() as db:
        policy = policies.of_shop(db, tea.shop_id)
        values = {name: hand.read_value(policy, name, value, region=tea.vault.region) for name, value in typed.items()}
        wish = Wish(shopify_id=number, values=values, by=BY, keep_days=30)
        return hand.set_fields(db, tea.vault, wish, now)
