"""Order: what a change does to what we hold, whatever order it arrived in.

The end state is a function of the set of things that happened in the shop, never of the order in which we heard of
them. Three rules make it so:

- A profile is ordered by Shopify's own `updated_at` alone, because deliveries come late, twice and out of order
  (Shopify promises no order within a topic or across topics). It ticks in whole seconds, so two different profiles may
  carry the same one: then we keep one provisionally and read the customer again.
- Tags and consents are not in the deliveries. They come from reads only, and the read that began later wins.
- Nothing but a direct read without an error may empty a field: a null in a delivery can also mean that the app may not
  see the value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from onewriter.records import PROFILE_FIELDS, READ_FIELDS, Change, Instant, Kind, Path, Value

TRIES_MAX = 8
"""How often an older read is asked again before it becomes a finding."""


@dataclass(frozen=True, slots=True)
class Held:
    """What our side says of a record now, as far as order needs to know it."""

    fields: Mapping[str, Value]
    """What was ever said of it: an absent key was never said, None was said to be empty."""
    version: Instant | None
    heard: Instant
    path: Path
    read_began: Instant | None = None
    deleted: Instant | None = None
    """When the shop deleted it, by Shopify's clock; None while it is there."""
    confirmed: bool = False
    """A direct read has found it gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with one change. `fields` holds only what the side must now say differently."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    profile_won: bool = False
    """The side takes the change's version, time and path for its profile."""
    reads_won: bool = False
    """The side takes the change's `began` for its tags and consents."""
    refetch: frozenset[str] = frozenset()
    """Why the customer must be read again; empty when it need not be."""
    settles: bool = False
    """This was a direct read that answers every earlier reason to read again."""
    hide: Instant | None = None
    """Hide the customer, as deleted at this instant."""
    unhide: bool = False
    confirm: bool = False
    """A direct read confirms the deletion."""
    refused: str | None = None
    """Why the change, or a part of it, was not taken."""


Digest = Callable[[Mapping[str, Value]], bytes]
"""A keyed digest of a profile, so that which of two ties is kept does not depend on who came first."""


def decide(held: Held | None, change: Change, digest: Digest, tombstone: Instant | None = None) -> Verdict:
    """What this change does to what we hold.

    `held` is None for a record we have never heard of, and `tombstone` is when such a record is said to be deleted.
    """
    if change.kind is Kind.DELETED:
        return _decide_deletion(held, change)
    if change.kind is Kind.ABSENT:
        return _decide_absence(held, change)
    if held is None:
        return _first(change, tombstone)
    if held.deleted is not None and not _reveals(held.deleted, change):
        return _decide_hidden(held, change, digest)
    return _decide_present(held, change, digest)


def _first(change: Change, tombstone: Instant | None) -> Verdict:
    hidden = tombstone is not None and not _reveals(tombstone, change)
    if hidden and _is_after(change, tombstone):
        return Verdict(refused="after the deletion")
    fields = {name: value for name, value in change.fields.items() if name not in change.denied}
    read = change.path is not Path.WEBHOOK
    # A delivery never says tags and consents, so a customer first heard of in one is always read once.
    return Verdict(
        fields=fields,
        profile_won=True,
        reads_won=read,
        refetch=frozenset() if read or hidden else frozenset({"unread"}),
        settles=change.path is Path.READ and not hidden,
        hide=tombstone if hidden else None,
        unhide=tombstone is not None and not hidden,
    )


def _decide_deletion(held: Held | None, change: Change) -> Verdict:
    if held is not None and held.deleted is not None:
        # Two deliveries of one deletion may carry different times; the earlier one starts the clock.
        earlier = change.heard if change.heard < held.deleted else None
        return Verdict(hide=earlier, refused=None if earlier else "already deleted")
    return Verdict(hide=change.heard, refetch=frozenset({"deletion"}))


def _decide_absence(held: Held | None, change: Change) -> Verdict:
    if held is None or held.confirmed:
        return Verdict(settles=True)
    return Verdict(hide=change.heard if held.deleted is None else None, confirm=True, settles=True)


def _reveals(deleted: Instant, change: Change) -> bool:
    """A direct read that began after the deletion and finds the customer proves that it did not happen."""
    return change.path is Path.READ and change.heard > deleted


def _is_after(change: Change, deleted: Instant | None) -> bool:
    return deleted is not None and change.version is not None and change.version > deleted


def _decide_hidden(held: Held, change: Change, digest: Digest) -> Verdict:
    """A delete hides, it does not freeze: what happened before it still fills the record."""
    if change.path is Path.READ:
        return Verdict(refused="an older read")
    if _is_after(change, held.deleted):
        return Verdict(refused="after the deletion")
    verdict = _decide_present(held, change, digest)
    # Once the deletion is confirmed there is nobody left to read.
    return _without_refetch(verdict) if held.confirmed else verdict


def _without_refetch(verdict: Verdict) -> Verdict:
    return Verdict(
        fields=verdict.fields,
        profile_won=verdict.profile_won,
        reads_won=verdict.reads_won,
        settles=verdict.settles,
        refused=verdict.refused,
    )


def _decide_present(held: Held, change: Change, digest: Digest) -> Verdict:
    profile = _decide_profile(held, change, digest)
    read_fields, reads_won = _decide_reads(held, change)
    return Verdict(
        fields={**profile.fields, **read_fields},
        profile_won=profile.won,
        reads_won=reads_won,
        refetch=profile.refetch,
        settles=change.path is Path.READ and profile.refused is None,
        unhide=held.deleted is not None and _reveals(held.deleted, change),
        refused=profile.refused,
    )


@dataclass(frozen=True, slots=True)
class _Profile:
    """What becomes of the profile: the fields to take, whether the change's version wins, why to read again."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    won: bool = False
    refetch: frozenset[str] = frozenset()
    refused: str | None = None


def _decide_profile(held: Held, change: Change, digest: Digest) -> _Profile:
    said = _said(change, PROFILE_FIELDS)
    if change.version is None or held.version is None:
        return _Profile(_differing(held, said), won=change.version is not None)
    if change.version < held.version:
        return _Profile(refused="older than what we hold")
    cleared = _cleared_by_delivery(held, change, said)
    differing = {name: value for name, value in _differing(held, said).items() if name not in cleared}
    refetch = frozenset({"null"}) if cleared else frozenset()
    if change.version > held.version:
        return _Profile(differing, won=True, refetch=refetch)
    conflicting = {name for name in differing if name in held.fields}
    if not conflicting:
        # What the other one did not say is no contradiction: a delivery has no locale, a read has.
        return _Profile(differing, won=change.path is Path.READ, refetch=refetch)
    return _decide_tie(held, change, said, differing, refetch, digest)


def _decide_tie(
    held: Held,
    change: Change,
    said: Mapping[str, Value],
    differing: Mapping[str, Value],
    refetch: frozenset[str],
    digest: Digest,
) -> _Profile:
    """Two different profiles of one second. Only a direct read that began later can tell which is the newer."""
    additions = {name: value for name, value in differing.items() if name not in held.fields}
    again = refetch | {"tie"}
    if change.path is Path.READ:
        if held.path is Path.READ and change.heard < held.heard:
            return _Profile(refused="an older read")
        return _Profile(differing, won=True)
    if held.path is Path.READ:
        return _Profile(additions, refetch=again, refused="a tie with a direct read")
    ours = {name: held.fields.get(name) for name in said}
    if (change.heard, digest(said)) > (held.heard, digest(ours)):
        return _Profile(differing, won=True, refetch=again)
    return _Profile(additions, refetch=again, refused="a tie")


def _decide_reads(held: Held, change: Change) -> tuple[dict[str, Value], bool]:
    """Tags and consents: the read that began later wins, whatever `updated_at` says."""
    if change.path is Path.WEBHOOK:
        return {}, False
    if held.read_began is not None and change.heard < held.read_began:
        return {}, False
    return _differing(held, _said(change, READ_FIELDS)), True


def _said(change: Change, names: tuple[str, ...]) -> dict[str, Value]:
    return {name: change.fields[name] for name in names if name in change.fields and name not in change.denied}


def _differing(held: Held, said: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in said.items() if name not in held.fields or held.fields[name] != value}


def _cleared_by_delivery(held: Held, change: Change, said: Mapping[str, Value]) -> set[str]:
    if change.path is not Path.WEBHOOK:
        return set()
    return {name for name, value in said.items() if value is None and held.fields.get(name) is not None}
