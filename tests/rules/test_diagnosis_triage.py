"""Triage: the row that a case opens with, its first line, and the three sentences before any action."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.evidence import Hand, Rec, RunOf, Side
from onewriter.rules.diagnosis.facts import Relation, Verdict, Why
from onewriter.rules.diagnosis.judgement import ScopeRow
from onewriter.rules.diagnosis.scope import is_mapped_wrong, row_of, scope_of
from onewriter.rules.evidence import Check, Outcome
from tests.support.judging import case, pair, row, rows, rules, track, wrote

CARRIED = wrote("connector", Hand.CONNECTOR, run="c1", seq=1)


@pytest.mark.req("M3", "M4", "M5")
@pytest.mark.parametrize(
    ("count", "opens_at"),
    [
        (1, ScopeRow.RECORD), (2, ScopeRow.MAPPING), (4, ScopeRow.MAPPING), (5, ScopeRow.OWNERSHIP),
        (40, ScopeRow.OWNERSHIP),
    ],
)  # fmt: skip
def test_counts_choose_the_row(count: int, opens_at: ScopeRow) -> None:
    assert row_of(rows(count)) is opens_at
    assert case(rows(count)).scope_row is opens_at


@pytest.mark.req("M3")
def test_one_customer_with_several_fields_is_one_record() -> None:
    several = [row(of=rules(name)) for name in ("phone", "note", "last_name")]
    assert row_of(several) is ScopeRow.RECORD
    assert "same person" in case(several).advice.first_move


@pytest.mark.req("M6")
@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("changes", [{"flips": 1}, {"edit_undone": True}, {"why": Why.REVERTED}])
def test_a_value_that_comes_back_beats_the_counts(count: int, changes: dict[str, Any]) -> None:
    assert row_of(rows(count, **changes)) is ScopeRow.REVERSION


def test_a_single_value_that_came_back_is_not_the_case() -> None:
    assert row_of([row(1, flips=1), *rows(40)]) is ScopeRow.OWNERSHIP
    assert row_of([*rows(3, flips=1), *rows(4)[1:]]) is ScopeRow.REVERSION
    assert row_of([*rows(2, flips=1), *rows(4)[1:]]) is ScopeRow.MAPPING


@pytest.mark.parametrize(
    "odd", [{"twins": ("t9",)}, {"other_targets": ("t9",)}, {"other_sources": ("s9",)}, {"key_holders": ("s9",)}]
)
def test_doubled_records_are_a_matter_of_identity_whatever_else(odd: dict[str, Any]) -> None:
    doubled = [row(number, with_pair=pair(number, **odd), flips=1) for number in range(6)]
    assert row_of(doubled) is ScopeRow.IDENTITY


@pytest.mark.req("M29")
def test_what_an_import_wrote_is_the_imports() -> None:
    by_import = wrote("import", Hand.IMPORT, run="file")
    assert row_of(rows(6, copy_write=by_import)) is ScopeRow.IMPORT
    assert row_of([*rows(6), row(7, copy_write=by_import)]) is ScopeRow.OWNERSHIP


def test_format_alone_is_a_phantom() -> None:
    assert row_of(rows(6, verdict=Verdict.FORMAT)) is ScopeRow.PHANTOM
    assert row_of([*rows(6, verdict=Verdict.FORMAT), row(7)]) is ScopeRow.OWNERSHIP


# ---- The boundary ---------------------------------------------------------------------------------------------------


def fails(name: str, *fields: str) -> Check:
    return Check(name, Outcome.FAIL, (f"The {name} is wrong.",), fields)


@pytest.mark.req("M41")
def test_a_failed_look_ends_the_diagnosis_of_its_field_and_what_was_seen_is_still_told() -> None:
    found = case(rows(6), "transform_lossy", "field_not_covered", checks=[fails("coverage", "phone")])
    assert found.scope_row is ScopeRow.BOUNDARY
    assert [each.cause for each in found.group.causes] == ["field_not_covered", "transform_lossy"]
    assert not found.group.asserted
    assert found.advice.first_move.startswith("The connector fails the look at its coverage: The coverage is wrong.")
    assert found.advice.action == "map"


@pytest.mark.req("M41")
def test_a_look_at_another_field_or_one_that_passed_ends_nothing() -> None:
    passed = Check("coverage", Outcome.PASS, ("Carried.",))
    formed = fails("formatting", "phone")
    assert case(rows(6), checks=[fails("coverage", "note"), passed, formed]).scope_row is ScopeRow.OWNERSHIP


def test_records_that_speak_against_the_boundary_are_heard() -> None:
    sure = case(rows(6), "transform_lossy", "truncation", "default_value", "field_not_covered",
                checks=[fails("coverage", "phone")])  # fmt: skip
    assert sure.group.causes[0].cause == "transform_lossy"
    assert sure.advice.first_move.startswith("The connector fails the look at its coverage")
    assert "Replace the transform" in sure.advice.first_move


def test_a_row_that_says_the_same_more_exactly_stays() -> None:
    wrong_way = rules(direction="target_to_source")
    assert case(rows(3, of=wrong_way, edit_undone=True), checks=[fails("direction")]).scope_row is ScopeRow.REVERSION
    doubled = [row(1, with_pair=pair(1, twins=("t9",)))]
    assert case(doubled, checks=[fails("match key")]).scope_row is ScopeRow.IDENTITY
    assert case(doubled, checks=[fails("match key"), fails("direction")]).scope_row is ScopeRow.BOUNDARY


@pytest.mark.req("M47")
def test_without_a_log_one_is_less_sure() -> None:
    logged = [Check("logging", Outcome.PASS, ("Told.",))]
    assert case(rows(6), checks=logged).confidence == "lowered"
    assert case(rows(6), checks=logged, writes=[]).confidence == "lowered"
    assert case(rows(6), checks=logged, writes=[CARRIED]).confidence == "full"
    assert case(rows(6), checks=[fails("logging")], writes=[CARRIED]).confidence == "lowered"


# ---- Scope and the three sentences ----------------------------------------------------------------------------------


@pytest.mark.req("M2")
def test_the_first_line_counts_customers_fields_systems_and_cycles() -> None:
    assert case(rows(12, onset=4.0)).scope == "12 customers x 1 field x 2 systems x 3 cycles"
    assert case([row(of=rules(name)) for name in ("phone", "note")]).scope == (
        "1 customer x 2 fields x 2 systems x cycles not known"
    )
    assert scope_of([row(onset=6.9)], ("shopify", "crm"), 7.0).cycles == 0
    assert scope_of([row(onset=6.0), row(onset=None)], ("shopify", "crm"), 7.0).told.endswith("1 cycle")
    assert scope_of([row(onset=6.0)], ("shopify", "crm"), None).cycles is None
    moved = track(CARRIED, CARRIED, CARRIED)
    assert scope_of([row(flips=1, origin_track=moved)], ("shopify", "crm"), 7.0).cycles == 6
    assert scope_of([row(origin_track=moved)], ("shopify", "crm"), 7.0).cycles is None
    assert scope_of([row(flips=1)], ("shopify", "crm"), 7.0).cycles is None


@pytest.mark.req("M71")
def test_a_rule_of_one_owner_is_told_from_many_writers() -> None:
    cut = rows(6, relations={Relation.PREFIX: "20"})
    assert is_mapped_wrong(cut)
    assert is_mapped_wrong(rows(6, of=rules(writers=("shopify",)), relations={Relation.PREFIX: "20"}))
    assert not is_mapped_wrong([*cut, *rows(6)])
    assert not is_mapped_wrong(rows(6, relations={Relation.OTHER_VALUE: None}))
    assert not is_mapped_wrong(rows(6, of=rules(owner=None), relations={Relation.PREFIX: "20"}))
    assert not is_mapped_wrong(rows(6, of=rules(writers=("shopify", "crm")), relations={Relation.PREFIX: "20"}))
    found = case(cut)
    assert (found.scope_row, found.advice.action) == (ScopeRow.OWNERSHIP, "map")


@pytest.mark.req("M9")
def test_identity_owner_and_write_order_say_what_is_known() -> None:
    found = case(rows(4, copy_write=CARRIED), writes=[CARRIED])
    assert found.identity == (
        "Identity: 4 pairs of records, linked by key (4 by email); 4 share it still, and no second record has it."
    )
    assert found.owner == "Owner: phone is owned by shopify and goes from shopify to crm."
    assert found.write_order == "Write order: in crm last written by the connector (4 of 4)."


@pytest.mark.req("M9")
def test_what_is_not_known_is_said_to_be_so() -> None:
    unlinked = pair(matched_by=None, key_held=None)
    found = case([row(of=rules(owner=None, direction=None), with_pair=unlinked)])
    assert found.identity.startswith("Identity: not known;")
    assert found.owner.startswith("Owner: not known;")
    assert found.write_order.startswith("Write order: not known;")
    without_lines = case(rows(1), writes=[CARRIED]).write_order
    assert without_lines == "Write order: not known; the log has no line of the values that stand there now."


@pytest.mark.req("M9", "M79")
def test_the_sentences_name_what_is_odd_and_who_else_wrote_and_never_a_person() -> None:
    app = wrote("app:sales", Hand.APP)
    ann = wrote("user:ann", Hand.PERSON, side=Side.SOURCE)
    odd = pair(twins=("t9",), key_held=False, other_sources=("s9",), key_holders=("s8",), merged_from=("s7",))
    found = case([row(with_pair=odd, copy_track=track(app, app), copy_write=app, origin_write=ann)], writes=[app, ann])
    assert found.identity.count("1 of 1") == 5
    assert found.owner.endswith("Also written by app:sales (2).")
    assert found.write_order == (
        "Write order: in shopify last written by a person (1 of 1); in crm last written by app:sales (1 of 1)."
    )
    assert "ann" not in f"{found.identity}{found.owner}{found.write_order}"


def test_who_is_affected_is_counted_once() -> None:
    found = case([*rows(3), *rows(3, of=rules("note"))])
    assert found.records == ("s1", "s2", "s3")
    assert found.affected == {"customers": 3, "fields": 2, "shopify": 3, "crm": 3}


# ---- Imports --------------------------------------------------------------------------------------------------------


@pytest.mark.req("M29")
def test_an_import_is_split_from_the_older_records_which_are_clean() -> None:
    log = [wrote("import", Hand.IMPORT, run="file", id=f"t{number}", seq=number) for number in range(1, 9)]
    records = {Side.TARGET: {f"t{number}": Rec(f"t{number}", {}, created=90 + number) for number in range(1, 9)}}
    runs = {"file": RunOf(id="file", kind="import", started=95, finished=99)}
    broken = [row(number, copy_write=log[number - 1]) for number in range(1, 8)]
    found = case(broken, "import_collision", writes=log, records=records, runs=runs)
    assert found.import_split == (
        "Of the 8 records that the import wrote (4 of them first seen in it), 7 are wrong; of the 32 that it did not "
        "write, all of them agree: leave them alone."
    )
    old = case([*broken, row(20)], "import_collision", writes=log)
    assert "7 are wrong; of the 32 that it did not write, 31 of them agree" in (old.import_split or "")


def test_what_no_import_wrote_is_not_split() -> None:
    assert case(rows(6), "transform_lossy").import_split is None
    assert case(rows(6, copy_write=CARRIED), "import_collision", writes=[CARRIED]).import_split is None
