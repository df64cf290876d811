"""Master keys: what opens the key store. They live in neither database, and several may be live at once.

A key is 32 random bytes, written as base64, one a line or with spaces between; the first is the one that new keys are
wrapped with.
"""

import base64
import binascii
import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onewriter.errors import MasterKeyWrong
from onewriter.vault.seal import KEY_BYTES, Cipher

COMMAND_TIMEOUT_S = 30
TEXT_MAX = 65_536
"""Characters; a thousand keys have room in it."""
REST_S = 5.0
"""After it was in vain, how long the settings are not read again."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key. Its id is a fingerprint, which tells nothing of it."""

    id: str
    cipher: Cipher = field(repr=False)

    def wrap(self, secret: bytes, name: bytes) -> bytes:
        """A key of the key store, sealed by this one and bound to its name."""
        return self.cipher.seal(secret, name)


class MasterKeys:
    """The master keys that a process has, and how it learns of those that were added since it began.

    Threads share it. A key that it has had it keeps: one that is taken out of the settings too early goes on opening
    what it wrapped until the process ends.
    """

    def __init__(
        self,
        masters: Sequence[MasterKey],
        source: Callable[[], Sequence[MasterKey]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.current = masters[0]
        self._known = {master.id: master for master in masters}
        self._source = source
        self._clock = clock
        self._rests_until = 0.0
        self._lock = threading.Lock()

    @property
    def ids(self) -> frozenset[str]:
        """The fingerprints of those that are here."""
        return frozenset(self._known)

    def find(self, master_id: str) -> MasterKey | None:
        """That master key; one that is not here is looked for in the settings before None is the answer."""
        if master_id not in self._known:
            with self._lock:
                if master_id not in self._known:
                    self._read()
        return self._known.get(master_id)

    def read_again(self, *, at_once: bool = False) -> None:
        """Take what the settings say now; the first of it becomes the current one.

        Without `at_once`, not more often than every few seconds where it brings nothing: the settings may name a
        command that is slow.
        """
        with self._lock:
            if at_once:
                self._rests_until = 0.0
            self._read()

    def _read(self) -> None:
        if self._source is None or self._clock() < self._rests_until:
            return
        self._rests_until = self._clock() + REST_S
        read = self._source()
        before = (self.current.id, len(self._known))
        self._known = self._known | {master.id: master for master in read}
        self.current = self._known[read[0].id]
        if (self.current.id, len(self._known)) != before:
            self._rests_until = 0.0


def make_master_key() -> str:
    """A new master key, as the text that goes into the file."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def write_new_file(path: Path) -> None:
    """Write a new master key to a new file that only its owner can read; an existing file is left alone and raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    try:
        _write(fresh, make_master_key() + "\n")
        # The name appears with the whole key behind it, so that another process never reads half of it.
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    _settle(path.parent)


def put_new_first(path: Path) -> None:
    """Write a new master key into a key file as its first line; those that are there stay below it.

    The file is replaced whole or not at all, and keeps its owner, since a service may run as another user than whoever
    calls this. The caller keeps others from doing the same at this moment.
    """
    file = path.resolve()  # a link stays a link
    kept = read_file(file)
    parse_keys(kept)
    fresh = _beside(file)
    try:
        for left_over in file.parent.glob(f".{file.name}.{'[0-9a-f]' * 16}"):
            left_over.unlink()
        _write(fresh, f"{make_master_key()}\n{kept}", like=file.stat())
        fresh.replace(file)
        _settle(file.parent)
    except OSError as error:
        raise MasterKeyWrong(f"The master key file {path} cannot be written ({error.strerror}).") from None
    finally:
        fresh.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}")


def _write(path: Path, text: str, like: os.stat_result | None = None) -> None:
    """Write a new file that only its owner can read, down to the disk: a key that is lost loses all that it wrapped."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if like is not None and (like.st_uid, like.st_gid) != (os.getuid(), os.getgid()):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _settle(folder: Path) -> None:
    """Make sure that a name which appeared in the folder is there after a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> str:
    """The text of a master key file; one clear sentence when it is missing."""
    try:
        with path.open() as file:
            return file.read(TEXT_MAX)
    except OSError as error:
        raise MasterKeyWrong(
            f"The master key file {path} cannot be read ({error.strerror}). Put back the file that the key store was "
            "made with; without it nothing in the database can be opened."
        ) from None
    except UnicodeDecodeError:
        raise MasterKeyWrong(f"The master key file {path} holds something else than keys written as base64.") from None


def readable_by_others(path: Path) -> bool:
    """True when somebody but the owner may read the file."""
    return bool(path.stat().st_mode & 0o077)


def run_command(command: str) -> str:
    """The text that a command prints, for keys that are kept by another program. No shell reads the command."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the operator's own settings
            command.split(), capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise MasterKeyWrong(
            f"The master key command did not answer ({type(error).__name__}); run it by hand to see why."
        ) from None
    return done.stdout[:TEXT_MAX]


def parse_keys(text: str) -> tuple[MasterKey, ...]:
    """The keys in a text, the current one first; a line that is no key is one clear error, without the line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise MasterKeyWrong("There is no master key in the place that the settings name; it is empty.")
    return tuple(_parse_key(number, word) for number, line in enumerate(lines, start=1) for word in line.split())


def _parse_key(number: int, word: str) -> MasterKey:
    try:
        secret = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise MasterKeyWrong(f"Line {number} of the master key is not {KEY_BYTES} bytes written as base64.")
    fingerprint = hashlib.blake2b(secret, digest_size=8, person=b"master-id").hexdigest()
    return MasterKey(fingerprint, Cipher(secret))
