"""What people do with points, and what falls due by itself, on both databases."""

import pytest

from onewriter.loyalty import audit, points, upkeep
from onewriter.loyalty.points import KeyUsed, NoAccount, NoRule, NotEnoughPoints
from onewriter.records import DAY, HOUR, SECOND, Instant, iso
from onewriter.workflows import schedules
from tests.support.loyal import RULES, Loyal

SUBSCRIBED = {"state": "subscribed", "level": "single_opt_in"}


def test_an_adjustment_has_a_reason_and_leaves_no_debt(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    with loyal.write() as db:
        done = points.adjust(db, loyal.tea.vault, loyal.id(101), 25, "a parcel came late", "user:ann", now, key="a1")
    assert (done.entry.source, done.entry.reason, done.account.balance) == ("user:ann", "a parcel came late", 75)
    with loyal.write() as db:
        again = points.adjust(db, loyal.tea.vault, loyal.id(101), 25, "a parcel came late", "user:ann", now, key="a1")
    assert (again.again, again.account.balance) == (True, 75)
    with loyal.write() as db, pytest.raises(NotEnoughPoints, match="75 points"):
        points.adjust(db, loyal.tea.vault, loyal.id(101), -76, "a slip", "user:ann", now)
    assert loyal.figures(101) == (75, 0, 50), "an adjustment is not earned"


def test_a_redemption_that_is_taken_back_is_as_if_it_had_never_been(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.redeem(101, 50, "k")
    for _ in range(2):
        with loyal.write() as db:
            done = points.take_back(db, loyal.tea.vault, "k", "user:ann", now + DAY)
    assert (done.again, done.account.balance) == (True, 50)
    assert loyal.figures(101, now + 30 * DAY) == (0, 0, 50), "the points end when they would have"
    with loyal.write() as db, pytest.raises(points.UnknownKey):
        points.take_back(db, loyal.tea.vault, "another", "user:ann", now)


def test_a_key_belongs_to_one_redemption_of_the_shop(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    loyal.customer(102, now)
    loyal.redeem(101, 10, "k")
    with pytest.raises(KeyUsed):
        loyal.redeem(102, 10, "k")


def test_an_outside_event_gives_its_points_once(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    for _ in range(2):
        with loyal.write() as db:
            done = points.give(db, loyal.tea.vault, loyal.id(101), "review", "review-77", "api:shop", now)
    assert (done.again, done.entry.rule, loyal.figures(101)) == (True, "custom:review", (80, 0, 80))
    with loyal.write() as db, pytest.raises(NoRule, match="birthday"):
        points.give(db, loyal.tea.vault, loyal.id(101), "birthday", "2026", "api:shop", now)


def test_who_is_excluded_earns_nothing_from_then_on_and_keeps_what_it_has(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(101), "staff", now + HOUR)
    earlier = loyal.order(7001, 101, 5, processed=now)
    later = loyal.order(7002, 101, 5, processed=now + HOUR)
    assert loyal.post(earlier, later, at=now + HOUR) == {7001: "posted", 7002: "unchanged"}
    with loyal.write() as db, pytest.raises(NoAccount):
        points.give(db, loyal.tea.vault, loyal.id(101), "review", "r", "api:shop", now + HOUR)
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(101), None, now + 2 * HOUR)
    assert loyal.figures(101, now + 2 * HOUR) == (55, 0, 55)


def test_customers_with_an_excluded_tag_earn_nothing(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + '[exclude]\ntags = ["Staff"]\n', now - HOUR)
    loyal.customer(101, now, tags=["STAFF", "vip"])
    loyal.customer(102, now, tags=["vip"])
    loyal.post(loyal.order(7001, 101, 5))
    assert (loyal.figures(101), loyal.figures(102)) == ((0, 0, 0), (50, 0, 50))


@pytest.mark.req("K20")
def test_the_newsletter_gives_once_to_who_is_subscribed(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now, email_consent=SUBSCRIBED | {"at": now})
    loyal.customer(102, now - 5 * DAY, email_consent=SUBSCRIBED | {"at": now - 3 * DAY})
    loyal.customer(103, now, email_consent={"state": "unsubscribed", "level": None, "at": now})
    loyal.customer(101, now, email_consent=SUBSCRIBED | {"at": now + SECOND})
    assert [loyal.figures(number)[0] for number in (101, 102, 103)] == [70, 0, 50]


@pytest.mark.req("K48")
def test_inactivity_ends_points_with_the_customers_days_over_the_tags_over_the_shops(
    loyal: Loyal, now: Instant
) -> None:
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 10\n[expiry.inactivity_by_tag]\nvip = 20\n", now - HOUR)
    for number, tags in ((101, None), (102, ["VIP"]), (103, ["vip"]), (104, None)):
        loyal.customer(number, now, tags=tags)
    with loyal.write() as db:
        points.set_days(db, loyal.tea.vault, loyal.id(103), 30, now)
        points.set_days(db, loyal.tea.vault, loyal.id(104), 0, now)
    for number, days in ((101, 10), (102, 20), (103, 30)):
        assert loyal.figures(number, now + days * DAY - SECOND)[0] == 50, number
        assert loyal.figures(number, now + days * DAY)[0] == 0, number
    assert loyal.figures(104, now + 3650 * DAY)[0] == 50


@pytest.mark.req("K48")
def test_a_shorter_time_is_counted_from_when_it_was_set(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 5\n", now + 100 * DAY)
    assert loyal.figures(101, now + 105 * DAY - SECOND)[0] == 50
    assert loyal.figures(101, now + 105 * DAY)[0] == 0


@pytest.mark.req("K48")
def test_what_falls_due_is_posted_once(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.tea.apply(*(loyal.told(1000 + n, now) for n in range(5)), now=now)
    at = now + 30 * DAY
    assert upkeep.settle_due(loyal.tea.runtime.database, loyal.tea.vault, at - SECOND) == 0
    assert upkeep.settle_due(loyal.tea.runtime.database, loyal.tea.vault, at) == 5
    assert upkeep.settle_due(loyal.tea.runtime.database, loyal.tea.vault, at) == 0
    assert [entry.points for entry in loyal.entries(1000)] == [50, -50]
    kept = loyal.kept_account(1000)
    assert kept is not None
    assert (kept.balance, iso(kept.valid_until)) == (0, None)


@pytest.mark.req("K48")
def test_each_hour_posts_what_has_fallen_due(loyal: Loyal, now: Instant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "attend", lambda *_: True)
    loyal.set_programme(RULES + "[expiry]\nafter_days = 1\n", now - HOUR)
    loyal.customer(101, now)
    assert loyal.tea.runtime.now() > now + DAY
    schedules.hourly(loyal.tea.runtime)
    assert [entry.points for entry in loyal.entries(101)] == [50, -50]


def test_a_balance_that_holds_costs_one_row(loyal: Loyal, now: Instant, monkeypatch: pytest.MonkeyPatch) -> None:
    loyal.customer(101, now)
    monkeypatch.setattr(points, "open_books", None)
    assert loyal.account(101, now + 3650 * DAY).balance == 50


def test_the_audit_names_whoever_differs(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    loyal.customer(102, now)
    with loyal.write() as db:
        db.exec_driver_sql("UPDATE accounts SET balance = balance + 1 WHERE balance = 50")
        db.exec_driver_sql("UPDATE entries SET points = 51")
    with loyal.tea.runtime.database.read() as db:
        found = audit.audit(db, loyal.tea.shop_id)
    assert {(each.customer_id, each.what, each.kept, each.found) for each in found.differences} == {
        (loyal.id(number), "earned", 50, 51) for number in (101, 102)
    }
    assert (found.entries, found.customers) == (2, 2)


@pytest.mark.parametrize("many", [0, -10])
def test_nothing_is_redeemed_but_a_number_above_zero(loyal: Loyal, many: int) -> None:
    loyal.customer(101)
    with pytest.raises(NotEnoughPoints, match="above zero"):
        loyal.redeem(101, many, "k")
    assert loyal.figures(101) == (50, 0, 50)
