"""Points that a run moves: an award to customers who were there before, and taking one back; and what falls due."""

from sqlalchemy import Connection

from onewriter.customers import runs
from onewriter.customers.runs import Run
from onewriter.loyalty import awards, upkeep
from onewriter.loyalty.awards import DRY, REVERSES, RULE, Awarding
from onewriter.records import Instant
from onewriter.runtime import Runtime, new_run_id


def queue_award(
    runtime: Runtime, db: Connection, shop_id: int, rule: str, by: str, now: Instant, *, dry: bool = False
) -> str:
    """Queue an award of a rule to everybody who has not got it, and return the run's id.

    Raises NoRule where the programme has no such rule now, and AlreadyRunning while one is under way in the shop.
    """
    awards.refuse_unknown(db, shop_id, rule)
    return _queue(runtime, db, shop_id, by, now, {RULE: rule} | ({DRY: True} if dry else {}))


def queue_taking_back(
    runtime: Runtime, db: Connection, shop_id: int, award: str, why: str, by: str, now: Instant
) -> str:
    """Queue taking back what an award gave, by the id of its run; raises NotAnAward for any other run."""
    awards.refuse_other(runs.get(db, award), shop_id)
    return _queue(runtime, db, shop_id, by, now, {REVERSES: award, "why": why})


def _queue(runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant, what: dict[str, object]) -> str:
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, awards.RUN, by, now, checkpoint=what)
    runtime.enqueue(db, run_id)
    return run_id


def carry_out_award(runtime: Runtime, run: Run) -> Run:
    """Carry out an award that was begun, or taking one back; the run as it ended."""
    with runtime.bell() as bell:
        return Awarding(runtime.database, runtime.vault(run.shop_id), runtime.now, bell).run(run)


def settle_due(runtime: Runtime, shop_id: int) -> int:
    """Post what has fallen due in a shop's accounts; returns how many that were."""
    with runtime.giving_way() as give_way:
        return upkeep.settle_due(runtime.database, runtime.vault(shop_id), runtime.now(), give_way)
