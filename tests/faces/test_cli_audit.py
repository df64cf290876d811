"""`onewriter audit check` and `fields rates`: where to begin, on a real CRM in a file that a person connected."""

import json
from pathlib import Path

import pytest

from onewriter.cli.frame import DONE, FAILED, FINDINGS, USAGE
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver
from tests.faces.test_cli_systems import WHY, YES, Crm, agreed, cycled, mapped

LOOKS = ["direction", "match key", "coverage", "formatting", "permissions", "logging"]
REFUSES = "CREATE TRIGGER no BEFORE UPDATE OF first ON people BEGIN SELECT RAISE(ABORT, 'canary'); END"


@pytest.fixture
def crm(tmp_path: Path) -> Crm:
    return Crm(tmp_path)


@pytest.fixture
def shop(onewriter: Onewriter, sandbox: RunningSandbox, crm: Crm) -> Onewriter:
    """A shop whose one customer with an address the CRM knows, agreed to and in step."""
    sandbox.shop.create(email="mia@example.com", first_name="Mia", last_name="Lee")
    onewriter.imported(sandbox)
    crm("INSERT INTO people (mail, first, tier) VALUES ('MIA@Example.com', 'Maria', 'gold')")
    mapped(onewriter, crm)
    agreed(onewriter)
    onewriter("systems", "check", "crm")
    return onewriter


@pytest.mark.req("M41", "M42", "M43", "M44", "M45", "M46", "M47")
def test_a_boundary_that_holds_is_told_on_one_screen(shop: Onewriter) -> None:
    [one] = shop.json("audit", "check")["systems"]
    assert [each["check"] for each in one["checks"]] == LOOKS
    assert [each["outcome"] for each in one["checks"]] == [*["pass"] * 4, "unknown", "pass"]
    assert (one["class"], one["begin_at"], one["confidence"]) == (None, [], "full")
    told = shop("audit", "check").out.splitlines()
    assert told[0] == "crm"
    assert told[1].split()[:2] == ["pass", "direction"]
    assert told[-1] == "The boundary holds, as far as it is known (not: permissions); look at the records."
    assert len(told) < 15


@pytest.mark.req("M46")
def test_rights_are_tried_on_the_customer_who_was_named(shop: Onewriter, crm: Crm) -> None:
    words = ("audit", "check", "--system", "crm", "--try", "mia@example.com")
    assert "add --yes" in shop(*words, code=USAGE).err
    found = shop.json(*words, "--yes")
    assert {(each["field"], each["taken"]) for each in found["tried"]} == {
        ("email", True), ("first_name", True), ("shopify_id", True),
    }  # fmt: skip
    assert found["systems"][0]["checks"][4]["outcome"] == "pass"
    assert crm("SELECT mail, first, tier FROM people") == [("MIA@Example.com", "Mia", "gold")]
    [line] = [each for each in shop.json("privacy", "access", "list") if each["action"] == "try rights"]
    assert (line["subject"], line["fields"]) == ("system crm", ["email", "first_name", "shopify_id"])
    history = shop.json("customers", "show", "mia@example.com", "--history")["history"]
    assert [each["reason"] for each in history[:3]] == ["tried whether it may be written"] * 3
    crm(REFUSES)
    told = shop(*words, "--field", "first_name", "--yes", code=FINDINGS)
    assert told.err.startswith("first_name: refused, ")
    assert told.out.splitlines()[-1].startswith("The boundary is where to begin: permissions.")
    assert "canary" not in told.all


@pytest.mark.req("M41", "M44")
def test_the_field_in_question_ends_it_where_it_is_not_carried(shop: Onewriter) -> None:
    found = shop.json("audit", "check", "--field", "note", code=FINDINGS)
    [one] = found["systems"]
    assert (found["field"], one["class"], one["begin_at"]) == ("note", "boundary", ["coverage"])
    told = shop("audit", "check", "--field", "note", code=FINDINGS).out
    assert "note is not mapped to crm." in told
    assert "The boundary is where to begin: coverage." in told
    assert shop.json("audit", "check", "--field", "email")["systems"][0]["class"] is None


def test_what_cannot_be_checked_is_one_sentence(shop: Onewriter, sandbox: RunningSandbox) -> None:
    assert "--try needs --system" in shop("audit", "check", "--try", "1", code=USAGE).err
    assert "is no field" in shop("audit", "check", "--field", "fax", code=USAGE).err
    assert "no such system" in shop("audit", "check", "--system", "erp", code=FAILED).err
    assert "own side" in shop("audit", "check", "--system", "shopify", code=FAILED).err
    other = next(each.email for each in sandbox.shop.snapshot() if each.email and each.email != "mia@example.com")
    words = ("audit", "check", "--system", "crm", "--yes", "--try")
    assert "has no record in crm" in shop(*words, other, code=FAILED).err
    nothing = shop(*words, "mia@example.com", "--field", "custom.tier", code=FAILED).err
    assert "Nothing of it is written to crm" in nothing


def test_without_a_system_there_is_no_boundary(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    assert "No system is connected beside Shopify" in onewriter("audit", "check").out
    assert onewriter.json("audit", "check")["systems"] == []
    assert "No field has changed." in onewriter("fields", "rates").out


@pytest.mark.req("M21")
def test_fields_are_ranked_by_how_often_they_change_and_are_in_trouble(
    shop: Onewriter, crm: Crm, sandbox: RunningSandbox
) -> None:
    number = next(each.id for each in sandbox.shop.snapshot() if each.email == "mia@example.com")
    for at in range(3):
        body = {"id": number, "email": "mia@example.com", "first_name": "Mia", "last_name": "Lee"}
        at_least = {"phone": f"+4144668180{at}", "updated_at": f"2030-01-0{at + 1}T00:00:00Z"}
        deliver("customers/update", body | at_least, f"w-{at}")
    crm("UPDATE people SET first = 'Mina', updated = datetime('now')")
    assert cycled(shop)["state"] == "done"
    shop("customers", "set", str(number), "custom.tier=silver", *WHY)
    found = shop.json("fields", "rates")
    assert [(each["field"], each["changes"]) for each in found["by_change"]] == [("phone", 3), ("custom.tier", 1)]
    assert found["by_change"][0]["by"] == [{"system": "shopify", "path": "webhook", "changes": 3}]
    weekly = 3 * 7 / 30 / found["customers"]
    assert found["by_change"][0]["per_customer_week"] == pytest.approx(weekly, abs=1e-6)
    trouble = {each["field"]: each for each in found["by_trouble"]}
    assert list(trouble) == ["first_name", "custom.tier"]
    assert (trouble["first_name"]["refused"], trouble["first_name"]["parked"]) == (1, 1)
    assert trouble["first_name"]["per_100_changes"] is None
    assert (trouble["custom.tier"]["by_hand"], trouble["custom.tier"]["per_100_changes"]) == (1, 100.0)
    assert found["merged_customers"]["count"] == 0
    told = shop("fields", "rates").out
    assert told.index("phone") < told.index("IN TROUBLE MOST") < told.index("first_name")
    assert "Mina" not in told + json.dumps(found)


def test_an_owner_that_nobody_asks_is_named(shop: Onewriter) -> None:
    shop("fields", "own", "note", "crm", *YES)
    [one] = shop.json("audit", "check", code=FINDINGS)["systems"]
    assert one["checks"][0]["evidence"][0] == "crm owns note and is not asked for it: it is not mapped."
    assert one["begin_at"] == ["direction"]
    assert shop("audit", "check", "--field", "email", code=DONE)
