"""Mapping: a value on its way between us and one system, and whether both hold the same.

Outward it goes through the transform and then through the map of words; inward it comes back the same way. What does
not fit is `Unfit`, with a reason that never holds the value: it is parked, and never cut or guessed.
"""

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from onewriter.records import Value
from onewriter.rules import tags
from onewriter.rules.comparing import is_empty, same, same_consent
from onewriter.rules.identity import canonical_email, canonical_phone
from onewriter.rules.policy import ADDRESS_PART, CONSENTS, CUSTOM, POINTS, TAGS, Direction, FieldMap
from onewriter.rules.transforms import STATES, TEXT_MAX, TRANSFORMS, RemoteValue, Transform, undated
from onewriter.rules.transforms import Unfit as Unfit

_FREE = (POINTS, "addresses")
"""Fields that are neither text nor tags nor a consent."""


# ---- Our own side ---------------------------------------------------------------------------------------------------


def own_value(name: str, own: Mapping[str, Value]) -> Value:
    """The value of a policy's field in a customer's own values; a part of the address is that of the default one."""
    if not name.startswith(ADDRESS_PART):
        return own.get(name)
    chosen: Mapping[str, Any] = next((each for each in own.get("addresses") or () if each.get("default")), {})
    return chosen.get(name.removeprefix(ADDRESS_PART))


# ---- Outward --------------------------------------------------------------------------------------------------------


def outward(
    name: str, each: FieldMap, value: Value, *, held: RemoteValue = None, namespaces: Sequence[str] = ()
) -> RemoteValue | Unfit:
    """What the system shall hold, from the owner's value of a field; None is empty.

    Of tags, `held` is what the system held when last read: whatever in it is not of this field stays there. For `tags`
    itself the `namespaces` of the policy say which are not.
    """
    transform = TRANSFORMS[each.transform]
    if tags.is_tags(name):
        return _tags_outward(name, each, transform, value, held, namespaces)
    if is_empty(value):
        return None
    remote = _in_words(each, transform.outward(value, each.options))
    return Unfit("nothing of it is left by its transform") if is_empty(remote) else _fitting(each, remote)


def _fitting(each: FieldMap, remote: RemoteValue | Unfit) -> RemoteValue | Unfit:
    """The value, or why it is too long for the system's field."""
    most = each.max_length
    if most is not None and isinstance(remote, str) and len(remote) > most:
        return Unfit(f"longer than the {most} characters that {each.remote} holds")
    if most is not None and isinstance(remote, list) and any(len(str(one)) > most for one in remote):
        return Unfit(f"one of them is longer than the {most} characters that {each.remote} holds")
    return remote


def _in_words(each: FieldMap, value: Any) -> RemoteValue | Unfit:
    if each.enum is None or isinstance(value, Unfit):
        return value
    word = each.enum.get(_word(value))
    return Unfit(f"not one of the words that the mapping names for {each.remote}") if word is None else word


def _word(value: Any) -> str:
    """How a value stands in the map of words, which holds nothing but texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("state"))
    return str(value)


def _tags_outward(
    name: str, each: FieldMap, transform: Transform, value: Value, held: RemoteValue, namespaces: Sequence[str]
) -> RemoteValue | Unfit:
    """The whole list as the system shall hold it: what it held, less and more what differs of this field."""
    told = sorted(value or ())
    words = told if each.enum is None else [each.enum[tag] for tag in told if tag in each.enum]
    if len(words) < len(told):
        return Unfit(f"one of them is not one of the words that the mapping names for {each.remote}")
    there = _listed(each, transform, held)
    if isinstance(there, Unfit):
        return there
    add, remove = tags.differences(there, words, lambda tag: _is_of(name, each, tag, namespaces))
    whole = sorted({*there, *add} - {*remove})
    remote = transform.outward(whole, each.options) if whole else None
    # What stands there already has its place there: only what comes to it can be too long.
    fits = _fitting(each, add if isinstance(remote, list) else remote) if add else remote
    return fits if isinstance(fits, Unfit) else remote


def _listed(each: FieldMap, transform: Transform, remote: RemoteValue) -> list[str] | Unfit:
    """The list that the system holds, in its own words."""
    if is_empty(remote):
        return []
    read = remote if transform.inward is None else transform.inward(remote, each.options)
    if isinstance(read, Unfit):
        return read
    if isinstance(read, list) and all(isinstance(one, str) for one in read):
        return [unicodedata.normalize("NFC", one).strip() for one in read if one.strip()]
    return Unfit("not a list of words")


def _is_of(name: str, each: FieldMap, remote_tag: str, namespaces: Sequence[str]) -> bool:
    """Whether a tag that the system holds belongs to this field; one that a map of words does not name never does."""
    ours = remote_tag if each.enum is None else _inverse(each.enum).get(remote_tag)
    return ours is not None and tags.home_of(ours, {*namespaces, name} - {TAGS}) == name


# ---- Inward ---------------------------------------------------------------------------------------------------------


def inward(
    name: str, each: FieldMap, remote: RemoteValue, *, region: str | None, namespaces: Sequence[str] = ()
) -> Value | Unfit:
    """Our canonical value, from what the system holds; None is empty.

    `region` is the shop's country, for numbers without a country code. What cannot be led back is Unfit.
    """
    transform = TRANSFORMS[each.transform]
    if transform.inward is None:
        return Unfit("cannot be read back from what the system holds, since its transform loses a part")
    if tags.is_tags(name):
        return _tags_inward(name, each, transform, remote, namespaces)
    if is_empty(remote):
        return None
    word = _out_of_words(each, remote)
    if isinstance(word, Unfit):
        return word
    options = {"country": region, **each.options} if "country" in transform.options else each.options
    value = word if isinstance(word, dict) else transform.inward(word, options)
    return value if isinstance(value, Unfit) else _as_ours(name, value, region)


def _inverse(enum: Mapping[str, str]) -> dict[str, str]:
    """The map of words backwards; a word that stands for two of ours leads back to neither."""
    found: dict[str, str] = {}
    twice = set()
    for ours, theirs in enum.items():
        (twice.add(theirs) if theirs in found else found.__setitem__(theirs, ours))
    return {theirs: ours for theirs, ours in found.items() if theirs not in twice}


def _out_of_words(each: FieldMap, remote: RemoteValue) -> Any:
    if each.enum is None:
        return remote
    ours = _inverse(each.enum).get(_word(remote))
    return Unfit(f"not one of the words that the mapping names for {each.remote}") if ours is None else ours


def _tags_inward(
    name: str, each: FieldMap, transform: Transform, remote: RemoteValue, namespaces: Sequence[str]
) -> Value | Unfit:
    there = _listed(each, transform, remote)
    if isinstance(there, Unfit):
        return there
    words = _inverse(each.enum) if each.enum is not None else {}
    return sorted({words.get(tag, tag) for tag in there if _is_of(name, each, tag, namespaces)}) or None


def _as_ours(name: str, value: Any, region: str | None) -> Value | Unfit:
    """A value in the form that the field has here, whichever way it came."""
    if name == "email":
        return _email(value)
    if name in ("phone", "address.phone"):
        return _phone(value, region)
    if name in CONSENTS:
        return _consent(value)
    if isinstance(value, str):
        return _text(value)
    if name in _FREE or name.startswith(CUSTOM):
        return _free(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else Unfit("not a text")


def _text(value: str) -> Value | Unfit:
    if len(value) > TEXT_MAX:
        return Unfit(f"longer than {TEXT_MAX:,} characters")
    return unicodedata.normalize("NFC", value.replace("\0", "")).strip() or None


def _free(value: Any) -> Value | Unfit:
    """A value of any sort, as far as it can be kept: JSON has neither bytes nor a number that is none."""
    if isinstance(value, list | dict):
        try:
            length = len(json.dumps(value, allow_nan=False, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError):
            return Unfit("not plain JSON")
        return value if length <= TEXT_MAX else Unfit(f"longer than {TEXT_MAX:,} characters")
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return Unfit("not plain JSON")


def _email(value: Any) -> Value | Unfit:
    return (canonical_email(value) if isinstance(value, str) else None) or Unfit("not an email address")


def _phone(value: Any, region: str | None) -> Value | Unfit:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number = canonical_phone(str(value), region) if isinstance(value, str | int) else None
    if number is None:
        return Unfit("not a phone number that can be told for sure")
    return Unfit("a phone number with an extension, which has no place here") if ";" in number else number


def _consent(value: Any) -> Value | Unfit:
    if isinstance(value, str):
        value = {"state": value}
    if not isinstance(value, dict):
        return Unfit("not a consent")
    state = str(value.get("state")).strip().lower()
    state = "not_subscribed" if state == "never_subscribed" else state
    if state not in STATES:
        return Unfit("not one of the words for a consent")
    at, level = value.get("at"), value.get("level")
    told: dict[str, Any] = {"state": state, "level": level.lower() if isinstance(level, str) else None}
    told |= {"at": at if isinstance(at, int) and not isinstance(at, bool) else None}
    return told | ({"source": value["source"]} if isinstance(value.get("source"), str) else {})


# ---- In step --------------------------------------------------------------------------------------------------------


def in_step(
    name: str,
    each: FieldMap,
    own: Value,
    remote: RemoteValue,
    *,
    region: str | None,
    namespaces: Sequence[str] = (),
) -> bool:
    """Whether both hold the same, whichever way it is written; what cannot be decided is not in step."""
    told: RemoteValue | Unfit = remote
    if tags.is_tags(name):
        told = inward(name, each, remote, region=region, namespaces=namespaces)
    if name in CONSENTS and (is_empty(own) or is_empty(remote)):
        return _is_unasked(name, each, own, remote, region)
    kept = False if isinstance(told, Unfit) else _kept(each, own, told)
    if kept is not None:
        return kept
    if tags.is_tags(name):
        return same(name, own, told, region)
    if TRANSFORMS[each.transform].lossy or not _leads_back(each.enum):
        return _same_there(name, each, own, remote, region)
    told = inward(name, each, remote, region=region)
    if not isinstance(told, Unfit) and (same_consent(own, told) if name in CONSENTS else same(name, own, told, region)):
        return True
    if isinstance(told, Unfit):
        return _same_there(name, each, own, remote, region)
    # What we would write there is in step, though it comes back in another form.
    written = outward(name, each, own)
    return bool(written == remote) and same("", written, remote, region)


def is_made_of(told: Any, written: Any) -> bool:
    """Whether a system may have made one text of the other by itself: capitals, blanks left out, the end cut off."""
    if not isinstance(told, str) or not isinstance(written, str):
        return False
    short, whole = ("".join(text.split()).casefold() for text in (told, written))
    return bool(short) and whole.startswith(short)


def _leads_back(enum: Mapping[str, str] | None) -> bool:
    return enum is None or len(set(enum.values())) == len(enum)


def _is_unasked(name: str, each: FieldMap, own: Value, remote: RemoteValue, region: str | None) -> bool:
    """Whether two consents of which one is empty are in step: it says no more than that nobody was asked.

    An owner that says nothing takes nothing back. Where the owner never said anything, nobody else can have an opt-in.
    """
    if is_empty(own) and is_empty(remote):
        return True
    if each.direction is Direction.IN:
        return is_empty(remote)
    if is_empty(remote):
        return isinstance(own, dict) and own.get("state") == "not_subscribed"
    return any(_same_there(name, each, undated(state), remote, region) for state in ("not_subscribed", "unsubscribed"))


def _kept(each: FieldMap, own: Value, told: Any) -> bool | None:
    """Whether they are in step because of what is empty; None where neither is."""
    ours, theirs = is_empty(own), is_empty(told)
    if not ours and not theirs:
        return None
    return (ours and theirs) or (each.empty == "keep" and (ours if each.direction is Direction.OUT else theirs))


def _same_there(name: str, each: FieldMap, own: Value, remote: RemoteValue, region: str | None) -> bool:
    """Whether the system holds what we would write there."""
    told = outward(name, each, own)
    if isinstance(told, Unfit):
        return False
    if name in CONSENTS and _leads_back(each.enum):
        there, back = (inward(name, each, one, region=region) for one in (remote, told))
        return same_consent(back, there)
    return same("", told, remote, region)
