"""`onewriter audit run`: compare systems with the shop now, and find why they disagree."""

from collections.abc import Mapping
from typing import Any

import click

from onewriter.audit import audits
from onewriter.audit.audits import Audit
from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, emit, note, say, table
from onewriter.cli.watch import CODES, watch_run
from onewriter.customers import runs, systems
from onewriter.errors import UnknownSystem
from onewriter.records import RunState, iso
from onewriter.runtime import Runtime, now
from onewriter.workflows import auditing

Document = dict[str, Any]


@click.command("run")
@shop_option
@click.option("--system", "name", metavar="SYSTEM", help="Only this system; else each one that is connected.")
@click.option("--wait", is_flag=True, help="Watch it until it is over, and exit with 1 when something is wrong.")
@as_json
def run(name: str | None, domain: str | None, wait: bool, as_json: bool) -> int | None:
    """Compare every mapped field of every linked customer, and find out why what differs does; a worker does it.

    Format alone is no difference. Values are opened only where both sides do not say the same, or may have lost
    something on the way. It asks nothing of the systems: it goes by what their last cycles read, and by the log of who
    wrote what. What is wrong becomes a case: `onewriter cases list`. Each system is audited daily by itself (setting
    audit_hours).
    """
    with session.opened() as runtime:
        queued = _queue(runtime, name, domain)
        if wait:
            return _wait(runtime, queued, as_json)
        with runtime.database.read() as db:
            lives = session.worker_lives(runtime, db)

    def tell() -> None:
        for system, run_id in queued.items():
            say(f"Queued the audit of {system}: run {run_id}. `onewriter runs watch` shows it.")
        if not lives:
            note(session.NO_WORKER)

    told = [{"system": system, "run": run_id} for system, run_id in queued.items()]
    answer(as_json, {"audits": told, "state": "queued", "worker_lives": lives}, tell)
    return None


def _queue(runtime: Runtime, name: str | None, domain: str | None) -> dict[str, str]:
    """Queue them all or none; system: run."""
    with runtime.database.write() as db:
        require(db, Role.STAFF)
        shop = session.choose_shop(db, domain, connected=True)
        names = [each.name for each in systems.every(db, shop.id) if not each.is_shopify] if name is None else [name]
        if not names:
            raise UnknownSystem("No system is connected beside Shopify; `onewriter systems add` connects one.")
        return {each: auditing.queue(runtime, db, shop.id, each, session.actor(), now()) for each in names}


def _wait(runtime: Runtime, queued: Mapping[str, str], as_json: bool) -> int:
    """Watch them to their end, and tell what each came to; the exit code."""
    told, codes = [], []
    for system, run_id in queued.items():
        note(f"Queued run {run_id}.")
        watch_run(runtime, run_id, as_json=as_json, wait=True)
        with runtime.database.read() as db:
            ended, found = runs.get(db, run_id), audits.of_run(db, run_id)
        told.append({"system": system, "run": run_id, "state": ended.state.value, "reason": ended.reason})
        told[-1] |= {} if found is None else _document(found)
        is_wrong = found is not None and bool(found.counts["cases"])
        codes.append(FINDINGS if ended.state is RunState.DONE and is_wrong else CODES[ended.state])
        if not as_json and found is not None:
            _tell(found)
    if as_json:
        emit({"audits": told})
    return max(codes, default=DONE)


def _document(found: Audit) -> Document:
    return {
        "began_at": iso(found.began_at),
        "ended_at": iso(found.ended_at),
        "policy_version": found.policy_version,
        "constraints": found.constraints,
        "counts": found.counts,
        "known": found.known,
    }


def _tell(found: Audit) -> None:
    counts = found.counts
    say(
        f"{found.system}: {counts['pairs']:,} linked records, {counts['real']:,} values wrong, "
        f"{counts['phantoms']:,} that differ in form alone, {counts['undecidable']:,} that nobody can decide; "
        f"{counts['loose_source']:,} customers and {counts['loose_target']:,} of its records are linked with nothing."
    )
    if not counts["cases"]:
        say("Nothing is wrong that can be told from here.")
        return
    rows = [
        (each["field"], each["cause"] or "not known", "yes" if each["asserted"] else "may be", each["customers"])
        for each in counts["found"]
    ]
    table(("FIELD", "CAUSE", "SURE", "CUSTOMERS"), rows)
    say("`onewriter cases list` shows the cases, and `onewriter cases show` what to do about one.")
