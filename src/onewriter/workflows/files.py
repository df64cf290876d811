"""Importing a file of customers as a run, and keeping it apart from cycles: never do both at once write to a shop.

A file counts as a system of the kind `file`, and may write what that system owns, by the same path as a cycle. While it
is imported no cycle of any system of the shop begins, and it waits itself for those that are under way (requirement
M29): each says so in one transaction under a lock, so that a process that dies holds nothing up longer than its run.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from onewriter.connectors.csv_files import Held
from onewriter.connectors.csv_given import GivenFile, Rows, summed
from onewriter.connectors.interface import State
from onewriter.customers import policies, runs, systems
from onewriter.customers.runs import Run
from onewriter.customers.systems import ACTIVE, System
from onewriter.db.bulk import STRIPES, lock_stripes
from onewriter.db.tables import runs as run_table
from onewriter.errors import (
    BadSetting,
    CycleOvertaken,
    SystemChanged,
    SystemRefused,
    SystemUnreachable,
    Temporary,
    UnknownSystem,
)
from onewriter.intake import csv_share, planning
from onewriter.intake.cycle import Cycle
from onewriter.intake.reading import Reading
from onewriter.intake.targets import SystemTarget
from onewriter.records import Instant, Path, RunState
from onewriter.rules.csv_cells import columns_of, policy_with
from onewriter.rules.policy import CONSENTS, Policy
from onewriter.rules.policy_check import FILE
from onewriter.runtime import Runtime, new_run_id
from onewriter.vault.seal import bound_to
from onewriter.workflows import reaching, uploads
from onewriter.workflows.uploads import FileGone

SYSTEM, GIVEN, WROTE, TROUBLES, SHARE = "system", "given", "wrote", "troubles", "share"
HOLDS, UNDER_WAY = "holds", "under_way"
PLACE = 2 * STRIPES
"""The lock under which an import and a cycle look at each other; those of customers and records come before."""
PIECE = 1_048_576


class Waits(Temporary):
    """A file and a cycle are never carried out at once; the one that came second waits."""


WRONG = (SystemChanged, SystemRefused, SystemUnreachable, UnknownSystem, BadSetting, FileGone)
"""It is the file that is wrong, or what it counts as: to wait would not help."""


@dataclass(frozen=True, slots=True)
class Given:
    """The file that was given, and what the person said of it."""

    path: str
    digest: str
    columns: Mapping[str, str]
    """Heading: field, as named by hand."""
    key: str | None
    allow: int | None
    """The share of the file's customers that may change, in percent; None for that of the settings."""
    upload: str | None = None
    """The upload that it is, where it was sent to a page; it is at no path then."""


# ---- Asking for it --------------------------------------------------------------------------------------------------


def queue(runtime: Runtime, db: Connection, shop_id: int, name: str, given: Given, by: str, now: Instant) -> str:
    """Queue the import of a file; the run's id. Raises UnknownSystem, and AlreadyRunning while there is another."""
    require(db, shop_id, name)
    run_id = new_run_id(now)
    box = runtime.vault(shop_id).key.seal(msgspec.msgpack.encode(given), bound_to("runs.file", shop_id, run_id))
    runs.add(
        db, run_id, shop_id, runs.file_of(name), by, now, checkpoint={SYSTEM: name, GIVEN: box.hex()}
    )  # fmt: skip
    runtime.enqueue(db, run_id)
    return run_id


def require(db: Connection, shop_id: int, name: str) -> System:
    """The system that a file counts as; raises UnknownSystem, and SystemRefused for another sort."""
    if name not in systems.names(db, shop_id):
        raise UnknownSystem(
            f"There is no system {name}, and a file may write only what a system owns; add it: "
            f"onewriter systems add {name} --kind file --by-hand"
        )
    system = systems.get(db, shop_id, name)
    if system.kind != FILE:
        raise SystemRefused(f"{name} is read by its own cycles; give a system of the kind file with --as.")
    return system


def digest_of(file_given: FilePath | Held) -> str:
    """What tells this file from any other."""
    found = hashlib.sha256()
    with file_given.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def rows_of(path: FilePath | Held, policy: Policy, name: str, named: Mapping[str, str], key: str | None) -> Rows:
    """The rows of a file that counts as that system."""
    return Rows(path, lambda header: columns_of(header, policy, name, named), key)


def reading_of(runtime: Runtime, system: System, policy: Policy, rows: Rows, run_id: str | None) -> Reading:
    """What a file is read with: the policy, with the columns of the file as the mapping of its system."""
    narrowed = policy_with(policy, system.name, rows.columns)
    return replace(reaching.reading(runtime, system, narrowed, run_id, runtime.now()), path=Path.CSV, by="file")


# ---- Apart from cycles ----------------------------------------------------------------------------------------------


def hold_import(runtime: Runtime, run: Run) -> None:
    """Keep cycles from beginning while this import runs; raises Waits while one is under way."""
    with runtime.database.write() as db:
        if _running(db, run.shop_id, runs.CYCLE, UNDER_WAY):
            raise Waits("A cycle is under way in this shop; the file is imported when it has ended.")
        runs.move(db, run, runtime.now(), checkpoint=dict(run.checkpoint) | {HOLDS: True})


def hold_cycle(runtime: Runtime, run: Run) -> None:
    """Keep imports from beginning while this cycle runs; raises Waits while one is under way."""
    with runtime.database.write() as db:
        if _running(db, run.shop_id, runs.FILE, HOLDS):
            raise Waits("A file is being imported into this shop; the cycle begins when that has ended.")
        runs.move(db, run, runtime.now(), checkpoint=dict(run.checkpoint) | {UNDER_WAY: True})


def is_importing(db: Connection, shop_id: int) -> bool:
    """True while the import of a file is queued or running: then no cycle is begun by the clock."""
    states = [RunState.QUEUED.value, RunState.RUNNING.value]
    theirs = (run_table.c.shop_id == shop_id, run_table.c.kind.startswith(f"{runs.FILE} "))
    return db.execute(select(run_table.c.id).where(*theirs, run_table.c.state.in_(states)).limit(1)).first() is not None


def _running(db: Connection, shop_id: int, sort: str, mark: str) -> bool:
    lock_stripes(db, shop_id, [PLACE])
    theirs = (run_table.c.shop_id == shop_id, run_table.c.kind.startswith(f"{sort} "))
    running = select(run_table.c.checkpoint).where(*theirs, run_table.c.state == RunState.RUNNING.value)
    return any(each.get(mark) for each in db.execute(running).scalars())


# ---- Carrying it out ------------------------------------------------------------------------------------------------


def carry_out_file(runtime: Runtime, run: Run) -> Run:
    """Import a file; the run as it ended. One that another worker left in the middle begins anew: what was taken up
    already says the same again, and is passed over.
    """
    hold_import(runtime, run)
    try:
        return _Importing(runtime, run).through()
    except CycleOvertaken as error:
        return _end(runtime, run, RunState.PARTIAL, str(error))
    except WRONG as error:
        return _end(runtime, run, RunState.FAILED, str(error))


class _Importing:
    """One import on its way."""

    def __init__(self, runtime: Runtime, run: Run) -> None:
        self.runtime, self.run = runtime, run
        with runtime.database.read() as db:
            self.system = require(db, run.shop_id, str(run.checkpoint[SYSTEM]))
            self.policy = policies.of_shop(db, run.shop_id)
            self.others = tuple(systems.names(db, run.shop_id))
        if self.system.state != ACTIVE:
            raise SystemRefused(f"{self.system.name} is paused; resume it first: onewriter systems resume NAME")
        bound = bound_to("runs.file", run.shop_id, run.id)
        opened = runtime.vault(run.shop_id).key.open(bytes.fromhex(str(run.checkpoint[GIVEN])), bound)
        self.given = msgspec.msgpack.decode(opened, type=Given)
        self.rows = self._rows()

    def _rows(self) -> Rows:
        path: FilePath | Held = FilePath(self.given.path)
        if self.given.upload is not None:
            path = Held(uploads.opened(self.runtime, self.run.shop_id, self.given.upload).body)
        try:
            same = digest_of(path) == self.given.digest
        except OSError as error:
            raise FileGone(f"The file cannot be read here ({error.strerror}); import it again.") from None
        if not same:
            raise FileGone("The file has changed since it was given; look at it again with `csv check`, and import it.")
        return rows_of(path, self.policy, self.system.name, self.given.columns, self.given.key)

    def through(self) -> Run:
        """From the reading to the end."""
        reading = reading_of(self.runtime, self.system, self.policy, self.rows, self.run.id)
        connector = GivenFile(reaching.wanted(reading.policy, self.system.name), self.rows)
        target = SystemTarget(self.runtime.database, reading, connector, self.runtime.now)
        with self.runtime.giving_way() as give_way:
            cycle = Cycle(
                self.runtime.database, self.system, target, self.runtime.now, _never, self.others, give_way,
                self._progress,
            )  # fmt: skip
            self._begin()
            # A reading that goes on from somewhere never takes it that who is not in it is gone.
            cycle.read(State({}))
            with self.runtime.database.read() as db:
                share = csv_share.measured(db, reading, connector.names)
            limit = self.given.allow
            limit = self.runtime.settings.number("file_share_percent") if limit is None else limit
            told = {TROUBLES: dict(summed(self.rows)), SHARE: share.document(limit)}
            if share.percent > limit:
                return self._finish(cycle, told, RunState.PARTIAL, share.refusal(limit))
            taken = cycle.bring_in(bulk=self._is_bulk(target), only=share.customers)
        ended = self._finish(cycle, told | {WROTE: dict(taken)}, RunState.DONE, None)
        if self.given.upload is not None:
            uploads.drop(self.runtime, self.run.shop_id, self.given.upload)
        return ended

    def _is_bulk(self, target: SystemTarget) -> bool:
        """Whether so many consents would be given at once that no person can have asked for each."""
        if target.reading.policy.maps(self.system.name).keys().isdisjoint(CONSENTS):
            return False
        plan = planning.exact(self.runtime.database, target, self.runtime.now)
        return plan.opt_ins > planning.OPT_INS_MAX

    def _begin(self) -> None:
        """Say how many rows there are; from now on they flow."""
        many = self.rows.counted()
        with self.runtime.database.write() as db:
            moment = self.runtime.now()
            kept = dict(runs.get(db, self.run.id).checkpoint) | {"rows_began": moment, "rows_before": 0}
            runs.move(db, self.run, moment, total=many, done=0, checkpoint=kept)

    def _progress(self, done: int, counts: Mapping[str, int]) -> None:
        with self.runtime.database.write() as db:
            runs.move(db, self.run, self.runtime.now(), done=done, counts={k: v for k, v in counts.items() if v})

    def _finish(self, cycle: Cycle, told: Mapping[str, Any], state: RunState, reason: str | None) -> Run:
        counts = {name: count for name, count in cycle.counts.items() if count}
        taken = sum(told.get(WROTE, {}).values())
        with self.runtime.database.write() as db:
            moment = self.runtime.now()
            runs.move(db, self.run, moment, counts=counts | ({"taken": taken} if taken else {}))
            if state is RunState.DONE:
                systems.change(db, self.system.shop_id, self.system.name, moment, cycle_at=cycle.reading.began)
        return _end(self.runtime, self.run, state, reason, told)


def _never(seconds: float) -> None:
    raise SystemRefused("Nothing is sent to a file.")


def _end(runtime: Runtime, run: Run, state: RunState, reason: str | None, told: Mapping[str, Any] | None = None) -> Run:
    with runtime.database.write() as db:
        moment = runtime.now()
        kept = dict(runs.get(db, run.id).checkpoint) | dict(told or {})
        # Where the file was is nobody's business once it has been read.
        runs.move(db, run, moment, checkpoint={name: value for name, value in kept.items() if name != GIVEN})
        runs.finish(db, run, state, reason, moment)
        return runs.get(db, run.id)
