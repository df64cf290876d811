"""Who may give which command: each is named here, and a viewer gets nothing protected out of any of them."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from onewriter import settings
from onewriter.cli import commands, root
from onewriter.cli.frame import FAILED, FINDINGS
from onewriter.customers import questions, shops
from onewriter.customers.questions import Ask
from onewriter.customers.retention import LARGE_PURGE
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver

Become = Callable[[str], None]
DOMAIN = "sandbox-shop.myshopify.com"
WHY = ("--why", "a canary reason")
PROTECTED = ("canary", "41446681800", "8280", "@example.com")
"""Parts of the values of the customer whom everybody looks for."""

RUNS_HERE = ("demo", "serve", "worker", "sandbox", "bench", "identity", "diagnose")
"""What runs the service or a rehearsal of it, or needs no installation, and is the operating system's to allow."""

VIEWER: dict[str, tuple[tuple[str, ...], ...]] = {
    "notify list": ((),),
    "audit check": ((), ("--field", "email", "--days", "5")),
    "cases list": ((), ("--all", "--field", "email")),
    "cases show": (("1",),),
    "check": ((),),
    "customers corrections": ((),),
    "customers find": (("{id}",), ("Mia.Canary@example.com",), ("canary",), ("+41446681800",)),
    "customers refused": ((), ("--field", "email")),
    "customers show": (("{id}",), ("{id}", "--history"), ("{ours}",), ("{other}", "--history", "--field", "email")),
    "fields check": ((),),
    "fields keys check": ((), ("--keys", "id,email")),
    "fields fit": ((), ("--weeks", "3")),
    "fields rates": ((), ("--days", "5")),
    "fields show": ((), ("--toml",), ("--history",)),
    "inbox list": ((),),
    "inbox show": (("1",),),
    "keys list": ((),),
    "links review list": ((),),
    "links show": (("{id}",), ("{ours}",)),
    "merge list": ((),),
    "merge plan": (("{id}", "{other}"),),
    "merge show": (("{ours}",),),
    "parked list": ((), ("--customer", "{id}", "--all")),
    "people list": ((),),
    "points audit": ((),),
    "points show": (("{id}", "--lots"), ("Mia.Canary@example.com",)),
    "privacy access list": ((), ("--customer", "{id}")),
    "privacy access verify": ((),),
    "privacy due": ((),),
    "privacy receipts": ((),),
    "privacy requests": ((), ("--all",)),
    "programme check": (("rules.toml",),),
    "programme show": ((),),
    "questions list": ((), ("--all",)),
    "questions show": (("1",),),
    "runs list": ((),),
    "runs show": ((), ("{run}",)),
    "runs watch": (("{run}", "--no-wait"),),
    "settings": ((),),
    "shop list": ((),),
    "shop show": ((), (DOMAIN,)),
    "systems check": (("shopify",),),
    "systems conformance": (("sql", "--set", "table=people"),),
    "systems kinds": ((), ("sql",)),
    "systems list": ((),),
    "systems show": (("shopify",),),
}
"""What everybody may do, and how it is tried."""

STAFF: dict[str, tuple[str, ...]] = {
    "notify retry": ("1",),
    "notify test": (),
    "audit check": ("--system", "crm", "--try", "{id}", "--yes"),
    "audit run": ("--system", "crm"),
    "cases checklist": ("1",),
    "cases close": ("1", *WHY),
    "cases export": ("1", "a-folder", *WHY),
    "cases fix": ("1", "--done", "elsewhere"),
    "cases verify": ("1",),
    "csv check": ("file.csv",),
    "csv import": ("file.csv", "--yes"),
    "customers find": ("{id}", "--reveal", *WHY),
    "customers restore": ("{id}", *WHY),
    "customers set": ("{id}", "note=canary", *WHY),
    "customers show": ("{id}", "--reveal", *WHY),
    "inbox drop": ("1", "--yes"),
    "inbox retry": ("1",),
    "inbox show": ("1", "--reveal", *WHY),
    "links break": ("crm", "a-record", *WHY, "--yes"),
    "links link": ("crm", "a-record", "{id}", *WHY),
    "links review accept": ("crm", "a-record", "{id}", *WHY),
    "links review list": ("--reveal", *WHY),
    "links review refuse": ("crm", "a-record", "{id}", *WHY),
    "links show": ("{id}", "--reveal", *WHY),
    "merge undo": ("{ours}", *WHY, "--yes"),
    "parked drop": ("{ours}", *WHY, "--yes"),
    "parked release": ("{ours}", *WHY),
    "points adjust": ("{id}", "--give", "5", *WHY),
    "points award": ("signup", "--yes"),
    "points days": ("{id}", "30"),
    "points exclude": ("{id}", *WHY),
    "points give": ("{id}", "review", "--reference", "r-1"),
    "points include": ("{id}",),
    "points redeem": ("{id}", "5", "--key", "k-1"),
    "questions answer": ("1", "drop"),
    "runs resume": ("{run}",),
    "sync customer": ("{id}",),
    "systems cycle": ("shopify",),
    "systems pause": ("shopify", *WHY),
    "systems resume": ("shopify",),
    "sync import": (),
    "sync orders": (),
    "sync reconcile": (),
}

OWNER: dict[str, tuple[str, ...]] = {
    "backup": ("a.backup",),
    "csv export": ("all.csv", *WHY),
    "csv undo": ("{run}", "--yes"),
    "fields map": ("shopify", "phone", "--direction", "none", *WHY, "--yes"),
    "fields own": ("phone", "manual", *WHY, "--yes"),
    "fields set": ("policy.toml", *WHY, "--yes"),
    "keys copy": ("a.copy",),
    "keys create": (),
    "keys restore-copy": ("mine.copy", "--yes"),
    "keys rotate": (),
    "people invite": ("cora", "owner"),
    "people log-out": ("ben",),
    "people remove": ("ben",),
    "people set": ("cora", "owner"),
    "privacy access export": ("a.csv",),
    "privacy erase": ("{id}", *WHY, "--yes"),
    "privacy export": ("{id}", "a-folder", *WHY),
    "privacy purge": ("--yes",),
    "privacy requests close": ("1", *WHY),
    "programme set": ("rules.toml", "--yes"),
    "restore-backup": ("mine.backup", "--yes"),
    "shop connect": (DOMAIN, "--public-url", "http://127.0.0.1:8480", "--admin-url", "http://127.0.0.1:1"),
    "shop disconnect": (DOMAIN, "--yes"),
    "shop retention": (DOMAIN, "10", "--yes"),
    "systems add": ("crm", "--kind", "csv", "--set", "folder=/nowhere", "--set", "key=id", "--set", "read=a.csv"),
    "systems remove": ("shopify", "--yes"),
    "systems set": ("shopify", "--every", "1h"),
    "systems undo": ("{run}", "--yes"),
    "tokens create": ("mine", "--role", "owner"),
    "tokens list": (),
    "tokens revoke": ("till",),
}


def does_something(command: click.Command) -> bool:
    return not isinstance(command, click.Group) or command.invoke_without_command


def test_every_command_is_named_with_who_may_give_it() -> None:
    given = {path.removeprefix("onewriter ") for path, each in commands() if does_something(each)}
    named = VIEWER.keys() | STAFF.keys() | OWNER.keys()
    assert {path for path in given if path.split()[0] not in RUNS_HERE} == named


@pytest.fixture
def known(
    onewriter: Onewriter, sandbox: RunningSandbox, become: Become, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """What the commands are about, and what is there of it; anna gives the commands."""
    become("anna")
    mia = sandbox.shop.create(
        email="Mia.Canary@example.com", phone="+41446681800", first_name="Mia", last_name="Canary",
        note="canary note", addresses=[{"address1": "1 Canary Wharf", "zip": "8280"}], tags=["canary-vip"],
    )  # fmt: skip
    other = sandbox.shop.create(email="other.canary@example.com", first_name="Canary")
    (tmp_path / "policy.toml").write_text('[fields.phone]\nowner = "manual"\n')
    (tmp_path / "file.csv").write_text("email,note\nMia.Canary@example.com,canary words\n")
    (tmp_path / "rules.toml").write_text('currency = "USD"\n[signup]\npoints = 50\n')
    monkeypatch.setenv("SHOPIFY_ACCESS_TOKEN", sandbox.info.access_token)
    monkeypatch.setenv("SHOPIFY_API_SECRET", sandbox.info.api_secret)
    run = onewriter.imported(sandbox)
    deliver("orders/fancy", {"id": 5, "email": "canary@example.com", "note": "canary"})
    asks = {"shop_id": 1, "shop_domain": DOMAIN, "orders_requested": [], "data_request": {"id": 9}}
    deliver("customers/data_request", asks | {"customer": {"id": mia.id, "email": "Mia.Canary@example.com"}}, "w-2")
    deliver("customers/delete", {"id": other.id}, "w-3")
    onewriter("customers", "restore", str(other.id), *WHY)
    onewriter("programme", "set", "rules.toml", "--yes")
    onewriter("points", "adjust", str(mia.id), "--give", "50", "--why", "kindness")
    ours = onewriter.json("customers", "show", str(mia.id), "--reveal", *WHY)["id"]
    onewriter("backup", "mine.backup")
    onewriter("keys", "copy", "mine.copy")
    return {"id": str(mia.id), "other": str(other.id), "ours": ours, "run": run}


def said(path: str, words: tuple[str, ...], known: dict[str, str], *, as_json: bool = True) -> tuple[int, str]:
    """The exit code of a command and all that it said, whatever came of it."""
    out = io.StringIO()
    filled = [word.format(**known) for word in words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = root.main([*path.split(), *filled, *(["--json"] if as_json else [])], standalone_mode=False)
    return code, out.getvalue()


def refused(path: str, words: tuple[str, ...], known: dict[str, str]) -> str | None:
    """The kind of the error of a command that ought to be refused; None when it said something protected, too."""
    code, told = said(path, words, known)
    if code != FAILED or any(part in told.lower() for part in PROTECTED):
        return None
    kind: str = json.loads(told)["error"]["kind"]
    return kind


@pytest.mark.req("K5")
def test_a_viewer_gets_nothing_protected_and_changes_nothing(
    onewriter: Onewriter, known: dict[str, str], become: Become
) -> None:
    onewriter("people", "set", "ben", "staff")
    before = stand(onewriter)
    become("cora")
    for path, tried in VIEWER.items():
        for words in tried:
            for as_json in (True, False):
                told = said(path, words, known, as_json=as_json)[1].lower()
                assert told, path
                assert not [part for part in PROTECTED if part in told], path
    assert {path: refused(path, words, known) for path, words in (STAFF | OWNER).items()} == dict.fromkeys(
        STAFF | OWNER, "Forbidden"
    )
    become("ben")
    assert {path: refused(path, words, known) for path, words in OWNER.items()} == dict.fromkeys(OWNER, "Forbidden")
    lines = onewriter.json("privacy", "access", "list", "--actor", "cora")
    assert not [line for line in lines if line["allowed"]]
    assert {line["action"] for line in lines} >= {"reveal", "export", "erase", "backup", "people", "restore"}
    assert stand(onewriter) == before


def stand(onewriter: Onewriter) -> list[Any]:
    """What nobody but staff may change."""
    asked = ("shop list", "runs list", "inbox list", "questions list", "people list", "keys list", "programme show")
    return [onewriter.json(*path.split()) for path in asked]


def test_only_an_owner_answers_what_may_end_protected_data(
    onewriter: Onewriter, known: dict[str, str], become: Become
) -> None:
    onewriter("people", "set", "ben", "staff")
    ask = Ask(LARGE_PURGE, "1", "Many are due.", {"purge": "purge them", "wait": "wait"}, "nothing")
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        number = str(questions.ask(db, shops.every(db)[0].id, ask, now()))
    become("ben")
    answer = ("questions", "answer", number, "wait", *WHY)
    assert "needs the role owner" in onewriter(*answer, code=FAILED).err
    become("anna")
    assert onewriter.json(*answer)["answer"] == "wait"
    told = [(line["actor"], line["subject"], line["allowed"]) for line in onewriter.json("privacy", "access", "list")]
    subject = f"question {number}, {LARGE_PURGE}: wait"
    assert told[:2] == [("user:anna", subject, True), ("user:ben", subject, False)]


def test_a_viewer_learns_no_name_letter_by_letter(
    installed: Onewriter, sandbox: RunningSandbox, become: Callable[[str], None]
) -> None:
    installed.imported(sandbox)
    name = next(each.first_name for each in sandbox.shop.snapshot() if each.first_name and len(each.first_name) > 4)
    installed("people", "set", "vera", "viewer")
    assert installed.json("customers", "find", name[:4])
    become("vera")
    told = installed("customers", "find", name[:4], code=FINDINGS)
    assert "whole words alone" in told.err
    assert installed.json("customers", "find", name)


def test_staff_does_not_give_up_what_the_law_asks(
    installed: Onewriter, sandbox: RunningSandbox, become: Callable[[str], None]
) -> None:
    installed.imported(sandbox)
    installed("people", "set", "sam", "staff")
    deliver("customers/redact", {"shop_id": 1, "shop_domain": "other.myshopify.com", "customer": {"id": 1}}, "w-redact")
    [question] = installed.json("questions", "list")
    position = str(question["evidence"]["position"])
    become("sam")
    for words in (("inbox", "drop", position, "--yes"), ("questions", "answer", str(question["id"]), "drop")):
        assert "needs the role owner" in installed(*words, code=FAILED).err
    assert installed.json("privacy", "requests")[0]["state"] == "open"
