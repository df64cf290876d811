"""Whole numbers that come with an address or a form, and things that are known by one in the address of their page."""

from onewriter.errors import Unknown
from onewriter.web.pages.frame import Visit

DIGITS_MAX = 18
"""A longer number is larger than any that a database counts to."""


def number(visit: Visit, name: str) -> int:
    """The number in the path; raises Unknown for what is none."""
    found = whole(visit.part(name))
    if found is None:
        raise Unknown("There is nothing of that number; the list shows those that there are.")
    return found


def whole(given: str) -> int | None:
    """The whole number that was given; None for anything else, and for one that no database counts to."""
    # Other scripts have digits too, some of which Python reads and some it does not.
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= DIGITS_MAX else None
