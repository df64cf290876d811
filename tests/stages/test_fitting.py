"""Fit: what each field came to, week by week, out of the log and the cases; and the advice that follows."""

from typing import Any

import pytest
from sqlalchemy import insert

from onewriter.audit import fitting
from onewriter.customers import log
from onewriter.customers.log import LogLine
from onewriter.db.casetables import case_rows, cases
from onewriter.records import DAY, Instant, Path
from onewriter.rules.diagnosis import fit
from onewriter.rules.diagnosis.fit import FieldFit, Figures
from tests.support.owners import held
from tests.support.shops import Tea, later, told

ANN = {"first_name": "Ann", "email": "ann@example.com", "phone": "+447700900111"}


def write(tea: Tea, at: Instant, *lines: LogLine, number: int = 101) -> None:
    profile = held(tea, number)
    assert profile.customer_id is not None
    assert profile.key is not None
    with tea.runtime.database.write() as db:
        log.add(db, tea.shop_id, [(profile.customer_id, profile.key, each) for each in lines], at, keep_days=0)


def line(*names: str, path: Path = Path.CYCLE, **changes: Any) -> LogLine:
    given: dict[str, Any] = {"new": dict.fromkeys(names, "x"), "system": "crm", "writer": "crm"}
    return LogLine(names, path, None, **given | changes)


def refused(name: str) -> LogLine:
    return line(name, accepted=False, reason="owned by shopify")


def open_case(tea: Tea, number: int, field: str, at: Instant) -> None:
    row = {"shop_id": tea.shop_id, "number": number, "field": field, "system": "crm", "state": "open"}
    row |= {"asserted": False, "scope_row": "record", "fix_target": "record", "affected": 1, "told": {}, "returns": 0}
    row |= {"opened_at": at, "opened_by": "audit", "looked_at": at, "looked_by": "audit"}
    there = {"shop_id": tea.shop_id, "number": number, "field": field, "found_at": at, "seen_at": at}
    with tea.runtime.database.write() as db:
        db.execute(insert(cases).values(**row))
        db.execute(insert(case_rows).values(**there, customer_id=held(tea, 101).customer_id, record_id="r"))


def figures(tea: Tea, now: Instant, worth: float | None = None) -> Figures:
    with tea.runtime.database.read() as db:
        return fitting.figures(db, tea.shop_id, now, weeks=2, minutes_a_case=15, worth_minutes=worth)


def field(known: Figures, name: str) -> FieldFit:
    return next(each for each in known.fields if each.name == name)


def rules(known: Figures) -> dict[str, str | None]:
    return {each.rule: each.field for each in fit.counsel(known)}


@pytest.fixture
def ann(tea: Tea, now: Instant) -> Tea:
    at = now - 60 * DAY
    tea.apply(told(101, at, ANN), told(102, at, {"first_name": "Bo"}), now=at)
    return tea


@pytest.mark.req("M24")
def test_two_systems_that_edit_a_field_in_two_weeks_running_want_a_narrower_owner(ann: Tea, now: Instant) -> None:
    for days in (9, 2):
        at = now - days * DAY
        ann.apply(told(101, at, ANN | {"phone": f"+44770090022{days}"}), now=at)
        write(ann, at, refused("phone"))
    known = figures(ann, now)
    assert [dict(week.edits) for week in field(known, "phone").weeks] == [{"crm": 1, "shopify": 1}] * 2
    assert [week.shared_days for week in field(known, "phone").weeks] == [1, 1]
    assert rules(known)["narrow"] == "phone"


@pytest.mark.req("M24")
def test_in_one_week_alone_it_is_no_habit(ann: Tea, now: Instant) -> None:
    write(ann, now - 2 * DAY, refused("phone"), line("phone", system="erp", writer="erp"))
    assert "narrow" not in rules(figures(ann, now))


@pytest.mark.req("M49")
def test_edited_everywhere_every_day_two_way_is_to_be_stopped(ann: Tea, now: Instant) -> None:
    for days in range(1, 7):
        write(ann, now - days * DAY, line("note"), line("note", system="erp", writer="erp"))
    known = figures(ann, now)
    assert field(known, "note").last.shared_days == 6
    assert rules(known)["stop two-way"] == "note"


def test_what_we_carry_is_no_edit_of_anybodys_and_neither_is_news_that_came_late(ann: Tea, now: Instant) -> None:
    sent = line("note", path=Path.SEND, writer="onewriter")
    write(ann, now - DAY, sent, line("note", accepted=False, reason="older than what is known"))
    assert [dict(week.edits) for week in field(figures(ann, now), "note").weeks] == [{}, {}]


@pytest.mark.req("M69")
@pytest.mark.req("M81")
def test_cases_and_corrections_by_hand_are_what_a_field_costs(ann: Tea, now: Instant) -> None:
    write(ann, now - DAY, line("note", path=Path.HAND, system="manual", writer="user:ben"))
    for number, days in ((1, 1), (2, 2), (3, 10)):
        open_case(ann, number, "note", now - days * DAY)
    known = figures(ann, now, worth=20)
    last = field(known, "note").last
    assert (last.hand, last.cases, last.records) == (1, 2, 1)
    assert fit.cost(field(known, "note")) == 30
    assert rules(known)["too dear"] == "note"
    assert "too dear" not in rules(figures(ann, now, worth=30))


@pytest.mark.req("M50")
def test_few_records_are_better_corrected_by_hand(ann: Tea, now: Instant) -> None:
    open_case(ann, 1, "note", now - DAY)
    assert "manual" in rules(figures(ann, now))


@pytest.mark.req("M54")
def test_merges_imports_and_edits_of_the_same_customers_are_counted(ann: Tea, now: Instant) -> None:
    at = now - DAY
    write(ann, at, line("note", path=Path.CSV, system="csv"), line("note", path=Path.HAND))
    assert figures(ann, now).overlap == fit.Overlap(customers=2, merged=0, imported=1, edited=1, all_three=0)
    write(ann, at, line("note", path=Path.MERGE))
    seen = figures(ann, now).overlap
    assert seen is not None
    assert (seen.merged, seen.all_three) == (1, 1)
    assert "overlap" in rules(figures(ann, now))


@pytest.mark.req("M53")
def test_a_key_that_changes_too_often_is_told(ann: Tea, now: Instant) -> None:
    assert figures(ann, now).churn == {}
    for minutes in range(20):
        at = later(now - DAY, 60 * minutes)
        ann.apply(told(101, at, ANN | {"phone": f"+4477009002{minutes:02}"}), now=at)
    known = figures(ann, now)
    assert known.churn == {"phone": 20 / 2 / 2}
    assert rules(known)["unstable key"] == "phone"


@pytest.mark.req("M20")
@pytest.mark.req("M72")
def test_pairs_that_may_be_written_follow_from_the_policy(ann: Tea, now: Instant) -> None:
    known = figures(ann, now)
    pairs = fit.editable(known.fields)
    assert pairs.writers["phone"] == 1
    assert fit.added(known.fields, "phone", "crm").startswith(f"{pairs.pairs} editable pairs become {pairs.pairs + 1}")
