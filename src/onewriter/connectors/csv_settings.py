"""The configuration of a folder of CSV files as a connected system."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onewriter.errors import BadSetting

Formulas = Literal["refuse", "write"]

_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
ENCODINGS = ("auto", "utf-8", "utf-16", "cp1252", "latin-1")
DELIMITERS = ("auto", ",", ";", "tab", "|")

SPEC: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A folder of CSV files",
    "type": "object",
    "additionalProperties": False,
    "required": ["folder", "key"],
    "properties": {
        "folder": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "The folder of the files."},
        "read": _NAME | {"description": "The files that the system exports in full, such as customers-*.csv."},
        "write": _NAME | {"description": "The file that onewriter keeps for the system, such as from-onewriter.csv."},
        "key": _NAME | {"description": "The column that names a record for ever."},
        "lookup": {
            "type": "array",
            "items": _NAME,
            "maxItems": 10,
            "description": "Columns by which records can be looked up: an e-mail, a number.",
        },
        "encoding": {
            "enum": list(ENCODINGS),
            "default": "auto",
            "description": "How letters are written; auto knows UTF-8, and UTF-16 with a mark, and guesses nothing.",
        },
        "delimiter": {
            "enum": list(DELIMITERS),
            "default": "auto",
            "description": "What stands between two cells; auto takes the one by which the key column is found.",
        },
        "settle_s": {
            "type": "integer",
            "minimum": 0,
            "maximum": 3600,
            "default": 10,
            "description": "Seconds for which a file must have stayed as it is before it is read.",
        },
        "formulas": {
            "enum": ["refuse", "write"],
            "default": "refuse",
            "description": "What is done with a value that a spreadsheet would run as a formula.",
        },
        "creates": {"type": "boolean", "default": True, "description": "Whether records may be added."},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSettings:
    """The same, read."""

    folder: Path
    key: str
    read: str | None = None
    write: str | None = None
    lookup: tuple[str, ...] = ()
    encoding: str = "auto"
    delimiter: str = "auto"
    settle_s: int = 10
    formulas: Formulas = "refuse"
    creates: bool = True

    @property
    def out(self) -> Path | None:
        """The file that is kept."""
        return None if self.write is None else self.folder / self.write


def settings(configuration: Mapping[str, Any]) -> CsvSettings:
    """The settings in a configuration; raises BadSetting for what does not fit."""
    known: Mapping[str, Any] = SPEC["properties"]
    given = {name: value for name, value in configuration.items() if value is not None}
    for name, value in given.items():
        if name not in known:
            raise BadSetting(f"A system of the kind csv has no setting {name}; there are: {', '.join(known)}.")
        if not _fits(value, known[name]):
            raise BadSetting(f"The setting {name} does not fit. {known[name].get('description', '')}")
    for name in SPEC["required"]:
        if name not in given:
            raise BadSetting(f"A system of the kind csv needs the setting {name}.")
    if "read" not in given and "write" not in given:
        raise BadSetting("A system of the kind csv needs the setting read, or write, or both.")
    for name in ("read", "write"):
        if Path(given.get(name, "x")).name != given.get(name, "x") or given.get(name, "x").startswith("."):
            raise BadSetting(f"The setting {name} is the name of a file in the folder, without the folder.")
    if given.get("read") is not None and given.get("write") is not None and Path(given["write"]).match(given["read"]):
        raise BadSetting("The file that is written must not be one of those that are read; give it another name.")
    folder = Path(given.pop("folder"))
    if not folder.is_absolute():
        raise BadSetting("The setting folder is a whole path, beginning with a slash.")
    return CsvSettings(**{**given, "folder": folder, "lookup": tuple(given.get("lookup", ()))})


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "string":
            return isinstance(value, str) and 0 < len(value) <= schema["maxLength"]
        case "integer":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and schema["minimum"] <= value <= schema["maximum"]
        case "array":
            named = isinstance(value, list) and all(isinstance(each, str) and 0 < len(each) <= 200 for each in value)
            return named and len(value) <= schema["maxItems"]
    return isinstance(value, bool)
