"""The kind `odoo` against a fake that answers as a real Odoo 19 was seen to; `make test-odoo` has the real one."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from onewriter.connectors import conformance
from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    Connector,
    FieldPatch,
    Outcome,
    Record,
    Rejected,
    RetryAfter,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.kinds import kind_named
from onewriter.connectors.odoo import DOUBTFUL, OVERLAP, UNTOLD, Odoo
from onewriter.errors import BadSetting, SystemChanged, SystemRefused, SystemThrottled, SystemUnreachable
from onewriter.records import SECOND, parse_instant
from onewriter.rules import policy_toml
from tests.support.odoo_fake import KEY, FakeBench, FakeOdoo

pytestmark = pytest.mark.contract

NAMES = ("name", "email", "phone", "active", "color", "credit_limit", "birthday", "seen_at", "type", "country_id")


@pytest.fixture
def odoo() -> FakeOdoo:
    return FakeOdoo()


def configured(**more: Any) -> dict[str, Any]:
    return {"url": "https://odoo.example.com", "database": "shop", "login": "admin", "key": KEY} | more


def kind(odoo: FakeOdoo) -> Odoo:
    """The kind, on that Odoo, by its clock."""
    return Odoo(transport=odoo, clock=lambda: round(odoo.now * SECOND), sleep=lambda _seconds: None)


def opened(odoo: FakeOdoo, *names: str, **more: Any) -> Connector:
    return kind(odoo).open(configured(**more), Wanted(names or NAMES, names or NAMES))


def one(connector: Connector, key: str | None, *, clear: Sequence[str] = (), **given: Any) -> Outcome:
    return connector.write([FieldPatch(key=key, set=given, clear=tuple(clear))])[0]


def sent(odoo: FakeOdoo, method: str) -> list[Any]:
    """The bodies of the calls of a method by JSON-2."""
    return [body for path, body in odoo.seen if path.endswith(f"/{method}")]


@pytest.mark.parametrize(("version", "protocol"), [(19, "auto"), (19, "json2"), (18, "auto"), (19, "jsonrpc")])
def test_every_check_passes_on_the_fake(version: int, protocol: str) -> None:
    odoo, given = FakeOdoo(version), configured(protocol=protocol)
    # Our own clock stands still, so that the suite can put Odoo's off.
    still = round(odoo.now * SECOND)
    here = Odoo(transport=odoo, clock=lambda: still, sleep=lambda _seconds: None)
    found = list(conformance.run(here, given, FakeBench(odoo, given)))
    assert {each.name: each.detail for each in found if each.verdict == "failed"} == {}
    idle = {each.name for each in found if each.verdict == "not applicable"}
    assert len(found) - len(idle) >= 40, idle


# ---- Getting in -----------------------------------------------------------------------------------------------------


def test_it_is_one_of_our_kinds() -> None:
    spec = kind_named("odoo").spec()
    assert [name for name, each in spec["properties"].items() if each.get("writeOnly")] == ["key"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "http://odoo.example.com"}, "must begin with https://"),
        ({"key": ""}, "empty or has signs"),
        ({"database": "a\nb"}, "signs that no header can hold"),
        ({"protocol": "jsonrpc", "login": ""}, "needs the name of the database and the login"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_when_it_is_opened(odoo: FakeOdoo, given: Any, words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        opened(odoo, **given)
    assert odoo.seen == []


def test_the_database_goes_in_a_header_and_the_key_in_none_but_its_own(odoo: FakeOdoo) -> None:
    seen: list[httpx2.Request] = []

    class Looking(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            seen.append(request)
            return odoo.handle_request(request)

    Odoo(transport=Looking()).open(configured(), Wanted(("name",))).check()
    assert {request.headers["x-odoo-database"] for request in seen} == {"shop"}
    assert {request.headers["authorization"] for request in seen} == {f"Bearer {KEY}"}
    assert not any(KEY in str(request.url) for request in seen)


def test_an_older_odoo_needs_a_login(odoo: FakeOdoo) -> None:
    odoo.version = 17
    with pytest.raises(SystemRefused, match="older than version 19"):
        opened(odoo, login="").discover()
    assert opened(odoo).discover().field_named("email") is not None
    assert {path for path, _body in odoo.seen if path.startswith("/json")} == {"/jsonrpc"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"key": "wrong-key-0123"}, "credentials"),
        ({"model": "res.nobody"}, "settings"),
    ],
)
def test_what_keeps_everything_from_working_is_one_problem(odoo: FakeOdoo, given: Any, problem: str) -> None:
    for protocol in ("json2", "jsonrpc"):
        assert [each.kind for each in opened(odoo, protocol=protocol, **given).check()] == [problem]


def test_a_field_that_cannot_be_mapped_is_a_problem_of_its_own(odoo: FakeOdoo) -> None:
    found = opened(odoo, "name", "comment", "category_id", "display_name").check()
    assert [(each.kind, each.field) for each in found] == [
        *(("field", "comment"), ("field", "category_id"), ("field", "display_name"))
    ]


# ---- Values ---------------------------------------------------------------------------------------------------------


def test_what_odoo_writes_has_our_form(odoo: FakeOdoo) -> None:
    key = str(
        odoo.make({"name": "Ann", "country_id": [75, "France"], "seen_at": "2026-03-02 10:00:00", "active": False})
    )
    [record] = opened(odoo).read_keys([key, "nobody", "999"])
    assert record.fields == {
        "name": "Ann",
        "email": None,
        "phone": None,
        "active": False,
        "color": 0,
        "credit_limit": 0,
        "birthday": None,
        "seen_at": "2026-03-02T10:00:00Z",
        "type": "contact",
        "country_id": 75,
    }
    assert record.changed == parse_instant(odoo.rows[int(key)]["write_date"].replace(" ", "T") + "+00:00")


def test_what_we_write_has_odoos_form(odoo: FakeOdoo) -> None:
    key = str(odoo.make({"name": "Ann", "email": "a@example.org", "birthday": "1990-01-31"}))
    given: dict[str, Any] = {
        "seen_at": "2026-03-02T11:00:00+01:00",
        "country_id": 75,
        "credit_limit": 2.5,
        "active": False,
    }
    assert one(opened(odoo), key, clear=["email", "birthday"], **given) == Applied(key)
    [body] = sent(odoo, "write")
    assert body["vals"] == {
        "seen_at": "2026-03-02 10:00:00",
        "country_id": 75,
        "credit_limit": 2.5,
        "active": False,
        "email": False,
        "birthday": False,
    }
    assert one(opened(odoo), key, **given) == Unchanged(key)
    assert opened(odoo).write([FieldPatch(key=key, set=given, again=True)]) == [Applied(key)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"phone": 123}, "not a text"),
        ({"phone": "a\0b"}, "a sign that Odoo cannot hold (NUL)"),
        ({"type": "invoice"}, "not one of the words that Odoo takes there"),
        ({"color": "12"}, "not a whole number"),
        ({"color": True}, "not a whole number"),
        ({"color": 2**31}, "a number beyond what Odoo holds"),
        ({"credit_limit": "12"}, "not a number"),
        ({"active": "yes"}, "not a truth value"),
        ({"birthday": "31.01.1990"}, "not a date"),
        ({"seen_at": "2026-03-02T10:00:00"}, "not a time"),
        ({"color": None}, "it cannot be empty in Odoo"),
        ({"comment": "<p>x</p>"}, "Odoo lets nobody write it"),
        ({"nickname": "x"}, "Odoo has no such field"),
    ],
)
def test_what_odoo_would_make_something_else_of_is_refused_before_it_is_sent(
    odoo: FakeOdoo, given: dict[str, Any], reason: str
) -> None:
    key = str(odoo.make({"name": "Ann"}))
    assert one(opened(odoo), key, email="a@example.org", **given) == Rejected(next(iter(given)), reason)
    assert sent(odoo, "write") == []


# ---- Refusals and faults --------------------------------------------------------------------------------------------


def told(name: str, message: str = "kanarie") -> Any:
    """What Odoo tells of an exception of its own."""
    return {"name": name, "message": message, "arguments": [message], "debug": "Traceback kanarie"}


BY_RULE = Rejected("email", "a rule of Odoo's does not allow it")


def answering(odoo: FakeOdoo, *answers: httpx2.Response) -> None:
    """Answer the writes with these, the last again and again."""
    left = list(answers)

    def play(path: str, body: bytes) -> httpx2.Response | None:
        if not path.endswith(("/write", "/create")):
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    odoo.instead = play


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (404, told("odoo.exceptions.MissingError"), Conflict("1", gone=True)),
        (422, told("odoo.exceptions.ValidationError"), Rejected("email", "a rule of Odoo's does not allow it")),
        (500, told("builtins.KeyError", "email"), Rejected("email", "Odoo has no such field")),
        (500, told("builtins.ValueError", "Wrong value for res.partner.email: 'kanarie'"), BY_RULE),
        (500, told("psycopg2.errors.UniqueViolation"), BY_RULE),
        (500, told("psycopg2.errors.SerializationFailure"), RetryAfter(5.0)),
        (500, told("psycopg2.OperationalError"), Ambiguous(DOUBTFUL)),
        (500, told("builtins.ConnectionRefusedError"), Ambiguous(DOUBTFUL)),
        (200, False, Ambiguous(UNTOLD)),
        (500, "<html>kanarie</html>", Ambiguous("The system could not answer (500); it is safe to try again later.")),
        (502, None, Ambiguous("The system could not answer (502); it is safe to try again later.")),
    ],
)
def test_what_odoo_says_to_a_write_has_its_outcome(odoo: FakeOdoo, status: int, body: Any, outcome: Outcome) -> None:
    key = str(odoo.make({"name": "Ann"}))
    answering(odoo, httpx2.Response(status, json=body))
    assert one(opened(odoo), key, email="a@example.org") == outcome
    assert len(sent(odoo, "write")) == 1, "a write is sent once"


def test_a_right_that_is_missing_is_the_refusal_of_each(odoo: FakeOdoo) -> None:
    keys = [str(odoo.make({"name": "Ann"})) for _ in range(2)]
    answering(odoo, httpx2.Response(403, json=told("odoo.exceptions.AccessError")))
    outcomes = opened(odoo).write([FieldPatch(key=key, set={"color": 4}) for key in keys])
    assert [(type(each), getattr(each, "field", "")) for each in outcomes] == [(Rejected, None)] * 2


def test_what_concerns_all_is_raised_before_anything_was_written_and_waits_afterwards(odoo: FakeOdoo) -> None:
    keys = [str(odoo.make({"name": "Ann"})) for _ in range(3)]
    patches = [FieldPatch(key=key, set={"color": 4}) for key in keys]
    busy = httpx2.Response(429, headers={"Retry-After": "120"})
    answering(odoo, busy)
    with pytest.raises(SystemThrottled):
        opened(odoo).write(patches)
    answering(odoo, httpx2.Response(200, json=True), busy)
    assert opened(odoo).write(patches) == [Applied(keys[0]), RetryAfter(120.0), RetryAfter(120.0)]


@pytest.mark.parametrize("answer", [False, True, [], 0, [-1], [1, 2], "7", {}])
def test_a_create_without_an_id_is_ambiguous(odoo: FakeOdoo, answer: Any) -> None:
    answering(odoo, httpx2.Response(200, json=answer))
    assert one(opened(odoo), None, name="Ann") == Ambiguous(UNTOLD)


def test_what_fails_behind_the_commit_is_ambiguous_by_json_rpc_too(odoo: FakeOdoo) -> None:
    def fail(path: str, body: bytes) -> httpx2.Response | None:
        failed = {"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "data": told("builtins.ConnectionRefusedError")}}
        return httpx2.Response(200, json=failed) if b'"create"' in body else None

    odoo.instead = fail
    assert one(opened(odoo, protocol="jsonrpc"), None, name="Ann") == Ambiguous(DOUBTFUL)


def test_the_second_patch_of_a_record_is_not_compared_with_what_the_first_one_changed(odoo: FakeOdoo) -> None:
    key = str(odoo.make({"name": "Ann"}))
    patches = [FieldPatch(key=key, set={"name": "Bea"}), FieldPatch(key=key, set={"name": "Ann"})]
    assert opened(odoo).write(patches) == [Applied(key), Applied(key)]
    assert odoo.rows[int(key)]["name"] == "Ann"


def test_a_system_that_hangs_is_asked_once(odoo: FakeOdoo) -> None:
    keys = [str(odoo.make({"name": "Ann"})) for _ in range(5)]

    def hang(path: str, body: bytes) -> None:
        if path.endswith("/write"):
            raise httpx2.ReadTimeout("kanarie")

    odoo.afterwards = hang
    outcomes = opened(odoo).write([FieldPatch(key=key, set={"color": 4}) for key in keys])
    assert [type(each) for each in outcomes] == [Ambiguous, *[RetryAfter] * 4]
    assert len(sent(odoo, "write")) == 1


def test_a_value_that_no_request_can_hold_is_the_refusal_of_that_one(odoo: FakeOdoo) -> None:
    keys = [str(odoo.make({"name": "Ann"})) for _ in range(2)]
    patches = [FieldPatch(key=key, set={"name": name}) for key, name in zip(keys, ("\ud800", "Bea"), strict=True)]
    assert [type(each) for each in opened(odoo).write(patches)] == [Rejected, Applied]


def test_a_lost_create_is_ambiguous_and_found_by_what_it_is_looked_up_by(odoo: FakeOdoo) -> None:
    def lose(path: str, body: bytes) -> None:
        if path.endswith("/create"):
            raise httpx2.ReadError("kanarie")

    odoo.afterwards = lose
    connector = opened(odoo)
    assert isinstance(one(connector, None, name="Ann", email="a@example.org"), Ambiguous)
    assert [each.fields["name"] for each in connector.read_keys(["a@example.org"], by="email")] == ["Ann"]
    with pytest.raises(SystemChanged, match="color"):
        list(connector.read_keys(["4"], by="color"))


# ---- Reading --------------------------------------------------------------------------------------------------------


def records(connector: Connector, state: State | None = None) -> tuple[list[str], State]:
    *found, end = connector.read(state)
    assert isinstance(end, State)
    return [each.id for each in found if isinstance(each, Record)], end


def test_a_cursor_steps_back_by_its_window(odoo: FakeOdoo) -> None:
    connector = opened(odoo)
    early = str(odoo.make({"name": "Ann"}))
    odoo.now += 700
    late = str(odoo.make({"name": "Bob"}))
    assert records(connector)[0] == [early, late]
    _all, state = records(connector)
    assert parse_instant(f"{state.value['since'].replace(' ', 'T')}+00:00") <= round(odoo.now * SECOND) - OVERLAP
    assert records(connector, state)[0] == [late]


def test_many_records_come_in_pages(odoo: FakeOdoo) -> None:
    made = [str(odoo.make({"name": f"n{number}"})) for number in range(1001)]
    assert records(opened(odoo, "name"))[0] == made
    assert len(sent(odoo, "search_read")) == 4, "only an empty page is the end"


def test_a_page_that_is_shorter_than_asked_for_is_no_end(odoo: FakeOdoo, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = odoo._searched
    monkeypatch.setattr(odoo, "_searched", lambda given: whole(given | {"limit": min(given["limit"], 2)}))
    made = [str(odoo.make({"name": f"n{number}", "ref": "r"})) for number in range(5)]
    connector = opened(odoo, "name", "ref")
    assert records(connector)[0] == made
    assert [each.id for each in connector.read_keys([*made, "99"])] == made
    assert [each.id for each in connector.read_keys(["r"], by="ref")] == made
    assert connector.write([FieldPatch(key=key, set={"name": "B"}) for key in made]) == [Applied(key) for key in made]


def test_a_reading_survives_short_outages_and_no_long_ones(odoo: FakeOdoo) -> None:
    made = str(odoo.make({"name": "Ann"}))
    answers: Iterator[httpx2.Response | None] = iter([httpx2.Response(502), httpx2.Response(503), None, None, None])
    odoo.instead = lambda path, body: next(answers)
    assert records(opened(odoo, "name", protocol="json2"))[0] == [made]
    odoo.instead = lambda path, body: httpx2.Response(502)
    with pytest.raises(SystemUnreachable):
        records(opened(odoo, "name", protocol="json2"))


def test_only_the_wanted_fields_are_asked_for(odoo: FakeOdoo) -> None:
    odoo.make({"name": "Ann"})
    records(opened(odoo, "email", only=[["active", "=", True]]))
    body, _ = sent(odoo, "search_read")
    assert body["fields"] == ["email", "write_date", "create_date"]
    assert body["domain"] == [["active", "=", True], ["id", ">", 0]]
    assert body["context"] == {"active_test": False}


# ---- The page -------------------------------------------------------------------------------------------------------


def test_the_example_of_the_page_works(odoo: FakeOdoo) -> None:
    odoo.types["x_points"] = odoo.types["phone"]
    page = (Path(__file__).resolve().parents[2] / "docs" / "systems" / "odoo.md").read_text(encoding="utf-8")
    [written] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    [policy_text] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    given = json.loads(written)
    assert set(given) <= set(kind(odoo).spec()["properties"])
    mapped = policy_toml.parse(policy_text).maps("odoo")
    names = tuple(each.remote for each in mapped.values())
    odoo.types["is_company"] = odoo.types["active"]
    assert kind(odoo).open(given | {"key": KEY}, Wanted(names, names)).check() == []
