"""The survivor: who wins the next cycle, by what was seen before what is written down; and its score."""

import pytest

from onewriter.rules.diagnosis.evidence import Hand, Side
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.survivor import kept_by, last_writes, scored, survivor_of
from tests.support.judging import evidence, pair, row, rows, rules, track, wrote


def winner(of: list[Row]) -> str | None:
    return survivor_of(of, evidence()).side


def test_the_direction_tells_who_wins_and_the_owner_where_there_is_none() -> None:
    assert winner(rows(3)) == "shopify"
    assert winner(rows(3, of=rules(direction="target_to_source"))) == "crm"
    assert winner(rows(3, of=rules(direction=None, owner="crm"))) == "crm"
    assert winner(rows(3, of=rules(direction=None, owner="erp"))) is None
    assert winner(rows(3, of=rules(direction=None, owner=None))) is None
    assert winner([]) is None


def test_what_was_seen_goes_before_what_is_written_down() -> None:
    back = [wrote("connector", Hand.CONNECTOR, side=Side.SOURCE, run=f"c{number}") for number in range(3)]
    found = survivor_of(rows(3, origin_track=track(*back)), evidence())
    assert found.side == "crm"
    assert found.why == "The connector writes it last, into shopify, from what crm says."
    assert winner(rows(3, edit_undone=True)) == "crm"
    assert winner([row(1, edit_undone=True), *rows(6)]) == "shopify"
    assert survivor_of(rows(1, origin_track=track(*back[:2])), evidence()).side == "crm"
    once = track(wrote("connector", Hand.CONNECTOR, side=Side.SOURCE, run="c1"))
    assert winner(rows(1, origin_track=once)) == "shopify"


def test_who_writes_last_in_each_run_is_what_counts() -> None:
    mine = [wrote("connector", Hand.CONNECTOR, run=f"c{number}") for number in range(3)]
    app = [wrote("app:sales", Hand.APP, run=f"c{number}") for number in range(3)]
    by_turns = track(mine[0], app[0], mine[1], app[1], mine[2], app[2])
    assert [each.hand for each in last_writes(rows(1, copy_track=by_turns))] == [Hand.APP] * 3
    found = survivor_of(rows(1, copy_track=by_turns), evidence())
    assert (found.side, found.why) == ("crm", "app:sales writes it last, in crm.")
    apart = track(mine[0], wrote("app:sales", Hand.APP), mine[1], wrote("app:sales", Hand.APP))
    nobody = survivor_of(rows(1, copy_track=apart), evidence())
    assert nobody.side is None
    assert nobody.why.startswith("Two machines write it by turns")


def test_of_two_ways_the_newer_edit_wins() -> None:
    both = rules(direction="both")
    assert winner(rows(3, of=both, origin_moved=5.0, copy_moved=4.0)) == "shopify"
    assert winner(rows(3, of=both, origin_moved=3.0, copy_moved=4.0)) == "crm"
    assert winner(rows(3, of=both, copy_moved=4.0)) is None


def test_nobody_wins_where_nothing_is_written() -> None:
    for never in ({"covered": False}, {"direction": "none"}, {"permission": "read"}):
        assert winner(rows(3, of=rules(**never))) is None
    refused = wrote("connector", Hand.CONNECTOR, accepted=False)
    assert winner(rows(3, last_refused=refused)) is None
    assert winner([row(1, with_pair=pair(is_redacted=True)), *rows(6)[1:]]) is None


@pytest.mark.parametrize(
    ("source_changed", "target_changed", "agree", "kept", "score"),
    [
        (False, True, True, "shopify", True), (True, False, True, "crm", False), (True, True, True, None, None),
        (False, False, False, None, None), (False, True, False, None, None),
    ],
)  # fmt: skip
def test_a_prediction_is_scored_by_whose_value_stood(
    source_changed: bool, target_changed: bool, agree: bool, kept: str | None, score: bool | None
) -> None:
    seen = kept_by("shopify", "crm", source_changed=source_changed, target_changed=target_changed, agree=agree)
    assert (seen, scored("shopify", seen)) == (kept, score)


def test_nobody_was_predicted_and_somebody_won() -> None:
    assert scored(None, "crm") is False
    assert scored("crm", "crm") is True
