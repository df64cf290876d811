"""Cells of files: what a spreadsheet did to them, what their columns mean, and that what is written leads back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.records import SHOPIFY
from onewriter.rules import csv_cells, mapping
from onewriter.rules.csv_cells import (
    APOSTROPHE,
    SHOPIFY_COLUMNS,
    SPOILT,
    WRAPPED,
    Unclear,
    cell_of,
    columns_of,
    guarded,
    repaired,
    told,
)
from onewriter.rules.policy import Policy, of_shopify

EXPORT = (*SHOPIFY_COLUMNS, "Total Spent", "Total Orders", "Tax Exempt")
SHOP = of_shopify()


@pytest.mark.req("M80")
@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("4.47E+11", (None, SPOILT)),
        ("4,47E+11", (None, SPOILT)),
        ("#NAME?", (None, SPOILT)),
        ("######", (None, SPOILT)),
        ("'+1415", ("+1415", APOSTROPHE)),
        ('="0123"', ("0123", WRAPPED)),
        ("0123", ("0123", None)),
        ("'tis", ("'tis", None)),
        ("E+1 and more", ("E+1 and more", None)),
        ("", ("", None)),
    ],
)
def test_a_cell_means_what_it_meant_before_the_spreadsheet(cell: str, meant: tuple[str | None, str | None]) -> None:
    assert repaired(cell) == meant


@settings(max_examples=60)
@given(st.text(st.sampled_from("=+-@'\t\r\nE19.x \"#,＝é"), max_size=8))
def test_what_is_guarded_is_run_by_no_spreadsheet_and_leads_back(text: str) -> None:
    written = guarded(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    if csv_cells._FORMULA_TEXT.fullmatch(text.strip()) is None:
        assert repaired(written)[0] == text


def test_shopifys_own_headings_are_known_and_what_is_no_field_is_left_out() -> None:
    found = columns_of(EXPORT, SHOP, "csv", {})
    assert [each.field for each in found] == list(SHOPIFY_COLUMNS.values())
    older = columns_of(("Email", "Accepts Marketing", "Zip"), SHOP, "csv", {})
    assert [each.field for each in older] == ["email", "email_consent", "address.zip"]


def test_two_columns_of_one_field_and_one_that_is_not_there_are_told() -> None:
    with pytest.raises(Unclear, match="both mean email"):
        columns_of(("Email", "email "), SHOP, "csv", {"email ": "email"})
    with pytest.raises(Unclear, match="no column Mail"):
        columns_of(("Email",), SHOP, "csv", {"Mail": "email"})


ADDRESS = {"default": True, "address1": "=1 High Street", "zip": "01234", "country_code": "GB"}
TEXTS = st.none() | st.text(st.sampled_from("=+-@'Ann é,;\"\n0E1."), min_size=1, max_size=10)


@settings(max_examples=60)
@given(first=TEXTS, note=TEXTS, state=st.sampled_from([None, "subscribed", "unsubscribed", "not_subscribed"]))
@pytest.mark.parametrize("style", [SHOPIFY, "plain"])
def test_what_is_exported_is_in_step_when_it_is_read_again(
    style: str, first: str | None, note: str | None, state: str | None
) -> None:
    own = {
        "shopify_id": "101", "email": "ann@example.com", "phone": "+447700900111", "tags": ["vip", "a b"],
        "addresses": [ADDRESS], "email_consent": None if state is None else {"state": state, "level": None, "at": 5},
        "first_name": None if first is None else first.strip() or None,
        "note": None if note is None else note.strip() or None,
    }  # fmt: skip
    policy: Policy = SHOP
    columns = columns_of(csv_cells.export_headings(style, policy, []), policy, "csv", {})
    for column in columns:
        cell = cell_of(column, own)
        assert cell is not None, column.field
        text, _damage = repaired(cell)
        assert text is not None, column.field
        mine = mapping.own_value(column.field, own)
        assert mapping.in_step(column.field, column.map, mine, told(column, text), region=None), column.field
