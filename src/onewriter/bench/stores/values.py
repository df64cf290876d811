"""What the customers of a store are called, and in how many ways it is written."""

from collections.abc import Callable
from random import Random
from typing import Any

FIRST = ("Zoë", "José", "Anaïs", "Jürgen", "Ann", "Robert", "Søren", "François", "Mia", "Noah", "Chloé", "Łukasz")
LAST = ("Müller", "Lee", "García", "Smith", "Dvořák", "Nuñez", "Okafor", "Brontë", "Jones", "Sørensen", "Fernández")
TOWNS = ("Zürich", "Köln", "São Paulo", "Leeds", "Málaga", "New York", "Besançon", "Aarhus", "Göteborg", "Lyon")
WORDS = (
    "prefers",
    "green",
    "tea",
    "parcels",
    "neighbour",
    "calls",
    "spring",
    "crème",
    "café",
    "gift",
    "später",
    "door",
)
TAGS = ("vip", "wholesale", "student", "newsletter", "b2b", "returns", "gift")
SEGMENTS = ("gold", "silver", "bronze", "trial", "staff")
STATES = ("subscribed", "not_subscribed", "pending", "unsubscribed")
DIALLED = ("+4477009", "+4915123", "+33612", "+34612", "+141555")


def value(rng: Random, kind: str, number: int) -> Any:
    """A value of that kind, as a customer of that number would have it."""
    spread = rng.randint(100, 999)
    made: dict[str, Callable[[], Any]] = {
        "email": lambda: f"{rng.choice('abcdefgh')}{spread}.{number}@example.{rng.choice(('com', 'org', 'net'))}",
        "phone": lambda: (rng.choice(DIALLED) + f"{spread}{number:05d}00")[:13],
        "first": lambda: rng.choice(FIRST) if rng.random() < 0.7 else f"{rng.choice(FIRST)} {rng.choice(FIRST)}",
        "last": lambda: f"{rng.choice(LAST)}-{rng.choice(LAST)}" if rng.random() < 0.3 else rng.choice(LAST),
        "town": lambda: rng.choice(TOWNS),
        "note": lambda: " ".join(rng.sample(WORDS, rng.randint(3, 8))) + f" {spread}",
        "date": lambda: f"{rng.randint(1950, 2004)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        "code": lambda: "0" * rng.choice((0, 1, 1, 2, 3)) + f"{rng.randint(1, 9)}{spread}{number}",
        "enum": lambda: rng.choice(SEGMENTS),
        "tags": lambda: sorted(rng.sample(TAGS, rng.randint(1, 4))),
        "consent": lambda: rng.choice(STATES),
    }
    return made[kind]()


def other(rng: Random, kind: str, number: int, than: Any) -> Any:
    """Another value than this one, as an edit would make it."""
    for _ in range(20):
        made = value(rng, kind, number)
        if made != than:
            return made
    return made


def rewritten(kind: str, rng: Random) -> Any:
    """A function that writes a value in another form and changes nothing of what it says; None where there is none."""
    forms: dict[str, list[Callable[[Any], Any]]] = {
        "email": [str.upper, str.title, lambda text: f" {text} "],
        "phone": [
            lambda text: f"{text[:3]} {text[3:6]} {text[6:]}",
            lambda text: "00" + text[1:],
            lambda text: f"{text[:3]}-{text[3:7]}-{text[7:]}",
        ],
        "first": [lambda text: f"{text} ", lambda text: f"  {text}"],
        "last": [lambda text: f"{text} ", lambda text: f" {text}"],
        "town": [lambda text: f"{text} "],
        "note": [lambda text: text.replace(" ", "  "), lambda text: f"{text}\n"],
        "tags": [lambda tags: list(reversed(tags)), ", ".join],
        "consent": [str.upper],
        "enum": [lambda text: f"{text} "],
    }
    return rng.choice(forms[kind]) if kind in forms else None
