"""When a row was changed: by a time with or without a zone, by a number, or by whatever SQLite's column holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, func
from sqlalchemy.types import Date, DateTime, Integer, Numeric, TypeEngine

from onewriter.records import DAY, SECOND, Instant, instant

Way = Literal["aware", "naive", "date", "number", "text"]

SECONDS_MAX = 10**11
MILLIS_MAX = 10**14
"""A number below the first counts seconds since 1970, one below the second milliseconds, and else microseconds."""
AUTUMN_S = 7200
"""Seconds that times without a zone step back further: in the night of an autumn an hour of theirs comes twice."""
TIMES_FROM = 10**8
"""A number below it is no time: it counts changes."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time of change of a table's rows."""

    expression: ColumnElement[Any]
    """The time of change, or of creation for rows that were never changed."""
    way: Way
    zone: tzinfo

    def instant(self, held: Any) -> Instant | None:
        """The instant of what was read; None for a count, and for what cannot be read as a time."""
        if isinstance(held, str):
            try:
                held = datetime.fromisoformat(held)
            except ValueError:
                return None
        if isinstance(held, datetime):
            return instant(held if held.tzinfo is not None else held.replace(tzinfo=self.zone))
        if isinstance(held, date):
            return instant(datetime(held.year, held.month, held.day, tzinfo=self.zone))
        if isinstance(held, Decimal):
            held = float(held)
        if isinstance(held, bool) or not isinstance(held, int | float) or held < TIMES_FROM:
            return None
        return int(held * unit(held))

    def kept(self, highest: Any, now: Instant) -> int | float | None:
        """What the state keeps of the highest stamp: the instant of a time, never one of the future; or the number."""
        # One row from the year 2099 must not hide each change until then.
        if highest is None:
            return None
        if self.way == "number":
            number = float(highest) if isinstance(highest, Decimal | float) else int(highest)
            return number if number < TIMES_FROM else min(number, now // unit(number))
        found = int(highest * SECOND) if self.way == "text" else self.instant(highest)
        return None if found is None else min(found, now)

    def stepped_back(self, kept: int | float, overlap_s: int) -> Any:
        """What stamps are compared with, to read on from what a state kept."""
        if self.way == "number":
            step = overlap_s if kept < TIMES_FROM else overlap_s * SECOND / unit(kept)
            return kept - int(step)
        # A second for the granularity of times without fractions.
        moment = int(kept) - (overlap_s + 1) * SECOND
        if self.way != "aware":
            moment -= AUTUMN_S * SECOND
        if self.way == "text":
            # SQLite takes a text without a zone for UTC, whatever was meant.
            return (moment - (0 if self.zone is UTC else DAY)) / SECOND
        found = datetime.fromtimestamp(moment // SECOND, UTC) + timedelta(microseconds=moment % SECOND)
        if self.way == "aware":
            return found
        local = found.astimezone(self.zone).replace(tzinfo=None)
        return local.date() if self.way == "date" else local


def unit(number: int | float) -> int:
    """How many microseconds one of such a number is."""
    return SECOND if number < SECONDS_MAX else 1000 if number < MILLIS_MAX else 1


def stamp(
    columns: Mapping[str, ColumnElement[Any]],
    types: Mapping[str, TypeEngine[Any]],
    names: tuple[str, ...],
    zone: tzinfo,
    *,
    sqlite: bool,
) -> Stamp | None:
    """The stamp out of the columns for the times of change and of creation, the first that is filled counting."""
    if not names:
        return None
    way = _way(types[names[0]], sqlite=sqlite)
    each = [columns[name] for name in names]
    if way == "text":
        each = [func.unixepoch(column, "auto", "subsec") for column in each]
    return Stamp(each[0] if len(each) == 1 else func.coalesce(*each), way, zone)


def _way(kind: TypeEngine[Any], *, sqlite: bool) -> Way:
    if isinstance(kind, Integer | Numeric):
        return "number"
    if sqlite:
        return "text"
    if isinstance(kind, DateTime):
        return "aware" if kind.timezone else "naive"
    return "date" if isinstance(kind, Date) else "naive"
