"""A reconcile as a run: dry, killed, superseded, asked for by hand, and what it leaves behind when it ends."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from onewriter.audit.compare import GRACE
from onewriter.audit.direct import Place
from onewriter.audit.reconcile import Reconcile
from onewriter.audit.settle import Mending
from onewriter.customers import runs
from onewriter.customers.runs import AlreadyRunning
from onewriter.errors import Superseded
from onewriter.intake.apply import apply
from onewriter.records import SECOND, Change, Instant, Kind, Path, RunState
from onewriter.runtime import Runtime
from onewriter.workflows import reconciling
from tests.support.drifting import LATER_S, NEVER, drifting, lose_create, lose_delete, lose_tags, lose_update


@pytest.mark.req("K16")
def test_a_dry_run_reports_and_writes_nothing_else(runtime: Runtime) -> None:
    with drifting(runtime, 12) as stage:
        stage.shop.update(stage.shop.ids[5], note="told, and not learnt")
        stage.follow()
        with stage.losing():
            made = stage.shop.create(first_name="New")
            lose_tags(stage)
            lose_delete(stage)
        before = stage.rows()
        run = stage.reconcile(dry=True)
        after = stage.rows()
        found = after.pop("findings")
        assert before.pop("findings") == []
        assert before == after
        kinds = [(kind, why, healed) for _number, kind, _field, why, healed in stage.found(run)]
        assert sorted(kinds) == [(kind, NEVER, False) for kind in ("drift", "missing here", "not deleted here")]
        assert (len(found), run.counts["different"], "healed" in run.counts) == (3, 3, False)
        assert str(made.id) not in str(found), "no id of Shopify's stands in a finding"
        shop = stage.shop_row()
        assert (shop.full_at, shop.recent_to) == (None, None)


@pytest.mark.req("K16")
def test_healing_ends_what_earlier_runs_left_open(runtime: Runtime) -> None:
    with drifting(runtime, 12) as stage:
        with stage.losing():
            stage.shop.create(first_name="New")
            lose_tags(stage)
            lose_delete(stage)
        dry = stage.reconcile(dry=True)
        assert not any(healed for *_finding, healed in stage.found(dry))
        stage.reconcile()
        assert all(healed for *_finding, healed in stage.found(dry))


@pytest.mark.req("K16")
def test_what_was_healed_by_the_normal_path_is_closed_by_the_next_full_run(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        with stage.losing():
            number, _kind, _field = lose_update(stage)
        dry = stage.reconcile(dry=True)
        stage.shop.update(number, note="a later one tells everything")
        stage.follow()
        assert stage.found(dry) == [(number, "drift", "first_name", NEVER, False)]
        stage.reconcile()
        assert stage.found(dry) == [(number, "drift", "first_name", NEVER, True)]


@pytest.mark.req("K16")
def test_a_run_that_is_killed_while_it_heals_ends_the_same(runtime: Runtime) -> None:
    with drifting(runtime, 12) as stage:
        with stage.losing():
            expected = sorted([(*loss(stage), NEVER, True) for loss in (lose_create, lose_tags, lose_delete)], key=str)
        run_id = stage.queue()
        mending = reconciling.mending(stage.vault)
        healed: list[int] = []

        def heal(db: Connection, reads: Sequence[Change], now: Instant, run: str) -> None:
            mending.heal(db, reads, now, run)
            healed.append(len(reads))
            if len(healed) == 2:
                raise Killed

        place = Place(runtime.database, stage.vault, runtime.client(stage.shop_id), runtime.now)
        with pytest.raises(Killed):
            Reconcile(place, Mending(mending.lock, heal), 48, 30, GRACE).run(stage.begin(run_id))
        assert healed == [2, 1], "those that are there were healed, and the one that is gone was not"
        run = stage.carry_out(run_id)
        assert (run.state, stage.found(run)) == (RunState.DONE, expected)
        assert (run.counts["different"], run.counts["healed"], run.counts["read"]) == (3, 3, 12)
        assert stage.held() == stage.truth()


class Killed(Exception):
    """The process ended here."""


def test_a_worker_that_lost_its_run_changes_nothing_more(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        with stage.losing():
            lose_tags(stage)
        run_id = stage.queue()
        run = stage.begin(run_id)
        before = stage.rows()
        stage.wire.after_read = lambda: stage.begin(run_id)
        with pytest.raises(Superseded):
            reconciling.reconcile(runtime, run)
        assert stage.rows() == before


def test_a_customer_whom_shopify_will_not_show_is_asked_for_again(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        with stage.losing():
            number, _kind, field = lose_tags(stage)
        stage.wire.refused = {number}
        run = stage.reconcile()
        assert (run.state, run.reason) == (RunState.PARTIAL, "1 customers were hidden by errors of Shopify's.")
        assert (run.counts["unread"], stage.found(run)) == (1, [])
        stage.wire.refused = set()
        assert stage.refetch() == 1
        assert stage.held() == stage.truth(), field


@pytest.mark.req("K16")
def test_a_line_that_cannot_be_read_is_compared_by_a_direct_read(runtime: Runtime) -> None:
    with drifting(runtime, 8) as stage:
        with stage.losing():
            for number in stage.shop.ids:
                stage.shop.add_tags(number, ["gold"])
        stage.shop.faults.corrupt_lines = 2
        run = stage.reconcile()
        assert (run.state, run.counts["healed"]) == (RunState.DONE, 8)
        assert stage.held() == stage.truth()


def test_who_is_hidden_here_and_there_in_the_shop_is_found(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        number = stage.shop.ids[0]
        with runtime.database.write() as db:
            apply(db, stage.vault, [Change(number, Kind.ABSENT, Path.READ, {}, None, stage.clock.now)], stage.clock.now)
        assert number not in stage.held()
        stage.clock.pass_by(LATER_S)
        run = stage.reconcile()
        assert stage.found(run) == [(number, "hidden here", None, NEVER, True)]
        assert stage.held() == stage.truth()


def test_values_that_the_token_may_not_see_are_no_difference(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        before = stage.held()
        stage.shop.faults.protected_denied = True
        run = stage.reconcile()
        assert stage.found(run) == []
        assert stage.held() == before


# ---- When it runs ---------------------------------------------------------------------------------------------------


@pytest.mark.req("K48")
def test_a_shop_is_reconciled_by_hand_whenever_none_is_under_way(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        for _ in range(3):
            run_id = stage.queue()
            with pytest.raises(AlreadyRunning, match="already queued"):
                stage.queue()
            stage.queue(runs.RECENT)
            stage.begin(run_id)
            with pytest.raises(AlreadyRunning):
                stage.queue()
            stage.carry_out(run_id)
            with runtime.database.read() as db:
                recent = next(run for run in runs.newest(db, 9) if run.kind == runs.RECENT and not run.over)
            stage.carry_out(recent.id)


def test_a_full_run_notes_when_it_began_reading(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        began = stage.clock.now
        stage.reconcile()
        full_at = stage.shop_row().full_at
        assert full_at is not None
        assert began - SECOND <= full_at <= stage.clock.now - 3 * SECOND
