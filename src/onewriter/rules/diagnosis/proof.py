"""The proof: a fix has held when a full cycle has passed, and named checks have looked again (M32 to M39, M68, M78).

A value that is right after the first save is not fixed yet: whoever overwrote it before comes back with the next cycle.
So nothing that is seen before counts, and no case is verified by being looked at early. These are functions over plain
records; whoever keeps the cases keeps them, and hands in what was seen.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from onewriter.records import SHOPIFY, Instant


class State(StrEnum):
    """How far a case is."""

    OPEN = "open"
    DIAGNOSED = "diagnosed"
    FIX_APPLIED = "fix applied"  # done, and not yet in force: somebody must still agree to it
    WAITING = "waiting for cycle"
    VERIFIED = "verified"
    RETURNED = "returned"
    CLOSED = "closed"  # by a person, with a reason
    JOINED = "joined"  # a part of another case


class CheckName(StrEnum):
    """What is looked at again."""

    STAYS = "stays"  # the value stays in the shop after the next cycle (M34)
    KEEPS = "keeps"  # the connected system keeps it after it was read again by hand (M35)
    SECOND = "second"  # another customer stays aligned after a fresh edit (M36)
    MERGED = "merged"  # the customer of a merge, looked at again (M37)
    CONSENT = "consent"  # the consent is on the right person still (M38)
    ONE_RECORD = "one record"  # the next pass made no second record (M39)


class CheckState(StrEnum):
    """What became of a check."""

    WAITING = "waiting"
    HELD = "held"
    FAILED = "failed"
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One check of a case."""

    name: CheckName
    state: CheckState
    due_after: Instant
    """A cycle counts that began after this: the fix, or the fresh edit."""
    edited: bool = True
    """Whether the fresh edit that it needs was made; only `second` needs one."""
    looked_at: Instant | None = None
    told: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run that read a system, or a reconcile that read the shop."""

    system: str
    began: Instant
    ended: Instant | None
    read_all: bool
    """Whether it read everything that it planned; of the shop, whether it was a full reconcile."""
    unsettled: int = 0
    """Writes that it left pending or ambiguous."""
    rejected: frozenset[str] = frozenset()
    """Fields of which a write was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was seen of a case when somebody, or the end of a cycle, looked."""

    at: Instant
    is_right: bool
    is_refreshed: bool = False
    """Whether the record was read again for this look alone, not by a cycle (M35)."""
    told: str | None = None


# ---- What is a full cycle (decision D3) -----------------------------------------------------------------------------


def is_past(each: Pass, after: Instant, fields: Collection[str]) -> bool:
    """Whether a run is a full cycle for a case: begun after the fix, all read and settled, nothing of it rejected."""
    whole = each.ended is not None and each.read_all and each.unsettled == 0
    return whole and each.began > after and not each.rejected & {*fields}


def past_at(
    passes: Iterable[Pass],
    after: Instant,
    fields: Collection[str],
    writers: Collection[str],
    excused: Collection[str] = (),
    shop: str = SHOPIFY,
) -> Instant | None:
    """When the full cycle after the fix was over; None while a system is still awaited.

    `writers` are the systems that may write the fields, or were seen to; `excused` those that a person named as not
    awaited. The shop is always awaited.
    """
    ends = _first_ends(passes, after, fields)
    needed = {*writers, shop} - ({*excused} - {shop})
    return max(ends[name] for name in needed) if needed <= {*ends} else None


def awaited(
    passes: Iterable[Pass],
    after: Instant,
    fields: Collection[str],
    writers: Collection[str],
    excused: Collection[str] = (),
    shop: str = SHOPIFY,
) -> tuple[str, ...]:
    """The systems whose full cycle is still to come."""
    needed = {*writers, shop} - ({*excused} - {shop})
    return tuple(sorted(needed - {*_first_ends(passes, after, fields)}))


def _first_ends(passes: Iterable[Pass], after: Instant, fields: Collection[str]) -> dict[str, Instant]:
    ends: dict[str, Instant] = {}
    for each in passes:
        if each.ended is not None and is_past(each, after, fields):
            ends[each.system] = min(each.ended, ends.get(each.system, each.ended))
    return ends


# ---- The checks -----------------------------------------------------------------------------------------------------


def begun(
    fixed_at: Instant,
    *,
    is_merge: bool = False,
    is_consent: bool = False,
    is_key: bool = False,
    has_second: bool = True,
) -> tuple[Proof, ...]:
    """The checks of a fix. `has_second` is whether there is any other linked customer whose edit could be looked at."""
    needs = {
        CheckName.STAYS: True,
        CheckName.KEEPS: True,
        CheckName.SECOND: has_second,
        CheckName.MERGED: is_merge,
        CheckName.CONSENT: is_consent,
        CheckName.ONE_RECORD: is_key,
    }
    return tuple(
        Proof(
            name=name,
            state=CheckState.WAITING if needed else CheckState.NOT_NEEDED,
            due_after=fixed_at,
            edited=name is not CheckName.SECOND,
        )
        for name, needed in needs.items()
    )


def edited(proof: Proof, at: Instant) -> Proof:
    """The check after a fresh edit was seen; the cycle that it waits for begins after that edit.

    An edit from before the fix is none, and a later one does not put off a check that has one.
    """
    if proof.edited or at <= proof.due_after:
        return proof
    return replace(proof, edited=True, due_after=at)


def looked(proof: Proof, seen: Sighting, past: Instant | None) -> Proof:
    """The check after a look. `past` is when the full cycle after its `due_after` was over; None while it is not."""
    if proof.state in (CheckState.NOT_NEEDED, CheckState.FAILED):
        return proof
    counts = proof.edited and past is not None and seen.at >= past
    if proof.name is CheckName.KEEPS and seen.is_right:
        counts = counts and seen.is_refreshed
    if not counts:
        # What was held stays held, and what is seen too early is told and proves nothing.
        return proof if proof.state is CheckState.HELD else replace(proof, looked_at=seen.at, told=seen.told)
    state = CheckState.HELD if seen.is_right else CheckState.FAILED
    return replace(proof, state=state, looked_at=seen.at, told=seen.told)


# ---- The case -------------------------------------------------------------------------------------------------------


def state_of(
    *, is_asserted: bool, fixed_at: Instant | None, is_in_force: bool = True, proofs: Sequence[Proof] = ()
) -> State:
    """How far a case is. It is verified only by checks that all held, and there are none without a fix."""
    if fixed_at is None:
        return State.DIAGNOSED if is_asserted else State.OPEN
    needed = [each.state for each in proofs if each.state is not CheckState.NOT_NEEDED]
    if CheckState.FAILED in needed:
        return State.RETURNED
    if needed and all(state is CheckState.HELD for state in needed):
        return State.VERIFIED
    return State.WAITING if is_in_force else State.FIX_APPLIED


def progress(proofs: Sequence[Proof]) -> str:
    """How many of the checks that are needed have held."""
    needed = [each for each in proofs if each.state is not CheckState.NOT_NEEDED]
    held = sum(each.state is CheckState.HELD for each in needed)
    return f"{held} of {len(needed)} held"


def refused_end(state: State, proofs: Sequence[Proof], override: str | None = None) -> str | None:
    """Why a case cannot be closed yet; None if it can. Only its proof ends it, or a person's reason (M68)."""
    if state is State.VERIFIED or (override is not None and override.strip()):
        return None
    if not proofs:
        return "Nothing was fixed yet, so that nothing is proved; say why it may be closed all the same."
    waits = [each.name.value for each in proofs if each.state in (CheckState.WAITING, CheckState.FAILED)]
    return f"The proof is not there ({progress(proofs)}; open: {', '.join(waits)}); say why it may be closed without."


@dataclass(frozen=True, slots=True)
class Escalation:
    """It is a configuration problem, and no record is to be edited any more (M78)."""

    told: str


def escalation(
    *,
    since: Instant,
    past: Instant | None,
    resynced_at: Instant | None,
    seen: Sighting,
    returns: str,
) -> Escalation | None:
    """Whether a value that is still wrong is a configuration problem: after one full cycle and one resync by hand.

    `since` is when the case was opened, or fixed if it was; `past` when the full cycle after that was over; `returns`
    the sentence that names who writes it (`advice.returns_because`, requirement M79). Neither of the two is enough.
    """
    if seen.is_right or past is None or resynced_at is None or resynced_at <= since:
        return None
    if seen.at < past or seen.at < resynced_at:
        return None
    return Escalation(f"Still wrong after a full cycle and a resync by hand: a configuration problem. {returns}")
