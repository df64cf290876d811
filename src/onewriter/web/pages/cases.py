"""Cases: what is wrong between systems, what to do first, mending it, and the proof that it held."""

from typing import Any

from starlette.responses import Response

from onewriter.audit.cases import SETTLED, NotPossible
from onewriter.customers import policies, systems
from onewriter.customers.people import Role
from onewriter.desk import case_fixing, case_steps, case_verifying, cases, choosing, runs
from onewriter.desk.case_fixing import OPTIONS, Wish
from onewriter.errors import BadInput, Unknown
from onewriter.records import SHOPIFY
from onewriter.rules.diagnosis.judgement import FixTarget
from onewriter.rules.diagnosis.moves import KEY, MAP, OWN, PAUSE, RESYNC, UNLINK
from onewriter.rules.diagnosis.proof import State
from onewriter.rules.policy import MANUAL
from onewriter.rules.transforms import TRANSFORMS
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole
from onewriter.web.problems import status_of

LIMIT = 200
NUMBER_MAX = 999_999_999
"""A larger number is more than the column of cases counts to."""
DAYS = 30
LISTS = ("open", "all")
ACTIONS = {
    OWN: "Give the field one owner",
    MAP: "Correct how the system holds the field",
    KEY: "Tighten the keys by which a person is known",
    UNLINK: "Take records and customers apart",
    PAUSE: "Let the system rest",
    RESYNC: "Carry its customers over again",
}
"""What onewriter can do about a case by itself, in words."""
TARGETS = {
    FixTarget.RULE.value: "Mend a rule",
    FixTarget.RECORD.value: "Mend single records",
    FixTarget.PROCESS.value: "Mend how people work",
    FixTarget.NOTHING.value: "Nothing to mend",
}


# ---- The list -------------------------------------------------------------------------------------------------------


def listed(visit: Visit) -> Response:
    """The cases by what is to be changed: rules first, then records, then processes."""
    which = visit.asked("of") or "open"
    if which not in LISTS:
        raise BadInput("That list is not there; choose open cases, or all.", "of")
    found = cases.listed(visit.caller, visit.shop_named, LIMIT, ended=which == "all")
    groups = {told: [each for each in found if each.fix_target == target] for target, told in TARGETS.items()}
    days = cases.by_cause(visit.caller, visit.shop_named, DAYS)
    causes = sorted({cause for day in days for cause in day["open"]})
    return visit.render("cases/list.html", groups=groups, which=which, days=days, causes=causes, settled=SETTLED)


# ---- One case -------------------------------------------------------------------------------------------------------


def show(visit: Visit) -> Response:
    """One case: what, why, what to do first and what not, and how its proof stands.

    A notice's link names the shop: what somebody who looks at another shop would see there is another case.
    """
    meant = visit.asked("shop")
    if meant is not None:
        with visit.runtime.database.read() as db:
            domain = choosing.choose_shop(db, meant).domain
        if domain != visit.shop_named:
            return visit.go("/settings", f"Case {_number(visit)} is one of {domain}: look at that shop first.")
    return _whole(visit, 200)


def _whole(visit: Visit, code: int, **more: Any) -> Response:
    caller, number = visit.caller, _number(visit)
    told, standing, shop = cases.shown(caller, visit.shop_named, number)
    with visit.runtime.database.read() as db:
        policy = policies.of_shop(db, shop.id)
        names = [each.name for each in systems.every(db, shop.id)]
        going = [each for each in runs.live(db, shop.id, shop.domain, caller.now) if _concerns(each, standing.awaited)]
    common: dict[str, Any] = {
        "case": told,
        "state": standing.case.state.value,
        "can_mend": standing.case.state in (State.OPEN, State.DIAGNOSED, State.RETURNED),
        "is_mended": standing.case.state in (State.FIX_APPLIED, State.WAITING),
        "is_settled": told["state"] in SETTLED,
        "question": case_steps.question_of(visit.runtime, standing),
        "going": going,
        "actions": ACTIONS,
        "owners": [*names, MANUAL],
        "held": case_fixing.mapping_of(policy, standing.case),
        "transforms": list(TRANSFORMS),
        "wrong": None,
        "typed": {},
        "planned": None,
    }
    return visit.render("cases/show.html", code, **common | more)


def _concerns(run: Any, awaited: tuple[str, ...]) -> bool:
    return any(run["kind"] in (f"cycle {name}", "reconcile" if name == SHOPIFY else "") for name in awaited)


def _number(visit: Visit) -> int:
    number = whole(visit.part("number"))
    if number is None or number > NUMBER_MAX:
        raise Unknown("There is no such case; the list of cases shows those that there are.")
    return number


# ---- Mending --------------------------------------------------------------------------------------------------------


def fix(visit: Visit) -> Response:
    """Show what would be done; or, once that was seen, do it."""
    number = _number(visit)
    typed = {name: visit.text(name) for name in visit.form}
    try:
        planned = case_fixing.plan(visit.caller, visit.shop_named, _wish(visit, number))
        if not visit.text("do_it"):
            return _whole(visit, 200, planned=case_fixing.planned_document(planned), typed=typed)
        case_fixing.carry_out(visit.caller, planned)
    except (BadInput, NotPossible, Unknown) as error:
        return _whole(visit, status_of(error), wrong=str(error), typed=typed)
    return visit.go(
        f"/cases/{number}", "Done. Its proof has begun, and looks by itself at the end of the next full cycle."
    )


def _wish(visit: Visit, number: int) -> Wish:
    """What was chosen in the form; what stands in fields of another action is left out."""
    if visit.text("action") == "done":
        return Wish(number=number, done=visit.text("done"), override=visit.text("override") or None)
    action = visit.text("action") or None
    given: dict[str, Any] = {name: visit.text(name) or None for name in OPTIONS.get(action or "", ())}
    if action == MAP:
        given |= {"options": visit.lines("options"), "words": visit.lines("words")}
        given["max_length"] = _whole_number(visit.text("max_length"), "max_length")
        # What stands in the form as it is held now changes nothing.
        given = {name: value for name, value in given.items() if value not in (None, [], visit.text(f"now_{name}"))}
    if action == KEY:
        given["soft_email"] = {"yes": True, "no": False}.get(visit.text("soft_email"))
        given["shared_by_max"] = _whole_number(visit.text("shared_by_max"), "shared_by_max")
    return Wish(
        number=number,
        action=action,
        given=given,
        override=visit.text("override") or None,
        why=visit.text("why") or None,
    )


def _whole_number(typed: str, about: str) -> int | None:
    number = whole(typed)
    if typed and not (number and number <= 100_000):
        raise BadInput("Give a whole number from 1 to 100,000.", about)
    return number


def undo(visit: Visit) -> Response:
    """Take back what the last fix did."""
    number = _number(visit)
    _, standing, shop = cases.shown(visit.caller, visit.shop_named, number)
    case_fixing.undo(visit.caller, shop, standing.case)
    return visit.go(f"/cases/{number}", "What was done is taken back, as far as onewriter did it.")


def check(visit: Visit) -> Response:
    """Answer one item of the checklist."""
    number = _number(visit)
    chosen = cases.answer_of(visit.text("item"), visit.text("answer"))
    cases.answer_item(visit.caller, visit.shop_named, number, chosen, visit.text("why") or None)
    return visit.go(f"/cases/{number}#checklist", "Your answer is kept, and goes before what the evidence says.")


def close(visit: Visit) -> Response:
    """Close it for a reason."""
    number = _number(visit)
    try:
        cases.close(visit.caller, visit.shop_named, number, visit.text("why"), override=bool(visit.text("override")))
    except (BadInput, NotPossible) as error:
        return _whole(visit, status_of(error), wrong=str(error), typed={"why": visit.text("why")})
    return visit.go("/cases", f"Case {number} is closed.")


# ---- Proving --------------------------------------------------------------------------------------------------------


def verify(visit: Visit) -> Response:
    """Look at the proof now; name whose edit is awaited, or a system that is not; or run what is awaited."""
    number = _number(visit)
    try:
        _, standing, shop = cases.shown(visit.caller, visit.shop_named, number)
        canary, excused = visit.text("canary") or None, visit.text("not_awaited") or None
        standing = case_verifying.look(visit.caller, shop, standing.case, canary=canary, excused=excused)
        if visit.text("run"):
            for name in sorted(standing.awaited, key=lambda each: each == SHOPIFY):
                case_verifying.queue_awaited(visit.caller, shop, name)
    except (BadInput, NotPossible, Unknown) as error:
        return _whole(visit, status_of(error), wrong=str(error))
    told = "What is awaited runs now." if visit.text("run") else "Looked again."
    return visit.go(f"/cases/{number}#proof", told)


PAGES = [
    Page("/cases", listed),
    Page("/cases/{number}", show),
    Page("/cases/{number}/fix", fix, "POST", Role.STAFF),
    Page("/cases/{number}/undo", undo, "POST", Role.STAFF),
    Page("/cases/{number}/checklist", check, "POST", Role.STAFF),
    Page("/cases/{number}/close", close, "POST", Role.STAFF),
    Page("/cases/{number}/verify", verify, "POST", Role.STAFF),
]
