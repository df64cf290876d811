"""Backups: everything is in them as of one moment, only the master key opens them, and any change is noticed."""

import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from onewriter.customers import questions
from onewriter.db import dump
from onewriter.db.tables import customers
from onewriter.db.tables import questions as question_table
from onewriter.db.webtables import metadata
from onewriter.errors import MasterKeyWrong
from onewriter.records import DAY, Instant
from onewriter.runtime import Runtime
from onewriter.vault import master, sealedfile
from onewriter.vault.sealedfile import FileInTheWay, FileUnusable, SealedFile
from onewriter.workflows import backups
from tests.support.backups import again, back_up, contents, copy_keys, nobody, put_back
from tests.support.redacting import ANN, BEN, EMAIL, body_of, deliver, person
from tests.support.shops import Tea, gone, later, merged

CANARY = EMAIL.encode()


def filled(tea: Tea, now: Instant) -> Tea:
    """A shop with a bit of everything."""
    deliver(tea, now, "customers/create", body_of(ANN, now, email=EMAIL, first_name="Canary"), "w-1")
    tea.apply(person(BEN, now, email="ben@example.com"), merged(BEN, ANN, now), gone(17, now), now=now)
    asked = questions.Ask("a kind", "a subject", "Why, 'ünïcode'?", {"yes": "it is done"}, "nothing")
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, asked, now)
    return tea


@pytest.mark.req("K32")
def test_a_backup_holds_every_table_and_no_value_in_clear(tea: Tea, now: Instant, tmp_path: Path) -> None:
    filled(tea, now)
    before = contents(tea.runtime.database)
    made = back_up(tea.runtime, tmp_path / "backup", now)
    assert made.rows == {name: len(rows) for name, rows in before.items()}
    assert set(made.rows) == set(metadata.tables)
    assert sum(made.rows.values()) > 10
    assert made.delete_by == now + 30 * DAY
    raw = (tmp_path / "backup").read_bytes()
    for value in (CANARY, b"Canary", str(ANN).encode()):
        assert value not in raw
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("*.part")) == []


def test_what_is_written_while_it_is_made_is_not_in_it(tea: Tea, now: Instant, tmp_path: Path) -> None:
    filled(tea, now)
    before = contents(tea.runtime.database)

    def write(_rows: int) -> None:
        with tea.runtime.database.write() as db:
            db.execute(update(customers).values(kept_reason="written meanwhile"))
            db.execute(text("DELETE FROM field_log"))

    backups.make(tea.runtime, tmp_path / "backup", now, write)
    assert contents(tea.runtime.database) != before
    put_back(tea.runtime, tmp_path / "backup", now)
    changed_by_a_restore = ("runs", "shops", "workers", "access_log")
    assert contents(tea.runtime.database, leave_out=changed_by_a_restore) == {
        name: rows for name, rows in before.items() if name not in changed_by_a_restore
    }


def test_a_million_rows_would_pass_through_little_memory(tea: Tea, now: Instant, tmp_path: Path) -> None:
    """What is in memory at a time is a piece; here each piece is two rows, and none is kept."""
    rows = [_question(tea, now, number, "x" * 600_000) for number in range(12)]
    with tea.runtime.database.write() as db:
        db.execute(insert(question_table), rows)
    seen: list[int] = []
    backups.make(tea.runtime, tmp_path / "backup", now, seen.append)
    assert max(seen) <= 30
    file = SealedFile(tmp_path / "backup", backups.KIND)
    sizes = [len(piece) for piece in file.pieces(tea.runtime.keys)]
    assert max(sizes) < 2 * dump.PIECE_BYTES
    assert sum(sizes) > 7_000_000


def _question(tea: Tea, now: Instant, number: int, words: str) -> dict[str, Any]:
    names = {"shop_id": tea.shop_id, "kind": "a kind", "subject": str(number), "text": words}
    return names | {"evidence": {}, "answers": {}, "otherwise": "", "asked_at": now}


# ---- Its file -------------------------------------------------------------------------------------------------------


def test_a_file_that_is_there_stays_unless_it_is_forced(tea: Tea, now: Instant, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    backups.make(tea.runtime, path, now, nobody)
    before = path.read_bytes()
    path.chmod(0o644)
    with pytest.raises(FileInTheWay, match="add --force"):
        backups.make(tea.runtime, path, now, nobody)
    assert path.read_bytes() == before
    backups.make(tea.runtime, path, later(now, 1), nobody, force=True)
    assert path.read_bytes() != before
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_backup_is_never_replaced(tea: Tea, now: Instant, tmp_path: Path) -> None:
    """Somebody may mistype the name, and a key store that is written over is the end of every value."""
    path = tmp_path / "other.db"
    path.write_text("a database")
    with pytest.raises(FileInTheWay, match="that is no backup; name another one"):
        backups.make(tea.runtime, path, now, nobody, force=True)
    with pytest.raises(FileInTheWay, match="that is no copy of the key store; name another one"):
        copy_keys(tea.runtime, path, now)
    assert path.read_text() == "a database"


def cut(data: bytes) -> bytes:
    return data[:-1]


def cut_to_the_header(data: bytes) -> bytes:
    return data[: len(sealedfile.MAGIC) + 100]


def cut_by_a_piece(data: bytes) -> bytes:
    return b"".join(_parts(data)[:-1])


def lengthened(data: bytes) -> bytes:
    return data + b"\x00"


def reordered(data: bytes) -> bytes:
    head, one, two, *rest = _parts(data)
    return b"".join([head, two, one, *rest])


def doubled(data: bytes) -> bytes:
    head, one, *rest = _parts(data)
    return b"".join([head, one, one, *rest])


def ended_early(data: bytes) -> bytes:
    head, one, *_ = _parts(data)
    return head + b"\x01" + one[1:]


def another_date(data: bytes) -> bytes:
    place = data.index(b'"delete_by":') + 13
    return data[:place] + (b"1" if data[place : place + 1] != b"1" else b"2") + data[place + 1 :]


def one_bit(data: bytes) -> bytes:
    place = len(data) * 2 // 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _parts(data: bytes) -> list[bytes]:
    """The header and each piece of a sealed file, as they stand there."""
    at = len(sealedfile.MAGIC)
    at += 4 + int.from_bytes(data[at : at + 4], "big")
    parts = [data[:at]]
    while at < len(data):
        end = at + 5 + int.from_bytes(data[at + 1 : at + 5], "big")
        parts.append(data[at:end])
        at = end
    return parts


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    cut, cut_to_the_header, cut_by_a_piece, lengthened, reordered, doubled, ended_early, another_date, one_bit,
)  # fmt: skip


def test_any_change_is_noticed_before_anything_is_touched(tea: Tea, now: Instant, tmp_path: Path) -> None:
    filled(tea, now)
    path = tmp_path / "backup"
    back_up(tea.runtime, path, now)
    data = path.read_bytes()
    before = contents(tea.runtime.database)
    for damage in DAMAGES:
        assert damage(data) != data
        path.write_bytes(damage(data))
        with pytest.raises(FileUnusable, match=r"cut off or changed"):
            put_back(tea.runtime, path, now)
        assert contents(tea.runtime.database) == before, damage
    path.write_bytes(data)
    put_back(tea.runtime, path, now)


def test_what_is_no_backup_is_told_so(tea: Tea, now: Instant, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    for data, told in ((b"", "is no backup"), (b"SQLite format 3\x00" * 9, "is no backup")):
        path.write_bytes(data)
        with pytest.raises(FileUnusable, match=told):
            put_back(tea.runtime, path, now)
    with pytest.raises(FileUnusable, match="cannot be read"):
        put_back(tea.runtime, tmp_path / "nothing", now)


def test_only_the_master_key_opens_it(tea: Tea, now: Instant, tmp_path: Path) -> None:
    back_up(tea.runtime, tmp_path / "backup", now)
    master.write_new_file(tmp_path / "other.key")
    settings = {"master_key_file": str(tmp_path / "other.key"), "keystore_url": f"sqlite:///{tmp_path}/other.db"}
    with again(tea.runtime, **settings) as other:
        other.prepare()
        with pytest.raises(MasterKeyWrong, match="add it to the master keys in the settings again"):
            put_back(other, tmp_path / "backup", now)


def test_one_of_a_newer_version_is_told_so(tea: Tea, now: Instant, tmp_path: Path) -> None:
    draft = sealedfile.Draft(backups.KIND, now, "9999", {})
    sealedfile.write(tmp_path / "b", tea.runtime.keys, draft, [], lambda: sealedfile.Trailer({}, {}), force=False)
    with pytest.raises(FileUnusable, match="newer version"):
        put_back(tea.runtime, tmp_path / "b", now)


def test_a_full_disk_leaves_no_file_and_the_one_before(tea: Tea, now: Instant, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the end of the disk."""
    filled(tea, now)
    path = tmp_path / "backup"
    back_up(tea.runtime, path, now)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # SQLite needs no room to be read, but for its shared memory, which is there already.
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(FileInTheWay, match="cannot be written"):
            back_up(tea.runtime, path, later(now, 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, heard)
    assert path.read_bytes() == before
    assert not path.with_name("backup.part").exists()


def test_two_at_once_into_one_file_are_told_apart(runtime: Runtime, now: Instant, tmp_path: Path) -> None:
    told: list[str] = []

    def meanwhile(_rows: int) -> None:
        with pytest.raises(FileInTheWay, match="Another process is writing") as refused:
            back_up(runtime, tmp_path / "backup", now)
        told.append(str(refused.value))

    with runtime.database.write() as db:
        db.execute(insert(metadata.tables["people"]).values(name="user:a", role="owner", since=now, set_by="user:a"))
    backups.make(runtime, tmp_path / "backup", now, meanwhile)
    assert len(told) == 1
    put_back(runtime, tmp_path / "backup", now)
