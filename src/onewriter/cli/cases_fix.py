"""`onewriter cases fix`: do what a case advises, or say what was done elsewhere; and take it back."""

from collections.abc import Mapping
from typing import Any

import click

from onewriter.audit import cases
from onewriter.audit.cases import Case
from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.cases_told import NUMBER
from onewriter.cli.field_mapping import key_options, mapping_options
from onewriter.cli.fields_told import tell_changes, tell_effect
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, say
from onewriter.customers.shops import Shop
from onewriter.desk import case_fixing
from onewriter.desk.caller import Caller
from onewriter.desk.case_fixing import Planned, Wish
from onewriter.desk.case_steps import next_step
from onewriter.desk.cases import proof_document, short
from onewriter.workflows import proving
from onewriter.workflows.fixing import ACTIONS, DONE


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
        caller = session.caller(runtime)
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            case = cases.get(db, shop.id, number)
        if undo:
            _undo(caller, shop, case, yes, dry_run)
        else:
            _fix(caller, shop, _wish(number, given), dry_run=dry_run, yes=yes, as_json=as_json)
        standing = proving.standing(runtime, shop.id, number)
        step = next_step(runtime, standing)
    document = short(standing.case) | {"dry_run": dry_run, "next": step} | proof_document(standing)

    def tell() -> None:
        if not dry_run:
            say(f"Case {number}: {standing.case.state.value}.")
        say(f"Next: {step}" if not dry_run else "Nothing was done.")

    answer(as_json, document, tell)


def _wish(number: int, given: Mapping[str, Any]) -> Wish:
    apart = {name: given[name] for name in ("action", "done", "override", "why")}
    return Wish(number=number, given={name: one for name, one in given.items() if name not in apart}, **apart)


def _fix(caller: Caller, shop: Shop, wish: Wish, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    planned = case_fixing.plan(caller, shop.domain, wish)
    if not as_json:
        _tell_plan(planned)
    if dry_run:
        return
    if planned.doing.action != DONE:
        confirm(f"Do that for case {wish.number}?", yes)
    case_fixing.carry_out(caller, planned)


def _tell_plan(planned: Planned) -> None:
    effect = planned.effect
    if effect is not None:
        tell_changes(effect.changes)
        tell_effect(effect.before, effect.after, effect.asking, effect.problems)
        say()
    say(planned.told)


def _undo(caller: Caller, shop: Shop, case: Case, yes: bool, dry_run: bool) -> None:
    case_fixing.refuse_undo(case)
    if dry_run or case.fix is None:
        return
    confirm(f"Take back what was done about case {case.number} ({case.fix['told']})?", yes)
    case_fixing.undo(caller, shop, case)
