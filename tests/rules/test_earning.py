"""Earning, as pure rules: each row of the tables is one customer or one order, and what it gives."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from onewriter.records import DAY, SECOND, Entry, EntryKind, Order, Refund
from onewriter.rules.earning import (
    UNIT,
    Basis,
    Expiry,
    Gift,
    Item,
    OrderRule,
    Programme,
    Rounding,
    Version,
    When,
    in_force,
    newsletter,
    of_order,
    owed,
    signup,
    told_back,
)
from tests.support.ledgers import posted

INSTALLED = 1_000 * DAY
T = INSTALLED + 10 * DAY
RULE = OrderRule(Decimal(1))


def programme(number: int = 1, since: int = INSTALLED, **rules: Any) -> Version:
    return Version(number, since, Programme("EUR", **rules))


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {"id": 7, "customer": 1, "version": T, "processed": T, "currency": "EUR", "paid": True}
    return Order(**(values | {"total": 100 * UNIT, "subtotal": 80 * UNIT} | changes))


def refund(number: int, amount: float, days: int = 1) -> Refund:
    return Refund(number, int(amount * UNIT), T + days * DAY)


def items(read: Order, rule: OrderRule = RULE, **rules: Any) -> list[Item]:
    return of_order(read, INSTALLED, [programme(order=rule, **rules)])


def points(found: list[Item]) -> list[tuple[str | None, int]]:
    return [(each.reference, each.points) for each in found]


def after(*reads: Order, rule: OrderRule = RULE) -> list[Entry]:
    """What the ledger says of an order after some reads of it."""
    entries: list[Entry] = []
    for read in reads:
        entries += posted(owed(read, items(read, rule), entries), len(entries))
    return entries


# ---- The version in force


@pytest.mark.parametrize(
    ("moment", "number"), [(T - 1, None), (T, 1), (T + DAY - 1, 1), (T + DAY, 2), (T + 9 * DAY, 2)]
)
def test_a_version_counts_from_its_moment_on(moment: int, number: int | None) -> None:
    found = in_force([programme(1, T), programme(2, T + DAY)], moment)
    assert (found.number if found else None) == number


# ---- Signing up


@pytest.mark.req("K20")
@pytest.mark.parametrize(
    ("created", "given"),
    [(INSTALLED - SECOND, None), (INSTALLED - 1, None), (INSTALLED, 50), (INSTALLED + SECOND, 50)],
)
def test_a_customer_signs_up_if_created_at_the_install_or_later(created: int, given: int | None) -> None:
    found = signup(created, None, INSTALLED, [programme(since=0, signup=Gift(50))])
    assert (found.points if found else None) == given


@pytest.mark.req("K13")
def test_who_was_there_before_the_install_has_not_signed_up() -> None:
    assert signup(INSTALLED - DAY, "enabled", INSTALLED, [programme(since=0, signup=Gift(50))]) is None
    assert signup(None, "enabled", INSTALLED, [programme(since=0, signup=Gift(50))]) is None


@pytest.mark.req("K19")
@pytest.mark.parametrize("versions", [[], [programme()], [programme(since=T + 1, signup=Gift(50))]])
def test_without_a_rule_nothing_is_given(versions: list[Version]) -> None:
    assert signup(T, "enabled", INSTALLED, versions) is None
    assert newsletter({"state": "subscribed", "at": T}, INSTALLED, versions) is None
    assert of_order(order(), INSTALLED, versions) == []


@pytest.mark.req("K11")
@pytest.mark.parametrize(("created", "given", "number"), [(T, 50, 1), (T + DAY - 1, 50, 1), (T + DAY, 80, 2)])
def test_signing_up_gives_what_the_rule_gave_at_that_moment(created: int, given: int, number: int) -> None:
    versions = [programme(1, signup=Gift(50)), programme(2, T + DAY, signup=Gift(80)), programme(3, T + 9 * DAY)]
    found = signup(created, None, INSTALLED, versions)
    assert found is not None
    assert (found.points, found.rule_version) == (given, number)


@pytest.mark.parametrize(
    ("required", "state", "given"),
    [
        (False, None, True),
        (False, "invited", True),
        (True, None, False),
        (True, "invited", False),
        (True, "enabled", True),
    ],
)
def test_signing_up_may_require_an_account(required: bool, state: str | None, given: bool) -> None:
    found = signup(T, state, INSTALLED, [programme(signup=Gift(50, requires_account=required))])
    assert (found is not None) is given


@pytest.mark.req("K20")
def test_a_signup_is_given_once_opens_after_the_pending_days_and_ends_by_age() -> None:
    found = signup(T, None, INSTALLED, [programme(signup=Gift(50, pending_days=3), expiry=Expiry(after_days=30))])
    assert found == Item(
        kind=EntryKind.EARN,
        points=50,
        rule="signup",
        rule_version=1,
        occurred_at=T,
        available_at=T + 3 * DAY,
        expires_at=T + 33 * DAY,
        once_key="signup",
        reason="new customer",
    )


# ---- The newsletter


@pytest.mark.req("K20")
@pytest.mark.parametrize(
    ("consent", "given"),
    [
        (None, False),
        ({"state": "not_subscribed", "at": T}, False),
        ({"state": "subscribed"}, False),
        ({"state": "subscribed", "at": None}, False),
        ({"state": "subscribed", "at": INSTALLED - 1}, False),
        ({"state": "subscribed", "at": INSTALLED}, True),
        ({"state": "subscribed", "at": T}, True),
    ],
)
def test_a_subscription_that_stands_is_worth_points(consent: Any, given: bool) -> None:
    found = newsletter(consent, INSTALLED, [programme(since=0, newsletter=Gift(10))])
    assert (found is not None) is given
    if found is not None:
        assert (found.points, found.rule, found.once_key, found.occurred_at, found.reason) == (
            10, "newsletter", "newsletter", consent["at"], "newsletter",
        )  # fmt: skip


# ---- What an order earns


@pytest.mark.req("K20")
@pytest.mark.parametrize(
    ("changes", "rule", "given"),
    [
        ({}, RULE, 100),
        ({"paid": False}, RULE, None),
        ({"test": True}, RULE, None),
        ({"currency": "USD"}, RULE, None),
        ({"processed": INSTALLED - 1}, RULE, None),
        ({"processed": INSTALLED}, RULE, 100),
        ({}, replace(RULE, basis=Basis.SUBTOTAL), 80),
        ({}, replace(RULE, on=When.FULFILLED), None),
        ({"fulfilled": T + DAY}, replace(RULE, on=When.FULFILLED), 100),
        ({"fulfilled": T + DAY, "paid": False}, replace(RULE, on=When.FULFILLED), 100),
        ({}, replace(RULE, minimum=100 * UNIT), 100),
        ({}, replace(RULE, minimum=100 * UNIT + 1), None),
        ({}, replace(RULE, minimum=100 * UNIT, basis=Basis.SUBTOTAL), None),
        ({"total": 0, "subtotal": 0}, RULE, None),
        ({"paid": False, "fulfilled": T}, RULE, None),
        ({"subtotal": 0}, replace(RULE, basis=Basis.SUBTOTAL, rounding=Rounding.UP), None),
    ],
)
def test_what_an_order_earns(changes: dict[str, Any], rule: OrderRule, given: int | None) -> None:
    found = items(order(**changes), rule)
    assert [each.points for each in found] == ([] if given is None else [given])


@pytest.mark.parametrize(
    ("total", "down", "nearest", "up"),
    [(10, 5, 5, 5), (10.4, 5, 5, 6), (11, 5, 6, 6), (11.6, 5, 6, 6), (0.1, 0, 0, 1), (13, 6, 7, 7)],
)
def test_parts_of_a_point_are_rounded_as_the_rule_says(total: float, down: int, nearest: int, up: int) -> None:
    read = order(total=int(total * UNIT))
    found = [OrderRule(Decimal("0.5"), rounding=each).points(read) for each in Rounding]
    assert found == [down, nearest, up]


@pytest.mark.parametrize("rounding", list(Rounding))
def test_what_comes_to_a_whole_point_is_never_rounded(rounding: Rounding) -> None:
    # A third of 1 EUR at 3 points for each: a decimal of any length would make it 0.999... points.
    rule = OrderRule(Decimal(3), basis=Basis.SUBTOTAL, rounding=rounding)
    assert rule.points(order(total=30 * UNIT, subtotal=10 * UNIT), 29 * UNIT) == 1


def test_an_order_earns_when_it_is_placed_by_the_rules_of_that_moment() -> None:
    rules: dict[str, Any] = {"order": replace(RULE, pending_days=14), "expiry": Expiry(after_days=365)}
    versions = [programme(1, **rules), programme(2, T + 1, order=OrderRule(Decimal(9)))]
    assert of_order(order(version=T + 5 * DAY), INSTALLED, versions) == [
        Item(
            kind=EntryKind.EARN,
            points=100,
            rule="order",
            rule_version=1,
            occurred_at=T,
            available_at=T + 14 * DAY,
            expires_at=T + 379 * DAY,
            reference="7",
            order_id=7,
            amount=100 * UNIT,
            version=T + 5 * DAY,
            reason="order 7",
        )
    ]


def test_an_order_that_earns_when_fulfilled_does_so_by_the_rules_of_when_it_was_placed() -> None:
    fulfilled = replace(RULE, on=When.FULFILLED, pending_days=2)
    versions = [programme(1, order=fulfilled), programme(2, T + 1, order=RULE)]
    found = of_order(order(fulfilled=T + 3 * DAY), INSTALLED, versions)
    assert [(each.rule_version, each.occurred_at, each.available_at) for each in found] == [
        (1, T + 3 * DAY, T + 5 * DAY)
    ]


# ---- Refunds and cancellations


@pytest.mark.parametrize(
    ("amounts", "taken"),
    [
        ([30], [-30]),
        ([100], [-100]),
        ([130], [-100]),
        ([30, 70], [-30, -70]),
        ([30, 90], [-30, -70]),
        ([0.4, 0.4, 0.4], [-1, -1]),  # 99.6, 99.2 and 98.8: each takes the difference it makes to whole points
        ([33.3, 33.3, 33.4], [-34, -33, -33]),
    ],
)
def test_refunds_take_back_what_they_make_a_difference_of(amounts: list[float], taken: list[int]) -> None:
    refunds = tuple(refund(number, amount, number) for number, amount in enumerate(amounts, 1))
    assert [each.points for each in items(order(refunds=refunds))] == [100, *taken]


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize("each", [1, 7, 33, 49.99])
def test_refunds_never_take_more_than_was_earned_and_all_of_it_in_the_end(
    each: float, basis: Basis, rounding: Rounding
) -> None:
    rule = OrderRule(Decimal("0.37"), rounding=rounding, basis=basis)
    left, refunds = 100 * UNIT, list[Refund]()
    while left:
        refunds.append(Refund(len(refunds), min(left, int(each * UNIT)), T))
        left -= refunds[-1].amount
        sums = sum(item.points for item in items(order(refunds=tuple(refunds)), rule))
        assert 0 <= sums <= rule.points(order())
        assert (sums == 0) or left
    assert sums == 0


def test_a_refund_is_dated_by_itself_but_not_before_the_points() -> None:
    read = order(fulfilled=T + 5 * DAY, refunds=(refund(1, 10, 2), refund(2, 10, 7)), cancelled=T + 4 * DAY)
    rule = replace(RULE, on=When.FULFILLED, pending_days=30)
    found = items(read, rule, expiry=Expiry(after_days=9))
    assert points(found) == [("7", 100), ("refund 1", -10), ("refund 2", -10), ("cancel 7", -80)]
    assert [(each.occurred_at - T) // DAY for each in found] == [5, 5, 7, 5]
    for each in found[1:]:
        assert (each.kind, each.available_at, each.expires_at) == (EntryKind.REVERSE, each.occurred_at, None)
        assert (each.rule, each.order_id, each.rule_version, each.reason) == ("order", 7, 1, each.reference)
    assert [each.amount for each in found] == [100 * UNIT, 10 * UNIT, 10 * UNIT, None]


@pytest.mark.parametrize(
    ("refunds", "taken"),
    [
        ((), [("cancel 7", -100)]),
        ((refund(1, 30),), [("refund 1", -30), ("cancel 7", -70)]),
        ((refund(1, 100),), [("refund 1", -100)]),
        ((refund(1, 30, 9),), [("refund 1", -30), ("cancel 7", -70)]),
    ],
)
def test_a_cancellation_takes_back_what_the_refunds_leave(
    refunds: tuple[Refund, ...], taken: list[tuple[str, int]]
) -> None:
    assert points(items(order(refunds=refunds, cancelled=T + 3 * DAY))) == [("7", 100), *taken]


# ---- What is owed of an order, after what was posted


@pytest.mark.req("K20")
def test_what_is_posted_is_never_owed_again() -> None:
    read = order(refunds=(refund(1, 30),), cancelled=T + 3 * DAY)
    assert owed(read, items(read), after(read)) == []


@pytest.mark.parametrize(
    ("before", "then", "owes"),
    [
        ({}, {"refunds": (refund(1, 30),)}, [("refund 1", -30)]),
        ({"paid": False}, {}, [("7", 100)]),
        ({}, {"total": 60 * UNIT}, [(f"7@{T + DAY}", -40)]),
        ({}, {"total": 160 * UNIT}, [(f"7@{T + DAY}", 60)]),
        ({}, {"total": 160 * UNIT, "refunds": (refund(1, 80),)}, [("refund 1", -80), (f"7@{T + DAY}", 60)]),
        ({}, {"paid": False}, [(f"7@{T + DAY}", -100)]),
        ({"cancelled": T}, {"cancelled": T, "refunds": (refund(1, 100),)}, [("refund 1", -100), (f"7@{T + DAY}", 100)]),
    ],
)
def test_an_order_that_changed_is_owed_the_difference(
    before: dict[str, Any], then: dict[str, Any], owes: list[tuple[str, int]]
) -> None:
    read = order(version=T + DAY, **then)
    assert points(owed(read, items(read), after(order(**before)))) == owes


def test_a_read_older_than_one_that_was_posted_from_owes_nothing() -> None:
    entries = after(order(version=T + DAY, total=60 * UNIT))
    old = order(refunds=(refund(1, 30),))
    assert owed(old, items(old), entries) == []
    assert owed(replace(old, version=T + DAY), items(old), entries) != []


def test_a_second_correction_of_one_second_has_another_reference() -> None:
    entries = after(order(), order(version=T + DAY, total=60 * UNIT), order(version=T + DAY, total=70 * UNIT))
    entries += posted(owed(order(version=T + DAY), items(order(version=T + DAY)), entries))
    corrections = [each for each in entries if each.kind is EntryKind.CORRECT]
    assert [(each.reference, each.points) for each in corrections] == [
        (f"7@{T + DAY}", -40), (f"7@{T + DAY}#2", 10), (f"7@{T + DAY}#3", 30),
    ]  # fmt: skip


@pytest.mark.parametrize(("total", "opens", "ends"), [(160, T + 14 * DAY, T + 23 * DAY), (60, T, None)])
def test_points_of_an_edit_are_of_the_orders_own_lot(total: int, opens: int, ends: int | None) -> None:
    rule, keeps = replace(RULE, pending_days=14), Expiry(after_days=9)
    first, read = order(), order(version=T + DAY, total=total * UNIT)
    there = posted(items(first, rule, expiry=keeps))
    (found,) = owed(read, items(read, rule, expiry=keeps), there)
    assert (found.kind, found.rule, found.rule_version, found.order_id) == (EntryKind.CORRECT, "order", 1, 7)
    assert (found.occurred_at, found.available_at, found.expires_at, found.version) == (T, opens, ends, T + DAY)
    assert found.reason == "order 7 was changed"


# ---- What deliveries tell of an order that cannot be read


@pytest.mark.parametrize(
    ("known", "refunds", "cancelled", "taken"),
    [
        ((), [refund(1, 30)], None, [("refund 1", -30)]),
        ((), [refund(2, 30, 2), refund(1, 70.5, 1)], None, [("refund 1", -71), ("refund 2", -29)]),
        ((refund(1, 30),), [refund(1, 30)], None, []),
        ((refund(1, 30),), [refund(1, 30), refund(2, 50)], None, [("refund 2", -50)]),
        ((refund(1, 30),), [refund(2, 90)], None, [("refund 2", -70)]),
        ((), [], T + DAY, [("cancel 7", -100)]),
        ((refund(1, 30),), [refund(2, 20)], T, [("refund 2", -20), ("cancel 7", -50)]),
        ((), [refund(1, 100)], T + DAY, [("refund 1", -100)]),
    ],
)
def test_what_was_told_stands_for_an_order_that_cannot_be_read(
    known: tuple[Refund, ...], refunds: list[Refund], cancelled: int | None, taken: list[tuple[str, int]]
) -> None:
    entries = after(order(refunds=known))
    found = told_back(entries, refunds, cancelled)
    assert points(found) == taken
    assert told_back(entries + posted(found), refunds, cancelled) == []
    assert all(each.kind is EntryKind.REVERSE and each.version is None and each.order_id == 7 for each in found)


def test_nothing_is_taken_back_of_an_order_that_has_earned_nothing() -> None:
    assert told_back([], [refund(1, 30)], T) == []
    assert told_back([replace(each, amount=None) for each in after(order())], [refund(1, 30)], None) == []


def test_a_read_after_what_was_told_owes_only_what_is_missing() -> None:
    entries = after(order())
    entries += posted(told_back(entries, [refund(1, 30)], None))
    read = order(version=T + DAY, refunds=(refund(1, 30), refund(2, 20)))
    assert points(owed(read, items(read), entries)) == [("refund 2", -20)]
