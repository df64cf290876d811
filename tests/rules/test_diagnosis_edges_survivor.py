"""The survivor at its edges: the reason of each prediction, and how many must agree before there is one."""

import pytest

from onewriter.rules.diagnosis.evidence import Hand, Side
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.survivor import last_writes, survivor_of
from tests.support.judging import evidence, pair, row, rows, rules, track, wrote

REFUSED = wrote("connector", Hand.CONNECTOR, accepted=False)


def told(of: list[Row]) -> tuple[str | None, str]:
    found = survivor_of(of, evidence())
    return found.side, found.why


def by_hands(*hands: Hand) -> list[Row]:
    """One value that these wrote in turn, each in a cycle of its own."""
    return rows(1, copy_track=track(*(wrote(hand.value, hand, run=f"c{at}") for at, hand in enumerate(hands))))


@pytest.mark.req("M14")
@pytest.mark.parametrize(
    ("of", "side", "why"),
    [
        ([], None, "Nothing of it is looked at."),
        (
            [row(with_pair=pair(deleted=5))], None,
            "A customer of it was redacted or deleted, and nothing of theirs may be written back.",
        ),
        (
            rows(2, of=rules(permission="none")), None,
            "Nothing carries the field, or may write it, so that each system keeps what it has.",
        ),
        (
            rows(2, last_refused=REFUSED), None,
            "The writes of it are refused, so that each system keeps what it has.",
        ),
        (
            rows(2, edit_undone=True), "crm",
            "An edit in shopify was overwritten with what crm says, and will be again.",
        ),
        (
            by_hands(Hand.CONNECTOR, Hand.APP), None,
            "Two machines write it by turns: whoever writes last wins, until the other one writes again.",
        ),
        (
            rows(2, of=rules(direction="both")), None,
            "The field goes both ways, and nothing tells which edit is the newer one.",
        ),
        (
            rows(2, of=rules(direction="both"), origin_moved=5.0, copy_moved=4.0), "shopify",
            "The field goes both ways, and the newer edit is that of shopify.",
        ),
        (
            rows(2, of=rules(owner="crm")), "shopify",
            "The field goes from shopify to crm, so that shopify overwrites crm.",
        ),
        (rows(2, of=rules(owner="crm", direction=None)), "crm", "crm owns the field."),
        (
            rows(2, of=rules(owner=None, direction=None)), None,
            "Nothing says which way the field goes, and no log tells who writes last.",
        ),
    ],
)  # fmt: skip
def test_each_prediction_gives_its_reason(of: list[Row], side: str | None, why: str) -> None:
    assert told(of) == (side, why)


def test_a_machine_without_a_name_is_called_so() -> None:
    nameless = track(*(wrote("", Hand.APP, run=f"c{at}") for at in range(2)))
    assert told(rows(1, copy_track=nameless)) == ("crm", "a machine without a name writes it last, in crm.")


# ---- How many must agree --------------------------------------------------------------------------------------------


def test_three_of_five_are_enough_and_one_of_two_is_not() -> None:
    kept, open_ = rules(covered=False), rules()
    unwritten = [*(row(at, of=kept) for at in (1, 2, 3)), *(row(at, of=open_) for at in (4, 5))]
    assert told(unwritten)[1].startswith("Nothing carries the field")
    assert told(unwritten[2:4])[1].startswith("The field goes from")
    owners = [row(at, of=rules(owner=owner, direction=None)) for at, owner in enumerate(["crm"] * 3 + ["shopify"] * 2)]
    assert told(owners)[0] == "crm"
    assert told(owners[2:4])[0] is None


def test_edits_that_were_undone_count_from_more_than_two_of_five_on() -> None:
    some = [*rows(2, edit_undone=True), *rows(3)]
    assert told(some)[0] == "shopify"
    assert told([*some, row(edit_undone=True)])[0] == "crm"


def test_the_connector_or_another_machine_wins_by_three_writes_of_five() -> None:
    connector, app = [Hand.CONNECTOR], [Hand.APP]
    assert told(by_hands(*connector * 3, *app * 2))[1].startswith("The connector writes it last, into crm")
    assert told(by_hands(*connector * 2, *app * 3))[1] == "app writes it last, in crm."


# ---- The writes that are looked at ----------------------------------------------------------------------------------


def test_only_the_newest_two_hundred_writes_tell_a_habit() -> None:
    long_ago, lately = wrote("app:old", Hand.APP), wrote("connector", Hand.CONNECTOR, side=Side.SOURCE)
    found = last_writes(rows(1, copy_track=track(long_ago, *[lately] * 200)))
    assert len(found) == 200
    assert long_ago not in found


def test_writes_of_one_moment_are_all_told() -> None:
    some = [row(at, copy_track=track(wrote("connector", Hand.CONNECTOR, id=f"t{at}"))) for at in (2, 1)]
    assert [each.id for each in last_writes(some)] == ["t2", "t1"]
