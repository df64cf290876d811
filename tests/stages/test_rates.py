"""Rates: how often each field changes and is in trouble, counted out of the log."""

from typing import Any

import pytest
from sqlalchemy import insert

from onewriter.customers import log, parked, rates
from onewriter.customers.log import LogLine
from onewriter.customers.rates import Rates
from onewriter.db.casetables import cases
from onewriter.records import DAY, HOUR, Instant, Path
from onewriter.rules.ordering import OLDER
from onewriter.rules.policy import ONEWRITER
from tests.support.owners import held
from tests.support.shops import Tea, absent, later, merged, told

ANN = {"first_name": "Ann", "email": "ann@example.com", "phone": "+447700900111"}


def write(tea: Tea, now: Instant, *lines: LogLine) -> None:
    profile = held(tea, 101)
    assert profile.customer_id is not None
    assert profile.key is not None
    with tea.runtime.database.write() as db:
        log.add(db, tea.shop_id, [(profile.customer_id, profile.key, each) for each in lines], now, keep_days=0)


def line(*names: str, path: Path = Path.CYCLE, **changes: Any) -> LogLine:
    given: dict[str, Any] = {"new": dict.fromkeys(names, "x"), "system": "crm", "writer": "crm"}
    return LogLine(names, path, None, **given | changes)


def counted(tea: Tea, now: Instant, days: int = 7) -> Rates:
    with tea.runtime.database.read() as db:
        return rates.of_shop(db, tea.shop_id, now - days * DAY, days)


@pytest.fixture
def ann(tea: Tea, now: Instant) -> Tea:
    tea.apply(told(101, now, ANN), told(102, now, {"first_name": "Bo"}), now=now)
    return tea


@pytest.mark.req("M21")
def test_a_change_is_news_of_somebody_who_was_known(ann: Tea, now: Instant) -> None:
    assert counted(ann, now).by_change == [] or counted(ann, now).by_change[0].changes == 0
    ann.apply(told(101, later(now, 1), ANN | {"phone": "+447700900222"}), now=later(now, 1))
    write(ann, now, line("tags[a b*]", "phone"), line("note", writer=ONEWRITER, path=Path.SEND))
    found = counted(ann, now)
    changed = [(each.name, each.changes) for each in found.by_change if each.changes]
    assert changed == [("phone", 2), ("tags[a b*]", 1)]
    assert found.fields["phone"].by == {("shopify", "webhook"): 1, ("crm", "cycle"): 1}
    assert found.customers == 2
    assert found.weekly(found.fields["phone"].changes) == 1.0
    assert counted(ann, now, 14).weekly(2) == 0.5
    assert counted(ann, later(now, 8 * 24 * 3600)).by_change == []


@pytest.mark.req("M21")
def test_trouble_is_what_was_refused_waits_or_was_corrected(ann: Tea, now: Instant) -> None:
    changes = [line("phone")] * 4
    refused = [line("phone", accepted=False, reason="owned by shopify"), line("email", accepted=False, reason=OLDER)]
    by_hand = [
        line("phone", path=Path.HAND, reason="sent to its owner, crm", system="manual", writer="user:ben"),
        line("email", path=Path.HAND, system="manual", writer="user:ben"),
        line("note", path=Path.HAND, accepted=False, reason="owned by crm: away", system="manual", writer="user:ben"),
    ]
    write(ann, now, *changes, *refused, *by_hand)
    profile = held(ann, 101)
    assert profile.customer_id is not None
    assert profile.key is not None
    with ann.runtime.database.write() as db:
        place = (profile.key, profile.customer_id, "crm")
        parked.park(db, ann.vault, *place, "tags", ["x"], "owned by shopify", now - 90 * DAY, direction="in")
    found = counted(ann, now)
    told = [(each.name, each.refused, each.parked, each.by_hand, each.per_100) for each in found.by_trouble]
    assert told == [("note", 0, 0, 1, None), ("tags", 0, 1, 0, None), ("phone", 1, 0, 1, 50.0)]
    assert (found.fields["email"].changes, found.fields["email"].trouble) == (1, 0)


@pytest.mark.req("M21")
def test_customers_who_were_merged_are_counted(ann: Tea, now: Instant) -> None:
    assert counted(ann, now).merges == 0
    ann.apply(merged(102, 101, later(now, 5)), now=later(now, 5))
    ann.apply(absent(102, later(now, 3600)), now=later(now, 3600))
    assert counted(ann, now).merges == 1
    assert counted(ann, now + 9 * DAY + HOUR).merges == 0


@pytest.mark.req("M21")
def test_cases_of_these_days_are_counted_by_field(ann: Tea, now: Instant) -> None:
    for number, name, opened in ((1, "phone", now), (2, "phone", now), (3, "note", now - 30 * DAY)):
        open_case(ann, number, name, opened)
    found = counted(ann, now)
    assert [(each.name, each.cases, each.per_100) for each in found.by_trouble] == [("phone", 2, None)]


def open_case(tea: Tea, number: int, field: str, opened: Instant) -> None:
    told = {"system": "crm", "state": "open", "asserted": False, "scope_row": "record", "fix_target": "record"}
    looked = {"opened_at": opened, "opened_by": "audit", "looked_at": opened, "looked_by": "audit"}
    row = {"shop_id": tea.shop_id, "number": number, "field": field, "affected": 1, "told": {}, "returns": 0}
    with tea.runtime.database.write() as db:
        db.execute(insert(cases).values(**row, **told, **looked))
