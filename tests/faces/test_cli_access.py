"""`onewriter privacy access`: reveals are written down before anything is seen, listed, exported and proved."""

import csv
import io
import json
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from onewriter import settings
from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.db.privacytables import access_log
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver

Become = Callable[[str], None]
WHY = "=Mia Canary called"


@pytest.fixture
def mia(installed: Onewriter, sandbox: RunningSandbox, become: Become) -> str:
    """Shopify's id of a customer; anna is an owner and ben is staff, and anna gives the commands."""
    number = sandbox.shop.create(email="Mia.Canary@example.com", first_name="Mia", last_name="Canary").id
    installed.imported(sandbox)
    become("anna")
    installed("people", "set", "ben", "staff")
    return str(number)


def lines(onewriter: Onewriter, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = onewriter.json("privacy", "access", "list", *words)
    return found


def test_staff_may_reveal_and_a_viewer_may_not_and_both_are_written_down(
    installed: Onewriter, mia: str, become: Become
) -> None:
    become("ben")
    document = installed.json("customers", "show", mia, "--reveal", "--why", WHY)
    assert document["fields"]["last_name"] == "Canary"
    become("cora")
    for words in (("show", mia), ("find", mia)):
        told = installed("customers", *words, "--reveal", "--why", WHY, "--json", code=FAILED)
        assert told.document["error"]["kind"] == "Forbidden"
        assert "anary" not in told.all
    assert "anary" not in installed("customers", "show", mia, "--json").all
    become("anna")
    refused, again, revealed = lines(installed, "--action", "reveal")
    assert (refused["actor"], refused["role"], refused["allowed"]) == ("user:cora", "viewer", False)
    assert again["actor"] == "user:cora"
    assert (revealed["actor"], revealed["role"], revealed["allowed"]) == ("user:ben", "staff", True)
    assert {one["customer"] for one in (refused, revealed)} == {document["id"]}
    assert "last_name" in revealed["fields"]


def test_nothing_is_shown_when_it_cannot_be_written_down(installed: Onewriter, mia: str) -> None:
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        access_log.drop(db)
    told = installed("customers", "show", mia, "--reveal", "--why", WHY, code=FAILED)
    assert "anary" not in told.all


def test_finding_many_is_one_line_for_each(installed: Onewriter, mia: str, sandbox: RunningSandbox) -> None:
    phone = "+41446681800"
    other = sandbox.shop.create(phone=phone, first_name="Max", last_name="Canary")
    body = {"id": 77, "phone": phone, "updated_at": "2026-01-01T10:00:00Z", "created_at": "2026-01-01T10:00:00Z"}
    deliver("customers/create", body)
    deliver("customers/create", body | {"id": other.id}, "w-2")
    found = installed.json("customers", "find", phone, "--reveal", "--why", WHY)
    assert len(found) == 2
    assert [one["fields"]["phone"] for one in found] == [phone, phone]
    assert {one["customer"] for one in lines(installed, "--action", "reveal")} == {one["id"] for one in found}


def test_lines_are_found_by_who_whom_what_and_when(installed: Onewriter, mia: str, become: Become) -> None:
    ours = installed.json("customers", "show", mia, "--reveal", "--why", WHY)["id"]
    assert [one["customer"] for one in lines(installed, "--customer", mia)] == [ours]
    assert [one["customer"] for one in lines(installed, "--customer", ours)] == [ours]
    assert lines(installed, "--customer", str(uuid.uuid4())) == []
    assert [one["action"] for one in lines(installed, "--actor", "anna")] == ["reveal", "people"]
    assert lines(installed, "--actor", "user:ben") == []
    assert len(lines(installed, "--limit", "1")) == 1
    day = lines(installed)[0]["at"][:10]
    assert len(lines(installed, "--since", day, "--until", day)) == 2
    assert lines(installed, "--until", "2020-01-01") == []
    assert lines(installed, "--since", "2999-01-01") == []
    assert "No such access" in installed("privacy", "access", "list", "--action", "nothing").out
    error = installed.json("privacy", "access", "list", "--customer", "4711", code=FAILED)["error"]
    assert error["kind"] == "UnknownCustomer"
    shown = installed("privacy", "access", "list").out
    assert "Mia Canary called" in shown
    become("ben")
    assert "Canary" not in installed("privacy", "access", "list").all
    assert all("reason" not in one for one in lines(installed))


@pytest.mark.req("K32")
def test_reasons_go_with_the_customer_and_the_lines_stay(installed: Onewriter, mia: str) -> None:
    ours = installed.json("customers", "show", mia, "--reveal", "--why", WHY)["id"]
    installed("privacy", "erase", mia, "--why", "she asked", "--yes")
    reasons = {one["reason"] for one in lines(installed, "--customer", ours)}
    assert reasons == {"(gone with the customer)"}
    assert "whole" in installed("privacy", "access", "verify").out


def test_the_log_is_exported_into_a_new_file_for_an_owner(
    installed: Onewriter, mia: str, become: Become, tmp_path: Path
) -> None:
    installed("customers", "show", mia, "--reveal", "--why", WHY)
    told = installed("privacy", "access", "export", "log.csv")
    assert "Wrote 3 lines" in told.out
    file = tmp_path / "log.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["action"] for row in rows] == ["people", "reveal", "export access log"]
    assert rows[1]["reason"] == f"'{WHY}", "a spreadsheet must not run it"
    assert installed.json("privacy", "access", "export", "log.json")["lines"] == 4
    assert [row["reason"] for row in json.loads((tmp_path / "log.json").read_text())][:2] == [None, WHY]
    before = file.read_bytes()
    assert "already" in installed("privacy", "access", "export", "log.csv", code=USAGE).err
    assert file.read_bytes() == before
    assert ".csv or .json" in installed("privacy", "access", "export", "log.xml", code=USAGE).err
    become("ben")
    assert "needs the role owner" in installed("privacy", "access", "export", "mine.csv", code=FAILED).err
    assert not (tmp_path / "mine.csv").exists()


def test_a_log_that_somebody_edited_is_a_finding(installed: Onewriter, mia: str) -> None:
    for _ in range(2):
        installed("customers", "show", mia, "--reveal", "--why", WHY)
    assert installed.json("privacy", "access", "verify") == {
        "ok": True, "lines": 3, "wrong_at": None, "how": None, "restored": [],
    }  # fmt: skip
    with Runtime(settings.load()) as runtime:
        with runtime.database.write() as db:
            db.execute(update(access_log).where(access_log.c.position == 2).values(actor="user:nobody"))
        found = installed.json("privacy", "access", "verify", code=FINDINGS)
        assert (found["ok"], found["wrong_at"], found["how"]) == (False, 2, "changed")
        with runtime.database.write() as db:
            db.execute(delete(access_log).where(access_log.c.position == 1))
    assert "NOT whole: position 1 is missing" in installed("privacy", "access", "verify", code=FINDINGS).out


@pytest.mark.parametrize("why", ["", "  ", "x" * 501])
def test_a_reason_is_neither_empty_nor_endless(onewriter: Onewriter, sandbox: RunningSandbox, why: str) -> None:
    onewriter.connect(sandbox)
    for words in (("customers", "find", "1", "--reveal"), ("privacy", "erase", "1", "--yes")):
        assert "--why" in onewriter(*words, "--why", why, code=USAGE).err
    assert lines(onewriter) == []
