"""Ownership: one writer a field, and a policy that says otherwise is refused with the next step."""

from dataclasses import replace
from typing import Any

import pytest

from onewriter.records import SHOPIFY
from onewriter.rules import policy as policies
from onewriter.rules.ownership import (
    WATCHED,
    Split,
    errors,
    problems,
    split,
    watch_list,
)
from onewriter.rules.policy import MANUAL, Direction, FieldMap, FieldRule, KeyRule, Policy, Shared
from onewriter.rules.policy_check import Facts, PolicyProblem

SYSTEMS = {SHOPIFY: Facts(kind="shopify"), "crm": Facts(kind="odoo"), "erp": Facts(kind="sql")}
VIP = "tags[vip:*]"
SHARED = Shared(writers=("crm",), same_identity_rule=True, extra_work_accepted_by="anna", why="both teams edit it")


def policy(
    fields: dict[str, Any] | None = None, systems: dict[str, dict[str, FieldMap]] | None = None, **rest: Any
) -> Policy:
    """Shopify's policy with other owners: a word is an owner, and anything else a whole rule."""
    given = {name: FieldRule(owner=each) if isinstance(each, str) else each for name, each in (fields or {}).items()}
    return Policy(version=1, fields={**policies.of_shopify().fields, **given}, systems=systems or {}, **rest)


def mapped(direction: str, remote: str = "there", **rest: Any) -> FieldMap:
    return FieldMap(remote=remote, direction=Direction(direction), **rest)


def found(given: Policy, systems: dict[str, Facts] | None = None) -> list[PolicyProblem]:
    return problems(given, SYSTEMS if systems is None else systems)


def told(given: Policy, severity: str = "error") -> list[tuple[str | None, str | None, str, str]]:
    return [(one.field, one.system, one.rule, one.message) for one in found(given) if one.severity == severity]


def only(given: Policy, severity: str = "error") -> tuple[str | None, str | None, str, str]:
    (one,) = told(given, severity)
    return one


# ---- Who may write --------------------------------------------------------------------------------------------------


@pytest.mark.req("M22")
def test_who_does_not_own_a_field_may_not_write_it() -> None:
    assert split(["email", "note", "phone"], {"email": "crm", "note": SHOPIFY}, "crm") == Split(
        ("email",), ("note", "phone")
    )


@pytest.mark.req("M12", "M75")
def test_the_fields_that_make_the_most_trouble_are_watched_and_need_an_owner() -> None:
    assert WATCHED == ("email", "phone", "tags", "note", "email_consent", "sms_consent", "whatsapp_consent")
    empty = Policy(systems={"crm": {"custom.size": mapped("none")}})
    unwritten = {name: rule for name, _, rule, message in told(empty) if "is not written down" in message}
    assert unwritten == dict.fromkeys(WATCHED, "owner") | {
        "email_consent": "consent", "sms_consent": "consent", "whatsapp_consent": "consent", "custom.size": "owner",
    }  # fmt: skip
    assert told(empty)[0][3] == ("Who owns email is not written down; say it with `onewriter fields own email SYSTEM`.")
    assert found(policy()) == []


@pytest.mark.req("M75")
def test_what_is_watched_comes_first() -> None:
    named = policy(
        {"custom.size": "crm", VIP: "crm"}, {"crm": {"address.city": mapped("out"), "points": mapped("out")}}
    )
    rest = [name for name in watch_list(named) if name not in WATCHED]
    assert watch_list(named)[: len(WATCHED)] == WATCHED
    assert rest[:2] == ["custom.size", VIP]
    assert "points" in rest
    assert "address.city" not in rest
    assert "shopify_id" not in watch_list(policy(systems={"crm": {"shopify_id": mapped("out")}}))


def test_an_owner_must_be_a_system_or_people() -> None:
    assert only(policy({"phone": "fax"})) == (
        "phone", "fax", "owner", "phone is owned by fax, which is no connected system; name one, or manual.",
    )  # fmt: skip
    assert only(policy({"phone": "onewriter"})) == (
        "phone", "onewriter", "owner", "onewriter owns points alone; name a system for phone, or manual.",
    )  # fmt: skip
    assert found(policy({"phone": MANUAL})) == []
    assert only(policy({"state": "crm"}, {"crm": {"state": mapped("in")}})) == (
        "state", "crm", "owner", "The state of an account is made by Shopify alone, so nobody else can own it.",
    )  # fmt: skip


def test_an_owner_that_nobody_asks_is_worth_a_word() -> None:
    assert only(policy({"phone": "crm"}), "warning") == (
        "phone", "crm", "owner",
        "crm owns phone and is not asked for it; map it with `onewriter fields map crm phone`.",
    )  # fmt: skip
    assert found(policy({"phone": "crm"}, {"crm": {"phone": mapped("in")}})) == []


@pytest.mark.parametrize("owner", ["crm", SHOPIFY])
def test_an_owner_that_was_told_to_be_left_out_leaves_the_field_to_nobody(owner: str) -> None:
    assert only(policy({"phone": owner}, {owner: {"phone": mapped("none", "phone")}}), "warning") == (
        "phone", owner, "owner",
        f"{owner} owns phone and is not asked for it, so that nobody writes it; "
        f"map it with `onewriter fields map {owner} phone --direction in`, or change the owner.",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["points", "shopify_id", "address.city"])
def test_some_owners_are_fixed(name: str) -> None:
    assert only(policy({name: SHOPIFY})) == (
        name, None, "owner", f"The owner of {name} is fixed and cannot be named; remove it from the fields.",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["mail", "custom.", "custom.a b", "tags[*]", "tags[a,b*]", "address.planet"])
def test_there_are_no_fields_but_those_that_there_are(name: str) -> None:
    message = f"There is no field {name}; `onewriter fields show` lists those that there are."
    assert only(policy({name: SHOPIFY})) == (name, None, "field", message)


# ---- More than one writer -------------------------------------------------------------------------------------------


@pytest.mark.req("M19", "M77")
@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"same_identity_rule": False}, "that all of them tell persons apart by the same rule (same_identity_rule)"),
        ({"extra_work_accepted_by": None}, "who accepts the extra work of clearing up (extra_work_accepted_by)"),
        ({"why": ""}, "the reason (why)"),
    ],
)
def test_two_writers_are_refused_unless_a_person_wrote_all_of_it_down(changed: dict[str, Any], missing: str) -> None:
    both = {"crm": {"phone": mapped("both")}}
    sharing = FieldRule(owner=SHOPIFY, shared=replace(SHARED, **changed))
    assert only(policy({"phone": sharing}, both)) == (
        "phone", None, "shared", f"phone has two writers; write down {missing}, or name one owner.",
    )  # fmt: skip
    assert told(policy({"phone": FieldRule(owner=SHOPIFY, shared=SHARED)}, both)) == []


@pytest.mark.req("M19")
def test_a_second_writer_that_nobody_agreed_to_is_refused() -> None:
    assert only(policy(systems={"crm": {"phone": mapped("both")}})) == (
        "phone", "crm", "direction", "phone has one writer, shopify, so crm cannot be a second one; map it out.",
    )  # fmt: skip
    sharing = FieldRule(owner=SHOPIFY, shared=replace(SHARED, same_identity_rule=False, why=None))
    message = only(policy({"note": sharing}, {"crm": {"note": mapped("both")}}))[3]
    assert "(same_identity_rule) and the reason (why), or" in message


@pytest.mark.req("M13", "M66")
def test_fields_with_more_than_one_writer_are_counted_aloud() -> None:
    sharing = FieldRule(owner=SHOPIFY, shared=SHARED)
    one = policy({"phone": sharing}, {"crm": {"phone": mapped("both")}})
    assert only(one, "warning") == (
        None, None, "two-way", "One field has more than one writer; each needs clearing up that no rule does.",
    )  # fmt: skip
    two = policy({"phone": sharing, "note": sharing}, {"crm": {"phone": mapped("both"), "note": mapped("both", "n")}})
    assert only(two, "warning")[3].startswith("2 fields have more than one writer;")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ((), "The writers of phone must be the systems that share it with its owner, each once; correct the list."),
        (
            (SHOPIFY,),
            "The writers of phone must be the systems that share it with its owner, each once; correct the list.",
        ),
        (("fax",), "fax shares phone and is no connected system; connect it, or take it off the writers."),
        (
            ("crm", "crm"),
            "The writers of phone must be the systems that share it with its owner, each once; correct the list.",
        ),
    ],
)
def test_the_writers_are_other_systems_that_there_are(listed: tuple[str, ...], expected: str) -> None:
    sharing = FieldRule(owner=SHOPIFY, shared=replace(SHARED, writers=listed))
    assert [message for _, _, rule, message in told(policy({"phone": sharing})) if rule == "shared"] == [expected]


def test_a_sharer_that_is_not_read_is_worth_a_word() -> None:
    sharing = FieldRule(owner=SHOPIFY, shared=SHARED)
    expected = "crm shares phone and is not read for it; map it there with the direction both."
    for systems in ({}, {"crm": {"phone": mapped("none")}}):
        warned = [one for one in told(policy({"phone": sharing}, systems), "warning") if one[2] == "direction"]
        assert warned == [("phone", "crm", "direction", expected)]
    whole = policy({"phone": sharing}, {"crm": {"phone": mapped("both")}})
    assert [one[2] for one in told(whole, "warning")] == ["two-way"]


def test_consent_is_never_shared() -> None:
    sharing = FieldRule(owner=SHOPIFY, shared=SHARED)
    assert only(policy({"sms_consent": sharing}, {"crm": {"sms_consent": mapped("both")}})) == (
        "sms_consent", None, "shared",
        "sms_consent cannot be shared; name one owner, whose opt-ins count, while opt-outs count from everybody.",
    )  # fmt: skip


def test_the_newest_cannot_win_where_nobody_says_when() -> None:
    sharing = FieldRule(owner=SHOPIFY, shared=replace(SHARED, conflict="newest wins"))
    given = policy({"phone": sharing}, {"crm": {"phone": mapped("both")}})
    timeless = SYSTEMS | {"crm": Facts(kind="csv", capabilities={"cursor": "none"})}
    timely = SYSTEMS | {"crm": Facts(kind="odoo", capabilities={"cursor": "field"})}
    rules = [
        [one.message for one in found(given, each) if one.rule == "shared"] for each in (timeless, timely, SYSTEMS)
    ]
    message = "The newest of phone cannot be told where a system does not say when it changed; let its owner win."
    assert rules == [[message], [], []]
    calm = replace(SHARED, conflict="owner wins")
    settled = policy({"phone": FieldRule(owner=SHOPIFY, shared=calm)}, {"crm": {"phone": mapped("both")}})
    assert [one.rule for one in found(settled, timeless)] == ["two-way"]
    dumb = {**timeless, SHOPIFY: Facts(kind="shopify", capabilities={"cursor": "none"})}
    turned = FieldRule(owner="crm", shared=replace(SHARED, writers=(SHOPIFY,), conflict="newest wins"))
    owned = policy({"phone": turned}, {"crm": {"phone": mapped("in")}})
    assert [one.rule for one in found(owned, dumb)] == ["shared", "two-way"]
    assert [one.rule for one in found(owned, {**dumb, "crm": Facts(kind="odoo")})] == ["two-way"]


# ---- Directions -----------------------------------------------------------------------------------------------------


@pytest.mark.req("M42")
@pytest.mark.parametrize(
    ("name", "way", "expected"),
    [
        (
            "phone",
            "in",
            "phone is owned by shopify, so crm cannot be the one that says it; map it out, or change the owner.",
        ),
        ("note", "out", "crm owns note, so it is mapped in; who owns a field is not told what it said."),
        ("note", "both", "crm owns note, so it is mapped in; who owns a field is not told what it said."),
        ("address.city", "in", "address.city is only ever told, so it is mapped out, or not at all."),
        ("address.city", "both", "address.city is only ever told, so it is mapped out, or not at all."),
        ("points", "in", "points is only ever told, so it is mapped out, or not at all."),
        ("points", "both", "points is only ever told, so it is mapped out, or not at all."),
        ("shopify_id", "both", "shopify_id is only ever told, so it is mapped out, or not at all."),
        (
            "locale",
            "out",
            "crm is a writer of locale, so it is mapped both ways; map it so, or take it off the writers.",
        ),
        ("phone", "out", None),
        ("phone", "none", None),
        ("note", "in", None),
        ("note", "none", None),
        ("locale", "both", None),
        ("address.city", "out", None),
        ("address.city", "none", None),
        ("points", "out", None),
        ("shopify_id", "out", None),
        ("shopify_id", "in", None),
        ("shopify_id", "none", None),
    ],
)
def test_a_direction_follows_from_who_owns_the_field(name: str, way: str, expected: str | None) -> None:
    fields = {"note": "crm", "locale": FieldRule(owner=SHOPIFY, shared=SHARED)}
    given = policy(fields, {"crm": {"note": mapped("in", "n")} | {name: mapped(way)}})
    wrong = [one for one in told(given) if one[2] == "direction"]
    assert wrong == ([] if expected is None else [(name, "crm", "direction", expected)])


def test_a_direction_of_a_field_without_an_owner_is_not_judged_as_well() -> None:
    given = policy({"phone": FieldRule()}, {"crm": {"phone": mapped("in"), "nothing": mapped("both", "n")}})
    assert sorted(one[2] for one in told(given)) == ["field", "owner"]


# ---- Keys, namespaces and places ------------------------------------------------------------------------------------


@pytest.mark.req("M65")
@pytest.mark.parametrize("key", ["name", "last_name", "Full Name"])
def test_a_name_is_no_key_and_the_reason_is_said(key: str) -> None:
    assert only(policy(identity=KeyRule(keys=("id", key)))) == (
        None, None, "key",
        "A name is no key: two people may have the same one, and one has several; take id, email or phone.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (KeyRule(keys=("id", "fax")), "fax is no key; people are told apart by id, email and phone, in any order."),
        (KeyRule(keys=()), "The keys of identity must be one or more of id, email and phone, each once."),
        (KeyRule(keys=("id", "id")), "The keys of identity must be one or more of id, email and phone, each once."),
        (
            KeyRule(shared_by_max=0),
            "shared_by_max must be from 1 to 100 records; beyond it a value tells nobody apart.",
        ),
        (
            KeyRule(shared_by_max=101),
            "shared_by_max must be from 1 to 100 records; beyond it a value tells nobody apart.",
        ),
        (KeyRule(keys=("phone", "email", "id"), shared_by_max=100), None),
        (KeyRule(keys=("email",), shared_by_max=1), None),
    ],
)
def test_the_keys_of_identity_are_three(rule: KeyRule, expected: str | None) -> None:
    assert told(policy(identity=rule)) == ([] if expected is None else [(None, None, "key", expected)])


def test_namespaces_within_each_other_are_told_and_equal_ones_refused() -> None:
    gold = "tags[VIP:gold:*]"
    assert only(policy({VIP: SHOPIFY, gold: SHOPIFY, "tags[new*]": SHOPIFY}), "warning") == (
        gold, None, "namespace", f"{gold} lies within {VIP}: its tags have its own owner, by the longest prefix.",
    )  # fmt: skip
    upper = "tags[VIP:*]"
    assert only(policy({VIP: SHOPIFY, upper: SHOPIFY})) == (
        VIP, None, "namespace",
        f"{VIP} and {upper} are the same tags, which do not differ by capitals; keep one of them.",
    )  # fmt: skip


def test_two_fields_are_never_one_there_but_tags() -> None:
    both = {"crm": {"note": mapped("out"), "locale": mapped("out"), "email": mapped("out", "mail")}}
    assert only(policy(systems=both)) == (
        "locale", "crm", "remote", "locale and note are one field in crm, there; map each to a field of its own.",
    )  # fmt: skip
    assert found(policy({VIP: SHOPIFY}, {"crm": {"tags": mapped("out"), VIP: mapped("out")}})) == []
    mixed = {"crm": {"tags": mapped("out"), "custom.list": mapped("out")}}
    assert only(policy({"custom.list": SHOPIFY}, mixed))[2] == "remote"
    apart = {"crm": {"note": mapped("out")}, "erp": {"locale": mapped("out")}}
    assert found(policy(systems=apart)) == []


def test_a_mapping_is_to_a_field_of_a_system_that_there_is() -> None:
    assert only(policy(systems={"fax": {"note": mapped("out", transform="nonsense")}})) == (
        None, "fax", "system",
        "fax is no connected system; connect it with `onewriter systems add`, or remove its mappings.",
    )  # fmt: skip
    assert only(policy(systems={"crm": {"note": mapped("out", " ")}})) == (
        "note", "crm", "remote", "note needs the name of a field in crm.",
    )  # fmt: skip


def test_each_mapping_is_looked_at_and_errors_come_first() -> None:
    given = policy({"email": "crm"}, {"erp": {"note": mapped("out", transform="nonsense")}})
    assert [(one.severity, one.rule) for one in found(given)] == [("error", "transform"), ("warning", "owner")]
    assert [one.rule for one in errors(found(given))] == ["transform"]
