"""The proof at its edges: the words that are kept of it, runs that are no cycle, and what each look tells."""

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
    looked,
    past_at,
    refused_end,
)

FIXED = 100


def run(system: str = "crm", began: int = 110, ended: int | None = 120, **changes: Any) -> Pass:
    return Pass(system=system, began=began, ended=ended, **{"read_all": True, **changes})


def test_the_words_that_are_kept_of_cases_and_checks_stay_the_same() -> None:
    assert [each.value for each in State] == [
        "open", "diagnosed", "fix applied", "waiting for cycle", "verified", "returned", "closed", "joined",
    ]  # fmt: skip
    assert [each.value for each in CheckName] == ["stays", "keeps", "second", "merged", "consent", "one record"]
    assert [each.value for each in CheckState] == ["waiting", "held", "failed", "not needed"]


@pytest.mark.parametrize(
    "short",
    [
        {"began": 100}, {"began": 90}, {"ended": None}, {"read_all": False}, {"unsettled": 1},
        {"rejected": frozenset({"phone"})},
    ],
)  # fmt: skip
def test_a_run_that_is_no_full_cycle_leaves_its_system_awaited(short: dict[str, Any]) -> None:
    passes = [run("shopify"), run(**short)]
    assert past_at(passes, FIXED, ["phone"], ["crm"]) is None
    assert awaited(passes, FIXED, ["phone"], ["crm"]) == ("crm",)
    assert past_at([*passes, run("crm", 130, 140)], FIXED, ["phone"], ["crm"]) == 140


def test_a_check_needs_no_edit_unless_that_is_said_of_it() -> None:
    stays = Proof(name=CheckName.STAYS, state=CheckState.WAITING, due_after=FIXED)
    assert stays.edited
    assert looked(stays, Sighting(at=120, is_right=True), 120).state is CheckState.HELD


@pytest.mark.parametrize(("at", "is_right", "state"), [
    (119, True, CheckState.WAITING), (119, False, CheckState.WAITING), (120, True, CheckState.HELD),
    (120, False, CheckState.FAILED),
])  # fmt: skip
def test_each_look_is_kept_with_its_time_and_with_what_it_told(at: int, is_right: bool, state: CheckState) -> None:
    found = looked(begun(FIXED)[0], Sighting(at=at, is_right=is_right, told="Of 3, 2 say the same."), 120)
    assert (found.state, found.looked_at, found.told) == (state, at, "Of 3, 2 say the same.")


def test_a_refusal_to_close_asks_for_a_reason() -> None:
    assert refused_end(State.DIAGNOSED, ()) == (
        "Nothing was fixed yet, so that nothing is proved; say why it may be closed all the same."
    )
    assert refused_end(State.WAITING, begun(FIXED, has_second=False)) == (
        "The proof is not there (0 of 2 held; open: stays, keeps); say why it may be closed without."
    )
