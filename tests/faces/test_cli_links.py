"""`onewriter links` and `onewriter fields keys check`, on the command line."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from onewriter import settings
from onewriter.cli.frame import DONE, FAILED, FINDINGS, USAGE
from onewriter.customers import find, links, shops
from onewriter.records import SHOPIFY, id_text
from onewriter.rules.policy import Direction, FieldMap
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter
from tests.support.linking import CRM, Crm, policy_of, write_policy
from tests.support.shops import Tea

MIA = {"email": "mia.canary@example.org", "phone": "+447911123456", "first_name": "Mia", "last_name": "Canary"}
WHY = ("--why", "she called")
RECORDS = {
    "canary-7": {"email": MIA["email"]},
    "crm-8": {"phone": "+447911123457", "first_name": "Zoe"},
    "crm-9": {"email": "nobody@example.org"},
    "crm-10": {"email": "otto.bauer+crm@example.org", "first_name": "Otto", "last_name": "Bauer"},
}


@pytest.fixture
def known(onewriter: Onewriter, sandbox: RunningSandbox) -> dict[str, Any]:
    """A shop of three customers with a CRM: one record is linked, one waits, and one is linked by a soft address."""
    mia = sandbox.shop.create(**MIA)
    zoe = sandbox.shop.create(phone="+447911123457", first_name="Zoe", last_name="Li")
    otto = sandbox.shop.create(email="otto.bauer@example.org", first_name="Otto", last_name="Bauer")
    onewriter.imported(sandbox)
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            shop = shops.every(db)[0]
        tea = Tea(runtime, shop.id)
        write_policy(tea, policy_of(), now())
        crm = Crm(tea, now())
        crm.read(RECORDS)
        ids = {}
        with runtime.database.read() as db:
            for name, one in (("mia", mia), ("zoe", zoe), ("otto", otto)):
                ids[name] = id_text(find.show(db, tea.vault, str(one.id)).id)
        names = {true_id: crm.name(true_id) for true_id in RECORDS}
    return ids | {"number": str(mia.id), "zoes": str(zoe.id), "names": names}


@pytest.mark.req("M10")
def test_whose_a_record_is_and_by_which_key_is_told_from_either_end(
    onewriter: Onewriter, known: dict[str, Any]
) -> None:
    [link] = onewriter.json("links", "show", MIA["email"])
    assert (link["system"], link["state"], link["matched_by"]) == (CRM, "linked", "email")
    assert (link["customer"], link["shopify_id"]) == (known["mia"], int(known["number"]))
    assert link["record"] == known["names"]["canary-7"]
    assert "record_id" not in link
    assert onewriter.json("links", "show", "canary-7", "--system", CRM) == [link]
    assert onewriter.json("links", "show", link["record"], "--system", CRM) == [link]
    told = onewriter("links", "show", known["number"])
    assert "canary-7" not in told.all
    assert "one address" in told.out
    assert "Nothing is linked" in onewriter("links", "show", "crm-9", "--system", CRM).out
    said = onewriter.json("links", "show", "x", "--system", "nowhere", code=FAILED)
    assert said["error"]["kind"] == "UnknownSystem"


def test_the_ids_of_a_system_are_shown_for_a_reason_alone(onewriter: Onewriter, known: dict[str, Any]) -> None:
    onewriter("links", "show", known["number"], "--reveal", code=USAGE)
    [link] = onewriter.json("links", "show", known["number"], "--reveal", *WHY)
    assert link["record_id"] == "canary-7"
    [line] = onewriter.json("privacy", "access", "list", "--customer", known["mia"])
    assert (line["action"], line["fields"]) == ("reveal", ["record_id"])
    assert "canary-7" in onewriter("links", "show", known["number"], "--reveal", *WHY).out


def test_what_waits_is_shown_masked_and_accepted_or_refused(onewriter: Onewriter, known: dict[str, Any]) -> None:
    [waits] = onewriter.json("links", "review", "list")
    assert (waits["record"], waits["customer"]) == (known["names"]["crm-8"], known["zoe"])
    assert waits["record_says"]["first_name"] == "Z•••"
    assert "Li" not in onewriter("links", "review", "list").out
    [clear] = onewriter.json("links", "review", "list", "--reveal", *WHY)
    assert (clear["record_says"]["first_name"], clear["customer_has"]["last_name"]) == ("Zoe", "Li")
    done = onewriter.json("links", "review", "accept", CRM, "crm-8", known["zoes"], *WHY)
    assert (done["state"], done["matched_by"]) == ("linked", "person")
    assert onewriter.json("links", "review", "list") == []
    said = onewriter.json("links", "review", "refuse", CRM, "crm-8", known["zoes"], *WHY, code=FAILED)
    assert said["error"]["kind"] == "NotLinked"


def test_a_link_is_broken_and_made_by_hand(onewriter: Onewriter, known: dict[str, Any]) -> None:
    broken = onewriter.json("links", "break", CRM, "canary-7", *WHY, "--yes")
    assert (broken["state"], broken["customer"]) == ("broken", known["mia"])
    assert (
        "nobody's" in onewriter.json("links", "break", CRM, "canary-7", *WHY, "--yes", code=FAILED)["error"]["message"]
    )
    assert onewriter.json("links", "show", known["number"])[0]["state"] == "broken"
    told = onewriter("links", "link", CRM, "canary-7", known["number"], *WHY).out
    assert f"is linked to customer {known['mia']}" in told
    actions = [line["action"] for line in onewriter.json("privacy", "access", "list", "--customer", known["mia"])]
    assert sorted(actions) == ["break link", "link"]


@pytest.mark.req("M65")
def test_another_rule_is_tried_before_it_is_set(onewriter: Onewriter, known: dict[str, Any]) -> None:
    same = onewriter.json("fields", "keys", "check")
    assert (same["records"], same["counts"]) == (4, {"splits": 0, "moves": 0, "joins": 0})
    onewriter("links", "link", CRM, "crm-9", known["zoes"], *WHY)
    other = onewriter.json("fields", "keys", "check", "--keys", "id,phone", code=FINDINGS)
    assert (other["by_hand"], other["counts"]) == (1, {"splits": 2, "moves": 0, "joins": 0})
    [split] = [each for each in other["examples"]["splits"] if each["record"] == known["names"]["canary-7"]]
    assert (split["customer"], split["then"]) == (known["mia"], None)
    tight = onewriter.json("fields", "keys", "check", "--no-soft-email", code=FINDINGS)
    assert tight["counts"]["splits"] == 1
    assert "Nothing was changed" in onewriter("fields", "keys", "check", code=DONE).out
    onewriter("links", "break", CRM, "canary-7", *WHY, "--yes")
    assert onewriter.json("fields", "keys", "check")["counts"]["joins"] == 0, "what was taken apart stays so"
    refused = onewriter.json("fields", "keys", "check", "--keys", "email,last_name", code=FAILED)
    assert "never a key" in refused["error"]["message"]


def test_a_rule_is_tried_on_the_records_of_others_and_not_on_shopify_s_own(
    onewriter: Onewriter, known: dict[str, Any]
) -> None:
    told = FieldMap(remote="note", direction=Direction.NONE)
    with Runtime(settings.load()) as runtime:
        policy = policy_of()
        write_policy(
            Tea(runtime, 1), replace(policy, version=3, systems={**policy.systems, SHOPIFY: {"note": told}}), now()
        )
    assert onewriter.json("fields", "keys", "check")["records"] == len(RECORDS)


def test_a_record_that_was_made_for_a_customer_stays_theirs_whatever_the_keys(
    onewriter: Onewriter, known: dict[str, Any]
) -> None:
    made = {known["names"]["crm-9"]: links.Linked(UUID(known["zoe"]).bytes, links.CREATED, "made there")}
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        links.link(db, runtime.vault(1), CRM, made, 2, "onewriter", now())
    told = onewriter.json("fields", "keys", "check")
    assert (told["by_hand"], told["counts"]["splits"]) == (0, 0)


def test_records_of_nobody_that_another_rule_would_link_are_counted(
    onewriter: Onewriter, known: dict[str, Any]
) -> None:
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            tea = Tea(runtime, shops.every(db)[0].id)
        crm = Crm(tea, now())
        crm.read({f"till {n}": {"phone": MIA["phone"], "first_name": "Mia", "last_name": "Canary"} for n in range(5)})
    looser = onewriter.json("fields", "keys", "check", "--shared-by-max", "9")
    assert looser["counts"]["joins"] == 0, "five records of one system for one customer are for a person"
    assert looser["keys"]["shared_by_max"] == 9
