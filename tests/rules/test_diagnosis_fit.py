"""Fit: each advice at its boundary, with its numbers, even where it speaks against the tool."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.fit import (
    FieldFit,
    Figures,
    Overlap,
    Week,
    added,
    by_trouble,
    cost,
    counsel,
    editable,
    three_things,
)


def known(name: str = "phone", *weeks: Week, **changes: Any) -> FieldFit:
    return FieldFit(name=name, weeks=weeks, **{"owner": "shopify", "writers": ("shopify",), **changes})


def said(*fields: FieldFit, **changes: Any) -> dict[str, str]:
    """What is advised, by its rule, with its numbers."""
    return {each.rule: f"{each.advice} {each.numbers}" for each in counsel(Figures(fields=fields, **changes))}


def test_nothing_is_advised_where_nothing_is_wrong() -> None:
    assert said(known("phone", Week(edits={"shopify": 40}), worth_minutes=60.0)) == {}
    assert counsel(Figures(fields=())) == ()


@pytest.mark.req("M49")
def test_edits_in_several_systems_every_day_stop_two_way() -> None:
    daily = said(known("phone", Week(edits={"shopify": 9, "crm": 7}, shared_days=5)))
    assert daily["stop two-way"] == (
        "Stop writing phone both ways: it is edited in several systems every day. Name one owner. Days with edits in "
        "several systems: 5 of 7. Edits: crm 7, shopify 9."
    )
    assert "stop two-way" not in said(known("phone", Week(edits={"shopify": 9, "crm": 7}, shared_days=4)))


@pytest.mark.req("M24")
def test_two_weeks_of_two_editors_ask_for_a_narrower_owner_and_no_cleanup() -> None:
    both, one = Week(edits={"shopify": 3, "crm": 2}), Week(edits={"shopify": 3, "crm": 0})
    told = said(known("note", one, both, both))["narrow"]
    assert told.startswith("Give note a narrower owner, and do not clean it up again")
    assert told.endswith("The week before: crm 2, shopify 3. This week: crm 2, shopify 3.")
    assert "narrow" not in said(known("note", both, one))
    assert "narrow" not in said(known("note", both, one, both))
    assert "narrow" not in said(known("note", both))


@pytest.mark.req("M50")
@pytest.mark.parametrize(
    ("records", "is_few"), [((9,), True), ((10,), False), ((3, 3, 3), True), ((2, 2, 2, 2), False), ((0,), False)]
)
def test_few_records_on_few_fields_are_done_by_hand(records: tuple[int, ...], is_few: bool) -> None:
    fields = [known(f"f{number}", Week(records=count)) for number, count in enumerate(records)]
    told = said(*fields)
    assert ("manual" in told) is is_few
    if is_few:
        assert f"{sum(records)} records on {len(records)} field" in told["manual"]
        assert "do not need a machine, this one included" in told["manual"]


@pytest.mark.req("M51")
def test_a_consent_without_an_owner_stops_before_all_else() -> None:
    consent = known("email_consent", Week(records=2), kind="consent", owner=None, writers=())
    found = counsel(Figures(fields=(consent,)))
    assert [each.rule for each in found] == ["no owner", "manual"]
    assert "no owner" not in said(known("email_consent", kind="consent"))
    assert "no owner" not in said(known("note", owner=None))


@pytest.mark.req("M52")
def test_a_field_that_is_needed_and_not_carried_is_named() -> None:
    told = said(known("note", is_covered=False), known("phone", is_covered=True))["not covered"]
    assert told.endswith("Needed: 2 fields; not carried: 1.")
    assert said(known("note", is_covered=False, is_needed=False), known("a", is_covered=None)) == {}


@pytest.mark.req("M53")
def test_a_key_that_changes_too_often_is_none() -> None:
    assert said(churn={"email": 0.05}) == {}
    told = said(churn={"phone": 0.051, "email": 0.01})["unstable key"]
    assert told == (
        "Do not link by phone: it changes too often to tell people apart. Use the id. 5.1% of the customers changed it "
        "in a week; at most 5% may."
    )


@pytest.mark.req("M54")
def test_merges_imports_and_edits_on_the_same_customers_are_measured() -> None:
    told = said(overlap=Overlap(customers=1000, merged=80, imported=400, edited=300, all_three=50))["overlap"]
    assert told.startswith("Narrow the flow")
    assert told.endswith("Of 1,000 customers: merged 80, imported 400, edited 300, all three 50 (5.0%).")
    assert said(overlap=Overlap(customers=1000, merged=80, imported=400, edited=300, all_three=49)) == {}
    assert said(overlap=Overlap(customers=0, merged=0, imported=0, edited=0, all_three=0)) == {}


@pytest.mark.req("M55")
def test_the_three_things_are_said_of_this_field() -> None:
    assert three_things(known(), ["crm", "shopify", "erp"]) == (
        "One source of truth: shopify for phone.",
        "One write path: phone goes from shopify to crm and erp, and nobody else writes it.",
        "One cleanup routine: what differs in phone waits for the next audit, and is corrected at its owner only.",
    )
    assert three_things(known(), ["shopify"])[1].startswith("One write path: phone goes in shopify alone")
    assert three_things(known(owner=None), ["crm"])[0].endswith("nobody is written down.")
    daily = counsel(Figures(fields=(known("phone", Week(edits={"shopify": 9, "crm": 7}, shared_days=7)),)))
    assert daily[0].things == three_things(known(), ["crm"])


@pytest.mark.req("M81")
def test_clearing_up_that_costs_more_than_it_saves_is_told() -> None:
    assert cost(known("phone", Week(cases=1), Week(cases=4))) == 60
    dear = known("phone", Week(cases=4, hand=7), worth_minutes=59.0)
    assert said(dear)["too dear"].endswith(
        "4 cases at 15 minutes are 60 minutes a week; it saves 59. Corrections by hand: 7."
    )
    assert said(known("phone", Week(cases=4), worth_minutes=60.0)) == {}
    assert said(known("phone", Week(cases=400))) == {}
    assert "too dear" in said(known("phone", Week(cases=4), worth_minutes=59.0, minutes_a_case=15.0))
    assert said(known("phone", Week(cases=4), worth_minutes=59.0, minutes_a_case=10.0)) == {}


@pytest.mark.req("M21", "M69")
def test_fields_are_ranked_by_trouble_and_corrections_are_counted() -> None:
    phone = known("phone", Week(edits={"shopify": 10}, cases=1, hand=2), Week(edits={"crm": 20}, cases=3, hand=1))
    note = known("note", Week(edits={"shopify": 90}, cases=2))
    quiet, busy = known("a"), known("b", Week(edits={"shopify": 5}))
    ranked = by_trouble([quiet, busy, note, phone])
    assert [(each.name, each.changes, each.cases, each.hand) for each in ranked] == [
        ("note", 90.0, 2.0, 0), ("phone", 15.0, 2.0, 3), ("b", 5.0, 0.0, 0), ("a", 0.0, 0.0, 0),
    ]  # fmt: skip


@pytest.mark.req("M20", "M72")
def test_every_hand_on_a_field_is_counted_and_one_more_shows_what_it_changes() -> None:
    fields = [known("phone", writers=("shopify", "crm")), known("note")]
    assert (editable(fields).pairs, editable(fields).writers) == (3, {"phone": 2, "note": 1})
    assert added(fields, "note", "crm") == (
        "3 editable pairs become 4, and 2 systems can overwrite each other in note."
    )
    assert added(fields, "tags", "crm") == "3 editable pairs become 4."
    assert added(fields, "phone", "crm") == "crm may write phone already: 3 editable pairs, as before."
