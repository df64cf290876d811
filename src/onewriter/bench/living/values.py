"""What people of a living shop are called, and what is written about them."""

from random import Random
from typing import Any

FIRST = ("Zoë", "José", "Anaïs", "Jürgen", "Ann", "Bob", "Søren", "François", "Mia", "Noah", "Chloé", "Óscar")
LAST = ("Müller", "Lee", "García", "Smith", "Dvořák", "Nuñez", "Okafor", "Brontë", "Jones", "Sørensen", "de la Cruz")
WORDS = ("prefers", "tea", "oolong", "parcels", "left", "with", "the", "neighbour", "calls", "évery", "spring", "gift")
LOCALES = ("en", "de", "fr", "pt-BR", "es")
STATES = ("subscribed", "not_subscribed", "pending", "unsubscribed")


def person(rng: Random, number: int) -> dict[str, Any]:
    """A customer's fields."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    return {
        "email": f"{rng.choice('abcdefgh')}{number}@example.{rng.choice(('com', 'org', 'net'))}",
        "phone": f"+4477009{number:05d}",
        "first_name": first,
        "last_name": last,
        "note": sentence(rng),
        "locale": rng.choice(LOCALES),
        "email_consent": {"state": rng.choice(STATES)},
    }


def sentence(rng: Random) -> str:
    """A note of some length."""
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 9)))


def fresh(rng: Random, name: str, number: int) -> Any:
    """A new value for a field, as a person would type it."""
    made: dict[str, Any] = {
        "email": f"new{rng.randint(1, 9999)}.{number}@example.com",
        "phone": f"+4479111{rng.randint(10000, 99999)}",
        "first_name": f"{rng.choice(FIRST)} {rng.choice('ABCDEFGHIJ')}.",
        "last_name": f"{rng.choice(LAST)}-{rng.choice(LAST)}",
        "locale": rng.choice(LOCALES),
    }
    return made.get(name, f"{sentence(rng)} {rng.randint(1, 999)}")


def date(rng: Random, _number: int) -> str:
    """A day that can be nothing else: its number is no month."""
    return f"{rng.randint(1950, 2004)}-{rng.randint(1, 12):02d}-{rng.randint(13, 28):02d}"


def account(rng: Random, number: int) -> str:
    """A number that begins with zeros."""
    return f"{'0' * rng.randint(1, 3)}{rng.randint(10_000, 99_999)}{number}"
