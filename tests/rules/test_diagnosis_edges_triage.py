"""Triage at its edges: the whole of each sentence, the words for who wrote, and what an import is blamed for."""

from dataclasses import replace
from typing import Any

import pytest

from onewriter.rules.diagnosis.evidence import Hand, LinkOf, Side, Write
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.scope import is_mapped_wrong
from onewriter.rules.diagnosis.triage import case_of
from onewriter.rules.evidence import Check, Outcome
from tests.support.judging import case, compared, evidence, group, pair, row, rows, rules, wrote

CARRIED = wrote("connector", Hand.CONNECTOR, run="c1", seq=1)


def test_a_value_that_is_like_nothing_is_not_mapped_wrong_even_if_it_is_the_only_one() -> None:
    assert not is_mapped_wrong(rows(1))
    assert not is_mapped_wrong([])


# ---- The boundary ---------------------------------------------------------------------------------------------------


@pytest.mark.req("M41")
def test_a_cause_at_the_boundary_goes_first_from_a_fifth_of_the_weight_on() -> None:
    failed = [Check("coverage", Outcome.FAIL, ("Not carried.",), ("phone",))]
    third = case(rows(6), "transform_lossy", "truncation", "field_not_covered", checks=failed).group
    assert [each.weight for each in third.causes] == [0.2, 0.8, 0.4]
    assert third.causes[0].cause == "field_not_covered"
    fourth = case(rows(6), "transform_lossy", "truncation", "default_value", "field_not_covered", checks=failed).group
    assert fourth.causes[0].cause == "transform_lossy"


def test_the_evidence_is_listed_as_it_was() -> None:
    assert case(rows(1), links=[LinkOf("s1", "t1")], writes=[CARRIED]).evidence_had.links
    assert not case(rows(1)).evidence_had.links
    assert case(rows(1), writes=[CARRIED]).confidence == "full"


# ---- The sentence of identity ---------------------------------------------------------------------------------------


@pytest.mark.req("M9")
@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        (
            [pair(1), pair(2, matched_by="phone", key_held=None), pair(3)],
            "Identity: 3 pairs of records, linked by key (2 by email, 1 by phone); 2 share it still, and no second "
            "record has it.",
        ),
        (
            [pair(key_held=None)],
            "Identity: 1 pair of records, linked by key (1 by email), and no second record has it.",
        ),
        (
            [pair(1, matched_by=None), pair(2, matched_by=None)],
            "Identity: 2 pairs of records, linked; 2 share it still, and no second record has it.",
        ),
        (
            [pair(matched_by=None, key_held=None)],
            "Identity: not known; nothing says by what the records are linked.",
        ),
    ],
)  # fmt: skip
def test_by_what_records_are_linked_is_told_as_far_as_it_is_known(pairs: list[Any], told: str) -> None:
    assert case([row(at, with_pair=each) for at, each in enumerate(pairs)]).identity == told


@pytest.mark.req("M9")
def test_whatever_is_odd_about_the_links_is_counted_and_told_first() -> None:
    odd = [
        pair(1, twins=("t9",), other_sources=("s9",)), pair(2, other_targets=("t9",), key_held=False),
        pair(3, key_holders=("s8",), merged_from=("s7",)), pair(4, merged_into="s7"),
    ]  # fmt: skip
    assert case([row(at, with_pair=each) for at, each in enumerate(odd)]).identity == (
        "Identity: look here first. "
        "2 of 4 have a second record in crm with the same key. "
        "1 of 4 share their record in crm with another customer. "
        "1 of 4 were linked by a key that shopify no longer has there. "
        "1 of 4 have a key that now belongs to another customer of shopify. "
        "2 of 4 were merged in shopify."
    )


# ---- The sentences of the owner and of the order of writes ----------------------------------------------------------


@pytest.mark.req("M9")
@pytest.mark.parametrize(
    ("owner", "direction", "told"),
    [
        ("shopify", "source_to_target", "phone is owned by shopify and goes from shopify to crm"),
        ("crm", "target_to_source", "phone is owned by crm and goes from crm to shopify"),
        ("erp", "both", "phone is owned by erp and goes both ways"),
        ("crm", "none", "phone is owned by crm and goes neither way"),
        ("crm", None, "phone is owned by crm"),
    ],
)
def test_the_owner_is_told_with_the_way_that_the_field_goes(owner: str, direction: str | None, told: str) -> None:
    assert case(rows(2, of=rules(owner=owner, direction=direction))).owner == f"Owner: {told}."


@pytest.mark.req("M9")
def test_each_field_has_its_own_owner_or_none() -> None:
    unowned = rules("note", owner=None, direction=None)
    assert case([row(), row(of=unowned)]).owner == (
        "Owner: phone is owned by shopify and goes from shopify to crm; note has no owner."
    )
    assert case([row(of=rules("phone", owner=None)), row(of=unowned)]).owner == (
        "Owner: not known; nothing says who owns phone, note."
    )


@pytest.mark.req("M9")
@pytest.mark.parametrize(
    ("writer", "hand", "called"),
    [
        ("user:ann", Hand.PERSON, "a person"), ("connector", Hand.CONNECTOR, "the connector"),
        ("file", Hand.IMPORT, "an import"), ("shopify", Hand.MERGE, "a merge"),
        ("shopify", Hand.REDACTION, "a redaction"), ("app:sales", Hand.APP, "app:sales"),
        ("", Hand.APP, "another app"), ("api", Hand.UNKNOWN, "a machine without a name"),
    ],
)  # fmt: skip
def test_who_wrote_last_is_told_by_the_kind_and_only_an_app_by_its_name(writer: str, hand: Hand, called: str) -> None:
    line = wrote(writer, hand)
    found = case([row(1, copy_write=line), row(2)], writes=[line])
    assert found.write_order == f"Write order: in crm last written by {called} (1 of 2)."


def test_without_a_log_the_order_of_writes_is_not_known() -> None:
    assert case(rows(1)).write_order == "Write order: not known; there is no log of who wrote when."


# ---- Imports --------------------------------------------------------------------------------------------------------


def by_import(number: int, run: str = "file", **changes: Any) -> Write:
    return wrote("import", Hand.IMPORT, run=run, id=f"t{number}", **changes)


def imported(count: int) -> list[Row]:
    return [row(number, copy_write=by_import(number)) for number in range(1, count + 1)]


@pytest.mark.req("M29")
@pytest.mark.parametrize("cause", ["import_collision", "partial_import", "encoding_mojibake", "null_overwrite"])
def test_where_an_import_is_the_sure_cause_a_few_of_its_lines_are_enough(cause: str) -> None:
    some = [*imported(1), *rows(6)[1:]]
    assert case(some, cause, writes=[by_import(1)]).import_split is not None
    assert case(some, cause, asserted=False, writes=[by_import(1)]).import_split is None
    assert case(some, "two_writers", writes=[by_import(1)]).import_split is None


@pytest.mark.req("M29")
def test_half_of_the_values_by_an_import_are_split_whatever_the_cause() -> None:
    half = case([*imported(2), row(3), row(4)], "two_writers", writes=[by_import(1), by_import(2)])
    assert half.import_split == (
        "Of the 2 records that the import wrote, 2 are wrong; of the 38 that it did not write, 36 of them agree: "
        "leave them alone."
    )
    alone = case(imported(1), "two_writers", writes=[by_import(1)]).import_split or ""
    assert alone.startswith("Of the 1 record that the import wrote, ")


@pytest.mark.req("M29")
def test_only_what_this_import_brought_to_this_side_is_laid_to_it() -> None:
    log = [
        by_import(1), by_import(2), by_import(3, run="another"), by_import(4, accepted=False),
        by_import(5, side=Side.SOURCE), wrote("connector", Hand.CONNECTOR, run="file", id="t6"),
    ]  # fmt: skip
    told = case(imported(2), "import_collision", writes=log).import_split
    assert told is not None
    assert told.startswith("Of the 2 records that the import wrote, 2 are wrong; of the 38 that it did not write")


@pytest.mark.req("M29")
def test_other_fields_and_values_that_go_the_other_way_are_no_fault_of_the_import() -> None:
    mine, log = imported(2), [by_import(1), by_import(2)]
    others = [row(8, of=rules("note")), row(9, origin=Side.TARGET)]
    known = compared([*mine, *others])
    made = replace(group(mine, "import_collision"), fields=("phone",))
    told = case_of(made, evidence(writes=log), known).import_split
    assert told is not None
    assert told.endswith("of the 38 that it did not write, all of them agree: leave them alone.")


@pytest.mark.req("M29")
@pytest.mark.parametrize("count", [2, 1])
def test_an_import_that_brought_all_leaves_no_older_records(count: int) -> None:
    mine, log = imported(2), [by_import(1), by_import(2)]
    told = case_of(group(mine, "import_collision"), evidence(writes=log), compared(mine, count=count)).import_split
    assert told is not None
    assert "of the 0 that it did not write, all of them agree" in told
