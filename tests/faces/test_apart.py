"""What computes for long is worked out by another process: it tells and refuses the same, and never outlives us."""

import pickle
import subprocess
import threading
import time
from typing import Any

import pytest

from onewriter.customers.people import Role
from onewriter.desk import imports, key_rules
from onewriter.desk.caller import Caller
from onewriter.desk.imports import Wish
from onewriter.errors import BadInput, Forbidden
from onewriter.records import id_text
from onewriter.web import apart
from onewriter.workflows.uploads import FileGone
from tests.support.crm import ANN
from tests.support.doors import serving
from tests.support.given import NAME, TIER, Files
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.processes import wait_until
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

MANY = 40_000
"""Rows that take seconds to look at."""


@pytest.fixture
def asker(given: Files) -> Caller:
    given.beside.customer(101, **ANN)
    let_in(given.beside.tea.runtime, "olga", Role.OWNER)
    let_in(given.beside.tea.runtime, "vera", Role.VIEWER)
    return Caller(given.beside.tea.runtime, "user:olga")


def file_of(asker: Caller, rows: int) -> str:
    lines = [f"email,{TIER}", "ann@example.com,gold", *(f"guest{number}@example.com,tin" for number in range(rows))]
    return imports.keep(asker, None, "\n".join(lines).encode(), Wish(NAME))


def test_it_tells_what_would_be_told_here(asker: Caller) -> None:
    sent = file_of(asker, 50)
    told = apart.ask(imports.look, asker, None, sent)
    assert told == imports.look(asker, None, sent)
    assert told["rows"] == 51


def test_a_large_file_is_looked_at_apart_and_a_small_one_here(asker: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[object] = []
    real = subprocess.Popen

    def seen(words: object, **how: Any) -> "subprocess.Popen[bytes]":
        begun.append(words)
        return real(words, **how)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "Popen", seen)
    with serving(asker.runtime) as url:
        olga = Site(asker.runtime, url, let_in(asker.runtime, "olga", Role.OWNER))
        till = Program(asker.runtime, url, token_of(asker.runtime, "till", Role.OWNER))
        for rows, apart_of_here in ((50, 0), (12_000, 2)):
            sent = file_of(asker, rows)
            begun.clear()
            assert f"<dd>{rows + 1:,}, in " in olga.get(f"/imports/files/{sent}").text
            assert till.get(f"/imports/files/{sent}")["rows"] == rows + 1
            assert begun == [apart.COMMAND] * apart_of_here


def test_what_is_refused_there_is_refused_here_in_the_same_words(asker: Caller) -> None:
    viewer = Caller(asker.runtime, "user:vera")
    with pytest.raises(Forbidden, match="needs the role staff"):
        apart.ask(imports.look, viewer, None, "f" * 32)
    with pytest.raises(FileGone, match="kept for a day"):
        apart.ask(imports.look, asker, None, "f" * 32)
    with pytest.raises(BadInput, match="shared by 1 to") as refused:
        apart.ask(key_rules.check, asker, None, {"shared_by_max": 0})
    assert refused.value.about == "shared_by_max"


def test_of_what_nobody_foresaw_no_text_is_told(asker: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(apart.Unanswered, match="Try again"):
        apart.ask(id_text, asker, "canary@example.com")  # type: ignore[arg-type, call-arg]
    said = capfd.readouterr()
    assert "TypeError" in said.err
    assert "canary" not in said.out + said.err
    assert "Traceback" not in said.err


def test_a_server_that_ends_waits_for_nobody_who_computes(asker: Caller) -> None:
    sent, raised = file_of(asker, MANY), []

    def ask() -> None:
        try:
            apart.ask(imports.look, asker, None, sent)
        except apart.Unanswered as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: bool(apart._asked))
    began = time.monotonic()
    apart.end_all()
    asking.join(10)
    assert not asking.is_alive()
    assert len(raised) == 1
    assert time.monotonic() - began < 10
    assert not apart._asked


def test_it_ends_with_whoever_asked(asker: Caller) -> None:
    sent = file_of(asker, MANY)
    asked = pickle.dumps((asker.runtime.settings, asker.who, imports.look, (None, sent), {}))
    with subprocess.Popen(apart.COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(asked)
        process.stdin.flush()
        time.sleep(0.5)
        process.stdin.close()
        assert process.wait(10) != 0
