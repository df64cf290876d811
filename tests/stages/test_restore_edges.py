"""Restores over one another, of older files and with what is gone: nothing good is lost, and nobody comes back."""

import fcntl
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from onewriter.customers import access, erasing, shops
from onewriter.customers.access import KEYS_RESTORED, RESTORED, REVEAL, Act
from onewriter.customers.access_proof import CUT_OFF, Proof, prove
from onewriter.customers.erasing import Asked
from onewriter.db import keytables
from onewriter.db.privacytables import access_log
from onewriter.db.tables import customers
from onewriter.errors import KeyMissing, MasterKeyWrong
from onewriter.intake.redact import erase_all
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.vault import chain, copying, master, rewrap
from onewriter.vault.sealedfile import FileInTheWay
from onewriter.vault.shopending import destroy_shop
from onewriter.workflows import backups, recovering
from tests.support.backups import (
    again,
    back_up,
    bring_back,
    bring_keys_back,
    contents,
    copy_keys,
    put_back,
    put_keys_back,
)
from tests.support.redacting import ANN, BEN, EMAIL, erased, held, id_of, person
from tests.support.shops import Tea, later


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "keys.copy"


def erase(tea: Tea, number: int, now: Instant, *, end: bool = True) -> None:
    with tea.runtime.database.write() as db:
        erase_all(db, tea.vault, number, Asked("by a test", now), now)
    if end:
        erasing.end(tea.runtime.database, tea.runtime.keys, now)


def lose_keys(runtime: Runtime) -> None:
    with runtime.key_database.write() as db:
        for table in keytables.metadata.sorted_tables:
            db.execute(delete(table))


def key_rows(runtime: Runtime) -> dict[str, list[Any]]:
    with runtime.key_database.read() as db:
        return {
            table.name: sorted(map(repr, map(tuple, db.execute(select(table)))))
            for table in keytables.metadata.sorted_tables
            if table.name != "copies"
        }


def log(runtime: Runtime, count: int, now: Instant) -> None:
    for _ in range(count):
        access.append(runtime.database, runtime.keys, [Act(REVEAL, "user:anna", "owner")], now)


def proved(runtime: Runtime) -> Proof:
    with again(runtime) as fresh:
        return prove(fresh.database, fresh.keys)


def actions(runtime: Runtime) -> list[str]:
    with runtime.database.read() as db:
        return list(db.execute(select(access_log.c.action).order_by(access_log.c.position)).scalars())


def rotated(tea: Tea, now: Instant, copy: Path) -> None:
    """Begin a rotation of the master key, copy the key store in the middle of it, and end it without the old key."""
    file = tea.runtime.settings.master_key_file
    with again(tea.runtime) as runtime:
        runtime.prepare()
        master.put_new_first(file)
        runtime.keys.masters.read_again(at_once=True)
        runtime.keys.prove(later(now, 1))
        copy_keys(runtime, copy, later(now, 2))
        to = runtime.keys.current
        rewrap.wrap_logs(runtime.keys, to)
        rewrap.wrap_all(runtime.keys, to, tea.shop_id)


# ---- One restore over another ---------------------------------------------------------------------------------------


@pytest.mark.req("K32", "K37")
def test_a_backup_over_a_key_copy_whose_restore_was_cut_short_brings_nobody_back(
    tea: Tea, now: Instant, path: Path, copy: Path
) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    back_up(tea.runtime, path, now)
    copy_keys(tea.runtime, copy, now)
    erase(tea, ANN, later(now, 1))
    lose_keys(tea.runtime)
    put_keys_back(tea.runtime, copy, later(now, 2))
    with again(tea.runtime) as runtime:
        bring_back(runtime, path, later(now, 3))
        assert held(Tea(runtime, tea.shop_id)) == [BEN]
        assert erased(Tea(runtime, tea.shop_id), ANN)


@pytest.mark.req("K37")
def test_a_backup_over_such_a_copy_brings_no_erased_shop_back(tea: Tea, now: Instant, path: Path, copy: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    copy_keys(tea.runtime, copy, now)
    destroy_shop(tea.runtime.keys, tea.shop_id, later(now, 1))
    with tea.runtime.database.write() as db:
        db.execute(delete(customers))
        shops.empty(db, tea.shop_id)
        shops.change(db, tea.shop_id, {"erased_at": later(now, 1)})
    lose_keys(tea.runtime)
    put_keys_back(tea.runtime, copy, later(now, 2))
    with again(tea.runtime) as runtime:
        bring_back(runtime, path, later(now, 3))
        assert held(Tea(runtime, tea.shop_id)) == []
        with runtime.database.read() as db:
            assert shops.by_id(db, tea.shop_id).state == shops.ERASED


@pytest.mark.req("K32")
def test_a_backup_over_an_erasure_that_was_cut_short_brings_nobody_back(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    erase(tea, ANN, later(now, 1), end=False)
    bring_back(tea.runtime, path, later(now, 2))
    assert held(tea) == []


@pytest.mark.req("K32")
def test_a_key_copy_over_a_backup_whose_restore_was_cut_short_ends_what_it_must(
    tea: Tea, now: Instant, path: Path, copy: Path
) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    copy_keys(tea.runtime, copy, now)
    ours = id_of(tea, ANN)
    erase(tea, ANN, later(now, 1))
    back_up(tea.runtime, path, later(now, 2))
    put_back(tea.runtime, path, later(now, 3))
    lose_keys(tea.runtime)
    bring_keys_back(tea.runtime, copy, later(now, 4))
    with again(tea.runtime) as runtime:
        with pytest.raises(KeyMissing):
            runtime.keys.subject_keys([ours])
        there = Tea(runtime, tea.shop_id)
        name = there.vault.key.id_hash(ANN)
        assert copying.erased_among(runtime.keys, tea.shop_id, [name]) == {name}
        assert held(there) == [BEN]


# ---- A copy that opens less than what is there ----------------------------------------------------------------------


def test_a_copy_whose_keys_need_a_master_key_that_is_gone_changes_nothing(tea: Tea, now: Instant, copy: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    rotated(tea, now, copy)
    file = tea.runtime.settings.master_key_file
    both = file.read_text()
    file.write_text(both.splitlines()[0] + "\n")
    before, rows = key_rows(tea.runtime), contents(tea.runtime.database)
    with (
        again(tea.runtime) as runtime,
        pytest.raises(MasterKeyWrong, match=r"which wraps \d+ keys of this copy, is not"),
    ):
        bring_keys_back(runtime, copy, later(now, 4))
    assert key_rows(tea.runtime) == before
    assert contents(tea.runtime.database) == rows
    with again(tea.runtime) as runtime:
        profile = Tea(runtime, tea.shop_id).profile(ANN)
        assert profile is not None
        assert profile.own["email"] == EMAIL
    file.write_text(both)
    with again(tea.runtime) as runtime:
        bring_keys_back(runtime, copy, later(now, 5))
        again_there = Tea(runtime, tea.shop_id).profile(ANN)
        assert again_there is not None
        assert again_there.own == profile.own, "with both master keys it can be restored"


def test_a_copy_without_the_key_of_a_shop_changes_nothing_while_that_key_is_here(
    tea: Tea, now: Instant, copy: Path
) -> None:
    with tea.runtime.key_database.write() as db:
        row = dict(db.execute(select(keytables.shop_keys)).mappings().one())
        db.execute(delete(keytables.shop_keys))
    copy_keys(tea.runtime, copy, now)
    with tea.runtime.key_database.write() as db:
        db.execute(insert(keytables.shop_keys).values(**row))
    before = key_rows(tea.runtime)
    with pytest.raises(KeyMissing, match=r"the newest key of shop 1 \(version 1\), which is in the key store"):
        bring_keys_back(tea.runtime, copy, later(now, 1))
    assert key_rows(tea.runtime) == before
    lose_keys(tea.runtime)
    put_keys_back(tea.runtime, copy, later(now, 2))
    with tea.runtime.key_database.read() as db:
        assert db.execute(select(keytables.master_keys)).first(), "it is better than nothing"


@pytest.mark.parametrize("lost", [False, True], ids=["here", "lost"])
def test_an_older_copy_never_erases_a_shop_that_was_connected_again(
    tea: Tea, now: Instant, copy: Path, lost: bool
) -> None:
    tea.apply(person(ANN, now), now=now)
    copy_keys(tea.runtime, copy, now)
    destroy_shop(tea.runtime.keys, tea.shop_id, later(now, 1))
    with tea.runtime.database.write() as db:
        db.execute(delete(customers))
    if lost:
        copy_keys(tea.runtime, copy, later(now, 1))
    with again(tea.runtime) as runtime:
        runtime.prepare()
        runtime.keys.make_shop_key(tea.shop_id, later(now, 2))
        Tea(runtime, tea.shop_id).apply(person(BEN, later(now, 3)), now=later(now, 3))
    if lost:
        lose_keys(tea.runtime)
    with again(tea.runtime) as runtime, pytest.raises(KeyMissing, match=r"newest key of shop 1 .*a newer copy"):
        bring_keys_back(runtime, copy, later(now, 4))
    assert held(tea) == [BEN]
    with again(tea.runtime) as runtime:
        profile = Tea(runtime, tea.shop_id).profile(BEN) if not lost else None
        assert lost or profile is not None


# ---- The access log -------------------------------------------------------------------------------------------------


def test_a_line_between_the_restore_and_the_end_of_it_harms_nothing(tea: Tea, now: Instant, path: Path) -> None:
    log(tea.runtime, 2, now)
    back_up(tea.runtime, path, now)
    log(tea.runtime, 3, now)
    put_back(tea.runtime, path, later(now, 1))
    log(tea.runtime, 1, later(now, 2))
    recovering.finish(tea.runtime)
    assert proved(tea.runtime).wrong_at is None
    assert actions(tea.runtime) == [REVEAL, REVEAL, RESTORED, REVEAL], "the restore is told once"


def test_a_backup_without_a_shop_is_told_in_the_log_too(runtime: Runtime, now: Instant, path: Path) -> None:
    log(runtime, 1, now)
    back_up(runtime, path, now)
    log(runtime, 2, now)
    bring_back(runtime, path, later(now, 1))
    assert proved(runtime).wrong_at is None
    assert actions(runtime) == [REVEAL, RESTORED]


def test_a_process_that_died_before_the_head_followed_leaves_no_wrong_log(
    tea: Tea, now: Instant, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(tea.runtime, 2, now)
    back_up(tea.runtime, path, now)
    log(tea.runtime, 3, now)
    with monkeypatch.context() as patch:
        patch.setattr(chain, "move", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            put_back(tea.runtime, path, later(now, 1))
    assert proved(tea.runtime).wrong_at is None
    log(tea.runtime, 1, later(now, 2))
    recovering.finish(tea.runtime)
    assert proved(tea.runtime).wrong_at is None
    assert actions(tea.runtime) == [REVEAL, REVEAL, RESTORED, REVEAL]


def test_an_older_key_copy_hides_no_line_that_was_cut_off(tea: Tea, now: Instant, copy: Path) -> None:
    log(tea.runtime, 2, now)
    copy_keys(tea.runtime, copy, now)
    log(tea.runtime, 2, now)
    bring_keys_back(tea.runtime, copy, later(now, 1))
    assert proved(tea.runtime).wrong_at is None
    assert actions(tea.runtime) == [REVEAL] * 4 + [KEYS_RESTORED]
    with tea.runtime.database.write() as db:
        db.execute(delete(access_log).where(access_log.c.position > 2))
    assert (proved(tea.runtime).wrong_at, proved(tea.runtime).how) == (3, CUT_OFF)


def test_a_copy_after_the_key_store_was_lost_is_told_in_the_log(tea: Tea, now: Instant, path: Path, copy: Path) -> None:
    """Its head names a line that a restored backup has replaced since."""
    back_up(tea.runtime, path, now)
    log(tea.runtime, 2, now)
    copy_keys(tea.runtime, copy, now)
    bring_back(tea.runtime, path, later(now, 1))
    log(tea.runtime, 2, later(now, 2))
    lose_keys(tea.runtime)
    bring_keys_back(tea.runtime, copy, later(now, 3))
    proof = proved(tea.runtime)
    assert proof.wrong_at is None
    assert proof.restored[-1].subject == "a copy of the key store, which knew the log up to line 2"
    with tea.runtime.database.write() as db:
        db.execute(delete(access_log).where(access_log.c.position > 3))
    assert proved(tea.runtime).how == CUT_OFF, "and from then on nothing can be cut off"


# ---- Two at once ----------------------------------------------------------------------------------------------------


def test_the_finished_backup_of_another_process_is_left_alone(
    tea: Tea, now: Instant, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(tea.runtime, path, now)
    good = path.read_bytes()
    part = path.with_name("backup.part")
    locking = fcntl.flock

    def late(file: Any, how: int) -> None:
        """The other one ends its file after ours was opened, and before it is locked."""
        if part.exists():
            part.write_bytes(good)
            part.rename(path)
        locking(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(FileInTheWay, match="Another process is writing"):
        back_up(tea.runtime, path, later(now, 1))
    monkeypatch.undo()
    assert path.read_bytes() == good
    assert backups.open_backup(tea.runtime, path, now).header.made_at == now
