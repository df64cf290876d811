"""What two sides say, as a diagnosis compares them: the shop's values by our names, and the system's in the same form.

What the digests have in step is in step, whatever a transform with options of its own makes of it: such a value is told
as the owner's. What is not in step is led back where its transform can be led back, and told as it stands otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from onewriter.customers.owned import Owned
from onewriter.customers.remote import Remote
from onewriter.records import FIELDS, Value
from onewriter.rules import mapping
from onewriter.rules.diagnosis.evidence import FieldRules
from onewriter.rules.evidence import Evidence as Bounds
from onewriter.rules.evidence import FieldEvidence
from onewriter.rules.mapping import Unfit
from onewriter.rules.ownership import writers
from onewriter.rules.policy import POINTS, Direction, FieldMap, Policy, kind_of
from onewriter.rules.policy_check import RemoteFact
from onewriter.rules.tags import is_tags
from onewriter.rules.transforms import TRANSFORMS
from onewriter.shopify import scopes

WAYS = {
    Direction.IN: "target_to_source", Direction.OUT: "source_to_target", Direction.BOTH: "both", Direction.NONE: "none",
}  # fmt: skip


@dataclass(slots=True)
class Person:
    """One customer that was opened, with its records in the system."""

    own: Owned
    shopify: dict[str, Value] | None
    """What Shopify's side says, where that is asked for."""
    remotes: list[Remote]

    @property
    def source(self) -> str:
        """The id of the customer's record in the shop."""
        return str(self.own.shopify_id)


@dataclass(frozen=True)
class View:
    """By what the two sides are looked at."""

    policy: Policy
    system: str
    region: str | None

    @cached_property
    def maps(self) -> Mapping[str, FieldMap]:
        """The mapped fields, but for points: a ledger is no field that two sides keep."""
        return {name: each for name, each in self.policy.maps(self.system).items() if name != POINTS}

    @cached_property
    def of_shopify(self) -> frozenset[str]:
        """The fields that the system owns and Shopify is told of: of them Shopify's side is the copy, and not ours."""
        owned = (name for name in self.maps if self.policy.owner_of(name) == self.system)
        return frozenset(name for name in owned if name in FIELDS or is_tags(name))

    @cached_property
    def lossy(self) -> frozenset[str]:
        """The fields that are in step by their digests though something may be lost on the way."""
        return frozenset(name for name, each in self.maps.items() if TRANSFORMS[each.transform].lossy)

    def source_value(self, person: Person, name: str) -> Value:
        """What the shop says."""
        is_copy = name in self.of_shopify and person.shopify is not None
        return mapping.own_value(name, (person.shopify or {}) if is_copy else person.own.fields)

    def source_fields(self, person: Person) -> dict[str, Any]:
        """All that the shop says of the mapped fields."""
        return {name: self.source_value(person, name) for name in self.maps}

    def target_fields(self, one: Remote, person: Person | None) -> dict[str, Any]:
        """All that the system says of the mapped fields, by its own names; those that it did not tell are left out."""
        found = {}
        for name, each in self.maps.items():
            if each.remote not in one.fields:
                continue
            own = None if person is None else mapping.own_value(name, person.own.fields)
            is_level = person is not None and _is_level(one, person.own, name, own)
            found[each.remote] = self.led_back(name, one.fields[each.remote], own, is_level=is_level)
        return found

    def led_back(self, name: str, value: Any, own: Value = None, *, is_level: bool = False) -> Any:
        """A value of the system's as it is compared with ours."""
        each = self.maps[name]
        if name in self.lossy:
            return value
        is_plain = each.transform == "same" and each.enum is None
        if is_level:
            # Two texts may be written in two ways, which is worth telling; all else is the owner's value.
            return value if is_plain and isinstance(value, str) and isinstance(own, str) else own
        if is_plain and not is_tags(name) and not isinstance(value, dict):
            return value
        told = mapping.inward(name, each, value, region=self.region, namespaces=self.policy.namespaces)
        return value if isinstance(told, Unfit) else told


def _is_level(one: Remote, own: Owned, name: str, value: Value) -> bool:
    """Whether the record was found in step with just this value of the owner's."""
    digest = one.digests.get(name)
    return digest is None if value is None else digest == own.key.digest(value)


# ---- The rules of each field ----------------------------------------------------------------------------------------


def rules_of(view: View, bounds: Bounds, discovered: Mapping[str, RemoteFact] | None) -> dict[str, FieldRules]:
    """How each mapped field goes from one side to the other, and what the boundary tells of its rights."""
    known = {each.name: each for each in bounds.fields or ()}
    lacks = scopes.WRITE in bounds.scopes_missing
    found = {}
    for name, each in view.maps.items():
        there = None if discovered is None else discovered.get(each.remote)
        found[name] = FieldRules(
            name=name,
            kind=kind_of(name).value,
            owner=view.policy.owner_of(name),
            direction=WAYS[each.direction],
            source_field=name,
            target_field=each.remote,
            transform=each.transform,
            max_length=each.max_length or (None if there is None else there.max_length),
            covered=True,
            permission=_permission(each.direction, known.get(name), lacks),
            enum=each.enum,
            empty=each.empty,
            writers=writers(view.policy, name),
        )
    return found


def _permission(way: Direction, known: FieldEvidence | None, lacks: bool) -> str | None:
    """What we may do with a field on the side that is written, as far as anything tells."""
    if way is Direction.IN:
        return "read" if lacks else None
    if known is None or way is Direction.NONE:
        return None
    refused = max(filter(None, (known.denied_at, known.tried_at if known.tried_refusal else None)), default=None)
    if known.may_be_written is False or (refused is not None and refused > (known.taken_at or 0)):
        return "read"
    return "write" if known.may_be_written or known.taken_at is not None else None
