"""Privacy, the inbox and the installation for programs: the same as on pages, by a token with a role of its own."""

from typing import Any

import pytest

from onewriter.customers import access_lines, inbox, requests, shops, tokens
from onewriter.customers.access_lines import Wanted
from onewriter.customers.people import Role
from onewriter.records import DAY, Instant
from onewriter.runtime import Runtime
from tests.support.lawful import data_request
from tests.support.pages import Program
from tests.support.purging import delete
from tests.support.raw import ON_SQLITE
from tests.support.redacting import ANN, BEN, EMAIL, deliver, held, person
from tests.support.shops import SECRET, Tea

pytestmark = ON_SQLITE

WHY = "she asked at the till"


@pytest.fixture
def now(runtime: Runtime) -> Instant:
    """Now, by the clock that the API goes by."""
    return runtime.now()


@pytest.fixture
def tea(tea: Tea, now: Instant) -> Tea:
    """The shop, whose clock agrees with ours, and its two customers."""
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": now, "shopify_date_heard": now})
    tea.apply(person(ANN, now - 200 * DAY), person(BEN, now - 200 * DAY, email="ben@example.com"), now=now)
    return tea


def post(program: Program, path: str, body: Any = None, code: int = 200) -> Any:
    answer = program.ask("POST", path, body)
    assert answer.status_code == code, answer.text
    return answer.json()


def acts(tea: Tea) -> list[tuple[str, str, bool]]:
    """What stands in the access log, the newest first."""
    with tea.runtime.database.read() as db:
        return [(line.action, line.actor, line.allowed) for line in access_lines.newest(db, Wanted(), 100)]


# ---- Privacy --------------------------------------------------------------------------------------------------------


def test_requests_are_listed_answered_and_closed(program: Program, tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-1")
    deliver(tea, now - DAY, "customers/data_request", data_request(BEN, email="ben@example.com"), "w-2")
    first = program.get("/requests?limit=1")
    assert [each["id"] for each in first["items"]] == [2]
    following = program.get(f"/requests?limit=1&cursor={first['next']}")
    assert ([each["id"] for each in following["items"]], following["next"]) == ([1], None)
    done = post(program, "/requests/1/export", {})
    assert (done["request"]["outcome"], EMAIL in str(done["export"]["tables"])) == ("exported", True)
    assert post(program, "/requests/1/export", {}, 404)["status"] == 404
    assert post(program, "/requests/2/close", {"why": WHY})["state"] == "done"
    assert program.get("/requests")["items"] == []
    whole = program.get("/requests?everything=true&limit=1")
    assert whole["items"][0]["id"] == 2
    assert program.get(f"/requests?everything=true&cursor={whole['next']}")["items"][0]["id"] == 1
    with tea.runtime.database.read() as db:
        assert requests.get(db, 2).ended_by == "token:till"


def test_a_customer_is_handed_out_and_erased_after_a_dry_run(program: Program, tea: Tea) -> None:
    given = post(program, f"/customers/{ANN}/export", {"why": WHY})
    assert (EMAIL in str(given["tables"]), "ben@example.com" in str(given)) == (True, False)
    path = f"/customers/{ANN}/erase"
    assert post(program, path, {"why": WHY}) == {"customers": 1, "held": True, "done": None}
    assert post(program, path, {"why": WHY, "dry_run": False}, 422)["about"] == "customers"
    assert post(program, path, {"why": WHY, "dry_run": False, "customers": 2}, 422)["about"] == "customers"
    assert held(tea) == [ANN, BEN]
    done = post(program, path, {"why": WHY, "dry_run": False, "customers": 1})
    assert (done["done"]["erased"], held(tea)) == (1, [BEN])
    [receipt] = program.get("/erasures")["items"]
    assert (receipt["id"], receipt["cause"]) == (done["done"]["receipt"], "by token:till")
    assert program.get("/erasures?limit=1")["next"] is None
    assert program.ask("GET", "/erasures?cursor=bm9uZQ").status_code == 422
    assert post(program, f"/customers/{EMAIL}/erase", {"why": WHY}, 404)["type"] == "UnknownCustomer"
    assert acts(tea) == [("erase", "token:till", True), ("export", "token:till", True)]


def test_retention_is_told_changed_and_carried_out(program: Program, tea: Tea, now: Instant) -> None:
    delete(tea, ANN, now - 40 * DAY)
    due = program.get("/retention")
    assert (due["hidden"], due["due"], list(due["upcoming"].values())) == (1, 0, [1])
    change = {"days": 30, "why": WHY}
    assert program.ask("PUT", "/retention", change).json()["due"] == 1
    assert program.get("/retention")["retention_days"] == 90
    assert program.ask("PUT", "/retention", change | {"dry_run": False}).status_code == 200
    assert (program.get("/retention")["retention_days"], program.get("/retention")["due"]) == (30, 1)
    purged = post(program, "/retention/purge", {"why": WHY})
    assert program.get(f"/runs/{purged['run']}")["kind"] == "purge"
    assert post(program, "/retention/purge", {"why": WHY}, 409)["type"] == "AlreadyRunning"


def test_the_access_log_is_listed_filtered_opened_and_proved(program: Program, tea: Tea) -> None:
    for _ in range(3):
        post(program, f"/customers/{ANN}/reveal", {"why": WHY})
    page = program.get("/access-log?limit=2&actor=token:till&action=reveal&since=2026-01-01&until=2199-01-01")
    assert ([each["position"] for each in page["items"]], WHY in str(page)) == ([3, 2], False)
    rest = program.get(f"/access-log?limit=2&cursor={page['next']}")
    assert ([each["position"] for each in rest["items"]], rest["next"]) == ([1], None)
    assert len(program.get(f"/access-log?customer={ANN}")["items"]) == 3
    assert program.get("/access-log?until=2001-01-01")["items"] == []
    assert program.ask("GET", f"/access-log?customer={EMAIL}").status_code == 422
    assert program.ask("GET", "/access-log?actor=%00").status_code == 422
    opened = post(program, "/access-log/reasons", {"why": "the yearly look", "action": "reveal"})
    assert {each["reason"] for each in opened["items"]} == {WHY}
    assert acts(tea)[0] == ("read reasons", "token:till", True)
    assert program.get("/access-log/proof") == {"ok": True, "lines": 4, "wrong_at": None, "how": None, "restored": []}


@pytest.mark.parametrize("role", [Role.STAFF, Role.VIEWER])
def test_what_is_for_owners_is_refused_to_others_and_that_is_in_the_log(
    program: Program, tea: Tea, now: Instant, role: Role
) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-1")
    other = program.as_(role)
    calls: dict[str, Any] = {
        "/requests/1/close": {"why": WHY},
        "/requests/1/export": {},
        f"/customers/{ANN}/export": {"why": WHY},
        f"/customers/{ANN}/erase": {"why": WHY, "dry_run": False, "customers": 1},
        "/retention/purge": {"why": WHY},
        "/access-log/reasons": {"why": WHY},
        "/people/role": {"name": "eve", "role": "owner"},
        "/people/invite": {"name": "eve", "role": "owner"},
        "/people/remove": {"name": "olga"},
        "/people/log-out": {"name": "olga"},
        "/tokens": {"name": "mine", "role": "owner"},
        "/tokens/revoke": {"name": "till"},
    }
    for path, body in calls.items():
        refused = other.ask("POST", path, body)
        assert (refused.status_code, EMAIL in refused.text) == (403, False), path
    assert len(acts(tea)) == len(calls)
    assert not any(allowed for _action, _actor, allowed in acts(tea))
    change = {"days": 1, "why": WHY, "dry_run": False}
    assert other.ask("PUT", "/retention", change).status_code == 403
    assert other.ask("POST", f"/customers/{ANN}/erase", {"why": WHY}).status_code == 403
    assert other.ask("GET", "/tokens").status_code == 403
    assert program.ask("GET", "/runs").status_code == 200


# ---- The inbox and questions ----------------------------------------------------------------------------------------


def test_deliveries_are_listed_opened_and_decided(program: Program, tea: Tea, now: Instant) -> None:
    for each in range(3):
        deliver(tea, now, "orders/fancy", b'{"email": "canary@example.com"}', f"w-{each}")
    page = program.get("/inbox?state=parked&limit=2")
    assert ([each["position"] for each in page["items"]], "canary" in str(page)) == ([3, 2], False)
    assert [each["position"] for each in program.get(f"/inbox?cursor={page['next']}")["items"]] == [1]
    assert program.get("/inbox/counts")["parked"] == 3
    assert "body" not in program.get("/inbox/1")
    assert post(program, "/inbox/1/reveal", {"why": WHY})["body"] == {"email": "canary@example.com"}
    viewer = program.as_(Role.VIEWER)
    for path, body in (("reveal", {"why": WHY}), ("retry", None), ("drop", None)):
        refused = viewer.ask("POST", f"/inbox/1/{path}", body)
        assert (refused.status_code, "canary" in refused.text) == (403, False)
    assert post(program, "/inbox/1/retry") == {"position": 1, "state": "waiting"}
    assert post(program, "/inbox/2/drop") == {"position": 2, "state": "dropped"}
    assert post(program, "/inbox/2/drop", code=404)["type"] == "UnknownDelivery"
    with tea.runtime.database.read() as db:
        assert [row["state"] for row in inbox.listed(db, None, 10)] == ["parked", "dropped", "waiting"]


def test_questions_are_listed_and_answered_once(program: Program, tea: Tea, now: Instant) -> None:
    for each in range(2):
        deliver(tea, now, "orders/fancy", b"{}", f"w-{each}")
    page = program.get("/questions?limit=1")
    assert (page["items"][0]["id"], page["items"][0]["answers"].keys()) == (1, {"retry", "drop"})
    assert program.get(f"/questions?cursor={page['next']}")["items"][0]["id"] == 2
    answer = {"answer": "drop", "why": WHY}
    assert program.as_(Role.VIEWER).ask("POST", "/questions/1/answer", answer).status_code == 403
    assert post(program, "/questions/1/answer", {"answer": "shrug", "why": WHY}, 409)["type"] == "NotAnswerable"
    done = post(program, "/questions/1/answer", answer)
    assert (done["done"], done["answered_by"]) == ("delivery 1 is given up", "token:till")
    assert post(program, "/questions/1/answer", answer, 409)["status"] == 409
    assert post(program, "/questions/9/answer", answer, 404)["type"] == "UnknownQuestion"
    assert program.get("/questions?everything=true")["items"][1]["answer"] == "drop"
    assert program.get("/questions/2")["answer"] is None


# ---- The installation -----------------------------------------------------------------------------------------------


def test_the_installation_is_told_without_a_secret(program: Program, tea: Tea) -> None:
    assert program.get("/shops")["items"][0]["domain"] == "tea.myshopify.com"
    assert program.get("/shop")["scopes"] == ["read_customers"]
    health = program.get("/health")
    assert (health["healthy"], health["checks"][0]["level"]) == (False, "fault")
    found = {each["name"]: each["value"] for each in program.get("/settings")["items"]}
    assert found["inbox_keep_days"] == 30
    [key] = program.get("/master-keys")["items"]
    assert (key["id"], key["state"]) == (tea.runtime.keys.current.id, "current")
    master = tea.runtime.settings.master_key_file.read_text().split()[-1]
    for path in ("/shops", "/shop", "/health", "/settings", "/master-keys", "/tokens"):
        text = program.ask("GET", path).text
        assert not any(secret in text for secret in (master, SECRET, program.secret)), path
    viewer = program.as_(Role.VIEWER)
    assert [viewer.ask("GET", path).status_code for path in ("/settings", "/master-keys", "/health")] == [403, 403, 200]


def test_people_and_tokens_are_let_in_and_taken_away(program: Program, tea: Tea) -> None:
    invited = post(program, "/people/invite", {"name": "ben", "role": "staff"})
    assert (invited["name"], "/welcome?link=" in invited["link"]) == ("user:ben", True)
    assert post(program, "/people/role", {"name": "ben", "role": "staff"})["role"] == "staff"
    assert {each["name"] for each in program.get("/people")["items"]} == {"user:olga", "user:ben"}
    assert post(program, "/people/log-out", {"name": "ben"})["ended"] == 0
    assert post(program, "/people/remove", {"name": "ben"}) == {"name": "user:ben", "role": None}
    assert post(program, "/people/remove", {"name": "ben"}, 404)["type"] == "UnknownPerson"
    assert post(program, "/people/role", {"name": "olga", "role": "staff"}, 403)["type"] == "Forbidden"
    assert post(program, "/people/role", {"name": "two words", "role": "staff"}, 422)["about"] == "name"
    made = post(program, "/tokens", {"name": "feed", "role": "viewer", "days": 7})
    feed = Program(program.runtime, program.url, made["secret"])
    assert feed.ask("GET", "/runs").status_code == 200
    assert made["secret"] not in str(program.get("/tokens"))
    assert post(program, "/tokens/revoke", {"name": "feed"})["lives"] is False
    assert feed.ask("GET", "/runs").status_code == 401
    with tea.runtime.database.read() as db:
        assert {each.name for each in tokens.every(db)} == {"till", "feed"}
