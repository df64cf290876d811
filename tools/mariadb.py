"""Run the tests of the kind `sql` against a real MariaDB: `make test-mariadb`.

The server is taken from the path, or else out of Debian's packages, which are unpacked below build/ and not installed.
Where neither is to be had, it says so and does nothing: this lane is not part of `make test`.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
UNPACKED = ROOT / "build" / "mariadb"
PACKAGES = (
    "mariadb-server-core",
    "mariadb-client-core",
    "mariadb-common",
    "libaio1",
    "liburing2",
    "libpcre2-8-0",
    "libnuma1",
)
START_S = 60.0


def unpacked() -> Path | None:
    """The folder with the server's programs and files, unpacked from Debian's packages if need be."""
    if (UNPACKED / "usr/sbin/mariadbd").exists():
        return UNPACKED
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return None
    UNPACKED.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        # One by one, since a name that another release of Debian does not know would stop the rest.
        subprocess.run(["apt-get", "-qq", "download", package], cwd=UNPACKED, check=False, stderr=subprocess.DEVNULL)
    for file in UNPACKED.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(file), str(UNPACKED)], check=True)
    return UNPACKED if (UNPACKED / "usr/sbin/mariadbd").exists() else None


def environment(base: Path) -> Mapping[str, str]:
    """The environment in which the programs find their libraries."""
    places = [str(path.parent) for path in base.glob("**/lib*.so.*")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(dict.fromkeys(places))}


@contextmanager
def running(base: Path, home: Path) -> Iterator[str]:
    """A server of its own on this machine only; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data, found = home / "data", environment(base)
    install = [str(base / "usr/bin/mariadb-install-db"), "--no-defaults", f"--basedir={base}/usr", f"--datadir={data}"]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"]
    subprocess.run(install, env=found, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    server = [str(base / "usr/sbin/mariadbd"), "--no-defaults", f"--basedir={base}/usr", f"--datadir={data}"]
    server += [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home}/socket", "--user=root"]
    server += ["--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4", "--skip-name-resolve"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(server, env=found, stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield f"mariadb://root@127.0.0.1:{port}/mysql"
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("MariaDB did not start; its own log says why.")


def main() -> int:
    """Start a server and run the tests against it; 0 with a printed reason where there is none."""
    base = unpacked()
    if base is None:
        print("Skipped: no MariaDB here, and its Debian packages cannot be had.")
        return 0
    with TemporaryDirectory(prefix="onewriter-mariadb-") as home, running(base, Path(home)) as url:
        tests = [sys.executable, "-m", "pytest", "-rs", "tests/contract/mariadb_lane.py", *sys.argv[1:]]
        return subprocess.run(tests, cwd=ROOT, env=os.environ | {"MARIADB_URL": url}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
