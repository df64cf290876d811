"""Audits as runs: a connected system is compared with the shop, what differs is explained, and cases come of it.

An audit waits for no cycle, and no cycle waits for it: it reads the database as it was at one moment, and what a cycle
changes meanwhile is looked at in the next one. Nothing is written before its end, and then all at once, so that one
whose process died is simply done again from its beginning.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from onewriter.audit import audits, cases_taking, gathering, proofs
from onewriter.audit.audits import Audit
from onewriter.audit.gathering import Gathered
from onewriter.customers import policies, runs, shops, systems
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.customers.systems import System
from onewriter.errors import UnknownSystem
from onewriter.records import HOUR, SECOND, Instant, RunState
from onewriter.rules import constraints
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.diagnosing import Diagnosis, diagnosed
from onewriter.rules.diagnosis.evidence import Side
from onewriter.rules.diagnosis.facts import Compared
from onewriter.rules.diagnosis.judgement import CaseOf, FixTarget
from onewriter.rules.evidence import Check
from onewriter.runtime import Runtime, new_run_id
from onewriter.workflows import constraining

SYSTEM = "system"
TOLD_EVERY: Instant = SECOND
TOLD_MAX = 50
"""Cases that are told in short with the audit."""
REQUESTED_BY = "schedule"


def queue(runtime: Runtime, db: Connection, shop_id: int, name: str, by: str, now: Instant) -> str:
    """Queue an audit of one system and return its id; raises AlreadyRunning while one of it is under way."""
    if systems.get(db, shop_id, name).is_shopify:
        raise UnknownSystem("Shopify is the shop's own side of each comparison; name the system on the other side.")
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, runs.audit_of(name), by, now, checkpoint={SYSTEM: name})
    runtime.enqueue(db, run_id)
    return run_id


def queue_due(runtime: Runtime, shop_id: int) -> int:
    """Queue an audit of each system of a shop whose last one is long enough ago; how many."""
    hours, moment = runtime.settings.number("audit_hours"), runtime.now()
    if not hours:
        return 0
    with runtime.database.read() as db:
        due = [each.name for each in systems.every(db, shop_id) if _is_due(db, each, moment - hours * HOUR)]
    queued = 0
    for name in due:
        with suppress(AlreadyRunning), runtime.database.write() as db:
            queue(runtime, db, shop_id, name, REQUESTED_BY, moment)
            queued += 1
    return queued


def _is_due(db: Connection, system: System, before: Instant) -> bool:
    """Whether there is something to compare, and it was not compared since."""
    if system.is_shopify or system.cycle_at is None:
        return False
    last = runs.last_requested(db, system.shop_id, runs.audit_of(system.name))
    return last is None or last <= before


def carry_out_audit(runtime: Runtime, run: Run) -> Run:
    """Carry out an audit that was begun; the run as it ended."""
    began, vault = runtime.now(), runtime.vault(run.shop_id)
    told = _Progress(runtime, run)
    with runtime.database.snapshot() as db:
        shop, system = shops.by_id(db, run.shop_id), systems.get(db, run.shop_id, str(run.checkpoint[SYSTEM]))
        version = policies.version(db, shop.id)
        bounds = constraining.known(runtime, db, shop, system, days=constraining.DAYS)
        gathered = gathering.gather(db, vault, shop, system, bounds, began, tell=told.tell)
        # What was taken back before a fix that has held is no news: it would open the case again.
        gathered.evidence = proofs.since(gathered.evidence, proofs.proved_since(db, shop.id, system.name))
    checks = constraints.checks(bounds)
    compared = compare(gathered.evidence)
    diagnosis = diagnosed(gathered.evidence, compared, checks)
    counts = _counts(gathered, compared, diagnosis)
    with runtime.database.write() as db:
        moment = runtime.now()
        kept = Audit(
            run_id=run.id, shop_id=shop.id, system=system.name, began_at=began, ended_at=moment,
            policy_version=version, constraints=[_told(each) for each in checks], counts=counts,
            known=asdict(diagnosis.known),
        )  # fmt: skip
        audits.save(db, kept)
        cases_taking.take(db, vault, system.name, run.id, diagnosis.cases, gathered, moment)
        plain = {name: count for name, count in counts.items() if type(count) is int}
        runs.move(db, run, moment, counts=plain, done=gathered.pairs, total=gathered.pairs)
        runs.finish(db, run, RunState.DONE, _reason(gathered), moment)
        return runs.get(db, run.id)


class _Progress:
    """Says on the run how far it is, each second at most."""

    def __init__(self, runtime: Runtime, run: Run) -> None:
        self._runtime, self._run = runtime, run
        self._told_at: Instant = 0

    def tell(self, done: int, total: int) -> None:
        """So many customers of so many are opened."""
        moment = self._runtime.now()
        if moment - self._told_at >= TOLD_EVERY:
            self._told_at = moment
            with self._runtime.database.write() as db:
                runs.move(db, self._run, moment, done=done, total=total)


def _reason(gathered: Gathered) -> str | None:
    if not gathered.is_sample:
        return None
    return (
        f"More had to be opened than one audit opens, so that {gathered.opened:,} customers, the same each time, were "
        f"looked at; {gathered.found:,} records are not in step."
    )


def _told(check: Check) -> dict[str, Any]:
    return asdict(check) | {"outcome": check.outcome.value}


def _counts(gathered: Gathered, compared: Compared, diagnosis: Diagnosis) -> dict[str, Any]:
    """How much was compared and how much differs, in numbers; the cases in short."""
    return {
        "pairs": gathered.pairs,
        "differing": gathered.found,
        "opened": gathered.opened,
        "phantoms": diagnosis.phantoms,
        "undecidable": diagnosis.undecidable,
        "real": sum(each.real for each in compared.counts.values()),
        "loose_source": gathered.loose[Side.SOURCE],
        "loose_target": gathered.loose[Side.TARGET],
        "cases": len(_opening(diagnosis)),
        "sample": gathered.is_sample,
        "fields": {
            name: {
                "compared": each.compared, "equal": each.equal, "format": each.format, "real": each.real,
                "undecidable": each.undecidable, "differing": gathered.differing.get(name, 0),
            }
            for name, each in sorted(compared.counts.items())
        },
        "found": _short(diagnosis),
    }  # fmt: skip


def _opening(diagnosis: Diagnosis) -> list[CaseOf]:
    """The cases of which there is something to mend: what differs in form alone is only counted."""
    return [each for each in diagnosis.cases if each.advice.fix_target is not FixTarget.NOTHING]


def _short(diagnosis: Diagnosis) -> Sequence[dict[str, Any]]:
    """The cases as one line each can tell them: where, by what, and how many customers."""
    return [
        {
            "field": each.group.name,
            "cause": each.group.causes[0].cause if each.group.causes else None,
            "asserted": each.group.asserted,
            "scope": each.scope,
            "customers": len(each.records),
        }
        for each in _opening(diagnosis)[:TOLD_MAX]
    ]
