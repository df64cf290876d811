"""Sessions: how long they last, what ends them, and that what is kept of them opens nothing."""

import pytest
from sqlalchemy import select

from onewriter.customers import invitations, logins, people, replies, sessions, shops
from onewriter.customers.people import Role
from onewriter.customers.replies import Asking
from onewriter.db.webtables import invitations as invitation_table
from onewriter.db.webtables import replies as reply_table
from onewriter.db.webtables import sessions as session_table
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.workflows.housekeeping import tidy
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea

ANN, BEN = "user:ann", "user:ben"


@pytest.fixture
def inside(runtime: Runtime, now: Instant) -> Runtime:
    """An installation in which ann and ben can log in; ann is an owner."""
    with runtime.database.write() as db:
        people.give(db, ANN, BEN, Role.STAFF, now)
        for name in (ANN, BEN):
            logins.set_password(db, name, "the hash of no password", now)
    return runtime


def begun(runtime: Runtime, name: str, now: Instant) -> str:
    with runtime.database.write() as db:
        return sessions.begin(db, name, now)


def lives(runtime: Runtime, cookie: str, now: Instant) -> bool:
    return sessions.resume(runtime.database, cookie, now) is not None


def test_a_cookie_is_somebody_and_what_is_kept_of_it_is_nobody(inside: Runtime, now: Instant) -> None:
    cookie = begun(inside, ANN, now)
    found = sessions.resume(inside.database, cookie, now)
    assert found is not None
    assert (found.name, found.made_at, found.ends_at, found.shop_id) == (ANN, now, now + 14 * DAY, None)
    with inside.database.read() as db:
        kept = bytes(db.execute(select(session_table.c.hash)).scalar_one())
    assert cookie.encode() not in kept
    for given in (kept.hex(), kept.decode("latin-1"), "", cookie + "x", cookie[:-1], cookie.swapcase()):
        assert not lives(inside, given, now)


def test_a_session_ends_after_twelve_hours_of_nothing_and_after_fourteen_days(inside: Runtime, now: Instant) -> None:
    idle, busy = begun(inside, ANN, now), begun(inside, ANN, now)
    assert lives(inside, idle, now + 12 * HOUR - 1)
    idle = begun(inside, ANN, now)
    assert not lives(inside, idle, now + 12 * HOUR)
    for moment in range(now, now + 14 * DAY, 11 * HOUR):
        assert lives(inside, busy, moment)
    assert not lives(inside, busy, now + 14 * DAY)


def test_that_somebody_is_there_is_written_down_once_in_five_minutes(inside: Runtime, now: Instant) -> None:
    cookie = begun(inside, ANN, now)
    seen = []
    for passed_s in (1, 299, 300, 301, 599, 600):
        assert lives(inside, cookie, now + passed_s * SECOND)
        with inside.database.read() as db:
            seen.append((db.execute(select(session_table.c.seen_at)).scalar_one() - now) // SECOND)
    assert seen == [0, 0, 300, 300, 300, 600]


def test_one_session_or_every_session_of_somebody_is_ended(inside: Runtime, now: Instant) -> None:
    one, two, three = (begun(inside, ANN, now) for _ in range(3))
    bens = begun(inside, BEN, now)
    with inside.database.write() as db:
        sessions.end(db, one)
    assert [lives(inside, cookie, now) for cookie in (one, two, three, bens)] == [False, True, True, True]
    with inside.database.write() as db:
        assert sessions.end_every(db, ANN) == 2
    assert [lives(inside, cookie, now) for cookie in (two, three, bens)] == [False, False, True]


def test_a_new_password_and_a_role_that_is_taken_away_end_every_session(inside: Runtime, now: Instant) -> None:
    anns, bens = begun(inside, ANN, now), begun(inside, BEN, now)
    with inside.database.write() as db:
        link = invitations.make(db, BEN, Role.STAFF, ANN, now)
    assert lives(inside, bens, now)
    invitations.accept(inside.database, link, BEN, "four words make one", now)
    assert not lives(inside, bens, now)
    bens = begun(inside, BEN, now)
    with inside.database.write() as db:
        people.remove(db, BEN)
    assert not lives(inside, bens, now)
    assert lives(inside, anns, now)


def test_nobody_who_can_log_in_no_more_is_logged_in(inside: Runtime, now: Instant) -> None:
    bens = begun(inside, BEN, now)
    with inside.database.write() as db:
        logins.remove(db, BEN)
    assert not lives(inside, bens, now)
    assert not lives(inside, begun(inside, BEN, now), now)


def test_a_form_belongs_to_one_session(inside: Runtime, now: Instant) -> None:
    cookies = [begun(inside, ANN, now) for _ in range(2)]
    one, other = (sessions.resume(inside.database, cookie, now) for cookie in cookies)
    assert one is not None
    assert other is not None
    assert sessions.is_csrf(one, sessions.csrf_of(cookies[0]))
    for given in (other.csrf, "", "é", one.csrf.upper(), cookies[0]):
        assert not sessions.is_csrf(one, given)
    assert one.csrf not in cookies[0]


@ON_SQLITE
def test_the_shop_that_is_looked_at_is_that_of_the_session(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        logins.set_password(db, ANN, "the hash of no password", now)
    one, other = begun(tea.runtime, ANN, now), begun(tea.runtime, ANN, now)
    with tea.runtime.database.write() as db:
        sessions.choose_shop(db, one, tea.shop_id)
    found = [sessions.resume(tea.runtime.database, cookie, now) for cookie in (one, other)]
    assert [each and each.shop_id for each in found] == [tea.shop_id, None]


def test_housekeeping_drops_what_is_over_and_nothing_else(tea: Tea) -> None:
    moment = tea.runtime.now()
    old, idle, young = moment - 14 * DAY, moment - 13 * HOUR, moment - HOUR
    with tea.runtime.database.write() as db:
        # Another clock that agrees with ours, without which nothing is ended.
        shops.change(db, tea.shop_id, {"shopify_date": moment, "shopify_date_heard": moment})
        for began in (old, idle, young):
            sessions.begin(db, ANN, began)
            invitations.make(db, f"user:since-{began}", Role.STAFF, ANN, began)
    for began in (old, idle, young):
        replies.begin(tea.runtime.database, Asking("token:till", f"since {began}", b"digest", "ow_secret"), began)
    with Runtime(tea.runtime.settings, clock=lambda: moment) as then:
        assert tidy(then)
    with tea.runtime.database.read() as db:
        made = {
            each.name: set(db.execute(select(each.c.made_at)).scalars())
            for each in (session_table, invitation_table, reply_table)
        }
    assert made == {"sessions": {young}, "invitations": {idle, young}, "replies": {idle, young}}
