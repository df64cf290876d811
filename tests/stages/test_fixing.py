"""Mending from a case: what onewriter does itself, what is refused before it, and taking it back. Both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from onewriter.audit import cases
from onewriter.audit.cases import NotPossible
from onewriter.customers import links, runs, systems
from onewriter.customers import parked as parked_values
from onewriter.records import RunState
from onewriter.rules.diagnosis.checklist import QUESTIONS
from onewriter.rules.diagnosis.judgement import Answer
from onewriter.rules.diagnosis.proof import State
from onewriter.runtime import Runtime, now
from onewriter.workflows import fixing
from tests.support.crm import CRM, policy_of
from tests.support.mending import USER, Mending, mapped, mending

LOSSY = mapped(policy_of(), "note", transform="first_word", options={})


@pytest.fixture
def both(runtime: Runtime, tmp_path: Path) -> Iterator[Mending]:
    with mending(runtime, tmp_path, LOSSY) as found:
        yield found


def spoilt(both: Mending, many: int = 3) -> None:
    for number in both.ids[:many]:
        both.edit(number, note="Likes green tea a lot")
    both.cycle()
    [case] = both.audit()
    assert case.cause == "transform_lossy"


def unclear(both: Mending, many: int) -> None:
    """So many items of the checklist are unclear, and the others are settled."""
    with both.runtime.database.write() as db:
        for place, item in enumerate(QUESTIONS):
            chosen = Answer.UNCLEAR if place < many else Answer.YES
            cases.answer(db, both.shop.shop_id, 1, item, chosen, USER, None, now())


def told(both: Mending, values: dict[str, object]) -> None:
    """Another diagnosis of the case."""
    with both.runtime.database.write() as db:
        case = cases.get(db, both.shop.shop_id, 1)
        cases.change(db, case, {"told": {**case.told, **values}})


def resync(both: Mending, only: bytes | None = None, override: str | None = None) -> str:
    doing = both.doing("resync", override=override)
    return fixing.resync(both.runtime, both.shop.shop_id, doing, only)


def people(both: Mending) -> list[bytes]:
    with both.runtime.database.read() as db:
        return cases.people_of(db, both.shop.shop_id, 1, 10)


@pytest.mark.req("M1")
def test_nothing_is_done_about_a_case_whose_scope_is_not_known(both: Mending) -> None:
    spoilt(both)
    told(both, {"scope": ""})
    with pytest.raises(NotPossible, match="How far it reaches is not known"):
        both.map("note", transform="same", override="I know what I do")
    assert (both.case().fixed_at, both.policy.version) == (None, 2)


@pytest.mark.req("M31")
def test_a_broad_correction_of_a_narrow_problem_needs_a_reason_which_is_kept(both: Mending) -> None:
    spoilt(both, many=1)
    with pytest.raises(NotPossible, match="One customer is concerned, and this would change what is done to all"):
        both.map("note", transform="same")
    assert both.policy.version == 2
    both.map("note", transform="same", override="it will be the same for all")
    assert "Because: it will be the same for all" in both.told("overrode")


@pytest.mark.req("M63")
@pytest.mark.parametrize(("many", "is_refused"), [(2, False), (3, True)])
def test_two_unclear_items_let_an_edit_of_many_pass_and_three_stop_it(
    both: Mending, many: int, is_refused: bool
) -> None:
    spoilt(both)
    unclear(both, many)
    if is_refused:
        with pytest.raises(NotPossible, match="3 of 7 items are unclear: field, records, cycle"):
            both.map("note", transform="same")
        assert both.case().fixed_at is None
        both.map("note", transform="same", override="the owner of the data says so")
        assert "the owner of the data says so" in both.told("overrode")
    else:
        both.map("note", transform="same")
        assert "overrode" not in both.steps()
    assert both.case().state is State.FIX_APPLIED


@pytest.mark.req("M26")
def test_many_records_are_carried_over_only_when_their_mapping_is_right_and_one_of_them_to_try(both: Mending) -> None:
    spoilt(both)
    with pytest.raises(NotPossible, match="Mend the mapping first: Do not edit records in bulk"):
        resync(both)
    both.map("note", transform="same")
    both.agree()
    fixed_at = both.case().fixed_at
    run_id = resync(both, people(both)[0])
    assert both.carry_out(run_id).checkpoint["only"] == people(both)[0].hex()
    assert both.carry_out(resync(both)).state is RunState.DONE
    assert (both.case().fixed_at, both.case().state) == (fixed_at, State.WAITING), "it is no fix of its own"
    assert both.steps().count("resynced") == 2


def test_a_resync_is_of_the_customers_of_the_case_alone(both: Mending) -> None:
    spoilt(both)
    with both.runtime.database.read() as db:
        everybody = {each.customer_id for each in links.listed(db, both.shop.shop_id, links.LINKED, 100)}
    [stranger, *_others] = sorted(everybody - {*people(both)})
    with pytest.raises(NotPossible, match="none of case 1"):
        resync(both, stranger)


def test_a_mapping_that_was_mended_is_taken_back_with_its_proof(both: Mending) -> None:
    spoilt(both)
    both.map("note", transform="same")
    assert both.policy.systems[CRM]["note"].transform == "same"
    case = fixing.undo(both.runtime, both.shop.shop_id, 1, USER, now())
    assert both.policy.systems[CRM]["note"].transform == "first_word"
    assert (case.state, case.fixed_at, both.checks()) == (State.DIAGNOSED, None, {})
    with pytest.raises(NotPossible, match="Nothing was done"):
        fixing.undo(both.runtime, both.shop.shop_id, 1, USER, now())


def test_a_mapping_that_somebody_changed_since_is_not_taken_back(both: Mending) -> None:
    spoilt(both)
    both.map("note", transform="same")
    both.map_by_hand("note", transform="upper")
    with pytest.raises(NotPossible, match="The policy is of version 4 by now, and this fix made version 3"):
        fixing.undo(both.runtime, both.shop.shop_id, 1, USER, now())
    assert both.policy.version == 4


def test_what_the_policy_says_already_mends_nothing(both: Mending) -> None:
    spoilt(both)
    with pytest.raises(NotPossible, match="says already"):
        both.map("note", transform="first_word")
    assert both.case().fixed_at is None


def test_a_system_is_paused_from_its_case_and_goes_on_when_that_is_taken_back(both: Mending) -> None:
    spoilt(both)
    fixing.pause(both.runtime, both.shop.shop_id, both.doing("pause"))
    assert state(both) == systems.PAUSED
    with pytest.raises(NotPossible, match="paused already"):
        fixing.pause(both.runtime, both.shop.shop_id, both.doing("pause"))
    fixing.undo(both.runtime, both.shop.shop_id, 1, USER, now())
    assert state(both) == systems.ACTIVE


def state(both: Mending) -> str:
    with both.runtime.database.read() as db:
        return systems.get(db, both.shop.shop_id, CRM).state


def test_records_and_customers_of_a_case_are_taken_apart_and_together_again(both: Mending) -> None:
    spoilt(both)
    fixing.unlink(both.runtime, both.shop.shop_id, both.doing("unlink"))
    assert linked(both) == 3, "the three others"
    assert both.case().state is State.WAITING
    fixing.undo(both.runtime, both.shop.shop_id, 1, USER, now())
    assert linked(both) == 6


def linked(both: Mending) -> int:
    with both.runtime.database.read() as db:
        return len(links.listed(db, both.shop.shop_id, links.LINKED, 100))


def test_what_is_refused_leaves_nothing_behind(both: Mending) -> None:
    spoilt(both)
    unclear(both, 7)
    with pytest.raises(NotPossible, match="7 of 7 items are unclear"):
        fixing.unlink(both.runtime, both.shop.shop_id, both.doing("unlink"))
    assert (linked(both), both.case().fix) == (6, None)
    with pytest.raises(NotPossible, match="items are unclear"):
        resync(both)
    with both.runtime.database.read() as db:
        assert not any(run.kind == "cycle crm" and not run.over for run in runs.newest(db, 20))


def test_nothing_more_is_done_about_a_case_that_is_over(both: Mending) -> None:
    spoilt(both)
    with both.runtime.database.write() as db:
        cases.close(db, both.shop.shop_id, 1, USER, "no matter", now(), override=True)
    with pytest.raises(NotPossible, match="Case 1 is closed"):
        both.done()


def test_what_nobody_may_write_is_carried_over_for_no_reason(both: Mending) -> None:
    """An erased customer, or a consent that nobody owns: no override counts."""
    spoilt(both)
    told(both, {"may_write": False})
    with pytest.raises(NotPossible, match="Nothing may be written here"):
        resync(both, override="the customer asked for it")


def test_a_configuration_problem_is_not_carried_over_once_more(both: Mending) -> None:
    spoilt(both)
    told(both, {"of_mapping": False})
    with both.runtime.database.write() as db:
        cases.change(db, both.case(), {"escalated_at": now()})
    with pytest.raises(NotPossible, match="configuration problem"):
        resync(both)
    resync(both, override="to see it once more")


@pytest.mark.req("M68")
def test_a_case_is_closed_by_its_proof_or_by_a_reason(both: Mending) -> None:
    spoilt(both)
    both.map("note", transform="same")
    both.agree()
    with both.runtime.database.write() as db, pytest.raises(NotPossible, match="0 of 3 held; open: stays, keeps"):
        cases.close(db, both.shop.shop_id, 1, USER, "it looks right", now())
    both.edit(both.ids[5], note="Of a second customer")
    both.pass_all()
    with both.runtime.database.write() as db:
        cases.close(db, both.shop.shop_id, 1, USER, "proved", now())
    assert both.case().state is State.CLOSED


def test_what_could_not_be_written_before_is_told_again_when_its_mapping_is_mended(
    runtime: Runtime, tmp_path: Path
) -> None:
    with mending(runtime, tmp_path, mapped(policy_of(), "note", transform="ascii", options={})) as both:
        for number in both.ids[:3]:
            both.edit(number, note="Crème brûlée")
        both.edit(both.ids[3], note="茶")
        both.cycle()
        [case] = both.audit()
        assert (case.cause, parked(both)) == ("transform_lossy", 1), "the one that has no such form"
        both.map("note", transform="same")
        both.agree()
        assert both.crm.of(both.ids[3])["remarks"] == "茶"
        assert parked(both) == 0


def parked(both: Mending) -> int:
    """How many values of the CRM's wait for a person."""
    with both.runtime.database.read() as db:
        return len(parked_values.listed(db, both.shop.shop_id, 100, system=CRM))
