"""Things that are known by a number in the address of their page."""

from onewriter.errors import Unknown
from onewriter.web.pages.frame import Visit

DIGITS_MAX = 18
"""A longer number is larger than any that a database counts to."""


def number(visit: Visit, name: str) -> int:
    """The number in the path; raises Unknown for what is none."""
    given = visit.part(name)
    if not (given.isascii() and given.isdigit() and len(given) <= DIGITS_MAX):
        raise Unknown("There is nothing of that number; the list shows those that there are.")
    return int(given)
