"""Passwords: who is let in, how long a wrong one must wait, and that neither answers nor tables tell more than that."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from onewriter.customers import logins
from onewriter.customers.logins import Checked
from onewriter.db.webtables import logins as login_table
from onewriter.errors import BadInput
from onewriter.records import SECOND, Instant
from onewriter.runtime import Runtime
from tests.support.raw import ON_SQLITE
from tests.support.shops import later

ANN = "user:ann"
SECRET = "four words make one"
WRONG = "four other words"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests that are about something else than the cost."""


@pytest.fixture
def ann(runtime: Runtime, now: Instant) -> Runtime:
    """An installation in which ann can log in."""
    with runtime.database.write() as db:
        logins.set_password(db, ANN, CHEAP.hash(SECRET), now)
    return runtime


def tried(runtime: Runtime, password: str, now: Instant, name: str = ANN) -> Checked:
    return logins.check(runtime.database, name, password, now)


def kept(runtime: Runtime) -> str:
    with runtime.database.read() as db:
        return str(db.execute(select(login_table.c.password_hash)).scalar_one())


def stranger() -> str:
    """A name that nobody has, and that no other test has tried: failures of such names are kept by the process."""
    return f"user:{uuid4().hex}"


def waits(runtime: Runtime, name: str, now: Instant, many: int) -> list[int]:
    """What so many wrong tries had to wait, each made as soon as it is looked at."""
    found = []
    for _ in range(many):
        wait_s = tried(runtime, WRONG, now, name).wait_s
        found.append(wait_s)
        now = later(now, wait_s)
        if wait_s:
            assert tried(runtime, WRONG, now, name) == Checked(False)
    return found


def test_only_the_name_and_its_password_let_somebody_in(runtime: Runtime, now: Instant) -> None:
    with runtime.database.read() as db:
        assert not logins.anybody(db)
    hashed = logins.hash_of(ANN, SECRET)
    with runtime.database.write() as db:
        logins.set_password(db, ANN, hashed, now)
        assert logins.anybody(db)
    assert tried(runtime, SECRET, now) == Checked(True)
    for password in (WRONG, "", SECRET.upper(), SECRET + " ", hashed):
        assert tried(runtime, password, now) == Checked(False), password
    assert tried(runtime, SECRET, now, stranger()) == Checked(False)
    assert kept(runtime).startswith("$argon2id$")
    assert SECRET not in kept(runtime)
    with runtime.database.write() as db:
        logins.remove(db, ANN)
    assert tried(runtime, SECRET, later(now, 60)) == Checked(False)


def test_a_wait_begins_at_one_second_and_is_never_longer_than_a_minute(ann: Runtime, now: Instant) -> None:
    assert waits(ann, ANN, now, 13) == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_name_that_nobody_has_waits_as_long_so_that_no_answer_tells_which_there_are(
    ann: Runtime, now: Instant
) -> None:
    assert waits(ann, stranger(), now, 9) == waits(ann, ANN, now, 9)


def test_even_the_right_password_waits_and_then_forgets_the_failures(ann: Runtime, now: Instant) -> None:
    waits(ann, ANN, now, 5)
    assert tried(ann, SECRET, now) == Checked(False, 1)
    assert tried(ann, SECRET, later(now, 1)) == Checked(True)
    assert waits(ann, ANN, later(now, 1), 6) == [0, 0, 0, 0, 0, 1]


def test_a_clock_that_was_put_back_keeps_nobody_waiting(ann: Runtime, now: Instant) -> None:
    waits(ann, ANN, now, 5)
    assert tried(ann, SECRET, later(now, -3600)) == Checked(True)


@pytest.mark.parametrize("known", [True, False])
def test_many_tries_at_once_are_no_more_than_one_after_another(ann: Runtime, now: Instant, known: bool) -> None:
    name = ANN if known else stranger()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tried(ann, WRONG, now, name), range(16)))
    assert sorted(each.wait_s for each in found) == [0] * 5 + [1] * 11


@pytest.mark.parametrize(
    "password",
    ["", "eleven lett", "x" * 257, "aaaaaaaaaaaaaaa", "abcabcabcabc", "Password1234", "annannannann", "AnnAnnAnnAnn"],
)
def test_a_password_is_long_and_not_the_first_to_be_guessed(password: str) -> None:
    with pytest.raises(BadInput) as refused:
        logins.hash_of(ANN, password)
    assert refused.value.about == "password"
    assert not password or password not in str(refused.value)


@ON_SQLITE
@pytest.mark.parametrize("length", [12, 256])
def test_the_shortest_and_the_longest_password_let_somebody_in(runtime: Runtime, now: Instant, length: int) -> None:
    password = ("correct horse " * 20)[: length - 1] + "!"
    hashed = logins.hash_of(ANN, password)
    with runtime.database.write() as db:
        logins.set_password(db, ANN, hashed, now)
    assert tried(runtime, password, now).ok
    assert not tried(runtime, password[:-1] + "?", now).ok


@ON_SQLITE
def test_a_password_is_the_same_by_whatever_keyboard(runtime: Runtime, now: Instant) -> None:
    one, other = "mu\u0308llers b\u00e4ckerei", "m\u00fcllers ba\u0308ckerei"
    hashed = logins.hash_of(ANN, one)
    with runtime.database.write() as db:
        logins.set_password(db, ANN, hashed, now)
    assert tried(runtime, other, now).ok


def test_a_password_that_was_kept_at_a_lower_cost_is_kept_anew_when_it_is_next_used(ann: Runtime, now: Instant) -> None:
    before = kept(ann)
    tried(ann, WRONG, now)
    assert kept(ann) == before
    assert tried(ann, SECRET, now).ok
    assert kept(ann) != before
    assert not PasswordHasher().check_needs_rehash(kept(ann))
    assert tried(ann, SECRET, later(now, 1)).ok


@ON_SQLITE
def test_a_hash_that_cannot_be_read_lets_nobody_in(runtime: Runtime, now: Instant) -> None:
    with runtime.database.write() as db:
        logins.set_password(db, ANN, "no hash", now)
    assert tried(runtime, "no hash", now) == Checked(False)


def test_failures_of_names_that_nobody_has_are_counted_for_so_many_names_at_most(now: Instant) -> None:
    strangers = logins.Strangers()
    for _ in range(logins.FREE_FAILURES):
        assert strangers.tried("first", now) == 0
    assert strangers.tried("first", now) == 1
    for number in range(logins.STRANGERS_MAX):
        strangers.tried(f"name {number}", now)
    assert strangers.tried("first", now + SECOND // 2) == 0
