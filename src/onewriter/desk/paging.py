"""Paging by cursors: where a page of a long list ends, told so that nobody needs to read it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from onewriter.errors import BadInput

MOST = 200
"""The most that one page holds."""
USUAL = 50

NUMBER_MAX = 2**63
Item = TypeVar("Item")


def cursor(*keys: Any) -> str:
    """A cursor for what comes behind the item with these keys."""
    return urlsafe_b64encode(msgspec.json.encode(keys)).decode().rstrip("=")


def behind(given: str | None, *types: type) -> list[Any] | None:
    """The keys that a cursor was made of; None for the first page. Raises BadInput for what is no cursor of ours."""
    if not given:
        return None
    try:
        keys = msgspec.json.decode(urlsafe_b64decode(given[:200] + "=" * (-len(given[:200]) % 4)), type=list[Any])
        fits = len(keys) == len(types) and all(map(_fits, keys, types))
    except (msgspec.MsgspecError, Error, ValueError):
        fits = False
    if not fits:
        raise _none()
    return list(keys)


def id_of(key: str) -> bytes:
    """The id of ours that a key of a cursor is, in hex; raises BadInput for what is none."""
    try:
        return UUID(hex=key).bytes
    except ValueError:
        raise _none() from None


def _none() -> BadInput:
    return BadInput("This cursor is none; take the one that the page before gave, or none.", "cursor")


def _fits(key: Any, kind: type) -> bool:
    """Whether a key is of its type, and a number that a database can hold."""
    return type(key) is kind and (not isinstance(key, int) or -NUMBER_MAX <= key < NUMBER_MAX)


def page(found: Sequence[Item], most: int, keys: Callable[[Item], Sequence[Any]]) -> tuple[list[Item], str | None]:
    """A page out of one item more than it holds, and the cursor of the next; None where there is none."""
    items = list(found[:most])
    return items, cursor(*keys(items[-1])) if len(found) > most and items else None
