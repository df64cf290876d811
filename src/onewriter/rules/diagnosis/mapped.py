"""Mapped: which field of one system goes with which of the other, and which fields are keys.

The policy says so. Where nobody wrote it down, fields of one name belong together, and fields of two names only if
their values do in nearly every pair.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from onewriter.rules.comparing import is_empty
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Rec, Side
from onewriter.rules.diagnosis.facts import Pair
from onewriter.rules.diagnosis.relations import fold
from onewriter.rules.diagnosis.sameness import EMAIL, FREE, PHONE, Form, form_of, nature_of, nature_of_name

SAMPLE = 400
NAMES_MAX = 60
"""Fields of a side that are looked through for a mapping that nobody wrote down."""
FILLED_MIN = 5
DISTINCT_MIN = 3
SURE = 0.8
LIKELY = 0.5
"""The share of pairs with equal values: for fields of two names, and for fields of one name beside a policy."""
_OF_ONE_SIDE = frozenset(
    {"id", "created_at", "updated_at", "modified_at", "version", "etag", "last_login", "last_seen", "synced_at", "gid",
     "createdat", "updatedat", "create_date", "write_date", "_id", "uuid", "rowversion"}
)  # fmt: skip
"""What every system keeps for itself, and by the same name as others do."""


@dataclass(frozen=True, slots=True)
class KeyField:
    """A field that records are linked by."""

    nature: str
    source: str
    target: str

    def of(self, side: Side) -> str:
        """Its name on a side."""
        return self.source if side is Side.SOURCE else self.target


@dataclass(frozen=True, slots=True)
class Schema:
    """What a side is known to hold."""

    names: frozenset[str]
    leaves_out: bool
    """Whether it leaves out what is empty: its records differ in their fields, and none holds an empty one."""
    is_part: bool = False
    """Whether its records were gathered without what is equal on both sides."""


def schema_of(records: Iterable[Rec], *, is_part: bool = False) -> Schema:
    """What the records of a side hold, by name; `is_part` says that they were gathered without what is equal."""
    names: set[str] = set()
    fewest, has_empty = None, False
    for record in records:
        if record.redacted or record.deleted is not None:
            continue
        names.update(record.fields)
        fewest = len(record.fields) if fewest is None else min(fewest, len(record.fields))
        has_empty = has_empty or any(value is None or value == "" or value == [] for value in record.fields.values())
    leaves_out = fewest is not None and not has_empty and fewest < len(names) and not is_part
    return Schema(frozenset(names), leaves_out, is_part)


def origin_of(rules: FieldRules, evidence: Evidence) -> Side:
    """The side whose value should stand: by the owner, else the direction, else the source."""
    for side, name in ((Side.SOURCE, evidence.source), (Side.TARGET, evidence.target)):
        if rules.owner is not None and rules.owner.casefold() in (name.casefold(), side.value):
            return side
    return Side.TARGET if rules.direction == "target_to_source" else Side.SOURCE


def key_fields(evidence: Evidence) -> dict[str, KeyField]:
    """By name, the fields that can link two records: addresses, numbers and what the policy says."""
    found: dict[str, KeyField] = {}
    for rules in (evidence.fields or {}).values():
        nature = nature_of(rules)
        if nature in (EMAIL, PHONE) or rules.name in (evidence.match_keys or ()):
            key = KeyField(nature, rules.source_field, rules.target_field)
            for name in (rules.name, rules.source_field, rules.target_field):
                found.setdefault(name, key)
            if nature in (EMAIL, PHONE):
                found.setdefault(nature, key)
    for nature in (EMAIL, PHONE):
        if nature not in found:
            names = [_first_of(evidence.records[side], nature) for side in (Side.SOURCE, Side.TARGET)]
            if names[0] is not None and names[1] is not None:
                found[nature] = KeyField(nature, names[0], names[1])
    return found


def _first_of(records: Mapping[str, Rec], nature: str) -> str | None:
    for record in islice(records.values(), SAMPLE):
        for name in sorted(record.fields, key=lambda name: (name != nature, name)):
            if nature_of_name(name) == nature and isinstance(record.fields[name], str | int):
                return name
    return None


def forms_of(evidence: Evidence, pairs: Sequence[Pair], schemas: Mapping[Side, Schema]) -> list[Form]:
    """How every field that both sides have is compared, in the order of the policy."""
    told = list((evidence.fields or {}).values())
    every = told + _unwritten(evidence, told, pairs, schemas)
    forms = [form_of(rules, origin_of(rules, evidence), evidence.region) for rules in every]
    for side in Side:
        own = {form.names[side] for form in forms}
        for form in forms:
            if form.rules.name not in own:
                form.logged[side] |= {form.rules.name}
    return forms


def _unwritten(
    evidence: Evidence, told: Sequence[FieldRules], pairs: Sequence[Pair], schemas: Mapping[Side, Schema]
) -> list[FieldRules]:
    """Fields that nobody wrote down."""
    sources = schemas[Side.SOURCE].names - {rules.source_field for rules in told}
    targets = schemas[Side.TARGET].names - {rules.target_field for rules in told}
    both = sorted(sources & targets)
    sample = [(pair.source, pair.target) for pair in islice(_whole(pairs), SAMPLE)]
    found = [
        _rules(name, name)
        for name in both
        if (evidence.fields is None and name.lower() not in _OF_ONE_SIDE) or _share(sample, name, name) >= LIKELY
    ]
    if evidence.fields is None:
        found += _renamed(sample, sorted(sources - targets), sorted(targets - sources))
    return found


def _whole(pairs: Sequence[Pair]) -> Iterable[Pair]:
    return (pair for pair in pairs if pair.source is not None and pair.target is not None)


def _renamed(sample: Sequence[tuple[Any, Any]], sources: Sequence[str], targets: Sequence[str]) -> list[FieldRules]:
    """Fields of two names that say the same in nearly every pair, and of which no other does."""
    shares: dict[str, dict[str, float]] = {}
    for source in sources[:NAMES_MAX]:
        for target in targets[:NAMES_MAX]:
            share = _share(sample, source, target)
            if share >= LIKELY:
                shares.setdefault(source, {})[target] = share
    found = []
    for source, each in shares.items():
        target, share = max(each.items(), key=lambda pair: pair[1])
        rivals = [name for name, others in shares.items() if target in others and name != source]
        if share >= SURE and len(each) == 1 and not rivals:
            found.append(_rules(source, target))
    return found


def _share(sample: Sequence[tuple[Any, Any]], source: str, target: str) -> float:
    """The share of pairs that say the same in two fields; 0 where there are too few to tell."""
    filled, equal = 0, set()
    hits = 0
    for one, other in sample:
        values = one.fields.get(source), other.fields.get(target)
        if any(map(is_empty, values)):
            continue
        filled += 1
        key = fold(values[0])
        if key is not None and key == fold(values[1]):
            hits += 1
            equal.add(key)
    return hits / filled if filled >= FILLED_MIN and len(equal) >= DISTINCT_MIN else 0.0


def _rules(source: str, target: str) -> FieldRules:
    kind = "identity" if nature_of_name(source) in (EMAIL, PHONE) else None
    return FieldRules(name=source, kind=kind, source_field=source, target_field=target)


def key_named(name: str, keys: Mapping[str, KeyField], schemas: Mapping[Side, Schema]) -> KeyField | None:
    """The fields that a key of a link stands for; None for ids of a system, which are no field of the other."""
    if name in keys:
        return keys[name]
    nature = nature_of_name(name)
    if nature in keys:
        return keys[nature]
    if all(name in schema.names for schema in schemas.values()):
        return KeyField(FREE, name, name)
    return None
