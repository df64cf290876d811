"""The fields of a model of Odoo's: which there are, what their values are to us, and what each takes.

Odoo writes False for nothing, and turns what it is given into what it holds without a word: 123 into '123', a word that
no selection has into that very word. So everything is looked at here before it is sent.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from onewriter.connectors.interface import Rejected, RemoteField, RemoteType, RemoteValue
from onewriter.errors import SystemChanged

ATTRIBUTES = ["type", "readonly", "required", "size", "selection", "store"]
"""What `fields_get` is asked for; labels are of no use here."""
TYPES: dict[str, RemoteType] = {
    "char": "text",
    "text": "text",
    "html": "text",
    "selection": "text",
    "integer": "integer",
    "float": "number",
    "monetary": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "many2one": "integer",
}
"""Of each type of Odoo's that is taken, what it is here; a link to one record is its id. Lists of links are not."""
NEVER_EMPTY = ("integer", "float", "monetary", "boolean")
"""Types in which Odoo has no nothing: False becomes 0, or no."""
INTEGER_MAX = 2**31 - 1
TEXT_MAX = 100_000
STAMP = "%Y-%m-%d %H:%M:%S"
KEPT = ("id", "write_date", "create_date", "write_uid", "create_uid")
LOOKUPS = ("ref", "email", "phone", "mobile", "vat")
"""Fields of a contact that people look one up by; they come first."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

Known = Mapping[str, Mapping[str, Any]]
"""What `fields_get` told, by name."""


def remote_fields(known: Known) -> tuple[RemoteField, ...]:
    """The fields that can be mapped, as the user of the key sees them."""
    return tuple(
        remote_field(name, each)
        for name, each in sorted(known.items())
        if each.get("type") in TYPES and name not in KEPT
    )


def remote_field(name: str, told: Mapping[str, Any]) -> RemoteField:
    """One field. HTML is read only: Odoo cleans and wraps what is written to it, so that nothing comes back as sent."""
    kind = told["type"]
    choices = told.get("selection")
    size = told.get("size")
    return RemoteField(
        name=name,
        type=TYPES[kind],
        writable=not told.get("readonly") and kind != "html",
        clearable=not told.get("required") and kind not in NEVER_EMPTY,
        max_length=size if isinstance(size, int) and size > 0 else None,
        enum=tuple(str(word) for word, _label in choices)
        if kind == "selection" and isinstance(choices, list)
        else None,
    )


def lookups(known: Known) -> tuple[str, ...]:
    """The fields that records can be looked up by: short texts that Odoo keeps in its database."""
    found = [name for name, each in known.items() if each.get("type") == "char" and each.get("store")]
    return tuple(sorted(found, key=lambda name: (LOOKUPS.index(name) if name in LOOKUPS else len(LOOKUPS), name)))


# ---- From Odoo ------------------------------------------------------------------------------------------------------


def told_value(kind: str, value: Any) -> RemoteValue:
    """A value as Odoo writes it, in our form: nothing is None, a link its id, a time ISO 8601."""
    if kind == "boolean":
        return bool(value)
    if value is False or value is None or value == "":
        return None if kind not in NEVER_EMPTY else 0
    if kind == "many2one":
        return value[0] if isinstance(value, list) else value
    if kind == "datetime":
        return stamped(value).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def stamped(text: Any) -> datetime:
    """A time as Odoo writes it, which is UTC without saying so."""
    try:
        return datetime.strptime(str(text)[:19], STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise SystemChanged("Odoo writes a time in a form that we do not know.") from None


# ---- To Odoo --------------------------------------------------------------------------------------------------------


def unfit(field: RemoteField, value: RemoteValue) -> str | None:
    """Why Odoo could not hold that value just as it is; None if it can."""
    if field.type == "text":
        return _unfit_text(field, value)
    if field.type == "boolean":
        return None if isinstance(value, bool) else "not a truth value"
    if field.type in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float if field.type == "number" else int):
            return "not a number" if field.type == "number" else "not a whole number"
        return None if field.type == "number" or abs(value) <= INTEGER_MAX else "a number beyond what Odoo holds"
    return None if _is_time(field.type, value) else f"not a {'date' if field.type == 'date' else 'time'}"


def _unfit_text(field: RemoteField, value: RemoteValue) -> str | None:
    if not isinstance(value, str):
        return "not a text"
    if field.enum is not None:
        return None if value in field.enum else "not one of the words that Odoo takes there"
    if "\0" in value:
        return "a sign that Odoo cannot hold (NUL)"
    limit = field.max_length or TEXT_MAX
    return f"longer than the {limit:,} characters that Odoo holds" if len(value) > limit else None


def _is_time(kind: RemoteType, value: RemoteValue) -> bool:
    if not isinstance(value, str):
        return False
    try:
        if kind == "date":
            return bool(_DATE.fullmatch(value)) and date.fromisoformat(value) is not None
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def sent_value(field: RemoteField, value: RemoteValue) -> Any:
    """A value that fits, as Odoo takes it; None empties."""
    if value is None:
        return False
    if field.type == "datetime":
        return datetime.fromisoformat(value).astimezone(UTC).strftime(STAMP)
    return value


def refusal(field: RemoteField | None, name: str, value: RemoteValue, *, empties: bool) -> Rejected | None:
    """Why a field cannot be written like that; None if nothing speaks against it here."""
    if field is None:
        return Rejected(name, "Odoo has no such field")
    if not field.writable:
        return Rejected(name, "Odoo lets nobody write it")
    if empties:
        return None if field.clearable else Rejected(name, "it cannot be empty in Odoo")
    reason = unfit(field, value)
    return None if reason is None else Rejected(name, reason)
