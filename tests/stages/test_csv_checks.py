"""What a file would do, told before anything is written, with the same rules as its import's."""

import pytest
from sqlalchemy import func, select

from onewriter.customers import policies
from onewriter.db.tables import field_log, sides
from onewriter.rules.csv_cells import columns_of
from tests.support.crm import ANN
from tests.support.given import NAME, TIER, Files, policy_of


def counts(found: object) -> dict[tuple[str, ...], tuple[int, list[int]]]:
    return {key: (seen.count, seen.rows) for key, seen in found.items()}  # type: ignore[attr-defined]


@pytest.mark.req("M80")
def test_everything_that_a_person_should_know_is_told_with_its_rows_and_nothing_is_written(given: Files) -> None:
    beside = given.beside
    beside.customer(101, **ANN | {"note": "0123"})
    beside.set(policy_of("note"))
    beside.customer(102, first_name="Bo", last_name="Ray", email="bo@example.com", phone=None)
    path = given.rows(
        ("Email", "Phone", "First Name", "note", TIER),
        (" ANN@Example.com", "'+44 7700 900111", "ann", "123", "gold"),
        ("bo@example.com", "4.47E+11", "Bo", "", "x" * 70_000),
        ("ann@example.com", "", "", "", ""),
        ("new@example.com", "", "New", "", ""),
        ("", "", "Who", "", ""),
    )
    checked = given.checked(path)
    assert counts(checked.overwrites) == {("note", NAME): (1, [2]), (TIER, NAME): (1, [2])}
    assert counts(checked.refused)["first_name", "shopify"] == (1, [2])
    assert counts(checked.phantoms) == {("email", "case and blanks"): (1, [2]), ("phone", "phone form"): (1, [2])}
    assert counts(checked.damage) == {("note", "zeros lost at its beginning"): (1, [2])}
    [(unfit, seen)] = counts(checked.unfit).items()
    assert (unfit[0], seen) == (TIER, (1, [3]))
    assert checked.customers["new"] == 1
    with beside.tea.runtime.database.read() as db:
        kept = db.execute(select(func.count()).select_from(sides).where(sides.c.system == NAME)).scalar_one()
        refused = db.execute(select(field_log.c.id).where(field_log.c.accepted.is_(False))).all()
    assert (kept, refused) == (0, [])


def test_rows_that_are_one_customer_or_say_the_same_again_are_named(given: Files) -> None:
    given.beside.customer(101, **ANN)
    path = given.rows(
        ("Customer ID", "Email", TIER),
        ("101", "ann@example.com", "gold"),
        ("", "ANN@example.com", "tin"),
        ("101", "other@example.com", "iron"),
    )
    checked = given.checked(path)
    assert counts(checked.duplicates) == {("email",): (1, [3])}
    assert counts(checked.collisions) == {("a person must say whose it is",): (1, [3])}
    assert checked.customers["review"] == 1


@pytest.mark.req("M45")
def test_the_same_words_by_hand_and_by_file_are_one_value(given: Files) -> None:
    beside = given.beside
    beside.set(policy_of("first_name", "phone"))
    who = beside.customer(101, **ANN | {"phone": None, "first_name": None})
    given.imported(given.rows(("email", "first_name", "phone"), ("ann@example.com", "  Ann ", "'+44 (7700) 900-111")))
    assert (beside.own(who)["first_name"], beside.own(who)["phone"]) == ("Ann", "+447700900111")
    again = given.checked(given.rows(("email", "phone"), ("ann@example.com", "+447700900111")))
    assert not again.overwrites


def test_what_was_checked_is_what_is_imported(given: Files) -> None:
    for at in range(6):
        given.beside.customer(200 + at, first_name="Bo", email=f"p{at}@example.com", phone=None, note="mine")
    rows = [(f"P{at}@example.com", f"t{at}" if at % 2 else "", "mine" if at < 4 else "other") for at in range(6)]
    path = given.rows(("email", TIER, "note"), *rows)
    checked = given.checked(path)
    run = given.imported(path)
    assert run.checkpoint["wrote"] == {TIER: checked.overwrites[TIER, NAME].count}
    assert run.counts["refused"] == checked.refused["note", "shopify"].count == 2
    assert (run.checkpoint["share"]["changed"], run.checkpoint["share"]["customers"]) == (
        checked.customers["changed"], checked.customers["known"],
    )  # fmt: skip


def test_columns_are_named_by_hand_before_anything_else(given: Files) -> None:
    given.beside.customer(101, **ANN)
    path = given.rows(("Mail", "Level"), ("ann@example.com", "gold"))
    checked = given.checked(path, {"Mail": "email", "Level": TIER})
    assert counts(checked.overwrites) == {(TIER, NAME): (1, [2])}
    with given.beside.tea.runtime.database.read() as db:
        policy = policies.of_shop(db, given.beside.tea.shop_id)
    assert [each.field for each in columns_of(("Email", "custom.TIER"), policy, NAME, {})] == ["email", TIER]
