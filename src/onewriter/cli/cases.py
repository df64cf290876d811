"""`onewriter cases`: what is wrong between systems, why, what to do first, and what not to do."""

from collections.abc import Mapping
from typing import Any

import click

from onewriter.audit import cases
from onewriter.audit.cases import Case
from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.cases_export import export
from onewriter.cli.diagnosed import tell_one
from onewriter.cli.inputs import REASON_MAX, as_json, limit_option, shop_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.records import iso
from onewriter.rules.diagnosis.checklist import QUESTIONS, gate
from onewriter.rules.diagnosis.judgement import Answer, Item
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import now

Document = dict[str, Any]
NUMBER = click.argument("number", type=click.IntRange(1, 1_000_000_000), metavar="CASE")


@click.group("cases")
def group() -> None:
    """See why systems disagree, and what to do about it."""


group.add_command(export)


@group.command("list")
@shop_option
@click.option("--all", "ended", is_flag=True, help="Those too that are closed, verified or a part of another.")
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only cases in this state.")
@click.option("--field", metavar="FIELD", help="Only cases of this field.")
@click.option("--system", metavar="SYSTEM", help="Only cases of this system.")
@limit_option
@as_json
def list_cases(
    domain: str | None, ended: bool, state: str | None, field: str | None, system: str | None, limit: int, as_json: bool
) -> None:
    """List cases by what is to be changed: rules first, then records, then processes; the largest first."""
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        found = cases.listed(db, shop.id, limit, state=state, field=field, system=system, ended=ended)

    def tell() -> None:
        if not found:
            say("No case is open. `onewriter audit run` looks for some.")
            return
        rows = [
            (each.number, each.fix_target, each.state.value, each.system, each.field, each.affected, _why(each))
            for each in found
        ]
        table(("CASE", "CHANGE", "STATE", "SYSTEM", "FIELD", "CUSTOMERS", "WHY"), rows)
        say(f"Next: `onewriter cases show {found[0].number}`.")

    answer(as_json, [_short(each) for each in found], tell)


def _why(case: Case) -> str:
    return f"{case.cause or 'not known'}{'' if case.asserted else ' (not sure)'}"


def _short(case: Case) -> Document:
    return {
        "number": case.number,
        "system": case.system,
        "field": case.field,
        "state": case.state.value,
        "cause": case.cause,
        "asserted": case.asserted,
        "scope_row": case.scope_row,
        "fix_target": case.fix_target,
        "affected": case.affected,
        "opened_at": iso(case.opened_at),
        "looked_at": iso(case.looked_at),
        "joined_to": case.joined_to,
        "ended_at": iso(case.ended_at),
        "ended_by": case.ended_by,
        "why": case.why,
    }


@group.command("show")
@NUMBER
@shop_option
@as_json
def show(number: int, domain: str | None, as_json: bool) -> None:
    """Show one case: how far it reaches, why, the first move, what not to do, who is concerned, and what is proved."""
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        case = cases.get(db, shop.id, number)
        concerned = [str(each) for each in cases.concerned(db, shop.id, number)]
        items, story = cases.checklist(db, shop.id, case), cases.story(db, shop.id, number)
    document = _short(case) | dict(case.told) | {"records": concerned, "checklist": [_item(each) for each in items]}
    document["steps"] = [
        {"at": iso(each.at), "step": each.step, "by": each.done_by, "told": each.told} for each in story
    ]
    answer(as_json, document, lambda: _tell(case, document, items))


def _item(item: Item) -> Document:
    return {
        "name": item.name, "question": item.question, "answer": item.answer.value, "why": item.why,
        "answered_by": item.answered_by,
    }  # fmt: skip


def _tell(case: Case, document: Mapping[str, Any], items: tuple[Item, ...]) -> None:
    tell_one(document)
    say()
    say(f"State: {case.state.value}{'' if case.why is None else ', ' + plain(case.why)}.")
    if case.joined_to is not None:
        say(f"Next: `onewriter cases show {case.joined_to}`, of which this is a part.")
        return
    gated = gate(items)
    say(f"Checklist: {gated.told}")
    if case.ended_at is not None:
        say("Next: `onewriter cases list`.")
    elif not gated.is_open:
        say(f"Next: `onewriter cases checklist {case.number}`, before anything is edited.")
    else:
        say(f"Next: do the first move, then `onewriter audit run --system {case.system}` looks again.")


@group.command("checklist")
@NUMBER
@shop_option
@click.option("--answer", "given", nargs=2, metavar="ITEM yes|no|unclear", help="Answer one of the seven items.")
@click.option("--why", metavar="TEXT", help="What makes you say so; it is kept with the case, so name nobody in it.")
@as_json
def checklist(number: int, domain: str | None, given: tuple[str, str] | None, why: str | None, as_json: bool) -> None:
    """Show the seven items that are settled before anybody edits, or answer one; a person's answer goes first."""
    chosen = _chosen(given, why)
    with session.opened() as runtime, runtime.database.write() as db:
        require(db, Role.STAFF)
        shop = session.choose_shop(db, domain)
        if chosen is not None:
            cases.answer(db, shop.id, number, chosen[0], chosen[1], session.actor(), why, now())
        case = cases.get(db, shop.id, number)
        items = cases.checklist(db, shop.id, case)
    gated = gate(items)

    def tell() -> None:
        table(("ITEM", "ANSWER", "QUESTION", "WHY"), [(e.name, e.answer.value, e.question, e.why) for e in items])
        say(gated.told)
        if gated.is_open:
            say(f"Next: `onewriter cases show {number}`.")
        else:
            example = f"onewriter cases checklist {number} --answer {gated.unclear[0]} yes --why TEXT"
            say(f"Next: `{example}`.")

    document = {"number": number, "items": [_item(each) for each in items], "unclear": list(gated.unclear)}
    answer(as_json, document | {"may_edit": gated.is_open}, tell)


def _chosen(given: tuple[str, str] | None, why: str | None) -> tuple[str, Answer] | None:
    if why is not None and len(why) > REASON_MAX:
        raise click.UsageError(f"--why is at most {REASON_MAX} letters")
    if given is None:
        if why is not None:
            raise click.UsageError("--why goes with --answer")
        return None
    if given[0] not in QUESTIONS:
        raise click.UsageError(f"ITEM is one of {', '.join(QUESTIONS)}")
    if given[1] not in [each.value for each in Answer]:
        raise click.UsageError("The answer is yes, no or unclear")
    return given[0], Answer(given[1])


@group.command("close")
@NUMBER
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@click.option("--override", is_flag=True, help="Close it though its fix is not proved.")
@as_json
def close(number: int, domain: str | None, why: str, override: bool, as_json: bool) -> None:
    """Close a case. Only its proof ends it by itself; before that somebody must say why, with --override."""
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
        permit(runtime, Role.STAFF, "close case", [About(None, f"case {number}")], shop_id=shop.id, why=why)
        with runtime.database.write() as db:
            cases.close(db, shop.id, number, session.actor(), why.strip(), now(), override=override)
            case = cases.get(db, shop.id, number)
    answer(
        as_json, _short(case), lambda: say(f"Case {number} is closed. Next: `onewriter cases list` shows what is open.")
    )
