"""The kinds of systems that there are: ours, and those that other packages bring as entry points."""

from importlib import import_module
from importlib.metadata import entry_points

from onewriter.connectors.interface import Kind
from onewriter.errors import BadSetting

GROUP = "onewriter.connectors"
OURS = {
    "csv": "onewriter.connectors.csv_folder:CsvFolder",
    "file": "onewriter.connectors.csv_given:GivenFiles",
    "sql": "onewriter.connectors.sql:SqlTable",
    "rest": "onewriter.connectors.rest:RestRecipe",
    "odoo": "onewriter.connectors.odoo:Odoo",
}
"""Each is imported when it is used: a shop pays for no library but those of its own systems."""


def names() -> list[str]:
    """Every kind that can be used here."""
    return sorted({*OURS, *(entry.name for entry in entry_points(group=GROUP))})


def kind_named(name: str) -> Kind:
    """The kind of that name; raises BadSetting."""
    if name in OURS:
        module, _, attribute = OURS[name].partition(":")
        ours: Kind = getattr(import_module(module), attribute)()
        return ours
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            theirs: Kind = entry.load()()
            return theirs
    raise BadSetting(f"There is no kind of system called {name}; there are: {', '.join(names())}.")
