"""A real Odoo for the lane `make test-odoo`: Debian's newest package, its Python dependencies, our own PostgreSQL.

Nothing of it is installed in the system. What was fetched stays in build/odoo, since it is large; the server and its
database are gone at the end. The version that Debian's unstable suite has moves on; what is there is what is tested.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onewriter.bench.postgres import running_postgres

FOLDER = Path(__file__).resolve().parent.parent / "build" / "odoo"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
DATABASE = "shop"
FETCH_MAX_S, START_MAX_S = 600, 300
MODULES = "base,contacts,base_automation"
DEPENDENCIES = (
    *("asn1crypto", "Babel", "cbor2", "chardet", "cryptography", "python-dateutil", "docutils", "geoip2", "gevent"),
    *("greenlet", "idna", "Jinja2", "libsass", "lxml", "lxml-html-clean", "MarkupSafe", "num2words", "ofxparse"),
    *("openpyxl", "pyopenssl", "Pillow", "polib", "psutil", "psycopg2-binary", "pypdf", "pytz", "qrcode", "reportlab"),
    *("requests", "rjsmin", "pyserial", "python-stdnum", "urllib3", "pyusb", "vobject", "Werkzeug<3.2", "xlrd"),
    *("XlsxWriter", "xlwt", "zeep", "freezegun", "python-magic", "passlib", "PyPDF2", "setuptools<80"),
)
MAKE_KEYS = """
import datetime, json
admin = env.ref("base.user_admin")
admin.password = "of the tests"
groups = "group_ids" if "group_ids" in env["res.users"]._fields else "groups_id"
given = {{"name": "Reader", "login": "reader", groups: [(6, 0, [env.ref("base.group_user").id])]}}
reader = env["res.users"].create(given)
ends = datetime.datetime.now() + datetime.timedelta(hours=12)
keys = [env(user=user.id)["res.users.apikeys"]._generate("rpc", "onewriter", ends) for user in (admin, reader)]
env.cr.commit()
open({path!r}, "w").write(json.dumps({{"key": keys[0], "reader_key": keys[1], "login": admin.login}}))
"""


class Unavailable(Exception):
    """Odoo cannot be had on this machine."""


@dataclass(frozen=True)
class RunningOdoo:
    """Where it is and how one gets in. Its secrets end with it."""

    url: str
    database: str
    login: str
    key: str = field(repr=False)
    reader_key: str = field(repr=False)
    """Of a user who may read contacts and not write them."""
    database_url: str = field(repr=False)
    """Its database, for what only a hand behind its back can do."""
    package: str = ""


def fetch(folder: Path = FOLDER) -> str:
    """Fetch the package and what it needs, if it is not there yet, and return the package's name."""
    done = folder / "fetched"
    if done.exists():
        return done.read_text().strip()
    package = _unpacked(folder)
    interpreter = folder / "venv" / "bin" / "python"
    if not interpreter.exists():
        _run([sys.executable, "-m", "venv", str(folder / "venv")], "make an environment")
    _run([str(interpreter), "-m", "pip", "-qq", "install", *DEPENDENCIES], "install what Odoo needs")
    done.write_text(package)
    return package


def _unpacked(folder: Path) -> str:
    """Download the newest package of Odoo with apt, by lists of our own, and unpack it; nothing is installed."""
    if shutil.which("apt-get") is None or not SOURCES.exists():
        raise Unavailable("this is not a Debian with its package lists")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    listed = folder / "apt" / "sid.list"
    first = SOURCES.read_text().split("\n\n")[0]
    told = dict(line.split(": ", 1) for line in first.splitlines() if ": " in line and line[0] != "#")
    listed.write_text(f"deb [signed-by={told['Signed-By']}] {told['URIs']} sid main\n")
    options = [
        *("-o", f"Dir::Etc::sourcelist={listed}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={folder / 'apt' / 'lists'}", "-o", f"Dir::Cache={folder / 'apt' / 'cache'}"),
        *("-o", "APT::Cache-Start=100000000", "-o", "APT::Sandbox::User=root"),
    ]
    _run(["apt-get", *options, "-qq", "update"], "read Debian's package lists")
    found = _run(["apt-cache", *options, "search", "--names-only", "^odoo-[0-9]+$"], "look for the package")
    names = sorted((line.split()[0] for line in found.splitlines() if line), key=lambda name: int(name[5:]))
    if not names:
        raise Unavailable("Debian's unstable suite has no package of Odoo any more")
    _run(["apt-get", *options, "-qq", "download", names[-1]], "download the package", folder)
    archive = max(folder.glob(f"{names[-1]}_*.deb"), key=lambda path: path.stat().st_mtime)
    _run(["dpkg", "-x", str(archive), str(folder / "src")], "unpack the package")
    archive.unlink()
    return names[-1]


def _run(command: list[str], what: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_MAX_S, check=False)
    if done.returncode:
        raise Unavailable(f"could not {what}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return done.stdout


@contextmanager
def running_odoo(folder: Path = FOLDER) -> Iterator[RunningOdoo]:
    """A new Odoo with an empty database. Raises Unavailable where it is not to be had."""
    package = fetch(folder)
    with running_postgres() as postgres, tempfile.TemporaryDirectory(prefix="onewriter-odoo-") as home:
        yield from _served(Path(home), folder, postgres, package)


def _served(home: Path, folder: Path, postgres: str, package: str) -> Iterator[RunningOdoo]:
    port = _free_port()
    _configure(home, folder, postgres, port)
    command = [str(folder / "venv" / "bin" / "python"), "-m", "odoo"]
    given = ["-c", str(home / "odoo.conf"), "-d", DATABASE]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(folder / "src" / "usr" / "lib" / "python3" / "dist-packages"),
    }
    with (home / "odoo.log").open("wb") as log:
        made = subprocess.run(
            [*command, *given, "-i", MODULES, "--without-demo=all", "--stop-after-init"],
            env=environment,
            stdout=log,
            stderr=log,
            timeout=START_MAX_S,
        )
        secrets = home / "secrets.json"
        subprocess.run(
            [*command, "shell", *given, "--no-http"],
            env=environment,
            stdout=log,
            stderr=log,
            timeout=START_MAX_S,
            input=MAKE_KEYS.format(path=str(secrets)).encode(),
        )
        if made.returncode or not secrets.exists():
            raise Unavailable(f"Odoo could not make its database: {_last_line(home / 'odoo.log')}")
        told = json.loads(secrets.read_text())
        server = subprocess.Popen([*command, *given], env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(server, url, home)
            place = f"{postgres.replace('+psycopg', '')}/{DATABASE}"
            yield RunningOdoo(url, DATABASE, told["login"], told["key"], told["reader_key"], place, package)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _configure(home: Path, folder: Path, postgres: str, port: int) -> None:
    account, _, place = postgres.removeprefix("postgresql+psycopg://").rpartition("@")
    user, _, password = account.partition(":")
    host, _, number = place.partition(":")
    packages = folder / "src" / "usr" / "lib" / "python3" / "dist-packages"
    settings = {
        "addons_path": packages / "odoo" / "addons",
        "data_dir": home / "data",
        "db_host": host,
        "db_port": number,
        "db_user": user,
        "db_password": password,
        "http_interface": "127.0.0.1",
        "http_port": port,
        "workers": 0,
        "max_cron_threads": 0,
        "list_db": False,
    }
    lines = ["[options]", *(f"{name} = {value}" for name, value in settings.items())]
    (home / "odoo.conf").write_text("\n".join(lines) + "\n")
    (home / "odoo.conf").chmod(0o600)


def _wait(server: "subprocess.Popen[bytes]", url: str, home: Path) -> None:
    until = time.monotonic() + START_MAX_S
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/web/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise Unavailable(f"Odoo did not start: {_last_line(home / 'odoo.log')}")


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1][-300:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["fetch"]:
            print(f"{fetch()} is in build/odoo")
            sys.exit()
        with running_odoo() as odoo:
            print(f"{odoo.package} is at {odoo.url}, database {odoo.database}, login {odoo.login}, key {odoo.key}")
            print(f"A key that may only read: {odoo.reader_key}. Its database: {odoo.database_url}")
            print("It ends with Ctrl-C.", flush=True)
            while True:
                time.sleep(3600)
    except Unavailable as error:
        sys.exit(f"Odoo is not available here: {error}.")
    except KeyboardInterrupt:
        pass
