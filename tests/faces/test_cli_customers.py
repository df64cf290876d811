"""`onewriter customers`: people find and see customers, masked unless they say why not."""

import json
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.cli.session import actor
from onewriter.intake.apply import apply
from onewriter.records import Change, Kind, Path
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver

WHY = "a call from the customer"


def a_customer(sandbox: RunningSandbox) -> Any:
    """Somebody with an email address, a phone number and a note in the shop."""
    return sandbox.shop.create(
        email="Mia.Canary@example.com", phone="+41446681800", first_name="Mia", last_name="Canary", note="canary note"
    )


def test_a_customer_is_shown_with_its_values_to_who_says_why(installed: Onewriter, sandbox: RunningSandbox) -> None:
    made = a_customer(sandbox)
    installed.imported(sandbox)
    told = installed("customers", "show", str(made.id), "--reveal", "--why", WHY, "--json")
    fields = told.document["fields"]
    assert (fields["first_name"], fields["last_name"]) == ("Mia", "Canary")
    assert (fields["email"].lower(), fields["phone"]) == ("mia.canary@example.com", "+41446681800")
    assert fields["state"] == made.state.lower()
    assert told.document["owners"]["email"] == "shopify"
    assert told.document["created_at"].endswith("Z")
    assert "canary note" in installed("customers", "show", str(made.id), "--reveal", "--why", WHY).out


def test_revealing_is_logged_with_who_what_and_why_and_no_value(installed: Onewriter, sandbox: RunningSandbox) -> None:
    made = a_customer(sandbox)
    installed.imported(sandbox)
    told = installed("customers", "show", str(made.id), "--reveal", "--why", WHY, "--json")
    [line] = told.err.splitlines()
    assert "values revealed" in line
    for part in (actor(), told.document["id"], "email", "addresses", "sandbox-shop.myshopify.com"):
        assert part in line
    # What people type as a reason may name the customer: it is in the access log alone, sealed.
    for value in ("anary", "41446681800", str(made.id), WHY):
        assert value not in line
    [access] = installed.json("privacy", "access", "list")
    assert (access["actor"], access["customer"], access["reason"]) == (actor(), told.document["id"], WHY)
    assert {"email", "addresses"} <= set(access["fields"])
    [line] = installed("customers", "find", "mia.canary@example.com", "--reveal", "--why", WHY).err.splitlines()
    assert "values revealed" in line


def test_a_customer_is_masked_for_everybody_else(installed: Onewriter, sandbox: RunningSandbox) -> None:
    made = a_customer(sandbox)
    installed.imported(sandbox)
    for words in (["show"], ["show", "--history"], ["find"], ["show", "--json", "--history"], ["find", "--json"]):
        told = installed("customers", *words, str(made.id))
        assert "anary" not in told.all
        assert "41446681800" not in told.all
        assert told.err == ""


@pytest.mark.parametrize("words", [["--reveal"], ["--reveal", "--why", "  "], ["--why", WHY]])
def test_revealing_and_a_reason_go_together(onewriter: Onewriter, words: list[str]) -> None:
    for command in (["customers", "show", "1"], ["customers", "find", "1"], ["inbox", "show", "1"]):
        assert "--why" in onewriter(*command, *words, code=USAGE).err


@pytest.mark.parametrize("text", ["mia.canary@EXAMPLE.com", "+41 44 668 18 00", "gid", "id"])
def test_a_customer_is_found_by_what_people_know(installed: Onewriter, sandbox: RunningSandbox, text: str) -> None:
    made = a_customer(sandbox)
    installed.imported(sandbox)
    known = {"gid": f"gid://shopify/Customer/{made.id}", "id": str(made.id)}
    [found] = installed.json("customers", "find", known.get(text, text))
    assert found["shopify_id"] == made.id
    assert installed.json("customers", "show", found["id"])["shopify_id"] == made.id
    assert str(made.id) in installed("customers", "find", found["id"]).out


def test_a_customer_is_found_by_name_and_stays_masked(installed: Onewriter, sandbox: RunningSandbox) -> None:
    made = a_customer(sandbox)
    installed.imported(sandbox)
    for text in ("canary", "CANÁRY mia", "cana", "mia can"):
        told = installed("customers", "find", text, "--json")
        assert made.id in [one["shopify_id"] for one in told.document]
        assert "anary" not in told.all
    assert installed("customers", "find", "canary").err == ""
    short = installed("customers", "find", "cq", code=FINDINGS)
    assert "three letters" in short.err
    assert installed.json("customers", "find", "canary", "--active")[0]["shopify_id"] == made.id
    deliver("customers/delete", {"id": made.id})
    assert installed.json("customers", "find", "canary")[0]["state"] == "deleted"
    assert installed.json("customers", "find", "canary", "--active", code=FINDINGS) == []
    assert "TextTooLong" in installed("customers", "find", "a" * 400, "--json", code=FAILED).all


def test_nobody_found_is_a_finding(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    assert installed.json("customers", "find", "nobody@example.com", code=FINDINGS) == []
    told = installed("customers", "find", "nobody@example.com", code=FINDINGS)
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "nobody" not in told.err
    error = installed.json("customers", "show", "nobody@example.com", code=FAILED)["error"]
    assert error["kind"] == "UnknownCustomer"
    assert "nobody" not in json.dumps(error)


def test_the_history_says_who_wrote_what(installed: Onewriter, sandbox: RunningSandbox) -> None:
    made = a_customer(sandbox)
    run_id = installed.imported(sandbox)
    [line] = installed.json("customers", "show", str(made.id), "--history")["history"]
    assert (line["writer"], line["path"], line["run_id"], line["accepted"]) == ("shopify", "bulk", run_id, True)
    assert "email" in line["fields"]
    assert line["heard_at"].endswith("Z")
    assert "ALLOWED" in installed("customers", "show", str(made.id), "--history").out


def test_a_value_cannot_steer_the_terminal(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    made = sandbox.shop.create(email="mia@example.com", note="\x1b[2Jgone [red]not markup[/red]")
    onewriter.imported(sandbox)
    told = onewriter("customers", "show", str(made.id), "--reveal", "--why", WHY).out
    assert "\x1b" not in told
    assert "[red]not markup[/red]" in told


@pytest.mark.req("K39", "K46")
def test_a_merged_away_customer_says_into_whom_and_the_kept_one_from_whom(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    installed.imported(sandbox)
    first, second, third = sandbox.shop.ids[:3]
    with Runtime(settings.load()) as runtime:
        vault, moment = runtime.vault(1), runtime.now()
        chain = [Change(first, Kind.MERGED, Path.WEBHOOK, {}, None, moment, into=second)]
        chain += [Change(second, Kind.MERGED, Path.WEBHOOK, {}, None, moment + 1, into=third)]
        chain += [Change(number, Kind.ABSENT, Path.READ, {}, None, moment + 2) for number in (first, second)]
        with runtime.database.write() as db:
            apply(db, vault, chain, moment)
    shown = installed.json("customers", "show", str(first))
    assert (shown["state"], shown["merged_into"], shown["merged_from"]) == ("merged", third, [])
    kept = installed.json("customers", "show", str(third))
    assert (kept["state"], kept["merged_into"], kept["merged_from"]) == ("active", None, [second])
