"""Customers by pages: nobody is lost at an edge, in a crash, or by changing meanwhile."""

import json
from typing import Any

import httpx2
import pytest

from onewriter.errors import NotUnderstood, ShopifyRefused
from onewriter.records import SECOND, Change, iso
from onewriter.shopify import queries
from tests.support.feeding import Asked, Stage, changes_in, ids_in
from tests.support.rehearsal import data, error

# ---- Pages ----------------------------------------------------------------------------------------------------------


def paged(customers: int = 40, **faults: Any) -> Stage:
    """A shop that is read by pages."""
    stage = Stage(customers, **faults)
    stage.keep({"source": "pages", "note": "Because."})
    return stage


def crowd(stage: Stage, many: int) -> None:
    """So many customers who were all changed in one second."""
    for number in range(many):
        stage.shop.create(email=f"{stage.now}.{number}@example.com")
    stage.sleep(1)


def refuse_kept_cursors(stage: Stage) -> None:
    """Let Shopify no longer take the cursor that was kept; those that it gives out from now on are good."""
    old = len(stage.asked(queries.PAGE))

    def refuse(asked: Asked) -> httpx2.Response | None:
        first = len(stage.asked(queries.PAGE)) == old + 1 and asked["query"] == queries.PAGE
        return data(customers=None, errors=[error("BAD_REQUEST")]) if first and asked["variables"]["after"] else None

    stage.interfere = refuse


@pytest.mark.req("K8")
@pytest.mark.parametrize("at_once", [1, 3, 4, 7])
def test_no_customer_of_a_second_is_lost_at_the_edge_of_a_page(at_once: int) -> None:
    stage = paged(0)
    for _ in range(6):
        crowd(stage, 5)
    read: list[int] = []
    for _ in range(60):
        refuse_kept_cursors(stage)
        taken = stage.read(stage.feed(), at_once, pieces=10 // at_once + 2)
        read += ids_in(taken)
        if "over" in stage.kept:
            break
    assert "over" in stage.kept
    assert sorted(set(read)) == stage.ids


def test_a_second_with_more_customers_than_fit_in_a_page_is_read_on_after_a_crash() -> None:
    stage = paged(0)
    second = iso(stage.now)
    crowd(stage, 30)
    first = stage.feed()
    before = stage.read(first, pieces=2)
    stage.sleep(60)
    refuse_kept_cursors(stage)
    feed = stage.feed()
    rest = stage.read(feed)
    assert (sorted(set(ids_in(before))), sorted(ids_in(rest))) == (stage.ids[:14], stage.ids)
    assert {asked["search"] for asked in stage.asked(queries.PAGE)[3:]} == {f"updated_at:>='{second}'"}
    assert feed.began == first.began == before[0].began < rest[0].began


def test_cursors_that_are_never_taken_do_not_go_round_in_circles() -> None:
    stage = paged(0)
    crowd(stage, 30)
    stage.interfere = lambda asked: (
        data(customers=None, errors=[error("BAD_REQUEST")]) if asked["variables"].get("after") else None
    )
    with pytest.raises(ShopifyRefused):
        stage.read(stage.feed())


def test_a_page_that_does_not_say_where_the_next_begins_is_refused() -> None:
    stage = paged()
    nowhere = data(customers={"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}})
    stage.interfere = lambda asked: nowhere if asked["query"] == queries.PAGE else None
    with pytest.raises(ShopifyRefused, match="where they begin"):
        stage.read(stage.feed())


@pytest.mark.req("K8", "K16")
def test_customers_that_change_meanwhile_come_again_and_nobody_is_lost() -> None:
    stage = paged()
    read: list[Change] = []
    for number, piece in enumerate(stage.feed().pieces(lambda: 7)):
        read += changes_in([piece])
        if number < 3:
            stage.sleep(5)
            stage.shop.update(read[0].record_id, note=f"changed {number}")
            stage.shop.update(stage.ids[-1 - number], note=f"changed {number}")
    assert sorted({change.record_id for change in read}) == stage.ids
    last = {change.record_id: change.fields["note"] for change in read}
    assert last == {number: customer.note for number, customer in stage.shop.customers.items()}


def test_the_end_keeps_no_cursor() -> None:
    stage = paged()
    stage.read(stage.feed(), pieces=2)
    assert {"after", "newest"} <= stage.kept.keys()
    stage.read(stage.feed())
    assert stage.kept.keys() == {"source", "note", "began", "lines", "unread", "over"}


@pytest.mark.req("K16")
def test_only_what_was_changed_at_that_second_or_later() -> None:
    stage = Stage()
    stage.sleep(3600)
    since = stage.now
    wanted = stage.ids[::4]
    for number in wanted:
        stage.shop.update(number, note="changed")
    feed = stage.feed(since=since + SECOND - 1)
    assert sorted(ids_in(stage.read(feed, 3))) == wanted
    assert (feed.complete, feed.note, feed.by_pages, feed.total) == (False, None, True, None)
    assert stage.operations == []
    stage.keep({})
    assert stage.read(stage.feed(since=since + SECOND)) == []


@pytest.mark.req("K16")
def test_what_changed_lately_is_read_on_after_a_crash() -> None:
    stage = paged(0)
    crowd(stage, 5)
    stage.kept, since = {}, stage.now
    crowd(stage, 5)
    crowd(stage, 5)
    before = stage.read(stage.feed(since), 3, pieces=1)
    refuse_kept_cursors(stage)
    rest = stage.read(stage.feed(since), 3)
    assert sorted({*ids_in(before), *ids_in(rest)}) == stage.ids[5:]


def test_a_page_that_costs_too_much_is_halved_and_the_size_is_remembered() -> None:
    stage = paged(60, cost_query_limit=100)
    assert sorted(ids_in(stage.read(stage.feed(), 500))) == stage.ids
    sizes = [asked["first"] for asked in stage.asked(queries.PAGE)]
    assert sizes[:2] == [250, 125]
    assert sizes[-2] == sizes[-1] == stage.client.at_once["Customer"]


def test_an_error_beside_a_customer_denies_that_one_only_and_a_refusal_denies_all() -> None:
    stage = paged(4)
    one, two, three, four = stage.client.query(queries.PAGE, {"first": 4}).part("customers")["nodes"]
    errors = [
        error("ACCESS_DENIED", "customers", "nodes", 0, "note"),
        error("INTERNAL_SERVER_ERROR", "customers", "nodes", 1, "firstName"),
        error("INTERNAL_SERVER_ERROR", "customers", "nodes", 2),
    ]
    info = {"hasNextPage": False, "endCursor": None}
    nodes = [one | {"note": None}, two | {"note": None, "firstName": None}, None, four | {"note": None}]
    page = data(customers={"nodes": nodes, "pageInfo": info}, errors=errors)
    stage.interfere = lambda asked: page if asked["query"] == queries.PAGE else None
    feed = stage.feed()
    pieces = stage.read(feed)
    denied = {change.record_id: change.denied for change in changes_in(pieces)}
    numbers = [int(node["id"].rpartition("/")[2]) for node in (one, two, three, four)]
    assert denied == {
        numbers[0]: frozenset({"note"}),
        numbers[1]: frozenset({"note", "first_name"}),
        numbers[3]: frozenset({"note"}),
    }
    assert feed.unread == 1
    assert "over" not in pieces[0].state, "a page of several pieces is behind us only with its last"
    assert "over" in pieces[-1].state


def test_customers_that_errors_hide_are_counted_on_every_page_and_move_no_time() -> None:
    stage = paged(4)
    nodes = stage.client.query(queries.PAGE, {"first": 4}).part("customers")["nodes"]
    hidden = error("INTERNAL_SERVER_ERROR", "customers", "nodes", 0)

    def page(nodes: list[Any], end: str | None) -> httpx2.Response:
        info = {"hasNextPage": end is not None, "endCursor": end}
        return data(customers={"nodes": nodes, "pageInfo": info}, errors=[hidden])

    refusal = data(customers=None, errors=[error("BAD_REQUEST")])
    answers = iter([page([None, *nodes[:2]], "one"), page([None], "two"), refusal, page([None, *nodes[2:]], None)])
    stage.interfere = lambda asked: next(answers)
    feed = stage.feed()
    feed.total = 4
    assert sorted(ids_in(stage.read(feed))) == stage.ids
    assert feed.unread == 3
    assert stage.asked(queries.PAGE)[-1]["search"] == f"updated_at:>='{nodes[1]['updatedAt']}'"


def test_half_a_character_is_one_customers_trouble() -> None:
    stage = paged(2)
    nodes = stage.client.query(queries.PAGE, {"first": 2}).part("customers")["nodes"]
    nodes[0]["note"] = "\ud800"
    body = {"data": {"customers": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}}
    broken = httpx2.Response(200, text=json.dumps(body))
    stage.interfere = lambda asked: broken if asked["query"] == queries.PAGE else None
    [piece] = stage.read(stage.feed())
    with pytest.raises(NotUnderstood):
        changes_in([piece])
    piece.lines.pop(0)
    assert ids_in([piece]) == [int(nodes[1]["id"].rpartition("/")[2])]
