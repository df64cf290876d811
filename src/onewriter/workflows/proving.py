"""Proving: after each run that read a system or the shop, the cases that wait for it are looked at again.

A fix has held when a full cycle has passed since, and each named check then sees what is right (requirements M32 to
M39). The end of a cycle alone proves nothing of the other system: its records are read again for the check by
themselves, apart from any cycle, so that what a cycle believes that it has written is not taken for what stands there.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import Connection

from onewriter.audit import cases, proofs, sightings
from onewriter.audit.cases import Case
from onewriter.audit.proofs import Kept
from onewriter.audit.sightings import Seen
from onewriter.customers import runs, shops, systems
from onewriter.customers.runs import Run
from onewriter.errors import OnewriterError
from onewriter.records import RunState
from onewriter.rules.diagnosis.proof import (
    CheckName,
    CheckState,
    Pass,
    Proof,
    Sighting,
    State,
    awaited,
    edited,
    escalation,
    looked,
    past_at,
    state_of,
)
from onewriter.runtime import Runtime
from onewriter.workflows import constraining, reaching

BY = "onewriter"
PROVED = (State.FIX_APPLIED, State.WAITING)
"""States in which a fix is to be proved."""
UNMENDED = (State.OPEN, State.DIAGNOSED, State.RETURNED)
PEOPLE_MAX = 200
"""So many customers of one case are looked at, the same each time."""
REFRESHED_MAX = 20
"""So many of them are read again, each by itself."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the proof of a case stands."""

    case: Case
    checks: Sequence[Kept]
    awaited: tuple[str, ...]
    """Systems whose full cycle since the fix is still to come; `shopify` stands for a full reconcile."""
    needs_edit: bool
    """Whether a fresh edit of a second customer is still to come."""


def attend(runtime: Runtime, ended: Run) -> None:
    """Look again at the cases that may have waited for this run. Nothing that happens here fails a run."""
    if ended.state is not RunState.DONE or runs.family(ended.kind) not in (runs.CYCLE, runs.RECONCILE):
        return
    if ended.checkpoint.get("dry") or ended.checkpoint.get("dry_run"):
        return
    try:
        with runtime.database.read() as db:
            named = [case.number for case in cases.unsettled(db, ended.shop_id) if _concerns(db, case, ended)]
    except OnewriterError as error:
        log.warning("cases are looked at later", error=type(error).__name__)
        return
    for number in named:
        try:
            look(runtime, ended.shop_id, number)
        except Exception as error:  # noqa: BLE001 - the run is over and well; the next one looks again
            log.warning("case is looked at later", case=number, error=type(error).__name__)


def _concerns(db: Connection, case: Case, ended: Run) -> bool:
    """Whether a run may change how far a case is: any that reads, of a fix; of the others one that tells more of it.

    A prediction is scored by the first whole cycle after it, and by no later one; and what is wrong after a resync by
    hand may be a configuration problem, with that run or with the cycle or reconcile after it.
    """
    if case.state in PROVED:
        return True
    since = case.fixed_at or case.opened_at
    if case.escalated_at is None:
        people = cases.people_of(db, case.shop_id, case.number, PEOPLE_MAX)
        if case.resynced_at or proofs.resynced_at(db, case.shop_id, case.system, people, since) is not None:
            return True
    passed = proofs.passes(db, case.shop_id, case.predicted_at or since)
    is_first = sum(each.system == case.system for each in passed) == 1
    return case.survived is None and ended.kind == runs.cycle_of(case.system) and is_first


def look(runtime: Runtime, shop_id: int, number: int) -> Standing:
    """Look at a case now, and write down what that proves; seen too early it is told and proves nothing."""
    with runtime.database.read() as db:
        case = cases.get(db, shop_id, number)
        people = cases.people_of(db, shop_id, number, PEOPLE_MAX)
    if case.state not in (*PROVED, *UNMENDED):
        return standing(runtime, shop_id, number)
    looking = _Looking(runtime, case, people)
    refreshed = looking.is_due() and looking.refresh()
    looking.examine(is_refreshed=refreshed)
    with runtime.database.write() as db:
        shops.locked(db, shop_id)
        current = cases.get(db, shop_id, number)
        if (current.state, current.fixed_at) == (case.state, case.fixed_at):
            looking.write(db)
    return standing(runtime, shop_id, number)


def standing(runtime: Runtime, shop_id: int, number: int) -> Standing:
    """How the proof of a case stands, without looking again."""
    with runtime.database.read() as db:
        case = cases.get(db, shop_id, number)
        checks = proofs.of_case(db, shop_id, number)
        people = cases.people_of(db, shop_id, number, PEOPLE_MAX)
        waits = [each.proof for each in checks if each.proof.state is CheckState.WAITING]
        # Until the fresh edit is there, only what the others wait for is awaited.
        due_after = max((each.due_after for each in waits if each.edited), default=None)
        told: tuple[str, ...] = ()
        if case.fixed_at is not None and due_after is not None:
            told = _Cycles.of(db, case, people).awaited(due_after)
    return Standing(case=case, checks=checks, awaited=told, needs_edit=any(not each.edited for each in waits))


@dataclass(frozen=True, slots=True)
class _Cycles:
    """The passes since a fix, or since a case was opened, and whose are waited for."""

    passes: Sequence[Pass]
    fields: Sequence[str]
    writers: Collection[str]
    excused: Collection[str]

    @classmethod
    def of(cls, db: Connection, case: Case, people: Collection[bytes]) -> "_Cycles":
        since = case.fixed_at or case.opened_at
        fields = case.told["fields"]
        writers = proofs.writers(db, case.shop_id, case.system, fields, people, case.opened_at)
        return cls(proofs.passes(db, case.shop_id, since), fields, writers, tuple((case.fix or {}).get("excused", ())))

    def past_at(self, after: int, *, is_right: bool = True) -> int | None:
        """When the full cycle after that time was over. One in which a write of the fields was rejected proves nothing
        that is right, but what is wrong is wrong by it.
        """
        return past_at(self.passes, after, self.fields if is_right else (), self.writers, self.excused)

    def awaited(self, after: int) -> tuple[str, ...]:
        return awaited(self.passes, after, self.fields, self.writers, self.excused)


class _Looking:
    """One look at one case."""

    def __init__(self, runtime: Runtime, case: Case, people: Sequence[bytes]) -> None:
        self.runtime, self.case, self.people = runtime, case, people
        self.vault = runtime.vault(case.shop_id)
        self.seen: Seen | None = None
        self.is_refreshed = False
        self._full_at = 0
        with runtime.database.read() as db:
            self.cycles = _Cycles.of(db, case, people)
            self.checks = self._edited(db, proofs.of_case(db, case.shop_id, case.number))

    def _edited(self, db: Connection, checks: Sequence[Kept]) -> list[Kept]:
        """The checks, with the fresh edit that came meanwhile."""
        case, found = self.case, []
        for each in checks:
            if each.proof.name is CheckName.SECOND and not each.proof.edited and case.fixed_at is not None:
                fresh = proofs.fresh_edit(
                    db, case.shop_id, case.system, case.told["fields"], self.people, case.fixed_at, each.customer_id
                )
                if fresh is not None:
                    each = Kept(edited(each.proof, fresh.at), fresh.customer_id)
            found.append(each)
        return found

    def is_due(self) -> bool:
        """Whether a check waits for a look at the system itself, and its full cycle has passed."""
        return any(
            each.proof.state is CheckState.WAITING and each.proof.edited
            and self.cycles.past_at(each.proof.due_after, is_right=False) is not None
            for each in self.checks
        )  # fmt: skip

    def refresh(self) -> bool:
        """Read the records of these customers again, by themselves; False where the system cannot be read now."""
        ids = sorted({*self.people[:REFRESHED_MAX], *self._seconds()})
        with self.runtime.database.read() as db:
            system = systems.get(db, self.case.shop_id, self.case.system)
        try:
            with reaching.opened(self.runtime, system, None) as target:
                target.look(ids)
        except OnewriterError as error:
            log.warning("record cannot be read again", case=self.case.number, error=type(error).__name__)
            return False
        return True

    def _seconds(self) -> Iterator[bytes]:
        yield from (each.customer_id for each in self.checks if each.customer_id is not None)

    def examine(self, *, is_refreshed: bool) -> None:
        """See how the case's customers, and the second one, stand now."""
        self.is_refreshed = is_refreshed
        with self.runtime.database.read() as db:
            self._full_at = systems.get(db, self.case.shop_id, self.case.system).full_at or 0
        case, moment = self.case, self.runtime.now()
        with self.runtime.database.snapshot() as db:
            shop, system = shops.by_id(db, case.shop_id), systems.get(db, case.shop_id, case.system)
            bounds = constraining.known(self.runtime, db, shop, system, days=constraining.DAYS)
            everybody = {*self.people, *self._seconds()}
            self.seen = sightings.examine(db, self.vault, shop, system, bounds, case, everybody, moment)

    def write(self, db: Connection) -> None:
        """Write down what was seen, and how far the case is by it."""
        assert self.seen is not None
        if self.case.state in PROVED:
            self._prove(db, self.seen)
        self._score(db, self.seen)
        self._escalate(db, self.seen)

    # ---- The checks

    def _prove(self, db: Connection, seen: Seen) -> None:
        case, moment = self.case, self.runtime.now()
        done = []
        for each in self.checks:
            sighting = self._sighting(each, seen)
            past = None if sighting is None else self.cycles.past_at(each.proof.due_after, is_right=sighting.is_right)
            done.append(each if sighting is None else replace(each, proof=looked(each.proof, sighting, past)))
            proofs.save(db, case.shop_id, case.number, done[-1])
        told = [each.proof for each in done]
        state = state_of(
            is_asserted=case.asserted, fixed_at=case.fixed_at, is_in_force=cases.is_in_force(db, case), proofs=told
        )
        self._move(db, state, told, moment)

    def _sighting(self, kept: Kept, seen: Seen) -> Sighting | None:
        """What was seen of one check; None while it is about an edit that is still on its way."""
        name = kept.proof.name
        if not kept.proof.edited:
            return Sighting(at=seen.at, is_right=True, told="No fresh edit was seen yet.")
        if name is CheckName.ONE_RECORD:
            found = seen.doubled(self.people)
            if not found.is_right and self._full_at <= kept.proof.due_after:
                # A record that was taken away since is seen by a full reading only.
                return None
        else:
            whose = {kept.customer_id} - {None} if name is CheckName.SECOND else self.people
            found = seen.wrong({each for each in whose if each is not None})
        if found.is_underway:
            return None
        return Sighting(at=seen.at, is_right=found.is_right, is_refreshed=self.is_refreshed, told=found.told)

    def _move(self, db: Connection, state: State, told: Sequence[Proof], moment: int) -> None:
        case = self.case
        if state is case.state:
            return
        values: dict[str, object] = {"state": state.value}
        sentence = {
            State.WAITING: "The fix is in force.",
            State.VERIFIED: "Every check held after a full cycle.",
            State.FIX_APPLIED: "The fix waits for somebody to agree to it.",
        }.get(state)
        if state is State.RETURNED:
            values |= {"returned_at": moment, "returns": case.returns + 1}
            sentence = next(str(each.told) for each in told if each.state is CheckState.FAILED)
        cases.change(db, case, values)
        cases.note(db, case.shop_id, case.number, state.value, BY, sentence or f"Now {state.value}.", moment)

    # ---- The prediction (M14), and what is a configuration problem (M78)

    def _score(self, db: Connection, seen: Seen) -> None:
        """Score the prediction once the first whole cycle of the system has passed that began after it."""
        case = self.case
        if case.survived is not None or case.predicted_at is None:
            return
        of_it = [each for each in self.cycles.passes if each.system == case.system and each.read_all]
        after = [each.began for each in of_it if each.began > case.predicted_at]
        if not after or (case.fixed_at is not None and min(after) > case.fixed_at):
            return
        survived = seen.survived(case.predicted)
        if survived is not None:
            cases.change(db, case, {"survived": survived})
            told = "won" if survived else "did not win"
            sentence = f"{case.predicted or 'Nobody'} was predicted to win the cycle, and {told}."
            cases.note(db, case.shop_id, case.number, "scored", BY, sentence, self.runtime.now())

    def _escalate(self, db: Connection, seen: Seen) -> None:
        """Say of what is still wrong after a full cycle and a resync by hand that no record is to blame."""
        case = self.case
        since = case.fixed_at or case.opened_at
        by_hand = proofs.resynced_at(db, case.shop_id, case.system, self.people, since)
        found = seen.wrong({*self.people})
        told = escalation(
            since=since,
            past=self.cycles.past_at(since, is_right=False),
            resynced_at=max(filter(None, (by_hand, case.resynced_at)), default=None),
            seen=Sighting(at=seen.at, is_right=found.is_right),
            returns=seen.returns,
        )
        if told is not None and case.escalated_at is None:
            cases.change(db, case, {"escalated_at": seen.at})
            cases.note(db, case.shop_id, case.number, "escalated", BY, told.told, seen.at)
