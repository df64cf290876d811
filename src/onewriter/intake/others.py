"""What a change of Shopify's means where other systems own fields, or are told of them.

Shopify's side has what Shopify said. The customer follows for the fields that are Shopify's; what others own is an echo
where it agrees with them, and else refused, parked and put right again. What the customer takes up, every system that
is told of the field hears of: by a mark each, which is set in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.customers import clean, expected, parked, pending, systems
from onewriter.customers.parked import Unplaced
from onewriter.customers.profiles import LIVE, Profile
from onewriter.customers.systems import System
from onewriter.records import SHOPIFY, Instant, Value
from onewriter.rules import consent, mapping, settling
from onewriter.rules.policy import ADDRESS_PART, CONSENTS, TAGS, Direction, Policy
from onewriter.rules.settling import Meeting
from onewriter.rules.tags import is_tags, resplit, split_tags
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

OPTED_OUT = ("unsubscribed", "invalid", "redacted")
_ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of the fields of one change: all under the names that the policy has for them."""

    accepted: tuple[str, ...]
    echoes: tuple[str, ...]
    """What others own and Shopify now says as they do: the echo of what it was told."""
    refused: Mapping[str, Sequence[str]]
    """Reason: fields."""
    old: Mapping[str, Value]
    new: Mapping[str, Value]


@dataclass(slots=True)
class Others:
    """The part that other systems take in the changes of one batch."""

    vault: ShopVault
    policy: Policy
    told: Mapping[str, frozenset[str]]
    """System: the fields that it must be told of; Shopify is not among them."""
    creating: tuple[str, ...]
    """The systems in which customers are made that they have no record of."""
    expected: Mapping[str, Mapping[str, bytes]]
    """What we wrote to Shopify and have not read back: record name: field: digest."""
    waiting: Mapping[bytes, Collection[str]] = field(default_factory=dict)
    """Customer: the fields that Shopify is still to be told of; it matters only where several may write one."""
    heard_back: set[str] = field(default_factory=set)
    """The records of which Shopify says what we wrote."""
    moved: set[tuple[str, int, str]] = field(default_factory=set)
    """(system, Shopify id, field): what is to be marked."""
    changed: set[int] = field(default_factory=set)
    """The Shopify ids of those whose owner's values are others than before."""
    unplaced: dict[tuple[int, str], tuple[Value, str, Value]] = field(default_factory=dict)
    """(Shopify id, field): the newest value that was refused, why, and of tags what stood there before."""

    @classmethod
    def load(cls, db: Connection, vault: ShopVault, policy: Policy, known: Mapping[int, Profile]) -> "Others | None":
        """None where Shopify is all there is, which costs no look at the database."""
        if not policy.systems and not policy.namespaces and set(policy.owners.values()) <= {SHOPIFY}:
            return None
        shop_id = vault.shop_id
        there = [each for each in systems.every(db, shop_id) if not each.is_shopify]
        told = {each.name: policy.goes_out(each.name) for each in there}
        awaited = expected.of_records(db, shop_id, SHOPIFY, [str(number) for number in known])
        waiting: dict[bytes, set[str]] = {}
        if any(each.direction is Direction.BOTH for each in policy.maps(SHOPIFY).values()):
            ids = [profile.customer_id for profile in known.values() if profile.customer_id is not None]
            for mark in pending.of_customers(db, shop_id, SHOPIFY, ids):
                # What a person proposed to the owner is not the customer's value yet.
                if mark.box is None:
                    waiting.setdefault(mark.customer_id, set()).add(mark.field)
        return cls(vault, policy, told, _creating(there), awaited, waiting)

    def hear(self, profile: Profile, fields: Mapping[str, Value], now: Instant, *, first: bool) -> Heard:
        """Take what a change says differently into the side and, as far as it may, into the customer.

        `now` is when the change was heard of.
        """
        profile.changed |= resplit(profile.own, self.policy.namespaces)
        new = by_policy(self.policy, fields)
        old = {} if first else by_policy(self.policy, {name: profile.side.get(name) for name in fields})
        before = (
            None
            if first
            else by_policy(self.policy, {name: profile.side[name] for name in fields if name in profile.side})
        )
        profile.side.update(fields)
        owned = [name for name in new if self.policy.owner_of(name) == SHOPIFY]
        taken = {name: new[name] for name in owned}
        others = {name: value for name, value in new.items() if name not in taken}
        echoes, refused = self._meet(profile, others, before, taken, now) if others else ((), {})
        self._take(profile, taken)
        return Heard(tuple(taken), echoes, refused, old, new)

    def _meet(
        self,
        profile: Profile,
        others: Mapping[str, Value],
        before: Mapping[str, Value] | None,
        taken: dict[str, Value],
        now: Instant,
    ) -> tuple[tuple[str, ...], dict[str, list[str]]]:
        """Sort what is not Shopify's alone; what it may write of that goes into `taken`."""
        marked = self.waiting.get(profile.customer_id or b"", ())
        echoed = self._echoes(profile, others)
        met = Meeting(own=profile.own, told=others, now=now, before=before, pending=marked, echoes=echoed)
        settled = settling.settle(self.policy, SHOPIFY, met, region=self.vault.region)
        taken.update(settled.take | self._opt_outs(profile, others, settled.level, now))
        refused: dict[str, list[str]] = {}
        echoes = [name for name in others if name in settled.level - settled.refused.keys() or name in met.echoes]
        for name in others:
            if name in taken or name in echoes:
                continue
            refusal = settled.refused.get(name)
            reason = refusal.reason if refusal else f"owned by {self.policy.owner_of(name) or 'nobody'}"
            refused.setdefault(reason, []).append(name)
            if refusal is not None:
                was = (before or {}).get(name) if is_tags(name) else None
                self.unplaced[profile.shopify_id, name] = (others[name], reason, was)
        # Of what its owner has never said anything nothing is put right.
        known = [name for name in settled.send if name in profile.own and name not in {*met.echoes, *taken}]
        self.moved |= {(SHOPIFY, profile.shopify_id, name) for name in known}
        return tuple(echoes), refused

    def _opt_outs(
        self, profile: Profile, others: Mapping[str, Value], level: Collection[str], now: Instant
    ) -> dict[str, Value]:
        """The consents that were taken back in Shopify: that counts from everybody, and whoever owns the field."""
        found = {}
        for name in others:
            if name not in CONSENTS or name in level or (others[name] or {}).get("state") not in OPTED_OUT:
                continue
            taken = consent.step(profile.own.get(name), others[name], by=SHOPIFY, is_owner=False, bulk=False, now=now)
            if isinstance(taken, consent.Taken):
                found[name] = taken.value
        return found

    def _echoes(self, profile: Profile, others: Mapping[str, Value]) -> set[str]:
        """The fields in which Shopify says just what we wrote there, though its owner may say otherwise by now."""
        awaited = self.expected.get(str(profile.shopify_id), {})
        key = profile.key
        found = {name for name in awaited if key is not None and name in others}
        found = {name for name in found if key is not None and awaited[name] == key.digest(others[name])}
        if found:
            self.heard_back.add(str(profile.shopify_id))
        return found

    def _take(self, profile: Profile, taken: Mapping[str, Value]) -> None:
        """Take values into the customer, and note who must hear of those that are other than before."""
        before = {name: profile.own.get(name) for name in taken}
        profile.own.update(taken)
        moved = {name for name in taken if before[name] != taken[name]}
        self.changed |= {profile.shopify_id} if moved else set()
        for system, told in self.told.items():
            parts = {name for name in told if name.startswith(ADDRESS_PART)} if _ADDRESSES in moved else set()
            now = {name for name in parts if _part(name, before) != _part(name, profile.own)}
            self.moved |= {(system, profile.shopify_id, name) for name in (moved & told) | now}

    def save(
        self, db: Connection, written: Sequence[Profile], came: Collection[int], now: Instant, run_id: str | None
    ) -> None:
        """Write down what the batch came to, once its profiles are written."""
        by_number = {profile.shopify_id: profile for profile in written if profile.customer_id is not None}
        live = {number: profile for number, profile in by_number.items() if profile.state in LIVE}
        hidden = [profile.customer_id for number, profile in by_number.items() if number not in live]
        self._mark(db, live, came, now, run_id)
        pending.forget(db, self.vault.shop_id, (SHOPIFY, *self.told), [each for each in hidden if each is not None])
        expected.drop(db, self.vault.shop_id, SHOPIFY, sorted(self.heard_back))
        values = [
            Unplaced(profile.customer_id, profile.key, SHOPIFY, name, value, reason, before=was)
            for (number, name), (value, reason, was) in self.unplaced.items()
            if (profile := live.get(number)) is not None and profile.customer_id is not None and profile.key is not None
        ]
        parked.park_all(db, self.vault.shop_id, values, now, run_id=run_id)
        parked.agree(db, self.vault, _owned([live[each] for each in self.changed - {*came} if each in live]), now)
        note_apart(db, self.vault, self.policy, live.values(), now, fresh=came)

    def came_back(self, profile: Profile) -> None:
        """Have every system told of one that was hidden, since nobody was told of anything meanwhile."""
        self.moved |= {(system, profile.shopify_id, pending.ALL) for system in self.told}

    def _mark(
        self, db: Connection, live: Mapping[int, Profile], came: Collection[int], now: Instant, run_id: str | None
    ) -> None:
        marks = [
            (system, profile.customer_id, name)
            for system, number, name in self.moved
            if (profile := live.get(number)) is not None
            and profile.customer_id is not None
            and (number not in came or system == SHOPIFY)
        ]
        fresh = [live[number].customer_id for number in came if number in live]
        marks += [(system, each, pending.ALL) for system in self.creating for each in fresh if each is not None]
        pending.mark(db, self.vault.shop_id, marks, now, run_id=run_id)


def note_apart(
    db: Connection,
    vault: ShopVault,
    policy: Policy,
    profiles: Iterable[Profile],
    now: Instant,
    *,
    fresh: Collection[int] = (),
) -> None:
    """Write down of these customers which fields Shopify does not hold as their owners say; `fresh` ones are new."""
    seen = {str(each.shopify_id): apart(policy, each, vault.region) for each in profiles}
    clean.note(db, vault.shop_id, SHOPIFY, seen, now, fresh={str(number) for number in fresh})


def apart(policy: Policy, profile: Profile, region: str | None) -> set[str]:
    """The fields in which Shopify does not say what their owner, somebody else, does."""
    side = by_policy(policy, profile.side)
    return {
        name
        for name, each in policy.maps(SHOPIFY).items()
        if name in profile.own
        and each.remote in side
        and policy.owner_of(name) != SHOPIFY
        and not mapping.in_step(name, each, profile.own[name], side[each.remote], region=region)
    }


def by_policy(policy: Policy, fields: Mapping[str, Value]) -> dict[str, Value]:
    """Fields as Shopify has them, with the tags by the fields that they belong to."""
    if TAGS not in fields or not policy.namespaces:
        return dict(fields)
    rest = {name: value for name, value in fields.items() if name != TAGS}
    return rest | split_tags(fields[TAGS], policy.namespaces)


def _owned(some: Iterable[Profile]) -> list[tuple[bytes, SubjectKey, Mapping[str, Value]]]:
    """Each customer with its key and the owner's values."""
    return [
        (each.customer_id, each.key, each.own) for each in some if each.customer_id is not None and each.key is not None
    ]


def _creating(there: Sequence[System]) -> tuple[str, ...]:
    return tuple(each.name for each in there if each.creates)


def _part(name: str, own: Mapping[str, Value]) -> Value:
    return mapping.own_value(name, own)
