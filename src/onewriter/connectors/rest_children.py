"""Fields that a child record holds, written by commands in the parent: how Tryton keeps an e-mail or a street.

A command names the child by its id, so that the record is read first; all commands of one parent go in one request,
which the system carries out whole or not at all.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from onewriter.connectors.interface import Conflict, Rejected
from onewriter.connectors.rest_paths import Path, Pick, look
from onewriter.connectors.rest_reading import Reader
from onewriter.connectors.rest_recipe import Place, Recipe

SEVERAL = "there are several of it, and emptying it would bring up the next; empty it by hand"
ID = "id"


def commands(
    recipe: Recipe, reader: Reader, key: str | None, places: Mapping[str, Place], values: Mapping[str, Any]
) -> dict[Path, Any] | Rejected | Conflict:
    """The commands that put these values into children, by the path of each list in the body.

    Or why it cannot be done: the record is gone, or a child cannot be emptied. One request is made where there is a
    key, to learn the children's ids.
    """
    document: Any = None
    if key is not None:
        found = list(replace(reader, places=tuple(places.values())).looked_up(recipe.by_id, [key]))
        if not found:
            return Conflict(key, gone=True)
        document = found[0]
    made: dict[Path, Any] = {}
    for (listed, pick), fields in _by_child(places, values).items():
        there = [] if document is None else pick.of(_listed(document, places[next(iter(fields))].path))
        goes = any(places[name].field.clear == "child" and value is None for name, value in fields.items())
        if goes and len(there) > 1:
            return Rejected(next(iter(fields)), SEVERAL)
        inner = {str(places[name].write[-1]): value for name, value in fields.items()}
        command = _removal(there) if goes else _command(pick, inner, there)
        if command is not None:
            made.setdefault(listed, []).append(command)
    return made


def _list_of(place: Place) -> Path:
    return place.write[: next(at for at, step in enumerate(place.write) if isinstance(step, Pick))]


def _by_child(places: Mapping[str, Place], values: Mapping[str, Any]) -> dict[tuple[Path, Pick], dict[str, Any]]:
    """The values of each child, by field name."""
    found: dict[tuple[Path, Pick], dict[str, Any]] = {}
    for name, value in values.items():
        listed = _list_of(places[name])
        pick = places[name].write[len(listed)]
        assert isinstance(pick, Pick)
        found.setdefault((listed, pick), {})[name] = value
    return found


def _listed(document: Any, path: Path) -> list[Any]:
    """The list of children that a field's path goes through."""
    listed = look(document, path[: next(at for at, step in enumerate(path) if isinstance(step, Pick))])
    return listed if isinstance(listed, list) else []


def _removal(there: list[Any]) -> list[Any] | None:
    return ["delete", [there[0][ID]]] if there else None


def _command(pick: Pick, values: Mapping[str, Any], there: list[Any]) -> list[Any] | None:
    if there:
        return ["write", [there[0][ID]], dict(values)]
    filled = {name: value for name, value in values.items() if value is not None}
    kind = {} if pick.key is None else {pick.key: pick.value}
    return ["create", [{**kind, **filled}]] if filled else None
