"""Several records of a system that may be one customer: who is linked does not depend on what is read first."""

from collections.abc import Sequence
from typing import Any

import pytest

from onewriter.connectors.interface import Deleted, Record
from onewriter.customers import deciding, links, matching
from onewriter.customers.deciding import Pair
from onewriter.intake import cycle
from tests.support.crm import ANN, CRM, Crm, policy_of
from tests.support.shops import later

SAME = {"mail": "ann@example.com", "first": "Ann", "last": "Lee"}
BY_ID = {"shop_no": "101"}
BY_PHONE = {"mobile": "+447700900111", "first": "Ann", "last": "Lee"}


def state_of(beside: Crm, number: int) -> tuple[str, str] | None:
    """How a record stands to its one customer, and by which key."""
    name = beside.tea.vault.key.record_name(CRM, str(number))
    with beside.tea.runtime.database.read() as db:
        found = [each for each in links.among(db, beside.tea.shop_id, CRM, [name]) if each.state != links.BROKEN]
    assert len(found) <= 1
    return (found[0].state, found[0].matched_by) if found else None


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(told: Sequence[Record | Deleted]) -> list[list[Record | Deleted]]:
        return [[each] for each in told]

    monkeypatch.setattr(cycle, "apart", alone)
    monkeypatch.setattr(matching, "PAGE", 1)


def found(beside: Crm, records: Sequence[dict[str, Any]]) -> list[tuple[str, str] | None]:
    """What becomes of these records, read in this order."""
    numbers = [beside.put(**each) for each in records]
    beside.connect(policy_of(), creates=False)
    beside.cycle()
    return [state_of(beside, each) for each in numbers]


TWO = [("review", "email")] * 2
MIXED = [("review", "email"), ("review", "phone"), ("review", "email")]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("records", "states"),
    [
        ([SAME, SAME], TWO),
        ([SAME, SAME, SAME], [("review", "email")] * 3),
        ([SAME, BY_ID], [("review", "email"), ("linked", "id")]),
        ([BY_ID, SAME], [("linked", "id"), ("review", "email")]),
        ([SAME, BY_PHONE, SAME], MIXED),
        ([BY_PHONE, SAME], [("review", "phone"), ("linked", "email")]),
    ],
)
def test_who_is_linked_does_not_depend_on_what_is_read_at_once(
    beside: Crm, monkeypatch: pytest.MonkeyPatch, together: bool, records: list[dict[str, Any]], states: list[Any]
) -> None:
    if not together:
        one_by_one(monkeypatch)
    beside.customer(101, **ANN)
    assert found(beside, records) == states


@pytest.mark.parametrize(("records", "states"), [([SAME, SAME], TWO), ([SAME, BY_PHONE, SAME], MIXED)])
def test_who_is_linked_once_the_customer_comes_does_not_depend_on_it_either(
    beside: Crm, monkeypatch: pytest.MonkeyPatch, records: list[dict[str, Any]], states: list[Any]
) -> None:
    one_by_one(monkeypatch)
    found(beside, records)
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN)
    beside.cycle()
    assert [state_of(beside, number + 1) for number in range(len(records))] == states


def test_what_was_linked_in_an_earlier_reading_stays_so(beside: Crm) -> None:
    ann = beside.customer(101, **ANN)
    [state] = found(beside, [SAME])
    assert state == ("linked", "email")
    beside.moment = later(beside.moment, 60)
    second = beside.put(**SAME)
    beside.cycle()
    assert state_of(beside, second) == ("review", "email")
    assert state_of(beside, 1) == ("linked", "email")
    with beside.tea.runtime.database.read() as db:
        assert len(links.of_customers(db, beside.tea.shop_id, CRM, [ann])[ann]) == 1


def test_what_waits_for_a_person_is_no_less_doubtful_once_one_of_them_is_read_again(beside: Crm) -> None:
    beside.customer(101, **ANN)
    assert found(beside, [SAME, SAME]) == [("review", "email")] * 2
    beside.moment = later(beside.moment, 60)
    beside.edit(1, remarks="typed")
    beside.cycle()
    assert [state_of(beside, each) for each in (1, 2)] == [("review", "email")] * 2


def test_what_a_person_has_linked_while_it_was_read_is_not_taken_back(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = beside.customer(101, **ANN)
    one_by_one(monkeypatch)
    real = deciding.link_found

    def meanwhile(db: Any, vault: Any, system: str, found: Any, *rest: Any) -> Any:
        back = [name for name, each in found.items() if isinstance(each, links.Review) and each.unlinks]
        for name in back:
            deciding.break_link(db, vault, Pair(CRM, name, ann), "user:ben", beside.moment)
            deciding.link_by_hand(db, vault, Pair(CRM, name, ann), "user:ben", beside.moment)
        return real(db, vault, system, found, *rest)

    monkeypatch.setattr(deciding, "link_found", meanwhile)
    assert found(beside, [SAME, SAME]) == [("linked", links.PERSON), ("review", "email")]
