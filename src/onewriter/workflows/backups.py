"""Backups of the main database: made while everything goes on, and restored all at once or not at all.

The key store is never in a backup. What its keys do not open any more is gone from every backup too, and what a backup
brings back of who was erased since is erased again: see `recovering`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onewriter.customers import access, shops, workers
from onewriter.customers.people import Role
from onewriter.db import dump, migrate
from onewriter.errors import KeyMissing, MasterKeyWrong, Permanent
from onewriter.records import DAY, Instant
from onewriter.runtime import Runtime
from onewriter.vault import chain, copying, sealedfile
from onewriter.vault.copyproof import KeysSeen, opened_shops
from onewriter.vault.keystore import KeyStore
from onewriter.vault.sealedfile import Draft, FileUnusable, SealedFile, Trailer
from onewriter.workflows import recovering

KIND = "backup"

Tell = Callable[[int], None]
"""Is told how many rows are done."""


class ServiceRuns(Permanent):
    """A worker of this database is running, and would work on what is replaced under it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made."""

    made_at: Instant
    delete_by: Instant
    rows: Mapping[str, int]


@dataclass(slots=True)
class Looked:
    """What a look through a whole sealed file has found."""

    trailer: Trailer = field(default_factory=lambda: Trailer({}, {}))
    shop_ids: set[int] = field(default_factory=set)
    keys: KeysSeen | None = None
    """What was seen of the keys, in a copy of the key store."""


def make(runtime: Runtime, path: Path, now: Instant, tell: Tell, *, force: bool = False) -> Made:
    """Write a backup of the main database as it is at this moment; nobody waits for it."""
    columns = dump.columns_of("main")
    counted: dict[str, int] = dict.fromkeys(columns, 0)
    delete_by = now + runtime.settings.number("backup_keep_days") * DAY
    with runtime.database.snapshot() as db:
        # The first query, which fixes what the snapshot sees.
        draft = Draft(KIND, now, migrate.revision_of(db) or "", columns, delete_by)
        counters = dump.counters(db, "main")

        def pieces() -> Iterator[bytes]:
            for name, rows, piece in dump.pieces(db, "main", columns):
                counted[name] += rows
                tell(rows)
                yield piece

        sealedfile.write(path, runtime.keys, draft, pieces(), lambda: Trailer(counted, counters), force=force)
    return Made(now, delete_by, counted)


def has_key_store(runtime: Runtime) -> bool:
    """True when there is a key store, at the newest schema; it is not made up here, nor is a master key."""
    migrate.upgrade(runtime.key_database, "keys")
    return not KeyStore.is_new(runtime.key_database)


def has_master_key(runtime: Runtime) -> bool:
    """True when the settings name a master key that is there; else using the key store would make one up."""
    given = runtime.settings.text("master_key") or runtime.settings.text("master_key_command")
    return bool(given) or runtime.settings.master_key_file.exists()


def open_backup(runtime: Runtime, path: Path, now: Instant) -> SealedFile:
    """A backup that can be opened here; raises in one sentence why it cannot, with nothing changed."""
    file = open_file(path, KIND)
    if not has_key_store(runtime):
        raise KeyMissing(
            "There is no key store here, so nothing of the backup could be opened; put the master key in its place and "
            "run `onewriter keys restore-copy FILE` first."
        )
    runtime.keys.prove(now)
    return file


def open_copy(runtime: Runtime, path: Path) -> SealedFile:
    """A copy of a key store that can be opened here; raises in one sentence why it cannot."""
    file = open_file(path, copying.KIND)
    has_key_store(runtime)
    if not has_master_key(runtime):
        raise MasterKeyWrong(
            f"There is no master key at {runtime.settings.master_key_file}; put the one there that the key store was "
            "made with, and give the command again."
        )
    return file


def open_file(path: Path, kind: str) -> SealedFile:
    """A sealed file of that kind whose schema this version knows."""
    file = SealedFile(path, kind)
    if not dump.knows("main" if kind == KIND else "keys", file.header.revision):
        raise FileUnusable(f"{path} was made by a newer version of onewriter; install that one, and restore it there.")
    return file


def look_through(runtime: Runtime, file: SealedFile, tell: Tell) -> Looked:
    """Open all of the file once, before anything is touched; raises FileUnusable if it is not what was written."""
    found = Looked(keys=KeysSeen(runtime.keys) if file.header.kind == copying.KIND else None)
    counted: dict[str, int] = dict.fromkeys(file.header.columns, 0)

    def look(piece: bytes) -> None:
        name, rows = dump.read_piece(piece)
        counted[name] += len(rows)
        tell(len(rows))
        if name == "shops":
            place = file.header.columns[name].index("id")
            found.shop_ids.update(row[place] for row in rows)
        if found.keys is not None:
            found.keys.look(name, file.header.columns[name], rows)

    found.trailer = file.check(runtime.keys, look)
    if counted != dict(found.trailer.rows):
        raise FileUnusable("The backup does not have the rows that it says it has; nothing was restored.")
    return found


def refuse_useless(runtime: Runtime, looked: Looked) -> None:
    """Raises in one sentence, with nothing changed, when a copy would open less than the key store that is here.

    A customer whose key is lost is read again from Shopify, but what a shop's key sealed cannot be made anew.
    """
    if looked.keys is None:
        return
    looked.keys.refuse_unopened()
    with runtime.database.read() as db:
        living = {shop.id for shop in shops.every(db) if shop.state != shops.ERASED}
    for shop_id, version in sorted(opened_shops(runtime.keys) - looked.keys.shops):
        if shop_id in living:
            raise KeyMissing(
                f"The copy does not have the newest key of shop {shop_id} (version {version}), which is in the key "
                "store here, so nothing was restored; use a newer copy."
            )


def refuse_without_shop_keys(runtime: Runtime, shop_ids: set[int]) -> None:
    """Raises KeyMissing when a shop of the backup could not be opened, nor told from one that was erased."""
    for shop_id in sorted(shop_ids):
        if not copying.knows_shop(runtime.keys, shop_id):
            raise KeyMissing(
                f"The key of shop {shop_id} of this backup is not in the key store, so nothing of it could be opened; "
                "restore the newest copy of the key store first: `onewriter keys restore-copy FILE`."
            )


def refuse_while_working(runtime: Runtime, now: Instant) -> None:
    """Raises ServiceRuns while a worker of this database is alive."""
    with runtime.database.read() as db:
        if workers.any_alive(db, now, runtime.settings.number("worker_dead_s")):
            raise ServiceRuns("A worker is running on this database; stop the service first, then restore.")


def restore(runtime: Runtime, file: SealedFile, looked: Looked, by: str, now: Instant, tell: Tell) -> None:
    """Put the backup in the place of everything in the main database, in one transaction.

    What must follow is written down with it: `recovering.finish` carries it out, here or after a crash.
    """
    refuse_while_working(runtime, now)
    recovering.end_before_replacing(runtime)

    def told() -> Iterator[bytes]:
        for piece in file.pieces(runtime.keys):
            yield piece
            tell(len(dump.read_piece(piece)[1]))

    header = file.header
    access.settle_head(runtime.database, runtime.keys, now)
    with runtime.database.write() as db:
        dump.replace(db, "main", header.revision, header.columns, told(), looked.trailer.counted)
        recovering.begin(db, recovering.AFTER_BACKUP, header.made_at, by, now)
        end = access.write_restore(db, runtime.keys, by, Role.OWNER.value, now)
    chain.move(runtime.keys, chain.ACCESS, end)


def prepare_main(runtime: Runtime) -> None:
    """Bring the main database up to date, without a look at the key store."""
    migrate.upgrade(runtime.database, "main")
    runtime.migrate_jobs()


def restore_keys(runtime: Runtime, file: SealedFile, by: str, now: Instant) -> None:
    """Put a copy that was looked through in the place of the key store, in one transaction.

    What must follow is written down in the main database first; to do it for a copy that was not restored harms
    nothing.
    """
    with runtime.database.write() as db:
        recovering.begin(db, recovering.AFTER_KEYS, file.header.made_at, by, now)
    head_kept = copying.restore_copy(runtime.keys, file)
    access.record_keys_restore(runtime.database, runtime.keys, by, Role.OWNER.value, now, head_kept=head_kept)
