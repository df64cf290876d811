"""Sealed files: a backup, or a copy of the key store, that only a master key opens.

A file is its magic, a header in clear, and pieces. Each piece is sealed with a key that was made for this one file and
stands in the header, wrapped by the master key; it is bound to the header, to its place and to whether it is the last.
So a file that was cut off, put in another order, mixed with another one or changed in any byte is noticed.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onewriter.errors import KeyMissing, Permanent
from onewriter.records import Instant
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import KEY_BYTES, NONCE_BYTES

MAGIC = b"onewriter sealed file 1\n"
HEADER_MAX = 1 << 20
PIECE_MAX = 1 << 28
MORE, LAST = b"\x00", b"\x01"


class FileUnusable(Permanent):
    """The file is no sealed file of ours, or not the one that was written; nothing of it was used."""


class FileInTheWay(Permanent):
    """The file cannot be written where it was asked for."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a sealed file says of itself in clear; it names nobody, and is sealed against changes."""

    kind: str
    """`backup`, or `key store`."""
    made_at: Instant
    revision: str
    """Of the schema that it was made of."""
    master_id: str
    wrapped: bytes
    """The key of this file."""
    columns: Mapping[str, list[str]]
    delete_by: Instant | None = None
    """When a backup has had its time: tokens and hashes of who was erased since are in it until it is deleted."""


class Trailer(msgspec.Struct, frozen=True):
    """What is known only once all was written: how many rows of each table, and how far each table has counted."""

    rows: Mapping[str, int]
    counted: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a header is made of."""

    kind: str
    made_at: Instant
    revision: str
    columns: Mapping[str, list[str]]
    delete_by: Instant | None = None


def write(
    path: Path, keys: KeyStore, draft: Draft, given: Iterable[bytes], trailer: Callable[[], Trailer], *, force: bool
) -> None:
    """Write a sealed file that only its owner can read. It appears under its name once all of it is on disk.

    One of its kind that is there already is left alone without `force`, and replaced all at once with it; whatever else
    is there, such as a database, is never replaced.
    """
    _refuse_in_the_way(path, draft.kind, force=force)
    secret, master = os.urandom(KEY_BYTES), keys.current
    header = Header(
        kind=draft.kind,
        made_at=draft.made_at,
        revision=draft.revision,
        master_id=master.id,
        wrapped=master.wrap(secret, _name(draft.kind, draft.made_at)),
        columns=draft.columns,
        delete_by=draft.delete_by,
    )
    with _replacing(path) as file:
        text = msgspec.json.encode(header)
        file.write(MAGIC + len(text).to_bytes(4, "big") + text)
        seal = _Sealing(secret, text)
        for piece in given:
            file.write(seal.sealed(piece, MORE))
        file.write(seal.sealed(msgspec.msgpack.encode(trailer()), LAST))


class SealedFile:
    """A sealed file that was opened to be read. Its header is only to be believed once `check` has passed."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        with self._opened() as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise FileUnusable(f"{path} is no {kind} of onewriter, or one of a newer version.")
            self._text = _take(file, int.from_bytes(_take(file, 4, path), "big"), path, HEADER_MAX)
            self._begins = file.tell()
        try:
            self.header = msgspec.json.decode(self._text, type=Header)
        except msgspec.MsgspecError:
            raise _damaged(path) from None
        if self.header.kind != kind:
            raise FileUnusable(f"{path} is a {self.header.kind}, and no {kind}.")

    def check(self, keys: KeyStore, look: Callable[[bytes], None]) -> Trailer:
        """Open every piece once and show it, and raise FileUnusable unless all of it is what was written."""
        opening = self._read(keys)
        while True:
            try:
                look(next(opening))
            except StopIteration as ended:
                trailer: Trailer = ended.value
                return trailer

    def pieces(self, keys: KeyStore) -> Iterator[bytes]:
        """Every piece, opened."""
        yield from self._read(keys)

    def _read(self, keys: KeyStore) -> Generator[bytes, None, Trailer]:
        """Every piece; returns the trailer at the end."""
        seal = _Sealing(self._secret(keys), self._text)
        with self._opened() as file:
            file.seek(self._begins)
            while True:
                flag = _take(file, 1, self._path)
                box = _take(file, int.from_bytes(_take(file, 4, self._path), "big"), self._path)
                try:
                    piece = seal.opened(box, flag)
                except InvalidTag:
                    raise _damaged(self._path) from None
                if flag == LAST:
                    if file.read(1):
                        raise _damaged(self._path)
                    return msgspec.msgpack.decode(piece, type=Trailer)
                yield piece

    def _secret(self, keys: KeyStore) -> bytes:
        row = SimpleNamespace(master_id=self.header.master_id, wrapped=self.header.wrapped)
        try:
            return keys.unwrap(row, _name(self.header.kind, self.header.made_at))
        except KeyMissing:
            raise _damaged(self._path) from None

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        try:
            with self._path.open("rb") as file:
                yield file
        except OSError as error:
            raise FileUnusable(f"{self._path} cannot be read ({error.strerror}).") from None


class _Sealing:
    """Seals and opens the pieces of one file, in their order."""

    def __init__(self, secret: bytes, header: bytes) -> None:
        self._cipher = AESGCM(secret)
        self._header = hashlib.sha256(MAGIC + header).digest()
        self._place = 0

    def sealed(self, piece: bytes, flag: bytes) -> bytes:
        """The next piece as it stands in the file."""
        nonce, bound_to = self._next(flag)
        box = self._cipher.encrypt(nonce, piece, bound_to)
        return flag + len(box).to_bytes(4, "big") + box

    def opened(self, box: bytes, flag: bytes) -> bytes:
        """The next piece; raises InvalidTag."""
        nonce, bound_to = self._next(flag)
        return self._cipher.decrypt(nonce, box, bound_to)

    def _next(self, flag: bytes) -> tuple[bytes, bytes]:
        """The key is this file's alone, so that its places are nonces that never come again."""
        nonce = self._place.to_bytes(NONCE_BYTES, "big")
        self._place += 1
        return nonce, self._header + nonce + flag


def _refuse_in_the_way(path: Path, kind: str, *, force: bool) -> None:
    if not path.exists():
        return
    if not force:
        raise FileInTheWay(f"There is a file {path} already; name another one, or add --force to replace it.")
    try:
        SealedFile(path, kind)
    except FileUnusable:
        raise FileInTheWay(f"There is a file {path} already that is no {kind}; name another one.") from None


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes the place of `path` once the block ends without raising; else nothing is left."""
    part = path.with_name(path.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # What a process left that died may be written over, but nothing that another is writing now.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another may have ended its file between our opening and our lock: what we hold then is its finished one.
            if not part.exists() or not os.path.samestat(part.lstat(), os.fstat(descriptor)):
                raise BlockingIOError
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            try:
                yield file
                file.flush()
                os.fsync(descriptor)
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        sync_folder(path.parent)
    except BlockingIOError:
        raise FileInTheWay(f"Another process is writing {path} now.") from None
    except OSError as error:
        raise FileInTheWay(f"{path} cannot be written ({error.strerror}); nothing was left there.") from None


def sync_folder(folder: Path) -> None:
    """Bring a name to disk that was just given."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(file: IO[bytes], size: int, path: Path, most: int = PIECE_MAX) -> bytes:
    """So many bytes and no fewer."""
    taken = file.read(size) if size <= most else b""
    if len(taken) != size:
        raise _damaged(path)
    return taken


def _damaged(path: Path) -> FileUnusable:
    return FileUnusable(f"{path} was cut off or changed since it was written; nothing was restored. Use another one.")


def _name(kind: str, made_at: Instant) -> bytes:
    return f"{kind}|{made_at}".encode()
