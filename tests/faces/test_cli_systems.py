"""`onewriter systems`: a real CRM in a file is connected, checked, agreed to, cycled, taken back and taken off."""

import json
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

from onewriter.cli.frame import DONE, FAILED, FINDINGS, USAGE
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out

WHY = ("--why", "agreed with the team")
YES = (*WHY, "--yes")
TABLE = (
    "CREATE TABLE people (id INTEGER PRIMARY KEY, shop_no TEXT, mail TEXT, first TEXT, tier TEXT, "
    "updated TEXT NOT NULL DEFAULT '2026-03-02 10:00:00')"
)
SETTINGS = 'url = "sqlite:///{file}"\ntable = "people"\nkey = "id"\nupdated = "updated"\nlookup = ["mail"]\n'
MAPPED = (("shopify_id", "shop_no"), ("email", "mail"), ("first_name", "first"), ("custom.tier", "tier"))


class Crm:
    """The shop's CRM, as its own people see it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "crm.db"
        self.settings = folder / "crm.toml"
        self.settings.write_text(SETTINGS.format(file=self.file))
        self(TABLE)

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite.connect(self.file)
        try:
            rows = [tuple(row) for row in connection.execute(statement, values).fetchall()]
            connection.commit()
            return rows
        finally:
            connection.close()


@pytest.fixture
def crm(tmp_path: Path) -> Crm:
    return Crm(tmp_path)


@pytest.fixture
def shop(installed: Onewriter, sandbox: RunningSandbox, crm: Crm) -> Onewriter:
    """A shop of one customer, whom the CRM knows by the same address in other letters."""
    sandbox.shop.create(email="mia@example.com", first_name="Mia", last_name="Lee")
    installed.imported(sandbox)
    crm("INSERT INTO people (mail, first, tier) VALUES ('MIA@Example.com', 'Maria', 'gold')")
    return installed


def add(onewriter: Onewriter, crm: Crm, *words: str, code: int = 0) -> Any:
    return onewriter.json("systems", "add", "crm", "--kind", "sql", "--config", str(crm.settings), *words, code=code)


def mapped(onewriter: Onewriter, crm: Crm, *words: str) -> None:
    """The CRM connected, owning the tier, and told of the rest of those whom it knows."""
    add(onewriter, crm, "--no-create", *words)
    onewriter("fields", "own", "custom.tier", "crm", *YES)
    for field, remote in MAPPED:
        onewriter("fields", "map", "crm", field, "--remote", remote, *YES)


def cycled(onewriter: Onewriter, *words: str, name: str = "crm") -> Any:
    """A cycle to its end, as a worker would carry it out; what `runs show` tells of it."""
    run = onewriter.json("systems", "cycle", name, *words)["run"]
    carry_out(run)
    return onewriter.json("runs", "show", run)


def agreed(onewriter: Onewriter) -> Any:
    cycled(onewriter)
    [question] = onewriter.json("questions", "list")
    onewriter("questions", "answer", str(question["id"]), "go on", *WHY)
    return cycled(onewriter)


# ---- Connecting -----------------------------------------------------------------------------------------------------


def test_a_system_is_tried_before_it_is_kept_and_tells_what_it_has(shop: Onewriter, crm: Crm) -> None:
    tried = add(shop, crm, "--dry-run")
    assert (tried["added"], [each["name"] for each in shop.json("systems", "list")]) == (False, ["shopify"])
    told = add(shop, crm, "--every", "2h", "--full-every", "3d")
    names = {each["name"] for each in told["fields"]}
    assert {"mail", "first", "tier"} <= names
    shown = shop.json("systems", "show", "crm")
    assert (shown["every_minutes"], shown["full_hours"], shown["creates"]) == (120, 72, True)
    assert shown["added_by"].startswith("user:")
    for document in (shown, shop.json("systems", "list")):
        assert str(crm.file) not in json.dumps(document), "how it is reached is never shown"
    assert (
        "is connected already"
        in shop("systems", "add", "crm", "--kind", "sql", "--config", str(crm.settings), code=FAILED).err
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("shopify", "--kind", "sql"), "is none of"),
        (("CRM!", "--kind", "sql"), "small letters"),
        (("crm", "--kind", "fax"), "no kind of system called fax"),
        (("crm", "--kind", "sql"), "needs the setting url"),
        (("crm", "--kind", "sql", "--set", "url=postgresql://me:hush@db/x"), "--secret url="),
        (("crm", "--kind", "sql", "--secret", "url=hush-hush"), "names no environment variable"),
        (("crm", "--kind", "csv", "--set", "folder=/x", "--set", "key=id", "--set", "colour=red"), "no setting colour"),
        (
            ("crm", "--kind", "csv", "--set", "folder=/x", "--set", "key=id", "--set", "settle_s=soon"),
            "settle_s of a system of the kind csv must be a whole number that fits",
        ),
        (("crm", "--kind", "csv", "--set", "folder=/x", "--set", "key=id", "--set", "settle_s=-1"), "from 0 to 3,600"),
        (("crm", "--kind", "csv", "--every", "often"), "15m, 2h or 1d"),
        (("crm", "--kind", "csv", "--every", "1h", "--by-hand"), "not both"),
        (("crm", "--kind", "sql", "--config", "none.toml"), "cannot be read"),
        (("crm", "--kind", "sql", "--config", "broken.toml"), "neither TOML nor JSON"),
    ],
)
def test_what_cannot_be_is_one_sentence_without_a_secret(
    onewriter: Onewriter, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "broken.toml").write_text("hush = = =")
    told = onewriter("systems", "add", *words, code=USAGE)
    assert sentence in told.err
    assert "hush" not in told.all


def test_a_secret_comes_from_the_environment_or_a_file(
    shop: Onewriter, crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ("--set", "table=people", "--set", "key=id", "--set", "lookup=mail,shop_no")
    monkeypatch.setenv("CRM_URL", f"sqlite:///{crm.file}")
    told = shop("systems", "add", "one", "--kind", "sql", *settings, "--secret", "url=CRM_URL").out
    assert "onewriter fields map one email --remote mail --why" in told, "the next step, with a field that it has"
    (tmp_path / "url").write_text(f"sqlite:///{crm.file}\n")
    shop("systems", "add", "two", "--kind", "sql", *settings, "--secret", "url=@url")
    assert [each["name"] for each in shop.json("systems", "list")] == ["one", "shopify", "two"]
    shop("systems", "set", "two", "--set", "updated=updated", "--by-hand")
    assert shop.json("systems", "show", "two")["capabilities"]["cursor"] == "field"
    assert "may hold a secret" in shop("systems", "set", "two", "--set", "url=x", code=USAGE).err


def test_the_kinds_are_listed_with_their_settings(onewriter: Onewriter) -> None:
    kinds = {each["kind"]: each["settings"] for each in onewriter.json("systems", "kinds")}
    assert {"csv", "odoo", "rest", "sql"} <= kinds.keys()
    [url] = [each for each in kinds["sql"] if each["name"] == "url"]
    assert (url["needed"], url["secret"]) == (True, True)
    assert "Where the database is" in onewriter("systems", "kinds", "sql").out


# ---- Cycles ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("M22")
def test_a_first_cycle_asks_and_what_is_agreed_to_is_written(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    assert shop.json("systems", "check", "crm")["ok"]
    first = cycled(shop)
    assert (first["state"], first["cycle"]["wrote"]) == ("partial", None)
    assert first["cycle"]["plan"]["out"] == {"first_name": 1, "shopify_id": 1}
    assert first["cycle"]["plan"]["in"] == {"custom.tier": 1}
    assert crm("SELECT first, shop_no FROM people") == [("Maria", None)]
    assert shop.json("systems", "show", "crm")["question_waits"]
    second = agreed(shop)
    assert (second["state"], second["cycle"]["wrote"]) == (
        "done", {"in": {"custom.tier": 1}, "out": {"first_name": 1, "shopify_id": 1}},
    )  # fmt: skip
    assert crm("SELECT mail, first, tier FROM people") == [("MIA@Example.com", "Mia", "gold")]
    told = shop("runs", "show", second["id"]).out
    assert "first_name" in told
    assert "written to it" in told
    assert "mia" not in told.lower(), "no value is shown with a run"


def test_a_dry_run_lists_each_write_and_writes_nothing(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    run = cycled(shop, "--dry-run")
    lines = {(each["field"], each["way"], each["owner"]) for each in run["cycle"]["lines"]}
    assert lines == {("custom.tier", "in", "crm"), ("first_name", "out", "shopify"), ("shopify_id", "out", "shopify")}
    assert (run["state"], run["cycle"]["dry_run"]) == ("done", True)
    told = shop("runs", "show", run["id"]).out
    assert "It would write, for crm" in told
    assert crm("SELECT first FROM people") == [("Maria",)]
    assert shop.json("questions", "list") == []


def test_who_agrees_to_many_first_writes_is_asked_once(shop: Onewriter, crm: Crm, sandbox: RunningSandbox) -> None:
    known = [each for each in sandbox.shop.snapshot() if each.email][:26]
    for each in known:
        crm("INSERT INTO people (shop_no, first, tier) VALUES (?, 'x', 'gold')", str(each.id))
    mapped(shop, crm)
    run = agreed(shop)
    assert (run["state"], run["reason"]) == ("done", None)
    assert run["cycle"]["wrote"]["in"]["custom.tier"] > 20, "more than a cycle writes unasked"
    assert shop.json("questions", "list") == []
    assert shop.json("systems", "show", "crm")["allowed"] == {}, "what was agreed to was agreed to once"


@pytest.mark.req("M48")
def test_a_cycle_can_be_taken_back_and_pauses_its_system(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    run = agreed(shop)
    undone = shop.json("systems", "undo", run["id"], "--yes")["run"]
    carry_out(undone)
    assert crm("SELECT first, shop_no, tier FROM people") == [("Maria", None, "gold")]
    assert shop.json("systems", "show", "crm")["state"] == "paused"
    refused = cycled(shop)
    assert (refused["state"], "resume" in refused["reason"]) == ("failed", True)
    shop("systems", "resume", "crm")
    assert shop.json("systems", "show", "crm")["state"] == "active"
    first = shop.json("runs", "list")[-1]["id"]
    assert "is no cycle" in shop("systems", "undo", first, "--yes", code=FAILED).err


def test_what_a_person_allows_is_named_and_logged_with_the_reason(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    assert "go together" in shop("systems", "cycle", "crm", "--allow", "email", code=USAGE).err
    assert "is no field" in shop("systems", "cycle", "crm", "--allow", "fax", *WHY, code=USAGE).err
    shop("systems", "cycle", "crm", "--allow", "email", "--allow", "vanished", *WHY)
    assert shop.json("systems", "show", "crm")["allowed"].keys() == {"email", "vanished"}
    [line] = [each for each in shop.json("privacy", "access", "list") if "allow" in str(each["subject"])]
    assert (line["subject"], line["reason"]) == ("system crm: allow email, vanished", "agreed with the team")
    assert "already queued" in shop("systems", "cycle", "crm", code=FAILED).err


# ---- Trouble and the end --------------------------------------------------------------------------------------------


def test_what_a_system_lacks_is_found_and_told_by_check(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    crm("ALTER TABLE people RENAME COLUMN first TO given")
    found = shop.json("systems", "check", "crm", code=FINDINGS)
    assert any("first" in each for each in found["problems"])
    assert cycled(shop)["state"] == "failed"
    assert "first" in shop.json("systems", "list")[0]["trouble"]
    checked = shop.json("check", code=FINDINGS)
    [line] = [each for each in checked["checks"] if each["name"] == "system crm" and each["level"] != "ok"]
    assert line["next_step"] == "run `onewriter systems check crm`"


def test_check_tells_of_questions_and_parked_values(shop: Onewriter, crm: Crm) -> None:
    mapped(shop, crm)
    agreed(shop)
    crm("UPDATE people SET first = 'Mina', updated = datetime('now')")
    cycled(shop)
    assert crm("SELECT first FROM people") == [("Mia",)]
    lines = [each for each in shop.json("check", code=FINDINGS)["checks"] if each["name"] == "system crm"]
    assert any("1 value is parked" in each["text"] for each in lines)
    [parked] = shop.json("parked", "list")
    assert (parked["system"], parked["field"], parked["direction"]) == ("crm", "first_name", "in")


@pytest.mark.parametrize("agree", [False, True])
def test_a_system_goes_with_all_that_was_known_of_it_once_the_policy_does_not_name_it(
    shop: Onewriter, crm: Crm, agree: bool
) -> None:
    mapped(shop, crm)
    if agree:
        agreed(shop)
    assert "owns custom.tier" in shop("systems", "remove", "crm", "--yes", code=FAILED).err
    Path("before.toml").write_text(shop("fields", "show", "--toml", "--version", "1").out)
    assert shop("fields", "set", "before.toml", *YES).code == DONE
    told = shop.json("systems", "remove", "crm", "--yes")
    assert told["removed"]["links"] == int(agree)
    assert [each["name"] for each in shop.json("systems", "list")] == ["shopify"]
    assert shop.json("questions", "list") == []
    assert "cannot be taken off" in shop("systems", "remove", "shopify", "--yes", code=FAILED).err


def test_the_suite_runs_without_an_installation_and_tells_each_check(onewriter: Onewriter, crm: Crm) -> None:
    crm("CREATE TABLE tried (id INTEGER PRIMARY KEY, mail TEXT, first TEXT, last TEXT, updated TEXT)")
    crm.settings.write_text(SETTINGS.format(file=crm.file).replace("people", "tried"))
    told = onewriter("systems", "conformance", "sql", "--config", str(crm.settings))
    assert "passed" in told.out
    assert ", 0 failed, " in told.out.splitlines()[-1]
    place = "onewriter.connectors.sql:SqlTable"
    document = onewriter.json("systems", "conformance", place, "--config", str(crm.settings))
    assert document["kind"] == "sql"
    assert {each["verdict"] for each in document["checks"]} == {"passed", "not applicable"}
    assert "deleted record is noticed" in document["not_tried"]
    assert all(each in told.out.splitlines()[-2] for each in document["not_tried"])
    assert "There is no Nothing" in onewriter("systems", "conformance", "onewriter:Nothing", code=USAGE).err


def test_shopify_is_a_system_with_a_schedule_of_its_own(shop: Onewriter) -> None:
    shop("systems", "set", "shopify", "--every", "5m")
    shown = shop.json("systems", "show", "shopify")
    assert (shown["kind"], shown["every_minutes"]) == ("shopify", 5)
    assert "Nobody is ever made" in shop("systems", "set", "shopify", "--create", code=USAGE).err
    assert "says how Shopify is reached" in shop("systems", "set", "shopify", "--set", "a=b", code=USAGE).err
    assert "Nothing was given" in shop("systems", "set", "shopify", code=USAGE).err
