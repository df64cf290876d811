"""Pairs: which records are one person, and what is odd about the link between them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from onewriter.rules.comparing import is_empty
from onewriter.rules.diagnosis.evidence import Evidence, LinkOf, Rec, Side
from onewriter.rules.diagnosis.facts import Pair
from onewriter.rules.diagnosis.mapped import KeyField, Schema, key_named
from onewriter.rules.diagnosis.merged import merges
from onewriter.rules.diagnosis.sameness import EMAIL, PHONE, Form, identity_key
from onewriter.rules.diagnosis.tracks import Past

SHARED_MAX = 4
"""Records that may hold one key; what more hold is a placeholder or a house's, and tells of nobody."""
WANTED_MAX = 50
TAIL = 7
"""Digits at the end of a number by which it is looked up before it is read in full."""


def is_erased(record: Rec) -> bool:
    """Whether nothing that it says stands any more."""
    return record.redacted or record.deleted is not None


def linked(evidence: Evidence, keys: Mapping[str, KeyField]) -> list[Pair]:
    """Every link as a pair, each once; without links, records that alone share an address, then a number."""
    links = evidence.links if evidence.links is not None else _by_keys(evidence, keys)
    every = {(link.source, link.target): link for link in links}
    sources, targets = evidence.records[Side.SOURCE], evidence.records[Side.TARGET]
    pairs = [
        Pair(link=link, source=sources.get(link.source), target=targets.get(link.target)) for link in every.values()
    ]
    _share_out(pairs)
    return pairs


def _share_out(pairs: Iterable[Pair]) -> None:
    """Tell the pairs of the others that have one of their records; a record that is gone is no other."""
    of_target: dict[str, list[str]] = {}
    of_source: dict[str, list[str]] = {}
    pairs = list(pairs)
    for pair in pairs:
        if pair.source is not None and not is_erased(pair.source):
            of_target.setdefault(pair.link.target, []).append(pair.link.source)
        if pair.target is not None and not is_erased(pair.target):
            of_source.setdefault(pair.link.source, []).append(pair.link.target)
    for pair in pairs:
        if pair.source is None or pair.target is None:
            continue
        sources, targets = of_target.get(pair.link.target, ()), of_source.get(pair.link.source, ())
        if len(sources) > 1 or (sources and sources[0] != pair.link.source):
            pair.other_sources = tuple(each for each in sources if each != pair.link.source)
        if len(targets) > 1 or (targets and targets[0] != pair.link.target):
            pair.other_targets = tuple(each for each in targets if each != pair.link.target)


def _by_keys(evidence: Evidence, keys: Mapping[str, KeyField]) -> list[LinkOf]:
    found: list[LinkOf] = []
    taken: dict[Side, set[str]] = {Side.SOURCE: set(), Side.TARGET: set()}
    for nature in (EMAIL, PHONE):
        if (key := keys.get(nature)) is None:
            continue
        sources, targets = (_alone(evidence, key, side, taken[side]) for side in (Side.SOURCE, Side.TARGET))
        for value, source in sources.items():
            if (target := targets.get(value)) is not None:
                found.append(LinkOf(source, target, nature))
                taken[Side.SOURCE].add(source)
                taken[Side.TARGET].add(target)
    return found


def _alone(evidence: Evidence, key: KeyField, side: Side, taken: set[str]) -> dict[str, str]:
    """The records of a side by a key that no other record of it has."""
    holders: dict[str, str] = {}
    several: set[str] = set()
    for record in evidence.records[side].values():
        if is_erased(record):
            continue
        value = identity_key(key.nature, record.fields.get(key.of(side)), evidence.region)
        if value is None:
            continue
        if value in holders:
            several.add(value)
        holders[value] = record.id
    return {value: id_ for value, id_ in holders.items() if value not in several and id_ not in taken}


def loose(evidence: Evidence, pairs: Sequence[Pair], side: Side) -> list[str]:
    """The records of a side that are linked with nothing, and are there."""
    linked_ids = {pair.link.source if side is Side.SOURCE else pair.link.target for pair in pairs}
    return [id_ for id_, record in evidence.records[side].items() if id_ not in linked_ids and not is_erased(record)]


class Keys:
    """The keys of all pairs: twins, keys that are left, and who holds them now."""

    def __init__(
        self, evidence: Evidence, pairs: Sequence[Pair], keys: Mapping[str, KeyField], schemas: Mapping[Side, Schema],
        forms: Sequence[Form], past: Past,
    ) -> None:  # fmt: skip
        self.evidence, self.pairs, self.keys, self.schemas, self.past = evidence, pairs, keys, schemas, past
        self.forms = forms
        self.tight = tuple(dict.fromkeys(keys.values()))

    def fill(self, loose_targets: Sequence[str]) -> None:
        """Everything about links and keys, but whether a twin is newer."""
        self._twins(loose_targets)
        left = [pair for pair in self.pairs if self._held(pair) is False]
        self._holders(left)
        into = merges(self.evidence, self.pairs, self.tight)
        gone_by_kept: dict[str, list[str]] = {}
        for gone, kept in into.items():
            gone_by_kept.setdefault(kept, []).append(gone)
        for pair in self.pairs if into else ():
            pair.merged_into = into.get(pair.link.source)
            pair.merged_from = tuple(gone_by_kept.get(pair.link.source, ()))

    def _value(self, record: Rec | None, key: KeyField, side: Side) -> Any:
        return None if record is None else record.fields.get(key.of(side))

    def _key(self, record: Rec | None, key: KeyField, side: Side) -> str | None:
        return identity_key(key.nature, self._value(record, key, side), self.evidence.region)

    def _twins(self, loose_targets: Sequence[str]) -> None:
        index: dict[tuple[KeyField, str], list[str]] = {}
        tails: set[tuple[KeyField, str]] = set()
        targets = self.evidence.records[Side.TARGET]
        for id_ in loose_targets:
            for key in self.tight:
                if (value := self._key(targets[id_], key, Side.TARGET)) is not None:
                    index.setdefault((key, value), []).append(id_)
                    tails.add((key, _tail(key.nature, self._value(targets[id_], key, Side.TARGET))))
        if not index:
            return
        for pair in self.pairs:
            if pair.source is None or is_erased(pair.source):
                continue
            found: list[str] = []
            for key in self.tight:
                if (key, _tail(key.nature, self._value(pair.source, key, Side.SOURCE))) in tails:
                    holders = index.get((key, self._key(pair.source, key, Side.SOURCE) or ""), ())
                    found += holders if len(holders) <= SHARED_MAX else ()
            pair.twins = tuple(dict.fromkeys(found))

    def _linked_by(self, pair: Pair) -> Iterator[KeyField]:
        if pair.link.matched_by is not None:
            if (key := key_named(pair.link.matched_by, self.keys, self.schemas)) is not None:
                yield key
        elif self.evidence.match_keys is not None:
            found = [key_named(name, self.keys, self.schemas) for name in self.evidence.match_keys]
            # Where an id may have linked them, nothing follows from the keys that they do not share.
            if None not in found:
                yield from (key for key in found if key is not None)

    def _held(self, pair: Pair) -> bool | None:
        """Whether the pair still shares the key that linked it; the fact, and what follows from it, is put down."""
        if pair.source is None or pair.target is None or is_erased(pair.source) or is_erased(pair.target):
            return None
        held: list[bool] = []
        for key in self._linked_by(pair):
            values = self._value(pair.source, key, Side.SOURCE), self._value(pair.target, key, Side.TARGET)
            if is_empty(values[1]) or key.source not in pair.source.fields:
                continue
            held.append(values[0] == values[1] or self._is_same(key, *values))
        pair.key_held = any(held) if held else None
        if pair.key_held is False:
            pair.key_was_held = self._was_held(pair)
        return pair.key_held

    def _is_same(self, key: KeyField, source: Any, target: Any) -> bool:
        form = self._form(key)
        if form is not None and form.alike(source, Side.SOURCE, target, Side.TARGET):
            return True
        one, other = (identity_key(key.nature, each, self.evidence.region) for each in (source, target))
        return one is not None and one == other

    def _form(self, key: KeyField) -> Form | None:
        names = key.source, key.target
        return next((each for each in self.forms if (each.rules.source_field, each.rules.target_field) == names), None)

    def _was_held(self, pair: Pair) -> bool | None:
        """Whether the source once had the key that the target still has."""
        unknown = True
        for key in self._linked_by(pair):
            target = self._value(pair.target, key, Side.TARGET)
            looks = self.past.seen[Side.SOURCE].get(pair.link.source, ())
            writes = [
                each for each in self.past.writes[Side.SOURCE].get(pair.link.source, ()) if each.field == key.source
            ]
            before = [each.fields[key.source] for each in looks if key.source in each.fields]
            before += [value for each in writes if each.accepted is not False for value in (each.old, each.new)]
            filled = [value for value in before if not is_empty(value)]
            if any(value == target or self._is_same(key, value, target) for value in filled):
                return True
            unknown = unknown and not looks
        return None if unknown else False

    def _holders(self, pairs: Sequence[Pair]) -> None:
        """Who holds now what the target of a pair still has as its key."""
        wanted: dict[tuple[str, str], list[tuple[Pair, KeyField, str]]] = {}
        for pair in pairs:
            for key in self._linked_by(pair):
                value = self._key(pair.target, key, Side.TARGET)
                if value is not None:
                    tail = _tail(key.nature, self._value(pair.target, key, Side.TARGET))
                    wanted.setdefault((key.source, tail), []).append((pair, key, value))
        # What so many targets have is a placeholder, and whoever holds it holds nobody's key.
        wanted = {tail: each for tail, each in wanted.items() if len(each) <= WANTED_MAX}
        fields = {(key.source, key.nature) for each in wanted.values() for _, key, _ in each}
        for record in self.evidence.records[Side.SOURCE].values() if wanted else ():
            if is_erased(record):
                continue
            for name, nature in fields:
                for pair, key, value in wanted.get((name, _tail(nature, record.fields.get(name))), ()):
                    if record.id != pair.link.source and self._key(record, key, Side.SOURCE) == value:
                        pair.key_holders = (*pair.key_holders, record.id)

    def judge_twins(self) -> None:
        """Whether a twin is younger than the linked record, or says what the source says where that does not."""
        for pair in self.pairs:
            if pair.twins and pair.source is not None and pair.target is not None:
                pair.newer_twin = self._is_newer(pair, pair.source, pair.target)

    def _is_newer(self, pair: Pair, source: Rec, target: Rec) -> bool | None:
        targets = self.evidence.records[Side.TARGET]
        twins = [targets[id_] for id_ in pair.twins]
        votes: Counter[bool] = Counter()
        for twin in twins:
            if twin.created is not None and target.created is not None:
                votes[twin.created > target.created] += 1
            for form in self.forms:
                names = form.names[Side.SOURCE], form.names[Side.TARGET]
                if names[0] not in source.fields or names[1] not in twin.fields:
                    continue
                said, own = source.fields[names[0]], target.fields.get(names[1])
                told = twin.fields[names[1]]
                if is_empty(told) or is_empty(said) or form.alike(said, Side.SOURCE, own, Side.TARGET):
                    continue
                votes[form.alike(said, Side.SOURCE, told, Side.TARGET)] += 1
        if votes[True]:
            return True
        return False if votes[False] else None


def is_odd(pair: Pair) -> bool:
    """Whether the link itself is a reason to look."""
    return bool(
        pair.other_sources or pair.other_targets or pair.twins or pair.key_held is False
        or pair.merged_into is not None or pair.merged_from
    )  # fmt: skip


def _tail(nature: str, value: Any) -> str:
    """What a value is looked up by, before it is read in full."""
    text = "" if value is None else str(value)
    if nature == PHONE:
        return "".join(filter(str.isdigit, text))[-TAIL:]
    return text.strip().lower() if nature == EMAIL else " ".join(text.split())
