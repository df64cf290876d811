"""What people decide about links: that a record is somebody's, that it may be, and that it is not.

What was decided by hand stands above the identity rule: a pair that was taken apart is never proposed again, until
somebody links it by hand.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, delete

from onewriter.customers import links, parked, pending, policies, remote, strangers
from onewriter.customers.links import BROKEN, GONE, LINKED, PERSON, REVIEW, Found, Link, Linked, NotLinked, Review
from onewriter.db.systemtables import expectations
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

COMPARED = ("first_name", "last_name", "email", "phone")
"""What a person compares who decides."""
TWO_PEOPLE = "a person said that they are not the same"
BY_HAND = "a person said that they are the same"
PARKED_MAX = 10_000
UNLINKED = "its link was broken"
"""The outcome of values that were parked of a record which was taken for another customer's."""

_NO_EXPECTATION = delete(expectations).where(
    expectations.c.shop_id == bindparam("b_shop"),
    expectations.c.system == bindparam("b_system"),
    expectations.c.record_id == bindparam("b_record"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A record of a system, by its keyed name, and a customer."""

    system: str
    record: str
    customer_id: bytes


def link_found(
    db: Connection, vault: ShopVault, system: str, found: Mapping[str, Found], rule_version: int, by: str, now: Instant
) -> dict[str, bytes]:
    """Write down what was found of records, as `links.link` does, and take back what was linked too early.

    Who is linked must not depend on which of two records happens to be read first. `erasing.end` must follow the
    commit.
    """
    back = {name: each for name, each in found.items() if isinstance(each, Review) and each.unlinks}
    if back:
        links.lock(db, vault, {one for each in back.values() for one in each.customer_ids}, back)
        known = links.among(db, vault.shop_id, system, back)
        # What a person has said meanwhile stands.
        early = [each for each in known if each.state == LINKED and each.matched_by != PERSON]
        detach(db, vault, system, [each.record for each in early], now)
        links.remove(db, vault.shop_id, early)
    return links.link(db, vault, system, found, rule_version, by, now)


def link_by_hand(db: Connection, vault: ShopVault, pair: Pair, by: str, now: Instant) -> Link:
    """Link a record to a customer because a person says so, though they were taken apart once. Raises NotLinked.

    The next cycle brings in what the record owns, and tells it the rest.
    `erasing.end` must follow the commit.
    """
    _lock(db, vault, pair)
    if pair.record not in remote.glance(db, vault.shop_id, pair.system, [pair.record]):
        raise NotLinked(f"{pair.system} has told of no such record, or has it no more.")
    whose = links.of_records(db, vault.shop_id, pair.system, [pair.record]).get(pair.record)
    if whose == pair.customer_id:
        raise NotLinked("They are linked already.")
    if whose is not None:
        raise NotLinked("That record is another customer's; break that link first, with `onewriter links break`.")
    theirs = links.of_people(db, vault.shop_id, [pair.customer_id])
    if any(each.system == pair.system and each.state == LINKED and not each.reason.endswith(GONE) for each in theirs):
        raise NotLinked(
            f"That customer has a record in {pair.system} already; break that link first, with `onewriter links break`."
        )
    found = {pair.record: Linked(pair.customer_id, PERSON, BY_HAND)}
    policy = policies.of_shop(db, vault.shop_id)
    if pair.record not in links.link(db, vault, pair.system, found, policy.version, by, now):
        raise NotLinked("That customer was deleted or merged away, so nothing can be linked to it.")
    told = [(pair.system, pair.customer_id, name) for name in policy.goes_out(pair.system)]
    pending.mark(db, vault.shop_id, told, now)
    return _get(db, vault, pair)


def accept(db: Connection, vault: ShopVault, pair: Pair, by: str, now: Instant) -> Link:
    """Link a pair that waits to be looked at. Raises NotLinked. `erasing.end` must follow the commit."""
    _lock(db, vault, pair)
    _must_be(_get(db, vault, pair), REVIEW)
    return link_by_hand(db, vault, pair, by, now)


def refuse(db: Connection, vault: ShopVault, pair: Pair, by: str, now: Instant) -> Link:
    """Say of a pair that waits to be looked at that they are two; it is never proposed again. Raises NotLinked."""
    _lock(db, vault, pair)
    _must_be(_get(db, vault, pair), REVIEW)
    return _break(db, vault, pair, by, now)


def break_link(db: Connection, vault: ShopVault, pair: Pair, by: str, now: Instant) -> Link:
    """Take a record and a customer apart, for good. Raises NotLinked.

    The record belongs to nobody from now on. What the customer took over from it stays, and can be set right by hand.
    """
    _lock(db, vault, pair)
    _must_be(_get(db, vault, pair), LINKED)
    detach(db, vault, pair.system, [pair.record], now)
    told = parked.listed(db, vault.shop_id, PARKED_MAX, system=pair.system, customer_id=pair.customer_id)
    parked.end(db, [each.id for each in told if each.direction == parked.IN], UNLINKED, by, now)
    return _break(db, vault, pair, by, now)


def _break(db: Connection, vault: ShopVault, pair: Pair, by: str, now: Instant) -> Link:
    known = _get(db, vault, pair)
    broken = replace(known, state=BROKEN, reason=TWO_PEOPLE, made_at=now, made_by=by)
    links.put(db, vault.shop_id, [broken])
    return broken


def _lock(db: Connection, vault: ShopVault, pair: Pair) -> None:
    """Keep whoever decides about either of them away, before anything is looked at."""
    links.lock(db, vault, [pair.customer_id], [pair.record])


def _get(db: Connection, vault: ShopVault, pair: Pair) -> Link:
    return links.get(db, vault.shop_id, pair.system, pair.record, pair.customer_id)


def _must_be(one: Link, state: str) -> None:
    if one.state != state:
        told = {LINKED: "is linked", BROKEN: "was taken apart", REVIEW: "waits to be looked at"}[one.state]
        raise NotLinked(f"That pair {told}; `onewriter links show` tells how each stands.")


def detach(db: Connection, vault: ShopVault, system: str, names: Collection[str], now: Instant) -> None:
    """Give the sides of these records keys of their own: they belong to nobody from now on."""
    sides = remote.load(db, vault, system, list(names))
    made = vault.keys.make_subject_keys(vault.shop_id, len(sides), now)
    for each, (identity, key) in zip(sides.values(), made, strict=True):
        each.customer_id, each.key_id, each.key = None, identity, key
        links.forget_reading(each)
    strangers.index(db, vault, policies.of_shop(db, vault.shop_id), sides.values(), now)
    remote.save(db, vault, sides.values(), now)
    gone = [{"b_shop": vault.shop_id, "b_system": system, "b_record": name} for name in names]
    if gone:
        db.execute(_NO_EXPECTATION, gone)
