"""The proof: nothing counts before a full cycle that began after the fix, and only checks that held end a case."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.proof import (
    CheckName,
    CheckState,
    Pass,
    Proof,
    Sighting,
    State,
    awaited,
    begun,
    edited,
    escalation,
    is_past,
    looked,
    past_at,
    progress,
    refused_end,
    state_of,
)

FIXED = 100
STAYS, KEEPS, SECOND = CheckName.STAYS, CheckName.KEEPS, CheckName.SECOND


def run(system: str = "crm", began: int = 110, ended: int | None = 120, **changes: Any) -> Pass:
    return Pass(system=system, began=began, ended=ended, **{"read_all": True, **changes})


def right(at: int, **changes: Any) -> Sighting:
    return Sighting(at=at, is_right=True, **changes)


def wrong(at: int) -> Sighting:
    return Sighting(at=at, is_right=False)


def of(proofs: tuple[Proof, ...], name: CheckName) -> Proof:
    return next(each for each in proofs if each.name is name)


def all_held(proofs: tuple[Proof, ...], past: int = 120) -> tuple[Proof, ...]:
    fresh = right(past, is_refreshed=True)
    return tuple(looked(edited(each, FIXED + 1), fresh, past) for each in proofs)


# ---- Full cycles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "short",
    [
        {"began": 100}, {"began": 99}, {"ended": None}, {"read_all": False}, {"unsettled": 1},
        {"rejected": frozenset({"phone"})},
    ],
)  # fmt: skip
def test_what_is_no_full_cycle(short: dict[str, Any]) -> None:
    assert is_past(run(), FIXED, ["phone"])
    assert is_past(run(rejected=frozenset({"note"})), FIXED, ["phone"])
    assert not is_past(run(**short), FIXED, ["phone"])


def test_every_system_that_writes_is_awaited_and_the_shop() -> None:
    shop, crm = run("shopify", 105, 130), run("crm", 110, 120)
    later = run("crm", 140, 150)
    assert past_at([shop], FIXED, ["phone"], ["crm"]) is None
    assert awaited([shop], FIXED, ["phone"], ["crm"]) == ("crm",)
    assert past_at([crm], FIXED, ["phone"], ["crm"]) is None
    assert past_at([later, shop, crm], FIXED, ["phone"], ["crm"]) == 130
    assert past_at([shop, crm], FIXED, ["phone"], ["crm", "erp"]) is None
    assert past_at([shop, crm], FIXED, ["phone"], ["crm", "erp"], ["erp"]) == 130
    assert awaited([], FIXED, ["phone"], ["crm"], ["crm", "shopify"]) == ("shopify",)


# ---- The checks -----------------------------------------------------------------------------------------------------


def test_three_checks_always_and_three_where_they_apply() -> None:
    def needed(**kinds: bool) -> list[str]:
        return [each.name.value for each in begun(FIXED, **kinds) if each.state is CheckState.WAITING]

    assert needed() == ["stays", "keeps", "second"]
    assert needed(has_second=False) == ["stays", "keeps"]
    assert needed(is_merge=True)[3:] == ["merged"]
    assert needed(is_consent=True)[3:] == ["consent"]
    assert needed(is_key=True)[3:] == ["one record"]
    assert {each.due_after for each in begun(FIXED)} == {FIXED}


def test_correct_for_five_minutes_is_not_fixed() -> None:
    stays = of(begun(FIXED), STAYS)
    early = looked(stays, right(101, told="Right so far."), None)
    assert (early.state, early.told) == (CheckState.WAITING, "Right so far.")
    assert looked(stays, right(119), 120).state is CheckState.WAITING
    held = looked(stays, right(120), 120)
    assert (held.state, held.looked_at) == (CheckState.HELD, 120)
    assert looked(stays, wrong(101), None).state is CheckState.WAITING
    assert looked(stays, wrong(120), 120).state is CheckState.FAILED


def test_the_other_system_is_read_again_by_hand() -> None:
    keeps = of(begun(FIXED), KEEPS)
    assert looked(keeps, right(130), 120).state is CheckState.WAITING
    assert looked(keeps, right(130, is_refreshed=True), 120).state is CheckState.HELD
    assert looked(keeps, right(119, is_refreshed=True), 120).state is CheckState.WAITING
    assert looked(keeps, wrong(130), 120).state is CheckState.FAILED


def test_a_second_customer_needs_a_fresh_edit_and_a_cycle_after_it() -> None:
    second = of(begun(FIXED), SECOND)
    assert looked(second, right(130), 120).state is CheckState.WAITING
    assert edited(second, 99) == second
    assert edited(second, 100) == second
    fresh = edited(second, 140)
    assert (fresh.edited, fresh.due_after) == (True, 140)
    assert edited(fresh, 500) == fresh
    assert looked(fresh, right(150), None).state is CheckState.WAITING
    assert looked(fresh, right(160), 160).state is CheckState.HELD
    assert looked(fresh, wrong(160), 160).state is CheckState.FAILED


def test_what_held_stays_until_it_is_seen_wrong_and_what_failed_stays_failed() -> None:
    held = looked(of(begun(FIXED), STAYS), right(120), 120)
    assert looked(held, right(125), 120).state is CheckState.HELD
    assert looked(held, right(50), 120) == held
    failed = looked(held, wrong(130), 120)
    assert failed.state is CheckState.FAILED
    assert looked(failed, right(140), 120) == failed
    unneeded = of(begun(FIXED), CheckName.MERGED)
    assert looked(unneeded, wrong(140), 120) == unneeded


# ---- The case -------------------------------------------------------------------------------------------------------


@pytest.mark.req("M68")
def test_a_case_is_verified_by_all_its_checks_and_never_before() -> None:
    assert state_of(is_asserted=False, fixed_at=None) is State.OPEN
    assert state_of(is_asserted=True, fixed_at=None) is State.DIAGNOSED
    proofs = begun(FIXED)
    assert state_of(is_asserted=True, fixed_at=FIXED, proofs=proofs, is_in_force=False) is State.FIX_APPLIED
    assert state_of(is_asserted=True, fixed_at=FIXED, proofs=proofs) is State.WAITING
    assert state_of(is_asserted=True, fixed_at=FIXED) is State.WAITING
    held = all_held(proofs)
    assert state_of(is_asserted=True, fixed_at=FIXED, proofs=(*held[:2], proofs[2], *held[3:])) is State.WAITING
    assert state_of(is_asserted=True, fixed_at=FIXED, proofs=held) is State.VERIFIED
    assert state_of(is_asserted=True, fixed_at=None, proofs=held) is State.DIAGNOSED
    assert progress(proofs) == "0 of 3 held"
    assert progress((*held[:2], proofs[2], *held[3:])) == "2 of 3 held"


@pytest.mark.req("M6")
def test_one_check_that_failed_is_a_return() -> None:
    held = all_held(begun(FIXED))
    failed = looked(held[0], wrong(130), 120)
    assert state_of(is_asserted=True, fixed_at=FIXED, proofs=(failed, *held[1:])) is State.RETURNED


@pytest.mark.req("M68")
def test_a_case_cannot_be_closed_without_its_proof_or_a_reason() -> None:
    proofs = begun(FIXED)
    refused = str(refused_end(State.WAITING, proofs))
    assert refused.startswith("The proof is not there (0 of 3 held; open: stays, keeps, second)")
    assert refused_end(State.WAITING, proofs, " ") is not None
    assert refused_end(State.WAITING, proofs, "The system is gone.") is None
    assert refused_end(State.VERIFIED, all_held(proofs)) is None
    assert refused_end(State.RETURNED, proofs) is not None
    assert str(refused_end(State.DIAGNOSED, ())).startswith("Nothing was fixed yet")


@pytest.mark.req("M79")
def test_wrong_after_exactly_one_cycle_and_one_resync_is_the_configuration() -> None:
    def judged(past: int | None, resynced_at: int | None, seen: Sighting) -> bool:
        told = escalation(since=FIXED, past=past, resynced_at=resynced_at, seen=seen, returns="app:x writes it.")
        return told is not None

    assert judged(120, 125, wrong(130))
    assert judged(120, 110, wrong(120))
    assert judged(120, 125, wrong(125))
    assert not judged(120, None, wrong(130))
    assert not judged(None, 125, wrong(130))
    assert not judged(120, 100, wrong(130))
    assert not judged(120, 125, right(130))
    assert not judged(120, 125, wrong(119))
    assert not judged(120, 125, wrong(124))
    told = escalation(since=FIXED, past=120, resynced_at=125, seen=wrong(130), returns="app:x writes phone in crm.")
    assert told is not None
    assert told.told.endswith("a configuration problem. app:x writes phone in crm.")
