"""Where a measurement takes place: a temporary folder, databases that pay for their commits, and a shop."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from onewriter.bench.parts import Caller
from onewriter.bench.postgres import fresh_database, running_postgres
from onewriter.db.tables import shops
from onewriter.intake.connect import Wish
from onewriter.runtime import Runtime, now
from onewriter.settings import Settings, load
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION

SEED = 1
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens: the shop's deliveries are not what is measured."""

Place = dict[str, str]
"""The settings of one installation, as environment variables."""


@dataclass(slots=True)
class Stage:
    """One kind of database, and a folder for everything that is written."""

    database: str
    folder: Path
    server: str | None = None
    _closing: ExitStack = field(default_factory=ExitStack)

    def place(self, name: str) -> Place:
        """A new and empty installation."""
        place = {"ONEWRITER_DATA_DIR": str(self.folder / name)}
        if self.server is not None:
            place["ONEWRITER_DATABASE_URL"] = self._closing.enter_context(fresh_database(self.server))
            place["ONEWRITER_KEYSTORE_URL"] = self._closing.enter_context(fresh_database(self.server))
        return place

    def beside(self, name: str) -> str:
        """The address of an empty database of the same kind, for a system that is connected."""
        if self.server is None:
            return f"sqlite:///{self.folder / name}.db"
        return self._closing.enter_context(fresh_database(self.server))


@contextmanager
def staged(database: str) -> Iterator[Stage]:
    """A stage on `sqlite` or `postgres`; nothing of it remains."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="onewriter-bench-")))
        server = closing.enter_context(running_postgres(durable=True)) if database == "postgres" else None
        yield Stage(database, folder, server, closing.enter_context(ExitStack()))


def settings_of(place: Mapping[str, str]) -> Settings:
    """The settings of a place; those of this machine's user play no part."""
    return load(place, Path(place["ONEWRITER_DATA_DIR"]))


def play_shop(caller: Caller) -> None:
    """A part: a sandbox shop that runs until its caller ends it."""
    from onewriter.sandbox import RunningSandbox

    with RunningSandbox(caller.given["customers"], SEED) as running:
        info = running.info
        caller.tell(domain=info.domain, token=info.access_token, secret=info.api_secret, url=info.admin_url)
        caller.ended.wait()


def connect(place: Place, shop: Mapping[str, str]) -> str:
    """Prepare an installation and connect the shop, as a person would; returns the import run that was queued."""
    credentials = Credentials("token", access_token=shop["token"], api_secrets=(shop["secret"],))
    wish = Wish(shop["domain"], shop["url"], NOBODY, API_VERSION, None, credentials)
    with Runtime(settings_of(place)) as runtime:
        runtime.prepare()
        with runtime.client_for(shop["url"], credentials, API_VERSION) as client:
            connected = runtime.connector().connect(client, wish, "bench", now())
    assert connected.run_id is not None
    return connected.run_id


@contextmanager
def prepared(place: Mapping[str, str]) -> Iterator[Runtime]:
    """An installation with its tables and nothing in them."""
    with Runtime(settings_of(place)) as runtime:
        runtime.prepare()
        yield runtime


def settle(runtime: Runtime) -> None:
    """What PostgreSQL does by itself once the rows have been there for a while."""
    if not runtime.database.is_sqlite:
        for database in (runtime.database, runtime.key_database):
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
                db.execute(text("VACUUM ANALYZE"))


def copy_shops(source: Runtime, target: Runtime) -> None:
    """Copy the shops' rows, which other rows refer to."""
    with source.database.read() as db:
        rows: list[Any] = [dict(row) for row in db.execute(select(shops)).mappings()]
    with target.database.write() as db:
        db.execute(insert(shops), rows)
