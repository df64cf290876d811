"""The purge: at its time and not before, of everything, with a receipt, and never by a wrong clock or in masses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from onewriter.customers import erasing, find, marks, shops
from onewriter.customers.retention import LARGE_PURGE, UNTOLD_DELETION
from onewriter.db.pointtables import entries
from onewriter.db.register import REGISTER
from onewriter.db.tables import customers, metadata
from onewriter.errors import KeyDestroyed, UnknownCustomer
from onewriter.records import DAY, HOUR, SECOND, Instant, RunState
from onewriter.workflows import purging
from onewriter.workflows.carrying import carry_out
from onewriter.workflows.purging import ClockDoubted
from tests.support.loyal import Loyal
from tests.support.purging import answer, asked, at, delete, look, purge
from tests.support.redacting import ANN, BEN, CARO, all_values, erased, held, id_of, person
from tests.support.shops import Tea, absent, later, merged, told

JUST_BEFORE = 90 * DAY - SECOND
NINETY = 90 * DAY


def receipts(tea: Tea) -> list[Any]:
    with tea.runtime.database.read() as db:
        return erasing.receipts(db, 10)


def state_of(tea: Tea, number: int) -> str | None:
    profile = tea.profile(number)
    return None if profile is None else profile.state


# ---- When -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("K34", "K32", "K31")
def test_one_second_before_ninety_days_it_is_there_and_then_it_is_gone(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    assert purge(tea, now + JUST_BEFORE) is None
    assert purge(tea, now + NINETY - 1) is None
    profile = tea.profile(ANN)
    assert profile is not None
    assert (profile.own["first_name"], profile.state) == ("Canary", "deleted")
    run = purge(tea, now + NINETY)
    assert run is not None
    assert (run.state, run.counts) == (RunState.DONE, {"purged": 1})
    assert held(tea) == []
    assert erased(tea, ANN)


@pytest.mark.req("K34")
def test_a_shop_may_have_other_days(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"retention_days": 30})
    assert purge(tea, now + 30 * DAY - 1) is None
    assert purge(tea, now + 30 * DAY) is not None


@pytest.mark.req("K34", "K39")
def test_a_merged_away_customer_is_kept_as_long_and_its_points_stay_with_the_kept_one(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
    loyal.merge(ANN, BEN, now + HOUR)
    before = loyal.figures(BEN)
    assert purge(tea, now + HOUR + NINETY - 1) is None
    assert purge(tea, now + HOUR + NINETY) is not None
    assert held(tea) == [BEN]
    assert loyal.figures(BEN) == before


@pytest.mark.req("K32")
def test_who_was_not_confirmed_is_read_first_and_who_is_there_after_all_stays(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now, confirmed=False)
    moment = now + NINETY
    looked = look(tea, moment)
    assert (looked.run_id, looked.standing.unconfirmed) == (None, 1)
    assert tea.marked(later(moment, 3600))[ANN] >= {"deletion"}
    found = person(ANN, later(moment, 5), path=told(1, now, {}).path.READ)
    tea.apply(found, now=later(moment, 6))
    assert state_of(tea, ANN) == "active"
    assert purge(tea, moment + DAY) is None


def test_of_a_disconnected_shop_nothing_more_can_be_confirmed(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now, confirmed=False)
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, now)
        other = shops.by_id(db, tea.shop_id)
        columns: dict[str, Any] = {
            "domain": "other.myshopify.com",
            "admin_url": "https://other.myshopify.com",
            "state": "connected",
        }
        columns |= {"public_url": other.public_url, "api_version": other.api_version, "scopes": [], "box": b""}
        moment = now + NINETY
        heard = {"shopify_date": moment, "shopify_date_heard": moment}
        shops.add(db, columns | heard | {"installed_at": now, "connected_at": now})
    assert purge(tea, moment) is not None
    assert held(tea) == []


# ---- What -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("K32", "K33")
def test_nothing_is_left_of_a_purged_customer_in_any_table(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number, email=f"{number}@example.com", phone="+447700900123")
        loyal.post(loyal.order(number + 7, number, 100))
    identity, other = id_of(tea, ANN), id_of(tea, BEN)
    delete(tea, ANN, now + HOUR)
    points = loyal.figures(ANN)[0]
    assert points == 150
    assert purge(tea, now + HOUR + NINETY) is not None
    left = all_values(tea)
    assert str(ANN).encode() not in left
    assert str(BEN).encode() in left, "the others are there, so the look itself works"
    for table in (metadata.tables[entry.table] for entry in REGISTER if entry.purge == "delete"):
        if "customer_id" in table.columns:
            with tea.runtime.database.read() as db:
                those = {bytes(each) for each in db.execute(select(table.c.customer_id)).scalars() if each is not None}
            assert identity not in those, table.name
    with tea.runtime.database.read() as db:
        orphans = select(func.count()).select_from(entries).where(entries.c.customer_id.not_in(select(customers.c.id)))
        assert db.execute(orphans).scalar_one() == 0
    assert loyal.figures(BEN)[0] == 150
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([identity])
    assert tea.runtime.keys.subject_keys([other])


@pytest.mark.req("K35")
def test_a_receipt_says_what_went_when_and_why_and_nothing_of_whom(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN, email="canary@example.com")
    identity = id_of(tea, ANN)
    delete(tea, ANN, now + HOUR)
    moment = now + HOUR + NINETY
    run = purge(tea, moment)
    assert run is not None
    receipt = receipts(tea)[0]
    assert (receipt["cause"], receipt["run_id"], receipt["points"]) == ("retention", run.id, 50)
    assert (receipt["erased_at"], receipt["ended_at"], receipt["key_ids"]) == (moment, moment, [])
    assert receipt["id_hashes"] == [tea.vault.key.id_hash(ANN).hex()]
    assert receipt["counts"]["customers"] == 1
    assert receipt["counts"]["entries"] == 1
    text = str(receipt)
    assert not any(each in text for each in ("canary", str(ANN), identity.hex()))


@pytest.mark.req("K32", "K37")
def test_who_was_purged_is_never_taken_up_again(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    moment = now + NINETY
    purge(tea, moment)
    outcome = tea.apply(person(ANN, later(moment, 60)), now=later(moment, 60)).outcomes
    assert outcome == ["refused: erased"]
    assert held(tea) == []


@pytest.mark.req("K36")
def test_after_the_purge_nothing_can_be_restored_and_it_says_so(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    purge(tea, now + NINETY)
    with tea.runtime.database.read() as db, pytest.raises(UnknownCustomer, match="cannot be brought back"):
        find.show(db, tea.vault, str(ANN))


# ---- Guards ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("K34")
@pytest.mark.parametrize("apart", [HOUR + SECOND, -HOUR - SECOND])
def test_a_clock_that_shopifys_does_not_agree_with_purges_nobody(tea: Tea, now: Instant, apart: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    with at(tea, now + NINETY, apart=apart) as runtime:
        with pytest.raises(ClockDoubted, match="more than an hour apart"):
            purging.look_for_due(runtime, tea.shop_id, "test")
        purging.attend(runtime)
    assert held(tea) == [ANN]


def test_a_purge_stops_when_the_clock_begins_to_be_doubted(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    delete(tea, ANN, now)
    looked = look(tea, now + NINETY)
    assert looked.run_id is not None
    with at(tea, now + NINETY, apart=2 * HOUR) as runtime:
        carry_out(runtime, looked.run_id)
    assert held(tea) == [ANN]


@contextmanager
def many_deleted(tea: Tea, now: Instant, number: int) -> Iterator[list[int]]:
    numbers = list(range(9_000_000_001, 9_000_000_001 + number))
    tea.apply(*(told(each, now - HOUR, {"first_name": "N"}, heard=now) for each in numbers), now=now)
    with tea.runtime.database.write() as db:
        db.execute(customers.update().values(state="deleted", deleted_at=now, confirmed_at=now + SECOND))
    yield numbers


@pytest.mark.req("K32")
def test_a_purge_of_very_many_waits_for_a_person_and_goes_on_when_told(tea: Tea, now: Instant) -> None:
    with many_deleted(tea, now, 101):
        moment = now + NINETY
        assert purge(tea, moment) is None
        assert len(held(tea)) == 101
        question = asked(tea, LARGE_PURGE)[0]
        assert question.evidence == {"due": 101, "customers": 101, "limit": 100}
        answer(tea, question, "wait", moment)
        assert purge(tea, moment + DAY) is None
        assert asked(tea, LARGE_PURGE) == [], "a person who said wait is not asked again the next day"
        assert purge(tea, moment + 8 * DAY) is None
        answer(tea, asked(tea, LARGE_PURGE)[0], "purge", moment + 8 * DAY)
        run = purge(tea, moment + 8 * DAY + HOUR)
        assert run is not None
        assert run.counts == {"purged": 101}
        assert held(tea) == []


def test_what_a_person_agreed_to_once_holds_for_one_purge(tea: Tea, now: Instant) -> None:
    with many_deleted(tea, now, 101):
        assert look(tea, now + NINETY).run_id is None
        answer(tea, asked(tea, LARGE_PURGE)[0], "purge", now + NINETY)
        assert purge(tea, now + NINETY + SECOND) is not None
    with many_deleted(tea, now, 0), tea.runtime.database.read() as db:
        assert db.execute(select(func.count()).select_from(customers)).scalar_one() == 0
    more = [told(each, now, {"first_name": "M"}) for each in range(8_000_000_001, 8_000_000_103)]
    tea.apply(*more, now=now)
    with tea.runtime.database.write() as db:
        db.execute(customers.update().values(state="deleted", deleted_at=now, confirmed_at=now + SECOND))
    assert look(tea, now + NINETY + DAY).run_id is None


@pytest.mark.req("K32")
def test_points_of_one_who_vanished_without_a_word_wait_for_a_person(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN, CARO):
        loyal.customer(number)
        tea.apply(absent(number, now + HOUR), now=now + HOUR)
    with loyal.write() as db:
        db.execute(entries.delete().where(entries.c.customer_id == id_of(tea, CARO)))
        db.execute(
            metadata.tables["accounts"].delete().where(metadata.tables["accounts"].c.customer_id == id_of(tea, CARO))
        )
    moment = now + HOUR + NINETY
    assert purge(tea, moment) is not None
    assert held(tea) == [ANN, BEN], "who holds nothing is purged"
    question = asked(tea, UNTOLD_DELETION)[0]
    assert question.evidence["points"] == 100
    assert len(question.evidence["customers"]) == 2
    tea.apply(merged(BEN, CARO, now), now=now)
    assert answer(tea, question, "keep", moment) == "2 customers are kept"
    assert purge(tea, moment + NINETY - 1) is None
    assert purge(tea, moment + NINETY) is not None
    assert held(tea) == []


def test_points_of_one_who_vanished_are_purged_once_a_person_agreed(loyal: Loyal) -> None:
    tea, now = loyal.tea, loyal.now
    loyal.customer(ANN)
    tea.apply(absent(ANN, now + HOUR), now=now + HOUR)
    moment = now + HOUR + NINETY
    assert purge(tea, moment) is None
    answer(tea, asked(tea, UNTOLD_DELETION)[0], "purge", moment)
    assert purge(tea, moment) is not None
    assert held(tea) == []


# ---- Killed in the middle -------------------------------------------------------------------------------------------


@pytest.mark.req("K32")
@pytest.mark.parametrize("statement", ["DELETE FROM entries", "INSERT INTO erasures", "UPDATE subject_keys", "VACUUM"])
def test_a_purge_that_is_killed_goes_on_and_leaves_nothing(loyal: Loyal, statement: str) -> None:
    tea, now = loyal.tea, loyal.now
    for number in (ANN, BEN):
        loyal.customer(number)
        delete(tea, number, now + HOUR)
    identity = id_of(tea, ANN)
    moment = now + HOUR + NINETY
    looked = look(tea, moment)
    assert looked.run_id is not None
    with at(tea, moment) as runtime, killed_at(runtime, statement):
        carry_out(runtime, looked.run_id)
    with at(tea, moment + SECOND) as runtime:
        carry_out(runtime, looked.run_id)
    assert held(tea) == []
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([identity])
    with tea.runtime.database.read() as db:
        assert marks.due(db, tea.shop_id, moment + DAY, 10) == []


@contextmanager
def killed_at(runtime: Any, statement: str) -> Iterator[None]:
    """The process dies when it is about to do that: whatever it tries from then on fails."""
    engines = (runtime.database.engine, runtime.key_database.engine)
    dead: list[bool] = []

    def die(_db: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        if dead or sql.lstrip().startswith(statement):
            dead.append(True)
            raise KeyboardInterrupt

    for engine in engines:
        event.listen(engine, "before_cursor_execute", die)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", die)
