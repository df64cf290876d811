"""Sealing: one AES-256-GCM box a record, bound to the row that it stands in.

A box is `version (1) | nonce (12) | ciphertext and tag`. The associated data names the table, the shop and the row, so
that a box copied to another row does not open there.
"""

import hashlib
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onewriter.errors import KeyMissing
from onewriter.records import Value

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
DIGEST_BYTES = 12
TOKEN_BYTES = 16

_encode = msgspec.msgpack.Encoder().encode
_encode_sorted = msgspec.msgpack.Encoder(order="sorted").encode
_decode = msgspec.msgpack.Decoder().decode


class Cipher:
    """One key for sealing. Its `repr` shows nothing of the key."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, data: bytes, bound_to: bytes) -> bytes:
        """The sealed box of these bytes; opens only with the same `bound_to`."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._cipher.encrypt(nonce, data, bound_to)

    def open(self, box: bytes, bound_to: bytes) -> bytes:
        """The bytes in the box; raises KeyMissing when the key or the row is not the one it was sealed for."""
        try:
            return self._cipher.decrypt(box[1 : 1 + NONCE_BYTES], box[1 + NONCE_BYTES :], bound_to)
        except (InvalidTag, ValueError):
            raise KeyMissing("A sealed value does not open with its key; check the key store and the backup.") from None


class SubjectKey(Cipher):
    """The key of one customer, or of one record that has no customer yet."""

    __slots__ = ("_digest_key",)

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret[:KEY_BYTES])
        self._digest_key = secret[KEY_BYTES:]

    def seal_fields(self, fields: Mapping[str, Value], bound_to: bytes) -> bytes:
        """Seal the canonical values of a record."""
        return self.seal(_encode(fields), bound_to)

    def open_fields(self, box: bytes, bound_to: bytes) -> dict[str, Value]:
        """The canonical values of a record."""
        fields: dict[str, Value] = _decode(self.open(box, bound_to))
        return fields

    def digest(self, value: Value) -> bytes:
        """A digest of one canonical value: equal for equal values of this customer, and gone with the key."""
        return hashlib.blake2b(_encode_sorted(value), digest_size=DIGEST_BYTES, key=self._digest_key).digest()

    def digests(self, fields: Mapping[str, Value]) -> bytes:
        """The digests of all fields that are not empty, as one packed mapping of name to digest."""
        return _encode({name: self.digest(value) for name, value in fields.items() if value is not None})


class ShopKey(Cipher):
    """The key of a shop: seals what belongs to the shop, and makes its tokens, hashes and digests."""

    __slots__ = ("_digest_key", "_token_key")

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret[:KEY_BYTES])
        self._token_key = secret[KEY_BYTES : 2 * KEY_BYTES]
        self._digest_key = secret[2 * KEY_BYTES :]

    def token(self, kind: str, canonical: str) -> bytes:
        """A keyed hash: equal for equal values of this shop, and nothing else. Customers' values have `IndexKey`s."""
        data = canonical.encode()
        return hashlib.blake2b(data, digest_size=TOKEN_BYTES, key=self._token_key, person=_person(kind)).digest()

    @property
    def first_index_secret(self) -> bytes:
        """The key of the first version of the index that customers are searched by; later ones are keys of their own.

        What else is made with it here (hashes of ids above all) can never be made anew, and so keeps this key.
        """
        return self._token_key

    def id_hash(self, shopify_id: int) -> bytes:
        """The keyed hash of a Shopify customer id, which may stay when the id must go."""
        return self.token("customer-id", str(shopify_id))

    def record_name(self, system: str, record_id: str) -> str:
        """The keyed name of a record of a connected system, whose id may itself be personal: 32 hexadecimal digits."""
        return self.token("record", f"{system}|{record_id}").hex()

    def raw_digest(self, line: bytes) -> bytes:
        """The digest of a row as it was read, to tell an unchanged one by a single comparison."""
        return hashlib.blake2b(line, digest_size=TOKEN_BYTES, key=self._digest_key, person=b"raw").digest()

    def value_digest(self, value: Value) -> bytes:
        """The digest of a value, which decides a tie the same way whoever came first."""
        data = _encode_sorted(value)
        return hashlib.blake2b(data, digest_size=TOKEN_BYTES, key=self._digest_key, person=b"value").digest()


def _person(kind: str) -> bytes:
    return kind.encode()[:16]


def bound_to(table: str, shop_id: int, row: str | bytes) -> bytes:
    """What a box is bound to: its table, its shop and its row."""
    tail = row if isinstance(row, bytes) else row.encode()
    return f"{table}|{shop_id}|".encode() + tail
