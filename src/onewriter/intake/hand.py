"""Hand edits: what a person sets or clears on one customer, by the same normaliser and for the same owners as all else.

Where people own the field it is the customer's value at once. Where a system does, it goes there as a proposal, and is
the customer's once that system says it too. Where we may not write to the owner it is refused, and parked under its
name. Nothing is decided by who typed it last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection

from onewriter.connectors import shopify_fields
from onewriter.customers import links, log, parked, pending, policies, profiles, proposals, systems
from onewriter.customers.log import LogLine
from onewriter.customers.parked import Unplaced
from onewriter.customers.profiles import LIVE, Profile
from onewriter.customers.systems import System
from onewriter.errors import Permanent, UnknownCustomer
from onewriter.intake.apply import lock
from onewriter.intake.others import note_apart
from onewriter.loyalty import facts
from onewriter.loyalty.facts import Written
from onewriter.records import FIELDS, SHOPIFY, Instant, Path, Value
from onewriter.rules import consent, mapping
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import (
    ADDRESS_PART,
    CONSENTS,
    CUSTOM,
    MANUAL,
    ONEWRITER,
    POINTS,
    SHOPIFY_ID,
    Direction,
    FieldMap,
    Policy,
)
from onewriter.rules.tags import is_tags, resplit
from onewriter.vault.vault import ShopVault

TYPED_MAX = 65_536
"""Characters that a value may have as it is typed."""
NOBODY = "nobody"


class CannotSet(Permanent):
    """A field or a value that cannot be set by hand, and why."""


class Outcome(StrEnum):
    """What became of one field."""

    APPLIED = "applied"
    PROPOSED = "sent to its owner"
    PARKED = "parked"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Edit:
    """One field of a hand edit: whose it is, what becomes of it, and what must be said of that."""

    field: str
    value: Value
    owner: str
    outcome: Outcome
    reason: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for, of one customer by its Shopify id: canonical values, None to clear a field."""

    shopify_id: int
    values: Mapping[str, Value]
    by: str
    """user:NAME."""
    keep_days: int = 0


def read_value(policy: Policy, name: str, typed: str | None, *, region: str | None) -> Value:
    """The canonical value of what was typed, None to clear; raises CannotSet in words that never hold the value."""
    refuse_field(policy, name)
    if typed is None:
        return None
    if len(typed) > TYPED_MAX:
        raise CannotSet(f"{name} is longer than {TYPED_MAX:,} characters; nothing was set.")
    told: Value = [part.strip() for part in typed.split(",") if part.strip()] if is_tags(name) else typed
    each = FieldMap(remote=name, direction=Direction.IN)
    value = mapping.inward(name, each, told, region=region, namespaces=policy.namespaces)
    if isinstance(value, Unfit):
        raise CannotSet(f"{name} was not set: {value.reason}{_hint(name)}.")
    if is_tags(name) and len(value or ()) < len(set(told)):
        raise CannotSet(f"Not all of these tags belong to {name}; `onewriter fields show` lists the namespaces.")
    return value


def _hint(name: str) -> str:
    """How such a value is written."""
    if name in CONSENTS:
        return "; it is subscribed or unsubscribed"
    return "; write it with its country code, such as +41446681800" if name == "phone" else ""


def refuse_field(policy: Policy, name: str) -> None:
    """Raise CannotSet for a field that nobody can set by hand, with what to do instead."""
    if name == POINTS:
        raise CannotSet("Points follow from the ledger; `onewriter points adjust` gives and takes them.")
    if name == SHOPIFY_ID:
        raise CannotSet("shopify_id is the customer's identity, and nobody can set it.")
    if name in ("addresses", "state") or name.startswith(ADDRESS_PART):
        raise CannotSet(f"{name} cannot be set by hand here; change it in the system that owns it.")
    if name not in FIELDS and name not in policy.fields:
        wanted = f"give it an owner first: `onewriter fields own {name} manual`" if name.startswith(CUSTOM) else ""
        raise CannotSet(
            f"There is no field {name[:60]!r}; {wanted or '`onewriter fields show` lists those there are'}."
        )


def plan(db: Connection, vault: ShopVault, wish: Wish, now: Instant) -> list[Edit]:
    """What a hand edit would do, field by field; nothing is written."""
    policy = policies.of_shop(db, vault.shop_id)
    return _planned(db, vault, policy, _profile(db, vault, wish.shopify_id), wish, now)


def set_fields(db: Connection, vault: ShopVault, wish: Wish, now: Instant) -> list[Edit]:
    """Carry a hand edit out, in the caller's transaction; it says what became of each field."""
    lock(db, vault, [wish.shopify_id])
    policy = policies.of_shop(db, vault.shop_id)
    profile = _profile(db, vault, wish.shopify_id)
    edits = _planned(db, vault, policy, profile, wish, now)
    assert profile.customer_id is not None
    assert profile.key is not None
    done = [each for each in edits if each.outcome is not Outcome.UNCHANGED]
    profile.log += [_line(profile, each, wish.by, now) for each in done]
    applied = {each.field: each.value for each in done if each.outcome is Outcome.APPLIED}
    profile.own.update(applied)
    profile.changed |= bool(applied)
    profiles.save(db, vault, [profile], now, keep_days=wish.keep_days)
    names = systems.names(db, vault.shop_id)
    marks = [(system, profile.customer_id, name) for name in applied for system in policy.told_of(name, names)]
    pending.mark(db, vault.shop_id, marks, now)
    for each in done:
        if each.outcome is Outcome.PROPOSED:
            place = (each.owner, profile.customer_id, profile.key, each.field)
            proposals.propose(db, vault.shop_id, *place, each.value, wish.by, now)
    parked.park_all(db, vault.shop_id, [_unplaced(profile, each) for each in done if _has_no_place(each)], now)
    if applied:
        note_apart(db, vault, policy, [profile], now)
        parked.agree(db, vault, [(profile.customer_id, profile.key, profile.own)], now)
        facts.take(db, vault, Written([profile], (), (), ()), now)
    return edits


def _profile(db: Connection, vault: ShopVault, shopify_id: int) -> Profile:
    profile = profiles.load(db, vault, [shopify_id]).get(shopify_id)
    if profile is None:
        raise UnknownCustomer("No customer of this shop has that id; `onewriter customers find` looks for it.")
    if profile.state not in LIVE:
        raise CannotSet(f"That customer is {profile.state}, and nothing of it is sent anywhere; nothing was set.")
    return profile


def _planned(
    db: Connection, vault: ShopVault, policy: Policy, profile: Profile, wish: Wish, now: Instant
) -> list[Edit]:
    resplit(profile.own, policy.namespaces)
    there = {each.name: each for each in systems.every(db, vault.shop_id)}
    return [_edit(db, vault, policy, profile, there, wish.by, name, value, now) for name, value in wish.values.items()]


def _edit(
    db: Connection,
    vault: ShopVault,
    policy: Policy,
    profile: Profile,
    there: Mapping[str, System],
    by: str,
    name: str,
    value: Value,
    now: Instant,
) -> Edit:
    owner = policy.owner_of(name)
    if name in CONSENTS:
        value = _consented(profile, name, value, by, now)
    planned = Edit(name, value, owner or NOBODY, Outcome.UNCHANGED)
    if _holds(policy, profile, name, value, vault.region):
        return planned
    assert profile.customer_id is not None
    times = log.times_by_hand(db, profile.customer_id, name)
    if owner == MANUAL:
        return replace(planned, outcome=Outcome.APPLIED, warnings=tuple(_shared_with(policy, name)))
    if owner is None:
        reason = "nobody is written down as its owner"
        return replace(planned, outcome=Outcome.PARKED, reason=reason, warnings=(_own_first(name),))
    refused = _refusal(db, vault, policy, profile, there.get(owner), owner, name, value)
    warnings = tuple(_warnings(name, owner, times))
    if refused is not None:
        return replace(planned, outcome=Outcome.PARKED, reason=f"owned by {owner}: {refused}", warnings=warnings)
    return replace(planned, outcome=Outcome.PROPOSED, reason=f"sent to its owner, {owner}", warnings=warnings)


def _holds(policy: Policy, profile: Profile, name: str, value: Value, region: str | None) -> bool:
    """Whether the customer has just that already; what was never said is not the same as empty."""
    each = FieldMap(remote=name, direction=Direction.IN)
    return name in profile.own and mapping.in_step(
        name, each, profile.own[name], value, region=region, namespaces=policy.namespaces
    )


def _consented(profile: Profile, name: str, value: Value, by: str, now: Instant) -> Value:
    """A consent as a person gives it: now, by name; raises CannotSet where the rules of consent refuse it."""
    told = value
    if value is not None:
        level = value.get("level") or ("single_opt_in" if value["state"] == "subscribed" else None)
        told = {**value, "level": level, "at": now, "source": by}
    taken = consent.step(profile.own.get(name), told, by=by, is_owner=True, bulk=False, now=now)
    if isinstance(taken, consent.Refused):
        raise CannotSet(f"{name} was not set: {taken.reason}.")
    return taken.value


def _refusal(
    db: Connection,
    vault: ShopVault,
    policy: Policy,
    profile: Profile,
    system: System | None,
    owner: str,
    name: str,
    value: Value,
) -> str | None:
    """Why the value cannot be sent to the field's owner; None where it can."""
    if owner == ONEWRITER:
        return "it is made here from other things"
    if system is None:
        return "that system is not connected"
    if owner == SHOPIFY:
        return None if shopify_fields.described(name, writable=True).writable else "Shopify lets nobody write it"
    each = policy.maps(owner).get(name)
    if each is None:
        return "nothing says what it is called there"
    if not _is_writable(system, each.remote):
        return "we may not write it there"
    told = mapping.outward(name, each, value, namespaces=policy.namespaces)
    if isinstance(told, Unfit):
        return told.reason
    assert profile.customer_id is not None
    linked = links.of_customers(db, vault.shop_id, owner, [profile.customer_id])
    return None if linked.get(profile.customer_id) else "it has no record of this customer"


def _is_writable(system: System, remote: str) -> bool:
    """Whether the system said that its field can be written; one that was never asked is given the benefit of doubt."""
    fields = (system.discovered or {}).get("fields", ())
    return next((bool(each.get("writable", True)) for each in fields if each.get("name") == remote), True)


def _warnings(name: str, owner: str, times: int) -> list[str]:
    """What must be said of an edit of what another system writes (requirements M8 and M27)."""
    told = [
        f"{owner} owns {name}: whatever it says next overwrites this. Correct it there, or give the field another "
        f"owner: `onewriter fields own {name}`."
    ]
    if times:
        told.append(
            f"This is hand edit {times + 1} of {name} on this customer: do not keep correcting the same record by "
            f"hand; find out what {owner} writes and why (whose the field is, and in which direction it flows)."
        )
    return told


def _shared_with(policy: Policy, name: str) -> list[str]:
    rule = policy.fields.get(name)
    if rule is None or rule.shared is None:
        return []
    writers = ", ".join(rule.shared.writers)
    return [f"{name} is written by {writers} as well, whose next change may overwrite this."]


def _own_first(name: str) -> str:
    return f"Nobody owns {name}, so nobody may write it; `onewriter fields own {name} manual` gives it to people."


def _line(profile: Profile, edit: Edit, by: str, now: Instant) -> LogLine:
    return LogLine(
        (edit.field,),
        Path.HAND,
        now,
        accepted=edit.outcome is not Outcome.PARKED,
        reason=edit.reason,
        old={edit.field: profile.own.get(edit.field)},
        new={edit.field: edit.value},
        system=MANUAL,
        writer=by,
        kept=True,
    )


def _has_no_place(edit: Edit) -> bool:
    return edit.outcome is Outcome.PARKED


def _unplaced(profile: Profile, edit: Edit) -> Unplaced:
    assert profile.customer_id is not None
    assert profile.key is not None
    was = profile.own.get(edit.field) if is_tags(edit.field) else None
    return Unplaced(profile.customer_id, profile.key, MANUAL, edit.field, edit.value, edit.reason or "", before=was)
