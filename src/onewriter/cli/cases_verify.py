"""`onewriter cases verify`: look again, run what is awaited now, and see whether a fix has held."""

import click
from sqlalchemy import Connection

from onewriter.audit import cases, proofs
from onewriter.audit.cases import Case, NotPossible
from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.cases_told import NUMBER, next_step, tell_proof
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say
from onewriter.cli.watch import watch_run
from onewriter.customers import find, runs, systems
from onewriter.customers.runs import AlreadyRunning
from onewriter.customers.shops import Shop
from onewriter.desk.cases import proof_document, short
from onewriter.records import SHOPIFY, RunState
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import Runtime, now
from onewriter.workflows import cycling, proving, reconciling
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
        if case.fixed_at is None and case.state.value not in cases.SETTLED:
            raise NotPossible(
                f"Nothing was done about case {number} yet; `onewriter cases show {number}` tells the first move."
            )
        _write_down(runtime, shop, case, canary, excused)
        standing = proving.look(runtime, shop.id, number)
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


def _write_down(runtime: Runtime, shop: Shop, case: Case, canary: str | None, excused: str | None) -> None:
    """Who is to be edited, and who is not waited for."""
    if canary is None and excused is None:
        return
    with runtime.database.read() as db:
        whose = None if canary is None else find.show(db, runtime.vault(shop.id), canary).id
        own = cases.people_of(db, shop.id, case.number, 2)
        if excused is not None:
            systems.get(db, shop.id, excused)
    if excused == SHOPIFY:
        raise click.UsageError("Shopify is always awaited; `onewriter sync reconcile` reads it now")
    if whose is not None and own == [whose]:
        raise NotPossible("That is the one customer of the case; name a second one, whose edit shows that others hold.")
    about = [About(whose, f"case {case.number}")]
    permit(runtime, Role.STAFF, VERIFY, about, shop_id=shop.id)
    with runtime.database.write() as db:
        if whose is not None:
            proofs.name_canary(db, shop.id, case.number, whose)
            cases.note(db, shop.id, case.number, "canary", session.actor(), "A customer was named to be edited.", now())
        if excused is not None:
            fix = dict(case.fix or {})
            fix["excused"] = sorted({*fix.get("excused", ()), excused})
            cases.change(db, case, {"fix": fix})
            told = f"{excused} is not awaited."
            cases.note(db, shop.id, case.number, "excused", session.actor(), told, now())


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
    with runtime.database.write() as db:
        try:
            run_id = _queue(runtime, db, shop, name)
            note(f"Queued run {run_id}.")
        except AlreadyRunning:
            kind = runs.RECONCILE if name == SHOPIFY else runs.cycle_of(name)
            run_id = next(each.id for each in runs.newest(db, 100) if each.kind == kind and not each.over)
    watch_run(runtime, run_id, as_json=as_json, wait=True)
    with runtime.database.read() as db:
        return runs.get(db, run_id).state is RunState.DONE


def _queue(runtime: Runtime, db: Connection, shop: Shop, name: str) -> str:
    if name == SHOPIFY:
        return reconciling.queue(runtime, db, shop.id, session.actor(), now())
    # Everything is read: what is gone there is seen by nothing else.
    return cycling.queue(runtime, db, shop.id, name, session.actor(), now(), full=True)
