"""Where a value stands in a JSON document, and documents with gaps to be filled: pure, no network.

A path is names with dots between: `data.attributes.email`. `[type=email]` takes the first of a list whose `type` is
`email`, `[0]` the first of all, `[*]` every one. A backslash before a dot makes the dot part of the name.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from onewriter.errors import BadSetting

DEPTH_MAX = 12
PATH_MAX = 300
_PIECE = re.compile(r"((?:\\.|[^.\[\]\\])+)((?:\[[^\]]*\])*)(\.|$)")
_PICK = re.compile(r"\[(?:(\*)|(0)|([A-Za-z_][A-Za-z0-9_]*)=([^\]=]+))\]")
_GAP = re.compile(r"\{([a-z_]+)(?::(json|md5|text|numbers))?\}")


class Gap(Enum):
    """What is not there, where None would be an empty value."""

    MISSING = "missing"


MISSING = Gap.MISSING


@dataclass(frozen=True, slots=True)
class Pick:
    """The first one of a list, of those with that value under that key; without a key, the first of all."""

    key: str | None = None
    value: str | None = None

    def of(self, given: Sequence[Any]) -> list[Any]:
        """All that it could pick, the picked one first."""
        return [one for one in given if isinstance(one, dict) and (self.key is None or one.get(self.key) == self.value)]


@dataclass(frozen=True, slots=True)
class Each:
    """Every one of a list."""


Step = str | Pick | Each
Path = tuple[Step, ...]


@lru_cache(maxsize=1000)
def parse_path(text: str) -> Path:
    """The steps of a path; the empty one is the document itself. Raises BadSetting."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None or len(text) > PATH_MAX or (found[3] == "." and found.end() == len(text)):
            raise BadSetting(f"The path {text!r} cannot be read; write names with dots between them.")
        steps.append(re.sub(r"\\(.)", r"\1", found[1]))
        steps.extend(_picks(found[2], text))
        at = found.end()
    if len(steps) > DEPTH_MAX:
        raise BadSetting(f"The path {text!r} has more than {DEPTH_MAX} steps.")
    return tuple(steps)


def _picks(brackets: str, text: str) -> Iterator[Step]:
    at = 0
    while at < len(brackets):
        found = _PICK.match(brackets, at)
        if found is None:
            raise BadSetting(f"The path {text!r} cannot be read; in brackets stands *, 0, or a name = a value.")
        yield Each() if found[1] else Pick() if found[2] else Pick(found[3], found[4])
        at = found.end()


def look(document: Any, path: Path) -> Any:
    """The value at a path; MISSING if a name on the way is not there, None if something on the way is empty."""
    for step in path:
        if document is None:
            return None
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return MISSING
            document = document[step]
        elif isinstance(step, Pick):
            if not isinstance(document, list):
                return MISSING
            document = next(iter(step.of(document)), None)
        else:
            raise BadSetting("A path with [*] names several values where one is wanted.")
    return document


def look_all(document: Any, path: Path) -> list[Any]:
    """Every value at a path with [*], and nothing for what is missing or empty."""
    for place, step in enumerate(path):
        if isinstance(step, Each):
            each = document if isinstance(document, list) else []
            return [value for one in each for value in look_all(one, path[place + 1 :])]
        document = look(document, (step,))
        if document is MISSING or document is None:
            return []
    return [document]


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set what stands at a path of names, and make the objects on the way."""
    *way, last = path
    for step in way:
        inner = document.setdefault(str(step), {})
        if not isinstance(inner, dict):
            raise BadSetting(f"A recipe puts values into {step}, which is no object in its body.")
        document = inner
    document[str(last)] = value


# ---- Documents with gaps --------------------------------------------------------------------------------------------


def gaps_of(template: Any) -> set[str]:
    """The names of all gaps in a template."""
    if isinstance(template, str):
        return {found[1] for found in _GAP.finditer(template)}
    if isinstance(template, Mapping):
        return set().union(*(gaps_of(one) for one in template.values()), gaps_of("".join(template)))
    if isinstance(template, list):
        return set().union(*(gaps_of(one) for one in template))
    return set()


def fill(template: Any, known: Mapping[str, Any]) -> Any:
    """The template with its gaps filled; a key or item whose only content is an unfilled gap is left out.

    A text that is one gap becomes the value itself, of whatever type. A list with one item that has the gap `{each}`
    becomes one such item for each of `values`.
    """
    if isinstance(template, str):
        return _fill_text(template, known)
    if isinstance(template, Mapping):
        filled = {key: fill(one, known) for key, one in template.items()}
        return {key: value for key, value in filled.items() if value is not MISSING}
    if isinstance(template, list):
        if len(template) == 1 and "each" in gaps_of(template[0]):
            return [fill(template[0], {**known, "each": value}) for value in known["values"]]
        return [value for value in (fill(one, known) for one in template) if value is not MISSING]
    return template


def _fill_text(template: str, known: Mapping[str, Any]) -> Any:
    whole = _GAP.fullmatch(template)
    if whole is not None:
        value = known.get(whole[1])
        return MISSING if value is None else _filtered(value, whole[2])
    if any(known.get(name) is None for name in gaps_of(template)):
        return MISSING
    return _GAP.sub(lambda found: text_of(_filtered(known[found[1]], found[2])), template)


def _filtered(value: Any, name: str | None) -> Any:
    if name == "json":
        return msgspec.json.encode(value).decode()
    if name == "text":
        return text_of(value)
    if name == "numbers":
        return [int(one) for one in value if str(one).isdecimal()]
    if name == "md5":
        # Mailchimp's own name for a member; it protects nothing, and no other system reads it.
        return hashlib.md5(text_of(value).lower().encode(), usedforsecurity=False).hexdigest()
    return value


def fill_path(template: str, known: Mapping[str, Any]) -> str:
    """An address path with its gaps filled, every value quoted, so that none can lead elsewhere."""
    return _GAP.sub(lambda found: quote(text_of(_filtered(known[found[1]], found[2])), safe=""), template)


def fill_query(template: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    """The query with its gaps filled; a list has commas between."""
    return {name: text_of(value) for name, value in fill(dict(template), known).items()}


def text_of(value: Any) -> str:
    """A value as it stands inside a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(text_of(one) for one in value)
    return str(value)
