"""Files of customers that were sent to a page or to the API: sealed on this machine until they are imported, or a day.

They lie in the data folder, sealed by the key of the day, which is destroyed with the bodies of that day's deliveries:
a copy of the folder opens nothing. The worker reads them there, so it must share that folder with the web process.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from onewriter.errors import KeyDestroyed, KeyMissing, Permanent, Temporary, Unknown
from onewriter.records import DAY, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.vault.seal import bound_to
from onewriter.vault.vault import day_of

FOLDER = "uploads"
KEEP: Instant = DAY
ID_BYTES = 16
DAY_BYTES = 4
GONE = "The file that was sent is not here any more: it is kept for a day. Send it again."
FILES_MAX = 10
"""Files of one shop that are kept at a time: each may be 64 MiB."""


class FileGone(Unknown):
    """The file is not there any more, or not the one that was given."""


class NotKept(Temporary):
    """There is no room for the file on this machine, or no right to write it."""


class TooManyFiles(Permanent):
    """As many files are kept as there is room for."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, and what the person said of it."""

    body: bytes = field(repr=False)
    system: str
    """What it counts as."""
    columns: Mapping[str, str]
    """Heading: field, as named by hand."""
    key: str | None
    """The column that names a row."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept; what is in it is not looked at."""

    id: str
    size: int
    """Bytes, as it is sealed."""
    sent_at: Instant
    """When it was sent, by the clock of the machine that wrote it."""


def keep(runtime: Runtime, shop_id: int, upload: Upload, now: Instant, same: str | None = None) -> str:
    """Keep a file, sealed; its id. With `same` it takes the place of that one, and goes when that one would have.

    Raises TooManyFiles, NotKept, and FileGone where that one is not here any more.
    """
    if same is None and len(every(runtime, shop_id)) >= FILES_MAX:
        raise TooManyFiles(f"{FILES_MAX} files are kept already; import or forget one of them, or wait for its day.")
    identity, day = same or secrets.token_hex(ID_BYTES), day_of(now)
    since = None if same is None else _sent_at(_path(runtime, shop_id, same))
    key = runtime.keys.day_key_for_writing(shop_id, day, now)
    box = key.seal(msgspec.msgpack.encode(upload), bound_to("uploads", shop_id, identity))
    try:
        _write(_folder(runtime, shop_id), identity, day.to_bytes(DAY_BYTES) + box, since)
    except OSError as error:
        raise NotKept(f"The file cannot be kept on this machine ({error.strerror}); look at its disk.") from None
    return identity


def _sent_at(path: Path) -> int:
    """When a file that is kept was sent, in nanoseconds."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        raise FileGone(GONE) from None


def _write(folder: Path, identity: str, sealed: bytes, since: int | None) -> None:
    """Write a file whole, or not at all, for nobody else to read; as of now, or of when it was sent."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f".{identity}.{secrets.token_hex(4)}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
        if since is not None:
            os.utime(part, ns=(since, since))
        part.replace(folder / identity)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def opened(runtime: Runtime, shop_id: int, identity: str) -> Upload:
    """A file that was kept; raises FileGone for one that is not here, or was sent too long ago."""
    try:
        sealed = _path(runtime, shop_id, identity).read_bytes()
        key = runtime.keys.day_key(shop_id, int.from_bytes(sealed[:DAY_BYTES]))
        content = key.open(sealed[DAY_BYTES:], bound_to("uploads", shop_id, identity))
    except (OSError, KeyDestroyed, KeyMissing):
        raise FileGone(GONE) from None
    return msgspec.msgpack.decode(content, type=Upload)


def every(runtime: Runtime, shop_id: int) -> list[Kept]:
    """The files of the shop that are kept, the newest first."""
    found = []
    # A name that begins with a dot is a file that is still being written, or was left so by a process that died.
    for path in _folder(runtime, shop_id).glob("[!.]*"):
        with contextlib.suppress(FileNotFoundError):
            told = path.stat()
            found.append(Kept(path.name, told.st_size, int(told.st_mtime * SECOND)))
    return sorted(found, key=lambda each: (-each.sent_at, each.id))


def drop(runtime: Runtime, shop_id: int, identity: str) -> None:
    """Forget a file."""
    _path(runtime, shop_id, identity).unlink(missing_ok=True)


def drop_old(runtime: Runtime) -> None:
    """Forget files that were sent more than a day ago, by the clock of the machine that wrote them."""
    for each in (runtime.settings.data_dir / FOLDER).glob("*/*"):
        # One may be imported or forgotten at this very moment.
        with contextlib.suppress(FileNotFoundError):
            if each.stat().st_mtime < time.time() - KEEP / SECOND:
                each.unlink()


def _folder(runtime: Runtime, shop_id: int) -> Path:
    return runtime.settings.data_dir / FOLDER / str(shop_id)


def _path(runtime: Runtime, shop_id: int, identity: str) -> Path:
    if len(identity) != 2 * ID_BYTES or not set(identity) <= set("0123456789abcdef"):
        raise FileGone("That is no file that was sent; send it again.")
    return _folder(runtime, shop_id) / identity
