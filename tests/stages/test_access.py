"""The access log: who saw what is written down before it is seen, and no silent edit of it goes unseen."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from onewriter.customers import access_lines, access_proof
from onewriter.customers.access import RESTORED, REVEAL, Act, append, write_restore
from onewriter.customers.access_lines import GONE, Wanted
from onewriter.customers.access_proof import CHANGED, CUT_OFF, INSERTED, MISSING, Proof
from onewriter.db.engine import Database
from onewriter.db.keytables import log_heads
from onewriter.db.privacytables import access_log
from onewriter.errors import KeyMissing
from onewriter.records import DAY, Instant
from onewriter.vault import chain
from onewriter.vault.chain import ACCESS, NOTHING, ChainKey, Head
from onewriter.vault.seal import KEY_BYTES
from tests.support.raw import raw_bytes
from tests.support.shops import Tea, told

COLUMNS = [column for column in access_log.columns if column.name != "mac"]
OTHER: dict[str, Any] = {
    "at": 1, "shop_id": 77, "actor": "user:nobody", "role": "owner", "action": "export", "customer_id": bytes(16),
    "subject": "delivery 9", "fields": "note", "allowed": False, "key_id": bytes(16), "box": b"another",
    "mac": bytes(32),
}  # fmt: skip
"""What somebody could write into each column."""


def act(tea: Tea, n: int, **other: Any) -> Act:
    given: dict[str, Any] = {"shop_id": tea.shop_id, "subject": f"delivery {n}", "fields": ["body"]}
    return Act(REVEAL, "user:anna", "staff", **given | {"reason": f"reason {n}"} | other)


def write(tea: Tea, now: Instant, *acts: Act) -> None:
    append(tea.runtime.database, tea.runtime.keys, acts, now)


def prove(tea: Tea) -> Proof:
    return access_proof.prove(tea.runtime.database, tea.runtime.keys)


def rows(tea: Tea) -> list[dict[str, Any]]:
    with tea.runtime.database.read() as db:
        return [dict(row._mapping) for row in db.execute(select(access_log).order_by(access_log.c.position))]


def put_back(tea: Tea, kept: list[dict[str, Any]]) -> None:
    with tea.runtime.database.write() as db:
        db.execute(delete(access_log))
        db.execute(insert(access_log), kept)


def head(tea: Tea) -> Any:
    with tea.runtime.key_database.read() as db:
        return db.execute(select(log_heads.c.position, log_heads.c.mac)).one()


def set_head(tea: Tea, position: int, mac: bytes) -> None:
    with tea.runtime.key_database.write() as db:
        db.execute(update(log_heads).values(position=position, mac=mac))


@pytest.fixture
def written(tea: Tea, now: Instant) -> Tea:
    """A shop of whose deliveries six were looked at."""
    write(tea, now, *(act(tea, n) for n in range(1, 5)))
    write(tea, now, act(tea, 5))
    write(tea, now, act(tea, 6))
    return tea


def test_lines_of_many_at_a_time_stand_in_one_chain(tea: Tea, now: Instant) -> None:
    others = [Database(tea.runtime.settings.database_url) for _ in range(2)]

    def one(n: int) -> None:
        append(others[n % 2], tea.runtime.keys, [act(tea, n), act(tea, n, allowed=False)], now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    for other in others:
        other.close()
    proof = prove(tea)
    assert (proof.lines, proof.wrong_at, proof.how) == (48, None, None)
    assert [row["position"] for row in rows(tea)] == list(range(1, 49))
    assert head(tea).position == 48


def test_a_line_says_who_saw_what_of_whom_and_why(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, {"first_name": "Mia"}), now=now)
    profile = tea.profile(101)
    assert profile is not None
    assert profile.customer_id is not None
    write(tea, now, act(tea, 1), act(tea, 2, customer_id=profile.customer_id, subject=None, fields=["email", "note"]))
    write(tea, now + DAY, Act("keys", "user:ben", "owner", reason="a new one"))
    with tea.runtime.database.read() as db:
        lines = access_lines.newest(db, Wanted(), 10)
        assert [line.position for line in access_lines.newest(db, Wanted(customer_id=profile.customer_id), 10)] == [2]
        assert [line.position for line in access_lines.newest(db, Wanted(actor="user:ben"), 10)] == [3]
        assert [line.position for line in access_lines.newest(db, Wanted(action=REVEAL, since=now), 1)] == [2]
        assert [line.position for line in access_lines.newest(db, Wanted(until=now + DAY), 9)] == [2, 1]
        assert [[line.position for line in part] for part in access_lines.every(db, Wanted())] == [[1, 2, 3]]
    assert access_lines.reasons(tea.runtime.keys, lines) == ["a new one", "reason 2", "reason 1"]
    assert (lines[1].fields, lines[1].customer_id, lines[1].allowed) == ("email note", profile.customer_id, True)


@pytest.mark.req("K32")
def test_a_reason_dies_with_the_customers_key_and_the_line_stays_proved(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, {"first_name": "Mia"}), now=now)
    profile = tea.profile(101)
    assert profile is not None
    assert profile.customer_id is not None
    write(tea, now, act(tea, 1, customer_id=profile.customer_id, reason="Mia Canary called"))
    assert b"Canary" not in raw_bytes(tea.runtime.database)
    tea.runtime.keys.destroy_subjects([profile.customer_id], now)
    with tea.runtime.database.read() as db:
        lines = access_lines.newest(db, Wanted(), 10)
    assert access_lines.reasons(tea.runtime.keys, lines) == [GONE]
    assert prove(tea).wrong_at is None
    # And who tries to open it again says why in vain: nothing is kept that could outlive the key.
    write(tea, now, act(tea, 2, customer_id=profile.customer_id, reason="Mia Canary again", allowed=False))
    assert rows(tea)[1]["box"] is None


def after(tea: Tea, kept: list[dict[str, Any]], silently: Callable[[Connection], object]) -> tuple[int | None, Any]:
    """What the proof says of the log after something was done to it; it is put back then."""
    with tea.runtime.database.write() as db:
        silently(db)
    proof = prove(tea)
    put_back(tea, kept)
    return proof.wrong_at, proof.how


def changed(name: str) -> Callable[[Connection], object]:
    return lambda db: db.execute(update(access_log).where(access_log.c.position == 3).values({name: OTHER[name]}))


def test_a_change_of_any_column_is_found(written: Tea) -> None:
    kept = rows(written)
    found = {name: after(written, kept, changed(name)) for name in OTHER}
    assert found == dict.fromkeys(OTHER, (3, CHANGED))
    assert set(OTHER) | {"position"} == {column.name for column in access_log.columns}
    assert (prove(written).lines, prove(written).wrong_at) == (6, None)


def swap(db: Connection) -> None:
    for old, new in ((2, 99), (4, 2), (99, 4)):
        db.execute(update(access_log).where(access_log.c.position == old).values(position=new))


def shift(db: Connection, since: int, by: int) -> None:
    """Number the lines from there on anew, one at a time, since no two may share a position."""
    numbers = select(access_log.c.position).where(access_log.c.position >= since).order_by(access_log.c.position)
    for number in sorted(db.execute(numbers).scalars(), reverse=by > 0):
        db.execute(update(access_log).where(access_log.c.position == number).values(position=number + by))


def add(db: Connection, position: int) -> None:
    line = db.execute(select(access_log).where(access_log.c.position == 1)).one()
    db.execute(insert(access_log).values(dict(line._mapping) | {"position": position}))


def insert_inside(db: Connection) -> None:
    shift(db, 3, 1)
    add(db, 3)


def remove_and_close_ranks(db: Connection) -> None:
    db.execute(delete(access_log).where(access_log.c.position == 3))
    shift(db, 4, -1)


def removed(first: int, last: int) -> Callable[[Connection], None]:
    def remove(db: Connection) -> None:
        db.execute(delete(access_log).where(access_log.c.position.between(first, last)))

    return remove


EDITS: dict[str, tuple[Callable[[Connection], None], int, str]] = {
    "removed": (removed(3, 3), 3, MISSING),
    "first removed": (removed(1, 2), 1, MISSING),
    "cut off": (removed(5, 6), 5, CUT_OFF),
    "emptied": (removed(1, 6), 1, CUT_OFF),
    "removed and ranks closed": (remove_and_close_ranks, 3, MISSING),
    "swapped": (swap, 2, CHANGED),
    "inserted": (insert_inside, 3, INSERTED),
    "added at the end": (lambda db: add(db, 7), 7, INSERTED),
    "added in front": (lambda db: add(db, 0), 1, INSERTED),
}


def test_lines_that_were_removed_moved_or_added_are_found(written: Tea) -> None:
    kept = rows(written)
    for name, (silently, wrong_at, how) in EDITS.items():
        assert after(written, kept, silently) == (wrong_at, how), name


def test_a_log_that_was_cut_off_does_not_grow_over_the_cut(written: Tea, now: Instant) -> None:
    with written.runtime.database.write() as db:
        removed(5, 6)(db)
    for n in range(7, 10):
        write(written, now, act(written, n))
    proof = prove(written)
    assert (proof.wrong_at, proof.how) == (5, MISSING)


def test_who_has_the_main_database_alone_cannot_chain_it_anew(written: Tea) -> None:
    opened = chain.opened(written.runtime.keys, ACCESS)
    assert opened is not None
    secret = opened[0]._mac_key
    assert len(secret) == KEY_BYTES
    assert secret not in raw_bytes(written.runtime.database) + raw_bytes(written.runtime.key_database)
    forged, mac = ChainKey(os.urandom(2 * KEY_BYTES)), NOTHING
    with written.runtime.database.write() as db:
        for row in db.execute(select(access_log).order_by(access_log.c.position)).all():
            values = [row._mapping[column.name] for column in COLUMNS]
            mac = forged.mac(values, mac)
            db.execute(update(access_log).where(access_log.c.position == row.position).values(mac=mac))
    assert (prove(written).wrong_at, prove(written).how) == (1, CHANGED)


def test_a_head_that_lags_is_no_finding_and_catches_up(written: Tea, now: Instant) -> None:
    set_head(written, 2, rows(written)[1]["mac"])
    assert prove(written).wrong_at is None
    write(written, now, act(written, 7))
    assert (head(written).position, prove(written).lines, prove(written).wrong_at) == (7, 7, None)
    # Of two that end in the other order, the later one stays.
    chain.move_up(written.runtime.keys, ACCESS, chain.Head(3, rows(written)[2]["mac"]))
    assert head(written).position == 7


def test_a_log_from_an_older_day_is_not_taken_for_this_one(written: Tea, now: Instant) -> None:
    older = rows(written)
    write(written, now, act(written, 7))
    put_back(written, older)
    assert (prove(written).wrong_at, prove(written).how) == (7, CUT_OFF)


def restored(tea: Tea, now: Instant) -> Head:
    """Write the line of a restore as its transaction does; the head follows once that is committed."""
    with tea.runtime.database.write() as db:
        return write_restore(db, tea.runtime.keys, "user:root", "owner", now)


@pytest.mark.parametrize("died", [False, True], ids=["", "died"])
def test_a_restored_backup_is_told_in_the_log_and_it_goes_on_from_there(written: Tea, now: Instant, died: bool) -> None:
    put_back(written, rows(written)[:4])
    end = restored(written, now)
    if not died:
        chain.move(written.runtime.keys, ACCESS, end)
    assert (prove(written).lines, prove(written).wrong_at) == (5, None), "whether the head has followed or not"
    write(written, now, act(written, 8))
    proof = prove(written)
    assert (proof.lines, proof.wrong_at) == (6, None)
    assert [(one.position, one.subject) for one in proof.restored] == [(5, "log cut from 6 to 4")]
    assert [row["action"] for row in rows(written)[4:]] == [RESTORED, REVEAL]
    assert head(written).position == 6


def test_a_backup_of_which_nothing_was_lost_is_told_too(written: Tea, now: Instant) -> None:
    chain.move(written.runtime.keys, ACCESS, restored(written, now))
    proof = prove(written)
    assert (proof.wrong_at, proof.lines) == (None, 7)
    assert [one.subject for one in proof.restored] == ["nothing of the log lost"]


def test_the_line_of_an_earlier_restore_excuses_no_cut(written: Tea, now: Instant) -> None:
    put_back(written, rows(written)[:4])
    chain.move(written.runtime.keys, ACCESS, restored(written, now))
    then = rows(written)
    write(written, now, act(written, 6))
    assert head(written).position == 6, "as far as before the restore, which that line names"
    put_back(written, then)
    assert (prove(written).wrong_at, prove(written).how) == (6, CUT_OFF)


def test_a_forged_line_of_a_restore_moves_no_head(written: Tea, now: Instant) -> None:
    before = head(written)
    restored(written, now)
    forged = [*rows(written)[:2], rows(written)[-1] | {"position": 3}]
    put_back(written, forged)
    write(written, now, act(written, 7))
    assert prove(written).wrong_at == 3
    assert head(written).position > before.position


def test_a_line_at_the_lowest_place_of_all_is_seen(written: Tea) -> None:
    with written.runtime.database.write() as db:
        db.execute(insert(access_log).values(**rows(written)[0] | {"position": -(2**63)}))
    assert prove(written).wrong_at == 1


def test_an_empty_log_is_whole_and_one_without_its_key_cannot_be_proved(tea: Tea, now: Instant) -> None:
    assert (prove(tea).lines, prove(tea).wrong_at) == (0, None)
    write(tea, now)
    assert prove(tea).lines == 0
    write(tea, now, act(tea, 1))
    with tea.runtime.key_database.write() as db:
        db.execute(delete(log_heads))
    with pytest.raises(KeyMissing):
        prove(tea)
