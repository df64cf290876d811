"""`onewriter fields`: who owns what is shown, changed with a reason, and refused with the next step."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli import fields as cli_fields
from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.cli.session import actor
from onewriter.customers import policies, shops, systems
from onewriter.rules.ownership import with_owner
from onewriter.rules.policy import MANUAL
from onewriter.runtime import Runtime, now
from tests.faces.conftest import Onewriter

DOMAIN = "tea.myshopify.com"
WHY = ("--why", "agreed with the team", "--yes")
DISCOVERED = {
    "fields": [
        {"name": "mobile", "type": "text", "writable": True, "clearable": True, "max_length": 20},
        {"name": "notes", "type": "text", "writable": False, "clearable": True},
    ],
    "capabilities": {"cursor": "field"},
}


@pytest.fixture
def shop(onewriter: Onewriter) -> Onewriter:
    """A shop with nobody at the other end, and a system called crm that has told what it holds."""
    moment = now()
    columns: dict[str, Any] = {"domain": DOMAIN, "admin_url": f"https://{DOMAIN}", "public_url": "https://tea.example"}
    columns |= {"api_version": "2026-10", "region": "GB", "state": "connected", "scopes": [], "box": b""}
    crm = {"kind": "odoo", "state": "active", "box": b"", "creates": False, "full_hours": 24, "allowed": {}}
    told = {"agreed_version": 0, "added_at": moment, "added_by": "ann", "changed_at": moment, "discovered": DISCOVERED}
    with Runtime(settings.load()) as runtime:
        runtime.prepare()
        with runtime.database.write() as db:
            shop_id = shops.add(db, columns | {"installed_at": moment, "connected_at": moment})
            systems.add(db, shop_id, "crm", crm | told)
    return onewriter


def row(onewriter: Onewriter, name: str) -> Any:
    return next(each for each in onewriter.json("fields", "show")["fields"] if each["field"] == name)


# ---- Show and check -------------------------------------------------------------------------------------------------


@pytest.mark.req("M12", "M75", "M76")
def test_the_owner_of_every_field_is_shown_with_its_kind(shop: Onewriter) -> None:
    document = shop.json("fields", "show")
    kinds = {each["field"]: each["kind"] for each in document["fields"]}
    assert list(kinds)[:7] == ["email", "phone", "tags", "note", "email_consent", "sms_consent", "whatsapp_consent"]
    assert (kinds["email"], kinds["tags"], kinds["sms_consent"]) == ("identity", "workflow", "consent")
    assert {each["owner"] for each in document["fields"]} == {"shopify"}
    assert (document["version"], document["problems"]) == (1, [])
    assert document["metrics"] == {"editable": len(kinds), "two_way": 0}
    told = shop("fields", "show").out
    assert "Version 1 of the policy of" in told
    assert "known by id, email, phone" in told


@pytest.mark.req("M19")
def test_what_is_wrong_is_found_and_the_code_says_so(shop: Onewriter) -> None:
    assert "Nothing is wrong with the policy of" in shop("fields", "check").out
    Path("policy.toml").write_text('[fields.phone]\nowner = "fax"\n[identity]\nkeys = ["last_name"]\n')
    found = shop.json("fields", "check", "policy.toml", code=FINDINGS)
    assert (found["ok"], found["version"]) == (False, None)
    assert {"owner", "consent", "key"} <= {each["rule"] for each in found["problems"]}
    assert "A name is no key" in shop("fields", "check", "policy.toml", code=FINDINGS).out
    Path("policy.toml").write_text(shop("fields", "show", "--toml").out)
    assert "Nothing is wrong with it." in shop("fields", "check", "policy.toml").out


def test_a_warning_alone_is_told_and_no_finding(shop: Onewriter) -> None:
    shop("fields", "own", "note", "crm", *WHY)
    assert shop.json("fields", "check")["problems"][0]["severity"] == "warning"
    assert "crm owns note and is not asked for it" in shop("fields", "show").out


# ---- Own ------------------------------------------------------------------------------------------------------------


@pytest.mark.req("M82")
def test_a_field_is_made_manual_in_one_step(shop: Onewriter) -> None:
    shop("fields", "map", "crm", "phone", "--remote", "mobile", *WHY)
    told = shop.json("fields", "own", "phone", "manual", *WHY)
    assert (told["version"], told["set"], told["asking"]) == (3, True, ["crm", "shopify"])
    assert {(each["field"], each["system"], each["after"]) for each in told["changes"]} == {
        ("phone", None, "owned by manual"),
        ("phone", "crm", "none mobile, at most 20 characters"),
        ("phone", "shopify", "none phone"),
    }
    phone = row(shop, "phone")
    assert (phone["owner"], phone["systems"]["shopify"]["direction"]) == ("manual", "none")
    back = shop("fields", "own", "phone", "shopify", *WHY)
    assert "crm is not told of phone, which it is mapped none for; `onewriter fields map crm phone" in back.out
    assert row(shop, "phone")["systems"]["crm"]["direction"] == "none"
    versions = shop.json("fields", "show")["versions"]
    assert (versions[-1]["set_by"], versions[-1]["why"]) == (actor(), "agreed with the team")
    assert "agreed with the team" in shop("fields", "show", "--history").out


@pytest.mark.req("M20", "M72")
def test_what_a_change_comes_to_is_shown_before_it_is_made(shop: Onewriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    told = shop("fields", "own", "custom.size", "crm", "--why", "theirs", code=USAGE)
    assert "custom.size" in told.out
    assert "owned by crm" in told.out
    assert "Pairs of a field and a system that may write it: 12 before, 13 then." in told.out
    assert "Fields that more than one may write: 0 before, 0 then." in told.out
    assert "add --yes" in told.err
    assert shop.json("fields", "show")["version"] == 1
    assert shop.json("fields", "own", "custom.size", "crm", *WHY)["editable"] == {"before": 12, "after": 13}
    done = shop("fields", "own", "note", "crm", *WHY)
    assert "shopify is told from then on of note." in done.out
    assert "The next cycle of shopify shows what it would change and asks first." in done.out
    assert done.out.rstrip().endswith("Set as version 3 of the policy of tea.myshopify.com.")


def test_an_owner_must_be_there_and_a_field_too(shop: Onewriter) -> None:
    assert "`onewriter systems list`" in shop("fields", "own", "phone", "fax", *WHY, code=FAILED).err
    assert "is no field that can have an owner" in shop("fields", "own", "points", "crm", *WHY, code=USAGE).err
    assert "--why" in shop("fields", "own", "phone", "crm", "--yes", code=USAGE).err
    assert "1 to 500" in shop("fields", "own", "phone", "crm", "--yes", "--why", " ", code=USAGE).err
    assert "The state of an account" in shop("fields", "own", "state", "crm", *WHY, code=USAGE).err


def test_the_owner_that_is_one_already_makes_no_version(shop: Onewriter) -> None:
    told = shop("fields", "own", "phone", "shopify", *WHY).out
    assert told.strip() == "That is what version 1 of the policy of tea.myshopify.com says already; nothing was set."


def test_somebody_else_was_quicker(shop: Onewriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def quicker(*_: Any) -> None:
        with Runtime(settings.load()) as runtime, runtime.database.write() as db:
            shop_id = shops.every(db)[0].id
            policies.save(db, shop_id, with_owner(policies.of_shop(db, shop_id), "note", MANUAL), "ben", None, now())

    monkeypatch.setattr(cli_fields, "confirm", quicker)
    refused = shop("fields", "own", "phone", "manual", *WHY, code=FAILED)
    assert "this was made from version 1" in refused.err
    assert row(shop, "phone")["owner"] == "shopify"


# ---- Map ------------------------------------------------------------------------------------------------------------


def test_a_field_is_mapped_as_it_follows_from_its_owner(shop: Onewriter) -> None:
    shop("fields", "map", "crm", "phone", "--remote", "mobile", "--transform", "national_phone",
         "--option", "country=CH", "--empty", "keep", *WHY)  # fmt: skip
    assert row(shop, "phone")["systems"]["crm"] == {
        "remote": "mobile", "direction": "out", "transform": "national_phone", "options": {"country": "CH"},
        "max_length": 20, "enum": None, "empty": "keep",
    }  # fmt: skip
    assert "out mobile, as national_phone country=CH, at most 20 characters, empty keeps" in shop("fields", "show").out
    shop("fields", "map", "crm", "phone", "--transform", "e164", *WHY)
    after = row(shop, "phone")["systems"]["crm"]
    assert (after["transform"], after["options"], after["empty"]) == ("e164", {}, "keep")
    shop("fields", "own", "phone", "crm", *WHY)
    assert row(shop, "phone")["systems"]["crm"]["direction"] == "in"
    assert row(shop, "phone")["systems"]["shopify"]["direction"] == "out"
    told = shop.json("fields", "map", "crm", "phone", "--remove", *WHY)
    assert [each["after"] for each in told["changes"]] == [None]
    assert "crm" not in row(shop, "phone")["systems"]


def test_words_are_mapped(shop: Onewriter) -> None:
    shop("fields", "own", "custom.size", "shopify", *WHY)
    shop("fields", "map", "crm", "custom.size", "--remote", "mobile", "--word", "small=S", "--word", "large=L", *WHY)
    assert row(shop, "custom.size")["systems"]["crm"]["enum"] == {"small": "S", "large": "L"}


@pytest.mark.req("M46")
def test_a_mapping_that_cannot_work_is_refused(shop: Onewriter) -> None:
    for words, code, said in (
        (("crm", "note", "--remote", "notes"), USAGE, "crm does not let us write notes"),
        (("crm", "note", "--remote", "memo"), USAGE, "crm has no field memo that we may see"),
        (("crm", "phone", "--remote", "mobile", "--direction", "in"), USAGE, "phone is owned by shopify, so crm"),
        (("crm", "phone", "--remote", "mobile", "--direction", "both"), USAGE, "phone has one writer, shopify"),
        (("crm", "phone", "--remote", "mobile", "--max-length", "21"), USAGE, "holds 20 characters and not 21"),
        (("crm", "phone", "--remote", "mobile", "--option", "country"), USAGE, "given as NAME=VALUE"),
        (("crm", "phone", "--remote", "mobile", "--remove"), USAGE, "--remove goes with no other option"),
        (("crm", "phone"), USAGE, "--remote is missing: what crm calls the field"),
        (("crm", "fon", "--remote", "mobile"), USAGE, "'fon' is no field"),
        (("fax", "phone", "--remote", "mobile"), FAILED, "`onewriter systems list`"),
    ):
        assert said in shop("fields", "map", *words, *WHY, code=code).err
    assert shop.json("fields", "show")["version"] == 1


# ---- Set ------------------------------------------------------------------------------------------------------------


def test_what_is_shown_as_a_file_sets_the_same(shop: Onewriter) -> None:
    shop("fields", "own", "tags[vip:*]", "manual", *WHY)
    shop("fields", "map", "crm", "phone", "--remote", "mobile", *WHY)
    text = shop("fields", "show", "--toml").out
    Path("policy.toml").write_text("\ufeff" + text)
    assert shop.json("fields", "set", "policy.toml", *WHY) | {"warnings": []} == {
        "shop": "tea.myshopify.com", "version": 3, "set": False, "asking": [], "changes": [], "told_newly": {},
        "editable": {"before": 13, "after": 13}, "two_way": {"before": 0, "after": 0}, "fields": 13, "warnings": [],
        "left_out": {},
    }  # fmt: skip
    Path("policy.toml").write_text(text.replace('owner = "shopify"', 'owner = "manual"', 1))
    assert shop.json("fields", "set", "policy.toml", *WHY)["version"] == 4
    assert shop.json("fields", "show", "--version", "3")["toml"] == text


def test_a_file_with_an_error_changes_nothing(shop: Onewriter) -> None:
    Path("policy.toml").write_bytes(b"\xff")
    assert "must be a text file in UTF-8" in shop("fields", "set", "policy.toml", *WHY, code=USAGE).err
    Path("policy.toml").write_text("[fields.phone]\nownr = 'crm'\n")
    assert "did you mean owner?" in shop("fields", "set", "policy.toml", *WHY, code=USAGE).err
    Path("policy.toml").write_text("[fields.phone]\nowner = 'shopify'\n")
    refused = shop("fields", "set", "policy.toml", *WHY, code=USAGE).err
    assert "Who owns email is not written down" in refused
    assert "more; of a policy in a file, `onewriter fields check FILE` lists all" in refused
    assert "no version 7 of the policy" in shop("fields", "show", "--version", "7", code=USAGE).err
    assert shop.json("fields", "show")["version"] == 1


@pytest.mark.req("M66", "M77")
def test_sharing_is_set_with_all_that_it_asks_for_and_counted(shop: Onewriter) -> None:
    text = shop("fields", "show", "--toml").out
    text += '[fields.phone.shared]\nwriters = ["crm"]\nsame_identity_rule = true\n'
    text += '[systems.crm.phone]\nremote = "mobile"\ndirection = "both"\nmax_length = 20\n'
    Path("policy.toml").write_text(text)
    assert "who accepts the extra work" in shop("fields", "set", "policy.toml", *WHY, code=USAGE).err
    accepted = 'same_identity_rule = true\nextra_work_accepted_by = "anna"\nwhy = "both teams edit it"\n'
    Path("policy.toml").write_text(text.replace("same_identity_rule = true\n", accepted))
    told = shop("fields", "set", "policy.toml", *WHY).out
    assert "Fields that more than one may write: 0 before, 1 then." in told
    assert "One field has more than one writer" in told
    assert "the extra work accepted by anna, because: both teams edit it" in told, "who agreed, and why"
    assert "shopify, shared with crm" in shop("fields", "show").out
