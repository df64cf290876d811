"""The recipe of a REST system: a data file that says how its API is read and written, checked when it is loaded.

Every key that is not known, missing, or of another type is refused with its name. What a recipe cannot say is no
recipe: such a system is a kind of its own.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal

import msgspec

from onewriter.connectors.interface import RemoteField, RemoteType
from onewriter.connectors.rest_paths import Path, Pick, gaps_of, parse_path
from onewriter.errors import BadSetting

RECIPE_MAX = 65_536
"""Signs of a recipe that a shop brings along."""
FOLDER = "recipes"
MORE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .$-]{0,99}")
SETTING_NAME = re.compile(r"[a-z][a-z_]{0,30}")
OWN_GAPS = frozenset({"limit", "cursor", "offset", "page", "after", "since", "names", "id", "value", "values", "each"})


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a recipe have in common: no key but the known ones."""


class Proof(Part, frozen=True, kw_only=True):
    """What proves who we are; the secret itself is the shop's and never in a recipe."""

    kind: Literal["bearer", "header", "basic"] = "bearer"
    name: str = "Authorization"
    """The header for `header`; the user for `basic`, where the configuration does not name one."""
    prefix: str = ""


class Setting(Part, frozen=True, kw_only=True):
    """Something that the shop must say, and that paths and bodies then use as {name}."""

    title: str
    pattern: str = "[A-Za-z0-9_-]{1,100}"
    default: str | None = None


class Request(Part, frozen=True, kw_only=True):
    """One request, with gaps in braces."""

    path: str
    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    query: dict[str, str] = {}
    body: Any = None


class Paging(Part, frozen=True, kw_only=True):
    """How the next page is asked for."""

    kind: Literal["one", "next", "token", "offset", "page", "keyset"] = "one"
    """`next`: the answer has the next page's address; `token`: it has what goes into {cursor}; `keyset`: the last id
    goes into {after}; `one`: there are no pages."""
    at: str = ""
    """Where the address or the token stands in the answer."""
    size: int = 100


class Reading(Request, frozen=True, kw_only=True):
    """How all records are read."""

    rows: str = ""
    """Where the list of records stands in the answer."""
    paging: Paging = Paging()
    ask_prefix: str = ""
    """What stands before each of {names}."""


class Delta(Reading, frozen=True, kw_only=True):
    """How the records are read that changed since a time."""

    since: Literal["iso", "unix_s", "unix_ms", "parts"] = "iso"
    inclusive: bool = True
    """Whether the system gives what changed at just that time."""
    granularity_s: float = 1.0
    rows_max: int | None = None
    """After how many records it must be asked anew from the last one's time; they come sorted by time then."""


class Lookup(Request, frozen=True, kw_only=True):
    """How records are looked up: by {value}, or by several {values} at once."""

    rows: str | None = None
    """Where the list of records stands; without it the answer is the record."""
    batch: int = 1
    ask_prefix: str = ""


class Writing(Request, frozen=True, kw_only=True):
    """How one record is written, or several at once."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "PATCH"
    at: str = ""
    """Where in the body the fields are put."""
    answer: str | None = None
    """Where the answer has the record as it is now; with a batch, the list of them."""
    batch: int = 1
    items: str = ""
    """Where in the body the list of a batch stands."""
    item: Any = None
    """What each item of it begins with."""
    errors: str | None = None
    """Where the answer to a batch lists what was refused."""
    error_ids: str = "id"
    """Where one of those names its records."""
    gone: str | None = None
    """The code by which a batch's answer says that a record is not there."""
    children: Literal["none", "commands"] = "none"
    """`commands`: a field of a child is written by a create, write or delete command in its parent (Tryton)."""
    version_header: str | None = None
    idempotency_header: str | None = None


class Field(Part, frozen=True, kw_only=True):
    """One field, as the system holds it."""

    name: str
    path: str | None = None
    """Where it stands in a record; by default under its name."""
    write: str | None = None
    """Where it is put when it is written, if not there."""
    ask: list[str] | None = None
    """What {names} has for it; by default its path."""
    type: RemoteType = "text"
    writable: bool = True
    clearable: bool = True
    max_length: int | None = None
    enum: list[str] | None = None
    case: Literal["keep", "lower", "upper"] = "keep"
    absent: Literal["changed", "empty", "untold"] = "changed"
    """What it means that a record does not have it at all."""
    clear: Literal["null", "empty", "child"] | None = None
    """How it is emptied: null, an empty text, or by deleting the child that holds it."""


class More(Part, frozen=True, kw_only=True):
    """Fields that the shop made itself: any name behind a prefix."""

    prefix: str
    path: str
    """With {name} for the rest of the name."""
    ask: list[str] | None = None
    type: RemoteType = "text"
    absent: Literal["changed", "empty", "untold"] = "empty"


class RecordForm(Part, frozen=True, kw_only=True):
    """How a record looks."""

    id: str = "id"
    changed: list[str] = []
    """Where its times of change stand; the latest counts, which is how a changed child moves its parent."""
    created: str | None = None
    version: str | None = None
    ask: list[str] = []
    """What {names} has beside the fields: the names of the times and of the id."""


class Rights(Request, frozen=True, kw_only=True):
    """How the system says what our credentials may do."""

    write: str
    """Where the answer says true or false to writing."""


class Errors(Part, frozen=True, kw_only=True):
    """What a refusal looks like."""

    field: list[str] = []
    """Where it names the field at fault."""
    code: str | None = None
    reasons: dict[str, Literal["taken", "too long", "no field", "not a word", "no permission", "value"]] = {}
    unknown_field: str | None = None
    """What a failure says of a field that is not there any more, with {name}."""


class Recipe(Part, frozen=True, kw_only=True):
    """A whole recipe."""

    name: str
    title: str
    proof: Literal["real", "spec-checked", "example"]
    """What it was held against: the system itself, its published description, or nothing but our own example."""
    credentials: Proof = Proof()
    base_url: str | None = None
    """Where the shop does not say another."""
    headers: dict[str, str] = {}
    settings: dict[str, Setting] = {}
    rate_per_s: float | None = None
    texts_only: bool = False
    """Whether every value is a text there (HubSpot)."""
    clear: Literal["null", "empty"] = "null"
    record: RecordForm
    fields: list[Field]
    more: More | None = None
    read: Reading
    delta: Delta | None = None
    by_id: Lookup
    by: dict[str, Lookup] = {}
    update: Writing
    create: Writing | None = None
    rights: Rights | None = None
    errors: Errors = Errors()


@dataclass(frozen=True)
class Place:
    """A field with its paths read."""

    field: Field
    path: Path
    write: Path
    ask: tuple[str, ...]

    @property
    def child(self) -> bool:
        """Whether a child record holds it."""
        return any(isinstance(step, Pick) for step in self.write)

    @cached_property
    def remote(self) -> RemoteField:
        """The field as discovery tells of it."""
        it = self.field
        return RemoteField(
            name=it.name,
            type=it.type,
            writable=it.writable,
            clearable=it.writable and it.clearable,
            max_length=it.max_length,
            enum=None if it.enum is None else tuple(it.enum),
            case=it.case,
        )


def place_of(recipe: Recipe, name: str) -> Place | None:
    """The field of that name, declared or one of the shop's own; None if the recipe knows none such."""
    for each in recipe.fields:
        if each.name == name:
            path = each.name.replace(".", "\\.") if each.path is None else each.path
            return Place(each, parse_path(path), parse_path(each.write or path), tuple(each.ask or [path]))
    more = recipe.more
    if more is None or not name.startswith(more.prefix):
        return None
    rest = name[len(more.prefix) :]
    if not MORE_NAME.fullmatch(rest):
        return None
    made = Field(name=name, type=more.type, absent=more.absent)
    steps = tuple(step.replace("{name}", rest) if isinstance(step, str) else step for step in parse_path(more.path))
    asks = [more.path] if more.ask is None else more.ask
    return Place(made, steps, steps, tuple(ask.replace("{name}", rest) for ask in asks))


# ---- Loading --------------------------------------------------------------------------------------------------------


def shipped() -> list[str]:
    """The names of the recipes that come with us."""
    folder = files("onewriter.connectors").joinpath(FOLDER)
    return sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))


def load(given: str | Mapping[str, Any]) -> Recipe:
    """The recipe of that name, or the one in a TOML text or a document. Raises BadSetting, which names the key."""
    if isinstance(given, str) and "\n" not in given:
        if given not in shipped():
            raise BadSetting(
                f"There is no recipe called {given!r}; there are: {', '.join(shipped())}, or bring a file."
            )
        given = files("onewriter.connectors").joinpath(FOLDER, f"{given}.toml").read_text("utf-8")
    if isinstance(given, str):
        if len(given) > RECIPE_MAX:
            raise BadSetting("The recipe is longer than 64 KiB.")
        try:
            given = tomllib.loads(given)
        except tomllib.TOMLDecodeError as error:
            raise BadSetting(f"The recipe is no TOML: {error}.") from None
    try:
        recipe = msgspec.convert(given, Recipe)
    except msgspec.ValidationError as error:
        raise BadSetting(f"The recipe cannot be used: {error}.") from None
    for complaint in complaints(recipe):
        raise BadSetting(f"The recipe {recipe.name} cannot be used: {complaint}.")
    return recipe


def complaints(recipe: Recipe) -> Iterator[str]:
    """What the types cannot say: paths, gaps, numbers and names that do not fit together."""
    names = [each.name for each in recipe.fields]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"fields has {name} twice"
    for name in names:
        place_of(recipe, name)
    for path in (recipe.record.id, recipe.record.created, recipe.record.version, *recipe.record.changed):
        parse_path(path or "")
    for name in recipe.settings:
        if not SETTING_NAME.fullmatch(name) or name in OWN_GAPS:
            yield f"settings.{name} must be another name, of small letters and _"
    yield from _of_requests(recipe)
    if recipe.delta is not None and not recipe.record.changed:
        yield "delta needs record.changed, or no one knows how far it came"
    for name in recipe.by:
        if name not in names:
            yield f"by.{name} is no field"
    if any(place.child for place in _places(recipe)) and recipe.update.children == "none":
        yield "update.children must be commands, since a field stands in a child"


def _places(recipe: Recipe) -> Iterator[Place]:
    return (place for place in (place_of(recipe, each.name) for each in recipe.fields) if place is not None)


def requests_of(recipe: Recipe) -> Iterator[tuple[str, Request]]:
    """Each request with the name of its part."""
    parts = {
        "read": recipe.read,
        "delta": recipe.delta,
        "by_id": recipe.by_id,
        "update": recipe.update,
        "create": recipe.create,
        "rights": recipe.rights,
    }
    yield from ((name, part) for name, part in parts.items() if part is not None)
    yield from ((f"by.{name}", part) for name, part in recipe.by.items())


def _of_requests(recipe: Recipe) -> Iterator[str]:
    values = {f"set_{each.name}" for each in recipe.fields}
    for name, part in requests_of(recipe):
        known = OWN_GAPS | set(recipe.settings) | (values if name == "create" else set())
        for gap in sorted(gaps_of([part.path, part.query, part.body, getattr(part, "item", None)]) - known):
            yield f"{name} has the gap {{{gap}}}, which nothing fills"
        if "://" in part.path or ".." in part.path:
            yield f"{name}.path must be a path below the base address"
        for number in (getattr(part, "batch", 1), getattr(getattr(part, "paging", None), "size", 1)):
            if not 1 <= number <= 10_000:
                yield f"{name} takes 1 to 10,000 at once"
        if isinstance(part, Delta) and "since" not in gaps_of([part.path, part.query, part.body]):
            yield f"{name} does not say {{since}} anywhere"
