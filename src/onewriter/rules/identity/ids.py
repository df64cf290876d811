"""Ids: what one system calls one record. Always with its scope, since every system counts from one."""

import base64
import binascii
import re
import uuid

from onewriter.rules.identity.text import cleaned, is_null_like

ID_LENGTH_MAX = 255
_ARTEFACT = re.compile(r'^=\s*"(.*)"$')
_FLOAT = re.compile(r"(\d+)[.,]0{1,2}")
"""As a spreadsheet writes a number; three zeros may be thousands."""
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+")
_GID = re.compile(r"gid://shopify/(\w+)/(\d+)(?:\?.*)?", re.IGNORECASE)
_BASE64 = re.compile(r"Z2lkOi8v[A-Za-z0-9+/]+={0,2}")
_NOBODY = frozenset({"0", "-1", "1e0", "guest", "anonymous", "true", "false", "default", "new", "id"})


def read_id(raw: str | None) -> str | None:
    """The id without what a spreadsheet or an API put around it; None where there is none, or it is damaged.

    The id of a Shopify customer is its number; that of anything else of Shopify's keeps its kind.
    """
    if raw is None or len(raw) > ID_LENGTH_MAX:
        return None
    text, _ = cleaned(raw)
    found = _ARTEFACT.match(text)
    text = (text if found is None else found[1]).strip("'’‘`\"“” ").strip()
    if _BASE64.fullmatch(text):
        text = _from_base64(text)
    exact = _FLOAT.fullmatch(text)
    text = text if exact is None else exact[1]
    if is_null_like(text) or text.lower() in _NOBODY or not text.strip("0-. ") or _SCIENTIFIC.fullmatch(text):
        return None
    of_shopify = _GID.fullmatch(text)
    if of_shopify is not None:
        kind, number = of_shopify[1].lower(), of_shopify[2]
        if not number.strip("0"):
            return None
        return number if kind == "customer" else f"gid://shopify/{kind}/{number}"
    return _uuid(text) or text


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return text


def _uuid(text: str) -> str | None:
    """One way of writing a UUID, whose letters may be of either case (RFC 9562 section 4)."""
    bare = text.removeprefix("urn:uuid:").strip("{}")
    if re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", bare) is None:
        return None
    return str(uuid.UUID(bare))


def scoped(system: str | None, raw: str | None) -> str | None:
    """The id with the system that gave it; None without an id."""
    found = read_id(raw)
    return None if found is None else f"{(system or '').strip().lower()}:{found}"
