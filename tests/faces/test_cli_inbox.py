"""`onewriter inbox` and `questions`: what could not be applied waits for a person, who decides once."""

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.customers import marks
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from onewriter.vault.vault import day_of
from tests.faces.conftest import Onewriter, deliver

BODY = {"id": 5, "email": "canary@example.com", "note": "\x9b2J"}


@pytest.fixture
def parked(installed: Onewriter, sandbox: RunningSandbox) -> Onewriter:
    """An installation with one delivery of a topic that nobody knows."""
    installed.connect(sandbox)
    deliver("orders/fancy", BODY)
    return installed


def state(onewriter: Onewriter) -> str:
    found: str = onewriter.json("inbox", "show", "1")["state"]
    return found


def test_deliveries_are_listed_without_their_bodies(parked: Onewriter) -> None:
    deliver("app/fancy", {}, "w-2")
    assert [one["position"] for one in parked.json("inbox", "list")] == [2, 1]
    assert len(parked.json("inbox", "list", "--limit", "1")) == 1
    assert parked.json("inbox", "list", "--state", "done") == []
    [_, listed] = parked.json("inbox", "list", "--state", "parked")
    assert (listed["topic"], listed["state"]) == ("orders/fancy", "parked")
    assert "is not one that onewriter knows" in listed["outcome"]
    told = parked("inbox", "list").all + parked("inbox", "show", "1").all + parked("inbox", "show", "1", "--json").all
    assert "canary" not in told
    assert "orders/fancy" in told


def test_a_body_is_opened_to_who_says_why(parked: Onewriter) -> None:
    told = parked("inbox", "show", "1", "--reveal", "--why", "to see what it is", "--json")
    assert told.document["body"] == BODY
    assert actor() in told.err
    assert "canary" not in told.err
    assert "to see what it is" not in told.err, "the reason is in the access log alone, sealed"
    [line] = parked.json("privacy", "access", "list")
    assert (line["action"], line["subject"], line["fields"]) == ("reveal", "delivery 1", ["body"])
    assert (line["reason"], line["allowed"]) == ("to see what it is", True)
    people = parked("inbox", "show", "1", "--reveal", "--why", "to see what it is").out
    assert '"email": "canary@example.com"' in people
    assert "\x9b" not in people


def test_a_body_whose_day_is_over_is_gone(parked: Onewriter) -> None:
    end_the_day()
    words = ("inbox", "show", "1", "--reveal", "--why", "too late")
    told = parked(*words, code=FAILED)
    assert "destroyed on purpose" in told.err
    assert "values revealed" not in told.err
    assert parked.json("privacy", "access", "list") == []


def test_a_parked_delivery_can_be_tried_again(parked: Onewriter) -> None:
    assert parked.json("inbox", "retry", "1") == {"position": 1, "state": "waiting"}
    assert state(parked) == "waiting"
    assert parked.json("questions", "list") == []
    error = parked.json("inbox", "retry", "1", code=FAILED)["error"]
    assert "is not parked" in error["message"]
    assert "There is no delivery 99" in parked("inbox", "retry", "99", code=FAILED).err


@pytest.fixture
def poisoned(installed: Onewriter, sandbox: RunningSandbox) -> Onewriter:
    """An installation that holds the shop's customers, and a delivery about the first that cannot be read."""
    installed.imported(sandbox)
    deliver("customers/update", {"id": sandbox.shop.ids[0], "updated_at": "yesterday", "note": "canary"})
    return installed


def end_the_day() -> None:
    """Destroy the keys of every day until today, as time does."""
    with Runtime(settings.load()) as runtime:
        runtime.keys.end_days(day_of(now()) + 1, now())


def marked(shop_id: int = 1) -> dict[int, frozenset[str]]:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return {mark.shopify_id: mark.reasons for mark in marks.due(db, shop_id, now(), 100)}


@pytest.mark.req("K15")
def test_a_delivery_whose_body_is_gone_has_its_customer_read_instead(
    poisoned: Onewriter, sandbox: RunningSandbox
) -> None:
    assert state(poisoned) == "parked"
    end_the_day()
    assert poisoned.json("inbox", "retry", "1") == {"position": 1, "state": "done"}
    assert marked() == {sandbox.shop.ids[0]: frozenset({"retry"})}
    shown = poisoned.json("inbox", "show", "1")
    assert (shown["state"], shown["outcome"]) == ("done", "the body cannot be opened any more, so the customer is read")
    assert poisoned.json("questions", "list") == []
    assert "is not parked" in poisoned("inbox", "retry", "1", code=FAILED).err


def test_people_are_told_that_the_customer_is_read_instead(poisoned: Onewriter) -> None:
    end_the_day()
    assert poisoned("inbox", "retry", "1").out == (
        "Delivery 1: the body cannot be opened any more, so the customer is read.\n"
    )


@pytest.mark.parametrize(
    ("topic", "body", "said"),
    [
        ("customers/update", {"id": 5, "updated_at": "yesterday"}, "we hold no customer that it can mean"),
        ("customers/update", {"updated_at": "2026-03-02T10:00:00Z"}, "we hold no customer that it can mean"),
        ("orders/fancy", BODY, "no read can take its place"),
        ("customers/redact", {"customer": {"id": 5}}, "no read can take its place"),
    ],
)
def test_a_delivery_that_nothing_can_replace_says_so_and_stays(
    installed: Onewriter, sandbox: RunningSandbox, topic: str, body: dict[str, object], said: str
) -> None:
    installed.connect(sandbox)
    deliver(topic, body)
    assert state(installed) == "parked"
    end_the_day()
    error = installed.json("inbox", "retry", "1", code=FAILED)["error"]
    assert error["kind"] == "BodyGone"
    assert said in error["message"]
    assert "onewriter inbox drop 1" in error["message"]
    assert state(installed) == "parked"
    assert len(installed.json("questions", "list")) == 1
    assert marked() == {}
    assert installed.json("inbox", "drop", "1", "--yes")["state"] == "dropped"
    assert installed.json("questions", "list") == []


def test_giving_a_delivery_up_asks_first(parked: Onewriter) -> None:
    assert "add --yes" in parked("inbox", "drop", "1", code=USAGE).err
    assert state(parked) == "parked"
    assert parked.json("inbox", "drop", "1", "--yes")["state"] == "dropped"
    assert state(parked) == "dropped"
    assert parked.json("questions", "list") == []


def test_a_question_shows_what_each_answer_does(parked: Onewriter) -> None:
    [listed] = parked.json("questions", "list")
    assert list(listed["answers"]) == ["retry", "drop"]
    shown = parked.json("questions", "show", str(listed["id"]))
    assert shown == listed
    told = parked("questions", "show", str(listed["id"])).out
    assert f'onewriter questions answer {listed["id"]} "ANSWER" --why WHY' in told, "the next step is named"
    assert "try to apply the delivery again" in told
    assert "otherwise" in told
    assert "retry | drop" in parked("questions", "list").out


@pytest.mark.parametrize(("answer", "ends_as"), [("retry", "waiting"), ("drop", "dropped")])
def test_an_answer_is_carried_out_and_recorded(parked: Onewriter, answer: str, ends_as: str) -> None:
    [asked] = parked.json("questions", "list")
    done = parked.json("questions", "answer", str(asked["id"]), answer, "--why", "I looked")
    assert (done["answer"], done["answered_by"], done["why"]) == (answer, actor(), "I looked")
    assert state(parked) == ends_as
    assert parked.json("questions", "list") == []
    [kept] = parked.json("questions", "list", "--all")
    assert kept["answered_at"] == done["answered_at"]
    again = parked.json("questions", "answer", str(asked["id"]), answer, code=FAILED)
    assert again["error"]["kind"] == "NotAnswerable"


def test_an_answer_that_is_not_allowed_changes_nothing(parked: Onewriter) -> None:
    [asked] = parked.json("questions", "list")
    assert "allows: retry, drop" in parked("questions", "answer", str(asked["id"]), "maybe", code=FAILED).err
    assert state(parked) == "parked"
    assert parked.json("questions", "list") == [asked]


def test_no_question_waits(onewriter: Onewriter) -> None:
    assert onewriter("questions", "list").out == "No question waits.\n"
    assert onewriter.json("questions", "show", "1", code=FAILED)["error"]["kind"] == "UnknownQuestion"
