"""Canaries: values that nobody else has, sought wherever they must not be, after a day with all kinds of mishaps."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from onewriter.cli import root, session
from onewriter.customers import runs
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from tests.support.doors import knock, signed
from tests.support.joined import states_of
from tests.support.processes import environment_of, started, wait_until
from tests.support.raw import raw_bytes

ANN = {
    "first_name": "Zyxcanaryann",
    "last_name": "Zyxcanaryleigh",
    "email": "zyxcanary.ann@zyxcanarymail.example",
    "phone": "+12025550147",
    "note": "zyxcanary likes oolong",
    "tags": ["zyxcanaryvip"],
    "addresses": [
        {"address1": "7 Zyxcanary Wharf", "city": "Zyxcanaryton", "zip": "ZYX 4RY", "country_code": "GB"},
    ],
}
LATER = {"first_name": "Zyxcanarybea", "email": "zyxcanary.bea@zyxcanarymail.example", "phone": "+12025550148"}
PLAIN = {"first_name": "Plain", "email": "plain@example.com"}
COPIES = ("main.backup", "keys.copy")
IN_THE_DATABASE = ("Zyxcanarybea", "Zyxcanaryleigh", LATER["email"], LATER["phone"], "zyxcanaryvip", "Zyxcanary Wharf")
CARD = "4242424242424242"
FORBIDDEN = (b"zyxcanary", b"2025550147", b"2025550148", b"zyx 4ry", CARD.encode())
"""Written in small letters: what is searched is made small too."""


@dataclass(frozen=True)
class Place:
    """An installation, and every word that its commands and processes ever said."""

    runtime: Runtime
    folder: Path

    def run(self, *words: str, **secrets: str) -> str:
        """Give a command; all that it said, which is also kept. Secrets go by the environment."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "onewriter", *words],
            env=environment_of(self.runtime, log_level="debug") | secrets,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr

    def ask(self, words: Sequence[str]) -> str:
        """Give a command in this process, which is a tenth of the work; all that it said."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patched,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name, value in environment_of(self.runtime, log_level="debug").items():
                patched.setenv(name, value)
            patched.chdir(self.folder)
            root.main(words, prog_name="onewriter", standalone_mode=False)
        return out.getvalue() + err.getvalue()

    def log_of(self, name: str) -> str:
        return (self.folder / name).read_text()


def found_in(haystack: str | bytes) -> list[bytes]:
    raw = haystack.encode() if isinstance(haystack, str) else haystack
    return [word for word in FORBIDDEN if word in raw.lower()]


@pytest.mark.req("K5")
def test_no_value_of_a_person_gets_into_files_logs_errors_or_answers(runtime: Runtime, tmp_path: Path) -> None:
    place = Place(runtime, tmp_path)
    faults = Faults(bulk_seconds=0.0, retry_scale=0.001, corrupt_lines=2)
    with (
        RunningSandbox(6, 5, faults=faults) as sandbox,
        started(runtime, "serve", "--port", "0", log=tmp_path / "serve.log", log_level="debug") as service,
    ):
        url = service.told["url"]
        said = [live_a_day(place, sandbox, url)]
        said += map(place.ask, questions_that_anybody_may_ask(runtime))
        with httpx2.Client(trust_env=False) as client:
            said += [client.get(url + path).text for path in ("/metrics", "/readyz", "/nowhere")]
        revealed = reveal_everything(place)
        said += what_is_done_for_others(place, sandbox)
        said += what_a_viewer_hears(place)
        assert service.stop() == 0
    assert [word for word in IN_THE_DATABASE if word not in revealed] == [], "each is there for whoever may see it"
    assert "zyxcanary in a broken body" in revealed
    assert len("".join(said)) > 4_000
    assert [(found, text) for text in said if (found := found_in(text))] == []
    exported = "".join(file.read_text() for file in (tmp_path / "exported").iterdir())
    assert [value for value in PLAIN.values() if value not in exported] == [], "the export holds its own customer"
    assert all((tmp_path / name).stat().st_size > 1_000 for name in COPIES)
    assert found_in(place.log_of("serve.log")) == []
    assert "run ended" in place.log_of("serve.log"), "the log says something"
    for database in (runtime.database, runtime.key_database):
        raw = raw_bytes(database)
        assert len(raw) > 1_000
        assert found_in(raw) == []
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or found_in(path.read_bytes()) == [], path


def live_a_day(place: Place, sandbox: RunningSandbox, url: str) -> str:
    """Import, hear, and go wrong in every way there is; what the commands said meanwhile."""
    runtime, info, shop = place.runtime, sandbox.info, sandbox.shop
    ann = shop.create(**ANN)
    for _ in range(40):
        shop.create(**{name: f"zyxcanary{now()}" for name in ("first_name", "note")})
    secrets = {"SHOPIFY_ACCESS_TOKEN": info.access_token, "SHOPIFY_API_SECRET": info.api_secret}
    said = place.run("shop", "connect", info.domain, "--admin-url", info.admin_url, "--public-url", url, **secrets)
    wait_until(lambda: ended(runtime))
    assert ended(runtime) == ["partial"], reasons(runtime)
    shop.set_faults({"corrupt_lines": 0, "wrong_count": 1})
    said += place.run("sync", "import")
    wait_until(lambda: len(ended(runtime)) == 2)
    granted = list(shop.faults.scopes)
    shop.set_faults({"wrong_count": 0, "scopes": []})
    said += place.run("sync", "import")
    wait_until(lambda: len(ended(runtime)) == 3)
    shop.set_faults({"scopes": granted})
    assert ended(runtime) == ["failed", "done", "partial"], reasons(runtime)
    shop.update(ann.id, **LATER)
    shop.add_tags(ann.id, ["zyxcanarygold"])
    gone, merged, erased = (
        shop.create(first_name=f"Zyxcanary{name}", email=f"zyxcanary.{name}@zyxcanarymail.example")
        for name in ("gone", "merged", "erased")
    )
    shop.create(**PLAIN)
    shop.delete(gone.id)
    shop.merge(ann.id, merged.id, override_email_of=ann.id)
    body = json.dumps({"id": erased.id, "updated_at": "2026-03-02T10:00:00Z", "payment": {"number": CARD}}).encode()
    assert knock(url, body, signed(body, info.api_secret, info.domain, "paid")).status_code == 200
    for name, body in broken_bodies().items():
        assert knock(url, body, signed(body, info.api_secret, info.domain, name)).status_code == 200
    assert knock(url, b"zyxcanary", signed(b"x", "wrong", info.domain, "zyxcanary-refused")).status_code == 401
    wait_until(lambda: shop.courier.settle(1.0) and "waiting" not in states_of(runtime))
    wait_until(lambda: not left_to_read(runtime))
    return said + place.run("privacy", "erase", str(erased.id), "--why", "zyxcanary asked", "--yes")


def broken_bodies() -> dict[str, bytes]:
    return {
        "broken": b'{"id": 1, "note": "zyxcanary in a broken body',
        "mistyped": json.dumps({"id": 2, "updated_at": "zyxcanary", "email": ["zyxcanary"], "card": CARD}).encode(),
        "surplus": json.dumps({"zyxcanary": "zyxcanary"}).encode(),
        "out of range": json.dumps({"id": "zyxcanary", "updated_at": "2026-03-02T10:00:00Z"}).encode(),
        "half a character": b'{"id": 3, "updated_at": "2026-03-02T10:00:00Z", "first_name": "zyxcanary\\ud800"}',
    }


def ended(runtime: Runtime) -> list[str]:
    """How the runs ended, newest first; empty while one is under way."""
    with runtime.database.read() as db:
        found = runs.newest(db, 10)
    return [run.state.value for run in found] if all(run.over for run in found) else []


def reasons(runtime: Runtime) -> list[str | None]:
    with runtime.database.read() as db:
        return [run.reason for run in runs.newest(db, 10)]


def left_to_read(runtime: Runtime) -> int:
    with runtime.database.read() as db:
        return int(db.exec_driver_sql("SELECT count(*) FROM refetch_marks").scalar_one())


def questions_that_anybody_may_ask(runtime: Runtime) -> list[tuple[str, ...]]:
    """Commands that show something, for people and as JSON, without asking for a value."""
    position = str(states_of(runtime)["parked"][0]["position"])
    asked: list[tuple[str, ...]] = [
        ("customers", "find", LATER["email"]),
        ("customers", "find", LATER["phone"], "--json"),
        ("customers", "show", LATER["email"], "--history"),
        ("customers", "show", LATER["email"], "--history", "--json"),
        ("customers", "show", "zyxcanary.ann@zyxcanarymail.example"),
        ("inbox", "list"),
        ("inbox", "show", position),
        ("inbox", "show", position, "--json"),
        ("inbox", "retry", position),
        ("questions", "list"),
        ("questions", "list", "--json"),
        ("runs", "show"),
        ("runs", "list", "--json"),
        ("check",),
    ]
    return asked


def what_is_done_for_others(place: Place, sandbox: RunningSandbox) -> list[str]:
    """An export of a customer who is no canary, copies of everything, and commands that are given badly."""
    plain = sandbox.shop.find(email=PLAIN["email"])
    assert plain is not None
    why = ("--why", "zyxcanary is not who asks")
    asked = [
        # The reason is about the customer, and so a part of what is exported.
        ("privacy", "export", str(plain.id), "exported", "--why", "asked by post"),
        ("backup", COPIES[0]),
        ("keys", "copy", COPIES[1]),
        ("customers", "find", "Zyxcanarybea Zyxcanaryleigh", "--reveal"),
        ("points", "redeem", LATER["email"], "none", "--key", "zyxcanary"),
        ("privacy", "erase", LATER["email"], *why, "--yes"),
        ("privacy", "receipts", "--json"),
    ]
    return list(map(place.ask, asked))


def what_a_viewer_hears(place: Place) -> list[str]:
    """Whatever a viewer asks, also for what it may not see; the reasons in the access log are for owners alone."""
    me = session.actor().removeprefix("user:")
    for who, role in (("somebody", "owner"), (me, "viewer")):
        place.ask(("people", "set", who, role))
    why = ("--why", "zyxcanary is curious")
    shown = place.ask(("customers", "show", LATER["email"], "--history", "--json"))
    ours = json.JSONDecoder().raw_decode(shown)[0]["id"]
    asked = [
        ("customers", "show", LATER["email"], "--reveal", *why),
        ("customers", "find", "Zyxcanarybea", "--reveal", *why, "--json"),
        ("privacy", "export", ours, "for-a-viewer", *why),
        ("privacy", "access", "list", "--json"),
    ]
    heard = list(map(place.ask, asked))
    assert [text for text in heard if "needs the role" in text] == heard[:3], heard
    assert not (place.folder / "for-a-viewer").exists()
    return [shown, *heard]


def reveal_everything(place: Place) -> str:
    """The positive control: whoever says why is shown the values."""
    reason = ("--reveal", "--why", "test", "--json")
    broken = next(row for row in states_of(place.runtime)["parked"] if row["webhook_id"] == "broken")
    body = place.ask(("inbox", "show", str(broken["position"]), *reason))
    return place.ask(("customers", "show", LATER["email"], *reason)) + body
