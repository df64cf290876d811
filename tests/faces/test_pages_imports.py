"""Files on pages and for programs: kept sealed, looked at before anything is written, imported, and taken back."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from onewriter.customers import runs
from onewriter.customers.people import Role
from onewriter.records import DAY, SECOND, RunState
from onewriter.workflows import carrying, uploads
from tests.support.crm import ANN
from tests.support.doors import serving
from tests.support.given import NAME, TIER, Files
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

GOLD = f"email,{TIER},note\nann@example.com,gold,from a file\nnobody@example.com,tin,\n"
MAPPED = "Mail of canary,Level\nann@example.com,gold\n"
WHY = "they asked for it"


@pytest.fixture
def shop(given: Files) -> Files:
    """A shop with Ann, whose tier is what files say."""
    given.beside.customer(101, **ANN)
    return given


@pytest.fixture
def pages(shop: Files) -> Iterator[Site]:
    """Its pages, looked at by an owner."""
    runtime = shop.beside.tea.runtime
    with serving(runtime) as url:
        yield Site(runtime, url, let_in(runtime, "olga", Role.OWNER))


@pytest.fixture
def calls(pages: Site) -> Program:
    """Its API, asked by an owner."""
    return Program(pages.runtime, pages.url, token_of(pages.runtime, "till", Role.OWNER))


def send(site: Site, text: str | bytes, **fields: str) -> httpx2.Response:
    body = text.encode() if isinstance(text, str) else text
    return site.post("/imports/check", fields, files={"file": ("people.csv", body, "text/csv")})


def carry_out(site: Site, place: str) -> runs.Run:
    run_id = place.removeprefix("/runs/")
    carrying.carry_out(site.runtime, run_id)
    with site.runtime.database.read() as db:
        return runs.get(db, run_id)


def kept(site: Site) -> list[Path]:
    folder = site.runtime.settings.data_dir / uploads.FOLDER
    return sorted(folder.glob("*/*"))


@pytest.mark.req("M80")
def test_a_file_is_looked_at_imported_and_taken_back(pages: Site, shop: Files) -> None:
    sent = send(pages, GOLD, system=NAME)
    here = sent.headers["location"]
    looked = pages.get(here).text
    assert "<dd>1 row</dd>" in looked
    assert "Would be refused and parked" in looked
    assert "from a file" not in looked
    tried = pages.post(here, {"what": "start"})
    assert (tried.status_code, tried.headers["location"].startswith("/runs/")) == (303, True)
    stopped = carry_out(pages, tried.headers["location"])
    assert stopped.state is RunState.PARTIAL, "all of its one customer would change"
    again = pages.post(here, {"what": "start", "allow": "100", "why": WHY})
    run = carry_out(pages, again.headers["location"])
    assert (run.state, run.checkpoint["wrote"]) == (RunState.DONE, {TIER: 1})
    assert kept(pages) == [], "nothing of the file is left"
    page = f"/runs/{run.id}"
    assert "What the file wrote" in pages.get(page).text
    assert run.id in pages.get("/imports").text
    seen = pages.post(f"{page}/undo", {"what": "see", "why": ""})
    assert "1 value would be put back" in seen.text
    undone = carry_out(pages, pages.post(f"{page}/undo", {"what": "do", "why": WHY}).headers["location"])
    assert (undone.state, undone.counts) == (RunState.DONE, {"undone": 1})


def test_nothing_of_a_file_is_in_clear_anywhere(pages: Site) -> None:
    many = GOLD + "".join(f"canary{number}@example.com,tin,\n" for number in range(100_000))
    assert send(pages, many, system=NAME).status_code == 303
    [file] = kept(pages)
    assert file.stat().st_mode & 0o077 == 0
    found = [path for path in pages.runtime.settings.data_dir.rglob("*") if path.is_file()]
    assert file in found
    assert [path for path in found if b"canary77@" in path.read_bytes()] == []


def test_a_file_that_is_sent_is_never_on_a_disk_in_clear(
    pages: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "not there"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    assert send(pages, GOLD + "x@example.com,tin,\n" * 200_000, system=NAME).status_code == 303


def test_columns_are_named_without_sending_the_file_again(pages: Site) -> None:
    here = send(pages, MAPPED, system=NAME).headers["location"]
    lost = pages.get(here)
    assert (lost.status_code, "No column says who a row is of" in lost.text) == (422, True)
    said = {"what": "again", "system": NAME, "map": f"Mail of canary=email\nLevel={TIER}"}
    assert pages.post(here, said).status_code == 303
    assert "It would change" in pages.get(here).text
    for wrong in ("Level", "Level=nonsense", "=email", "Mail=addresses"):
        told = pages.post(here, said | {"map": wrong})
        assert (told.status_code, 'class="wrong"' in told.text) == (422, True), wrong
        assert wrong in told.text.replace("&#39;", "'"), "what was typed is kept"
    assert "It would change" in pages.get(here).text, "what was said before still holds"


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "The file is empty"), (b"\xff\xfe\x00", None), (b"PK\x03\x04 a spreadsheet", None)],
)
def test_what_is_no_file_of_customers_is_told_in_a_sentence(pages: Site, text: str | bytes, told: str | None) -> None:
    sent = send(pages, text, system=NAME)
    answer = sent if sent.status_code != 303 else pages.get(sent.headers["location"])
    assert 400 <= answer.status_code < 500
    assert 'class="wrong"' in answer.text
    assert told is None or told in answer.text
    assert pages.post("/imports/check", {"system": NAME}).status_code == 422


def test_a_file_is_forgotten_by_hand_and_after_a_day(pages: Site) -> None:
    here = send(pages, GOLD, system=NAME).headers["location"]
    assert pages.post(here, {"what": "drop"}).status_code == 303
    assert (kept(pages), pages.get(here).status_code) == ([], 404)
    assert "kept for a day" in pages.get(here).text
    here = send(pages, GOLD, system=NAME).headers["location"]
    uploads.drop_old(pages.runtime)
    [file] = kept(pages)
    old = time.time() - DAY / SECOND - 1
    os.utime(file, (old, old))
    assert pages.post(here, {"what": "again", "system": NAME}).status_code == 303
    assert [each.stat().st_mtime for each in kept(pages)] == [pytest.approx(old, abs=1)], (
        "what is said anew keeps it no longer"
    )
    uploads.drop_old(pages.runtime)
    assert (kept(pages), pages.get(here).status_code) == ([], 404)
    assert pages.get("/imports/files/..%2F..%2Fonewriter.db").status_code in (404, 409)


def test_a_file_of_another_shop_or_changed_on_the_disk_is_not_opened(pages: Site) -> None:
    here = send(pages, GOLD, system=NAME).headers["location"]
    [file] = kept(pages)
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(bytes(body))
    assert pages.get(here).status_code == 404


def test_viewers_and_strangers_send_nothing(pages: Site) -> None:
    viewer = pages.as_(Role.VIEWER)
    assert 'type="file"' not in viewer.get("/imports").text
    assert send(viewer, GOLD, system=NAME).status_code == 403
    here = send(pages, GOLD, system=NAME).headers["location"]
    assert viewer.get(here).status_code == 403
    assert viewer.post(here, {"what": "start"}).status_code == 403
    staff = pages.as_(Role.STAFF)
    assert staff.post(here, {"what": "start", "allow": "100", "why": WHY}).status_code == 403
    stranger = send(Site(pages.runtime, pages.url, None), GOLD, system=NAME)
    assert (stranger.status_code, "send the file once more" in stranger.text) == (401, True)
    assert len(kept(pages)) == 1


def test_one_file_is_taken_at_a_time(pages: Site) -> None:
    """The first sends slowly; the second is told to come back, and holds up nobody."""
    going = threading.Event()
    answers: list[int] = []

    def slowly() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="system"\r\n\r\ncsv\r\n'
        going.set()
        time.sleep(1.0)
        yield b"--x--\r\n"

    def first() -> None:
        with pages.client as client:
            kind = {"content-type": "multipart/form-data; boundary=x"}
            answers.append(client.post("/imports/check", content=slowly(), headers=kind).status_code)

    sending = threading.Thread(target=first)
    sending.start()
    going.wait()
    time.sleep(0.3)
    busy = send(pages, GOLD, system=NAME)
    sending.join()
    assert (busy.status_code, "in a minute" in busy.text) == (503, True)
    assert answers == [403], "a form without its token"
    assert send(pages, GOLD, system=NAME).status_code == 303


# ---- Programs -------------------------------------------------------------------------------------------------------


def test_a_program_sends_looks_and_imports(calls: Program, pages: Site) -> None:
    sent = post(calls, f"/imports?system={NAME}", MAPPED)
    here = f"/imports/files/{sent.json()['id']}"
    assert calls.ask("GET", here).status_code == 422
    said = {"system": NAME, "columns": ["Mail of canary=email", f"Level={TIER}"]}
    told = calls.ask("PUT", here, said).json()
    assert (told["rows"], told["share"]["changed"], told["system_there"]) == (1, 1, True)
    assert calls.get(here) == told
    assert calls.ask("POST", f"{here}/start", {"allow_percent": 100}).status_code == 422, "it needs a reason"
    started = calls.ask("POST", f"{here}/start", {"allow_percent": 100, "why": WHY}).json()
    run = carry_out(pages, started["run"])
    assert run.state is RunState.DONE
    assert calls.get("/imports")["items"][0]["id"] == run.id
    assert calls.get(f"/runs/{run.id}")["file"]["wrote"] == {TIER: 1}
    assert calls.get(f"/runs/{run.id}/undo")["counts"] == {"undone": 1}
    assert calls.ask("GET", here).status_code == 404, "it was imported"


def test_a_program_may_not_do_more_than_its_role(calls: Program) -> None:
    viewer = calls.as_(Role.VIEWER)
    assert post(viewer, f"/imports?system={NAME}", GOLD).status_code == 403
    here = f"/imports/files/{post(calls, f'/imports?system={NAME}', GOLD).json()['id']}"
    for method, path, body in (
        ("GET", here, None), ("PUT", here, {"system": NAME}), ("POST", f"{here}/start", {}), ("DELETE", here, None),
    ):  # fmt: skip
        assert viewer.ask(method, path, body).status_code == 403, path
    assert calls.ask("DELETE", here).json() == {"dropped": here.rpartition("/")[2]}
    assert post(calls, f"/imports?system={NAME}", "").status_code == 422


def post(program: Program, path: str, text: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {program.secret}", "Content-Type": "text/csv"}
    with httpx2.Client(base_url=program.url, trust_env=False, timeout=60) as client:
        return client.post(f"/api/v1{path}", content=text.encode(), headers=headers)
