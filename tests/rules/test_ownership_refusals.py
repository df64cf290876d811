"""Policies that look complete and are not: blanks for reasons, and two ways of writing one field."""

from dataclasses import replace
from typing import Any

import pytest

from onewriter.records import FIELDS, SHOPIFY
from onewriter.rules.ownership import problems
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy, Shared
from onewriter.rules.policy_check import Facts

CRM = "crm"
VIP = "tags[vip:*]"
SHARED = Shared(writers=(CRM,), same_identity_rule=True, extra_work_accepted_by="Ann", why="both are used")


def told(fields: dict[str, FieldRule], systems: dict[str, dict[str, FieldMap]]) -> set[tuple[str | None, str, str]]:
    """What is wrong: field, severity and rule."""
    policy = Policy(fields={name: FieldRule(owner=SHOPIFY) for name in FIELDS} | fields, systems=systems)
    known = {SHOPIFY: Facts(kind=SHOPIFY), CRM: Facts(kind="sql")}
    return {(each.field, each.severity, each.rule) for each in problems(policy, known)}


def mapped(way: str, remote: str = "there", **more: Any) -> FieldMap:
    return FieldMap(remote=remote, direction=Direction(way), **more)


@pytest.mark.req("M77")
@pytest.mark.parametrize("changed", [{"extra_work_accepted_by": "  "}, {"why": " \t"}])
def test_blanks_are_no_reason_to_share_a_field(changed: dict[str, str]) -> None:
    fields = {"note": FieldRule(owner=SHOPIFY, shared=replace(SHARED, **changed))}  # type: ignore[arg-type]
    assert ("note", "error", "shared") in told(fields, {CRM: {"note": mapped("both")}})


def test_the_state_of_an_account_is_not_shared() -> None:
    fields = {"state": FieldRule(owner=SHOPIFY, shared=SHARED)}
    assert ("state", "error", "shared") in told(fields, {CRM: {"state": mapped("both")}})


def test_tags_in_one_field_are_written_in_one_way() -> None:
    fields = {VIP: FieldRule(owner=CRM)}
    comma, bar = {"separator": ","}, {"separator": "|"}
    tags = mapped("out", transform="joined", options=comma)
    wrong = ("tags", "error", "remote")
    assert wrong in told(fields, {CRM: {"tags": tags, VIP: mapped("in", transform="joined", options=bar)}})
    assert wrong not in told(fields, {CRM: {"tags": tags, VIP: mapped("in", transform="joined", options=comma)}})


def test_a_field_of_shopify_has_its_own_name_there() -> None:
    fields = {"note": FieldRule(owner="manual")}
    wrong = ("note", "error", "remote")
    assert wrong in told(fields, {SHOPIFY: {"note": mapped("none", "email")}})
    assert wrong not in told(fields, {SHOPIFY: {"note": mapped("none", "note")}})


def test_an_owner_that_is_not_read_is_told() -> None:
    fields = {"note": FieldRule(owner=CRM)}
    assert ("note", "warning", "owner") in told(fields, {CRM: {"note": mapped("none")}})
    assert ("note", "warning", "owner") not in told(fields, {CRM: {"note": mapped("in")}})
