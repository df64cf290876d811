"""Cases in the database: opened, grown, joined and ended by what audits find, and answered and closed by people."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from onewriter.audit import cases, cases_taking
from onewriter.audit.cases import Case, NotPossible, UnknownCase
from onewriter.audit.gathering import Gathered
from onewriter.db.casetables import case_rows
from onewriter.records import DAY, Instant
from onewriter.rules.diagnosis.checklist import CYCLE, gate
from onewriter.rules.diagnosis.evidence import Side
from onewriter.rules.diagnosis.judgement import Answer, CaseOf
from onewriter.rules.diagnosis.proof import State
from tests.support import judging
from tests.support.shops import Tea, told

CRM = "crm"
PHONE, EMAIL = judging.rules("phone"), judging.rules("email")


@pytest.fixture
def people(tea: Tea, now: Instant) -> dict[str, bytes]:
    """Four customers of the shop, by what the evidence calls them."""
    found = {}
    for number in range(1, 5):
        tea.apply(told(number, now, {"email": f"a{number}@example.com", "phone": f"+44770090011{number}"}), now=now)
        profile = tea.profile(number)
        assert profile is not None
        assert profile.customer_id is not None
        found[f"s{number}"] = profile.customer_id
    return found


def take(tea: Tea, people: dict[str, bytes], now: Instant, *found: CaseOf, is_sample: bool = False) -> None:
    """Take what an audit found, as it does at its end."""
    records = {f"t{number}": f"record-{number}" for number in range(9)}
    gathered = Gathered(
        evidence=judging.evidence(), customers=people, records=records,
        pairs=4, differing={}, found=4, opened=4, is_sample=is_sample, loose={Side.SOURCE: 0, Side.TARGET: 0},
    )  # fmt: skip
    with tea.runtime.database.write() as db:
        cases_taking.take(db, tea.vault, CRM, f"run-{now}", found, gathered, now)


def phones(numbers: Sequence[int], cause: str = "transform_lossy", *, asserted: bool = True) -> CaseOf:
    return judging.case([judging.row(each, PHONE) for each in numbers], cause, asserted=asserted)


def every(tea: Tea) -> list[Case]:
    with tea.runtime.database.read() as db:
        return sorted(cases.listed(db, tea.shop_id, 100, ended=True), key=lambda each: each.number)


def steps(tea: Tea, number: int) -> list[str]:
    with tea.runtime.database.read() as db:
        return [each.step for each in cases.story(db, tea.shop_id, number)]


def concerned(tea: Tea, number: int) -> list[int]:
    with tea.runtime.database.read() as db:
        found = cases.concerned(db, tea.shop_id, number)
        assert len(found) == cases.count_concerned(db, tea.shop_id, number)
    return sorted(shopify_id for _, shopify_id in found)


def test_a_diagnosis_opens_a_case_with_its_rows_and_holds_no_value(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    take(tea, people, now, phones([1, 2]))
    [case] = every(tea)
    assert (case.number, case.state, case.cause, case.affected) == (1, State.DIAGNOSED, "transform_lossy", 2)
    assert case.told["scope"] == phones([1, 2]).scope
    assert concerned(tea, 1) == [1, 2]
    with tea.runtime.database.read() as db:
        rows = db.execute(select(case_rows).order_by(case_rows.c.customer_id)).all()
    assert len({row.wrong_digest for row in rows}) == 2, "the same value, each under its customer's own key"
    assert all(row.wrong_digest != row.right_digest for row in rows)


def test_the_next_audit_finds_it_again_and_tells_it_anew(tea: Tea, people: dict[str, bytes], now: Instant) -> None:
    take(tea, people, now, phones([1], asserted=False))
    assert every(tea)[0].state is State.OPEN
    take(tea, people, now + DAY, phones([1, 2, 3], "two_writers"))
    [case] = every(tea)
    assert (case.number, case.state, case.cause, case.affected) == (1, State.DIAGNOSED, "two_writers", 3)
    assert (case.opened_at, case.looked_at) == (now, now + DAY)
    assert steps(tea, 1) == ["opened", "grew"]


def test_other_customers_of_the_same_field_and_cause_are_the_same_case(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    take(tea, people, now, phones([1]))
    take(tea, people, now + DAY, phones([2]))
    assert [(each.number, each.affected) for each in every(tea)] == [(1, 1)]
    assert concerned(tea, 1) == [2], "the first is in step again"
    take(tea, people, now + 2 * DAY, phones([2]), phones([3], "two_writers"))
    assert [each.number for each in every(tea)] == [1, 2]


def test_cases_that_one_cause_explains_are_joined(tea: Tea, people: dict[str, bytes], now: Instant) -> None:
    emails = judging.case([judging.row(1, EMAIL)], "two_writers")
    take(tea, people, now, phones([1]), emails)
    assert [each.state for each in every(tea)] == [State.DIAGNOSED, State.DIAGNOSED]
    whole = judging.case([judging.row(1, PHONE), judging.row(1, EMAIL)], "identity_over_merge")
    take(tea, people, now + DAY, whole)
    first, second = every(tea)
    assert (first.state, first.joined_to, second.state, second.joined_to) == (State.DIAGNOSED, None, State.JOINED, 1)
    assert (concerned(tea, 1), concerned(tea, 2)) == ([1], [])
    take(tea, people, now + 2 * DAY, whole)
    assert len(every(tea)) == 2


def test_one_that_nobody_touched_and_nobody_finds_is_gone_by_itself(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    take(tea, people, now, phones([1]))
    take(tea, people, now + DAY, is_sample=True)
    assert every(tea)[0].state is State.DIAGNOSED, "a sample proves nothing about those that were not in it"
    take(tea, people, now + 2 * DAY)
    [case] = every(tea)
    assert (case.state, case.why, case.ended_at) == (State.CLOSED, "gone by itself", now + 2 * DAY)
    assert concerned(tea, 1) == []
    take(tea, people, now + 3 * DAY, phones([1]))
    assert [each.number for each in every(tea)] == [1, 2], "what comes again is a new case"


def test_a_customer_who_was_erased_meanwhile_is_left_out(tea: Tea, people: dict[str, bytes], now: Instant) -> None:
    del people["s1"]
    take(tea, people, now, phones([1, 2]), judging.case([judging.row(1, EMAIL)], "two_writers"))
    assert [(each.number, each.affected) for each in every(tea)] == [(1, 1)]


def test_a_person_s_answer_goes_before_the_evidence_s_and_opens_the_gate(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    take(tea, people, now, phones([1], asserted=False))
    for chosen, unclear in ((Answer.UNCLEAR, 3), (Answer.NO, 2)):
        with tea.runtime.database.write() as db:
            before = gate(cases.checklist(db, tea.shop_id, cases.get(db, tea.shop_id, 1)))
            for item in ("field", "records", "owner", "key", "coverage", "recurrence", CYCLE):
                at_first = Answer.UNCLEAR if item in ("field", "records") else Answer.YES
                answered = chosen if item == CYCLE else at_first
                cases.answer(db, tea.shop_id, 1, item, answered, "user:ann", "I looked", now)
            items = cases.checklist(db, tea.shop_id, cases.get(db, tea.shop_id, 1))
            found = gate(items)
        assert (len(found.unclear), found.is_open) == (unclear, unclear < 3)
        assert {each.answered_by for each in items} == {"user:ann"}
        assert before.told
    with tea.runtime.database.write() as db, pytest.raises(NotPossible, match="no item"):
        cases.answer(db, tea.shop_id, 1, "colour", Answer.YES, "user:ann", None, now)


@pytest.mark.req("M68")
def test_a_case_is_not_closed_before_its_proof_unless_somebody_says_why(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    take(tea, people, now, phones([1]))
    with tea.runtime.database.write() as db, pytest.raises(NotPossible, match="Nothing was fixed yet"):
        cases.close(db, tea.shop_id, 1, "user:ann", "it is fine", now)
    with tea.runtime.database.write() as db:
        cases.close(db, tea.shop_id, 1, "user:ann", "it is fine", now, override=True)
    [case] = every(tea)
    assert (case.state, case.ended_by, case.why) == (State.CLOSED, "user:ann", "it is fine")
    assert "overrode" in steps(tea, 1)
    with tea.runtime.database.write() as db, pytest.raises(NotPossible, match="already"):
        cases.close(db, tea.shop_id, 1, "user:ann", "again", now, override=True)
    with tea.runtime.database.read() as db, pytest.raises(UnknownCase, match="cases list"):
        cases.get(db, tea.shop_id, 9)


def test_the_list_is_of_what_is_open_the_rules_before_the_records(
    tea: Tea, people: dict[str, bytes], now: Instant
) -> None:
    single = judging.case([judging.row(1, EMAIL)], "stale_import")
    take(tea, people, now, single, phones([2, 3, 4]))
    with tea.runtime.database.write() as db:
        found = cases.listed(db, tea.shop_id, 10)
        assert [each.fix_target for each in found] == sorted((each.fix_target for each in found), reverse=True)
        assert [each.field for each in cases.listed(db, tea.shop_id, 10, field="email")] == ["email"]
        assert cases.listed(db, tea.shop_id, 10, system="erp") == []
        cases.close(db, tea.shop_id, 1, "user:ann", "done", now, override=True)
        assert [each.number for each in cases.listed(db, tea.shop_id, 10)] == [2]
        assert [each.number for each in cases.listed(db, tea.shop_id, 10, state="closed")] == [1]
