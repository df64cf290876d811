"""The policy of a shop: the one owner of each field, and how each connected system takes part in it.

A policy is one versioned document. What is not written down in it is an error state and never a guess, but for two
things that follow from the rest: Shopify takes part in each of its own fields by their own names, and a tag belongs to
the namespace whose prefix it has, or else to `tags`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

import msgspec

from onewriter.records import FIELDS, SHOPIFY

ONEWRITER = "onewriter"
"""The owner of what is made here: points."""
MANUAL = "manual"
"""The owner of a field that people alone write, by hand, here."""

POINTS = "points"
CUSTOM = "custom."
ADDRESS_PART = "address."
ADDRESS_PARTS = ("address1", "address2", "city", "zip", "province_code", "country_code", "company", "phone")
TAGS = "tags"
SHOPIFY_ID = "shopify_id"
CONSENTS = ("email_consent", "sms_consent", "whatsapp_consent")


class FieldKind(StrEnum):
    """What sort of field it is: identity and workflow fields do not follow the same rules (requirement M76)."""

    IDENTITY = "identity"
    PROFILE = "profile"
    WORKFLOW = "workflow"
    CONSENT = "consent"
    DERIVED = "derived"


class Direction(StrEnum):
    """How a system takes part in a field."""

    IN = "in"  # it owns the field: what it says is taken up
    OUT = "out"  # it is told the owner's value, and what it says itself is refused and parked
    BOTH = "both"  # one of several writers, which only a field that is shared may have (decision D11)
    NONE = "none"  # read and compared, and never written


Conflict = Literal["owner wins", "newest wins", "manual"]
Empty = Literal["clear", "keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a person agreed to for a field that more than its owner writes (decision D11, requirement M77)."""

    writers: tuple[str, ...]
    """The systems that write it beside its owner."""
    conflict: Conflict = "owner wins"
    same_identity_rule: bool = False
    """That all writers tell two persons apart by the same rule."""
    extra_work_accepted_by: str | None = None
    """Who accepted the extra work of clearing up; both conditions must be there."""
    why: str | None = None
    empty_overwrites: bool = False
    """Whether an empty value of a writer's that is not the owner overwrites a filled one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """Who may write a field."""

    owner: str | None = None
    """A system, `manual`, or `onewriter` for what is made here; None is not written down, and an error."""
    shared: Shared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """How one system holds one field."""

    remote: str
    """What the system calls it."""
    direction: Direction
    transform: str = "same"
    """One of `rules.transforms.TRANSFORMS`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the transform: a country for `national_phone`, a format for `date`."""
    max_length: int | None = None
    """Characters that the system's field holds."""
    enum: Mapping[str, str] | None = None
    """Our value: the system's, where it knows only certain words; what is not named cannot be sent."""
    empty: Empty = "clear"
    """What an empty value on its way does: `clear` empties the other side, `keep` leaves what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """By what two records are told to be one person: an ordered list out of these, never names."""

    keys: tuple[str, ...] = ("id", "email", "phone")
    soft_email: bool = True
    """Whether plus-tags and dots of mailboxes link where both names agree."""
    shared_by_max: int = 4
    """Of a value that more records than this share, nobody is told apart by it."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The whole policy of a shop, in one version."""

    version: int = 0
    fields: Mapping[str, FieldRule] = field(default_factory=dict)
    systems: Mapping[str, Mapping[str, FieldMap]] = field(default_factory=dict)
    """System: field: how it holds it."""
    identity: KeyRule = field(default_factory=KeyRule)

    def owner_of(self, name: str) -> str | None:
        """The owner of a field; a part of the address has that of the addresses, and points are our own."""
        if name == POINTS:
            return ONEWRITER
        if name == SHOPIFY_ID:
            return SHOPIFY
        rule = self.fields.get("addresses" if name.startswith(ADDRESS_PART) else name)
        return None if rule is None else rule.owner

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """The owner of each field that has one."""
        return {name: rule.owner for name, rule in self.fields.items() if rule.owner is not None}

    @cached_property
    def namespaces(self) -> tuple[str, ...]:
        """The tag namespaces that have a rule of their own (`tags[vip:*]`), the longest prefix first."""
        return tuple(sorted((name for name in self.fields if is_namespace(name)), key=lambda name: (-len(name), name)))

    def maps(self, system: str) -> Mapping[str, FieldMap]:
        """How a system takes part, by field; Shopify's own fields follow from who owns them."""
        written = self.systems.get(system, {})
        return {**self._shopify_maps, **written} if system == SHOPIFY else written

    @cached_property
    def _shopify_maps(self) -> dict[str, FieldMap]:
        found = {}
        for name in (*FIELDS, *self.namespaces):
            owner = self.owners.get(name)
            rule = self.fields.get(name)
            shared = rule is not None and rule.shared is not None and SHOPIFY in rule.shared.writers
            way = Direction.IN if owner == SHOPIFY else Direction.BOTH if shared else Direction.OUT
            found[name] = FieldMap(remote=name, direction=way if owner is not None else Direction.NONE)
        return found

    def goes_out(self, system: str) -> frozenset[str]:
        """The fields that a system must be told of when they change."""
        told = (Direction.OUT, Direction.BOTH)
        return frozenset(name for name, each in self.maps(system).items() if each.direction in told)

    def told_of(self, name: str, systems: Iterable[str]) -> list[str]:
        """Which of these systems must be told when that field changes."""
        return [system for system in systems if name in self.goes_out(system)]

    def with_version(self, version: int) -> "Policy":
        """The same policy as that version."""
        return replace(self, version=version)


def is_namespace(name: str) -> bool:
    """True for the name of a tag namespace, such as `tags[vip:*]`."""
    return name.startswith("tags[") and name.endswith("*]") and len(name) > len("tags[*]")


def prefix_of(namespace: str) -> str:
    """What every tag of a namespace begins with."""
    return namespace[len("tags[") : -len("*]")]


def kind_of(name: str) -> FieldKind:
    """What sort of field it is, by its name."""
    if name in (SHOPIFY_ID, "email", "phone"):
        return FieldKind.IDENTITY
    if name in CONSENTS:
        return FieldKind.CONSENT
    if name == POINTS:
        return FieldKind.DERIVED
    if name in (TAGS, "note") or name.startswith(CUSTOM) or is_namespace(name):
        return FieldKind.WORKFLOW
    return FieldKind.PROFILE


def of_shopify(version: int = 1) -> Policy:
    """The policy of a shop that nothing else is connected to: Shopify owns every field that it can hold."""
    return Policy(version=version, fields={name: FieldRule(owner=SHOPIFY) for name in FIELDS})


def to_document(policy: Policy) -> dict[str, Any]:
    """The policy as the plain JSON that is kept; its version stands beside it and not in it."""
    document: dict[str, Any] = msgspec.to_builtins(policy)
    del document["version"]
    return document


def from_document(document: Mapping[str, Any], version: int) -> Policy:
    """The policy in a document; msgspec.ValidationError where it does not have the form of one."""
    return msgspec.convert(document, Policy, strict=False).with_version(version)
