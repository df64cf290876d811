"""Amounts of money as Shopify writes them, decimals in text, as whole millionths: exactly, or not at all."""

import re

from onewriter.errors import NotUnderstood
from onewriter.records import Money

_DECIMAL = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,18}))?")
PLACES = 6


def money(text: str, key: str) -> Money:
    """The millionths in a decimal; NotUnderstood, naming the key, for one below zero, too large or too fine for it."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise NotUnderstood(f"{key} is not an amount of money.")
    whole, parts = found[1], (found[2] or "").ljust(PLACES, "0")
    if parts[PLACES:].strip("0"):
        raise NotUnderstood(f"{key} is finer than a millionth.")
    return int(whole + parts[:PLACES])
