"""`onewriter cases verify`: look again, run what is awaited now, and see whether a fix has held."""

import click

from onewriter.audit import cases
from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.cases_told import NUMBER, tell_proof
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say
from onewriter.cli.watch import watch_run
from onewriter.customers import runs
from onewriter.customers.shops import Shop
from onewriter.desk import case_verifying
from onewriter.desk.case_steps import next_step
from onewriter.desk.cases import proof_document, short
from onewriter.records import SHOPIFY, RunState
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import Runtime
from onewriter.workflows import proving
from onewriter.workflows.proving import Standing

VERIFY = "verify case"
ROUNDS = 2
"""How often what is awaited is run: what a fresh edit is awaited for comes after what the fix is."""


@click.command("verify")
@NUMBER
@shop_option
@click.option("--now", "at_once", is_flag=True, help="Run what is awaited now, and wait for it.")
@click.option("--canary", metavar="CUSTOMER", help="Look at this customer's next edit, in place of anybody's.")
@click.option("--not-awaited", "excused", metavar="SYSTEM", help="Do not wait for a cycle of this system.")
@as_json
def verify(
    number: int, domain: str | None, at_once: bool, canary: str | None, excused: str | None, as_json: bool
) -> int:
    """Look whether the fix of a case has held: what is proved, what is awaited, and what to do next.

    The checks fall due by themselves at the end of the next full cycle of every system that writes the field, and of a
    full reconcile of the shop; nothing that is seen earlier counts. --now runs those at once. One check needs a fresh
    edit of the field on another customer: the next natural one, or one that you make on a customer whom you name with
    --canary. Exits with 1 while the case is not verified.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            case = cases.get(db, shop.id, number)
        standing = case_verifying.look(session.caller(runtime), shop, case, canary=canary, excused=excused)
        if at_once:
            standing = _run_awaited(runtime, shop, standing, as_json)
        step = next_step(runtime, standing)
    document = short(standing.case) | proof_document(standing) | {"next": step}

    def tell() -> None:
        say(f"Case {number}: {standing.case.state.value}.")
        tell_proof(standing)
        say(f"Next: {step}")

    answer(as_json, document, tell)
    return DONE if standing.case.state in (State.VERIFIED, State.CLOSED) else FINDINGS


def _run_awaited(runtime: Runtime, shop: Shop, standing: Standing, as_json: bool) -> Standing:
    """Run each cycle that is awaited and watch it, the shop's own reconcile last; then look again."""
    for _round in range(ROUNDS):
        names = sorted(standing.awaited, key=lambda name: name == SHOPIFY)
        if not names:
            break
        for name in names:
            if not _run(runtime, shop, name, as_json):
                return proving.look(runtime, shop.id, standing.case.number)
        standing = proving.look(runtime, shop.id, standing.case.number)
    return standing


def _run(runtime: Runtime, shop: Shop, name: str, as_json: bool) -> bool:
    """Run one, or watch the one that is under way; whether it came to its end."""
    run_id, fresh = case_verifying.queue_awaited(session.caller(runtime), shop, name)
    if fresh:
        note(f"Queued run {run_id}.")
    watch_run(runtime, run_id, as_json=as_json, wait=True)
    with runtime.database.read() as db:
        return runs.get(db, run_id).state is RunState.DONE
