"""Restoring: as it was at the deletion, kept by us alone until its own day; or its points to the new account."""

from typing import Any

import pytest

from onewriter.audit.compare import judge
from onewriter.customers import find, profiles, shops
from onewriter.customers.retention import kept_of
from onewriter.errors import UnknownCustomer
from onewriter.intake.restore import CannotRestore, Restored, restore, restore_into
from onewriter.loyalty import audit, merges, points
from onewriter.loyalty.points import NoAccount
from onewriter.records import DAY, HOUR, SECOND, Instant, Path
from tests.support.loyal import Loyal
from tests.support.purging import delete, purge
from tests.support.redacting import ANN, BEN, CARO, held
from tests.support.shops import Tea, absent, gone, merged, told

BY = "user:test"


def bring_back(tea: Tea, number: int, moment: Instant, days: int = 90, why: str = "she called") -> Restored:
    with tea.runtime.database.write() as db:
        return restore(db, tea.vault, number, moment + days * DAY, BY, why, moment)


def whole(tea: Tea, number: int) -> tuple[Any, ...]:
    """All that is known of a customer's profile, bit for bit."""
    profile = tea.profile(number)
    assert profile is not None
    stamps = (profile.version, profile.heard, profile.path, profile.stamps, profile.read_began, profile.created)
    return profile.side, profile.own, stamps


def audited(loyal: Loyal) -> list[Any]:
    with loyal.tea.runtime.database.snapshot() as db:
        return list(audit.audit(db, loyal.tea.shop_id).differences)


@pytest.mark.req("K36", "K31")
def test_a_restored_customer_is_bit_for_bit_as_it_was_at_the_deletion(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN, email="ann@example.com", tags=["tea", "gold"], note="likes oolong")
    loyal.post(loyal.order(7, ANN, 100))
    loyal.redeem(ANN, 30, "k1")
    before, lines, figures = whole(tea, ANN), loyal.entries(ANN), loyal.figures(ANN)
    delete(tea, ANN, now + HOUR)
    moment = now + 89 * DAY
    done = bring_back(tea, ANN, moment)
    assert (done.keep_until, done.again) == (moment + 90 * DAY, False)
    assert whole(tea, ANN) == before
    assert loyal.entries(ANN) == lines
    assert loyal.figures(ANN, moment) == figures
    profile = tea.profile(ANN)
    assert profile is not None
    assert (profile.state, profile.deleted) == ("kept", now + HOUR)
    assert audited(loyal) == []


@pytest.mark.req("K36")
def test_what_became_known_since_of_the_time_before_the_deletion_is_there_too(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN, note="old")
    delete(tea, ANN, now + HOUR)
    tea.apply(told(ANN, now + 1800 * SECOND, {"note": "newer"}), now=now + DAY)
    loyal.post(loyal.order(7, ANN, 100, processed=now + 1700 * SECOND), at=now + DAY)
    bring_back(tea, ANN, now + 2 * DAY)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.own["note"] == "newer"
    assert loyal.figures(ANN, now + 2 * DAY)[0] == 150


@pytest.mark.req("K36")
def test_what_has_fallen_due_meanwhile_is_posted_at_the_restore(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.set_programme('currency = "EUR"\n[signup]\npoints = 50\n[expiry]\nafter_days = 10\n', now - 12 * HOUR)
    loyal.customer(ANN)
    delete(tea, ANN, now + HOUR)
    assert loyal.figures(ANN, now + 20 * DAY)[0] == 50, "time stands still for who is deleted"
    bring_back(tea, ANN, now + 20 * DAY)
    assert loyal.figures(ANN, now + 20 * DAY)[0] == 0
    assert [points for _why, points in loyal.lines(ANN)] == [50, -50]
    assert audited(loyal) == []


@pytest.mark.req("K36")
def test_points_of_a_restored_customer_can_be_spent_and_those_of_a_deleted_one_cannot(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    delete(tea, ANN, now + HOUR)
    with pytest.raises(NoAccount):
        loyal.redeem(ANN, 10, "k1", at=now + DAY)
    bring_back(tea, ANN, now + DAY)
    loyal.redeem(ANN, 10, "k2", at=now + DAY)
    assert loyal.figures(ANN, now + DAY)[0] == 40


@pytest.mark.req("K36", "K35")
def test_it_has_its_own_day_and_a_reason_and_is_purged_then(tea: Tea, now: Instant) -> None:
    tea.apply(told(ANN, now, {"first_name": "Ann"}), now=now)
    delete(tea, ANN, now)
    moment = now + 80 * DAY
    bring_back(tea, ANN, moment, days=20)
    with tea.runtime.database.read() as db:
        why = kept_of(db, shops.by_id(db, tea.shop_id), find.show(db, tea.vault, str(ANN)).id)
    assert why is not None
    assert (why.why, why.until) == ("restored by user:test", moment + 20 * DAY)
    assert purge(tea, now + 91 * DAY) is None
    assert bring_back(tea, ANN, moment + DAY, days=30).again
    assert purge(tea, moment + 31 * DAY - 1) is None
    assert purge(tea, moment + 31 * DAY) is not None
    assert held(tea) == []


@pytest.mark.req("K35")
def test_each_kept_customer_says_why_and_until_when(tea: Tea, now: Instant) -> None:
    for number in (ANN, BEN, CARO):
        tea.apply(told(number, now, {"first_name": "N"}), now=now)
    delete(tea, ANN, now)
    tea.apply(merged(BEN, CARO, now), absent(BEN, now + SECOND), now=now + SECOND)
    with tea.runtime.database.read() as db:
        shop = shops.by_id(db, tea.shop_id)
        told_of = [kept_of(db, shop, find.show(db, tea.vault, str(each)).id) for each in (ANN, BEN, CARO)]
    deleted, away, there = told_of
    assert deleted is not None
    assert away is not None
    assert (deleted.until, away.until, there) == (now + 90 * DAY, now + 90 * DAY, None)
    assert (deleted.why.split()[0], away.why.split()[0]) == ("deleted", "merged")


@pytest.mark.req("K36")
def test_reconciling_leaves_a_kept_customer_alone_and_more_news_of_the_deletion_too(tea: Tea, now: Instant) -> None:
    tea.apply(told(ANN, now, {"first_name": "Ann"}), now=now)
    delete(tea, ANN, now)
    bring_back(tea, ANN, now + DAY)
    moment = now + 2 * DAY
    tea.apply(gone(ANN, now - SECOND), absent(ANN, moment), now=moment)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.state == "kept"
    with tea.runtime.database.read() as db:
        side = profiles.sides_of(db, tea.vault, [ANN])[ANN]
        assert find.active_ids(db, tea.shop_id, moment, 0, 10) == [], "a full read does not miss it"
    assert judge(side, absent(ANN, moment + SECOND)) is None
    found = told(ANN, moment, {"first_name": "Ann"}, heard=moment + HOUR, path=Path.READ)
    tea.apply(found, now=moment + HOUR)
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.state == "active", "Shopify has it after all"


def test_only_a_deleted_customer_can_be_restored(tea: Tea, now: Instant) -> None:
    for number in (ANN, BEN):
        tea.apply(told(number, now, {"first_name": "N"}), now=now)
    with pytest.raises(CannotRestore, match="not deleted"):
        bring_back(tea, ANN, now)
    tea.apply(merged(ANN, BEN, now), absent(ANN, now + SECOND), now=now)
    with pytest.raises(CannotRestore, match="merged into another"):
        bring_back(tea, ANN, now)
    with pytest.raises(UnknownCustomer):
        bring_back(tea, CARO, now)
    delete(tea, BEN, now)
    with pytest.raises(CannotRestore, match="still to come"):
        bring_back(tea, BEN, now, days=0)
    with pytest.raises(CannotRestore, match="reason"):
        bring_back(tea, BEN, now, why=" ")


@pytest.mark.req("K36")
def test_after_the_purge_a_restore_says_that_it_cannot(tea: Tea, now: Instant) -> None:
    tea.apply(told(ANN, now, {"first_name": "Ann"}), now=now)
    delete(tea, ANN, now)
    purge(tea, now + 90 * DAY)
    with pytest.raises(UnknownCustomer, match="cannot be brought back"):
        bring_back(tea, ANN, now + 90 * DAY)


# ---- Into another account -------------------------------------------------------------------------------------------


@pytest.mark.req("K36")
def test_the_points_go_to_the_new_account_and_nothing_is_counted_twice(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    loyal.post(loyal.order(7, ANN, 100))
    delete(tea, ANN, now + HOUR)
    loyal.customer(BEN)
    with tea.runtime.database.write() as db:
        receipt = restore_into(db, tea.vault, ANN, BEN, BY, now + DAY)
    assert receipt.made_by == BY
    assert loyal.figures(BEN, now + DAY)[0] == 150, "the signup of one and the same person counts once"
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.state == "deleted"
    with tea.runtime.database.write() as db, pytest.raises(CannotRestore, match="moved before"):
        restore_into(db, tea.vault, ANN, BEN, BY, now + DAY)
    assert purge(tea, now + HOUR + 90 * DAY) is not None
    assert loyal.figures(BEN, now + 91 * DAY)[0] == 150, "what was moved is not purged with the old account"
    assert audited(loyal) == []


def test_moving_points_can_be_undone(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    loyal.post(loyal.order(7, ANN, 100))
    delete(tea, ANN, now + HOUR)
    loyal.customer(BEN)
    with tea.runtime.database.write() as db:
        receipt = restore_into(db, tea.vault, ANN, BEN, BY, now + DAY)
    with tea.runtime.database.write() as db:
        merges.undo(db, tea.vault, receipt, BY, "the wrong Ben", now + DAY)
    assert loyal.figures(BEN, now + DAY)[0] == 50
    bring_back(tea, ANN, now + 2 * DAY)
    assert loyal.figures(ANN, now + 2 * DAY)[0] == 150


def test_points_go_only_to_a_customer_who_is_there(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
        delete(tea, number, now + HOUR)
    with tea.runtime.database.write() as db:
        with pytest.raises(CannotRestore, match="deleted itself"):
            restore_into(db, tea.vault, ANN, BEN, BY, now + DAY)
        with pytest.raises(CannotRestore, match="same customer"):
            restore_into(db, tea.vault, ANN, ANN, BY, now + DAY)
        assert points.account_of(db, tea.vault, loyal.id(ANN), now + DAY).balance == 50
