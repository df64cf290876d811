"""Reconcile: what was lost on its way is found, reported with its reason, and healed; what is equal costs nothing."""

import json
from collections.abc import Callable

import pytest

from onewriter.customers import findings, profiles, runs
from onewriter.records import SECOND, Change, Delivery, Kind, Path, RunState
from onewriter.runtime import Runtime
from tests.support.drifting import (
    LATE,
    LATER_S,
    NEVER,
    REFUSED,
    Drifting,
    drifting,
    lose_create,
    lose_delete,
    lose_tags,
    lose_update,
)
from tests.support.joined import put_in_inbox


def email_holder(stage: Drifting) -> int:
    return next(record.id for record in stage.shop.snapshot() if record.email and record.phone)


# ---- What is equal --------------------------------------------------------------------------------------------------


def test_an_unchanged_shop_costs_one_comparison_a_row_and_writes_nothing(runtime: Runtime) -> None:
    with drifting(runtime, 60) as stage:
        before = stage.rows()
        run = stage.reconcile()
        assert (run.state, run.reason, dict(run.counts)) == (RunState.DONE, None, {"read": 60, "unchanged": 60})
        assert (run.done, run.total) == (60, 60)
        assert stage.rows() == before


def test_a_row_that_says_what_we_hold_is_learnt_once(runtime: Runtime) -> None:
    with drifting(runtime, 20) as stage:
        number = stage.shop.ids[4]
        stage.shop.update(number, note="told by a delivery, so that no line of a file is known")
        stage.follow()
        run = stage.reconcile()
        assert dict(run.counts) == {"read": 20, "unchanged": 20, "compared": 1, "learnt": 1}
        assert stage.found(run) == []
        assert dict(stage.reconcile().counts) == {"read": 20, "unchanged": 20}


def test_a_side_that_was_written_since_it_was_opened_learns_nothing(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        number = stage.shop.ids[0]
        with runtime.database.read() as db:
            side = profiles.sides_of(db, stage.vault, [number])[number]
        row = Change(number, Kind.PRESENT, Path.BULK, {}, side.version, stage.clock.now, raw_digest=b"r" * 16)
        stage.shop.update(number, note="newer")
        stage.follow()
        with runtime.database.write() as db:
            assert profiles.learn(db, stage.shop_id, [(side, row)]) == 0
            again = profiles.sides_of(db, stage.vault, [number])[number]
            assert profiles.learn(db, stage.shop_id, [(again, row)]) == 1
        assert stage.profile(number).raw_digest == b"r" * 16


@pytest.mark.req("K16")
def test_what_was_learnt_holds_against_older_news_that_arrives_later(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        number = stage.shop.ids[0]
        was = stage.shop.customers[number].note
        stage.shop.update(number, note="for an hour")
        held_up = list(stage.waiting)
        stage.waiting.clear()
        with stage.losing():
            stage.shop.update(number, note=was)
        assert dict(stage.reconcile().counts) == {"read": 3, "unchanged": 3, "compared": 1, "learnt": 1}
        stage.waiting.extend(held_up)
        stage.follow()
        assert stage.held() == stage.truth()


# ---- What was lost --------------------------------------------------------------------------------------------------

Act = Callable[[Drifting], tuple[int, str, str | None]]


def lose_emptying(stage: Drifting) -> tuple[int, str, str | None]:
    number = next(record.id for record in stage.shop.snapshot() if record.last_name and record.email)
    stage.shop.update(number, last_name=None)
    return number, "drift", "last_name"


def lose_state(stage: Drifting) -> tuple[int, str, str | None]:
    number = next(record.id for record in stage.shop.snapshot() if record.state != "ENABLED")
    stage.shop.update(number, state="ENABLED")
    return number, "drift", "state"


def lose_consent(channel: str) -> Act:
    def lose(stage: Drifting) -> tuple[int, str, str | None]:
        number = email_holder(stage)
        consent = getattr(stage.shop, f"consent_to_{channel}")
        consent(number, "SUBSCRIBED", "CONFIRMED_OPT_IN")
        return number, "drift", f"{channel}_consent"

    return lose


LOSSES: dict[str, Act] = {
    "create": lose_create,
    "update": lose_update,
    "emptying": lose_emptying,
    "state": lose_state,
    "tags": lose_tags,
    "email consent": lose_consent("email"),
    "sms consent": lose_consent("sms"),
    "whatsapp consent": lose_consent("whatsapp"),
    "delete": lose_delete,
}


@pytest.mark.req("K16", "K28")
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_was_lost_is_reported_and_healed_and_not_found_again(runtime: Runtime, loss: Act) -> None:
    with drifting(runtime, 16) as stage:
        with stage.losing():
            number, kind, field = loss(stage)
        assert stage.held() != stage.truth()
        run = stage.reconcile()
        assert stage.found(run) == [(number, kind, field, NEVER, True)]
        assert (run.state, run.counts["different"], run.counts["healed"], run.counts[NEVER]) == (RunState.DONE, 1, 1, 1)
        assert stage.held() == stage.truth()
        assert stage.found(stage.reconcile()) == []


@pytest.mark.req("K16")
def test_each_field_is_reported_by_itself(runtime: Runtime) -> None:
    with drifting(runtime, 10) as stage:
        number = email_holder(stage)
        with stage.losing():
            stage.shop.update(number, first_name="Other", note="other", phone=None)
            stage.shop.add_tags(number, ["other"])
        run = stage.reconcile()
        fields = [field for _number, _kind, field, _why, _healed in stage.found(run)]
        assert fields == ["first_name", "note", "phone", "sms_consent", "tags", "whatsapp_consent"]
        assert run.counts["different"] == 1
        assert stage.held() == stage.truth()


@pytest.mark.req("K16")
def test_a_delivery_that_was_refused_is_named_as_the_reason(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        number = stage.shop.ids[1]
        with stage.losing():
            stage.shop.update(number, note="never understood")
        broken = json.dumps({"id": number, "note": "without a version"}).encode()
        moment = stage.clock.now
        triggered = stage.shop.customers[number].updated_at * SECOND
        made = Delivery(stage.shop_id, "made", "customers/update", broken, moment, triggered=triggered)
        put_in_inbox(runtime, stage.vault, [made])
        stage.drain()
        run = stage.reconcile()
        assert stage.found(run) == [(number, "drift", "note", REFUSED, True)]
        with runtime.database.read() as db:
            (row,) = findings.of_run(db, run.id)
        assert [each["state"] for each in row["evidence"]["deliveries"]] == ["parked"]


@pytest.mark.req("K16")
def test_a_delivery_that_comes_after_it_was_missed_was_late(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        stage.clock.pass_by(LATER_S)
        number = stage.shop.ids[1]
        stage.shop.update(number, note="slow")
        stage.clock.pass_by(LATER_S)
        run = stage.reconcile()
        assert stage.found(run) == [(number, "drift", "note", NEVER, True)]
        stage.follow()
        stage.shop.update(number, note="quick, and of no concern")
        stage.follow()
        stage.reconcile(runs.RECENT)
        assert stage.found(run) == [(number, "drift", "note", LATE, True)]
        with runtime.database.read() as db:
            (row,) = findings.of_run(db, run.id)
        assert len(row["evidence"]["deliveries"]) == 1


def test_what_is_never_delivered_stays_so(runtime: Runtime) -> None:
    with drifting(runtime, 6) as stage:
        number = stage.shop.ids[1]
        with stage.losing():
            stage.shop.update(number, note="lost")
        run = stage.reconcile()
        stage.shop.update(number, note="another one")
        stage.follow()
        stage.reconcile()
        assert stage.found(run) == [(number, "drift", "note", NEVER, True)]


# ---- What is still under way ----------------------------------------------------------------------------------------


def waiting_delivery(stage: Drifting) -> int:
    number = stage.shop.ids[1]
    stage.shop.update(number, note="in the inbox")
    stage.clock.pass_by(LATER_S)
    stage.hear()
    return number


def marked(stage: Drifting) -> int:
    number = stage.shop.ids[1]
    stage.shop.add_tags(number, ["rung"])
    stage.clock.pass_by(LATER_S)
    stage.hear()
    stage.drain()
    return number


def young(stage: Drifting) -> int:
    number = stage.shop.ids[1]
    stage.shop.update(number, note="of a moment ago")
    return number


@pytest.mark.req("K16")
@pytest.mark.parametrize("under_way", [waiting_delivery, marked, young])
def test_what_is_under_way_is_healed_without_a_word(runtime: Runtime, under_way: Callable[[Drifting], int]) -> None:
    with drifting(runtime, 8) as stage:
        under_way(stage)
        run = stage.reconcile()
        assert (run.counts["in_flight"], stage.found(run)) == (1, [])
        assert stage.held() == stage.truth()
        stage.follow()
        assert stage.held() == stage.truth()


@pytest.mark.req("K16")
def test_a_deletion_that_is_under_way_is_left_to_the_normal_path(runtime: Runtime) -> None:
    with drifting(runtime, 8) as stage:
        number = stage.free(1)[0]
        stage.shop.delete(number)
        stage.clock.pass_by(LATER_S)
        stage.hear()
        run = stage.reconcile()
        assert (run.counts["in_flight"], stage.found(run), number in stage.held()) == (1, [], True)
        stage.follow()
        assert stage.held() == stage.truth()


def test_what_we_are_told_while_the_read_is_under_way_is_no_difference(runtime: Runtime) -> None:
    with drifting(runtime, 5) as stage:
        number = stage.shop.ids[0]
        with stage.losing():
            stage.shop.update(number, note="lost")

        def newer() -> None:
            stage.clock.pass_by(2)
            stage.shop.update(number, note="newer than the read")
            stage.hear()
            stage.drain()

        stage.wire.after_read = newer
        run = stage.reconcile()
        assert (dict(run.counts), stage.found(run)) == ({"read": 5, "unchanged": 4, "compared": 1}, [])
        assert stage.wire.reads == 1
        assert stage.held() == stage.truth()


def test_a_row_that_is_older_than_what_we_were_told_meanwhile_says_nothing(runtime: Runtime) -> None:
    with drifting(runtime, 5, bulk_seconds=40.0) as stage:
        number = stage.shop.ids[0]

        def newer() -> None:
            stage.shop.update(number, note="newer than its row")
            stage.hear()
            stage.drain()

        stage.clock.plan(20.0, newer)
        run = stage.reconcile()
        assert (run.counts["newer_here"], run.counts["unchanged"], stage.wire.reads) == (1, 4, 0)
        assert stage.held() == stage.truth()
