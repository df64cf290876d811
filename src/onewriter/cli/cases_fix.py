"""`onewriter cases fix`: do what a case advises, or say what was done elsewhere; and take it back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from onewriter.audit import cases
from onewriter.audit.cases import Case, NotPossible
from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.cases_told import NUMBER, next_step, proof_document, short
from onewriter.cli.field_mapping import KEYS, MAPPING, key_options, key_rule, mapped, mapping_options
from onewriter.cli.fields_told import tell_changes, tell_effect
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, say
from onewriter.customers import erasing, find, policies, systems
from onewriter.customers.shops import Shop
from onewriter.errors import UnknownSystem
from onewriter.rules.diagnosis.moves import KEY, MAP, OWN, PAUSE, RESYNC, UNLINK
from onewriter.rules.ownership import with_owner
from onewriter.rules.policy import MANUAL, Policy
from onewriter.rules.policy_changes import affected, changes
from onewriter.runtime import Runtime, now
from onewriter.workflows import fixing, proving
from onewriter.workflows.fixing import ACTIONS, BY_POLICY, DONE, Doing

FIX, UNDO = "fix case", "undo fix"
OWNER = "owner"
CUSTOMER = "customer"
OPTIONS: Mapping[str, tuple[str, ...]] = {OWN: (OWNER,), MAP: MAPPING, KEY: KEYS, RESYNC: (CUSTOMER,)}
"""Which options go with which action."""


@click.command("fix")
@NUMBER
@shop_option
@click.option("--do", "action", type=click.Choice(ACTIONS), help="What to do; else what the case advises.")
@click.option("--done", metavar="TEXT", help="It was mended elsewhere: say how. Name nobody in it.")
@click.option("--undo", is_flag=True, help="Take back what the last fix of the case did.")
@click.option("--owner", metavar="SYSTEM|manual", help="With --do own: whose the field shall be.")
@click.option("--customer", metavar="ID", help="With --do resync: only this one of its customers, to try.")
@mapping_options
@key_options
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@click.option("--override", metavar="REASON", help="Go on although something speaks against it; it is kept and logged.")
@click.option("--why", metavar="TEXT", help="The reason, kept with the case, so name nobody in it.")
@yes_option
@as_json
def fix(number: int, domain: str | None, dry_run: bool, yes: bool, as_json: bool, undo: bool, **given: Any) -> None:
    """Mend what a case is about, and begin its proof.

    Without --do it does what the case advises. `own` gives the field one owner, `map` corrects how the system holds it
    (with the options of `fields map`), `key` tightens by what a person is known, `unlink` takes records and customers
    apart, `pause` lets the system rest, and `resync` carries its customers over again. What must be mended in another
    system, or by hand, is told with --done. Three or more unclear items of the checklist stop an edit of many records.
    """
    for name in ("done", "override", "why"):
        if given[name] is not None and not 0 < len(given[name].strip()) <= REASON_MAX:
            raise click.UsageError(f"--{name} must be a text of 1 to {REASON_MAX} letters")
    if sum((undo, given["action"] is not None, given["done"] is not None)) > 1:
        raise click.UsageError("--do, --done and --undo exclude each other")
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            case = cases.get(db, shop.id, number)
        if undo:
            _undo(runtime, shop, case, yes, dry_run)
        else:
            _fix(runtime, shop, case, given, dry_run=dry_run, yes=yes, as_json=as_json)
        standing = proving.standing(runtime, shop.id, number)
        step = next_step(runtime, standing)
    document = short(standing.case) | {"dry_run": dry_run, "next": step} | proof_document(standing)

    def tell() -> None:
        if not dry_run:
            say(f"Case {number}: {standing.case.state.value}.")
        say(f"Next: {step}" if not dry_run else "Nothing was done.")

    answer(as_json, document, tell)


# ---- Doing it -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, on its way."""

    runtime: Runtime
    shop: Shop
    case: Case
    doing: Doing
    given: Mapping[str, Any]
    as_json: bool


def _fix(
    runtime: Runtime, shop: Shop, case: Case, given: Mapping[str, Any], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    action = DONE if given["done"] is not None else _action(case, given)
    for other, names in OPTIONS.items():
        if other != action and (named := [name for name in names if given[name] not in (None, ())]):
            raise click.UsageError(f"--{named[0].replace('_', '-')} goes with --do {other}")
    why = given["done"] or given["why"] or f"as case {case.number} advises"
    doing = Doing(
        number=case.number, action=action, by=session.actor(), why=why.strip(), now=now(), override=given["override"]
    )
    asked = _Asked(runtime, shop, case, doing, given, as_json)
    with runtime.database.read() as db:
        fixing.check(db, shop.id, doing, 1 if given[CUSTOMER] else None)
    after = _policy(asked) if action in BY_POLICY else None
    if not as_json:
        say(_plan(asked))
    if dry_run:
        return
    if action != DONE:
        confirm(f"Do that for case {case.number}?", yes)
    role = Role.OWNER if action in BY_POLICY else Role.STAFF
    about = [About(None, f"case {case.number}: {action}")]
    permit(runtime, role, FIX, about, shop_id=shop.id, why=doing.override or doing.why)
    _carry_out(asked, after)


def _action(case: Case, given: Mapping[str, Any]) -> str:
    action = given["action"] or case.told["action"]
    if action not in ACTIONS:
        raise NotPossible(
            f"onewriter cannot do this itself. {case.told['first_move']} Then: "
            f'`onewriter cases fix {case.number} --done "what was done"`.'
        )
    return str(action)


def _carry_out(asked: _Asked, after: Policy | None) -> None:
    runtime, shop, doing = asked.runtime, asked.shop, asked.doing
    if after is not None:
        fixing.set_policy(runtime, shop.id, doing, after)
    elif doing.action == RESYNC:
        fixing.resync(runtime, shop.id, doing, _customer(asked))
    elif doing.action == PAUSE:
        fixing.pause(runtime, shop.id, doing)
    elif doing.action == UNLINK:
        fixing.unlink(runtime, shop.id, doing)
        erasing.end(runtime.database, runtime.keys, now())
    else:
        fixing.say_done(runtime, shop.id, doing)


def _customer(asked: _Asked) -> bytes | None:
    if asked.given[CUSTOMER] is None:
        return None
    with asked.runtime.database.read() as db:
        found: bytes = find.show(db, asked.runtime.vault(asked.shop.id), asked.given[CUSTOMER]).id
        return found


def _plan(asked: _Asked) -> str:
    """What will be done, in a sentence."""
    case, action = asked.case, asked.doing.action
    return {
        OWN: f"Gives {case.field} to {asked.given[OWNER]}, and to nobody else.",
        MAP: f"Maps {case.field} of {case.system} otherwise.",
        KEY: "Changes by what a person is known.",
        PAUSE: f"Pauses {case.system}; `onewriter cases fix {case.number} --undo` lets it go on.",
        UNLINK: f"Takes the records of {case.system} and the customers of the case apart: {case.affected:,}.",
        RESYNC: f"Reads {'the customer' if asked.given[CUSTOMER] else 'its customers'} again and carries over what the "
        "owners say.",
        DONE: "Writes down that it was mended, and begins its proof.",
    }[action]


# ---- Another policy -------------------------------------------------------------------------------------------------


def _policy(asked: _Asked) -> Policy:
    """The policy as it shall be; what changes is shown."""
    with asked.runtime.database.read() as db:
        require(db, Role.OWNER)
        before = policies.of_shop(db, asked.shop.id)
        known = policies.facts_of(db, asked.shop.id)
        connected = {each.name for each in systems.every(db, asked.shop.id)}
    case, given = asked.case, asked.given
    if asked.doing.action == OWN:
        after = with_owner(before, case.field, _owner(case, given[OWNER], connected))
    elif asked.doing.action == KEY:
        if all(given[name] is None for name in KEYS):
            raise click.UsageError("Say how: --keys id,email, --no-soft-email or --shared-by-max N")
        after = replace(before, identity=key_rule(before.identity, given["named"], given[KEYS[1]], given[KEYS[2]]))
    else:
        after = _mapped(before, known[case.system], case, given)
    if not asked.as_json:
        with asked.runtime.database.read() as db:
            found = policies.problems_of(db, asked.shop.id, after)
        tell_changes(changes(before, after))
        tell_effect(before, after, sorted(affected(before, after) & connected), found)
        say()
    return after


def _owner(case: Case, owner: str | None, connected: set[str]) -> str:
    if owner is None:
        names = ", ".join(sorted(connected))
        raise click.UsageError(f"--owner is missing: whose {case.field} shall be ({names}, or manual)")
    if owner not in {*connected, MANUAL}:
        raise UnknownSystem("There is no such system; `onewriter systems list` shows those that there are.")
    return owner


def _mapped(before: Policy, known: Any, case: Case, given: Mapping[str, Any]) -> Policy:
    held = before.maps(case.system).get(case.field)
    if not any(given[name] for name in MAPPING):
        now_held = "not mapped" if held is None else f"{held.remote}, transform {held.transform}"
        raise click.UsageError(
            f"Say how {case.system} shall hold {case.field} (now: {now_held}): --transform, --remote, --max-length, "
            "--word, --option or --empty"
        )
    one = mapped(before, known, case.system, case.field, given)
    return replace(before, systems={**before.systems, case.system: {**before.maps(case.system), case.field: one}})


# ---- Taking it back -------------------------------------------------------------------------------------------------


def _undo(runtime: Runtime, shop: Shop, case: Case, yes: bool, dry_run: bool) -> None:
    if case.fix is None:
        raise NotPossible(f"Nothing was done about case {case.number} that could be taken back.")
    if dry_run:
        return
    confirm(f"Take back what was done about case {case.number} ({case.fix['told']})?", yes)
    role = Role.OWNER if case.fix["action"] in BY_POLICY else Role.STAFF
    permit(runtime, role, UNDO, [About(None, f"case {case.number}")], shop_id=shop.id)
    fixing.undo(runtime, shop.id, case.number, session.actor(), now())
    erasing.end(runtime.database, runtime.keys, now())
