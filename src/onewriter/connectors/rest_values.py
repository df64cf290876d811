"""Records and values of a REST system: read from its answers, checked before they are sent. Pure, no network."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from onewriter.connectors.interface import FieldPatch, Record, Rejected, RemoteValue
from onewriter.connectors.rest_paths import MISSING, look, look_all, parse_path
from onewriter.connectors.rest_recipe import Place, Recipe
from onewriter.errors import SystemChanged
from onewriter.records import SECOND, Instant, instant

DATE_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")


class FieldGone(SystemChanged):
    """A wanted field is not there any more; carries its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The system has no field {name} any more; look at the mapping.")
        self.field = name


UNIX_MS_MIN = 100_000_000_000
"""A number above this counts milliseconds: as seconds it would be the year 5138."""
INSTANT_MAX: Instant = 253_402_300_799 * SECOND
"""The end of the year 9999."""
SEVERAL = ";"
"""What stands between the words of a list where every value is a text."""

TOO_LONG = "the value is too long"
NO_FIELD = "there is no such field"
NOT_WRITABLE = "the field cannot be written"
NOT_A_WORD = "the value is not one of the words that the field takes"
NOT_EMPTIED = "the field cannot be emptied"
WRONG_TYPE = "the value is of another type than the field"


# ---- Reading --------------------------------------------------------------------------------------------------------


def record_of(recipe: Recipe, places: Iterable[Place], document: Any, strict: bool = True) -> Record:
    """The record in a document of the system, with the wanted fields and no others.

    Raises SystemChanged for a field that is not there although the system gives every field; unless `strict`, such a
    field is just not told.
    """
    identity = look(document, parse_path(recipe.record.id))
    if identity is MISSING or identity in (None, ""):
        raise SystemChanged("A record of the system has no id where the recipe says; check the recipe.")
    fields: dict[str, RemoteValue] = {}
    for place in places:
        value = look(document, place.path)
        if value is not MISSING:
            fields[place.field.name] = _ours(recipe, place, value)
        elif place.field.absent == "empty":
            fields[place.field.name] = None
        elif place.field.absent == "changed" and strict:
            raise FieldGone(place.field.name)
    version = _at(document, recipe.record.version)
    return Record(
        id=str(identity),
        fields=fields,
        version=None if version is None else str(version),
        changed=latest(recipe, document),
        created=read_time(_at(document, recipe.record.created)),
    )


def _at(document: Any, path: str | None) -> Any:
    value = None if path is None else look(document, parse_path(path))
    return None if value is MISSING else value


def latest(recipe: Recipe, document: Any) -> Instant | None:
    """The latest of a record's times of change; those of its children are among them."""
    times = [read_time(value) for path in recipe.record.changed for value in look_all(document, parse_path(path))]
    return max((time for time in times if time is not None), default=None)


def read_time(value: Any) -> Instant | None:
    """The instant of a time in any of its forms: ISO 8601, Unix seconds or milliseconds, or an object of its parts.

    A time without a zone is taken as UTC, which is what servers keep; None for what is no time.
    """
    with suppress(ValueError, TypeError, OverflowError, KeyError):
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if isinstance(value, dict):
            year, month, day, *clock = (int(value.get(part, 0)) for part in DATE_PARTS)
            return instant(datetime(year, month, day, *clock, tzinfo=UTC))  # type: ignore[misc,arg-type]
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment_us = int(value * 1000) if abs(value) >= UNIX_MS_MIN else int(value * SECOND)
            return moment_us if abs(moment_us) <= INSTANT_MAX else None
    return None


def write_time(moment: Instant, form: str) -> Any:
    """The time as the system takes it in a question."""
    at = datetime.fromtimestamp(moment // SECOND, UTC).replace(microsecond=moment % SECOND)
    if form == "unix_s":
        return moment // SECOND
    if form == "unix_ms":
        return moment // 1000
    if form == "parts":
        return {"__class__": "datetime", **{part: getattr(at, part) for part in DATE_PARTS}}
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ours(recipe: Recipe, place: Place, value: Any) -> RemoteValue:
    """A value as it is passed on: an empty text or list is empty, and texts become what the field's type says."""
    if value in ("", [], {}):
        return None
    if not recipe.texts_only or not isinstance(value, str):
        return value
    kind = place.field.type
    with suppress(ValueError):
        if kind == "integer":
            return int(value)
        if kind == "number":
            return float(value)
        if kind == "boolean" and value in ("true", "false"):
            return value == "true"
        if kind == "list":
            return sorted(word for word in value.split(SEVERAL) if word)
    # What cannot be read as its type is passed on as it stands: it is one record's trouble and is parked for it.
    return value


# ---- Writing --------------------------------------------------------------------------------------------------------


def refusal(patch: FieldPatch, known: Mapping[str, Place | None], writable: Collection[str]) -> Rejected | None:
    """Why a patch is not even sent: the first of its fields that the system would not take."""
    for name in (*patch.set, *patch.clear):
        place = known.get(name)
        if place is None:
            return Rejected(name, NO_FIELD)
        if not place.field.writable or name not in writable:
            return Rejected(name, NOT_WRITABLE)
        value = patch.set.get(name)
        reason = _unfit(place, value) if value is not None else None
        if value is None and not place.remote.clearable and patch.key is not None:
            reason = NOT_EMPTIED
        if reason is not None:
            return Rejected(name, reason)
    return None


TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (str,),
    "datetime": (str,),
    "list": (list,),
    "json": (str, int, float, bool, list, dict),
}


def _unfit(place: Place, value: RemoteValue) -> str | None:
    field = place.field
    right = isinstance(value, TYPES[field.type])
    if not right or (isinstance(value, bool) and field.type in ("integer", "number")):
        return WRONG_TYPE
    if field.type == "date" and not _is_date(value):
        return WRONG_TYPE
    if field.enum is not None and value not in field.enum:
        return NOT_A_WORD
    if field.max_length is not None and isinstance(value, str) and len(value) > field.max_length:
        return TOO_LONG
    return None


def _is_date(value: str) -> bool:
    with suppress(ValueError):
        datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=UTC)
        return True
    return False


def theirs(recipe: Recipe, place: Place, value: RemoteValue) -> Any:
    """A value as it is sent; None empties the field in the system's own way."""
    if value is None:
        return "" if (place.field.clear or recipe.clear) == "empty" else None
    if not recipe.texts_only:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return SEVERAL.join(str(word) for word in value)
    return str(value)


def values_of(recipe: Recipe, places: Mapping[str, Place], patch: FieldPatch) -> dict[str, Any]:
    """What a patch puts into each field, as the system takes it; a new record is not told what it has not."""
    given = {name: theirs(recipe, places[name], value) for name, value in patch.set.items()}
    cleared = {name: theirs(recipe, places[name], None) for name in patch.clear}
    if patch.key is None:
        return {name: value for name, value in given.items() if patch.set[name] is not None}
    return {**given, **cleared}
