"""Opt-outs that somebody told who does not own the consent, and that its owner has not confirmed yet.

The owner's word stays what the owner said. But whatever onewriter tells anybody else goes by the most restrictive word
that it has heard: until the owner says one thing or the other, nobody hears from us that such a person is subscribed.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select

from onewriter.customers import parked, pending
from onewriter.customers.owned import Owned
from onewriter.customers.pending import pending_marks
from onewriter.db.tables import parked_values
from onewriter.records import Instant, Value
from onewriter.rules import consent
from onewriter.rules.policy import CONSENTS, Policy
from onewriter.vault.vault import ShopVault

NOBODY_TOLD = "an opt-out, which nobody can be told of: set it by hand"
"""Why an opt-out is parked from a consent that no system owns."""
_OUT = "unsubscribed"


def hold(
    db: Connection, vault: ShopVault, policy: Policy, system: str, people: Mapping[bytes, Owned], now: Instant
) -> None:
    """Have these customers be as opted out as anybody has said, for a system that does not own the consent."""
    names = {name for name in policy.maps(system) if name in CONSENTS and policy.owner_of(name) != system}
    if not names or not people:
        return
    for identity, name, value in (*_proposed(db, vault, policy, people, names), *_parked(db, vault, people, names)):
        person = people[identity]
        if counts(person.fields.get(name), value, now):
            person.fields[name] = value


def counts(own: Value, told: Value, now: Instant) -> bool:
    """Whether what was told is an opt-out that the customer has not opted in again after."""
    if not isinstance(told, dict) or told.get("state") != _OUT:
        return False
    taken = consent.step(own, told, by="", is_owner=False, bulk=False, now=now)
    return isinstance(taken, consent.Taken)


def _proposed(
    db: Connection, vault: ShopVault, policy: Policy, people: Mapping[bytes, Owned], names: set[str]
) -> Iterator[tuple[bytes, str, Value]]:
    """What is on its way to the owners of these consents."""
    for owner in sorted({owner for name in names if (owner := policy.owner_of(name)) is not None}):
        for mark in pending.of_customers(db, vault.shop_id, owner, list(people)):
            if mark.box is not None and mark.field in names:
                bound = pending.binding(vault.shop_id, owner, mark.customer_id, mark.field)
                key = people[mark.customer_id].key
                yield mark.customer_id, mark.field, key.open_fields(mark.box, bound).get(mark.field)


def _parked(
    db: Connection, vault: ShopVault, people: Mapping[bytes, Owned], names: set[str]
) -> Iterator[tuple[bytes, str, Value]]:
    """What the owners of these consents would not have, and what there is nobody to tell of."""
    keys = {identity: person.key for identity, person in people.items()}
    for identity, name, value in parked.open_values(db, vault, keys):
        if name in names:
            yield identity, name, value


def told_by(db: Connection, shop_id: int, system: str) -> set[tuple[bytes, str]]:
    """The opt-outs that a system told and nobody has confirmed: whose, and from which consent."""
    proposed = select(pending_marks.c.customer_id, pending_marks.c.field).where(
        pending_marks.c.shop_id == shop_id, pending_marks.c.set_by == system, pending_marks.c.field.in_(CONSENTS)
    )
    left = select(parked_values.c.customer_id, parked_values.c.field).where(
        parked_values.c.shop_id == shop_id, parked_values.c.system == system, parked_values.c.ended_at.is_(None),
        parked_values.c.reason == NOBODY_TOLD,
    )  # fmt: skip
    return {(bytes(row.customer_id), row.field) for query in (proposed, left) for row in db.execute(query)}
