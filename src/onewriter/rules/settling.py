"""Settling: what one record of a connected system and the owner's values of its customer mean for each other.

It looks at how both stand, and never at the order in which they came to stand so; so a cycle that died half-way, and
one that is done twice, come to the same end. Only whether the system has just changed a value by itself takes what it
said before: such a change to a field of somebody else's is an edit that is refused, always, not only where two clash
(requirement M22).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from onewriter.records import Instant, Value
from onewriter.rules import consent, mapping
from onewriter.rules.comparing import is_empty, same_consent
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import CONSENTS, Direction, FieldMap, Policy
from onewriter.rules.tags import is_tags

BOTH_CHANGED = "changed in two systems at once"
NOT_WHAT_WAS_WRITTEN = "not what was just written there"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that a system holds and that is not taken up."""

    value: Any
    """What it holds: canonical where that can be told, else as it stands there."""
    reason: str


@dataclass(slots=True)
class Settled:
    """What is to be done about one record, by field. A field that is in none of these is neither read nor written."""

    level: set[str] = field(default_factory=set)
    """In step."""
    take: dict[str, Value] = field(default_factory=dict)
    """The owner's new values, for the customer."""
    send: set[str] = field(default_factory=set)
    """The system is to be told the owner's value."""
    edited: set[str] = field(default_factory=set)
    """What the system changed by itself of what it may write beside others."""
    refused: dict[str, Refusal] = field(default_factory=dict)
    """What the system changed by itself in fields of others, or what of its own cannot be taken up."""
    opted_out: dict[str, Value] = field(default_factory=dict)
    """Opt-outs that the owners of these consents are to be told of."""
    opt_outs: set[str] = field(default_factory=set)
    """Those, and others of which nobody knows whether they are news: none of them is written over."""
    apart: set[str] = field(default_factory=set)
    """Not in step, and only looked at."""

    @property
    def unclean(self) -> set[str]:
        """Every field that is not in step."""
        return {*self.take, *self.send, *self.refused, *self.apart} - self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One record and its customer, as they stand."""

    own: Mapping[str, Value]
    """The owner's value of each field."""
    told: Mapping[str, Any]
    """What the system holds, by its own names."""
    now: Instant
    """No consent that was told by now can have been given later."""
    before: Mapping[str, Any] | None = None
    """What it held when it was last read; None at their first meeting, or where that does not matter."""
    pending: Collection[str] = ()
    """Fields that the system is still to be told of."""
    echoes: Collection[str] = ()
    """Fields in which it says just what we wrote there."""
    unmet: Collection[str] = ()
    """Fields in which it was read back just now, and does not say what we wrote: it makes something else of it."""
    undecided: Collection[str] = ()
    """Fields that are left as they are on both sides: two have changed them at once, or the system cannot hold ours."""
    first: bool = False
    """Whether they meet for the first time, or by new rules: nobody knows then who of several writers wrote last."""
    bulk: bool = False
    """Whether so many consents would be given at once that no person can have asked for each."""


def settle(policy: Policy, system: str, met: Meeting, *, region: str | None) -> Settled:
    """Sort every mapped field of a record by what is to be done about it."""
    settled = Settled()
    for name, each in policy.maps(system).items():
        if each.remote in met.told:
            _settle_one(settled, _Field(policy, system, name, each, met, region))
    return settled


@dataclass(frozen=True, slots=True)
class _Field:
    """One field at such a meeting."""

    policy: Policy
    system: str
    name: str
    map: FieldMap
    met: Meeting
    region: str | None

    @property
    def remote(self) -> Any:
        """What the system holds."""
        return self.met.told[self.map.remote]

    @property
    def owner(self) -> str | None:
        """Who may write it."""
        return self.policy.owner_of(self.name)

    @property
    def is_level(self) -> bool:
        """Whether both hold the same."""
        own = mapping.own_value(self.name, self.met.own)
        names = self.policy.namespaces
        return mapping.in_step(self.name, self.map, own, self.remote, region=self.region, namespaces=names)

    @property
    def was_edited(self) -> bool:
        """Whether the system has changed it by itself since it was last read."""
        before = self.met.before
        if before is None or self.map.remote not in before or self.name in self.met.echoes:
            return False
        if before[self.map.remote] == self.remote:
            return False
        return not is_tags(self.name) or self._read(before[self.map.remote]) != self.value

    @property
    def is_edit_beside_nothing(self) -> bool:
        """Whether it is an edit that stands there only because an empty value of its owner's empties nothing."""
        if self.map.direction is not Direction.OUT or self.owner is None or self.name in CONSENTS:
            return False
        own = mapping.own_value(self.name, self.met.own)
        return is_empty(own) and not is_empty(self.readable) and self.was_edited

    @property
    def value(self) -> Value | Unfit:
        """What the system holds, in our form."""
        return self._read(self.remote)

    def _read(self, remote: Any) -> Value | Unfit:
        names = self.policy.namespaces
        return mapping.inward(self.name, self.map, remote, region=self.region, namespaces=names)

    @property
    def readable(self) -> Any:
        """The same, or what stands there where that cannot be told."""
        value = self.value
        return self.remote if isinstance(value, Unfit) else value


def _settle_one(settled: Settled, one: _Field) -> None:
    if one.is_level:
        settled.level.add(one.name)
        if one.is_edit_beside_nothing:
            settled.refused[one.name] = Refusal(one.readable, f"owned by {one.owner}")
    elif one.owner is None or one.map.direction is Direction.NONE:
        settled.apart.add(one.name)
    elif one.map.direction is Direction.IN:
        _take(settled, one)
    elif one.map.direction is Direction.OUT:
        if _is_opt_out(settled, one):
            settled.opt_outs.add(one.name)
            settled.apart.add(one.name)
            return
        if one.was_edited:
            settled.refused[one.name] = Refusal(one.readable, f"owned by {one.owner}")
        settled.send.add(one.name)
    else:
        _settle_shared(settled, one)


def _take(settled: Settled, one: _Field) -> None:
    """The owner's value, if it can be told and may be taken."""
    value = one.value
    if isinstance(value, Unfit):
        settled.refused[one.name] = Refusal(one.remote, value.reason)
    elif one.name in CONSENTS:
        is_owner = one.owner == one.system
        own, met = one.met.own.get(one.name), one.met
        taken = consent.step(own, value, by=one.system, is_owner=is_owner, bulk=met.bulk, now=met.now)
        if isinstance(taken, consent.Refused):
            settled.refused[one.name] = Refusal(value, taken.reason)
        else:
            settled.take[one.name] = taken.value
    else:
        settled.take[one.name] = value


def _is_opt_out(settled: Settled, one: _Field) -> bool:
    """Whether a system that does not own a consent holds an opt-out from it, which is then never written over.

    It counts from everybody, if it is news or is dated: an old check mark takes no newer opt-in back, which is what
    ours is where the system is still to be told of it.
    """
    if one.name not in CONSENTS or one.name in one.met.echoes:
        return False
    value, own = one.value, one.met.own.get(one.name)
    if not isinstance(value, dict) or value["state"] != "unsubscribed":
        return False
    taken = consent.step(own, value, by=one.system, is_owner=False, bulk=False, now=one.met.now)
    if isinstance(taken, consent.Refused) or same_consent(own, taken.value):
        return False
    if one.was_edited or value["at"] is not None:
        settled.opted_out[one.name] = taken.value
        return True
    return one.name not in one.met.pending


def _settle_shared(settled: Settled, one: _Field) -> None:
    """One of several writers (decision D11): whoever changed it last wrote it, unless two did at once."""
    rule = one.policy.fields[one.name].shared
    is_owner = one.owner == one.system
    if one.name in one.met.undecided:
        settled.apart.add(one.name)
        return
    if one.met.first and not is_owner:
        settled.send.add(one.name)
        return
    if one.name in one.met.unmet:
        # Nobody typed it: capitals or a cut are what the system makes of every value, and no word of anybody's.
        if one.was_edited:
            settled.refused[one.name] = Refusal(one.readable, NOT_WHAT_WAS_WRITTEN)
        settled.send.add(one.name)
        return
    if one.name in one.met.pending:
        if not one.was_edited:
            settled.send.add(one.name)
            return
        # Ours has changed too since they last met. Which edit was the newer no two clocks can tell for sure, so that
        # `newest wins` has the one that reaches us last, which is this.
        conflict = "owner wins" if rule is None else rule.conflict
        wins = is_owner if conflict == "owner wins" else conflict == "newest wins"
        if not wins:
            settled.refused[one.name] = Refusal(one.readable, BOTH_CHANGED)
            if conflict != "manual":
                settled.send.add(one.name)
            return
    if one.value is None and not is_owner and not (rule is not None and rule.empty_overwrites):
        settled.refused[one.name] = Refusal(None, "an empty value of a system that does not own the field")
        settled.send.add(one.name)
        return
    _take(settled, one)
    if one.was_edited and one.name in settled.take:
        settled.edited.add(one.name)
