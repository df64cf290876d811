"""The feed of all customers: by bulk where that can be had, else by pages, and nobody lost on the way."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from onewriter.errors import ShopifyUnreachable, TokenRefused
from onewriter.records import HOUR, SECOND
from onewriter.shopify import bulk, queries
from onewriter.shopify.bulk import BulkBusy
from onewriter.shopify.feed import Piece
from tests.support.feeding import BEGIN, MINUTES, Asked, Stage, changes_in, ids_in
from tests.support.rehearsal import data, error


class Died(Exception):
    """The worker is gone."""


# ---- By bulk --------------------------------------------------------------------------------------------------------


@pytest.mark.req("K8")
def test_a_whole_file_is_handed_out_once_and_is_complete() -> None:
    stage = Stage()
    feed = stage.feed()
    pieces = stage.read(feed)
    assert ids_in(pieces) == stage.ids
    assert [(piece.before, len(piece.lines)) for piece in pieces] == [(7 * n, 7) for n in range(5)] + [(35, 5)]
    assert (feed.complete, feed.total, feed.note, feed.by_pages, feed.unread) == (True, 40, None, False, 0)
    assert {piece.raw for piece in pieces} == {True}
    assert {piece.began for piece in pieces} == {feed.began} == {stage.operations[0].created_at * SECOND}


def test_how_much_fits_into_a_piece_is_asked_each_time() -> None:
    sizes = iter([1, 2, 4, 8, 100, 100])
    assert [len(piece.lines) for piece in Stage().feed().pieces(lambda: next(sizes))] == [1, 2, 4, 8, 25]


def test_an_empty_shop_is_complete_too() -> None:
    stage = Stage(0)
    feed = stage.feed()
    assert (stage.read(feed), feed.complete, feed.total, feed.note) == ([], True, 0, None)
    assert feed.began == stage.operations[0].created_at * SECOND


@pytest.mark.req("K8")
@pytest.mark.parametrize("taken", [1, 3, 6])
def test_a_file_is_read_on_from_where_a_dead_worker_stood(taken: int) -> None:
    stage = Stage()
    before = stage.read(stage.feed(), pieces=taken)
    feed = stage.feed()
    rest = stage.read(feed)
    assert ids_in(before) + ids_in(rest) == stage.ids
    assert (feed.complete, len(stage.operations)) == (True, 1)


@pytest.mark.req("K8")
@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_worker_that_dies_while_it_waits_leaves_no_second_operation(writes: int) -> None:
    stage = Stage()

    def die(state: Mapping[str, Any]) -> None:
        stage.keep(state)
        if stage.writes == writes:
            raise Died

    with pytest.raises(Died):
        stage.read(stage.feed(keep=die))
    assert ids_in(stage.read(stage.feed())) == stage.ids
    assert len(stage.operations) == 1


@pytest.mark.req("K8")
def test_an_operation_without_an_owner_is_adopted_but_not_what_the_app_reads_for_others() -> None:
    stage = Stage()
    other = "query { customers { edges { node { id } } } }"
    stage.client.query(queries.BULK_RUN, {"query": other})
    stage.keep({"asked": stage.now})
    assert ids_in(stage.read(stage.feed(), 100)) == stage.ids
    assert len(stage.operations) == 2, "the other one has no customers, only ids"
    stage.sleep(60)
    stage.keep({"asked": stage.now})
    started = bulk.start_customers(stage.client)
    feed = stage.feed()
    assert ids_in(stage.read(feed, 100)) == stage.ids
    assert (len(stage.operations), feed.began) == (3, started.created)


def test_a_download_that_gives_nothing_more_is_the_callers_to_try_again() -> None:
    stage = Stage()
    before = stage.read(stage.feed(), pieces=2)
    stage.shop.set_faults({"drop_connection_after_bytes": 1})
    with pytest.raises(ShopifyUnreachable):
        stage.read(stage.feed())
    stage.shop.set_faults({"drop_connection_after_bytes": 0})
    assert ids_in(before) + ids_in(stage.read(stage.feed())) == stage.ids


# ---- From bulk to pages ---------------------------------------------------------------------------------------------


@pytest.mark.req("K8")
@pytest.mark.parametrize(
    ("faults", "note", "from_file"),
    [
        ({"partial": True}, "Shopify's bulk operation ended as failed (INTERNAL_SERVER_ERROR).", 20),
        ({"wrong_count": 2}, "The bulk file holds 38 customers, but Shopify announced 40.", 38),
        ({"stall": True}, "Shopify's bulk operation stood still for 30 min.", 0),
        ({"expire": True}, "The bulk file was gone, or its link had expired, before it was read to its end.", 0),
        ({"bulk_seconds": 200_000.0}, "Shopify's bulk operation stood still for 30 min.", 0),
    ],
)
def test_what_bulk_does_not_give_is_read_by_pages(faults: dict[str, Any], note: str, from_file: int) -> None:
    stage = Stage(**faults)
    feed = stage.feed()
    pieces = stage.read(feed)
    filed = [piece for piece in pieces if piece.raw]
    paged = [piece for piece in pieces if not piece.raw]
    assert len(ids_in(filed)) == from_file
    assert sorted(ids_in(paged)) == stage.ids
    assert (paged[0].before, feed.by_pages, feed.complete, feed.total) == (0, True, False, 40)
    assert feed.note == note
    assert feed.began == paged[0].began
    truth = {change.record_id: change.fields for change in changes_in(stage.read(Stage().feed()))}
    assert {change.record_id: change.fields for change in changes_in(pieces)} == truth


@pytest.mark.req("K8")
@pytest.mark.parametrize("faults", [{"partial": True}, {"wrong_count": 2}, {"stall": True}, {"expire": True}])
def test_a_worker_may_die_after_any_piece_on_the_way_to_pages(faults: dict[str, Any]) -> None:
    stage = Stage(**faults)
    pieces: list[Piece] = []
    for _ in range(100):
        taken = stage.read(stage.feed(), pieces=1)
        if not taken:
            break
        pieces += taken
    feed = stage.feed()
    assert stage.read(feed) == []
    paged = ids_in([piece for piece in pieces if not piece.raw])
    assert sorted(paged) == stage.ids, "nobody is lost, and nobody comes twice"
    assert feed.note is not None
    assert len(stage.asked(queries.BULK_RUN)) == (2 if "expire" in faults else 1)


def test_an_operation_that_nobody_waits_for_is_cancelled() -> None:
    stage = Stage(stall=True)
    stage.read(stage.feed())
    assert [operation.status for operation in stage.operations] == ["CANCELED"]


def test_no_restart_forgives_an_operation_that_stands_still() -> None:
    stage = Stage(stall=True)
    stage.interfere = lambda asked: httpx2.Response(503) if stage.now > BEGIN + 60 * SECOND * 20 else None
    with pytest.raises(ShopifyUnreachable):
        stage.read(stage.feed())
    stage.interfere = lambda _asked: None
    failed = stage.now
    assert sorted(ids_in(stage.read(stage.feed()))) == stage.ids
    assert stage.now - failed < MINUTES * 60 * SECOND, "half of its time was over before"


def test_an_operation_that_was_cancelled_is_not_waited_for() -> None:
    stage = Stage(stall=True)

    def cancel(asked: Asked) -> None:
        if asked["query"] == queries.BULK_STATUS and stage.operations[0].status == "RUNNING":
            stage.front.gateway.operations.cancel(stage.operations[0].id)

    stage.interfere = cancel
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.note == "Shopify's bulk operation ended as canceled."


def refused(code: str) -> httpx2.Response:
    """Shopify's answer to a bulk operation that it does not take on."""
    refusal = {"code": code, "field": None, "message": "canary"}
    return data(bulkOperationRunQuery={"bulkOperation": None, "userErrors": [refusal]})


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (refused("INVALID"), "Shopify refused the bulk operation (INVALID)."),
        (data(errors=[error("BAD_REQUEST")]), "Shopify refused the query (BAD_REQUEST)."),
    ],
)
def test_a_shop_that_takes_no_bulk_operation_is_read_by_pages_at_once(answer: httpx2.Response, note: str) -> None:
    stage = Stage()
    stage.interfere = lambda asked: answer if asked["query"] == queries.BULK_RUN else None
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert (feed.note, stage.now) == (note, BEGIN)


@pytest.mark.req("K8")
def test_a_shop_that_has_no_room_for_an_operation_is_asked_again_for_a_while() -> None:
    stage = Stage(refuse=True)
    tries = 0
    while stage.now < BEGIN + (MINUTES - 1) * 60 * SECOND:
        with pytest.raises(BulkBusy):
            stage.read(stage.feed())
        stage.sleep(60)
        tries += 1
    assert (tries, stage.operations) == (MINUTES - 1, [])
    stage.sleep(60)
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.note == "Shopify had no room for a bulk operation for 30 min."


def test_an_operation_is_had_once_another_one_has_ended() -> None:
    stage = Stage(bulk_seconds=300.0)
    for _ in range(5):
        stage.client.query(queries.BULK_RUN, {"query": "query { customers { edges { node { id } } } }"})
    with pytest.raises(BulkBusy, match="OPERATION_IN_PROGRESS"):
        stage.read(stage.feed())
    stage.sleep(301)
    feed = stage.feed()
    assert ids_in(stage.read(feed)) == stage.ids
    assert feed.complete


def test_a_link_that_has_expired_is_made_new() -> None:
    stage = Stage(expire=True)
    stage.read(stage.feed(), pieces=0)
    stage.keep({"asked": stage.now, "operation": bulk.start_customers(stage.client).id})
    stage.shop.set_faults({"expire": False})
    feed = stage.feed()
    assert ids_in(stage.read(feed)) == stage.ids
    assert (feed.complete, feed.note, len(stage.operations)) == (True, None, 2)


@pytest.mark.parametrize("status", ["EXPIRED", None])
def test_an_operation_that_shopify_has_forgotten_is_asked_for_again(status: str | None) -> None:
    stage = Stage()
    before = stage.read(stage.feed(), pieces=2)
    old = stage.operations[0]
    old.status = status
    if status is None:
        stage.interfere = lambda asked: (
            data(bulkOperation=None) if str(old.id) in asked["variables"].get("id", "") else None
        )
    stage.sleep(8 * 86_400)
    feed = stage.feed()
    pieces = stage.read(feed)
    assert (ids_in(pieces), pieces[0].before) == (stage.ids, 0), f"{len(before)} pieces come again"
    assert (feed.complete, len(stage.operations)) == (True, 2)


def test_a_line_without_end_is_no_reason_to_give_up() -> None:
    stage = Stage()
    stage.file = lambda _file: httpx2.Response(200, content=b"x" * (9 * 1024 * 1024))
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.note == "A line of the bulk file is longer than 8 MiB."


def test_empty_lines_are_no_customers() -> None:
    stage = Stage()
    stage.file = lambda file: httpx2.Response(200, content=file.read().replace(b"\n", b"\n\n"))
    feed = stage.feed()
    pieces = stage.read(feed)
    assert (ids_in(pieces), feed.complete) == (stage.ids, True)
    assert [piece.before for piece in pieces][:3] == [0, 4, 7], "seven lines, every other one empty"


@pytest.mark.parametrize("restarts", [0, 5])
def test_an_operation_that_moves_is_not_waited_for_for_ever(restarts: int) -> None:
    stage = Stage(stall=True)
    stage.hours = 1
    ends = iter(range(1, restarts + 1))
    end = [next(ends, None)]

    def crawl(asked: Asked) -> httpx2.Response | None:
        if end[0] is not None and stage.now > BEGIN + end[0] * 10 * 60 * SECOND:
            return httpx2.Response(503)
        if asked["query"] == queries.BULK_STATUS:
            stage.operations[0].object_count = stage.now // SECOND
        return None

    stage.interfere = crawl
    for _ in range(restarts):
        with pytest.raises(ShopifyUnreachable):
            stage.read(stage.feed())
        end[0] = next(ends, None)
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.note == "Shopify's bulk operation was not done within 1 h."
    assert BEGIN + HOUR <= stage.now < BEGIN + HOUR + 600 * SECOND


def test_why_it_was_given_up_is_remembered_from_the_moment_it_was() -> None:
    stage = Stage(stall=True)

    def die_with_the_note(state: Mapping[str, Any]) -> None:
        stage.keep(state)
        if "note" in state and "operation" in state:
            stage.front.gateway.operations.cancel(stage.operations[0].id)
            raise Died

    with pytest.raises(Died):
        stage.read(stage.feed(keep=die_with_the_note))
    feed = stage.feed()
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.note == "Shopify's bulk operation stood still for 30 min."


def test_what_the_token_may_not_see_is_denied_on_pages_as_in_a_file() -> None:
    stage = Stage(protected_denied=True)
    feed = stage.feed()
    changes = changes_in(stage.read(feed))
    assert feed.note == "Shopify's bulk operation ended as failed (ACCESS_DENIED)."
    assert sorted(change.record_id for change in changes) == stage.ids
    for change in changes:
        assert change.denied >= {"first_name", "email", "phone"}
        assert not change.denied & change.fields.keys()
        assert "tags" in change.fields


@pytest.mark.req("K8")
@pytest.mark.parametrize("by_bulk", [True, False])
def test_a_refused_token_leaves_everything_where_it_stands(by_bulk: bool) -> None:
    stage = Stage(wrong_count=0 if by_bulk else 1)
    before = stage.read(stage.feed(), pieces=3 if by_bulk else 9)
    stage.interfere = lambda _asked: httpx2.Response(401)
    with pytest.raises(TokenRefused):
        stage.read(stage.feed())
    stage.interfere = lambda _asked: None
    rest = stage.read(stage.feed())
    assert {piece.raw for piece in rest} == {by_bulk}
    wanted = [piece for piece in [*before, *rest] if piece.raw is by_bulk]
    assert sorted(ids_in(wanted)) == stage.ids
