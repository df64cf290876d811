"""`onewriter parked`: people see what had nowhere to go, masked, and decide."""

import pytest
from sqlalchemy import update

from onewriter import settings
from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.cli.session import actor
from onewriter.db.tables import parked_values
from onewriter.desk.parked import age
from onewriter.records import DAY, HOUR, SECOND
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver
from tests.support.owners import connect, give, held, say
from tests.support.shops import Tea

WHY = ("--why", "a call from the customer")


@pytest.fixture
def number(onewriter: Onewriter, sandbox: RunningSandbox) -> str:
    """A customer whose note people own, and of whom Shopify has told another one."""
    made = sandbox.shop.create(email="mia@example.com", note="canary tea", phone="+41446681800")
    onewriter.imported(sandbox)
    with Runtime(settings.load()) as runtime:
        tea = Tea(runtime, 1)
        connect(tea, runtime.now(), "crm")
        give(tea, runtime.now(), {"note": "manual"}, {"crm": {}})
        say(tea, made.id, {"note": "canary tea"}, runtime.now())
    sandbox.shop.update(made.id, note="canary coffee")
    body = {"id": made.id, "updated_at": "2126-01-01T00:00:00Z", "note": "canary coffee", "email": "mia@example.com"}
    deliver("customers/update", body | {"created_at": "2020-01-01T00:00:00Z", "phone": "+41446681800"})
    return str(made.id)


@pytest.mark.req("M48")
def test_parked_values_are_listed_with_their_age_and_masked(onewriter: Onewriter, number: str) -> None:
    told = onewriter("parked", "list", "--json")
    [one] = told.document
    assert (one["system"], one["direction"], one["field"], one["reason"]) == (
        "shopify", "in", "note", "owned by manual",
    )  # fmt: skip
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        db.execute(update(parked_values).values(parked_at=parked_values.c.parked_at - 3 * DAY))
    assert onewriter.json("parked", "list")[0]["age"] == "3 days"
    assert "canary" not in told.all
    assert "canary" not in onewriter("parked", "list").all
    seen = onewriter.json("parked", "list", "--reveal", *WHY)
    assert seen[0]["value"] == "canary coffee"
    assert onewriter.json("privacy", "access", "list")[0]["fields"] == ["note"]
    assert onewriter.json("parked", "list", "--system", "crm") == []
    assert onewriter.json("parked", "list", "--customer", number, "--field", "note") != []
    assert onewriter("parked", "list", "--field", "email").out == "Nothing is parked.\n"


@pytest.mark.req("M13", "M23")
def test_who_may_write_is_told_beside_who_tried(onewriter: Onewriter, number: str) -> None:
    told = onewriter("customers", "refused", "--json", code=FINDINGS)
    assert told.document["allowed"] == {"note": ["manual"]}
    [one] = told.document["refused"]
    assert (one["writer"], one["fields"], one["reason"], one["at"]) == (
        "shopify", ["note"], "owned by manual", "2126-01-01T00:00:00Z",
    )  # fmt: skip
    assert "ALLOWED WRITERS" in onewriter("customers", "refused", code=FINDINGS).out
    assert onewriter.json("customers", "refused", "--field", "email")["refused"] == []
    assert number not in told.all


@pytest.mark.req("M69")
def test_corrections_by_hand_are_counted_by_field_and_owner(onewriter: Onewriter, number: str) -> None:
    assert onewriter.json("customers", "corrections") == []
    for value in ("one", "two"):
        onewriter("customers", "set", number, f"note={value}", *WHY)
    onewriter("customers", "set", number, "email=new@example.com", *WHY)
    counted = onewriter.json("customers", "corrections")
    assert [(one["field"], one["owner"], one["times"]) for one in counted] == [
        ("note", "manual", 2), ("email", "shopify", 1),
    ]  # fmt: skip
    assert "BY HAND" in onewriter("customers", "corrections").out


def test_a_released_value_is_set_as_by_hand(onewriter: Onewriter, number: str) -> None:
    [one] = onewriter.json("parked", "list")
    assert onewriter.json("parked", "release", one["id"], *WHY)["told"] == "note is set"
    with Runtime(settings.load()) as runtime:
        assert held(Tea(runtime, 1), int(number)).own["note"] == "canary coffee"
    assert onewriter.json("parked", "list") == []
    [ended] = onewriter.json("parked", "list", "--all")
    assert (ended["outcome"], ended["ended_by"]) == ("released", actor())
    assert onewriter.json("parked", "release", one["id"], *WHY, code=FAILED)["error"]["kind"] == "NotParked"


def test_a_dropped_value_goes_nowhere(onewriter: Onewriter, number: str) -> None:
    [one] = onewriter.json("parked", "list")
    onewriter("parked", "drop", one["id"], *WHY, code=USAGE)
    onewriter("parked", "drop", one["id"], *WHY, "--yes")
    assert onewriter.json("parked", "list", "--all")[0]["outcome"] == "dropped"
    with Runtime(settings.load()) as runtime:
        assert held(Tea(runtime, 1), int(number)).own["note"] == "canary tea"
    onewriter("parked", "drop", "not-an-id", *WHY, "--yes", code=USAGE)


def test_ages_are_told_as_people_say_them() -> None:
    minute = 60 * SECOND
    assert [age(span) for span in (59 * SECOND, minute, 90 * minute, 2 * HOUR, 47 * HOUR, 2 * DAY, 400 * DAY)] == [
        "0 minutes", "1 minute", "90 minutes", "2 hours", "47 hours", "2 days", "400 days",
    ]  # fmt: skip
