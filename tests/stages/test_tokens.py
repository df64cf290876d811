"""API tokens, and the answers that are kept for them: a secret is shown once, and what is kept of it opens nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from onewriter.customers import people, replies, tokens
from onewriter.customers.people import Role
from onewriter.customers.replies import Asking, KeyTaken, Reply
from onewriter.customers.tokens import Token, UnknownToken
from onewriter.db.webtables import replies as reply_table
from onewriter.db.webtables import tokens as token_table
from onewriter.errors import BadInput, Forbidden
from onewriter.records import DAY, SECOND, Instant
from onewriter.runtime import Runtime
from tests.support.raw import ON_SQLITE

ANNA = "user:anna"


def made(runtime: Runtime, name: str, now: Instant, *, role: Role = Role.STAFF, days: int | None = 30) -> str:
    with runtime.database.write() as db:
        return tokens.make(db, name, role, ANNA, now, days)


def found(runtime: Runtime, secret: str, now: Instant) -> Token | None:
    return tokens.resume(runtime.database, secret, now)


def role_of(runtime: Runtime, actor: str) -> Role:
    with runtime.database.read() as db:
        return people.role_of(db, actor)


def test_a_secret_lets_a_program_in_and_what_is_kept_of_it_does_not(runtime: Runtime, now: Instant) -> None:
    secret = made(runtime, "till", now)
    assert secret.startswith("ow_")
    assert len(secret) == 46
    token = found(runtime, secret, now)
    assert token is not None
    assert (token.who, token.role, token.made_by, token.ends_at) == ("token:till", Role.STAFF, ANNA, now + 30 * DAY)
    with runtime.database.read() as db:
        kept = bytes(db.execute(select(token_table.c.hash)).scalar_one())
    assert secret.encode() not in kept
    for given in (kept.hex(), kept.decode("latin-1"), "ow_" + kept.hex(), "", secret[3:], secret[:-1]):
        assert found(runtime, given, now) is None


def test_a_token_has_its_own_role_whoever_else_is_listed(runtime: Runtime, now: Instant) -> None:
    made(runtime, "till", now, role=Role.VIEWER)
    assert role_of(runtime, "token:till") is Role.VIEWER
    with runtime.database.write() as db:
        people.give(db, ANNA, ANNA, Role.OWNER, now)
    made(runtime, "boss", now, role=Role.OWNER)
    assert (role_of(runtime, "token:till"), role_of(runtime, "token:boss")) == (Role.VIEWER, Role.OWNER)
    with pytest.raises(Forbidden):
        role_of(runtime, "token:nobody")


def test_a_token_that_is_revoked_or_has_ended_lets_nobody_in(runtime: Runtime, now: Instant) -> None:
    till, desk, ever = (
        made(runtime, "till", now),
        made(runtime, "desk", now, days=1),
        made(runtime, "x", now, days=None),
    )
    with runtime.database.write() as db:
        assert tokens.revoke(db, "token:till", now).revoked_at == now
        assert tokens.revoke(db, "till", now + 1).revoked_at == now
        with pytest.raises(UnknownToken):
            tokens.revoke(db, "nobody", now)
    assert found(runtime, till, now) is None
    with pytest.raises(Forbidden, match="lets nobody in"):
        role_of(runtime, "token:till")
    assert [found(runtime, desk, now + DAY - 1) is None, found(runtime, desk, now + DAY) is None] == [False, True]
    assert found(runtime, ever, now + 4000 * DAY) is not None
    with runtime.database.read() as db:
        assert [(each.name, each.lives(now + DAY)) for each in tokens.every(db)] == [
            ("desk", False), ("till", False), ("x", True),
        ]  # fmt: skip


def test_a_name_is_never_used_twice_so_that_it_always_names_one_program(runtime: Runtime, now: Instant) -> None:
    made(runtime, "till", now)
    with runtime.database.write() as db:
        tokens.revoke(db, "till", now)
        with pytest.raises(BadInput, match="choose another"):
            tokens.make(db, "token:till", Role.OWNER, ANNA, now, 1)
        # What was done before in the same transaction is not lost by that.
        assert len(tokens.every(db)) == 1


@ON_SQLITE
@pytest.mark.parametrize("name", ["", " ", "two words", "x" * 65, "a\x1b[2J", "token:"])
def test_a_name_is_short_and_plain(runtime: Runtime, now: Instant, name: str) -> None:
    with pytest.raises(BadInput):
        made(runtime, name, now)


@ON_SQLITE
def test_that_a_token_is_used_is_written_down_once_in_five_minutes(runtime: Runtime, now: Instant) -> None:
    secret = made(runtime, "till", now)
    used = []
    for passed_s in (0, 299, 300, 599, 600):
        assert found(runtime, secret, now + passed_s * SECOND) is not None
        with runtime.database.read() as db:
            [token] = tokens.every(db)
        used.append(((token.used_at or 0) - now) // SECOND)
    assert used == [0, 0, 300, 300, 600]


# ---- Answers that are given twice -----------------------------------------------------------------------------------

WRITE = Asking("token:till", "key 1", b"a digest", "ow_the secret of a token")
ANSWER = Reply(201, b'{"name": "somebody"}')


def test_a_write_that_is_sent_again_is_answered_as_it_was(runtime: Runtime, now: Instant) -> None:
    assert replies.begin(runtime.database, WRITE, now) is None
    replies.finish(runtime.database, WRITE, ANSWER)
    assert replies.begin(runtime.database, WRITE, now + DAY - 1) == ANSWER
    with runtime.database.read() as db:
        assert b"somebody" not in bytes(db.execute(select(reply_table.c.box)).scalar_one())
    for other in (replace(WRITE, caller="token:desk"), replace(WRITE, key="key 2")):
        assert replies.begin(runtime.database, other, now) is None
    assert replies.begin(runtime.database, WRITE, now + DAY) is None


def test_a_key_goes_with_one_request_and_one_secret(runtime: Runtime, now: Instant) -> None:
    replies.begin(runtime.database, WRITE, now)
    with pytest.raises(KeyTaken, match="is being answered"):
        replies.begin(runtime.database, WRITE, now)
    replies.finish(runtime.database, WRITE, ANSWER)
    with pytest.raises(KeyTaken, match="another request"):
        replies.begin(runtime.database, replace(WRITE, request=b"another digest"), now)
    with pytest.raises(KeyTaken, match="another token"):
        replies.begin(runtime.database, replace(WRITE, secret="ow_another secret"), now)
    assert replies.begin(runtime.database, WRITE, now) == ANSWER


def test_what_came_to_nothing_can_be_sent_again_and_what_was_answered_is_not_forgotten(
    runtime: Runtime, now: Instant
) -> None:
    for _ in range(2):
        assert replies.begin(runtime.database, WRITE, now) is None
        replies.forget(runtime.database, WRITE)
    assert replies.begin(runtime.database, WRITE, now) is None
    replies.finish(runtime.database, WRITE, ANSWER)
    replies.forget(runtime.database, WRITE)
    assert replies.begin(runtime.database, WRITE, now) == ANSWER


def test_of_many_at_once_one_is_done(runtime: Runtime, now: Instant) -> None:
    def begun(_: int) -> bool:
        try:
            return replies.begin(runtime.database, WRITE, now) is None
        except KeyTaken:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(begun, range(8))) == [False] * 7 + [True]
