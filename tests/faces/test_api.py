"""The API over HTTP: who may ask, how errors look, pages of lists, and writes that are sent twice."""

import json
from typing import Any

import httpx2
import pytest

from onewriter.customers import people, runs, tokens
from onewriter.customers.people import Role
from onewriter.records import DAY, Instant
from onewriter.web.app import create_app
from onewriter.web.limits import CALLS, STRANGERS
from onewriter.web.problems import PROBLEM
from tests.support.doors import serving_app
from tests.support.pages import Program
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, gone, told

pytestmark = ON_SQLITE

PEOPLE = {
    number: {"first_name": f"Ana{number}", "last_name": "Ruiz", "email": f"ana{number}@example.org"}
    for number in range(101, 113)
}


@pytest.fixture
def twelve(tea: Tea, now: Instant) -> Tea:
    """A shop of twelve customers, two of whom are gone."""
    tea.apply(*(told(number, now, fields) for number, fields in PEOPLE.items()), now=now)
    tea.apply(gone(103, now), gone(104, now + 1), now=now)
    return tea


# ---- Who may ask ----------------------------------------------------------------------------------------------------


def test_nobody_without_a_token_is_answered(program: Program) -> None:
    for secret in ("nothing", "ow_nobody_has_this"):
        refused = Program(program.runtime, program.url, secret).ask("GET", "/customers")
        assert (refused.status_code, refused.headers["content-type"]) == (401, PROBLEM)
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "onewriter tokens create" in refused.json()["detail"]


def test_a_token_ends_and_can_be_revoked(program: Program, tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        short = tokens.make(db, "short", Role.STAFF, "user:olga", now, 1)
    assert tokens.resume(tea.runtime.database, short, now + DAY - 1) is not None
    assert tokens.resume(tea.runtime.database, short, now + DAY) is None
    assert program.ask("GET", "/runs").status_code == 200
    with tea.runtime.database.write() as db:
        tokens.revoke(db, "till", now)
    assert program.ask("GET", "/runs").status_code == 401


def test_a_token_is_kept_as_a_hash_and_its_name_is_never_given_again(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        secret = tokens.make(db, "till", Role.VIEWER, "user:olga", now, None)
        assert secret.startswith("ow_")
        assert secret not in str(tokens.every(db))
    with tea.runtime.database.write() as db:
        tokens.revoke(db, "till", now)
        with pytest.raises(Exception, match="never used twice"):
            tokens.make(db, "till", Role.OWNER, "user:olga", now, None)


def test_what_a_program_does_stands_under_its_name(program: Program, twelve: Tea) -> None:
    revealed = program.ask("POST", "/customers/101/reveal", {"why": "a call"})
    assert revealed.json()["fields"]["email"] == PEOPLE[101]["email"]
    with twelve.runtime.database.read() as db:
        assert people.role_of(db, "token:till") is Role.OWNER


def test_a_viewers_token_obtains_no_protected_value_by_any_call(program: Program, twelve: Tea) -> None:
    viewer = program.as_(Role.VIEWER)
    said = [
        viewer.ask("GET", "/customers"),
        viewer.ask("GET", "/customers?gone=true"),
        viewer.ask("GET", "/customers/101"),
        viewer.ask("GET", "/customers/101/history"),
        viewer.ask("POST", "/customers/search", {"text": "ana101@example.org"}),
        viewer.ask("POST", "/customers/101/reveal", {"why": "curious"}),
    ]
    assert [answer.status_code for answer in said] == [200, 200, 200, 200, 200, 403]
    for answer in said:
        assert "Ruiz" not in answer.text
        assert "ana101@" not in answer.text


def test_too_many_calls_are_told_to_wait(program: Program) -> None:
    statuses = set()
    standing_still = create_app(program.runtime, lambda: 1_000.0)
    with serving_app(standing_still) as url, httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        for _ in range(CALLS.at_once * 2):
            answer = client.get("/api/v1/runs", headers={"Authorization": f"Bearer {program.secret}"})
            statuses.add(answer.status_code)
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                break
        assert statuses == {200, 429}
        strangers = {client.get("/api/v1/runs").status_code for _ in range(STRANGERS.at_once * 2)}
        assert strangers == {401, 429}


# ---- How errors look ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "about"),
    [
        ("GET", "/customers?limit=0", None, 422, "limit"),
        ("GET", "/customers?cursor=nonsense", None, 422, "cursor"),
        ("GET", "/customers?shop=nothing.example", None, 422, "shop"),
        ("GET", "/customers?shop=other.myshopify.com", None, 404, None),
        ("GET", "/customers/999", None, 404, None),
        ("GET", "/customers/ana@example.org", None, 404, None),
        ("POST", "/customers/search", {"text": ""}, 422, "text"),
        ("POST", "/customers/101/reveal", {}, 422, "why"),
        ("POST", "/runs/nothing/resume", None, 404, None),
        ("GET", "/cases/1", None, 404, None),
        ("GET", "/nothing", None, 404, None),
        ("DELETE", "/customers", None, 405, None),
    ],
)
def test_each_error_is_a_problem_with_one_sentence(
    program: Program, method: str, path: str, body: Any, status: int, about: str | None
) -> None:
    answer = program.ask(method, path, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    problem = answer.json()
    assert (problem["status"], problem["about"]) == (status, about)
    assert problem["detail"].endswith((".", "`"))


def test_a_problem_never_repeats_what_was_sent(program: Program) -> None:
    sent = "anna.secret@example.org"
    for answer in (
        program.ask("POST", "/customers/search", {"text": [sent]}),
        program.ask("POST", f"/customers/{sent}/reveal", {"why": 5}),
        program.ask("GET", f"/customers?limit={sent}"),
    ):
        assert answer.status_code == 422
        assert sent not in answer.text


def test_a_body_that_is_too_large_is_refused(program: Program) -> None:
    assert program.ask("POST", "/customers/search", {"text": "a" * 300_000}).status_code == 413


# ---- Lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 5, 12, 50])
def test_pages_of_customers_are_whole_and_in_order(program: Program, twelve: Tea, limit: int) -> None:
    seen: list[int] = []
    path: str | None = f"/customers?limit={limit}"
    while path is not None:
        page = program.get(path)
        assert len(page["items"]) <= limit
        seen += [each["shopify_id"] for each in page["items"]]
        path = f"/customers?limit={limit}&cursor={page['next']}" if page["next"] else None
    assert seen == sorted(PEOPLE, reverse=True)


def test_those_who_are_gone_are_listed_by_themselves(program: Program, twelve: Tea) -> None:
    first = program.get("/customers?gone=true&limit=1")
    second = program.get(f"/customers?gone=true&limit=1&cursor={first['next']}")
    assert sorted(each["items"][0]["shopify_id"] for each in (first, second)) == [103, 104]
    assert {each["items"][0]["state"] for each in (first, second)} == {"deleted"}
    assert second["next"] is None


def test_runs_are_listed_and_the_overview_tells_of_them(program: Program, tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        for number in range(3):
            runs.add(db, f"run{number}", tea.shop_id, f"cycle crm{number}", "user:olga", now + number)
    page = program.get("/runs?limit=2")
    rest = program.get(f"/runs?limit=2&cursor={page['next']}")
    assert [each["id"] for each in (*page["items"], *rest["items"])] == ["run2", "run1", "run0"]
    overview = program.get("/overview")
    assert [each["id"] for each in overview["live"]] == ["run2", "run1", "run0"]
    assert any("No worker is running" in fault for fault in overview["faults"])


# ---- Writes that are sent twice -------------------------------------------------------------------------------------


def paused(tea: Tea, now: Instant, *ids: str) -> None:
    """Runs that stand still until somebody lets them go on."""
    with tea.runtime.database.write() as db:
        for place, each in enumerate(ids):
            runs.add(db, each, tea.shop_id, f"cycle crm{place}", "user:olga", now)
            runs.pause(db, runs.begin(db, each, now), "the key was refused", now)


def test_a_write_with_a_key_is_done_once_and_answered_as_it_was(program: Program, tea: Tea, now: Instant) -> None:
    paused(tea, now, "run1", "run2")

    def ask(key: str, run: str) -> httpx2.Response:
        return program.ask("POST", f"/runs/{run}/resume", **{"Idempotency-Key": key})

    first, again = ask("k1", "run1"), ask("k1", "run1")
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert ask("k2", "run1").status_code == 409, "without its key it is another write, and the run is queued already"
    other = ask("k1", "run2")
    assert (other.status_code, "another request" in other.json()["detail"]) == (409, True)
    assert ask("k3", "run2").status_code == 200


def test_a_write_that_was_refused_can_be_sent_again_with_its_key(program: Program, tea: Tea, now: Instant) -> None:
    paused(tea, now, "run1")
    viewer = program.as_(Role.VIEWER)
    key = {"Idempotency-Key": "k1"}
    assert viewer.ask("POST", "/runs/run1/resume", **key).status_code == 403
    with tea.runtime.database.write() as db:
        db.exec_driver_sql("UPDATE tokens SET role = 'staff'")
    assert viewer.ask("POST", "/runs/run1/resume", **key).status_code == 200


def test_what_is_kept_of_an_answer_opens_with_the_token_alone(program: Program, tea: Tea, now: Instant) -> None:
    paused(tea, now, "run1")
    program.ask("POST", "/runs/run1/resume", **{"Idempotency-Key": "k1"})
    with tea.runtime.database.read() as db:
        [row] = db.exec_driver_sql("SELECT status, box FROM replies").all()
    assert row.status == 200
    assert b"run1" not in bytes(row.box)
    assert program.secret.encode() not in bytes(row.box)


def test_what_reveals_is_never_kept_and_stands_in_the_access_log_each_time(program: Program, twelve: Tea) -> None:
    for _ in range(2):
        told_once = program.ask("POST", "/customers/101/reveal", {"why": "a call"}, **{"Idempotency-Key": "k1"})
        assert told_once.json()["fields"]["email"] == PEOPLE[101]["email"]
    with twelve.runtime.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM replies").scalar() == 0
        assert db.exec_driver_sql("SELECT count(*) FROM access_log WHERE action = 'reveal'").scalar() == 2


def test_the_description_is_published_and_names_every_path(program: Program) -> None:
    with httpx2.Client(base_url=program.url, trust_env=False, timeout=60) as client:
        described = client.get("/api/v1/openapi.json")
    assert described.status_code == 200
    document = json.loads(described.text)
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), (method, path)
            assert operation["description"].endswith("."), (method, path)
