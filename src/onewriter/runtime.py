"""Opening resources once: settings in; databases, vault, clients and jobs out."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dbos import DBOSClient, EnqueueOptions
from dbos import error as jobs_error
from sqlalchemy import Connection, Engine

from onewriter.customers import runs, shops
from onewriter.customers.shops import Shop
from onewriter.db import migrate
from onewriter.db.engine import BUSY_MS, Database, DoorBell, jobs_engine
from onewriter.errors import BadSetting, MasterKeyWrong, Temporary
from onewriter.intake.authorize import Authorizer
from onewriter.intake.connect import Connector
from onewriter.records import Instant, id_text, sortable_id
from onewriter.settings import Settings
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.tokens import KeptInDatabase, Tokens, open_credentials
from onewriter.vault import master
from onewriter.vault.keystore import KeyStore
from onewriter.vault.master import MasterKey
from onewriter.vault.vault import ShopVault, open_shop

DOOR_BUSY_MS = 3_000
RUN_QUEUE = "runs"
RUN_WORKFLOW = "run"
JOBS_NAME = "onewriter"
JOBS_VERSION = "1"
"""Pinned: by default it is a hash of the code, and a new release would never take up what the last one queued."""


def now() -> Instant:
    """Our clock, in microseconds. The only place that reads it; a runtime carries it, so that it can be another."""
    return time.time_ns() // 1000


def new_run_id(moment: Instant) -> str:
    """A run id that sorts by time, since the durable jobs' own times tie within a second on SQLite."""
    return id_text(sortable_id(moment, os.urandom(10)))


class Runtime:
    """What a process of onewriter works with. Close it, or use it in a `with`."""

    client_options: Mapping[str, Any] = MappingProxyType({})
    """What else every client is opened with; the simulation sets how it sleeps, and the wire to its shop."""

    def __init__(self, settings: Settings, *, door: bool = False, clock: Callable[[], Instant] = now) -> None:
        self.settings = settings
        self.now = clock
        folder = settings.data_dir
        if not settings.text("database_url"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The door answers 503 after three seconds rather than let Shopify wait longer than it does.
        busy_ms = DOOR_BUSY_MS if door else BUSY_MS
        self.database = Database(settings.database_url, busy_ms=busy_ms)
        self.key_database = Database(settings.keystore_url, busy_ms=busy_ms)
        if self.database.url == self.key_database.url:
            raise BadSetting("The key store must not be the main database; name another one in ONEWRITER_KEYSTORE_URL.")
        self._keys: KeyStore | None = None
        self._vaults: dict[int, ShopVault] = {}
        self._clients: dict[int, tuple[tuple[Any, ...], AdminClient]] = {}
        self._left: list[AdminClient] = []
        self._jobs: tuple[Engine, DBOSClient] | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything that was opened."""
        for client in [*self._left, *(client for _given, client in self._clients.values())]:
            client.close()
        if self._jobs is not None:
            self._jobs[1].destroy()
            self._jobs[0].dispose()
        self.database.close()
        self.key_database.close()

    def prepare(self) -> None:
        """Bring both databases up to date, and make a master key if there has never been one."""
        self.migrate()
        self.keys.prove(self.now())

    def migrate(self) -> None:
        """Bring the tables of both databases up to date; no key is needed for it, and none made."""
        migrate.upgrade(self.key_database, "keys")
        migrate.upgrade(self.database, "main")
        self.migrate_jobs()

    def migrate_jobs(self) -> None:
        """Make the durable jobs' own tables. The library has no public call for it that takes an engine.

        It looks first: making takes the write lock even where there is nothing to make, and every command prepares.
        """
        engine = jobs_engine(self.settings.database_url)
        client = DBOSClient(system_database_engine=engine, application_name=JOBS_NAME, lazy=True)
        try:
            try:
                client._sys_db.verify_migrations()
            except jobs_error.DBOSInitializationError:
                client._sys_db.run_migrations()
        finally:
            client.destroy()
            engine.dispose()

    @property
    def keys(self) -> KeyStore:
        """The key store, opened with the master keys of the settings."""
        with self._lock:
            if self._keys is None:
                self._keys = KeyStore(self.key_database, self._master_keys(), self._master_keys)
            return self._keys

    def _master_keys(self) -> tuple[MasterKey, ...]:
        settings = self.settings
        if settings.text("master_key"):
            return master.parse_keys(settings.text("master_key"))
        if settings.text("master_key_command"):
            return master.parse_keys(master.run_command(settings.text("master_key_command")))
        path = settings.master_key_file
        if not path.exists() and self._key_store_is_new():
            with contextlib.suppress(FileExistsError):  # another process was a moment earlier
                master.write_new_file(path)
        if path.exists() and master.readable_by_others(path):
            raise MasterKeyWrong(f"Other users can read the master key file; run: chmod 600 {path}")
        return master.parse_keys(master.read_file(path))

    def _key_store_is_new(self) -> bool:
        """True while no key was ever made: only then may a master key be made up."""
        return KeyStore.is_new(self.key_database)

    def open_bell(self) -> DoorBell | None:
        """The lock by which the door asks bulk work to give way; SQLite has one writer and needs it. Close it."""
        return DoorBell(self.lock_folder / "door.wait") if self.database.is_sqlite else None

    @contextlib.contextmanager
    def bell(self) -> Iterator[DoorBell | None]:
        """That lock for as long as a run lasts."""
        opened = self.open_bell()
        try:
            yield opened
        finally:
            if opened is not None:
                opened.close()

    @contextlib.contextmanager
    def giving_way(self) -> Iterator[Callable[[], None]]:
        """What bulk work calls between two batches, so that the door need not wait; on PostgreSQL it never does."""
        with self.bell() as bell:
            yield bell.give_way if bell is not None else lambda: None

    @property
    def lock_folder(self) -> Path:
        """The folder of an embedded database, where its lock files are."""
        file = self.database.file
        return file.parent if file is not None else self.settings.data_dir

    def vault(self, shop_id: int) -> ShopVault:
        """The vault of a shop, opened once; and once more if the shop was erased and connected again."""
        with self._lock:
            known = self._vaults.get(shop_id)
            if known is None or known.key is not self.keys.shop_key(shop_id):
                with self.database.read() as db:
                    shop = shops.by_id(db, shop_id)
                self._vaults[shop_id] = open_shop(self.keys, shop_id, shop.region)
            return self._vaults[shop_id]

    def client(self, shop_id: int) -> AdminClient:
        """The client of a shop; opened anew when the shop was connected again."""
        with self.database.read() as db:
            shop = shops.by_id(db, shop_id)
        given = (shop.admin_url, shop.api_version, shop.connected_at)
        with self._lock:
            known = self._clients.get(shop_id)
            if known is not None and known[0] == given:
                return known[1]
            if known is not None:
                # Somebody may be in the middle of a call; it is closed with the rest.
                self._left.append(known[1])
            tokens = Tokens(KeptInDatabase(self.database, self.keys.shop_key(shop_id), shop_id), self.now)
            client = self._open_client(shop.admin_url, tokens, shop.api_version, on_date=self._hear_date(shop))
            self._clients[shop_id] = (given, client)
            return client

    def client_for(self, admin_url: str, credentials: Credentials, api_version: str) -> AdminClient:
        """A client for an address and credentials that are not written down; a token that it renews is not either."""
        return self._open_client(admin_url, credentials, api_version)

    def _open_client(
        self, admin_url: str, credentials: Credentials | Tokens, api_version: str, **options: Any
    ) -> AdminClient:
        return AdminClient(
            admin_url, credentials, api_version=api_version, clock=self.now, **options, **self.client_options
        )

    def _hear_date(self, shop: Shop) -> Callable[[Instant], None]:
        """What writes Shopify's clock down as answers tell it: one small write in ten minutes, whoever asks."""
        heard = shop.shopify_date_heard

        def hear(date: Instant) -> None:
            nonlocal heard
            moment = self.now()
            if heard is not None and abs(moment - heard) < shops.DATE_EVERY:
                return
            heard = moment
            # An answer must not be lost for want of its time.
            with contextlib.suppress(Temporary), self.database.write() as db:
                shops.hear_date(db, shop.id, date, moment)

        return hear

    def credentials(self, shop: Shop) -> Credentials:
        """The credentials of a shop, opened."""
        return open_credentials(self.keys.shop_key(shop.id), shop)

    @property
    def jobs(self) -> DBOSClient:
        """The durable jobs, to hand work to; this process runs none of it."""
        with self._lock:
            if self._jobs is None:
                engine = jobs_engine(self.settings.database_url)
                self._jobs = (engine, DBOSClient(system_database_engine=engine, application_name=JOBS_NAME, lazy=True))
            return self._jobs[1]

    def enqueue(self, db: Connection, run_id: str) -> None:
        """Hand a queued run to the workers, in the transaction that wrote it down: both land or neither.

        A run that was paused and queued again is another job, since the durable jobs never take up one that has ended.
        """
        attempt = runs.get(db, run_id).attempt
        options: EnqueueOptions = {
            "workflow_name": RUN_WORKFLOW,
            "queue_name": RUN_QUEUE,
            "workflow_id": f"{run_id}/{attempt}" if attempt else run_id,
            "app_version": JOBS_VERSION,
        }
        self.jobs.enqueue_in_transaction(db, options, run_id)

    def connector(self) -> Connector:
        """What connects shops."""
        return Connector(self.database, self.keys, self.enqueue, new_run_id)

    def authorizer(self) -> Authorizer:
        """What connects shops by their merchants' agreement."""
        return Authorizer(self.connector(), self.client_for)
