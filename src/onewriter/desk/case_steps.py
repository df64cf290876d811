"""What to do next about a case, in one sentence with the command that does it."""

from onewriter.audit import cases
from onewriter.audit.cases import Case, limits
from onewriter.customers import policies, questions, systems
from onewriter.records import SHOPIFY
from onewriter.rules.diagnosis.checklist import gate
from onewriter.rules.diagnosis.moves import KEY, MAP, OWN
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import Runtime
from onewriter.workflows.asking import FIRST_WRITES, MASS_WRITES
from onewriter.workflows.fixing import ACTIONS, DONE
from onewriter.workflows.proving import Standing

EXAMPLES = {
    OWN: "--owner SYSTEM",
    MAP: "--transform same (or another one, --remote, --max-length, --word, --empty)",
}
"""What an action cannot know by itself."""


def next_step(runtime: Runtime, standing: Standing) -> str:
    """The one thing to do next about a case, with the command that does it."""
    case = standing.case
    show, verify = f"`onewriter cases show {case.number}`", f"`onewriter cases verify {case.number} --now`"
    if case.joined_to is not None:
        return f"`onewriter cases show {case.joined_to}`, of which this is a part."
    if case.state is State.CLOSED:
        return "`onewriter cases list` shows what is open."
    if case.state is State.VERIFIED:
        return f"`onewriter cases close {case.number} --why TEXT`; it is proved."
    if case.state in (State.OPEN, State.DIAGNOSED, State.RETURNED):
        return _to_mend(runtime, case)
    asked = question_of(runtime, standing)
    if asked is not None:
        return f'`onewriter questions answer {asked} "go on" --why TEXT`, then {verify}.'
    if case.state is State.FIX_APPLIED:
        return f"{verify} begins the cycle that asks before anything is written by the new rules."
    if standing.needs_edit:
        return _to_edit(runtime, case)
    if standing.awaited:
        return f"wait for {' and '.join(map(awaited, standing.awaited))}, or {verify} runs them now."
    return f"{verify} looks again; {show} has the whole case."


def _to_mend(runtime: Runtime, case: Case) -> str:
    """What to do about a case that nobody has mended, or that came back."""
    with runtime.database.read() as db:
        gated = gate(cases.checklist(db, case.shop_id, case))
        rule = policies.of_shop(db, case.shop_id).fields.get(case.field)
        has_one_owner = rule is not None and rule.shared is None
    number, action = case.number, case.told["action"]
    if not gated.is_open:
        return (
            f"`onewriter cases checklist {number} --answer {gated.unclear[0]} yes --why TEXT`: {len(gated.unclear)} "
            "items are unclear, and at most 2 may be."
        )
    done = f'`onewriter cases fix {number} --done "what was done"`'
    if case.state is State.RETURNED and case.fix is not None and case.fix["action"] in (action, DONE):
        return f"what was done did not hold, and the proof above says why: mend that, then {done}."
    if action not in ACTIONS or not limits(case).may_write:
        return f"do the first move, then {done}."
    if action == OWN and has_one_owner:
        return f"{case.field} has one owner already: switch the other writer off in its own system, then {done}."
    if action == KEY:
        return (
            f"`onewriter fields keys check` tells what links them; make them one record in {case.system}, then {done}."
        )
    example = f" {EXAMPLES[action]}" if action in EXAMPLES else ""
    return f"`onewriter cases fix {number} --do {action}{example}`; or, if it is mended elsewhere, {done}."


def _to_edit(runtime: Runtime, case: Case) -> str:
    """How the fresh edit comes about that the second customer is looked at by."""
    with runtime.database.read() as db:
        owner = policies.of_shop(db, case.shop_id).owner_of(case.field)
    where = f"in {owner}" if owner else "where it is owned"
    return (
        f"have {case.field} of another customer edited {where}, or with `onewriter customers set CUSTOMER "
        f"{case.field}=VALUE --why TEXT`; then `onewriter cases verify {case.number} --now`."
    )


def question_of(runtime: Runtime, standing: Standing) -> int | None:
    """The question that keeps a system of the case from its cycle, by its number."""
    case = standing.case
    with runtime.database.read() as db:
        names = {case.system, *((case.fix or {}).get("asking") or ())} & {*systems.names(db, case.shop_id)}
        # An edit by hand of what Shopify owns gets there by Shopify's own cycle.
        names |= {SHOPIFY} if standing.needs_edit else set()
        waiting = [
            each
            for kind in (FIRST_WRITES, MASS_WRITES)
            for each in questions.waiting_of(db, case.shop_id, kind)
            if each.subject in names
        ]
    return waiting[0].id if waiting else None


def awaited(name: str) -> str:
    """What is awaited of a system, in words."""
    return "a full reconcile of the shop" if name == SHOPIFY else f"a full cycle of {name}"
