"""Consent: a state machine for each channel, in which the most restrictive wins.

Who took part once more must say so alone and newly: an opt-in counts only from the field's owner, one person at a time,
with its time and its source. An opt-out counts from everybody. Nobody gets subscribed by a mapping, an import or a
merge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onewriter.records import SHOPIFY, Instant, Value
from onewriter.rules.transforms import STATES, Unfit

_RANKS = {"subscribed": 0, "pending": 1, "not_subscribed": 2, "unsubscribed": 3, "invalid": 4, "redacted": 5}
"""The greater, the less may be sent."""
_ENDS = ("invalid", "redacted")
"""States that only Shopify sets, and nobody leaves."""
_TIMES = range(1, 4_102_444_800_000_000)
"""Times that a consent can have been given at, to the year 2100; any other is a clock's mistake, or another unit."""
LEVELS = ("single_opt_in", "confirmed_opt_in", "unknown")

Consent = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What the consent is from now on."""

    value: Value


@dataclass(frozen=True, slots=True)
class Refused:
    """Why what was told is not taken up."""

    reason: str


def step(held: Value, told: Value, *, by: str, is_owner: bool, bulk: bool, now: Instant) -> Taken | Refused:
    """What becomes of a consent when a system tells another one.

    `told` is news: what that system told before and tells again is not for here. `bulk` is true for whatever changes
    many at once: an import, a first reading, a change of the mapping. What is dated in the future was dated by a clock
    that is off, and counts as told now.
    """
    if told is None:
        return Taken(held) if held is None else Refused("a consent is never emptied; an opt-out must be told as one")
    if not isinstance(told, Mapping) or told.get("state") not in STATES:
        return Refused("not one of the words for a consent")
    told = _dated(told, now)
    before = held["state"] if held else "not_subscribed"
    if before in _ENDS and told["state"] != before:
        return Refused(f"a consent that is {before} is never left")
    if told["state"] == before:
        return Taken(_newest(held, told) if is_owner or held is None else held)
    if _RANKS[told["state"]] > _RANKS[before]:
        return _opt_out(held, told, is_owner, now)
    return _opt_in(held, told, by, is_owner, bulk)


def _opt_out(held: Consent | None, told: Consent, is_owner: bool, now: Instant) -> Taken | Refused:
    if told["state"] == "not_subscribed" and not is_owner:
        return Refused("that nobody was asked there takes nothing back that was said elsewhere")
    given = _at(held) if held else None
    # When an opt-in was given that is dated in the future nobody knows, so that it keeps nobody from opting out.
    if given is not None and given <= now and _at(told) is not None and _at(told) < given:
        return Refused("older than the opt-in that came after it")
    return Taken(dict(told))


def _opt_in(held: Consent | None, told: Consent, by: str, is_owner: bool, bulk: bool) -> Taken | Refused:
    if told["state"] == "not_subscribed":
        return Refused("an opt-out is not taken back by saying that nobody was asked")
    if not is_owner:
        return Refused("an opt-in counts only from the owner of the consent")
    if bulk:
        return Refused("nobody is subscribed in bulk")
    if _at(told) is None:
        return Refused("an opt-in without its time")
    if not told.get("source") and by != SHOPIFY:
        return Refused("an opt-in without its source")
    if held and _at(held) is not None and _at(told) <= _at(held):
        return Refused("an opt-in that is no newer than what is held")
    return Taken(dict(told))


def _newest(held: Consent | None, told: Consent) -> Value:
    """Of two that say the same, the one with the later time; what the later does not say is kept from the other."""
    if not held:
        return dict(told)
    first, then = (held, told) if (_at(told) or 0) >= (_at(held) or 0) else (told, held)
    return {**first, **{key: value for key, value in then.items() if value is not None}}


def _dated(told: Consent, now: Instant) -> Consent:
    """The consent, with the present time where it says that it was given later."""
    at = _at(told)
    return told if at is None or at <= now else {**told, "at": now}


def _at(consent: Consent) -> Any:
    """When it was given, where that can be; else None."""
    at = consent.get("at")
    return at if isinstance(at, int) and not isinstance(at, bool) and at in _TIMES else None


def writable_to_shopify(value: Value) -> Value | Unfit:
    """The consent as Shopify takes it, or why it cannot: it takes three states only, and an opt-in with its level."""
    if not isinstance(value, Mapping) or value.get("state") not in STATES:
        return Unfit("not a consent, and Shopify cannot empty one")
    state, level = value["state"], value.get("level")
    if state == "not_subscribed":
        return Unfit("Shopify cannot be told that nobody was asked; an opt-out must be told as unsubscribed")
    if state in _ENDS:
        return Unfit(f"only Shopify itself makes a consent {state}")
    if state == "pending" and level != "confirmed_opt_in":
        return Unfit("Shopify takes a pending consent only with a confirmed opt-in")
    if state == "subscribed" and level not in LEVELS:
        return Unfit("Shopify takes an opt-in only with its level")
    return dict(value)
