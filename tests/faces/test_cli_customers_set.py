"""`onewriter customers set` and the history that it leaves."""

from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.cli.session import actor
from onewriter.customers import policies
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter
from tests.support.owners import give
from tests.support.shops import Tea

WHY = ("--why", "a call from the customer")


def own(owners: dict[str, str]) -> None:
    """Give fields of the connected shop to others."""
    with Runtime(settings.load()) as runtime:
        give(Tea(runtime, 1), runtime.now(), owners)


def imported(installed: Onewriter, sandbox: RunningSandbox) -> str:
    made = sandbox.shop.create(
        email="Mia.Canary@example.com", phone="+41446681800", first_name="Mia", note="canary tea"
    )
    installed.imported(sandbox)
    return str(made.id)


def version() -> int:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return policies.of_shop(db, 1).version


@pytest.mark.req("M8", "M27", "M40")
def test_a_field_is_set_and_the_history_says_who_and_where_it_goes(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    number = imported(installed, sandbox)
    own({"note": "manual"})
    told = installed("customers", "set", number, "note=likes canaries", "email=new.canary@example.com", *WHY, "--json")
    fields: dict[str, Any] = {each["field"]: each for each in told.document["fields"]}
    assert (fields["note"]["outcome"], fields["note"]["owner"]) == ("applied", "manual")
    assert (fields["email"]["outcome"], fields["email"]["owner"]) == ("sent to its owner", "shopify")
    assert "warning: shopify owns email" in told.err
    assert "anar" not in told.all.replace("a call", "")
    again = installed("customers", "set", number, "email=newer.canary@example.com", *WHY)
    assert "hand edit 2 of email" in again.err
    history = installed.json("customers", "show", number, "--history", "--field", "note")
    first = history["history"][0]
    assert (first["writer"], first["path"], first["system"]) == (actor(), "hand", "manual")
    assert ("new" in first, history["last_clean"]["shopify"].keys()) == (False, {"note"})
    seen = installed.json("customers", "show", number, "--history", "--field", "note", "--reveal", *WHY)
    assert seen["history"][0]["old"] == {"note": "canary tea"}
    assert seen["history"][0]["new"] == {"note": "likes canaries"}
    assert (seen["history"][1]["old"], seen["history"][1]["new"]) == (None, None), "nothing is kept of Shopify's own"
    shown = installed("customers", "show", number, "--history").out
    assert "LAST IN STEP" in shown
    assert "anar" not in shown
    actions = [line["action"] for line in installed.json("privacy", "access", "list")]
    assert actions.count("set by hand") == 2


def test_a_dry_run_changes_nothing(installed: Onewriter, sandbox: RunningSandbox) -> None:
    number = imported(installed, sandbox)
    before = installed.json("customers", "show", number, "--history")
    told = installed.json("customers", "set", number, "--clear", "note", *WHY, "--dry-run")
    assert (told["dry_run"], told["fields"][0]["outcome"]) == (True, "sent to its owner")
    assert installed.json("customers", "show", number, "--history") == before
    assert installed.json("privacy", "access", "list") == []


def test_what_cannot_be_sent_is_a_finding(installed: Onewriter, sandbox: RunningSandbox) -> None:
    number = imported(installed, sandbox)
    own({"note": "erp"})
    assert version() == 2
    told = installed("customers", "set", number, "note=x", *WHY, code=FINDINGS)
    assert "that system is not connected" in told.out
    [one] = installed.json("parked", "list")
    assert (one["system"], one["field"]) == ("manual", "note")


@pytest.mark.parametrize(
    "words", [[], ["note"], ["=x"], ["note=x", "note=y"], ["note=x", "--clear", "note"], [f"f{n}=x" for n in range(51)]]
)
def test_fields_are_given_by_name_and_value(onewriter: Onewriter, words: list[str]) -> None:
    onewriter("customers", "set", "1", *words, *WHY, code=USAGE)


def test_a_bad_value_is_one_sentence(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    number = imported(onewriter, sandbox)
    error = onewriter.json("customers", "set", number, "email=no canary", *WHY, code=FAILED)["error"]
    assert error["kind"] == "CannotSet"
    assert "canary" not in error["message"]
    assert "--field goes with" in onewriter("customers", "show", number, "--field", "note", code=USAGE).err
