"""Order: what a change does to what we hold, whatever order it arrived in.

The end state is a function of the set of things that happened in the shop, never of the order in which we heard of
them. So each field is a register that the greatest stamp wins, and a stamp is made of the shop's facts only:

- Of the profile, by Shopify's own `updated_at`, because deliveries come late, twice and out of order (Shopify promises
  no order within a topic or across topics). It ticks in whole seconds, so two different values may carry the same one:
  then a direct read ranks above a delivery, the later trigger above the earlier, and the customer is read again.
- Tags and consents are not in the deliveries. They come from reads only, and the read that began later wins.
  Their deliveries are doorbells: they say that something changed, and a read settles what. No delta is ever reckoned.
- Nothing but a read without an error may empty a field. A null in a delivery can also mean that the app may not see the
  value, so it says nothing; it only asks for a read.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from onewriter.records import HOUR, PROFILE_FIELDS, READ_FIELDS, Change, Instant, Kind, Path, Value

DELIVERED_FIELDS = frozenset(PROFILE_FIELDS) - {"locale"}
"""The profile fields that every full delivery carries."""

CONTACTS = ("email", "phone")
"""Consents belong to these: another address or number has another consent, and no delivery is promised for that."""

CLOCKS_APART: Instant = HOUR
"""When a read began is told by our clock, and a deletion by Shopify's: nearer than that, they are not compared."""

OLDER = "older than what we hold"

TRIES_MAX = 8
"""How often an older read is asked again before it becomes a finding."""


Stamp = tuple[Instant, int, Instant]
"""What orders the values of one field: the version, 1 for a direct read, and when it was told."""


@dataclass(frozen=True, slots=True)
class Held:
    """What our side says of a record now, as far as order needs to know it."""

    fields: Mapping[str, Value]
    """What was ever said of it: an absent key was never said, None was said to be empty."""
    version: Instant
    """The newest version heard of."""
    stamps: Mapping[str, Stamp]
    """The stamp of each profile field that was said."""
    read_began: Instant | None = None
    deleted: Instant | None = None
    """When the shop deleted it, by Shopify's clock; None while it is there."""
    confirmed: bool = False
    """A direct read has found it gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with one change. `fields` holds only what the side must now say differently."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    """The profile fields that the change has the last word on, with its stamp."""
    newest: Stamp | None = None
    """The change's stamp, when it tells of the profile at all: the greatest one is the side's version."""
    reads_won: bool = False
    """The side takes the change's `began` for its tags and consents."""
    refetch: frozenset[str] = frozenset()
    """Why the customer must be read again; empty when it need not be."""
    settles: bool = False
    """This was a direct read of everything, so that it answers every earlier reason to read again."""
    hide: Instant | None = None
    """Hide the customer, as deleted at this instant."""
    unhide: bool = False
    confirm: bool = False
    """A direct read confirms the deletion."""
    refused: str | None = None
    """Why the change, or a part of it, was not taken."""


Digest = Callable[[Value], bytes]
"""A keyed digest of a value, so that which of two ties is kept does not depend on who came first."""


def decide(held: Held | None, change: Change, digest: Digest, tombstone: Instant | None = None) -> Verdict:
    """What this change does to what we hold.

    `held` is None for a record we have never heard of, and `tombstone` is when such a record is said to be deleted.
    """
    if change.kind is Kind.DELETED:
        return _decide_deletion(held, held.deleted if held else tombstone, change)
    if change.kind is Kind.ABSENT:
        return _decide_absence(held, change)
    if change.kind is Kind.RUNG:
        return _decide_doorbell(held, tombstone)
    if change.kind is Kind.MERGED:
        # Which customer it is now is the alias's matter; of this one it says that it may be gone.
        return Verdict(refetch=frozenset({"merge"}))
    if change.kind is Kind.NOT_MERGED:
        return Verdict(refused="the merge failed")
    if held is None:
        return _first(change, tombstone)
    if held.deleted is not None and not _reveals(held.deleted, change):
        return _decide_hidden(held, change, digest)
    return _decide_present(held, change, digest)


def _first(change: Change, tombstone: Instant | None) -> Verdict:
    hidden = tombstone is not None and not _reveals(tombstone, change)
    if hidden and _is_after(change, tombstone):
        return Verdict(refused="after the deletion")
    said = _said(change, PROFILE_FIELDS)
    read = change.path is not Path.WEBHOOK
    # A delivery never says tags and consents, so a customer first heard of in one is always read once.
    return Verdict(
        fields={**said, **(_said(change, READ_FIELDS) if read else {})},
        stamps=dict.fromkeys(said, _stamp(change)),
        newest=_stamp(change),
        reads_won=read,
        refetch=frozenset() if read or hidden else frozenset({"unread"}),
        settles=change.path is Path.READ and not hidden and not change.denied,
        hide=tombstone if hidden else None,
        unhide=tombstone is not None and not hidden,
    )


def _decide_deletion(held: Held | None, deleted: Instant | None, change: Change) -> Verdict:
    if held is not None and held.read_began is not None and change.heard < held.read_began - CLOCKS_APART:
        # A read that began later has seen the customer: it was not deleted then, whatever has happened since.
        return Verdict(refused=OLDER, refetch=frozenset() if held.confirmed else frozenset({"deletion"}))
    if deleted is None:
        return Verdict(hide=change.heard, refetch=frozenset({"deletion"}))
    # Two deliveries of one deletion may carry different times; the earlier one starts the clock.
    if change.heard < deleted:
        return Verdict(hide=change.heard)
    return Verdict(refused="already deleted")


def _decide_absence(held: Held | None, change: Change) -> Verdict:
    if held is None or held.confirmed:
        return Verdict(settles=True)
    if _began_earlier(held, change):
        return Verdict(refused=OLDER)
    return Verdict(hide=change.heard if held.deleted is None else None, confirm=True, settles=True)


def _decide_doorbell(held: Held | None, tombstone: Instant | None) -> Verdict:
    """Something changed that only a read can tell; of whom is gone, nothing can be read."""
    gone = tombstone is not None if held is None else held.confirmed
    return Verdict(refetch=frozenset() if gone else frozenset({"doorbell"}))


def _reveals(deleted: Instant, change: Change) -> bool:
    """A direct read that began after the deletion and finds the customer proves that it did not happen."""
    return change.path is Path.READ and change.heard > deleted


def _is_after(change: Change, deleted: Instant | None) -> bool:
    return deleted is not None and change.version is not None and change.version > deleted


def _decide_hidden(held: Held, change: Change, digest: Digest) -> Verdict:
    """A delete hides, it does not freeze: what happened before it still fills the record."""
    if _is_after(change, held.deleted):
        return Verdict(refused="after the deletion")
    verdict = _decide_present(held, change, digest)
    # Once the deletion is confirmed there is nobody left to read.
    return replace(verdict, settles=False, refetch=frozenset() if held.confirmed else verdict.refetch)


def _decide_present(held: Held, change: Change, digest: Digest) -> Verdict:
    said, stamp = _said(change, PROFILE_FIELDS), _stamp(change)
    won = [name for name, value in said.items() if _wins(held, stamp, name, value, digest)]
    lost = [name for name in said if name not in won and held.fields[name] != said[name]]
    read_fields, reads_won = _decide_reads(held, change, digest)
    older = (change.version or 0) < held.version or (change.path is Path.READ and bool(lost))
    return Verdict(
        fields={**_differing(held, {name: said[name] for name in won}), **read_fields},
        stamps=dict.fromkeys(won, stamp),
        newest=stamp,
        reads_won=reads_won,
        refetch=_doubts(held, change, said, won),
        settles=change.path is Path.READ and not older and not change.denied and not _began_earlier(held, change),
        unhide=held.deleted is not None and _reveals(held.deleted, change),
        refused=OLDER if lost or (older and not won) else None,
    )


def _wins(held: Held, stamp: Stamp, name: str, value: Value, digest: Digest) -> bool:
    """True when the change has the last word on a field: the greater stamp, and of equal stamps the greater digest."""
    if name not in held.stamps:
        return True
    ours = held.stamps[name]
    if ours != stamp or held.fields[name] == value:
        return stamp > ours
    return digest(value) > digest(held.fields[name])


def _doubts(held: Held, change: Change, said: Mapping[str, Value], won: Collection[str]) -> frozenset[str]:
    """Why only a direct read can tell: two values of one second, a null over a value, another address."""
    if change.path is Path.READ:
        return frozenset()
    doubts = {"null"} if change.denied and change.path is Path.WEBHOOK else set()
    stamp = _stamp(change)
    for name, value in said.items():
        if name in held.stamps and held.stamps[name][0] == stamp[0] and held.fields[name] != value:
            doubts.add("tie")
        elif name in won and stamp[0] < held.version and name in DELIVERED_FIELDS:
            # A newer delivery said null here, or it would have had the last word.
            doubts.add("null")
    if any(held.fields.get(name) is not None for name in _nulls(held, change)):
        doubts.add("null")
    if change.path is Path.WEBHOOK and any(
        said.get(name, held.fields.get(name)) != held.fields.get(name) for name in CONTACTS
    ):
        doubts.add("consent")
    return frozenset(doubts)


def _nulls(held: Held, change: Change) -> list[str]:
    """The fields that a delivery, not older than what we hold of them, calls null."""
    if change.path is not Path.WEBHOOK:
        return []
    version = change.version or 0
    nulls = [name for name in PROFILE_FIELDS if name in change.fields and change.fields[name] is None]
    return [name for name in nulls if name in held.stamps and held.stamps[name][0] <= version]


def _decide_reads(held: Held, change: Change, digest: Digest) -> tuple[dict[str, Value], bool]:
    """Tags and consents: the read that began later wins, whatever `updated_at` says.

    Of two that began at one instant, as bulk reads of one second do, the greater digest is kept.
    """
    if change.path is Path.WEBHOOK:
        return {}, False
    differing = _differing(held, _said(change, READ_FIELDS))
    if held.read_began is None or change.heard > held.read_began:
        return differing, True
    if _began_earlier(held, change):
        return {}, False
    greater = {name for name in differing if digest(differing[name]) > digest(held.fields.get(name))}
    return {name: differing[name] for name in greater}, False


def _began_earlier(held: Held, change: Change) -> bool:
    return held.read_began is not None and change.heard < held.read_began


def _stamp(change: Change) -> Stamp:
    return (change.version or 0, int(change.path is Path.READ), change.heard)


def _said(change: Change, names: tuple[str, ...]) -> dict[str, Value]:
    """What the change says of these fields: nothing of what it was denied, and nothing where a delivery has a null."""
    silent = change.path is Path.WEBHOOK
    return {
        name: change.fields[name]
        for name in names
        if name in change.fields and name not in change.denied and not (silent and change.fields[name] is None)
    }


def _differing(held: Held, said: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in said.items() if name not in held.fields or held.fields[name] != value}
