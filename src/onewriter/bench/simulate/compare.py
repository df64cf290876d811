"""The shop's own state against our sides and our customers, opened; and what was acknowledged against the inbox."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from onewriter.bench.simulate.erasures import erased
from onewriter.bench.simulate.truth import EXISTENCE, REDACT, fields_of, merged_on, merges_heard, named, redactions
from onewriter.customers import aliases, marks, profiles, questions, runs, shops
from onewriter.customers import inbox as inboxes
from onewriter.customers.inbox import WAITING
from onewriter.customers.profiles import ACTIVE, MERGED, Profile
from onewriter.db.pointtables import order_marks
from onewriter.db.tables import customers, field_log, inbox, sides
from onewriter.records import FIELDS
from onewriter.rules.aliasing import AliasState
from onewriter.runtime import Runtime
from onewriter.sandbox import Shop
from onewriter.sandbox.customer import Customer

RUNS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one customer, or its existence, that is not as in the shop. It holds no value."""

    shopify_id: int
    field: str
    what: str
    """Where it differs: `side`, `customer`, `missing`, `extra`, or `merged`."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What we hold of a customer."""

    profile: Profile
    merged_into: int | None


def differences(runtime: Runtime, shop: Shop) -> list[Difference]:
    """What differs between the shop and us, in the order of the customers."""
    ours, heard, redacted = _ours(runtime), merges_heard(shop), redactions(shop)
    truth = {record.id: record for record in shop.snapshot()}
    found = [difference for number, record in truth.items() for difference in _of_one(record, ours.get(number))]
    for number in ours.keys() - truth.keys():
        found.extend(_of_gone(number, ours[number], merged_on(shop, number), heard, redacted))
    return sorted(found, key=lambda each: (each.shopify_id, each.field, each.what))


def _of_one(record: Customer, ours: Ours | None) -> Iterator[Difference]:
    if ours is None or ours.profile.state != ACTIVE:
        yield Difference(record.id, EXISTENCE, "missing")
        return
    expected = fields_of(record)
    for name in FIELDS:
        if ours.profile.side.get(name) != expected[name]:
            yield Difference(record.id, name, "side")
        elif ours.profile.own.get(name) != expected[name]:
            yield Difference(record.id, name, "customer")


def _of_gone(
    number: int, ours: Ours, chain: list[int], heard: set[int], redacted: Collection[int]
) -> Iterator[Difference]:
    """A customer that the shop does not have any more is hidden; where we were told of a merge, it is merged.

    A merge that we were never told of cannot always be proved, and may look like a deletion. So does one into a
    customer who was erased before it was settled: afterwards it would have gone with that customer.
    """
    merged = ours.profile.state == MERGED
    if ours.profile.state == ACTIVE:
        yield Difference(number, EXISTENCE, "extra")
    elif not set(redacted).isdisjoint(chain):
        if merged:
            yield Difference(number, EXISTENCE, "merged")
    elif (merged and ours.merged_into not in chain) or (not merged and number in heard):
        yield Difference(number, EXISTENCE, "merged")


def _ours(runtime: Runtime) -> dict[int, Ours]:
    with runtime.database.read() as db:
        (shop,) = shops.every(db)
        vault = runtime.vault(shop.id)
        known = list(db.execute(select(customers.c.shopify_id)).scalars())
        held = profiles.load(db, vault, known)
        merges = aliases.load(db, vault, known)
    into = {number: alias.kept_id for number, alias in merges.items() if alias.state is AliasState.SETTLED}
    return {number: Ours(profile, into.get(number)) for number, profile in held.items()}


def doubled(runtime: Runtime) -> list[str]:
    """What is there twice and must not be, in words."""
    with runtime.database.read() as db:
        twice = {
            "customers": _twice(db, customers.c.shopify_id),
            "sides": _twice(db, sides.c.record_id),
            "deliveries": _twice(db, inbox.c.webhook_id),
        }
        lines = select(field_log.c.customer_id, field_log.c.cause, field_log.c.fields).where(
            field_log.c.accepted, field_log.c.cause.is_not(None)
        )
        counted = Counter((bytes(row.customer_id), row.cause, row.fields) for row in db.execute(lines))
    twice["effects of one delivery"] = sum(number > 1 for number in counted.values())
    return [f"{number} {what} are there twice" for what, number in twice.items() if number]


def _twice(db: Any, column: Any) -> int:
    groups = select(column).group_by(column).having(func.count() > 1).subquery()
    counted: int = db.execute(select(func.count()).select_from(groups)).scalar_one()
    return counted


def missing(runtime: Runtime, shop: Shop) -> list[str]:
    """The acknowledged deliveries that are not in the inbox exactly once, by webhook id.

    Of those about customers who were erased, only the redactions are left.
    """
    gone = erased(runtime, shop).keys()
    taken = [sent for sent in shop.deliveries if sent.status == "acknowledged"]
    acknowledged = [sent.webhook_id for sent in taken if sent.topic == REDACT or gone.isdisjoint(named(sent))]
    with runtime.database.read() as db:
        kept = Counter(db.execute(select(inbox.c.webhook_id)).scalars())
    return [webhook_id for webhook_id in acknowledged if kept[webhook_id] != 1]


def is_settled(runtime: Runtime) -> bool:
    """True when nothing waits with us: no delivery, no customer or order to be read, no question, and no run."""
    with runtime.database.read() as db:
        (shop,) = shops.every(db)
        waiting = inboxes.open_counts(db).get(WAITING, 0) + marks.count(db, shop.id) + questions.count(db)
        waiting += db.execute(select(func.count()).select_from(order_marks)).scalar_one()
        return not waiting and all(run.over for run in runs.newest(db, RUNS_MAX))
