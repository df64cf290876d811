"""Secrets that are given out once: what a cookie, a link or a token holds, and what is kept of it."""

import secrets
from hashlib import sha256

BYTES = 32
LENGTH_MAX = 200


def make(prefix: str = "") -> str:
    """A new secret, of as many random bytes as nobody can guess."""
    return prefix + secrets.token_urlsafe(BYTES)


def hash_of(secret: str) -> bytes:
    """What is kept: enough to know the secret again, and of no use to whoever reads it.

    It is random and long, so that one quick hash is as good as a slow one.
    """
    return sha256(secret[:LENGTH_MAX].encode()).digest()
