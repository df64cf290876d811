"""Restoring a backup: all of it or nothing; who was erased stays erased, and whose key is lost begins anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

from onewriter.bench.postgres import fresh_database
from onewriter.customers import erasing, inbox, questions, runs, shops, workers
from onewriter.customers.erasing import Asked
from onewriter.customers.runs import RECONCILE
from onewriter.db import keytables
from onewriter.db.tables import customers, field_log, sides
from onewriter.db.tables import inbox as inbox_table
from onewriter.db.tables import questions as question_table
from onewriter.db.tables import runs as run_table
from onewriter.errors import KeyDestroyed, KeyMissing
from onewriter.intake.redact import erase_all
from onewriter.records import DAY, Instant, RunState
from onewriter.records import Path as How
from onewriter.runtime import Runtime
from onewriter.vault.shopending import destroy_shop
from onewriter.vault.vault import day_of, open_shop
from onewriter.workflows import backups, indexing, reconciling, recovering
from onewriter.workflows.backups import ServiceRuns
from onewriter.workflows.carrying import carry_out
from tests.stages.test_backup import filled
from tests.support.backups import again, back_up, bring_back, contents, copy_keys, put_back
from tests.support.joined import drain_all
from tests.support.raw import raw_bytes
from tests.support.redacting import ANN, BEN, EMAIL, bodies, body_of, deliver, erased, held, id_of, outcomes, person
from tests.support.shops import Tea, later

RESTORED = ("runs", "shops", "workers", "access_log", "refetch_marks")
"""Tables that a restore writes to itself."""


def erase(tea: Tea, number: int, now: Instant) -> None:
    """Erase a customer for good, rows and keys."""
    with tea.runtime.database.write() as db:
        erase_all(db, tea.vault, number, Asked("by a test", now), now)
    erasing.end(tea.runtime.database, tea.runtime.keys, now)


def run_of(tea: Tea, kind: str) -> runs.Run:
    with tea.runtime.database.read() as db:
        return next(run for run in runs.newest(db, 10) if run.kind == kind)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "backup"


# ---- All of it ------------------------------------------------------------------------------------------------------


def test_everything_is_as_it_was(tea: Tea, now: Instant, path: Path) -> None:
    filled(tea, now)
    before, opened = contents(tea.runtime.database, leave_out=RESTORED), tea.dump()
    back_up(tea.runtime, path, now)
    tea.apply(person(BEN, later(now, 9), email="other@example.com"), person(99, now), now=later(now, 9))
    assert tea.dump() != opened
    recovered = bring_back(tea.runtime, path, later(now, 10))
    assert contents(tea.runtime.database, leave_out=RESTORED) == before
    assert tea.dump() == opened
    assert dict(recovered.counts) == {"erased again": 0, "lost": 0, "deliveries dropped": 0}
    run = run_of(tea, RECONCILE)
    assert recovered.runs == (run.id,)
    assert run.state is RunState.QUEUED
    assert run_of(tea, recovering.RECOVERY).state is RunState.DONE


@pytest.fixture
def other_kind(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new database of the other kind than `database_url`."""
    if not database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/moved.db"
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


def test_it_moves_from_one_kind_of_database_to_the_other(tea: Tea, now: Instant, path: Path, other_kind: str) -> None:
    filled(tea, now)
    before, opened = contents(tea.runtime.database, leave_out=RESTORED), tea.dump()
    back_up(tea.runtime, path, now)
    with again(tea.runtime, database_url=other_kind, keystore_url=tea.runtime.settings.keystore_url) as moved:
        put_back(moved, path, now)
        recovering.finish(moved)
        assert contents(moved.database, leave_out=RESTORED) == before
        there = Tea(moved, tea.shop_id)
        assert there.dump() == opened
        deliver(there, later(now, 60), "customers/update", body_of(BEN, later(now, 60), email="new@example.com"), "w-9")
        profile = there.profile(BEN)
        assert profile is not None
        assert profile.own["email"] == "new@example.com"


def test_what_is_counted_upwards_goes_on_from_where_the_backup_was(tea: Tea, now: Instant, path: Path) -> None:
    for number in range(4):
        deliver(tea, now, "customers/create", body_of(ANN + number, now), f"w-{number}")
    ask = questions.Ask("a kind", "one", "?", {}, "nothing")
    with tea.runtime.database.write() as db:
        db.execute(delete(inbox_table))
        first = questions.ask(db, tea.shop_id, ask, now)
        db.execute(delete(question_table))
    back_up(tea.runtime, path, now)
    bring_back(tea.runtime, path, now)
    deliver(tea, now, "customers/create", body_of(BEN, now), "w-9")
    with tea.runtime.database.write() as db:
        [row] = inbox.listed(db, None, 10)
        assert row["position"] == 5, "a position is never given out twice"
        assert questions.ask(db, tea.shop_id, ask, now) == first + 1
        given = shops.add(db, {"domain": "b.myshopify.com", "admin_url": "", "public_url": "", "api_version": ""} | {
            "state": "disconnected", "scopes": [], "box": b"", "installed_at": now, "connected_at": now,
        })  # fmt: skip
        assert given > tea.shop_id


def test_nothing_is_restored_under_a_worker(tea: Tea, now: Instant, path: Path) -> None:
    back_up(tea.runtime, path, now)
    with tea.runtime.database.write() as db:
        workers.enter(db, "w", now)
    before = contents(tea.runtime.database)
    with pytest.raises(ServiceRuns, match="stop the service first"):
        put_back(tea.runtime, path, now)
    assert contents(tea.runtime.database) == before
    put_back(tea.runtime, path, later(now, 3600))


def test_without_the_keys_of_its_shops_nothing_is_restored(tea: Tea, now: Instant, path: Path) -> None:
    back_up(tea.runtime, path, now)
    with tea.runtime.key_database.write() as db:
        db.execute(delete(keytables.shop_keys))
    with pytest.raises(KeyMissing, match="restore the newest copy of the key store first"):
        put_back(tea.runtime, path, now)


def test_a_new_machine_is_told_to_restore_the_keys_first(tea: Tea, now: Instant, path: Path, tmp_path: Path) -> None:
    back_up(tea.runtime, path, now)
    folder = tmp_path / "new"
    folder.mkdir()
    named = {name: f"sqlite:///{folder}/{name}.db" for name in ("database_url", "keystore_url")}
    with (
        again(tea.runtime, **named, data_dir=str(folder), master_key_file=str(folder / "master.key")) as new,
        pytest.raises(KeyMissing, match="keys restore-copy FILE` first"),
    ):
        put_back(new, path, now)
    assert not (folder / "master.key").exists(), "none is made up that opens nothing"


# ---- Who was erased since -------------------------------------------------------------------------------------------


@pytest.mark.req("K32", "K37")
def test_a_value_opens_from_the_backup_before_the_purge_and_not_after(
    tea: Tea, now: Instant, path: Path, tmp_path: Path
) -> None:
    """The proof with its positive control: one backup, restored with the key store of before and of after."""
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    back_up(tea.runtime, path, now)
    copy_keys(tea.runtime, tmp_path / "copy", now)
    assert EMAIL.encode() not in path.read_bytes() + (tmp_path / "copy").read_bytes()

    bring_back(tea.runtime, path, later(now, 1))
    profile = tea.profile(ANN)
    assert profile is not None
    assert profile.own["email"] == EMAIL, "the control: before, the backup and the key store open it"
    ours = id_of(tea, ANN)

    erase(tea, ANN, later(now, 2))
    copy_keys(tea.runtime, tmp_path / "copy", later(now, 3))
    recovered = bring_back(tea.runtime, path, later(now, 4))

    assert recovered.counts["erased again"] == 1
    assert held(tea) == [BEN]
    assert erased(tea, ANN)
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([ours])
    ben = tea.profile(BEN)
    assert ben is not None
    assert ben.own["email"] == "ben@example.com"
    found = person(ANN, later(now, 5), path=How.BULK)
    assert tea.apply(found, now=later(now, 5)).outcomes == ["refused: erased"], "an import does not bring it back"
    assert str(ANN).encode() not in raw_bytes(tea.runtime.database)


@pytest.mark.req("K32")
def test_between_the_restore_and_the_end_of_it_the_value_does_not_open(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    erase(tea, ANN, later(now, 1))
    put_back(tea.runtime, path, later(now, 2))
    assert held(tea) == [ANN], "here the process died: the row is there again,"
    with pytest.raises(KeyDestroyed):
        tea.profile(ANN)
    with tea.runtime.database.read() as db:
        assert recovering.is_pending(db)
    recovering.finish(tea.runtime)
    assert held(tea) == [], "and whoever comes next does the rest"
    with tea.runtime.database.read() as db:
        assert not recovering.is_pending(db)


@pytest.mark.req("K32", "K37")
def test_whom_the_backup_did_not_know_stays_erased_too(tea: Tea, now: Instant, path: Path) -> None:
    deliver(tea, now, "customers/update", body_of(BEN, now, email=["not a text"]), "w-bad")
    back_up(tea.runtime, path, now)
    tea.apply(person(ANN, later(now, 1)), person(BEN, later(now, 1), email="b@example.com"), now=later(now, 1))
    erase(tea, ANN, later(now, 2))
    erase(tea, BEN, later(now, 2))
    bring_back(tea.runtime, path, later(now, 3))
    assert erased(tea, ANN, BEN)
    assert outcomes(tea) == {}, "what the backup had of it before it was a customer is gone as well"
    for number in (ANN, BEN):
        assert tea.apply(person(number, later(now, 4)), now=later(now, 4)).outcomes == ["refused: erased"]


@pytest.mark.req("K32")
def test_an_erasure_that_the_backup_saw_half_done_is_ended(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), now=now)
    ours = id_of(tea, ANN)
    with tea.runtime.database.write() as db:
        erase_all(db, tea.vault, ANN, Asked("by a test", now), now)
    back_up(tea.runtime, path, now)
    assert tea.runtime.keys.subject_keys([ours]), "the control: its key is still there"
    bring_back(tea.runtime, path, now)
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([ours])


@pytest.mark.req("K37")
def test_a_shop_that_was_erased_since_is_erased_again(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    back_up(tea.runtime, path, now)
    destroy_shop(tea.runtime.keys, tea.shop_id, later(now, 1))
    recovered = bring_back(tea.runtime, path, later(now, 2))
    assert recovered.counts["erased again"] == 2
    assert recovered.runs == ()
    assert held(tea) == []
    with tea.runtime.database.read() as db:
        shop = shops.by_id(db, tea.shop_id)
        assert (shop.state, shop.box, shop.erased_at is not None) == (shops.ERASED, b"", True)
        [receipt] = erasing.receipts(db, 10)
    assert receipt["cause"] == "restored backup"
    assert recovering.finish(tea.runtime).runs == ()


def test_an_index_whose_key_was_replaced_since_is_built_anew(tea: Tea, now: Instant, path: Path) -> None:
    runtime = tea.runtime

    def index_anew() -> None:
        with runtime.database.write() as db:
            run_id = indexing.queue(runtime, db, tea.shop_id, "user:a", now)
        carry_out(runtime, run_id)

    tea.apply(person(ANN, now), now=now)
    index_anew()
    back_up(runtime, path, now)
    index_anew()
    with pytest.raises(KeyDestroyed):
        open_shop(runtime.keys, tea.shop_id, None).index.of(2)
    queued = bring_back(runtime, path, later(now, 1)).runs
    with runtime.database.read() as db:
        kinds = {runs.get(db, each).kind: each for each in queued}
    assert set(kinds) == {runs.INDEX, RECONCILE}
    carry_out(runtime, kinds[runs.INDEX])
    with runtime.database.read() as db:
        version = shops.by_id(db, tea.shop_id).index_version
        token = tea.vault.email_token(tea.vault.index.of(version), EMAIL)
        assert version == 3
        assert db.execute(select(customers.c.shopify_id).where(customers.c.email_token == token)).scalar() == ANN


# ---- What cannot be opened ------------------------------------------------------------------------------------------


def test_a_customer_whose_key_is_lost_begins_anew_and_is_read_again(tea: Tea, now: Instant, path: Path) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    tea.apply(person(ANN, later(now, 1), email="second@example.com"), now=later(now, 1))
    ours = id_of(tea, ANN)
    back_up(tea.runtime, path, now)
    with tea.runtime.key_database.write() as db:
        db.execute(delete(keytables.subject_keys).where(keytables.subject_keys.c.id == ours))
    recovered = bring_back(tea.runtime, path, later(now, 60))
    assert recovered.counts["lost"] == 1
    assert tea.marked(later(now, 60))[ANN] >= {"lost"}
    assert "lost" not in tea.marked(later(now, 60))[BEN]
    profile = tea.profile(ANN)
    assert profile is not None
    assert (profile.customer_id, profile.own, profile.side, profile.version) == (ours, {}, {}, 0)
    with tea.runtime.database.read() as db:
        row = db.execute(select(customers).where(customers.c.id == ours)).one()
        assert (row.email_token, row.phone_token) == (None, None)
        assert db.execute(select(sides.c.raw_digest).where(sides.c.customer_id == ours)).scalar() is None
        assert set(db.execute(select(field_log.c.digests).where(field_log.c.customer_id == ours)).scalars()) == {None}
    tea.apply(person(ANN, now, path=How.READ), now=later(now, 61))
    read = tea.profile(ANN)
    assert read is not None
    assert read.own["email"] == EMAIL
    assert id_of(tea, ANN) == ours, "its points are still its own"


def test_a_process_that_dies_between_a_row_and_its_new_key_begins_once_more(
    tea: Tea, now: Instant, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    with tea.runtime.key_database.write() as db:
        db.execute(delete(keytables.subject_keys))
    with monkeypatch.context() as patch:
        patch.setattr("onewriter.vault.copying.keep_secrets", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bring_back(tea.runtime, path, now)
    with pytest.raises(KeyMissing):
        tea.profile(ANN)
    assert recovering.finish(tea.runtime).counts["lost"] == 1
    assert tea.profile(ANN) is not None


def test_bodies_whose_day_is_over_are_emptied_and_a_request_in_law_is_asked_of_a_person(
    tea: Tea, now: Instant, path: Path
) -> None:
    deliver(tea, now, "customers/update", body_of(ANN, now, email=["not a text"]), "w-parked")
    with tea.runtime.database.write() as db:
        row = db.execute(select(inbox_table)).mappings().one()
        for name, topic in (("w-waits", "customers/update"), ("w-law", "customers/redact")):
            values = dict(row) | {"webhook_id": name, "topic": topic, "state": "waiting", "ended_at": None}
            db.execute(insert(inbox_table).values(**{key: each for key, each in values.items() if key != "position"}))
    back_up(tea.runtime, path, now)
    tea.runtime.keys.end_days(day_of(now) + 1, later(now, 1))
    recovered = bring_back(tea.runtime, path, later(now, 40 * DAY // 1_000_000))
    assert recovered.counts["deliveries dropped"] == 2
    assert bodies(tea) == {None}
    with tea.runtime.database.read() as db:
        states = {row["webhook_id"]: row["state"] for row in inbox.listed(db, None, 10)}
        assert states == {"w-parked": "parked", "w-waits": "dropped", "w-law": "parked"}
        assert {each.evidence["topic"] for each in questions.waiting(db, 10)} == {
            "customers/update",
            "customers/redact",
        }
    drain_all(tea.runtime, later(now, 1))


def test_runs_of_the_backup_end_and_jobs_of_the_old_database_are_cancelled(tea: Tea, now: Instant, path: Path) -> None:
    runtime = tea.runtime
    with runtime.database.write() as db:
        before = reconciling.queue(runtime, db, tea.shop_id, "user:a", now)
    back_up(runtime, path, now)
    with runtime.database.write() as db:
        db.execute(update(run_table).values(state="done"))
        since = reconciling.queue(runtime, db, tea.shop_id, "user:a", later(now, 1))
    [queued] = bring_back(runtime, path, later(now, 2)).runs
    with runtime.database.read() as db:
        ended = runs.get(db, before)
        assert (ended.state, ended.reason) == (RunState.FAILED, recovering.CUT_SHORT)
    jobs = runtime.jobs.list_workflows(status="ENQUEUED", load_input=False, load_output=False)
    assert {job.workflow_id for job in jobs} == {queued}
    assert since not in queued


def test_a_restore_that_is_repeated_comes_to_the_same(tea: Tea, now: Instant, path: Path) -> None:
    filled(tea, now)
    back_up(tea.runtime, path, now)
    bring_back(tea.runtime, path, later(now, 1))
    once = contents(tea.runtime.database, leave_out=RESTORED)
    bring_back(tea.runtime, path, later(now, 2))
    assert contents(tea.runtime.database, leave_out=RESTORED) == once
    assert recovering.finish(tea.runtime).runs == ()


def test_a_restore_that_fails_in_the_middle_leaves_the_database_as_it_was(
    tea: Tea, now: Instant, path: Path, runtime: Runtime
) -> None:
    filled(tea, now)
    back_up(runtime, path, now)
    before = contents(runtime.database)
    file = backups.open_backup(runtime, path, now)
    looked = backups.look_through(runtime, file, lambda _rows: None)

    def die(_rows: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backups.restore(runtime, file, looked, "user:a", now, die)
    assert contents(runtime.database) == before
    assert tea.profile(ANN) is not None
