"""Mending what a case is about: what would be done and what it comes to, doing it, and taking it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from onewriter.audit import cases
from onewriter.audit.cases import Case, NotPossible
from onewriter.customers import erasing, find, policies, systems
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.desk.mapping import KEYS, MAPPING, key_rule, mapped
from onewriter.desk.policies import effect_document, problem_documents
from onewriter.errors import BadInput, UnknownSystem
from onewriter.rules.diagnosis.moves import KEY, MAP, OWN, PAUSE, RESYNC, UNLINK
from onewriter.rules.ownership import with_owner
from onewriter.rules.policy import MANUAL, Policy
from onewriter.rules.policy_changes import Difference, affected, changes
from onewriter.rules.policy_check import PolicyProblem
from onewriter.workflows import fixing
from onewriter.workflows.fixing import ACTIONS, BY_POLICY, DONE, Doing

FIX, UNDO = "fix case", "undo fix"
OWNER = "owner"
CUSTOMER = "customer"
OPTIONS: Mapping[str, tuple[str, ...]] = {OWN: (OWNER,), MAP: MAPPING, KEY: KEYS, RESYNC: (CUSTOMER,)}
"""What goes with which action."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to have done about a case; without an action, what the case advises."""

    number: int
    action: str | None = None
    done: str | None = None
    """It was mended elsewhere: how."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """What goes with the action, by the names in OPTIONS."""
    override: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What another policy comes to."""

    before: Policy
    after: Policy
    changes: list[Difference]
    asking: list[str]
    """Systems whose next cycle asks before it writes by it."""
    problems: list[PolicyProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What will be done, seen before it is."""

    shop: Shop
    case: Case
    doing: Doing
    wish: Wish
    told: str
    effect: Effect | None


def planned_document(planned: Planned) -> Document:
    """What will be done, as a document."""
    told: Document = {"number": planned.case.number, "action": planned.doing.action, "told": planned.told}
    effect = planned.effect
    if effect is None:
        return told | {"effect": None}
    shown = effect_document(effect.before, effect.after, effect.changes)
    return told | {"effect": shown | {"asking": effect.asking, "warnings": problem_documents(effect.problems)}}


# ---- Planning -------------------------------------------------------------------------------------------------------


def plan(caller: Caller, named: str | None, wish: Wish) -> Planned:
    """What would be done, refused with the next step where it may not be; nothing is changed by it."""
    _refuse_texts(wish)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        case = cases.get(db, shop.id, wish.number)
        action = DONE if wish.done is not None else _action(case, wish)
        _refuse_options(wish, action)
        why = wish.done or wish.why or f"as case {case.number} advises"
        doing = Doing(
            number=case.number, action=action, by=caller.who, why=why.strip(), now=caller.now, override=wish.override
        )
        fixing.check(db, shop.id, doing, 1 if wish.given.get(CUSTOMER) else None)
        effect = _effect(caller, db, shop, case, action, wish.given) if action in BY_POLICY else None
    return Planned(shop=shop, case=case, doing=doing, wish=wish, told=_told(case, action, wish.given), effect=effect)


def _refuse_texts(wish: Wish) -> None:
    for name in ("done", "override", "why"):
        given = getattr(wish, name)
        if given is not None:
            try:
                reason(given)
            except BadInput:
                raise BadInput(f"--{name} must be a text of 1 to 500 letters.", name) from None
    if wish.action is not None and wish.done is not None:
        raise BadInput("--do and --done exclude each other.", "done")


def _action(case: Case, wish: Wish) -> str:
    action = wish.action or case.told["action"]
    if action not in ACTIONS:
        raise NotPossible(
            f"onewriter cannot do this itself. {case.told['first_move']} Then: "
            f'`onewriter cases fix {case.number} --done "what was done"`.'
        )
    return str(action)


def _refuse_options(wish: Wish, action: str) -> None:
    for other, names in OPTIONS.items():
        if other != action and (extra := [name for name in names if wish.given.get(name) not in (None, (), [], "")]):
            raise BadInput(f"--{extra[0].replace('_', '-')} goes with --do {other}.", extra[0])


def _told(case: Case, action: str, given: Mapping[str, Any]) -> str:
    """What will be done, in a sentence."""
    return {
        OWN: f"Gives {case.field} to {given.get(OWNER)}, and to nobody else.",
        MAP: f"Maps {case.field} of {case.system} otherwise.",
        KEY: "Changes by what a person is known.",
        PAUSE: f"Pauses {case.system}; `onewriter cases fix {case.number} --undo` lets it go on.",
        UNLINK: f"Takes the records of {case.system} and the customers of the case apart: {case.affected:,}.",
        RESYNC: f"Reads {'the customer' if given.get(CUSTOMER) else 'its customers'} again and carries over what the "
        "owners say.",
        DONE: "Writes down that it was mended, and begins its proof.",
    }[action]


def _effect(caller: Caller, db: Connection, shop: Shop, case: Case, action: str, given: Mapping[str, Any]) -> Effect:
    caller.require(db, Role.OWNER)
    before = policies.of_shop(db, shop.id)
    connected = {each.name for each in systems.every(db, shop.id)}
    if action == OWN:
        after = with_owner(before, case.field, _owner(case, given.get(OWNER), connected))
    elif action == KEY:
        after = replace(before, identity=_keys(before, given))
    else:
        after = _mapped(before, policies.facts_of(db, shop.id)[case.system], case, given)
    asking = sorted(affected(before, after) & connected)
    problems = list(policies.problems_of(db, shop.id, after))
    return Effect(before=before, after=after, changes=list(changes(before, after)), asking=asking, problems=problems)


def _owner(case: Case, owner: str | None, connected: set[str]) -> str:
    if not owner:
        names = ", ".join(sorted(connected))
        raise BadInput(f"--owner is missing: whose {case.field} shall be ({names}, or manual).", OWNER)
    if owner not in {*connected, MANUAL}:
        raise UnknownSystem("There is no such system; `onewriter systems list` shows those that there are.")
    return owner


def _keys(before: Policy, given: Mapping[str, Any]) -> Any:
    if all(given.get(name) is None for name in KEYS):
        raise BadInput("Say how: --keys id,email, --no-soft-email or --shared-by-max N.", KEYS[0])
    return key_rule(before.identity, *(given.get(name) for name in KEYS))


def _mapped(before: Policy, known: Any, case: Case, given: Mapping[str, Any]) -> Policy:
    held = before.maps(case.system).get(case.field)
    whole = dict.fromkeys(MAPPING) | {name: given.get(name) for name in MAPPING}
    if not any(whole.values()):
        now_held = "not mapped" if held is None else f"{held.remote}, transform {held.transform}"
        raise BadInput(
            f"Say how {case.system} shall hold {case.field} (now: {now_held}): --transform, --remote, --max-length, "
            "--word, --option or --empty.",
            "transform",
        )
    one = mapped(before, known, case.system, case.field, whole)
    return replace(before, systems={**before.systems, case.system: {**before.maps(case.system), case.field: one}})


def mapping_of(policy: Policy, case: Case) -> Document:
    """How the system of a case holds its field now, for a form that changes it."""
    held = policy.maps(case.system).get(case.field)
    return {} if held is None else dict(msgspec.to_builtins(held))


# ---- Doing ----------------------------------------------------------------------------------------------------------


def carry_out(caller: Caller, planned: Planned) -> None:
    """Do what was planned, once it stands in the access log; the proof begins with it."""
    doing, shop, runtime = planned.doing, planned.shop, caller.runtime
    role = Role.OWNER if doing.action in BY_POLICY else Role.STAFF
    about = [About(None, f"case {planned.case.number}: {doing.action}")]
    caller.permit(role, FIX, about, shop_id=shop.id, why=doing.override or doing.why)
    if planned.effect is not None:
        fixing.set_policy(runtime, shop.id, doing, planned.effect.after)
    elif doing.action == RESYNC:
        fixing.resync(runtime, shop.id, doing, _customer(caller, planned))
    elif doing.action == PAUSE:
        fixing.pause(runtime, shop.id, doing)
    elif doing.action == UNLINK:
        fixing.unlink(runtime, shop.id, doing)
        erasing.end(runtime.database, runtime.keys, caller.now)
    else:
        fixing.say_done(runtime, shop.id, doing)


def _customer(caller: Caller, planned: Planned) -> bytes | None:
    wanted = planned.wish.given.get(CUSTOMER)
    if not wanted:
        return None
    with caller.runtime.database.read() as db:
        found: bytes = find.show(db, caller.runtime.vault(planned.shop.id), wanted).id
        return found


def undo(caller: Caller, shop: Shop, case: Case) -> None:
    """Take back what the last fix of a case did."""
    refuse_undo(case)
    fix = case.fix or {}
    role = Role.OWNER if fix["action"] in BY_POLICY else Role.STAFF
    caller.permit(role, UNDO, [About(None, f"case {case.number}")], shop_id=shop.id)
    runtime = caller.runtime
    fixing.undo(runtime, shop.id, case.number, caller.who, caller.now)
    erasing.end(runtime.database, runtime.keys, caller.now)


def refuse_undo(case: Case) -> None:
    """Raise NotPossible for a case about which nothing was done."""
    if case.fix is None:
        raise NotPossible(f"Nothing was done about case {case.number} that could be taken back.")
