"""`onewriter cases`: what is wrong between systems, why, what to do first, and what not to do."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from onewriter.audit import cases
from onewriter.audit.cases import Case
from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.cases_export import export
from onewriter.cli.cases_fix import fix
from onewriter.cli.cases_told import NUMBER, tell_proof
from onewriter.cli.cases_verify import verify
from onewriter.cli.diagnosed import tell_one
from onewriter.cli.inputs import REASON_MAX, as_json, limit_option, shop_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.desk import cases as told
from onewriter.desk.case_steps import next_step
from onewriter.desk.cases import short
from onewriter.rules.diagnosis.checklist import QUESTIONS, gate
from onewriter.rules.diagnosis.judgement import Answer
from onewriter.rules.diagnosis.proof import State
from onewriter.workflows import proving
from onewriter.workflows.proving import Standing

Document = dict[str, Any]


@click.group("cases")
def group() -> None:
    """See why systems disagree, and what to do about it."""


for _command in (export, fix, verify):
    group.add_command(_command)


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
        first = next((each.number for each in found if each.state.value not in cases.SETTLED), None)
        if first is not None:
            say(f"Next: `onewriter cases show {first}`.")

    answer(as_json, [short(each) for each in found], tell)


def _why(case: Case) -> str:
    return f"{case.cause or 'not known'}{'' if case.asserted else ' (not sure)'}"


@group.command("show")
@NUMBER
@shop_option
@as_json
def show(number: int, domain: str | None, as_json: bool) -> None:
    """Show one case: how far it reaches, why, the first move, what not to do, who is concerned, and what is proved."""
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        standing = proving.standing(runtime, shop.id, number)
        document = told.whole(db, shop, standing, next_step(runtime, standing))
        case, story = standing.case, cases.story(db, shop.id, number)
    escalated = [each.told for each in story if each.step == "escalated"][-1:] if case.escalated_at else []
    answer(as_json, document, lambda: _tell(standing, document, escalated))


def _tell(standing: Standing, document: Mapping[str, Any], escalated: Sequence[str]) -> None:
    case = standing.case
    tell_one(document)
    say()
    for line in escalated:
        say(plain(line))
    say(f"State: {case.state.value}{'' if case.why is None else ', ' + plain(case.why)}.{_scored(case)}")
    tell_proof(standing)
    if case.state.value not in cases.ENDED:
        say(f"Checklist: {document['gate']}")
    say(f"Next: {document['next']}")


def _scored(case: Case) -> str:
    """Whether what was predicted came about."""
    if case.survived is None:
        return ""
    return f" Predicted to win the cycle: {case.predicted or 'neither'}; that {'held' if case.survived else 'failed'}."


@group.command("checklist")
@NUMBER
@shop_option
@click.option("--answer", "given", nargs=2, metavar="ITEM yes|no|unclear", help="Answer one of the seven items.")
@click.option("--why", metavar="TEXT", help="What makes you say so; it is kept with the case, so name nobody in it.")
@as_json
def checklist(number: int, domain: str | None, given: tuple[str, str] | None, why: str | None, as_json: bool) -> None:
    """Show the seven items that are settled before anybody edits, or answer one; a person's answer goes first."""
    chosen = _chosen(given, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain).domain
        items = told.answer_item(session.caller(runtime), named, number, chosen, why)
    gated = gate(items)

    def tell() -> None:
        table(("ITEM", "ANSWER", "QUESTION", "WHY"), [(e.name, e.answer.value, e.question, e.why) for e in items])
        say(gated.told)
        if gated.is_open:
            say(f"Next: `onewriter cases show {number}`.")
        else:
            example = f"onewriter cases checklist {number} --answer {gated.unclear[0]} yes --why TEXT"
            say(f"Next: `{example}`.")

    answer(as_json, told.checklist_document(number, items), tell)


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
    if not 0 < len(why.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")
    with session.opened() as runtime:
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain).domain
        case = told.close(session.caller(runtime), named, number, why, override=override)
    answer(
        as_json, short(case), lambda: say(f"Case {number} is closed. Next: `onewriter cases list` shows what is open.")
    )
