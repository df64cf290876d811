"""Where a purge could come too early, take what a person has not seen, or meet somebody else's work half-way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from onewriter.customers import erasing, retention, shops
from onewriter.customers.erasing import Asked
from onewriter.customers.retention import LARGE_PURGE, UNTOLD_DELETION
from onewriter.db.pointtables import accounts, entries
from onewriter.db.tables import customers
from onewriter.intake.apply import apply
from onewriter.intake.purge import purge_next
from onewriter.intake.restore import CannotRestore, restore, restore_into
from onewriter.loyalty import audit, merges, orders, points
from onewriter.loyalty.points import NoAccount
from onewriter.records import DAY, HOUR, SECOND, Change, Instant, Path
from onewriter.runtime import Runtime
from onewriter.workflows import purging
from tests.support.loyal import Loyal
from tests.support.processes import wait_until
from tests.support.purging import answer, asked, delete, look, purge
from tests.support.raw import ON_POSTGRES
from tests.support.redacting import ANN, BEN, CARO, held
from tests.support.shops import Tea, absent, gone, merged, told

BY = "user:test"
EXPIRING = 'currency = "EUR"\n[signup]\npoints = 50\n[expiry]\nafter_days = 10\n'
NINETY = 90 * DAY


def audited(loyal: Loyal) -> list[Any]:
    with loyal.tea.runtime.database.snapshot() as db:
        return list(audit.audit(db, loyal.tea.shop_id).differences)


def found_again(number: int, moment: Instant) -> Change:
    return told(number, moment, {"first_name": "A"}, heard=moment, path=Path.READ)


def undo(loyal: Loyal, number: int, moment: Instant) -> None:
    with loyal.write() as db:
        merges.undo(db, loyal.tea.vault, loyal.receipt(number), BY, "the wrong one", moment)


def move(loyal: Loyal, number: int, other: int, moment: Instant) -> None:
    with loyal.write() as db:
        restore_into(db, loyal.tea.vault, number, other, BY, moment)


# ---- What a person has seen -----------------------------------------------------------------------------------------


@pytest.mark.req("K34")
def test_an_old_deletion_told_again_does_not_put_the_clock_back(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    tea.apply(gone(ANN, now + HOUR), now=now + HOUR)
    tea.apply(found_again(ANN, now + 5 * HOUR), now=now + 5 * HOUR)
    moment = now + 89 * DAY
    tea.apply(absent(ANN, moment), now=moment)
    tea.apply(gone(ANN, now + HOUR), now=moment + SECOND)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.deleted == moment
    assert purge(tea, now + 91 * DAY) is None


@pytest.mark.req("K36")
def test_whom_a_person_keeps_lives_on_and_what_expired_is_posted(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.set_programme(EXPIRING, now - 12 * HOUR)
    loyal.customer(ANN)
    tea.apply(absent(ANN, now + HOUR), now=now + HOUR)
    moment = now + HOUR + NINETY
    assert purge(tea, moment) is None
    answer(tea, asked(tea, UNTOLD_DELETION)[0], "keep", moment)
    assert loyal.figures(ANN, moment)[0] == 0
    assert audited(loyal) == []


@pytest.mark.req("K32")
@pytest.mark.parametrize("answered", ["before it came back", "after it vanished again"])
def test_what_a_person_agreed_to_is_of_one_disappearance(loyal: Loyal, answered: str) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    tea.apply(absent(ANN, now + HOUR), now=now + HOUR)
    moment = now + HOUR + NINETY
    assert purge(tea, moment) is None
    question = asked(tea, UNTOLD_DELETION)[0]
    if answered == "before it came back":
        answer(tea, question, "purge", moment)
    tea.apply(found_again(ANN, moment + SECOND), now=moment + SECOND)
    again = moment + DAY
    tea.apply(absent(ANN, again), now=again)
    if answered == "after it vanished again":
        answer(tea, question, "purge", again + HOUR)
    assert purge(tea, again + NINETY) is None
    assert held(tea) == [ANN]


def test_what_a_person_agreed_to_grows_old(tea: Tea, now: Instant) -> None:
    numbers = range(9_000_000_001, 9_000_000_102)
    tea.apply(*(told(each, now - HOUR, {"first_name": "N"}, heard=now) for each in numbers), now=now)
    with tea.runtime.database.write() as db:
        db.execute(customers.update().values(state="deleted", deleted_at=now, confirmed_at=now + SECOND))
    assert look(tea, now + NINETY).run_id is None
    answer(tea, asked(tea, LARGE_PURGE)[0], "purge", now + NINETY)
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"retention_days": 400})
    assert look(tea, now + 400 * DAY).run_id is None


@pytest.mark.req("K34")
def test_a_restore_never_makes_the_days_fewer(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    delete(tea, ANN, now + HOUR)
    with loyal.write() as db, pytest.raises(CannotRestore, match=r"is kept until .* anyway"):
        restore(db, tea.vault, ANN, now + 2 * DAY, BY, "x", now + DAY)
    with loyal.write() as db:
        restore(db, tea.vault, ANN, now + 91 * DAY, BY, "x", now + DAY)
        shops.change(db, tea.shop_id, {"retention_days": 120})
    assert purge(tea, now + 100 * DAY) is None
    assert purge(tea, now + 121 * DAY) is not None


@pytest.mark.req("K34")
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)], ids=str)
def test_a_deletion_that_a_read_disproved_starts_no_clock_whatever_comes_first(loyal: Loyal, order: Any) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    news = [gone(ANN, now + HOUR), found_again(ANN, now + 5 * HOUR), absent(ANN, now + 80 * DAY)]
    # Reads are applied in the order in which they began.
    for place in order:
        tea.apply(news[place], now=now + 81 * DAY)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.deleted == now + 80 * DAY


@ON_POSTGRES
@pytest.mark.req("K32")
def test_two_who_end_the_same_erasures_at_once_end_them(tea: Tea, now: Instant) -> None:
    with ThreadPoolExecutor(4) as pool:
        for turn in range(4):
            numbers = [ANN + 10 * turn + each for each in range(5)]
            with tea.runtime.database.write() as db:
                apply(db, tea.vault, [told(each, now, {"first_name": "N"}) for each in numbers], now)
                erasing.erase(db, tea.vault, numbers, Asked("test", now), now)
            ended = [pool.submit(erasing.end, tea.runtime.database, tea.runtime.keys, now) for _ in range(4)]
            assert [each.exception() for each in ended] == [None] * 4


# ---- Points that were moved -----------------------------------------------------------------------------------------


def test_points_that_went_to_the_wrong_account_can_go_to_the_right_one(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    loyal.post(loyal.order(7, ANN, 100))
    delete(tea, ANN, now + HOUR)
    for number in (BEN, CARO):
        loyal.customer(number)
    move(loyal, ANN, BEN, now + DAY)
    undo(loyal, ANN, now + DAY)
    move(loyal, ANN, CARO, now + DAY)
    assert loyal.figures(CARO, now + DAY)[0] == 150
    assert audited(loyal) == []


@pytest.mark.req("K40")
def test_a_merge_that_shopify_tells_later_is_carried_out_though_another_was_undone(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    loyal.post(loyal.order(7, ANN, 100))
    delete(tea, ANN, now + HOUR)
    for number in (BEN, CARO):
        loyal.customer(number)
    move(loyal, ANN, BEN, now + DAY)
    undo(loyal, ANN, now + DAY)
    tea.apply(merged(ANN, CARO, now + HOUR), now=now + 2 * DAY)
    assert loyal.figures(CARO, now + 2 * DAY)[0] == 150


@pytest.mark.req("K36")
def test_points_that_an_undoing_gave_back_to_a_merged_away_customer_can_be_reached(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
    loyal.merge(ANN, BEN, now + HOUR)
    with loyal.write() as db, pytest.raises(CannotRestore, match="merged into another"):
        restore(db, tea.vault, ANN, now + NINETY, BY, "her own", now + DAY)
    undo(loyal, ANN, now + DAY)
    assert purge(tea, now + HOUR + NINETY) is None, "points that nobody else has are not purged unseen"
    assert asked(tea, UNTOLD_DELETION)[0].evidence["points"] == 50
    moment = now + HOUR + NINETY
    with loyal.write() as db:
        restore(db, tea.vault, ANN, moment + DAY, BY, "her own", moment)
    tea.apply(absent(ANN, moment + HOUR), now=moment + HOUR)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.state == "kept"
    tea.apply(found_again(ANN, moment + 2 * HOUR), now=moment + 2 * HOUR)
    with loyal.write() as db:
        assert erasing.with_merged(db, tea.vault, BEN) == [BEN], "she is not a part of Ben: Shopify has her"


def test_what_was_decided_about_one_who_came_back_is_forgotten(tea: Tea, now: Instant) -> None:
    tea.apply(told(ANN, now, {"first_name": "Ann"}), now=now)
    delete(tea, ANN, now)
    with tea.runtime.database.write() as db:
        restore(db, tea.vault, ANN, now + NINETY, BY, "she called", now + DAY)
    tea.apply(found_again(ANN, now + 2 * DAY), now=now + 2 * DAY)
    with tea.runtime.database.read() as db:
        columns = (customers.c.keep_until, customers.c.kept_reason, customers.c.kept_box)
        assert db.execute(select(*columns)).one() == (None, None, None)


# ---- At the same moment ---------------------------------------------------------------------------------------------


def _adjust(db: Connection, loyal: Loyal, identity: bytes) -> None:
    points.adjust(db, loyal.tea.vault, identity, 70, "sorry", BY, loyal.now + 3 * DAY)


def _order(db: Connection, loyal: Loyal, _identity: bytes) -> None:
    orders.post(db, loyal.tea.vault, [loyal.order(7, ANN, 100)], loyal.now + 3 * DAY)


def waits_for_a_lock(loyal: Loyal) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with loyal.tea.runtime.database.outside() as db:
        return bool(db.exec_driver_sql(waiting).scalar_one())


@ON_POSTGRES
@pytest.mark.req("K33")
@pytest.mark.parametrize("post", [_adjust, _order])
def test_nothing_is_posted_for_one_who_is_purged_at_that_moment(
    loyal: Loyal, post: Callable[[Connection, Loyal, bytes], None]
) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    identity = loyal.id(ANN)
    delete(tea, ANN, now + HOUR)
    with loyal.write() as db:
        restore(db, tea.vault, ANN, now + 91 * DAY, BY, "x", now + DAY)

    def try_to_post() -> None:
        with loyal.write() as db:
            post(db, loyal, identity)

    with ThreadPoolExecutor(1) as pool:
        with loyal.write() as db:
            assert purge_next(db, tea.vault, shops.by_id(db, tea.shop_id), 10, now + 92 * DAY, "r") == 1
            posting = pool.submit(try_to_post)
            wait_until(lambda: waits_for_a_lock(loyal))
        assert isinstance(posting.exception(), NoAccount | None)
    erasing.end(tea.runtime.database, tea.runtime.keys, now + 3 * DAY)
    with tea.runtime.database.read() as db:
        for table in (entries, accounts):
            assert db.execute(select(func.count()).select_from(table)).scalar_one() == 0


@ON_POSTGRES
@pytest.mark.req("K31")
def test_nothing_is_spent_by_one_who_is_deleted_at_that_moment(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    with ThreadPoolExecutor(1) as pool:
        with loyal.write() as db:
            apply(db, tea.vault, [gone(ANN, now + HOUR)], now + HOUR)
            spending = pool.submit(loyal.redeem, ANN, 10, "k", now + DAY)
            wait_until(lambda: waits_for_a_lock(loyal))
        assert isinstance(spending.exception(), NoAccount)
    assert audited(loyal) == []


@pytest.mark.req("K40")
def test_a_customer_whose_kept_one_was_purged_can_be_merged_again(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN, CARO):
        loyal.customer(number)
    loyal.merge(ANN, BEN, now + HOUR)
    with tea.runtime.database.write() as db:
        erasing.erase(db, tea.vault, [BEN], Asked("test", now + DAY), now + DAY)
    moment = now + 42 * DAY
    tea.apply(found_again(ANN, moment), now=moment)
    loyal.merge(ANN, CARO, moment + HOUR)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.state == "merged"


def test_points_of_one_who_was_told_to_be_merged_wait_for_a_person(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
    tea.apply(gone(ANN, now + HOUR), merged(ANN, BEN, now + HOUR), now=now + HOUR)
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, now + 2 * HOUR)
        shop = shops.by_id(db, tea.shop_id)
        assert retention.due(db, shop, now + 91 * DAY, 10) == []
        assert retention.look(db, shop, now + 91 * DAY).untold == 1


def test_a_person_agrees_to_those_who_were_named(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
    tea.apply(absent(ANN, now + HOUR), now=now + HOUR)
    tea.apply(absent(BEN, now + 2 * HOUR), now=now + 2 * HOUR)
    assert purge(tea, now + HOUR + NINETY) is None
    question = asked(tea, UNTOLD_DELETION)[0]
    assert purge(tea, now + 2 * HOUR + NINETY) is None
    answer(tea, question, "purge", now + 2 * HOUR + NINETY)
    assert purge(tea, now + 2 * HOUR + NINETY) is not None
    assert held(tea) == [BEN], "nobody was asked about this one yet"
    assert len(asked(tea, UNTOLD_DELETION)) == 1


@pytest.mark.req("K34")
def test_a_clock_of_shopify_that_was_heard_too_long_ago_says_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(told(ANN, now, {"first_name": "Ann"}), now=now)
    delete(tea, ANN, now)
    with tea.runtime.database.write() as db:
        heard = now + NINETY - 41 * HOUR
        shops.change(db, tea.shop_id, {"shopify_date": heard, "shopify_date_heard": heard})
    elsewhere = Runtime(tea.runtime.settings, clock=lambda: now + NINETY)
    with elsewhere, pytest.raises(purging.ClockDoubted, match="not heard for 3 hours"):
        purging.look_for_due(elsewhere, tea.shop_id, "test")
