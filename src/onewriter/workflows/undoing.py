"""Taking a cycle back as a run: the system is paused first, since its next cycle would do the same again."""

from sqlalchemy import Connection

from onewriter.customers import runs, systems
from onewriter.customers.runs import CYCLE, FILE, Run, family
from onewriter.customers.systems import PAUSED
from onewriter.errors import Permanent
from onewriter.intake.undoing import Undoing
from onewriter.records import Instant, RunState
from onewriter.runtime import Runtime, new_run_id
from onewriter.workflows import reaching
from onewriter.workflows.cycling import SYSTEM

OF = "of"
KINDS = (CYCLE, FILE)
"""The kinds of runs that can be taken back."""


class NotUndone(Permanent):
    """Only a cycle of a system that is still connected can be taken back, once it is over."""


def queue(runtime: Runtime, db: Connection, run_id: str, by: str, now: Instant) -> str:
    """Pause the system of a cycle and queue taking that cycle back; the run's id. Raises NotUndone, UnknownRun."""
    undone = runs.get(db, run_id)
    require_undoable(undone)
    name = str(undone.checkpoint[SYSTEM])
    if runs.is_active(db, undone.shop_id, runs.cycle_of(name)):
        raise NotUndone(f"A cycle of {name} is under way; `onewriter systems pause {name}` ends it, then try again.")
    if systems.get(db, undone.shop_id, name).is_shopify:
        raise NotUndone(
            "What Shopify held before is not kept here, so it cannot be put back; give the field another owner instead."
        )
    if family(undone.kind) == CYCLE:
        systems.change(db, undone.shop_id, name, now, state=PAUSED)
    undo_id = new_run_id(now)
    runs.add(db, undo_id, undone.shop_id, runs.undo_of(name), by, now, checkpoint={SYSTEM: name, OF: run_id})
    runtime.enqueue(db, undo_id)
    return undo_id


def require_undoable(undone: Run) -> None:
    """Raise NotUndone unless it is a cycle, or an import of a file, that is over."""
    if family(undone.kind) not in KINDS:
        raise NotUndone(f"That run is no cycle but {undone.kind}; only what a cycle or a file wrote can be taken back.")
    if not undone.over:
        raise NotUndone("That run is not over yet; wait for its end, and then take it back.")


def carry_out_undo(runtime: Runtime, run: Run) -> Run:
    """Take back what a cycle wrote; the run as it ended."""
    with runtime.database.read() as db:
        system = systems.get(db, run.shop_id, str(run.checkpoint[SYSTEM]))
        others = tuple(systems.names(db, run.shop_id))
    with reaching.opened(runtime, system, run.id) as target:
        undoing = Undoing(runtime.database, target, str(run.checkpoint[OF]), others, run.requested_by)
        counts = undoing.run(runtime.now())
    left = sum(count for name, count in counts.items() if name != "undone")
    reason = None if not left else "Some values were changed since, or stand in records that the cycle made."
    with runtime.database.write() as db:
        moment = runtime.now()
        runs.move(db, run, moment, counts=dict(+counts), done=counts["undone"])
        runs.finish(db, run, RunState.PARTIAL if left else RunState.DONE, reason, moment)
        return runs.get(db, run.id)
