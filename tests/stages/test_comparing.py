"""The full compare by digests: what is in step is not told, what is not is, and no box is opened for it."""

import pytest

from onewriter.customers import comparing
from onewriter.records import RunState
from onewriter.vault.seal import SubjectKey
from tests.support.crm import CRM, Crm

FIELDS = ("email", "first_name", "last_name", "note", "custom.tier", "shopify_id", "address.city")


def told(beside: Crm) -> list[tuple[bytes, tuple[str, ...]]]:
    with beside.tea.runtime.database.read() as db:
        found = list(comparing.differing(db, beside.tea.shop_id, CRM, FIELDS))
    assert all(len(record) == 32 for _customer, record, _fields in found), "a record is told by its keyed name"
    return [(customer, fields) for customer, _record, fields in found]


def test_what_is_in_step_is_not_told_and_an_owner_s_edit_is_until_the_system_has_it(beside: Crm) -> None:
    ann = beside.customer(101, first_name="Ann", last_name="Lee", email="ann@example.com", note="likes tea")
    bo = beside.customer(102, first_name="Bo", last_name="Ek", email="bo@example.com")
    beside.connect()
    assert beside.agree().state is RunState.DONE
    assert told(beside) == []
    beside.customer(101, first_name="Anna", last_name="Lee", email="ann@example.com", note=None)
    assert told(beside) == [(ann, ("first_name", "note"))], "what was emptied differs as well"
    assert beside.cycle().state is RunState.DONE
    assert told(beside) == []
    beside.customer(102, first_name="Bo", last_name="Ek", email="bo@example.com", note="new")
    assert told(beside) == [(bo, ("note",))]


def test_nothing_is_opened_for_it(beside: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = beside.customer(101, first_name="Ann", last_name="Lee", email="ann@example.com")
    beside.connect()
    beside.agree()
    beside.customer(101, first_name="Anna", last_name="Lee", email="ann@example.com")

    def refuse(*_given: object) -> None:
        raise AssertionError("a box was opened")

    monkeypatch.setattr(SubjectKey, "open_fields", refuse)
    assert told(beside) == [(customer, ("first_name",))]


def test_parts_of_the_address_and_what_others_give_have_no_digests() -> None:
    assert comparing.comparable(["email", "address.city", "points", "shopify_id", "tags[vip:*]"]) == [
        "email", "tags[vip:*]",
    ]  # fmt: skip
