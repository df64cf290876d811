"""No secret is shown by accident: not by the repr of what holds it, in a traceback, in an error or in a setting."""

import base64
import gc
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.frame import UNREACHABLE
from onewriter.db.engine import Database
from onewriter.runtime import Runtime
from onewriter.shopify.auth import Asked, Credentials
from onewriter.shopify.queries import API_VERSION
from onewriter.vault import master
from onewriter.web.door import DoorRoute
from tests.faces.conftest import Onewriter
from tests.support.keeping import keep_credentials
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea

MASTER = base64.b64encode(b"canary, and thirty-two in length").decode()
PARTS = ("canary", base64.b64encode(b"canary").decode().rstrip("="), b"canary".hex(), MASTER)
ASKED = Asked("app", "canary-3", ("canary-4",), "https://a.example", "https://b.example", API_VERSION, None, "me")
CREDENTIALS = Credentials(
    "authorization_code",
    access_token="canary-1",
    client_id="app",
    client_secret="canary-2",
    api_secrets=("canary-5", "canary-6"),
    refresh_token="canary-7",
    previous_refresh_token="canary-8",
    retired=(("canary-9", 1),),
    asked=ASKED,
)
OPAQUE = (ModuleType, type, FunctionType, FrameType, threading.Thread)


def shown(text: str) -> list[str]:
    return [part for part in PARTS if part in text]


def ours(roots: list[Any]) -> Iterator[Any]:
    """Every object of our own classes that can be reached from these."""
    seen: set[int] = set()
    open_ends = list(roots)
    while open_ends:
        one = open_ends.pop()
        if id(one) in seen or isinstance(one, OPAQUE):
            continue
        seen.add(id(one))
        if type(one).__module__.startswith("onewriter"):
            yield one
        elif not isinstance(one, (Mapping, list, tuple, set, frozenset)):
            continue
        open_ends += gc.get_referents(one)


@pytest.fixture
def telling_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are made up begin with a word that can be looked for."""
    real = os.urandom
    monkeypatch.setattr(
        os, "urandom", lambda length: (b"canary" + real(length))[:length] if length > 16 else real(length)
    )


@ON_SQLITE
def test_nothing_that_holds_a_secret_shows_it(telling_chance: None, tea: Tea, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEWRITER_MASTER_KEY", MASTER)
    keep_credentials(tea.runtime, tea.shop_id, CREDENTIALS)
    [(_, subject)] = tea.runtime.keys.make_subject_keys(tea.shop_id, 1, 1)
    client = tea.runtime.client(tea.shop_id)
    route = DoorRoute(tea.runtime, None, lambda _status: None)  # type: ignore[arg-type]  # it is not knocked at
    found = route._shops._look_up("tea.myshopify.com", 1.0)
    loaded = settings.load()
    assert loaded.text("master_key") == MASTER
    keys = master.parse_keys(MASTER)
    roots = [tea.runtime, tea.vault, subject, client, route, found, loaded, keys, CREDENTIALS, ASKED]
    named = {type(one).__name__: shown(f"{one!r} {one} {one!a}") for one in ours(roots)}
    assert named.keys() >= {
        *("Settings", "MasterKey", "Cipher", "SubjectKey", "ShopKey", "ShopVault", "KeyStore"),
        *("Credentials", "Asked", "AdminClient", "Tokens", "Runtime", "Database", "Known"),
    }
    assert {name: parts for name, parts in named.items() if parts} == {}


@ON_SQLITE
def test_a_traceback_with_all_its_variables_shows_no_secret(tea: Tea) -> None:
    keep_credentials(tea.runtime, tea.shop_id, CREDENTIALS)

    def fail(_runtime: Runtime, _given: Credentials, _keys: Any) -> None:
        raise RuntimeError

    try:
        fail(tea.runtime, CREDENTIALS, master.parse_keys(MASTER))
    except RuntimeError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack[1:]
        told = "".join(traceback.StackSummary.from_list(list(frames)).format())
    assert "_given = Credentials" in told
    assert shown(told) == []


def test_the_password_of_a_database_is_in_no_answer_and_no_error(
    onewriter: Onewriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, tail in (("DATABASE", "main"), ("KEYSTORE", "keys?sslpassword=canary")):
        monkeypatch.setenv(f"ONEWRITER_{name}_URL", f"postgresql://me:canary@127.0.0.1:9/{tail}")
    told = [onewriter("settings"), onewriter("settings", "--json")]
    told += [onewriter(*words, code=UNREACHABLE) for words in (("shop", "list"), ("check",), ("check", "--json"))]
    assert [each.all for each in told if "canary" in each.all] == []
    database = Database(settings.load().database_url)
    assert shown(f"{database!r} {database.url!r} {database.url} {database.engine!r} {settings.load()!r}") == []


def test_what_a_library_logs_and_what_ends_a_thread_is_told_by_type_alone(tmp_path: Path) -> None:
    program = """
import logging, threading
from onewriter import log
log.configure("debug", "json")
try:
    raise ValueError("canary")
except ValueError:
    logging.getLogger("library").exception("canary in a message")
def fail():
    raise KeyError("canary")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    assert "ERROR library (ValueError)" in done.stderr
    assert '"error": "KeyError"' in done.stderr
    assert "canary" not in done.stdout + done.stderr
