"""Copies of the key store: the newest alone is kept, and an older one brings back nobody and opens nothing more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from onewriter.customers import erasing
from onewriter.customers.erasing import Asked
from onewriter.db import keytables, migrate
from onewriter.errors import KeyDestroyed, KeyMissing, MasterKeyWrong
from onewriter.intake.redact import erase_all
from onewriter.records import HOUR, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.runtime import now as clock
from onewriter.vault import copying
from onewriter.vault.sealedfile import FileUnusable
from onewriter.workflows import copies, schedules
from tests.support.backups import again, back_up, bring_back, bring_keys_back, copy_keys
from tests.support.redacting import ANN, BEN, CARO, EMAIL, erased, held, id_of, person
from tests.support.shops import Tea, later

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.copy"


def erase(tea: Tea, number: int, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        erase_all(db, tea.vault, number, Asked("by a test", now), now)
    erasing.end(tea.runtime.database, tea.runtime.keys, now)


def lose(tea: Tea) -> None:
    """Lose every key there is, as with the disk that they were on."""
    with tea.runtime.key_database.write() as db:
        for table in keytables.metadata.sorted_tables:
            db.execute(delete(table))


def other_process(tea: Tea) -> Iterator[Tea]:
    with again(tea.runtime) as runtime:
        yield Tea(runtime, tea.shop_id)


def opened(tea: Tea, number: int) -> str | None:
    """The email of a customer, as another process opens it that has cached nothing."""
    for other in other_process(tea):
        profile = other.profile(number)
        return None if profile is None else profile.own.get("email")
    return None


# ---- Lost and restored ----------------------------------------------------------------------------------------------


def test_a_lost_key_store_comes_back_from_its_copy(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    assert copy_keys(tea.runtime, path, now) >= 3
    assert EMAIL.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    lose(tea)
    with pytest.raises(KeyMissing):
        opened(tea, ANN)
    recovered = bring_keys_back(tea.runtime, path, later(now, 1))
    assert opened(tea, ANN) == EMAIL
    assert recovered.counts["lost"] == 0
    assert migrate.revision(tea.runtime.key_database) == migrate.newest("keys")
    assert copying.copied_at(tea.runtime.key_database) == now


def test_a_new_machine_begins_with_the_copy_and_then_takes_the_backup(
    tea: Tea, now: Instant, path: Path, tmp_path: Path
) -> None:
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, tmp_path / "backup", now)
    copy_keys(tea.runtime, path, now)
    folder = tmp_path / "new"
    folder.mkdir()
    named = {"database_url": f"sqlite:///{folder}/m.db", "keystore_url": f"sqlite:///{folder}/k.db"}
    named["data_dir"] = str(folder)
    with again(tea.runtime, **named, master_key_file=str(folder / "master.key")) as bare:
        with pytest.raises(MasterKeyWrong, match="There is no master key at"):
            bring_keys_back(bare, path, now)
        assert not (folder / "master.key").exists()
    with again(tea.runtime, **named) as new:
        assert bring_keys_back(new, path, now).counts == {}, "an empty database ends nobody's key"
        bring_back(new, tmp_path / "backup", now)
        assert opened(Tea(new, tea.shop_id), ANN) == EMAIL


def test_what_was_erased_since_the_copy_does_not_come_back_with_it(
    tea: Tea, now: Instant, path: Path, tmp_path: Path
) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    back_up(tea.runtime, tmp_path / "backup", now)
    copy_keys(tea.runtime, path, now)
    ours = id_of(tea, ANN)
    erase(tea, ANN, later(now, 1))
    lose(tea)
    bring_keys_back(tea.runtime, path, later(now, 2))
    for other in other_process(tea):
        with pytest.raises(KeyMissing):
            other.runtime.keys.subject_keys([ours])
    assert opened(tea, BEN) == "ben@example.com"
    with again(tea.runtime) as runtime:
        bring_back(runtime, tmp_path / "backup", later(now, 3))
    assert held(tea) == [BEN], "and the backup of before does not bring it back either"
    assert erased(tea, ANN)


def test_an_older_copy_over_a_living_key_store_ends_no_ending(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    copy_keys(tea.runtime, path, now)
    tea.apply(person(CARO, later(now, 1), email="caro@example.com"), now=later(now, 1))
    ids = [id_of(tea, ANN), id_of(tea, CARO)]
    erase(tea, ANN, later(now, 2))
    erase(tea, CARO, later(now, 3))
    bring_keys_back(tea.runtime, path, later(now, 4))
    for other in other_process(tea):
        for each in ids:
            with pytest.raises(KeyDestroyed):
                other.runtime.keys.subject_keys([each])
        names = [tea.vault.key.id_hash(number) for number in (ANN, CARO)]
        assert copying.erased_among(other.runtime.keys, tea.shop_id, names) == set(names)


def test_customers_whose_keys_were_made_since_the_copy_begin_anew(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    copy_keys(tea.runtime, path, now)
    tea.apply(person(BEN, later(now, 1), email="ben@example.com"), now=later(now, 1))
    lose(tea)
    assert bring_keys_back(tea.runtime, path, later(now, 2)).counts["lost"] == 1
    assert (opened(tea, ANN), opened(tea, BEN)) == (EMAIL, None)
    assert "lost" in tea.marked(later(now, 2))[BEN]


def test_a_backup_is_no_copy_and_a_copy_no_backup(tea: Tea, now: Instant, path: Path, tmp_path: Path) -> None:
    copy_keys(tea.runtime, path, now)
    back_up(tea.runtime, tmp_path / "backup", now)
    with pytest.raises(FileUnusable, match="is a copy of the key store, and no backup"):
        bring_back(tea.runtime, path, now)
    with pytest.raises(FileUnusable, match="is a backup, and no copy of the key store"):
        bring_keys_back(tea.runtime, tmp_path / "backup", now)


# ---- Kept by the worker ---------------------------------------------------------------------------------------------


@pytest.fixture
def ahead() -> Instant:
    """A time that is later than everything that the fixtures did by the real clock."""
    return clock() + 3 * HOUR


@pytest.fixture
def keeping(tea: Tea, path: Path, ahead: Instant) -> Iterator[Tea]:
    """The shop, in a process whose settings name the file of the copy and whose clock is the test's."""
    with again(tea.runtime, keys_copy_file=str(path)) as runtime:
        runtime.now = lambda: ahead
        yield Tea(runtime, tea.shop_id)


def moved(runtime: Runtime, moment: Instant) -> Runtime:
    runtime.now = lambda: moment
    return runtime


def test_a_worker_copies_right_after_keys_were_destroyed_and_each_hour_when_some_were_made(
    keeping: Tea, path: Path, ahead: Instant
) -> None:
    runtime, now = keeping.runtime, ahead
    keeping.apply(person(ANN, now), now=now)
    schedules.strike(runtime, LONG_AGO)
    first = path.read_bytes()
    assert first, "at the first strike there is a copy"

    at = now + 5 * 60 * SECOND
    keeping.apply(person(BEN, at, email="b@example.com"), now=at)
    assert not copies.refresh(moved(runtime, at)), "keys that are only new wait for the hour"
    assert copies.refresh(moved(runtime, now + HOUR))
    assert copies.refresh(moved(runtime, now + 2 * HOUR)), "once more for what it may have missed"
    assert not copies.refresh(moved(runtime, now + 3 * HOUR)), "nothing has changed"
    assert path.read_bytes() != first

    at = now + 3 * HOUR
    ours = id_of(keeping, ANN)
    erase(keeping, ANN, at)
    copy_keys(runtime, path.with_name("elsewhere"), at + 5 * SECOND)
    schedules.strike(moved(runtime, at + 10 * SECOND), LONG_AGO)
    assert copying.copied_at(runtime.key_database) == at + 10 * SECOND
    assert list(path.parent.glob("keys.copy*")) == [path], "there is one copy, and it is the newest"
    lose(keeping)
    bring_keys_back(runtime, path, at)
    for other in other_process(keeping):
        with pytest.raises(KeyDestroyed):
            other.runtime.keys.subject_keys([ours])


def test_a_copy_that_cannot_be_written_keeps_nothing_else_from_being_done(keeping: Tea, path: Path) -> None:
    path.mkdir()
    assert not copies.refresh(keeping.runtime)
    schedules.strike(keeping.runtime, LONG_AGO)
    with keeping.runtime.key_database.read() as db:
        assert db.execute(select(keytables.copies)).all() == []


def test_without_the_setting_nothing_is_copied(tea: Tea) -> None:
    assert not copies.refresh(tea.runtime)
