"""One-time links: each lets one person choose a password once, and counts as long as its maker may give a role."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from onewriter.customers import invitations, logins, people, tokens
from onewriter.customers.people import Role
from onewriter.db.webtables import invitations as invitation_table
from onewriter.errors import BadInput, Forbidden
from onewriter.records import DAY, Instant
from onewriter.runtime import Runtime
from tests.support.raw import ON_SQLITE

ANNA, BEN = "user:anna", "user:ben"
SECRET = "four words make one"


@pytest.fixture
def anna(runtime: Runtime, now: Instant) -> Runtime:
    """An installation with one owner."""
    with runtime.database.write() as db:
        people.give(db, ANNA, ANNA, Role.OWNER, now)
    return runtime


def invited(runtime: Runtime, name: str | None, role: Role, now: Instant, made_by: str = ANNA) -> str:
    with runtime.database.write() as db:
        return invitations.make(db, name, role, made_by, now)


def counts(runtime: Runtime, link: str, now: Instant) -> bool:
    """Whether the link still counts: what it shows, and what it does when somebody uses it, agree."""
    with runtime.database.read() as db:
        shown = invitations.look(db, link, now)
    if shown is None:
        with pytest.raises(Forbidden, match="was used or has ended"):
            accept(runtime, link, now)
    return shown is not None


def accept(runtime: Runtime, link: str, now: Instant, name: str = BEN) -> None:
    invitations.accept(runtime.database, link, name, SECRET, now)


def roles(runtime: Runtime) -> dict[str, Role]:
    with runtime.database.read() as db:
        return {one.name: one.role for one in people.every(db)}


def gets_in(runtime: Runtime, name: str, now: Instant) -> bool:
    return logins.check(runtime.database, name, SECRET, now).ok


def test_a_link_gives_a_role_and_lets_a_password_be_chosen_once(anna: Runtime, now: Instant) -> None:
    link = invited(anna, BEN, Role.STAFF, now)
    with anna.database.read() as db:
        for _ in range(3):
            shown = invitations.look(db, link, now + DAY - 1)
            assert shown == invitations.Invitation(BEN, Role.STAFF, ANNA, now + DAY)
    assert not gets_in(anna, BEN, now)
    accept(anna, link, now + DAY - 1)
    assert roles(anna) == {ANNA: Role.OWNER, BEN: Role.STAFF}
    assert gets_in(anna, BEN, now)
    assert not counts(anna, link, now)


def test_what_is_kept_of_a_link_opens_nothing(anna: Runtime, now: Instant) -> None:
    link = invited(anna, BEN, Role.OWNER, now)
    with anna.database.read() as db:
        kept = bytes(db.execute(select(invitation_table.c.hash)).scalar_one())
    assert link.encode() not in kept
    for given in (kept.hex(), kept.decode("latin-1"), "", link[:-1], link.swapcase()):
        assert not counts(anna, given, now)
    assert counts(anna, link, now)


def test_a_link_ends_after_a_day_and_makes_way_for_a_newer_one(anna: Runtime, now: Instant) -> None:
    old = invited(anna, BEN, Role.STAFF, now)
    assert not counts(anna, old, now + DAY)
    newer, coras = invited(anna, BEN, Role.VIEWER, now), invited(anna, "user:cora", Role.VIEWER, now)
    assert [counts(anna, link, now) for link in (old, newer, coras)] == [False, True, True]


def test_two_who_use_a_link_at_once_are_one_who_came_first(anna: Runtime, now: Instant) -> None:
    link = invited(anna, None, Role.OWNER, now)

    def used(name: str) -> bool:
        try:
            accept(anna, link, now, name)
        except Forbidden:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(used, (BEN, "user:cora"))) == [False, True]
    assert len(roles(anna)) == 2


@ON_SQLITE
@pytest.mark.parametrize(("name", "password"), [("user:cora", SECRET), (BEN, "short"), (BEN, "benbenbenben")])
def test_what_was_given_wrongly_does_not_use_the_link(anna: Runtime, now: Instant, name: str, password: str) -> None:
    link = invited(anna, BEN, Role.STAFF, now)
    with pytest.raises(BadInput):
        invitations.accept(anna.database, link, name, password, now)
    assert roles(anna) == {ANNA: Role.OWNER}
    accept(anna, link, now)


@ON_SQLITE
def test_who_has_a_password_chooses_a_new_one_by_a_new_link(anna: Runtime, now: Instant) -> None:
    accept(anna, invited(anna, BEN, Role.STAFF, now), now)
    link = invited(anna, BEN, Role.VIEWER, now)
    assert gets_in(anna, BEN, now)
    invitations.accept(anna.database, link, BEN, "four more words for one", now)
    assert not gets_in(anna, BEN, now)
    assert logins.check(anna.database, BEN, "four more words for one", now).ok
    assert roles(anna)[BEN] is Role.VIEWER


# ---- The first person -----------------------------------------------------------------------------------------------


@ON_SQLITE
def test_the_first_person_chooses_a_name_and_whoever_made_the_link_is_an_owner_too(
    runtime: Runtime, now: Instant
) -> None:
    accept(runtime, invited(runtime, None, Role.OWNER, now), now)
    assert roles(runtime) == {ANNA: Role.OWNER, BEN: Role.OWNER}
    assert gets_in(runtime, BEN, now)


@ON_SQLITE
def test_a_link_for_the_first_person_is_for_nobody_once_somebody_can_log_in(anna: Runtime, now: Instant) -> None:
    first = invited(anna, None, Role.OWNER, now)
    accept(anna, invited(anna, BEN, Role.STAFF, now), now)
    assert not counts(anna, first, now)
    assert roles(anna)[BEN] is Role.STAFF


# ---- Links that were made before something changed ------------------------------------------------------------------


@ON_SQLITE
def test_a_link_counts_no_more_once_its_maker_may_give_no_role(anna: Runtime, now: Instant) -> None:
    with anna.database.write() as db:
        people.give(db, ANNA, "user:olga", Role.OWNER, now)
        tokens.make(db, "setup", Role.OWNER, ANNA, now, 1)
    by_olga = invited(anna, BEN, Role.OWNER, now, "user:olga")
    by_token = invited(anna, "user:cora", Role.OWNER, now, "token:setup")
    assert [counts(anna, link, now) for link in (by_olga, by_token)] == [True, True]
    with anna.database.write() as db:
        people.give(db, ANNA, "user:olga", Role.STAFF, now)
        tokens.revoke(db, "setup", now)
    assert [counts(anna, link, now) for link in (by_olga, by_token)] == [False, False]
    assert BEN not in roles(anna)


@ON_SQLITE
def test_a_role_that_is_given_or_taken_later_is_not_undone_by_an_older_link(anna: Runtime, now: Instant) -> None:
    link = invited(anna, BEN, Role.OWNER, now)
    with anna.database.write() as db:
        people.give(db, ANNA, BEN, Role.VIEWER, now)
    assert not counts(anna, link, now)
    link = invited(anna, BEN, Role.OWNER, now)
    with anna.database.write() as db:
        people.remove(db, BEN)
    assert not counts(anna, link, now)
    assert roles(anna) == {ANNA: Role.OWNER}
