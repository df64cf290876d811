"""Odd requests and odd moments: each is answered in a sentence, and none shows or changes what it may not."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2
import pytest
from sqlalchemy import text, update

from onewriter.customers import runs, sessions, systems
from onewriter.customers.people import Role
from onewriter.db.webtables import sessions as session_table
from onewriter.records import SECOND
from onewriter.runtime import Runtime, now
from onewriter.web.api.frame import PREFIX
from onewriter.web.limits import FILE_MAX, FORM_MAX
from onewriter.web.pages.frame import COOKIE
from onewriter.web.problems import PROBLEM
from tests.support.crm import ANN, CRM
from tests.support.doors import serving
from tests.support.given import Files
from tests.support.live import begun
from tests.support.mending import Mending
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

KEYED = {"Idempotency-Key": "once"}
WHY = {"why": "she asked"}


@pytest.fixture
def calls(given: Files) -> Iterator[Program]:
    """The API of a shop with Ann, asked by an owner."""
    given.beside.customer(101, **ANN)
    runtime = given.beside.tea.runtime
    with serving(runtime) as url:
        let_in(runtime, "olga", Role.OWNER)
        yield Program(runtime, url, token_of(runtime, "till", Role.OWNER))


@pytest.mark.req("K20")
def test_an_export_is_never_kept_for_a_key_and_is_in_the_log_each_time(calls: Program) -> None:
    ann = calls.get("/customers")["items"][0]["id"]
    export = f"/customers/{ann}/export"
    first, second = (calls.ask("POST", export, WHY, **KEYED) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert "idempotency-replayed" not in second.headers
    assert [line["action"] for line in calls.get("/access-log")["items"]].count("export") == 2
    assert calls.ask("POST", f"/customers/{ann}/erase", WHY | {"dry_run": False, "customers": 1}).status_code == 200
    gone = calls.ask("POST", export, WHY, **KEYED)
    assert gone.status_code == 404
    assert str(ANN["email"]) not in gone.text


def test_a_cycle_that_is_refused_lifts_no_guard(both: Mending) -> None:
    with serving(both.runtime) as url:
        let_in(both.runtime, "olga", Role.OWNER)
        till = Program(both.runtime, url, token_of(both.runtime, "till", Role.OWNER))
        assert till.ask("POST", f"/cycles/{CRM}", {}).status_code == 200
        many = {"allow": ["email"], "why": "the shop moved"}
        assert till.ask("POST", f"/cycles/{CRM}", many).status_code == 409
        with both.runtime.database.read() as db:
            assert "email" not in systems.get(db, both.shop.shop_id, CRM).allowed


def test_a_cursor_with_a_number_that_no_database_holds_is_none(calls: Program) -> None:
    cursor = urlsafe_b64encode(b"[9223372036854775808]").decode().rstrip("=")
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    for path in ("/inbox", "/notices"):
        assert calls.ask("GET", f"{path}?cursor={cursor}").status_code == 422
    assert site.get(f"/inbox?cursor={cursor}").status_code == 422


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-16"])
def test_a_form_in_an_odd_charset_is_none(calls: Program, charset: str) -> None:
    head = {"Content-Type": f"multipart/form-data; boundary=B; charset={charset}"}
    body = b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\udc80\r\n--B--\r\n'
    with httpx2.Client(base_url=calls.url, trust_env=False) as client:
        assert client.post("/login", content=body, headers=head).status_code == 400


def test_an_address_or_an_origin_that_is_none_leads_nowhere(calls: Program) -> None:
    with httpx2.Client(base_url=calls.url, trust_env=False) as client:
        for where in ("//[", "http://[x"):
            assert client.get("/login", params={"next": where}).status_code == 200
        assert client.post("/login", data={"name": "a"}, headers={"Origin": "http://["}).status_code == 403


def test_who_was_logged_out_hears_of_a_run_no_more(calls: Program) -> None:
    run = begun(calls.runtime.database, 1, runs.RECONCILE)
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    with (
        httpx2.Client(
            base_url=calls.url, trust_env=False, headers={"Cookie": f"{COOKIE}={site.cookie}"}, timeout=30
        ) as client,
        client.stream("GET", "/runs/live1/live") as followed,
    ):
        lines = followed.iter_lines()
        assert "100 of 1,000" in next(line for line in lines if "of 1,000" in line)
        with calls.runtime.database.write() as db:
            sessions.end_every(db, "user:olga")
            runs.move(db, run, now(), done=700)
        assert not [line for line in lines if "700" in line]


def test_a_busy_database_is_a_page_that_says_so(calls: Program) -> None:
    """That somebody was seen must be written down; where nothing can be, they are told to come back."""
    cookie = let_in(calls.runtime, "olga", Role.OWNER)
    with calls.runtime.database.write() as db:
        db.execute(update(session_table).values(seen_at=session_table.c.seen_at - 400 * SECOND))
    with (
        Runtime(calls.runtime.settings, door=True, clock=calls.runtime.now) as impatient,
        serving(impatient) as url,
        calls.runtime.database.write(),
    ):
        answer = Site(impatient, url, cookie).get("/")
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "In a moment" in answer.text


def test_an_error_repeats_no_value_that_was_sent(calls: Program) -> None:
    email = str(ANN["email"])
    mapping = {"system": "csv", "field": "note", "options": {email: 5}, "dry_run": True}
    for answer in (calls.ask("GET", f"/overview?shop={email}"), calls.ask("POST", "/fields/mapping", mapping)):
        assert answer.status_code == 422
        assert email not in answer.text
        assert answer.json()["about"] in ("shop", "options")


def in_parts(size: int) -> Iterator[bytes]:
    """A body of which nobody says beforehand how long it is."""
    for _ in range(size // 65_536 + 1):
        yield b" " * 65_536


@pytest.mark.parametrize(
    ("path", "size", "headers"),
    [
        ("/customers/search", FORM_MAX, {}),
        ("/customers/search", FORM_MAX, KEYED),
        ("/imports?system=csv", FILE_MAX, {"Content-Type": "text/csv"}),
    ],
    ids=["a search", "a search with a key", "a file"],
)
def test_a_call_that_grows_too_large_on_its_way_is_refused_as_one_that_says_so(
    calls: Program, path: str, size: int, headers: dict[str, str]
) -> None:
    given = {"Authorization": f"Bearer {calls.secret}", "Content-Type": "application/json"} | headers
    with httpx2.Client(base_url=calls.url, trust_env=False, timeout=60) as client:
        answer = client.post(f"{PREFIX}{path}", content=in_parts(size), headers=given)
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    assert (answer.json()["type"], answer.headers["connection"]) == ("TooLarge", "close")


def test_a_form_that_grows_too_large_on_its_way_is_refused(calls: Program) -> None:
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx2.Client(base_url=calls.url, trust_env=False, timeout=60) as client:
        assert client.post("/login", content=in_parts(FORM_MAX), headers=head).status_code == 413


def test_a_name_that_a_call_does_not_know_is_refused_and_nothing_is_done(calls: Program) -> None:
    """Who sends `dry_run` to what has no dry run must not find that it was done."""
    before = calls.get("/access-log")["items"]
    ann = calls.get("/customers")["items"][0]["id"]
    for path in (f"/customers/{ann}/export", "/retention/purge", "/cases/1/close", "/access-log/reasons"):
        answer = calls.ask("POST", path, WHY | {"dry_run": True})
        assert (answer.status_code, answer.json()["about"]) == (422, "dry_run"), path
    assert calls.get("/access-log")["items"] == before
    unheard = calls.ask("POST", "/cases/1/close", WHY | {str(ANN["email"]): True})
    assert (unheard.status_code, unheard.json()["about"], str(ANN["email"]) in unheard.text) == (422, "body", False)


def test_what_is_told_of_a_fault_of_ours_has_the_form_of_whoever_asks(calls: Program) -> None:
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    with calls.runtime.database.write() as db:
        db.execute(text("ALTER TABLE notices RENAME TO not_there"))
    answer = calls.ask("GET", "/notices")
    assert (answer.status_code, answer.headers["content-type"], answer.json()["status"]) == (500, PROBLEM, 500)
    page = site.get("/settings/notices", accept="text/html")
    assert (page.status_code, "Something went wrong here" in page.text, "not_there" in page.text) == (500, True, False)


def test_who_is_erased_twice_at_once_has_one_receipt(calls: Program, given: Files) -> None:
    """Both saw that it takes one customer; the second finds under the lock that they are erased."""
    for number in range(201, 206):
        given.beside.customer(number, **ANN | {"email": f"ann{number}@example.com"})
        both = Barrier(2)

        def erase(number: int = number, both: Barrier = both) -> int:
            both.wait()
            sure = WHY | {"dry_run": False, "customers": 1}
            return calls.ask("POST", f"/customers/{number}/erase", sure).status_code

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(each.result() for each in [pool.submit(erase) for _ in range(2)])
        assert answers == [200, 404]
    assert len(calls.get("/erasures")["items"]) == 5
