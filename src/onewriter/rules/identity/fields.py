"""Fields: the one form in which every path keeps a value, whether an API, a file or a person brought it.

What is kept is what was written, without what no system keeps alike: white space around it and NUL characters. The key
beside it is what is compared.
"""

import unicodedata
from typing import NamedTuple

from onewriter.rules.identity.emails import canonical_email
from onewriter.rules.identity.phones import canonical_phone
from onewriter.rules.identity.text import visible

NAMES = frozenset({"first_name", "last_name", "company", "city"})


class Canonical(NamedTuple):
    """A value as it is kept, and the key by which it is compared."""

    value: str | None
    key: str | None


def canonical_field(name: str, raw: str | None, region: str | None = None) -> Canonical:
    """The one form of a field's text, and the key under which two of it are equal.

    The value agrees with what Shopify's own texts become: stripped, without NUL, and None if nothing is left. The key
    of an email address or a number is its tight form where it has one; that of other text is the text without unseen
    characters and with single blanks, so that what differs in format only has one key.
    """
    value = None if raw is None else raw.replace("\0", "").strip() or None
    if value is None:
        return Canonical(None, None)
    if name == "email":
        return Canonical(value, canonical_email(value) or _plain(value).lower())
    if name in ("phone", "address.phone"):
        return Canonical(value, canonical_phone(value, region) or _plain(value))
    return Canonical(value, _plain(value).casefold() if name in NAMES else _plain(value))


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", visible(value)).split())
