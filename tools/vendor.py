"""Fetch what others made out of their npm packages: `python tools/vendor.py [--pin] [LIST FOLDER]`.

A list says which files of which packages, and the checksum of each: without a word about it, what pages load is fetched
into its place. A file that is not the one listed is not written; for a new version put its number into the list, and
`--pin` writes the checksums as they are then. Packages are packed and unpacked, never installed and never run.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VENDORED = Path(__file__).resolve().parent.parent / "src" / "onewriter" / "web" / "static" / "vendor"
LIST = VENDORED / "list.toml"
FETCH_MAX_S = 300


class Unavailable(Exception):
    """A package cannot be had on this machine."""


class NotThatFile(Exception):
    """A package does not hold the file that was listed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a package."""

    name: str
    """What it is called here."""
    package: str
    licence: str
    path: str
    sha256: str


def listed(text: str) -> list[Listed]:
    """The files of a list."""
    return [
        Listed(
            file["name"], f"{package['name']}@{package['version']}", package["licence"], file["path"], file["sha256"]
        )
        for package in tomllib.loads(text)["package"]
        for file in package["files"]
    ]


def sha256_of(body: bytes) -> str:
    """The checksum as lists give it."""
    return hashlib.sha256(body).hexdigest()


def found(files: list[Listed]) -> Iterator[tuple[Listed, bytes]]:
    """Each file as its package has it."""
    with tempfile.TemporaryDirectory() as folder:
        packages = {file.package for file in files}
        tarballs = {package: _packed(package, Path(folder)) for package in sorted(packages)}
        for file in files:
            with tarfile.open(tarballs[file.package]) as archive:
                member = archive.extractfile(f"package/{file.path}")
                if member is None:
                    raise NotThatFile(f"{file.package} holds no file {file.path}.")
                yield file, member.read()


def _packed(package: str, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed.")
    command = [npm, "pack", package, "--ignore-scripts", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_MAX_S, check=False)
    if done.returncode:
        raise Unavailable(f"npm could not fetch {package}: {done.stderr.strip().splitlines()[-1:]}")
    return folder / done.stdout.strip().splitlines()[-1]


def check(file: Listed, body: bytes) -> None:
    """Raise NotThatFile for another file than the one listed."""
    if sha256_of(body) != file.sha256:
        raise NotThatFile(f"{file.path} of {file.package} is not the file that was listed: {sha256_of(body)}.")


def fetch(place: Path, folder: Path, pin: bool) -> None:
    """Write every file of the list into the folder, or none."""
    text = place.read_text(encoding="utf-8")
    bodies = dict(found(listed(text)))
    for file, body in bodies.items():
        if pin:
            text = text.replace(file.sha256, sha256_of(body))
        else:
            check(file, body)
    folder.mkdir(parents=True, exist_ok=True)
    for file, body in bodies.items():
        (folder / file.name).write_bytes(body)
    if pin:
        place.write_text(text, encoding="utf-8")


def main() -> None:
    """Fetch, and say what is there now."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--pin", action="store_true", help="write the checksums of what the packages hold into the list")
    asked.add_argument("list", nargs="?", type=Path, default=LIST)
    asked.add_argument("folder", nargs="?", type=Path, default=VENDORED)
    given = asked.parse_args()
    try:
        fetch(given.list, given.folder, given.pin)
    except (Unavailable, NotThatFile) as error:
        sys.exit(f"Nothing was written: {error}")
    for package in sorted({f"{file.package} ({file.licence})" for file in listed(given.list.read_text("utf-8"))}):
        print(f"Fetched {package}.")


if __name__ == "__main__":
    main()
