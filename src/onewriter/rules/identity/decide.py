"""Decisions: whether two records are about one person, by which key, and what speaks against it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from onewriter.rules.identity.nicknames import KNOWN
from onewriter.rules.identity.people import Agreement, Name, Names, compare_names
from onewriter.rules.identity.records import Prepared
from onewriter.rules.identity.rule import IdentityRule, KeyKind
from onewriter.rules.identity.strength import Strength

Verdict = Literal["match", "review", "no_match"]
Key = tuple[str, str]
"""A key that records can share: id, email, soft email, phone or soft phone, and the value."""

ID, EMAIL, SOFT_EMAIL, PHONE, SOFT_PHONE = "id", "email", "soft email", "phone", "soft phone"
ORDER = (ID, EMAIL, SOFT_EMAIL, PHONE, SOFT_PHONE)
"""Of the keys, the strongest first."""
OF_KIND: Mapping[KeyKind, tuple[str, ...]] = {"id": (ID,), "email": (EMAIL, SOFT_EMAIL), "phone": (PHONE, SOFT_PHONE)}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of two values or records, and why."""

    decision: Verdict
    key: str | None
    """The key that decided; None where they share none."""
    reason: str
    vetoes: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    """What differed in format only, where they match."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What is known of keys from all records together, and of pairs from people's decisions."""

    refused: Mapping[Key, str] = field(default_factory=dict)
    """Keys that too many share, and how many."""
    contested: frozenset[Key] = frozenset()
    """Keys that two people share by their names: whoever shares it without a whole name may be either."""
    apart: frozenset[frozenset[str]] = frozenset()
    """Pairs of record ids of which a person said that they are not the same."""


NOTHING_SHARED = Shared()
NO_KEY = Decision("no_match", None, "they share no key")


def decide(one: Prepared, other: Prepared, rule: IdentityRule, *, shared: Shared = NOTHING_SHARED) -> Decision:
    """Whether two records are about one person. The same whichever comes first.

    The strongest key that links decides; where none does, the strongest that is worth a look. An id links whatever
    the names are; a veto stands above every key.
    """
    vetoes = vetoes_between(one, other, shared)
    names = compare_names(one.name, other.name)
    best: Decision | None = None
    for found in _links(one, other, rule, names, shared):
        if best is None or _worth(found) > _worth(best):
            best = found
        if best.decision == "match":
            break
    if best is None:
        return NO_KEY if not vetoes else Decision("no_match", None, NO_KEY.reason, vetoes)
    if not vetoes or best.decision == "no_match":
        return Decision(best.decision, best.key, best.reason, (*vetoes, *best.vetoes))
    if best.key == ID and vetoes == (DOB,):
        return Decision("review", ID, "one id, and two dates of birth", vetoes)
    return Decision("no_match", best.key, f"{best.reason}; but {vetoes[0]}", vetoes)


DOB = "different dates of birth"
ACCOUNTS = "two live accounts of one system"
APART = "a person said that they are not the same"
REDACTED = "one of them was redacted"


def vetoes_between(one: Prepared, other: Prepared, shared: Shared = NOTHING_SHARED) -> tuple[str, ...]:
    """What forbids that two records are one person, whatever key they share."""
    found = []
    if one.redacted or other.redacted:
        found.append(REDACTED)
    if shared.apart and frozenset((one.record_id, other.record_id)) in shared.apart:
        found.append(APART)
    if one.is_live and other.is_live and has_other_ids(one.ids[:1], other.ids[:1]):
        found.append(ACCOUNTS)
    if one.dob and other.dob and one.dob.isdisjoint(other.dob):
        found.append(DOB)
    return tuple(found)


def has_other_ids(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """True if one system calls them by two ids."""
    theirs = dict(each.split(":", 1) for each in other)
    return any(theirs.get(system, number) != number for system, number in (each.split(":", 1) for each in one))


def keys_of(record: Prepared, rule: IdentityRule) -> Iterator[Key]:
    """Every key of a record that can link it; what is blocked is none."""
    if "id" in rule.keys:
        for each in record.ids:
            yield ID, each
    if "email" in rule.keys and record.email.strength != "blocked" and record.email.tight not in rule.blocked:
        yield from _two(EMAIL, record.email.tight, SOFT_EMAIL, record.email.soft)
    if "phone" in rule.keys and record.phone.strength != "blocked" and record.phone.tight not in rule.blocked:
        yield from _two(PHONE, record.phone.tight, SOFT_PHONE, record.phone.soft)


def _two(kind: str, tight: str | None, soft_kind: str, soft: str | None) -> Iterator[Key]:
    if tight is not None:
        yield kind, tight
    if soft is not None:
        yield soft_kind, soft


def _links(one: Prepared, other: Prepared, rule: IdentityRule, names: Names, shared: Shared) -> Iterator[Decision]:
    """What each key that both have says, in the order of the rule."""
    mine = set(keys_of(one, rule))
    common = [key for key in keys_of(other, rule) if key in mine]
    for kind in (name for each in rule.keys for name in OF_KIND[each]):
        for key in common:
            if key[0] == kind and not (kind in (SOFT_EMAIL, SOFT_PHONE) and _is_tight_too(kind, common)):
                yield _of_key(key, one, other, rule, names, shared)


def _is_tight_too(soft: str, common: list[Key]) -> bool:
    tight = EMAIL if soft == SOFT_EMAIL else PHONE
    return any(kind == tight for kind, _ in common)


def _of_key(key: Key, one: Prepared, other: Prepared, rule: IdentityRule, names: Names, shared: Shared) -> Decision:
    kind = key[0]
    if key in shared.refused:
        return Decision("no_match", kind, f"the {kind} is shared by too many: {shared.refused[key]}")
    contested = key in shared.contested
    if kind == ID:
        return Decision("match", ID, "one id")
    if kind == EMAIL:
        return _by_email(one, other, names, contested)
    if kind == SOFT_EMAIL:
        return _by_soft_email(weakest(one.email.strength, other.email.strength), names, contested, rule)
    if kind == PHONE:
        if not names.are_same and is_somebody_elses(one, other):
            contested = True
        missing = not (one.name.is_whole and other.name.is_whole)
        return _by_phone(weakest(one.phone.strength, other.phone.strength), names, contested, missing=missing)
    if names.conflict:
        return Decision("no_match", kind, "a number that differs in form, and the names conflict", ("names",))
    return Decision("review", kind, "numbers that may be one line: they differ in extension or in a prefix")


def _by_email(one: Prepared, other: Prepared, names: Names, contested: bool) -> Decision:
    if names.both_conflict and has_other_ids(one.ids, other.ids):
        return Decision("no_match", EMAIL, "one address, but the names conflict and the ids differ", ("names",))
    reason = _against_email(one, other, names, contested)
    if reason is not None:
        return Decision("review", EMAIL, reason)
    if names.surname is Agreement.CONFLICT:
        return Decision("match", EMAIL, "one address and given name; the surname may have changed")
    return Decision("match", EMAIL, "one address and nothing against it")


def _against_email(one: Prepared, other: Prepared, names: Names, contested: bool) -> str | None:
    if one.email.strength == "weak":
        return "a mailbox that several people read"
    if names.both_conflict:
        return "one address, but the names conflict"
    if names.given is Agreement.CONFLICT:
        return "one address and two given names: a couple or a family"
    if names.given is Agreement.DOUBT:
        return "one address, and given names that may be those of two of a family"
    if names.surname is Agreement.CONFLICT and names.given is not Agreement.SAME:
        return "one address and two surnames"
    if contested and not names.agree:
        return "an address that two people share, and the names do not say which of them"
    if is_somebody_elses(one, other):
        return "an address with another given name in it than the record has"
    return None


def is_somebody_elses(one: Prepared, other: Prepared) -> bool:
    """True if a record has no given name, or an initial, and its address has another one than the other record."""
    return _is_named_otherwise(one, other.name) or _is_named_otherwise(other, one.name)


def _is_named_otherwise(record: Prepared, name: Name) -> bool:
    if not name.given or record.email.tight is None or any(len(word) > 1 for word in record.name.given):
        return False
    words = re.findall(r"[a-z]{3,}", record.email.tight.partition("@")[0].partition("+")[0])
    named = [word for word in words if word in KNOWN and word not in name.surname]
    return bool(named) and all(compare_names(Name((word,)), name).given is Agreement.CONFLICT for word in named)


def _by_soft_email(strength: Strength, names: Names, contested: bool, rule: IdentityRule) -> Decision:
    if strength == "weak":
        return Decision("review", SOFT_EMAIL, "a mailbox that several people read, in two forms")
    if not rule.soft_email or not names.agree:
        return Decision("review", SOFT_EMAIL, "addresses that may be one mailbox, and the names do not say so")
    if contested and not names.are_same:
        return Decision("review", SOFT_EMAIL, "addresses that may be one mailbox, which two people share")
    return Decision("match", SOFT_EMAIL, "addresses of one mailbox, and both names agree")


def _by_phone(strength: Strength, names: Names, contested: bool, *, missing: bool) -> Decision:
    if names.conflict:
        return Decision("no_match", PHONE, "one number, but the names conflict", ("names",))
    if strength == "weak":
        return Decision("review", PHONE, "a number of a service or a company, or one that is not in use")
    if missing:
        return Decision("review", PHONE, "one number, and a name is missing")
    if not names.agree:
        return Decision("review", PHONE, "one number, and the names agree too loosely")
    if contested and not names.are_same:
        return Decision("review", PHONE, "a number that two people share, and the names agree loosely")
    return Decision("match", PHONE, "one number, and both names agree")


def weakest(*strengths: Strength) -> Strength:
    """The least of several strengths."""
    return "blocked" if "blocked" in strengths else "weak" if "weak" in strengths else "strong"


def _worth(found: Decision) -> int:
    return ("no_match", "review", "match").index(found.decision)
