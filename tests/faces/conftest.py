"""The command line in this process, an installation for it, and a sandbox shop to connect."""

import asyncio
import contextlib
import io
import json
import pwd
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli import root
from onewriter.customers import shops
from onewriter.intake.door import Door
from onewriter.intake.drain import Drain
from onewriter.records import Delivery
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from onewriter.shopify import queries
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.workflows import carrying
from tests.support.databases import Pair, move_in

PUBLIC_URL = "http://127.0.0.1:8480"


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def all(self) -> str:
        return self.out + self.err


class Onewriter:
    """The command line, run in this process."""

    def __call__(self, *words: str, code: int = 0) -> Told:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = root.main(words, prog_name="onewriter", standalone_mode=False)
        told = Told(ended, out.getvalue(), err.getvalue())
        assert told.code == code, told
        assert "Traceback" not in told.all
        return told

    def json(self, *words: str, code: int = 0) -> Any:
        """The one JSON document that a command prints."""
        return self(*words, "--json", code=code).document

    def connect(
        self, sandbox: RunningSandbox, *words: str, code: int = 0, public_url: str = PUBLIC_URL, **secrets: str
    ) -> Any:
        """Connect the shop with its own token and secret, or with those given in their place."""
        info = sandbox.info
        urls = ("--admin-url", info.admin_url, "--public-url", public_url)
        given = {"access_token": info.access_token, "api_secret": info.api_secret} | secrets
        with in_environment(**given):
            return self.json("shop", "connect", info.domain, *urls, *words, code=code)

    def heard(self, shopify_id: int) -> bool:
        """True when there is a customer of that Shopify id."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            words = ("customers", "find", str(shopify_id), "--json")
            return bool(root.main(words, prog_name="onewriter", standalone_mode=False) == 0)

    def imported(self, sandbox: RunningSandbox) -> str:
        """Connect the shop and carry its import out, as a worker would; the run's id."""
        run_id: str = self.connect(sandbox)["run"]
        carry_out(run_id)
        return run_id


@contextlib.contextmanager
def in_environment(**secrets: str) -> Iterator[None]:
    """Secrets of a shop where the command line reads them; typed as they stand it would refuse them."""
    with pytest.MonkeyPatch.context() as patched:
        for name, secret in secrets.items():
            patched.setenv(f"SHOPIFY_{name.upper()}", secret)
        yield


def carry_out(run_id: str) -> None:
    with Runtime(settings.load()) as runtime:
        carrying.carry_out(runtime, run_id)


def deliver(topic: str, body: dict[str, Any], webhook_id: str = "w-1", *, api_version: str | None = None) -> None:
    """Take a delivery in through the door, and apply what waits in the inbox."""
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            shop_id = shops.every(db)[0].id
        moment = now()
        content = json.dumps(body).encode()
        delivery = Delivery(shop_id, webhook_id, topic, content, moment, triggered=moment, api_version=api_version)
        door = Door(runtime.database, None)
        asyncio.run(door.receive(delivery, runtime.vault(shop_id)))
        door.close()
        Drain(runtime.database, runtime.vault, 30).once(now())


def bulk_operations(sandbox: RunningSandbox) -> list[Any]:
    """Every bulk operation that was asked of the shop."""
    credentials = Credentials("token", access_token=sandbox.info.access_token)
    with AdminClient(sandbox.info.admin_url, credentials, api_version=queries.API_VERSION, clock=now) as client:
        nodes: list[Any] = client.query(queries.BULK_RUNNING).part("bulkOperations")["nodes"]
    return nodes


@pytest.fixture
def installed(database_url: str, keys_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Onewriter:
    """The command line of a new installation, on each database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEWRITER_DATA_DIR", str(tmp_path / "data"))
    if database_url.startswith("sqlite"):
        move_in((database_url, keys_url), tmp_path / "data")
    else:
        monkeypatch.setenv("ONEWRITER_DATABASE_URL", database_url)
        monkeypatch.setenv("ONEWRITER_KEYSTORE_URL", keys_url)
    return Onewriter()


@pytest.fixture
def nothing_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Onewriter:
    """The command line where nothing was ever installed: the first command that needs it makes the data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEWRITER_DATA_DIR", str(tmp_path / "data"))
    return Onewriter()


@pytest.fixture
def onewriter(nothing_yet: Onewriter, migrated_files: Pair, tmp_path: Path) -> Onewriter:
    """The command line of a new installation on SQLite, for what has nothing to do with the database."""
    move_in(migrated_files, tmp_path / "data", copied=True)
    return nothing_yet


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the commands that follow as another operating-system user."""
    real = pwd.getpwuid

    def become(name: str) -> None:
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd((name, *real(uid)[1:])))

    return become


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    """A sandbox shop of 30 customers."""
    with RunningSandbox(30, 7) as running:
        yield running
