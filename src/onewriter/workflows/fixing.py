"""Mending what a case is about: by onewriter itself where it can act, or by a person who says so; and taking it back.

Nothing is done before it is known how far a case reaches (requirement M1), nothing broad about a single record (M31),
and nothing to many records while three items or more of the checklist are unclear (M63); a person's reason goes over
the last two, and is kept. Each fix begins its proof anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from onewriter.audit import cases, proofs
from onewriter.audit.cases import Case, NotPossible
from onewriter.customers import aliases, deciding, links, owned, parked, pending, policies, shops, systems
from onewriter.customers.deciding import Pair
from onewriter.customers.links import LINKED
from onewriter.customers.systems import ACTIVE, PAUSED
from onewriter.intake.apply import read_again
from onewriter.records import Instant
from onewriter.rules.diagnosis import proof
from onewriter.rules.diagnosis.advice import MASS_MIN, is_broad, refusal
from onewriter.rules.diagnosis.checklist import gate
from onewriter.rules.diagnosis.judgement import ScopeRow
from onewriter.rules.diagnosis.moves import KEY, MAP, OWN, PAUSE, RESYNC, UNLINK
from onewriter.rules.diagnosis.proof import State
from onewriter.rules.policy import CONSENTS, Policy
from onewriter.rules.policy_changes import affected
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault
from onewriter.workflows import cycling

ACTIONS = (RESYNC, OWN, MAP, PAUSE, UNLINK, KEY)
DONE = "done"
"""What a person did elsewhere, and says so."""
BY_POLICY = (OWN, MAP, KEY)
MENDING = (*BY_POLICY, UNLINK, DONE)
"""What changes the cause, so that records may be put right after it."""
PEOPLE_MAX = 10_000
ASKED = "asked"
"""Why a customer is read again that somebody wants carried over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What somebody wants to do about a case."""

    number: int
    action: str
    by: str
    why: str
    now: Instant
    override: str | None = None
    """The reason of whoever goes on although something speaks against it."""


# ---- Whether it may be done -----------------------------------------------------------------------------------------


def check(db: Connection, shop_id: int, doing: Doing, customers: int | None = None) -> tuple[Case, str | None]:
    """The case, and what is overridden by the reason that was given; raises NotPossible with the next step.

    `customers` are those that the action is about, where it is not about all of the case.
    """
    case = cases.get(db, shop_id, doing.number)
    if case.state.value in cases.SETTLED:
        raise NotPossible(f"Case {case.number} is {case.state.value}; `onewriter cases list` shows what is open.")
    is_mended = case.fixed_at is not None and (case.fix or {}).get("action") in MENDING
    if doing.action == DONE:
        # What somebody has done already is written down as it is.
        return case, None
    limits = cases.limits(case)
    forbidden = refusal(limits, doing.action, is_mended=True, override=doing.override or DONE)
    if forbidden is not None:
        raise NotPossible(forbidden)
    against = [refusal(limits, doing.action, is_mended=is_mended)]
    if case.escalated_at is not None and doing.action == RESYNC and not is_mended:
        against.append("It is a configuration problem: no record is to be carried over again before that is mended.")
    many = is_broad(doing.action) or (case.affected if customers is None else customers) >= MASS_MIN
    gated = gate(cases.checklist(db, shop_id, case))
    if many and not gated.is_open:
        example = f"onewriter cases checklist {case.number} --answer {gated.unclear[0]} yes --why TEXT"
        against.append(f"{gated.told} `{example}` answers one.")
    told = " ".join(each for each in against if each is not None)
    if told and not (doing.override or "").strip():
        raise NotPossible(f"{told} To go on all the same: --override REASON.")
    return case, told or None


# ---- Doing it: customers are locked before the shop, as by everybody; what is refused is rolled back -----------------


def set_policy(runtime: Runtime, shop_id: int, doing: Doing, after: Policy) -> Case:
    """Mend by another policy: another owner, mapping or key. Systems that it concerns ask before they write by it."""
    with runtime.database.write() as db:
        shops.locked(db, shop_id)
        case, against = check(db, shop_id, doing)
        before = policies.of_shop(db, shop_id)
        asking = sorted(affected(before, after) & {each.name for each in systems.every(db, shop_id)})
        saved = policies.save(db, shop_id, after, doing.by, f"case {doing.number}: {doing.why}", doing.now)
        if saved.version == before.version:
            raise NotPossible(
                "That is what the policy says already, so nothing was mended by it. What was mended in another system "
                f'is told by `onewriter cases fix {doing.number} --done "what was done"`.'
            )
        told = f"Policy version {saved.version}."
        _fixed(
            db, runtime.vault(shop_id), case, doing, against, told,
            version=saved.version, before=before.version, asking=asking,
        )  # fmt: skip
    return _mended(runtime, shop_id, doing)


def resync(runtime: Runtime, shop_id: int, doing: Doing, only: bytes | None = None) -> str:
    """Carry the customers of a case over again, or one of them to try; the cycle's id.

    They are read again from Shopify first. After a fix this is no fix of its own: its proof goes on.
    """
    vault = runtime.vault(shop_id)
    with runtime.database.write() as db:
        people = cases.people_of(db, shop_id, doing.number, PEOPLE_MAX)
        if only is not None and only not in people:
            raise NotPossible(f"That customer is none of case {doing.number}; `onewriter cases show` names them.")
        wanted = people if only is None else [only]
        numbers = owned.numbers(db, shop_id, wanted)
        read_again(db, vault, dict.fromkeys(sorted(numbers.values()), frozenset({ASKED})), doing.now)
        shops.locked(db, shop_id)
        case, against = check(db, shop_id, doing, None if only is None else 1)
        one = wanted[0] if len(wanted) == 1 else None
        run_id = cycling.queue(
            runtime, db, shop_id, case.system, doing.by, doing.now, full=one is None, only=one
        )  # fmt: skip
        told = f"Carried over again: {len(wanted):,} of {case.affected:,}."
        cases.change(db, case, {"resynced_at": doing.now})
        if case.fixed_at is None or case.state is State.RETURNED:
            _fixed(db, vault, case, doing, against, told, run=run_id)
        else:
            _overrode(db, case, doing, against)
            cases.note(db, shop_id, case.number, "resynced", doing.by, told, doing.now)
    _release(runtime, shop_id, doing)
    return run_id


def pause(runtime: Runtime, shop_id: int, doing: Doing) -> Case:
    """Pause the system of a case, so that nothing overlaps what is being mended."""
    with runtime.database.write() as db:
        shops.locked(db, shop_id)
        case, against = check(db, shop_id, doing)
        if systems.get(db, shop_id, case.system).state == PAUSED:
            raise NotPossible(f"{case.system} is paused already; `onewriter systems resume {case.system}` ends that.")
        systems.change(db, shop_id, case.system, doing.now, state=PAUSED)
        _fixed(db, runtime.vault(shop_id), case, doing, against, f"Paused {case.system}.")
        return cases.get(db, shop_id, doing.number)


def unlink(runtime: Runtime, shop_id: int, doing: Doing) -> Case:
    """Break the links of a case: its records and customers are taken apart. `erasing.end` must follow."""
    vault = runtime.vault(shop_id)
    with runtime.database.write() as db:
        pairs = linked_of(db, shop_id, cases.get(db, shop_id, doing.number))
        if not pairs:
            raise NotPossible("None of its records is linked any more, so there is nothing to take apart.")
        for pair in pairs:
            deciding.break_link(db, vault, pair, doing.by, doing.now)
        shops.locked(db, shop_id)
        case, against = check(db, shop_id, doing)
        told = f"Links broken: {len(pairs):,}."
        _fixed(db, vault, case, doing, against, told, pairs=[[each.record, each.customer_id.hex()] for each in pairs])
    return _mended(runtime, shop_id, doing)


def linked_of(db: Connection, shop_id: int, case: Case) -> list[Pair]:
    """The linked records that a case is about."""
    wrong = set(cases.records_of(db, shop_id, case.number))
    theirs = links.of_people(db, shop_id, sorted({customer for customer, _record in wrong}))
    found = [each for each in theirs if each.system == case.system and each.state == LINKED]
    return [
        Pair(case.system, each.record, each.customer_id) for each in found if (each.customer_id, each.record) in wrong
    ]


def say_done(runtime: Runtime, shop_id: int, doing: Doing) -> Case:
    """Write down that a person mended it elsewhere; its proof begins now."""
    with runtime.database.write() as db:
        shops.locked(db, shop_id)
        case, against = check(db, shop_id, doing)
        _fixed(db, runtime.vault(shop_id), case, doing, against, "Mended by hand.")
    return _mended(runtime, shop_id, doing)


def _mended(runtime: Runtime, shop_id: int, doing: Doing) -> Case:
    """The case, once what had nowhere to go before is on its way again."""
    _release(runtime, shop_id, doing)
    with runtime.database.read() as db:
        return cases.get(db, shop_id, doing.number)


def _release(runtime: Runtime, shop_id: int, doing: Doing) -> None:
    """Have the system told again of what it could not be told before: of all where the mapping is another one, else of
    the customers of the case.
    """
    with runtime.database.write() as db:
        case = cases.get(db, shop_id, doing.number)
        people = None if doing.action == MAP else {*cases.people_of(db, shop_id, doing.number, PEOPLE_MAX)}
        found = parked.unsent(db, shop_id, case.system, case.told["fields"], people)
        parked.end(db, [identity for identity, _customer, _field in found], parked.RELEASED, doing.by, doing.now)
        pending.mark(db, shop_id, [(case.system, customer, field) for _id, customer, field in found], doing.now)


def _fixed(
    db: Connection, vault: ShopVault, case: Case, doing: Doing, against: str | None, told: str, **what: Any
) -> None:
    """Write the fix down, and begin its proof."""
    people = cases.people_of(db, case.shop_id, case.number, PEOPLE_MAX)
    fields = {*case.told["fields"]}
    begun = proof.begun(
        doing.now,
        is_merge=case.cause == "merge_not_propagated" or _has_merged(db, vault, people),
        is_consent=not fields.isdisjoint(CONSENTS),
        is_key=bool(fields & {"email", "phone"}) or case.scope_row == ScopeRow.IDENTITY or doing.action == KEY,
        has_second=proofs.has_second(db, case.shop_id, case.system, people),
    )
    proofs.begin(db, case.shop_id, case.number, begun)
    fix = {"action": doing.action, "by": doing.by, "why": doing.why, "told": told, "override": doing.override} | what
    cases.change(db, case, {"fixed_at": doing.now, "fix": fix, "escalated_at": None})
    current = cases.get(db, case.shop_id, case.number)
    state = proof.state_of(
        is_asserted=case.asserted, fixed_at=doing.now, is_in_force=cases.is_in_force(db, current), proofs=begun
    )
    cases.change(db, case, {"state": state.value})
    _overrode(db, case, doing, against)
    cases.note(db, case.shop_id, case.number, "fixed", doing.by, f"{told} {doing.why}", doing.now)


def _overrode(db: Connection, case: Case, doing: Doing, against: str | None) -> None:
    if against is not None:
        told = f"{doing.action}, although: {against} Because: {doing.override}"
        cases.note(db, case.shop_id, case.number, "overrode", doing.by, told, doing.now)


def _has_merged(db: Connection, vault: ShopVault, people: Sequence[bytes]) -> bool:
    """Whether another customer was merged into one of these."""
    return any(aliases.merged_away(db, vault, each) for each in owned.numbers(db, vault.shop_id, people).values())


# ---- Taking it back -------------------------------------------------------------------------------------------------


def undo(runtime: Runtime, shop_id: int, number: int, by: str, now: Instant) -> Case:
    """Take back what the last fix of a case did here; what a person did elsewhere is only said not to be done.

    Raises NotPossible where somebody has changed the same since. `erasing.end` must follow.
    """
    vault = runtime.vault(shop_id)
    with runtime.database.write() as db:
        case = cases.get(db, shop_id, number)
        if case.fix is not None and case.fix["action"] == UNLINK:
            for record, customer in case.fix["pairs"]:
                deciding.link_by_hand(db, vault, Pair(case.system, record, bytes.fromhex(customer)), by, now)
        shops.locked(db, shop_id)
        case = cases.get(db, shop_id, number)
        fix = case.fix
        if fix is None or case.state.value in cases.ENDED:
            raise NotPossible(f"Nothing was done about case {number} that could be taken back.")
        action = fix["action"]
        if action in BY_POLICY:
            _undo_policy(db, case, fix, by, now)
        elif action == PAUSE:
            system = systems.get(db, shop_id, case.system)
            systems.change(db, shop_id, system.name, now, state=ACTIVE, due_at=now if system.cycle_minutes else None)
        elif action == RESYNC:
            raise NotPossible(
                "A resync only carries over what the owners say; `onewriter systems undo RUN` takes back what its "
                "cycle wrote, and `onewriter runs list` names it."
            )
        proofs.clear(db, shop_id, number)
        state = State.DIAGNOSED if case.asserted else State.OPEN
        cases.change(db, case, {"fixed_at": None, "fix": None, "state": state.value})
        cases.note(db, shop_id, number, "undone", by, f"Taken back: {fix['told']}", now)
        return cases.get(db, shop_id, number)


def _undo_policy(db: Connection, case: Case, fix: Any, by: str, now: Instant) -> None:
    current = policies.version(db, case.shop_id)
    if current != fix["version"]:
        raise NotPossible(
            f"The policy is of version {current} by now, and this fix made version {fix['version']}: set what you want "
            "with `onewriter fields own` or `fields map`."
        )
    before = policies.of_version(db, case.shop_id, fix["before"])
    policies.save(db, case.shop_id, before.with_version(current), by, f"case {case.number}: taken back", now)
