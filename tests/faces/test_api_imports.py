"""Files of customers for programs: what is refused and in what words, how many there may be, and whose turn it is."""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from onewriter.customers import runs
from onewriter.customers.people import Role
from onewriter.records import RunState
from onewriter.web.limits import FILE_MAX
from onewriter.web.pages.frame import COOKIE
from onewriter.workflows import carrying, uploads
from tests.support.crm import ANN
from tests.support.doors import serving
from tests.support.given import NAME, TIER, Files
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

GOLD = f"email,{TIER}\nann@example.com,gold\ncanary@example.com,tin\n".encode()
LATIN = f"email,{TIER},note\nann@example.com,café,très bien\n".encode("cp1252")
WHY = "they asked for it"
CSV = "/api/v1/imports"
SOON_S = 2.0
"""How soon whatever is no file must have arrived."""


@pytest.fixture
def calls(given: Files) -> Iterator[Program]:
    """The API of a shop with Ann, whose tier is what files say, asked by an owner."""
    given.beside.customer(101, **ANN)
    runtime = given.beside.tea.runtime
    with serving(runtime) as url:
        let_in(runtime, "olga", Role.OWNER)
        yield Program(runtime, url, token_of(runtime, "till", Role.OWNER))


def send(program: Program, body: bytes, **headers: str) -> httpx2.Response:
    given = {"Authorization": f"Bearer {program.secret}", "Content-Type": "text/csv"} | headers
    with httpx2.Client(base_url=program.url, trust_env=False, timeout=60) as client:
        return client.post(CSV, params={"system": NAME}, content=body, headers=given)


def sent(program: Program, body: bytes) -> str:
    answer = send(program, body)
    assert answer.status_code == 200, answer.text
    return f"/imports/files/{answer.json()['id']}"


def kept(program: Program) -> list[Path]:
    return sorted((program.runtime.settings.data_dir / uploads.FOLDER).glob("*/*"))


def carried_out(program: Program, run_id: str) -> runs.Run:
    carrying.carry_out(program.runtime, run_id)
    with program.runtime.database.read() as db:
        return runs.get(db, run_id)


@contextmanager
def announcing(program: Program, path: str, length: int, head: Mapping[str, str]) -> Iterator[socket.socket]:
    """The line of somebody who has said that so many bytes come, and has sent none of them yet."""
    where = urlsplit(program.url)
    given = {"Host": where.netloc, "Content-Length": str(length), "Authorization": f"Bearer {program.secret}", **head}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        line.sendall("\r\n".join(lines).encode())
        yield line


def heard(line: socket.socket) -> str:
    """An answer to its end: a page, or a document."""
    said = b""
    while b"</html>" not in said and b"}" not in said:
        part = line.recv(65_536)
        assert part, said
        said += part
    return said.decode()


def announced(program: Program, path: str, length: int, head: Mapping[str, str]) -> str:
    """What is answered to somebody who says that so many bytes come, and sends none of them."""
    with announcing(program, path, length, head) as line:
        return heard(line)


# ---- What a file says -----------------------------------------------------------------------------------------------


def test_what_a_file_would_change_is_told_by_field_and_owner(calls: Program) -> None:
    told = calls.get(sent(calls, GOLD))
    assert (told["encoding"], told["rows"], told["customers"]) == ("utf-8", 2, {"known": 1, "new": 1, "changed": 1})
    assert told["overwrites"] == [{"field": TIER, "owner": NAME, "count": 1, "rows": [2]}]
    assert told["share"] == {"changed": 1, "known": 1, "percent": 100.0, "limit": 20, "stops": True}


def test_a_file_in_an_old_encoding_is_read_and_said_to_be(calls: Program) -> None:
    told = calls.get(sent(calls, LATIN))
    assert (told["encoding"], told["customers"]["changed"]) == ("cp1252", 1)
    assert told["refused"] == [{"field": "note", "owner": "shopify", "count": 1, "rows": [2]}]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "empty"),
        (b"name,colour\nAnn,red\n", 422, "No column says who a row is of"),
        (b"email,custom.tier\nann@example.com\n", 409, "Row 2 has 1 cells"),
        (b"\xff\xfe\x00", 409, ""),
        (b"PK\x03\x04\x00\x00", 422, ""),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence_that_repeats_nothing(
    calls: Program, body: bytes, status: int, words: str
) -> None:
    answer = send(calls, body)
    if answer.status_code == 200:
        answer = calls.ask("GET", f"/imports/files/{answer.json()['id']}")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in problem["detail"]
    assert "ann@" not in problem["detail"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read(calls: Program) -> None:
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    for path, kind in ((CSV, "application/problem+json"), ("/imports/check", "text/html; charset=utf-8")):
        said = announced(calls, path, FILE_MAX + 1, {"Cookie": f"{COOKIE}={site.cookie}"})
        assert said.startswith("HTTP/1.1 413 ")
        assert f"content-type: {kind}" in said
        assert "Too large" in said
    assert kept(calls) == []


# ---- What is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.req("K20")
def test_what_was_sent_is_nowhere_in_clear_before_and_after_it_was_imported(calls: Program) -> None:
    here = sent(calls, GOLD)
    started = calls.ask("POST", f"{here}/start", {"allow_percent": 100, "why": WHY}).json()
    for state in (RunState.QUEUED, RunState.DONE):
        if state is RunState.DONE:
            run = carried_out(calls, started["run"])
            assert (run.state, run.total, run.done) == (state, 2, 2)
        found = [path for path in calls.runtime.settings.data_dir.rglob("*") if path.is_file()]
        assert found
        assert [path for path in found if b"canary@" in path.read_bytes()] == [], state
    assert kept(calls) == []


def test_files_that_are_kept_are_listed_and_there_are_so_many(calls: Program) -> None:
    for _ in range(uploads.FILES_MAX):
        sent(calls, GOLD)
    refused = send(calls, GOLD)
    assert (refused.status_code, refused.json()["type"]) == (409, "TooManyFiles")
    listed = calls.get("/imports/files")["items"]
    assert len(listed) == len({each["id"] for each in listed}) == uploads.FILES_MAX
    assert all(each["bytes"] > len(GOLD) and each["sent_at"] < each["kept_until"] for each in listed)
    first = f"/imports/files/{listed[0]['id']}"
    assert calls.ask("PUT", first, {"system": NAME}).status_code == 200, "what is said anew takes no room"
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    told = site.post("/imports/check", {"system": NAME}, files={"file": ("people.csv", GOLD, "text/csv")})
    assert (told.status_code, "kept already" in told.text) == (409, True)
    assert f'href="{first}"' in told.text, "so that one of them can be forgotten"
    assert calls.ask("DELETE", first).status_code == 200
    assert calls.ask("DELETE", first).status_code == 404
    sent(calls, GOLD)


def test_the_same_write_sent_again_keeps_one_file(calls: Program) -> None:
    first, second = (send(calls, GOLD, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.json() == second.json()
    assert len(kept(calls)) == 1


def test_a_disk_that_takes_nothing_is_told_of_in_a_sentence(calls: Program) -> None:
    (calls.runtime.settings.data_dir / uploads.FOLDER).write_bytes(b"something else is in the way")
    refused = send(calls, GOLD)
    assert (refused.status_code, refused.json()["type"], "retry-after" in refused.headers) == (503, "NotKept", True)
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    told = site.post("/imports/check", {"system": NAME}, files={"file": ("people.csv", GOLD, "text/csv")})
    assert (told.status_code, "look at its disk" in told.text, 'type="file"' in told.text) == (503, True, True)


# ---- Whose turn it is -----------------------------------------------------------------------------------------------


def test_one_file_is_taken_at_a_time_by_whichever_face(calls: Program) -> None:
    """While the first sends, by the API, the second is told to come back, there and on the page."""
    site = Site(calls.runtime, calls.url, let_in(calls.runtime, "olga", Role.OWNER))
    # Our server says "go on" when it begins to read: from then on it is the first one's turn.
    with announcing(calls, f"{CSV}?system={NAME}", len(GOLD), {"Expect": "100-continue"}) as line:
        assert line.recv(65_536).startswith(b"HTTP/1.1 100 ")
        busy = send(calls, GOLD)
        page = site.post("/imports/check", {"system": NAME}, files={"file": ("people.csv", GOLD, "text/csv")})
        line.sendall(GOLD)
        assert heard(line).startswith("HTTP/1.1 200 ")
    assert (busy.status_code, busy.headers["retry-after"], "in a minute" in busy.json()["detail"]) == (503, "60", True)
    assert (page.status_code, page.headers["retry-after"]) == (503, "60")
    assert send(calls, GOLD).status_code == 200
    assert len(kept(calls)) == 2


def test_who_has_a_slow_line_may_send_a_file_and_nobody_else_gets_so_long(given: Files) -> None:
    runtime = given.beside.tea.runtime
    with serving(runtime, receive_s=SOON_S) as url:
        let_in(runtime, "olga", Role.OWNER)
        till = Program(runtime, url, token_of(runtime, "till", Role.OWNER))
        with announcing(till, f"{CSV}?system={NAME}", len(GOLD), {}) as line:
            line.sendall(GOLD[:9])
            time.sleep(1.25 * SOON_S)
            line.sendall(GOLD[9:])
            assert heard(line).startswith("HTTP/1.1 200 ")
        with announcing(till, "/api/v1/fields/keys/check", 9, {"Content-Type": "application/json"}) as line:
            assert line.recv(65_536).startswith(b"HTTP/1.1 408 ")
    assert len(kept(till)) == 1


def test_who_may_not_send_a_file_is_told_before_anything_is_read(calls: Program) -> None:
    viewer = calls.as_(Role.VIEWER)
    assert announced(viewer, CSV, FILE_MAX, {}).startswith("HTTP/1.1 403 ")
    cookie = let_in(calls.runtime, "vera", Role.VIEWER)
    assert announced(viewer, "/imports/check", FILE_MAX, {"Cookie": f"{COOKIE}={cookie}"}).startswith("HTTP/1.1 403 ")
    for method, path in (("GET", "/imports/files"), ("DELETE", "/imports/files/" + "0" * 32)):
        assert viewer.ask(method, path).status_code == 403
    assert viewer.get("/imports") == {"items": []}
    assert kept(calls) == []


def test_an_import_is_queued_once_and_says_so(calls: Program) -> None:
    here = sent(calls, GOLD)
    said = {"allow_percent": 100, "why": WHY}
    started = calls.ask("POST", f"{here}/start", said)
    again = calls.ask("POST", f"{here}/start", said)
    assert (started.status_code, again.status_code, again.json()["type"]) == (200, 409, "AlreadyRunning")
    run = carried_out(calls, started.json()["run"])
    assert run.state is RunState.DONE
    undone = calls.ask("POST", f"/runs/{run.id}/undo", {"why": WHY})
    assert undone.status_code == 200, undone.text
    assert carried_out(calls, undone.json()["run"]).counts == {"undone": 1}
    # Time stands still here, so that neither is the newer.
    assert {each["kind"] for each in calls.get("/imports")["items"]} == {runs.undo_of(NAME), runs.file_of(NAME)}
