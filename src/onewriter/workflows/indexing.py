"""The index that customers are searched by: a run that makes every token anew, with a new key or for the first time.

The new key is made first, and from then on whatever is written is written with it. The run goes through all others,
and only when no token is left that the old key made is that destroyed. It asks nothing of Shopify.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection

from onewriter.customers import names, reindexing, reindexing_sides, runs, shops
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.customers.shops import AUTHORIZING, ERASED, Shop
from onewriter.db.engine import DoorBell
from onewriter.records import Instant, RunState
from onewriter.runtime import Runtime, new_run_id

AFTER, WAITED = "after", "waited"
REQUESTED_BY = "schedule"

log = structlog.get_logger(__name__)


def queue(runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant) -> str:
    """Give a shop's index a new key, queue making every token anew with it, and return the run's id.

    Raises AlreadyRunning while the index of the shop is being built.
    """
    run_id = _queue(runtime, db, shop_id, by, now)
    version = runtime.vault(shop_id).index.make_next(names.version_of(db, shop_id), now)
    names.raise_version(db, shop_id, version)
    return run_id


def _queue(runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant) -> str:
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, runs.INDEX, by, now)
    runtime.enqueue(db, run_id)
    return run_id


def tend(runtime: Runtime, slot: int | None = None, slots: int = 1) -> None:
    """Have the index built of every shop (of one slot) that has customers without their tokens, connected or not.

    Customers from before names were indexed have none, and those of a restored backup have old ones.
    """
    with runtime.database.read() as db:
        known = [shop for shop in shops.every(db) if shop.state not in (AUTHORIZING, ERASED)]
    for shop in known:
        if slot not in (None, shop.id % slots):
            continue
        try:
            _tend(runtime, shop)
        except Exception as error:  # noqa: BLE001 - one shop must not keep the others waiting
            log.warning("index is not looked after", shop=shop.id, error=type(error).__name__)


def _tend(runtime: Runtime, shop: Shop) -> None:
    with runtime.database.read() as db:
        stale = _is_stale(db, shop.id)
    if stale:
        with suppress(AlreadyRunning), runtime.database.write() as db:
            _queue(runtime, db, shop.id, REQUESTED_BY, runtime.now())


def _is_stale(db: Connection, shop_id: int) -> bool:
    """True while a customer or a record of a connected system has tokens of an earlier key."""
    version = names.version_of(db, shop_id)
    return names.is_stale(db, shop_id, version) or reindexing_sides.is_stale(db, shop_id, version)


def carry_out_indexing(runtime: Runtime, run: Run) -> Run:
    """Carry out building an index that was begun; the run as it ended."""
    with runtime.bell() as bell:
        return Indexing(runtime, bell).run(run)


@dataclass(slots=True)
class Indexing:
    """Carries one run out."""

    runtime: Runtime
    bell: DoorBell | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _checkpoint: dict[str, Any] = field(default_factory=dict)

    def run(self, run: Run) -> Run:
        """Make what tokens are left from wherever the run stands; the run as it ended."""
        self._counts, self._checkpoint = Counter(run.counts), dict(run.checkpoint)
        done = run.done
        if not self._checkpoint.get(WAITED):
            self._wait_for_writers(run)
        while True:
            done = self._go_through_records(run, self._go_through(run, done))
            if self._end_if_whole(run, done):
                break
            self._checkpoint[AFTER] = ""
        with self.runtime.database.read() as db:
            return runs.get(db, run.id)

    def _wait_for_writers(self, run: Run) -> None:
        """Wait until nobody writes any more who began with the old key: from then on, what is stale only gets less."""
        with self.runtime.database.write() as db:
            reindexing.lock_all(db, run.shop_id)
            now = self.runtime.now()
            version = names.version_of(db, run.shop_id)
            left = reindexing.count_stale(db, run.shop_id, version)
            left += reindexing_sides.count_stale(db, run.shop_id, version)
            self._checkpoint |= {WAITED: True, AFTER: "", "rows_began": now}
            runs.move(db, run, now, checkpoint=self._checkpoint, total=run.done + left)

    def _go_through(self, run: Run, done: int) -> int:
        """Go through the customers from where the checkpoint stands; how many are done after it."""
        vault = self.runtime.vault(run.shop_id)
        while True:
            with self.runtime.database.write() as db:
                now = self.runtime.now()
                piece = reindexing.reindex(db, vault, bytes.fromhex(self._checkpoint[AFTER]), now)
                if piece is None:
                    return done
                done += piece.seen
                self._counts.update(indexed=piece.indexed, unopened=piece.unopened)
                self._checkpoint[AFTER] = piece.after.hex()
                runs.move(db, run, now, done=done, counts=dict(+self._counts), checkpoint=self._checkpoint)
            if self.bell is not None:
                self.bell.give_way()

    def _go_through_records(self, run: Run, done: int) -> int:
        """Go through the records of connected systems; how many are done after it. It begins anew after a crash."""
        vault = self.runtime.vault(run.shop_id)
        for column in reindexing_sides.COLUMNS:
            after = reindexing_sides.START
            while True:
                with self.runtime.database.write() as db:
                    now = self.runtime.now()
                    piece = reindexing_sides.reindex(db, vault, column, after, now)
                    if piece is None:
                        break
                    done, after = done + piece.seen, piece.after
                    self._counts.update(records=piece.seen - piece.unopened, unopened=piece.unopened)
                    runs.move(db, run, now, done=done, counts=dict(+self._counts))
                if self.bell is not None:
                    self.bell.give_way()
        return done

    def _end_if_whole(self, run: Run, done: int) -> bool:
        """End the run, and the old keys with it, if nothing is stale while nobody can write; True if so."""
        vault = self.runtime.vault(run.shop_id)
        with self.runtime.database.write() as db:
            reindexing.lock_all(db, run.shop_id)
            if _is_stale(db, run.shop_id):
                return False
            now, version = self.runtime.now(), names.version_of(db, run.shop_id)
            # Destroyed before the end is committed: who dies between the two comes here again, and a token that no
            # key is left for finds nobody.
            self._counts["keys_destroyed"] += vault.index.destroy_before(version, now)
            runs.move(db, run, now, done=done, total=done, counts=dict(+self._counts))
            runs.finish(db, run, RunState.DONE, None, now)
        return True
