"""Proof: a fix has held when a full cycle has passed, and each check then sees what is right. Both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from onewriter.audit import cases, proofs, sightings
from onewriter.customers import find
from onewriter.db.casetables import cases as case_table
from onewriter.intake import hand
from onewriter.intake.hand import Wish
from onewriter.records import RunState
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import Runtime, now
from tests.support.crm import CRM, policy_of
from tests.support.mending import Mending, mapped, mending

LOSSY = mapped(policy_of(), "note", transform="first_word", options={})
WISH = "Likes green tea a lot"
JOB = """
CREATE TRIGGER job AFTER UPDATE OF {field} ON people
BEGIN UPDATE people SET {field} = {value} WHERE id = NEW.id; END
"""


def job(both: Mending, field: str, value: str) -> None:
    """A job of the CRM's writes a field of its own accord, whenever somebody else does."""
    both.crm.sql(JOB.format(field=field, value=value))


@pytest.fixture
def both(runtime: Runtime, tmp_path: Path) -> Iterator[Mending]:
    """A shop of six, whose CRM is told of nothing but the first word of a note."""
    with mending(runtime, tmp_path, LOSSY) as found:
        yield found


def spoilt(both: Mending, many: int = 4) -> None:
    """The notes of so many customers lose all but their first word, and a case is open about it."""
    for number in both.ids[:many]:
        both.edit(number, note=WISH)
    both.cycle()
    [case] = both.audit()
    assert (case.cause, case.state, case.affected) == ("transform_lossy", State.DIAGNOSED, many)


def mended(both: Mending) -> None:
    """Somebody gives the note its whole text, and agrees to what is written by it."""
    both.map("note", transform="same", override="it is the same for all")
    assert both.case().state is State.FIX_APPLIED, "a person must still agree to the new mapping"
    both.agree()


@pytest.mark.req("M32", "M33", "M34")
def test_a_fix_that_looks_right_at_once_is_verified_by_a_full_cycle_alone(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.edit(both.ids[5], note="And biscuits")
    assert both.crm.of(both.ids[0])["remarks"] == WISH, "it is right already"
    standing = both.look()
    assert standing.case.state is State.WAITING, "correct for five minutes is not fixed yet"
    assert {each.proof.told for each in standing.checks[:1]} == {"4 customers looked at, and all agree."}
    assert standing.awaited == ("crm", "shopify"), "the fresh edit is waited for as well"
    both.cycle()
    assert (both.case().state, both.standing().awaited) == (State.WAITING, ("shopify",))
    both.reconcile(recent=True)
    assert both.case().state is State.WAITING, "a look at what changed lately is no full one"
    both.reconcile()
    assert (both.case().state, set(both.checks().values())) == (State.VERIFIED, {"held"})
    assert both.steps()[-2:] == ["waiting for cycle", "verified"]


@pytest.mark.req("M35")
def test_a_cycle_alone_proves_nothing_of_a_system_that_cannot_be_read_again(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.edit(both.ids[5], note="And biscuits")
    both.cycle()
    away = both.crm.file.rename(both.crm.file.with_suffix(".away"))
    assert both.reconcile().state is RunState.DONE, "what waits for a case never fails a run"
    assert both.checks() == {"stays": "held", "keeps": "waiting", "second": "held"}
    assert both.case().state is State.WAITING
    away.rename(both.crm.file)
    assert both.look().case.state is State.VERIFIED


def test_what_somebody_changed_there_since_the_cycle_is_seen_by_the_look_of_its_own(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.cycle()
    both.crm.sql("UPDATE people SET remarks = 'Likes' WHERE shop_no = ?", str(both.ids[1]))
    both.reconcile()
    assert both.checks()["keeps"] == "failed"
    assert both.case().state is State.RETURNED
    assert "Still wrong: 1 of 4 customers." in both.told("returned")


@pytest.mark.req("M36")
def test_a_second_customer_is_awaited_until_somebody_edits_one_after_the_fix(both: Mending) -> None:
    spoilt(both, many=1)
    both.edit(both.ids[5], note="Edited before the fix")
    mended(both)
    both.pass_all()
    assert both.checks() == {"stays": "held", "keeps": "held", "second": "waiting"}
    both.edit(both.ids[0], note="Of the same customer, once more")
    both.pass_all()
    assert (both.checks()["second"], both.standing().needs_edit) == ("waiting", True), "that is no second one"
    both.edit(both.ids[4], note="Of another customer")
    assert both.look().checks[2].proof.state.value == "waiting", "and not before the cycle after it"
    both.pass_all()
    assert (both.case().state, both.checks()["second"]) == (State.VERIFIED, "held")


def test_a_canary_is_the_one_whose_edit_is_looked_at(both: Mending) -> None:
    spoilt(both, many=1)
    mended(both)
    with both.runtime.database.write() as db:
        canary = find.show(db, both.shop.vault, str(both.ids[3])).id
        proofs.name_canary(db, both.shop.shop_id, 1, canary)
    both.edit(both.ids[4], note="Somebody else")
    both.pass_all()
    assert both.standing().needs_edit
    both.edit(both.ids[3], note="The canary")
    both.pass_all()
    assert both.case().state is State.VERIFIED
    assert both.standing().checks[2].customer_id == canary


@pytest.mark.req("M78")
def test_what_a_job_writes_back_returns_and_is_a_configuration_problem_after_a_resync(
    runtime: Runtime, tmp_path: Path
) -> None:
    with mending(runtime, tmp_path) as both:
        job(both, "remarks", "'by a job'")
        for number in both.ids[:3]:
            both.edit(number, note="As the shop says")
        both.cycle()
        both.cycle(full=True)
        [case] = both.audit()
        assert case.field == "note"
        both.done()
        both.pass_all()
        assert both.case().state is State.RETURNED
        assert both.case().returns == 1
        both.done()
        one = cases_people(both)[0]
        both.cycle(only=one)
        assert both.case().escalated_at is None, "a resync by hand alone is no proof of it"
        both.cycle(full=True)
        both.reconcile()
        assert both.case().escalated_at is not None
        assert both.told("escalated").startswith("Still wrong after a full cycle and a resync by hand: a configuration")


def cases_people(both: Mending) -> list[bytes]:
    with both.runtime.database.read() as db:
        return cases.people_of(db, both.shop.shop_id, 1, 10)


def test_a_case_that_was_verified_is_no_news_to_the_next_audits_and_returns_when_it_does(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.edit(both.ids[5], note="And biscuits")
    both.pass_all()
    assert (both.audit(), both.case().state) == ([], State.VERIFIED)
    both.map_by_hand("note", transform="first_word")
    both.agree()
    both.edit(both.ids[0], note="Coffee for a change")
    both.cycle()
    [again] = both.audit()
    assert (again.number, again.state, again.returns) == (1, State.RETURNED, 1)


def test_a_refused_edit_from_before_a_fix_that_held_opens_no_case_again(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        for _day in range(2):
            for number in both.ids[:3]:
                both.crm.edit(both.record(number), remarks="by a job")
            both.cycle()
            both.cycle()
        [case] = both.audit()
        assert case.field == "note"
        both.done()
        both.edit(both.ids[5], note="Of a second customer")
        both.pass_all()
        assert both.case().state is State.VERIFIED
        assert both.audit() == [], "the job was switched off: what it did before is over"
        with both.runtime.database.write() as db:
            cases.close(db, both.shop.shop_id, 1, "user:test", "proved", 1)
        assert both.audit() == []
        assert both.case(1).state is State.CLOSED


@pytest.mark.req("M14")
def test_a_prediction_is_scored_by_the_first_whole_cycle_after_it(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        for number in both.ids[:2]:
            both.edit(number, note="Told to the CRM")
        [case] = both.audit()
        assert (case.predicted, case.survived) == ("shopify", None)
        both.cycle(only=cases_people(both)[0])
        assert both.case().survived is None, "a cycle of one customer is no whole one"
        both.cycle()
        assert both.case().survived is True
        assert "was predicted to win the cycle, and won" in both.told("scored")


def test_a_prediction_is_of_the_next_cycle_and_of_no_later_one(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        job(both, "remarks", "'by a job'")
        both.edit(both.ids[0], note="Told to the CRM")
        both.cycle()
        both.cycle(full=True)
        assert [each.survived for each in both.audit()] == [None]
        both.cycle()
        assert both.case().survived is None, "neither took what the other says"
        both.crm.sql("DROP TRIGGER job")
        both.crm.edit(both.record(both.ids[0]), remarks="Told to the CRM")
        both.cycle()
        assert both.case().survived is None


def test_a_prediction_that_failed_says_so(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        both.edit(both.ids[0], note="Told to the CRM")
        [case] = both.audit()
        with runtime.database.write() as db:
            cases.change(db, case, {"predicted": CRM})
        both.cycle()
        assert both.case().survived is False


def test_a_prediction_is_not_scored_by_what_happens_after_a_fix(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        both.edit(both.ids[0], note="Told to the CRM")
        both.audit()
        both.done()
        both.cycle()
        assert both.case().survived is None


@pytest.mark.req("M39")
def test_a_second_record_of_one_address_fails_the_check_that_nobody_has_two(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        job(both, "mail", "'n' || NEW.id || '@example.org'")
        both.edit(both.ids[0], email="moved@example.com")
        both.cycle()
        both.cycle(full=True)
        [case] = both.audit()
        assert case.field == "email"
        both.crm.sql("DROP TRIGGER job")
        both.done()
        assert "one record" in both.checks()
        both.cycle()
        twin = both.crm.put(mail="moved@example.com", first="Again")
        both.cycle()
        both.reconcile()
        assert both.checks()["one record"] == "waiting", "whether it is there still a full reading alone can tell"
        assert both.crm.record(twin)["shop_no"] is None
        both.cycle(full=True)
        assert both.checks()["one record"] == "failed"
        assert both.case().state is State.RETURNED


@pytest.mark.req("M38")
def test_a_consent_has_a_check_of_its_own(runtime: Runtime, tmp_path: Path) -> None:
    consent = {"remote": "labels", "direction": "out", "transform": "consent_state"}
    with mending(runtime, tmp_path, mapped(policy_of(), "email_consent", **consent)) as both:
        for number in both.ids[:2]:
            state = "SUBSCRIBED" if both.crm.of(number)["labels"] != "subscribed" else "UNSUBSCRIBED"
            both.shop.shop.consent_to_email(number, state, "SINGLE_OPT_IN")
        both.shop.follow()
        job(both, "labels", "'pending'")
        both.cycle()
        both.cycle(full=True)
        assert [each.field for each in both.audit()] == ["email_consent"]
        both.crm.sql("DROP TRIGGER job")
        for number in both.ids[:2]:
            consent_now = next(each for each in both.shop.shop.snapshot() if each.id == number).email_consent
            both.crm.edit(both.record(number), labels=consent_now.state.lower())
        both.done()
        assert "consent" in both.checks()
        both.pass_all()
        assert both.checks()["consent"] == "held"


@pytest.mark.req("M37")
def test_the_customer_of_a_merge_has_a_check_of_its_own(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        both.shop.shop.merge(both.ids[0], both.ids[1])
        both.shop.follow()
        both.cycle()
        kept = next(each for each in both.shop.shop.snapshot() if each.id in both.ids[:2])
        both.edit(kept.id, note="Of the merged one")
        [case] = [each for each in both.audit() if each.field == "note"]
        both.done(case.number)
        assert "merged" in both.checks(case.number)


def test_a_system_that_a_person_excuses_is_not_awaited(both: Mending) -> None:
    spoilt(both)
    both.done()
    with both.runtime.database.write() as db:
        cases.change(db, both.case(), {"fix": {**(both.case().fix or {}), "excused": ["crm"]}})
    assert both.standing().awaited == ("shopify",)


def test_what_goes_wrong_with_a_look_ends_no_run_badly(both: Mending, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(both)
    mended(both)

    def fail(*_given: object) -> None:
        raise RuntimeError("whatever it is")

    with monkeypatch.context() as patched:
        patched.setattr(sightings, "examine", fail)
        assert both.reconcile().state is RunState.DONE
    assert both.case().state is State.WAITING


def test_a_wrong_value_that_was_carried_to_the_right_side_is_no_agreement(both: Mending) -> None:
    """Both sides say the same now, and it is what was wrong: nothing is mended by that."""
    spoilt(both)
    both.done()
    for number in both.ids[:4]:
        both.edit(number, note="Likes")
    both.pass_all()
    assert both.checks()["stays"] == "failed"


def test_no_column_of_a_proof_holds_a_value(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.pass_all()
    with both.runtime.database.read() as db:
        told = str(db.execute(select(case_table)).all()) + str([both.told(each) for each in both.steps()])
    assert WISH not in told
    assert "Likes" not in told


def test_a_hand_edit_that_its_owner_never_said_is_no_fresh_edit(both: Mending) -> None:
    """What is typed here of a field of Shopify's is a proposal: it counts when Shopify says it, and not before."""
    spoilt(both)
    mended(both)
    wish = Wish(shopify_id=both.ids[5], values={"note": "Typed here"}, by="user:test")
    with both.runtime.database.write() as db:
        hand.set_fields(db, both.shop.vault, wish, now())
    both.pass_all()
    assert (both.checks()["second"], both.case().state) == ("waiting", State.WAITING)
    both.edit(both.ids[5], note="Typed here")
    both.pass_all()
    assert both.case().state is State.VERIFIED


def test_an_edit_that_is_still_on_its_way_is_nothing_that_came_back(both: Mending) -> None:
    spoilt(both)
    mended(both)
    both.pass_all()
    both.edit(both.ids[0], note="Edited a moment ago, and not carried over yet")
    standing = both.look()
    assert both.checks() == {"stays": "held", "keeps": "held", "second": "waiting"}
    assert standing.case.state is State.WAITING
    assert "4 customers looked at; of 1 an edit is on its way." in str(standing.checks[0].proof.told)


def test_a_second_record_that_was_taken_away_is_no_second_record(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both:
        job(both, "mail", "'n' || NEW.id || '@example.org'")
        both.edit(both.ids[0], email="moved@example.com")
        both.cycle()
        both.cycle(full=True)
        twin = both.crm.put(mail="moved@example.com", first="Again")
        both.cycle()
        [case] = both.audit()
        both.crm.sql("DROP TRIGGER job")
        both.crm.sql("DELETE FROM people WHERE id = ?", twin)
        both.done(case.number)
        both.pass_all()
        assert both.checks()["one record"] == "waiting"
        both.cycle(full=True)
        assert both.checks()["one record"] == "held"
