"""Fetch the real Admin schemas that the contract tests hold ours against: `make schema`.

They come inside an npm package. It is packed and unpacked here, never installed and never run: it would report its use.
"""

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

PACKAGE = "@shopify/dev-mcp@1.16.0"
INTEGRITY = "sha512-tqgRnK7sQhjew+htxtleTH23nXB5fZcsrhWgEkomsorGXvLOB2mh2upwZm8uzuTDNTZnqtLMe64yIwh6s2awtw=="
VERSIONS = ("2026-07", "2026-10")
FOLDER = Path(__file__).resolve().parent.parent / "build" / "schema"
FETCH_MAX_S = 300


class Unavailable(Exception):
    """The schemas cannot be had on this machine."""


def path_of(version: str) -> Path:
    return FOLDER / f"admin_{version}.json.gz"


def fetch() -> Path:
    """The folder with the schemas, fetched if they are not there yet."""
    if not all(path_of(version).exists() for version in VERSIONS):
        FOLDER.mkdir(parents=True, exist_ok=True)
        _unpack(_packed())
    return FOLDER


def introspection(version: str) -> Any:
    """The answer of the introspection query, as graphql-core builds a schema from it."""
    with gzip.open(path_of(version), "rt", encoding="utf-8") as file:
        return json.load(file)["data"]


def _packed() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    command = [npm, "pack", PACKAGE, "--ignore-scripts", "--pack-destination", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_MAX_S, check=False)
    if done.returncode:
        raise Unavailable(f"npm could not fetch {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    tarball = FOLDER / done.stdout.strip().splitlines()[-1]
    check_integrity(tarball)
    return tarball


def check_integrity(tarball: Path, expected: str = INTEGRITY) -> None:
    """The very file that was pinned, or none: a package that changed under its version is not unpacked."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != expected:
        tarball.unlink()
        raise ValueError(f"{PACKAGE} is not the package that was pinned: its checksum is {found}")


def _unpack(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        for version in VERSIONS:
            member = archive.extractfile(f"package/dist/data/admin_{version}.json.gz")
            if member is None:
                raise Unavailable(f"{PACKAGE} holds no schema of {version}")
            path_of(version).write_bytes(member.read())
    tarball.unlink()


if __name__ == "__main__":
    try:
        fetch()
    except Unavailable as error:
        sys.exit(f"The real schemas are not available: {error}")
    print(f"The Admin schemas of {', '.join(VERSIONS)} are in build/schema")
