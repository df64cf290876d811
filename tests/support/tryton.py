"""A real Tryton server for tests: prepared once a session, copied and started by each worker that asks for it."""

import fcntl
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.processes import PATIENCE_S, wait_until

DATABASE = "t"
OWNER_KEY, READER_KEY = "o" * 64, "r" * 64
PARTY = f"/{DATABASE}/rest/model/party.party"
CHILD = f"/{DATABASE}/rest/model/party.contact_mechanism"

# Its own modules cannot be imported here: they want a configuration before the first import.
SEED = """
import sys, warnings
warnings.simplefilter("ignore")
import trytond.config as config
config.update_etc(sys.argv[1])
from trytond.pool import Pool
from trytond.transaction import Transaction
Pool.start()
pool = Pool("t")
with Transaction().start("t", 0, readonly=True):
    pool.init()
with Transaction().start("t", 1) as transaction:
    reader, = pool.get("res.user").create([{"name": "Reader", "login": "reader"}])
    sales, = pool.get("res.group").create([{"name": "Sales", "users": [("add", [1])]}])
    rights = {"model": "party.party", "perm_read": True}
    writing = {"perm_write": True, "perm_create": True, "perm_delete": True}
    pool.get("ir.model.access").create([
        rights | dict.fromkeys(writing, False), rights | writing | {"group": sales.id},
    ])
    pool.get("res.user.application").create([
        {"user": 1, "application": "rest", "key": sys.argv[2]},
        {"user": reader.id, "application": "rest", "key": sys.argv[3]},
    ])
    transaction.commit()
"""


@dataclass
class Tryton:
    """A server that runs, and what somebody does in it without us."""

    url: str

    def asked(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to one request of its owner's."""
        headers = {"Authorization": f"Bearer {OWNER_KEY}"}
        reply = httpx2.request(method, self.url + path, json=body, headers=headers, timeout=30.0)
        assert reply.status_code in (200, 204), f"Tryton answered {reply.status_code} to {method} {path}."
        return reply.json() if reply.content else None

    def made(self, name: str, **mechanisms: str) -> str:
        """A new party with an e-mail or a phone, and its id."""
        children = [{"type": kind, "value": value} for kind, value in mechanisms.items()]
        return str(self.asked("POST", PARTY, {"name": name, "contact_mechanisms": [["create", children]]})["id"])

    def party(self, record_id: str, *fields: str) -> Mapping[str, Any]:
        """What it holds of a party."""
        names = [*fields, "contact_mechanisms.type", "contact_mechanisms.value"]
        question = {"domain": [["id", "=", int(record_id)], ["active", "in", [True, False]]], "fields_names": names}
        (found,) = self.asked("POST", f"{PARTY}/search_read", question)
        return found  # type: ignore[no-any-return]

    def mechanisms(self, record_id: str) -> dict[str, tuple[int, str]]:
        """The e-mail, phone and so on of a party: the id and the value by type."""
        listed = self.party(record_id, "name")["contact_mechanisms."]
        return {each["type"]: (each["id"], each["value"]) for each in listed}


def _command(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _configured(folder: Path, port: int = 0) -> Path:
    place = folder / "trytond.conf"
    place.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n")
    return place


def _prepare(folder: Path) -> None:
    """Make the database, which takes seconds."""
    folder.mkdir()
    (folder / f"{DATABASE}.sqlite").touch()
    (folder / "password").write_text("a password of the tests\n")
    configuration = _configured(folder)
    words = ["-c", str(configuration), "-d", DATABASE, "-u", "ir", "res", "party", "--email", "a@example.com"]
    environment = {"TRYTONPASSFILE": str(folder / "password"), "PATH": "/usr/bin:/bin"}
    _run([_command("trytond-admin"), *words, "--activate-dependencies"], environment)
    _run([sys.executable, "-c", SEED, str(configuration), OWNER_KEY, READER_KEY], environment)


def _run(words: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE_S * 2)
    assert done.returncode == 0, done.stderr[-2000:]


@contextmanager
def running(prepared: Path, folder: Path) -> Iterator[Tryton]:
    """A server on a copy of the prepared database; it does not outlive the block."""
    shutil.copyfile(prepared / f"{DATABASE}.sqlite", folder / f"{DATABASE}.sqlite")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [_command("trytond"), "-c", str(_configured(folder, port)), "-d", DATABASE]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)
        try:
            wait_until(lambda: process.poll() is not None or _answers(port), step_s=0.05)
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            yield Tryton(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait(PATIENCE_S)


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory, worker_id_or_none: str | None) -> Iterator[Tryton]:
    """The one Tryton server of this worker."""
    root = tmp_path_factory.getbasetemp()
    # Under xdist each worker has a folder of its own below the run's.
    shared = root.parent if worker_id_or_none else root
    prepared = shared / "tryton"
    with (shared / "tryton.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prepared / "ready").exists():
            _prepare(prepared)
            (prepared / "ready").touch()
    with running(prepared, tmp_path_factory.mktemp("tryton-server")) as server:
        yield server


@pytest.fixture(scope="session")
def worker_id_or_none(request: pytest.FixtureRequest) -> str | None:
    """The name of this xdist worker, or None where there is only one process."""
    name = getattr(request.config, "workerinput", {}).get("workerid")
    return None if name is None else str(name)
