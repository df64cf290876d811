"""A REST system on a wire that answers as it is told: what is odd, late, endless or lost."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest

from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    FieldPatch,
    Outcome,
    Rejected,
    RetryAfter,
    State,
    Wanted,
)
from onewriter.connectors.rest import RestRecipe, RestSystem
from onewriter.errors import SystemChanged, SystemRefused, SystemUnreachable
from onewriter.records import SECOND, parse_instant

NOW = parse_instant("2026-03-02T12:00:00+00:00")
BASE: Mapping[str, Any] = {
    "name": "small",
    "title": "Small",
    "proof": "example",
    "record": {"id": "id", "changed": ["at"], "version": "version"},
    "fields": [{"name": "name"}, {"name": "note"}],
    "read": {"path": "people", "rows": "people", "query": {"page": "{page}"}},
    "delta": {"path": "people", "rows": "people", "query": {"since": "{since}"}, "since": "unix_s"},
    "by_id": {"path": "people/{id}"},
    "update": {"path": "people/{id}", "answer": "", "version_header": "If-Match"},
    "create": {"path": "people", "method": "POST", "answer": ""},
}
BATCH: Mapping[str, Any] = {
    "method": "POST",
    "path": "batch",
    "batch": 100,
    "answer": "results",
    "items": "inputs",
    "item": {"id": "{id}"},
}
Handler = Callable[[httpx2.Request], httpx2.Response]


def system(handler: Handler, *names: str, overlap_s: int = 120, **parts: Any) -> RestSystem:
    """A system of the small recipe, with other parts, on a handler."""
    kind = RestRecipe(clock=lambda: NOW, sleep=lambda _s: None, transport=httpx2.MockTransport(handler))
    fields = names or ("name",)
    configuration = {
        "recipe": {**BASE, **parts},
        "base_url": "https://crm.example.com/v1",
        "secret": "abc",
        "overlap_s": overlap_s,
    }
    return kind.open(configuration, Wanted(fields, fields))


def person(number: int, **more: Any) -> dict[str, Any]:
    """A row."""
    return {"id": number, "name": f"Ann {number}", "at": 1_000_000_000 + number, "version": 1, **more}


def pages(*given: Any) -> tuple[Handler, list[httpx2.Request]]:
    """A handler that answers these documents in turn and the last for ever, and what it was asked."""
    left, asked = list(given), list[httpx2.Request]()

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    return handler, asked


def ids(opened: RestSystem, state: State | None = None) -> list[str]:
    """The ids that a reading brings."""
    *records, _ = opened.read(state)
    return [record.id for record in records if not isinstance(record, State)]


NEXT = {"path": "people", "rows": "people", "paging": {"kind": "next", "at": "next", "size": 1}}


@pytest.mark.parametrize("address", ["https://crm.example.com/v1/people?page=2", "/v1/people?page=2"])
def test_the_next_page_may_be_a_whole_address_or_one_on_the_host(address: str) -> None:
    handler, asked = pages({"people": [person(1)], "next": address}, {"people": [person(2)], "next": None})
    assert ids(system(handler, read=NEXT)) == ["1", "2"]
    assert str(asked[1].url) == "https://crm.example.com/v1/people?page=2"


@pytest.mark.parametrize("kind", ["next", "token"])
def test_pages_that_turn_in_a_circle_are_an_outage_and_no_end(kind: str) -> None:
    read = {**NEXT, "paging": {"kind": kind, "at": "next", "size": 1}}
    handler, asked = pages({"people": [person(1)], "next": "/v1/people?page=2"})
    with pytest.raises(SystemUnreachable, match="nowhere new"):
        ids(system(handler, read=read))
    assert len(asked) == 2


def test_a_next_page_on_another_host_is_refused() -> None:
    handler, asked = pages({"people": [person(1)], "next": "https://crm.example.com.evil.net/people"})
    with pytest.raises(SystemRefused, match="another host"):
        ids(system(handler, read=NEXT))
    assert len(asked) == 1


def test_a_keyset_goes_on_behind_the_last_id() -> None:
    read = {"path": "people", "rows": "people", "query": {"after": "{after}"}, "paging": {"kind": "keyset", "size": 2}}
    handler, asked = pages({"people": [person(3), person(8)]}, {"people": [person(9)]}, {"people": []})
    assert ids(system(handler, read=read)) == ["3", "8", "9"]
    assert [request.url.params["after"] for request in asked] == ["0", "8", "9"]


def counted(kind: str) -> dict[str, Any]:
    """A reading whose pages are counted, ten to each as it is asked."""
    query = {"page": "{page}", "offset": "{offset}", "after": "{after}", "limit": "{limit}"}
    return {"path": "people", "rows": "people", "query": query, "paging": {"kind": kind, "size": 10}}


@pytest.mark.parametrize("kind", ["offset", "page", "keyset"])
def test_a_page_that_is_shorter_than_asked_for_is_no_end(kind: str) -> None:
    """A system may give four where ten were asked for, or leave some of them out."""
    rows = [person(number) for number in range(1, 10)]

    def capped(request: httpx2.Request) -> httpx2.Response:
        asked = {name: int(value) for name, value in request.url.params.items()}
        first = {"offset": asked["offset"], "page": 4 * (asked["page"] - 1), "keyset": asked["after"]}[kind]
        return httpx2.Response(200, json={"people": rows[first : first + 4]})

    assert ids(system(capped, read=counted(kind))) == [str(row["id"]) for row in rows]


@pytest.mark.parametrize("kind", ["offset", "page", "keyset"])
def test_a_system_that_gives_the_same_page_for_ever_is_an_outage_and_no_end(kind: str) -> None:
    handler, asked = pages({"people": [person(number) for number in range(1, 11)]})
    with pytest.raises(SystemUnreachable, match="nowhere new"):
        ids(system(handler, read=counted(kind)))
    assert len(asked) == 2


@pytest.mark.parametrize("answer", [{"people": None}, {"contacts": []}, {}, [], "x"])
def test_an_answer_without_a_list_is_never_an_empty_system(answer: Any) -> None:
    with pytest.raises(SystemChanged, match="no list"):
        ids(system(pages(answer)[0]))


def test_an_answer_that_is_a_page_of_a_proxy_is_an_outage() -> None:
    with pytest.raises(SystemUnreachable):
        ids(system(pages(httpx2.Response(200, content=b"<html>Sign in</html>"))[0]))


def test_a_reading_that_breaks_off_raises_and_tells_no_state() -> None:
    read = {**NEXT, "paging": {"kind": "next", "at": "next"}}
    handler, _ = pages({"people": [person(1)], "next": "/v1/people?page=2"}, httpx2.Response(502))
    seen: list[object] = []
    with pytest.raises(SystemUnreachable):
        seen.extend(system(handler, read=read).read(None))
    assert len(seen) == 1
    assert not any(isinstance(item, State) for item in seen)


def test_the_cursor_steps_back_and_never_beyond_the_beginning_of_the_reading() -> None:
    late = person(1, at=NOW // SECOND + 3600)
    handler, asked = pages({"people": [person(1)]}, {"people": [late]}, {"people": []})
    opened = system(handler, overlap_s=10)
    *_, first = opened.read(None)
    assert isinstance(first, State)
    *_, second = opened.read(first)
    assert asked[1].url.params["since"] == str(1_000_000_001 - 11)
    assert isinstance(second, State)
    assert second.value == {"since": NOW}, "what changed while we read may have been passed already"
    *_, third = opened.read(second)
    assert third == second, "a quiet reading does not move the cursor back"


def test_a_field_that_the_recipe_does_not_know_stops_the_reading_before_it_begins() -> None:
    handler, asked = pages({"people": []})
    opened = system(handler, "name", "nobody")
    for reading in (opened.read(None), opened.read_keys(["1"])):
        with pytest.raises(SystemChanged, match="nobody"):
            list(reading)
    assert asked == []
    assert [problem.field for problem in opened.check()] == ["nobody"]


def test_who_is_not_there_is_left_out() -> None:
    handler, _ = pages(httpx2.Response(404), person(2))
    assert [record.id for record in system(handler).read_keys(["1", "2"])] == ["2"]


GATEWAY = b"<html>404 Not Found</html>"
BY_NAME = {"name": {"path": "people", "query": {"name": "{value}"}, "rows": "people"}}


def test_a_404_of_a_gateway_is_an_outage_and_nobody_is_gone() -> None:
    opened = system(pages(httpx2.Response(404, content=GATEWAY))[0], by=BY_NAME)
    for keys in (opened.read_keys(["1"]), opened.read_keys(["Ann"], by="name")):
        with pytest.raises(SystemUnreachable):
            list(keys)
    for key in ("1", None):
        with pytest.raises(SystemUnreachable):
            opened.write([patch(key)])


def test_a_search_that_is_not_there_has_not_found_nobody() -> None:
    opened = system(pages(httpx2.Response(404, json={"error": "x"}))[0], by=BY_NAME)
    with pytest.raises(SystemRefused, match="check the recipe"):
        list(opened.read_keys(["Ann"], by="name"))
    assert list(opened.read_keys(["1"])) == []


def test_a_404_where_no_record_is_named_tells_that_of_none() -> None:
    opened = system(pages(httpx2.Response(404, json={}))[0], update=BATCH)
    for patches in ([patch(None)], [patch()], [patch(), patch("2")]):
        with pytest.raises(SystemRefused, match="check the recipe"):
            opened.write(patches)


def test_a_404_of_a_batch_with_the_code_of_a_missing_record_is_of_each_alone() -> None:
    gone = httpx2.Response(404, json={"code": "NOT_THERE"})
    handler, _ = pages(gone, {"results": [person(1)]}, gone)
    opened = system(handler, update={**BATCH, "gone": "NOT_THERE"}, errors={"code": "code"})
    first, second = opened.write([patch(), patch("2")])
    assert isinstance(first, Applied)
    assert second == Conflict("2", gone=True)


# ---- Writing --------------------------------------------------------------------------------------------------------


def patch(key: str | None = "1", **more: Any) -> FieldPatch:
    """A patch of a name."""
    return FieldPatch(key=key, set={"name": "Anna"}, **more)


@pytest.mark.parametrize(
    ("status", "version", "outcome"),
    [
        (400, None, Rejected("name", "the system does not take the value")),
        (403, None, Rejected(None, "the credentials do not have the right to write it")),
        (404, None, Conflict("1", gone=True)),
        (410, None, Conflict("1", gone=True)),
        (409, None, Rejected("name", "another record has that value already")),
        (409, "1", Conflict("1")),
        (412, "1", Conflict("1")),
        (408, None, Ambiguous("the system failed after the request was out")),
        (413, None, Rejected(None, "the value is too long")),
        (429, None, RetryAfter(5.0)),
        (500, None, Ambiguous("the system failed after the request was out")),
        (503, None, Ambiguous("the system failed after the request was out")),
    ],
)
def test_each_status_of_a_write_is_an_outcome(status: int, version: str | None, outcome: object) -> None:
    handler, asked = pages(httpx2.Response(status))
    assert system(handler).write([patch(if_version=version)]) == [outcome]
    assert len(asked) == 1, "a write is sent once"
    assert asked[0].headers.get("If-Match") == version


def test_a_lost_answer_is_ambiguous_and_what_never_left_is_for_later() -> None:
    def failing(error: Exception) -> Handler:
        def handler(_request: httpx2.Request) -> httpx2.Response:
            raise error

        return handler

    (lost,) = system(failing(httpx2.ReadTimeout("x"))).write([patch()])
    assert isinstance(lost, Ambiguous)
    (unsent,) = system(failing(httpx2.ConnectError("x"))).write([patch()])
    assert isinstance(unsent, RetryAfter)


def test_wrong_credentials_are_raised_unless_something_was_written_before() -> None:
    with pytest.raises(SystemRefused, match="credentials"):
        system(pages(httpx2.Response(401))[0]).write([patch(), patch("2")])
    handler, _ = pages(person(1, name="Anna"), httpx2.Response(401))
    first, second = system(handler).write([patch(), patch("2")])
    assert first == Applied("1", "1", {"name": "Anna"})
    assert second == RetryAfter(30.0), "it is no fault of the item, which must not be parked for it"


@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        (httpx2.Response(401), RetryAfter(30.0)),
        (httpx2.Response(429, headers={"Retry-After": "7"}), RetryAfter(7.0)),
        (httpx2.Response(404, content=b"<html>"), RetryAfter(30.0)),
        (httpx2.Response(504), Ambiguous("the connection was lost after the request was out")),
    ],
)
def test_what_was_written_before_the_system_turned_away_is_told(last: httpx2.Response, outcome: Outcome) -> None:
    """A refused batch is sent one by one; the third is not sent at all, and the second only once."""
    handler, asked = pages(httpx2.Response(400), {"results": [person(1)]}, last)
    first, second, third = system(handler, update=BATCH).write([patch(), patch("2"), patch("3")])
    assert first == Applied("1", "1", {"name": "Ann 1"})
    assert second == outcome
    assert isinstance(third, RetryAfter)
    assert len(asked) == 3


def test_a_system_that_hangs_is_asked_once() -> None:
    asked: list[httpx2.Request] = []

    def hang(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise httpx2.ReadTimeout("x")

    first, *others = system(hang).write([patch(str(number)) for number in range(50)])
    assert isinstance(first, Ambiguous)
    assert others == [RetryAfter(30.0)] * 49
    assert len(asked) == 1


def test_a_value_that_no_request_can_hold_is_the_refusal_of_that_one() -> None:
    handler, _ = pages({"results": [person(1)]})
    bad = FieldPatch(key="2", set={"name": "\ud800"})
    assert [type(each) for each in system(handler, update=BATCH).write([patch(), bad])] == [Applied, Rejected]


def test_an_answer_that_does_not_tell_all_is_read_back() -> None:
    handler, _ = pages({"id": 1, "version": 2})
    assert system(handler).write([patch()]) == [Applied("1", "2", None)]
    (unread,) = system(pages(httpx2.Response(200, content=b"<html>"))[0]).write([patch()])
    assert isinstance(unread, Ambiguous)
    (unknown,) = system(pages({"done": True})[0]).write([patch(None)])
    assert isinstance(unknown, Ambiguous), "a new record without an id is looked up"
    for answer in ({"error": {"message": "denied"}}, person(77, name="Anna")):
        (untold,) = system(pages(answer)[0]).write([patch()])
        assert isinstance(untold, Ambiguous), "the record of the answer is not the one that was written"
    signed_out = pages(httpx2.Response(200, content=b"<html>Sign in</html>"))[0]
    (unread,) = system(signed_out, update={"path": "people/{id}"}).write([patch()])
    assert isinstance(unread, Ambiguous), "where no answer is looked at, it must still be the system's"


def test_a_new_record_is_not_told_what_it_has_not() -> None:
    handler, asked = pages(person(5))
    system(handler, "name", "note").write([FieldPatch(key=None, set={"name": "Ann", "note": None}, clear=())])
    assert json.loads(asked[0].content) == {"name": "Ann"}


def test_an_id_leads_to_no_other_address() -> None:
    handler, asked = pages(person(1))
    system(handler).write([patch("../../admin?x=#")])
    assert asked[0].url.raw_path == b"/v1/people/..%2F..%2Fadmin%3Fx%3D%23"


def test_where_nothing_can_be_made_a_new_record_is_refused() -> None:
    opened = system(pages({})[0], create=None)
    assert opened.write([patch(None)]) == [Rejected(None, "the recipe makes no new records")]
    assert opened.discover().capabilities.creates is False
