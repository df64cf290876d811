"""Releasing parked values: what a person decides should go its way after all."""

from sqlalchemy import Connection

from onewriter.customers import owned, parked, pending, policies, systems
from onewriter.customers.parked import NotParked, Parked
from onewriter.intake import hand
from onewriter.intake.apply import lock
from onewriter.intake.hand import CannotSet, Outcome, Wish
from onewriter.records import Instant
from onewriter.rules import mapping
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import MANUAL, Direction, FieldMap
from onewriter.rules.tags import is_tags, with_change
from onewriter.vault.vault import ShopVault


def release(db: Connection, vault: ShopVault, identity: bytes, by: str, now: Instant, *, keep_days: int) -> str:
    """Release a parked value and say what becomes of it. Raises CannotSet where its owner cannot be given it either."""
    one = parked.get(db, vault.shop_id, identity)
    lock(db, vault, list(owned.numbers(db, vault.shop_id, [one.customer_id]).values()))
    # Ended before anything is done: of two who decide in one moment, the second finds nothing left to decide.
    parked.end_one(db, one.id, parked.RELEASED, by, now)
    return _send_again(db, vault, one, now) if one.direction == parked.OUT else _set(db, vault, one, by, now, keep_days)


def _send_again(db: Connection, vault: ShopVault, one: Parked, now: Instant) -> str:
    """Have the system told once more of what the field's owner says by now."""
    systems.get(db, vault.shop_id, one.system)
    pending.mark(db, vault.shop_id, [(one.system, one.customer_id, one.field)], now)
    return f"{one.system} is told of {one.field} again in its next cycle"


def _set(db: Connection, vault: ShopVault, one: Parked, by: str, now: Instant, keep_days: int) -> str:
    """Set the value by hand, as whoever releases it; it is read as what that system holds."""
    values = parked.values(vault, [one])
    policy = policies.of_shop(db, vault.shop_id)
    person = owned.load(db, vault, [one.customer_id], policy.namespaces).get(one.customer_id)
    if one.id not in values or person is None:
        raise NotParked("That customer was erased; nothing is left to release.")
    hand.refuse_field(policy, one.field)
    each = FieldMap(remote=one.field, direction=Direction.IN)
    value = mapping.inward(one.field, each, values[one.id], region=vault.region, namespaces=policy.namespaces)
    if isinstance(value, Unfit):
        raise CannotSet(f"{one.field} cannot be released: {value.reason}; correct it in {one.system}, or drop it.")
    if is_tags(one.field):
        # Others have come since, and stay; of a first word nobody knows what it took away.
        before = parked.befores(vault, [one])[one.id]
        value = with_change(person.fields.get(one.field), before, value)
    wish = Wish(shopify_id=person.shopify_id, values={one.field: value}, by=by, keep_days=keep_days)
    [edit] = hand.plan(db, vault, wish, now)
    if edit.outcome is Outcome.PARKED:
        raise CannotSet(f"{one.field} cannot be released: {edit.reason}.")
    hand.set_fields(db, vault, wish, now)
    if edit.outcome is Outcome.UNCHANGED:
        return f"{one.field} is so already"
    return f"{one.field} is set" if edit.owner == MANUAL else f"{one.field} is sent to {edit.owner}, which owns it"
