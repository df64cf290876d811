"""Master keys: what opens the key store. They live in neither database, and several may be live at once.

A key is 32 random bytes, written as base64, one a line; the first is the one that new keys are wrapped with.
"""

import base64
import binascii
import hashlib
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from onewriter.errors import MasterKeyWrong
from onewriter.vault.seal import KEY_BYTES, Cipher

COMMAND_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key. Its id is a fingerprint, which tells nothing of it."""

    id: str
    cipher: Cipher = field(repr=False)


def make_master_key() -> str:
    """A new master key, as the text that goes into the file."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def write_new_file(path: Path) -> None:
    """Write a new master key to a new file that only its owner can read; an existing file is left alone and raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(make_master_key() + "\n")
        # The name appears with the whole key behind it, so that another process never reads half of it.
        os.link(fresh, path)
    finally:
        fresh.unlink()


def read_file(path: Path) -> str:
    """The text of a master key file; one clear sentence when it is missing."""
    try:
        return path.read_text()
    except OSError as error:
        raise MasterKeyWrong(
            f"The master key file {path} cannot be read ({error.strerror}). Put back the file that the key store was "
            "made with; without it nothing in the database can be opened."
        ) from None


def readable_by_others(path: Path) -> bool:
    """True when somebody but the owner may read the file."""
    return bool(path.stat().st_mode & 0o077)


def run_command(command: str) -> str:
    """The text that a command prints, for keys that are kept by another program. No shell reads the command."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the operator's own settings
            command.split(), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MasterKeyWrong(
            f"The master key command did not answer ({type(error).__name__}); run it by hand to see why."
        ) from None
    return done.stdout


def parse_keys(text: str) -> tuple[MasterKey, ...]:
    """The keys in a text, the current one first; a line that is no key is one clear error, without the line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise MasterKeyWrong("There is no master key in the place that the settings name; it is empty.")
    return tuple(_parse_key(number, line) for number, line in enumerate(lines, start=1))


def _parse_key(number: int, line: str) -> MasterKey:
    try:
        secret = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise MasterKeyWrong(f"Line {number} of the master key is not {KEY_BYTES} bytes written as base64.")
    fingerprint = hashlib.blake2b(secret, digest_size=8, person=b"master-id").hexdigest()
    return MasterKey(fingerprint, Cipher(secret))
