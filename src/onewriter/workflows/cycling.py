"""Cycles as runs: when each is due, what stops one before it writes, and what it came to.

A cycle is complete (decision D3) when it read everything that it planned to, and each value that it meant to write was
written, was there already, was parked or was refused; only then is its system's clean time moved on. One that could not
be completed says why, and the next one goes on by itself: nothing of it has to be taken back first.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import pairwise
from typing import Any

import structlog
from sqlalchemy import Connection

from onewriter.connectors.interface import State
from onewriter.customers import erasing, pending, policies, runs, shops, systems
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.customers.shops import CONNECTED
from onewriter.customers.systems import ACTIVE, System
from onewriter.errors import (
    BadSetting,
    CycleOvertaken,
    OnewriterError,
    SystemChanged,
    SystemRefused,
    SystemThrottled,
    SystemUnreachable,
)
from onewriter.intake import cycle, planning, resettling
from onewriter.intake.afterwards import Sent
from onewriter.intake.cycle import Cycle, TooManyVanished
from onewriter.intake.planning import Plan
from onewriter.intake.targets import ShopifyTarget, SystemTarget
from onewriter.records import SECOND, SHOPIFY, Instant, RunState
from onewriter.rules.policy_changes import affected
from onewriter.runtime import Runtime, new_run_id
from onewriter.workflows import asking, files, reaching

SYSTEM, DRY, FULL, ONLY, PLAN, WROTE, REFUSED, LINES = (
    "system", "dry", "full", "only", "plan", "wrote", "refused", "lines",
)  # fmt: skip
WRITE_BACK_EVERY: Instant = 10 * SECOND
WRITE_BACK_LATER: Instant = 15 * 60 * SECOND
TROUBLES = (SystemUnreachable, SystemThrottled, SystemRefused, SystemChanged, TooManyVanished, BadSetting)

log = structlog.get_logger(__name__)


def queue(
    runtime: Runtime,
    db: Connection,
    shop_id: int,
    name: str,
    by: str,
    now: Instant,
    *,
    dry: bool = False,
    full: bool = False,
    only: bytes | None = None,
) -> str:
    """Queue a cycle of one system and return its id; `only` is for one customer.

    Raises AlreadyRunning while one of that system is queued or running.
    """
    run_id = new_run_id(now)
    asked = {SYSTEM: name, DRY: dry, FULL: full, ONLY: None if only is None else only.hex()}
    runs.add(db, run_id, shop_id, runs.cycle_of(name), by, now, checkpoint=asked)
    runtime.enqueue(db, run_id)
    return run_id


def queue_due(runtime: Runtime) -> int:
    """Queue the cycle of every system whose time has come; how many. One under way is simply left to its end."""
    moment = runtime.now()
    with runtime.database.read() as db:
        # What a file changes is told after its end: until then no cycle is begun.
        every_shop = [shop.id for shop in shops.every(db) if shop.state == CONNECTED]
        connected = [shop_id for shop_id in every_shop if not files.is_importing(db, shop_id)]
        every = [(shop_id, name) for shop_id, name in systems.due(db, moment) if name != SHOPIFY]
        due = [(shop_id, name) for shop_id, name in every if shop_id in connected]
        # Shopify is read by its own deliveries, so that a cycle of it only has something to do where others own.
        told = [shop_id for shop_id in connected if _has_write_back(db, shop_id, moment)]
    queued = sum(_queue_write_back(runtime, shop_id, moment) for shop_id in told)
    for shop_id, name in due:
        with suppress(AlreadyRunning), runtime.database.write() as db:
            system = systems.get(db, shop_id, name)
            if system.state != ACTIVE or system.due_at is None or system.due_at > moment:
                continue
            systems.change(db, shop_id, name, moment, due_at=next_due(system, moment))
            if system.retry_at is None or system.retry_at <= moment:
                queue(runtime, db, shop_id, name, "schedule", moment)
                queued += 1
    return queued


def _has_write_back(db: Connection, shop_id: int, now: Instant) -> bool:
    """True if Shopify is to be told of something, or the policy says something of it that nobody has looked at yet."""
    if pending.has_any(db, shop_id, SHOPIFY, now):
        return True
    shopify = systems.get(db, shop_id, SHOPIFY)
    if shopify.agreed_version >= policies.version(db, shop_id):
        return False
    return shopify.cycle_at is None or shopify.cycle_at <= policies.set_at(db, shop_id)


def _queue_write_back(runtime: Runtime, shop_id: int, now: Instant) -> bool:
    """Queue a cycle of Shopify, if the last one was not just now: what changes together is then told together."""
    with suppress(AlreadyRunning), runtime.database.write() as db:
        system = systems.get(db, shop_id, SHOPIFY)
        resting = max(filter(None, (system.due_at, system.retry_at)), default=0)
        if system.state == ACTIVE and resting <= now:
            queue(runtime, db, shop_id, SHOPIFY, "schedule", now)
            # One that comes to its end says otherwise; whatever ends one early would end the next one as well.
            systems.change(db, shop_id, SHOPIFY, now, due_at=now + WRITE_BACK_LATER)
            return True
    return False


def next_due(system: System, now: Instant) -> Instant | None:
    """When a system's next cycle is due; None for one that is read by hand only."""
    return None if system.cycle_minutes is None else now + system.cycle_minutes * 60 * SECOND


def carry_out_cycle(runtime: Runtime, run: Run, sleep: Callable[[float], None] = time.sleep) -> Run:
    """Carry out a cycle that was begun; the run as it ended."""
    with runtime.database.read() as db:
        system = systems.get(db, run.shop_id, str(run.checkpoint[SYSTEM]))
    if system.state != ACTIVE:
        return _end(runtime, run, system, RunState.FAILED, "The system is paused; resume it first.")
    files.hold_cycle(runtime, run)
    try:
        with reaching.opened(runtime, system, run.id) as target, runtime.giving_way() as give_way:
            return _Carrying(runtime, run, system, target, give_way, sleep).through()
    except CycleOvertaken as error:
        return _end(runtime, run, system, RunState.PARTIAL, str(error), rest=WRITE_BACK_EVERY)
    except TROUBLES as error:
        moment = runtime.now()
        with runtime.database.write() as db:
            since = system.trouble_since or moment
            values: dict[str, Any] = {"trouble": str(error), "trouble_since": since}
            if isinstance(error, SystemThrottled):
                values["retry_at"] = moment + round(error.retry_after_s * SECOND)
            systems.change(db, system.shop_id, system.name, moment, **values)
        log.warning("cycle ended early", system=system.kind, error=type(error).__name__)
        return _end(runtime, run, system, RunState.FAILED, str(error))
    finally:
        with suppress(OnewriterError):
            erasing.end(runtime.database, runtime.keys, runtime.now())


def _end(
    runtime: Runtime,
    run: Run,
    system: System,
    state: RunState,
    reason: str | None,
    *,
    rest: Instant = WRITE_BACK_LATER,
    **told: Any,
) -> Run:
    """End the run. Shopify, which has no schedule, is told of what changes next after that rest: a long one where it
    cannot be told or a person must answer first, since the same cycle would come to the same.
    """
    with runtime.database.write() as db:
        moment = runtime.now()
        current = runs.get(db, run.id)
        runs.move(db, run, moment, checkpoint=dict(current.checkpoint) | told)
        runs.finish(db, run, state, reason, moment)
        if system.is_shopify and not current.checkpoint.get(DRY) and current.checkpoint.get(ONLY) is None:
            systems.change(db, system.shop_id, system.name, moment, due_at=moment + rest)
        return runs.get(db, run.id)


class _Carrying:
    """One cycle on its way."""

    def __init__(
        self,
        runtime: Runtime,
        run: Run,
        system: System,
        target: SystemTarget | ShopifyTarget,
        give_way: Callable[[], None],
        sleep: Callable[[float], None],
    ) -> None:
        self.runtime, self.run, self.system, self.target = runtime, run, system, target
        self.give_way, self.sleep = give_way, sleep
        self.began = runtime.now()
        self.policy = target.reading.policy
        named = run.checkpoint.get(ONLY)
        self.only = None if named is None else frozenset([bytes.fromhex(str(named))])
        self.is_dry = bool(run.checkpoint.get(DRY))
        self.is_full = False
        self.planned = self.began
        self.cycle: Cycle | None = None
        if isinstance(target, SystemTarget):
            with runtime.database.read() as db:
                others = tuple(systems.names(db, system.shop_id))
            self.cycle = Cycle(runtime.database, system, target, runtime.now, sleep, others, give_way, self._progress)

    def through(self) -> Run:
        """From the reading to the end."""
        self._refuse_problems()
        is_new = self._is_new_to_it()
        if is_new and self.only is not None and not self.is_dry:
            reason = "This system has not been written by the present rules yet; its next whole cycle asks first."
            return _end(self.runtime, self.run, self.system, RunState.PARTIAL, reason)
        if self.cycle is not None:
            self._read(self.cycle, is_new)
        elif is_new and self.only is None:
            self._resettle_shopify()
        self.planned = self.runtime.now()
        doubt = None if self.is_dry else self._doubt(is_new)
        if self.is_dry or doubt is not None:
            return self._plan_only(doubt)
        return self._write()

    def _refuse_problems(self) -> None:
        """What the system would refuse anyway is told before anything is read."""
        problems = reaching.check(self.runtime, self.system, self.policy)
        if problems:
            raise SystemRefused(" ".join(problems))

    def _is_new_to_it(self) -> bool:
        """True if the policy says something else of this system than what a person agreed to write by."""
        agreed = self.system.agreed_version
        if agreed == 0:
            return True
        if agreed >= self.policy.version:
            return False
        with self.runtime.database.write() as db:
            # Each version by itself: what was given away and back again was somebody else's in between.
            known = [policies.of_version(db, self.system.shop_id, each) for each in range(agreed, self.policy.version)]
            if any(self.system.name in affected(*pair) for pair in pairwise([*known, self.policy])):
                return True
            systems.change(
                db, self.system.shop_id, self.system.name, self.runtime.now(), agreed_version=self.policy.version
            )
        return False

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def _read(self, it: Cycle, is_new: bool) -> None:
        if self.only is not None:
            it.read_one(self.only)
            return
        self.is_full = bool(self.run.checkpoint.get(FULL)) or is_new or it.wants_full(self.began)
        held = systems.open_cursor(self.runtime.vault(self.system.shop_id), self.system)
        it.read(None if self.is_full or held is None else State(held))
        if is_new:
            it.resettle()
        if self.is_full:
            it.prepare()
        if it.cursor is not None:
            with self.runtime.database.write() as db:
                box = systems.seal_cursor(self.runtime.vault(self.system.shop_id), self.system.name, it.cursor.value)
                systems.change(db, self.system.shop_id, self.system.name, self.runtime.now(), cursor_box=box)

    def _resettle_shopify(self) -> None:
        """Look at every customer anew: what Shopify owns now is as it says, and what others own it is told."""
        after = b""
        while True:
            with self.runtime.database.write() as db:
                moment = self.runtime.now()
                after = resettling.resettle_some(db, self.target.reading, after, moment)
            if not after:
                return
            self.give_way()

    def _progress(self, done: int, counts: Mapping[str, int]) -> None:
        with self.runtime.database.write() as db:
            runs.move(db, self.run, self.runtime.now(), done=done, counts={k: v for k, v in counts.items() if v})

    @cached_property
    def _plan(self) -> Plan:
        """Just what would be written, looked at once: nothing is written between its uses."""
        return planning.exact(self.runtime.database, self.target, self.runtime.now)

    # ---- Before the first write -------------------------------------------------------------------------------------

    def _doubt(self, is_new: bool) -> str | None:
        """Why a person must be asked before anything is written; None where nobody need be."""
        if is_new:
            return asking.FIRST_WRITES
        if self.only is not None:
            return None
        with self.runtime.database.read() as db:
            plan = planning.rough(db, self.target.reading)
        if not plan.too_many(self.system.allowed):
            return None
        return asking.MASS_WRITES if self._plan.too_many(self.system.allowed) else None

    def _plan_only(self, doubt: str | None) -> Run:
        """Say what would be written, and ask where somebody must be asked."""
        plan = self._plan
        told: dict[str, Any] = {
            PLAN: plan.document(),
            LINES: [[each.customer, each.field, each.way, each.owner] for each in plan.lines],
        }
        if doubt is None:
            return _end(self.runtime, self.run, self.system, RunState.DONE, None, **told)
        if doubt == asking.FIRST_WRITES and plan.empty:
            # Nothing would be written, so there is nothing to ask; but of nobody nothing can be agreed to.
            if not plan.linked:
                return _end(self.runtime, self.run, self.system, RunState.DONE, None, **told)
            self._look_over()
            return _end(self.runtime, self.run, self.system, RunState.DONE, None, rest=WRITE_BACK_EVERY, **told)
        with self.runtime.database.write() as db:
            reason = asking.ask(db, self.system, self.policy, plan, doubt, self.runtime.now())
        return _end(self.runtime, self.run, self.system, RunState.PARTIAL, reason, **told)

    def _look_over(self) -> None:
        """Agree to the rules by which nothing needs to be written; but what others own may reach Shopify any moment."""
        comes_later = self.system.is_shopify and self.policy.goes_out(SHOPIFY)
        seen = {"cycle_at": self.began} if comes_later else {"agreed_version": self.policy.version}
        with self.runtime.database.write() as db:
            systems.change(db, self.system.shop_id, self.system.name, self.runtime.now(), **seen)

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def _write(self) -> Run:
        taken: Mapping[str, int] = {}
        if self.cycle is not None:
            bulk = self._is_bulk()
            self._use_up()
            taken = self.cycle.bring_in(bulk=bulk, only=self.only)
        # What was marked after it was counted is for the next cycle, which counts it.
        sent = cycle.send(
            self.runtime.database, self.target, self.system, self.runtime.now, self.sleep, self.give_way, self.planned,
            self.only,
        )  # fmt: skip
        if self.cycle is not None and sent.proposed:
            # What people proposed to the owner was written there, and comes back as the owner's own word.
            taken = Counter(taken) + self.cycle.bring_in(bulk=bulk, only=frozenset(sent.proposed))
        return self._finish(taken, sent)

    def _use_up(self) -> None:
        """What was allowed was allowed once, however far this cycle comes."""
        if self.only is None and self.system.allowed:
            with self.runtime.database.write() as db:
                systems.change(db, self.system.shop_id, self.system.name, self.runtime.now(), allowed={})

    def _is_bulk(self) -> bool:
        if not any(name.endswith("_consent") for name in self.policy.maps(self.system.name)):
            return False
        return self._plan.opt_ins > planning.OPT_INS_MAX

    def _finish(self, taken: Mapping[str, int], sent: Sent) -> Run:
        counts: dict[str, int] = dict(self.cycle.counts if self.cycle is not None else {})
        counts |= {name: count for name, count in sent.counts.items() if count}
        counts |= {"taken": sum(taken.values())} if taken else {}
        with self.runtime.database.write() as db:
            moment = self.runtime.now()
            left = pending.left(db, self.system.shop_id, self.system.name, self.planned)
            state, reason = RunState.DONE, None
            values: dict[str, Any] = {"trouble": None, "trouble_since": None, "retry_at": None}
            if sent.retry_after_s is not None:
                values["retry_at"] = moment + round(sent.retry_after_s * SECOND)
            if left and self.only is None:
                if self.system.is_shopify and sent.retry_after_s is None:
                    # One value that does not get through keeps no other waiting.
                    pending.put_off(db, self.system.shop_id, SHOPIFY, self.planned, moment + WRITE_BACK_LATER)
                state, reason = RunState.PARTIAL, f"{left} values could not be written yet; the next cycle tries again."
            elif self.only is None:
                values |= {"cycle_at": self.began} | ({"full_at": self.began} if self.is_full else {})
            systems.change(db, self.system.shop_id, self.system.name, moment, **values)
            runs.move(db, self.run, moment, counts={name: count for name, count in counts.items() if count})
        wrote = {"in": dict(taken), "out": dict(sent.fields)}
        told = {WROTE: wrote, REFUSED: dict(sent.rejected)}
        return _end(self.runtime, self.run, self.system, state, reason, rest=WRITE_BACK_EVERY, **told)
