"""Faults of the connector: what it makes of a value on its way, in every customer whose value has it."""

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from onewriter.bench.stores.plot import Plot
from onewriter.bench.stores.values import rewritten
from onewriter.bench.stores.world import Carry

ANY = ("first", "last", "town", "note", "phone", "email")


def _changed(plot: Plot, carry: Carry) -> None:
    """From its day on the connector does this, and everybody is carried again or only who is edited from then on."""

    def change() -> None:
        plot.channel.carry = carry
        if plot.day == 0 or plot.rng.random() < 0.7:
            run = plot.world.begin("backfill") if plot.day else None
            plot.world.push(plot.channel, plot.ids(), run)
        else:
            for number in plot.some(0.25, 0.6, 6):
                plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number))

    plot.on(plot.day, change)


def _of_text(make: Callable[[str], Any]) -> Carry:
    return lambda given, _record: make(given) if isinstance(given, str) else given


def wrong_target(plot: Plot) -> None:
    """Another field of the same record is carried instead."""
    side = plot.channel.origin
    near = {"first": "last", "last": "first", "town": "last", "note": "town", "phone": "email", "email": "phone"}
    kind = near[plot.channel.kind] if plot.rng.random() < 0.7 else plot.rng.choice(ANY)
    kind = kind if kind != plot.channel.kind else near[kind]
    name = next(each.names[side] for each in plot.world.channels.values() if each.kind == kind)
    _changed(plot, lambda _given, record: record.get(name))


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).replace("ø", "o").replace("Ł", "L")


LOSSES: dict[str, tuple[Callable[[Any], Any], ...]] = {
    "first": (_plain, lambda text: text.split(" ")[0], lambda text: text[0] + "."),
    "last": (_plain, lambda text: text.split("-")[0], lambda text: text[0] + "."),
    "town": (_plain, lambda text: text.split(" ")[0], lambda text: text.encode("ascii", "replace").decode()),
    "note": (_plain, lambda text: text.split(" ")[0], lambda text: " ".join(text.split(" ")[:2])),
    "tags": (lambda tags: tags[:1], lambda tags: tags[0], lambda tags: tags[-1:]),
    "phone": (lambda text: text[3:], lambda text: text[-7:]),
    "date": (lambda text: text[:4], lambda text: text[:7]),
    "email": (lambda text: text.split("@")[0],),
}


def lossy(plot: Plot) -> None:
    """What is carried has lost something: accents, all tags but one, a country code."""
    make = plot.rng.choice(LOSSES[plot.channel.kind])
    _changed(plot, lambda given, _record: make(given) if given else given)


def format_only(plot: Plot) -> None:
    """The connector writes the same in another form."""
    make = rewritten(plot.channel.kind, plot.rng)
    _changed(plot, lambda given, _record: make(given) if given else given)


def truncated(plot: Plot) -> None:
    """The copy has room for so many letters."""
    room = plot.rng.randint(10, 17) if plot.channel.kind in ("note", "email") else plot.rng.randint(3, 5)
    plot.told["max_length"] = room
    _changed(plot, _of_text(lambda text: text[:room]))


def coerced(plot: Plot) -> None:
    """A code is taken for a number, or a word that the copy does not know for another."""
    if plot.channel.kind == "code":
        makes: list[Callable[[str], Any]] = [lambda text: text.lstrip("0"), lambda text: int(text)]
        _changed(plot, _of_text(plot.rng.choice(makes)))
        return
    lost = plot.rng.choice(("gold", "silver", "bronze", "trial"))
    bucket = plot.rng.choice(("other", "unknown", "standard", "default"))
    plot.told["enum"] = {word: word for word in ("gold", "silver", "bronze", "trial", "staff") if word != lost}
    _changed(plot, _of_text(lambda text: bucket if text == lost else text))


def shifted(plot: Plot) -> None:
    """A date is read as a moment in another zone, or with day and month exchanged."""
    days = plot.rng.choice((-1, 1, -1))

    def day_off(text: str) -> str:
        return (date.fromisoformat(text) + timedelta(days=days)).isoformat()

    def swapped(text: str) -> str:
        year, month, day = text.split("-")
        return f"{year}-{day}-{month}" if int(day) <= 12 else text

    _changed(plot, _of_text(plot.rng.choice((day_off, swapped))))


def garbled(plot: Plot) -> None:
    """UTF-8 is read as something else, once or twice."""
    charset = plot.rng.choice(("latin-1", "cp1252", "cp1252"))

    def once(text: str) -> str:
        return text.encode().decode(charset, "replace")

    _changed(plot, _of_text(once if plot.rng.random() < 0.8 else lambda text: once(once(text))))


def constant(plot: Plot) -> None:
    """A default of the connector is written over what the customers say."""
    words = {
        "first": ("Customer", "Unknown", "Guest"), "last": ("Customer", "N/A", "Unknown"),
        "date": ("1970-01-01", "1900-01-01"),
        "phone": ("+10000000000", "000000000"), "town": ("Unknown", "-"), "note": ("imported", "n/a"),
        "enum": ("standard",),
        "code": ("0",), "email": ("noreply@example.com",),
    }  # fmt: skip
    word = plot.rng.choice(words[plot.channel.kind])
    _changed(plot, lambda _given, _record: word)


def consent(plot: Plot) -> None:
    """One state of consent becomes another on its way, always the same."""
    pairs = (("pending", "subscribed"), ("not_subscribed", "unsubscribed"), ("unsubscribed", "not_subscribed"))
    before, after = plot.rng.choice((pairs[0], *pairs))
    _changed(plot, _of_text(lambda text: after if text == before else text))


def not_covered(plot: Plot) -> None:
    """The connector leaves the field out; nobody ever wrote the copy."""
    plot.channel.is_covered = False
    plot.told["covered"] = False
    for fields in plot.world.sides[plot.channel.origin.other].values():
        fields[plot.channel.names[plot.channel.origin.other]] = None
    plot.on(plot.day, lambda: _edits(plot, 0.1, 0.3))


def denied(plot: Plot) -> None:
    """The connector lost the permission to write the field; each write is refused."""
    reason = plot.rng.choice(("403", "ACCESS_DENIED", "permission denied", "missing scope write_customers"))
    plot.told["permission"] = plot.rng.choice(("read", "none"))

    def lose() -> None:
        plot.channel.refusal = reason
        _edits(plot, 0.15, 0.6)

    plot.on(max(plot.day, 1), lose)


def _edits(plot: Plot, low: float, high: float) -> None:
    for number in plot.some(low, high, 5):
        plot.mark([number])
        plot.world.edit(plot.channel, number, plot.world.fresh(plot.channel, number))


def fits(kind: str, _rng: Random) -> bool:
    """Whether a field of that kind can lose something."""
    return kind in LOSSES
