"""The kind `rest`: a system with a JSON API, read and written as a recipe says.

The recipes that come with us are in the folder `recipes`; a shop can bring one of its own.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from onewriter.connectors.http import Credentials, Transport, Way, wall_clock
from onewriter.connectors.interface import (
    Capabilities,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    RetryAfter,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.rest_paths import look, parse_path
from onewriter.connectors.rest_reading import Reader
from onewriter.connectors.rest_recipe import Place, Recipe, Writing, load, place_of, shipped
from onewriter.connectors.rest_values import FieldGone, refusal
from onewriter.connectors.rest_writing import Writer, pause_after, pause_of
from onewriter.errors import BadSetting, OnewriterError, SystemChanged, SystemRefused
from onewriter.records import SECOND, Instant

OVERLAP_S = 120
"""How far a cursor steps back beside the system's own granularity: what was still being saved then is seen now."""
OVERLAP_MAX_S = 86_400


class RestRecipe:
    """The kind. Clock, sleep and transport are for tests."""

    name = "rest"

    def __init__(
        self,
        clock: Callable[[], Instant] = wall_clock,
        sleep: Callable[[float], None] = time.sleep,
        transport: Transport | None = None,
    ) -> None:
        self._clock, self._sleep, self._transport = clock, sleep, transport

    def spec(self) -> Mapping[str, Any]:
        """The configuration."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": False,
            "required": ["recipe", "secret"],
            "properties": {
                "recipe": {
                    "type": ["string", "object"],
                    "description": f"A recipe: {', '.join(shipped())}, or the text of one of your own.",
                },
                "base_url": {"type": "string", "description": "The address of the API, if the recipe has none."},
                "secret": {"type": "string", "writeOnly": True, "description": "The API key, token or password."},
                "user": {"type": "string", "description": "The name of the user, where the system asks for one."},
                "settings": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "What the recipe asks for: the id of a list, the name of a database.",
                },
                "overlap_s": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": OVERLAP_MAX_S,
                    "default": OVERLAP_S,
                    "description": "By how many seconds a reading of changes steps back.",
                },
            },
        }

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> "RestSystem":
        """Open a system; nothing is asked of it yet. Raises BadSetting."""
        recipe = load(configuration["recipe"])
        secret, base_url = configuration.get("secret"), configuration.get("base_url") or recipe.base_url
        if not isinstance(secret, str) or not secret:
            raise BadSetting("The secret is missing: the API key, token or password of the system.")
        if not base_url:
            raise BadSetting(f"The recipe {recipe.name} needs base_url, the address of the system.")
        overlap_s = configuration.get("overlap_s", OVERLAP_S)
        if not isinstance(overlap_s, int) or not 0 <= overlap_s <= OVERLAP_MAX_S:
            raise BadSetting("overlap_s must be a number of seconds from 0 to 86,400.")
        settings = _settings(recipe, configuration.get("settings") or {})
        for name, value in settings.items():
            base_url = base_url.replace(f"{{{name}}}", value)
        proof = recipe.credentials
        named = configuration.get("user") if proof.kind == "basic" else None
        way = Way(
            base_url,
            Credentials(proof.kind, secret, named or proof.name, proof.prefix),
            headers=recipe.headers,
            rate_per_s=recipe.rate_per_s,
            clock=self._clock,
            sleep=self._sleep,
            transport=self._transport,
        )
        return RestSystem(recipe, way, settings, wanted, overlap_s)


def _settings(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, str]:
    for name in given:
        if name not in recipe.settings:
            raise BadSetting(f"The recipe {recipe.name} has no setting {name}.")
    found = {}
    for name, setting in recipe.settings.items():
        value = given.get(name, setting.default)
        if not isinstance(value, str) or not re.fullmatch(setting.pattern, value):
            raise BadSetting(f"The recipe {recipe.name} needs the setting {name}: {setting.title}.")
        found[name] = value
    return found


class RestSystem:
    """One opened REST system. Not for several threads at once. Close it."""

    def __init__(
        self, recipe: Recipe, way: Way, settings: Mapping[str, str], wanted: Wanted, overlap_s: int = OVERLAP_S
    ) -> None:
        self._recipe, self._way, self._wanted = recipe, way, wanted
        self._overlap: Instant = overlap_s * SECOND
        names = dict.fromkeys((*wanted.read, *wanted.write))
        self._known: dict[str, Place | None] = {name: place_of(recipe, name) for name in names}
        places = {name: place for name, place in self._known.items() if place is not None}
        self._reader = Reader(recipe, way, settings, tuple(places[name] for name in wanted.read if name in places))
        self._writer = Writer(recipe, self._reader, places)

    def close(self) -> None:
        """Let go of connections."""
        self._way.close()

    def discover(self) -> Discovery:
        """The fields that the recipe declares, those of the shop's own that are wanted, and what the system can do."""
        recipe = self._recipe
        declared = [place_of(recipe, each.name) for each in recipe.fields]
        own = [place for name, place in self._known.items() if name not in {each.name for each in recipe.fields}]
        delta, create = recipe.delta, recipe.create
        batches = [part.batch for part in (recipe.update, create) if part is not None]
        return Discovery(
            tuple(place.remote for place in (*declared, *own) if place is not None),
            Capabilities(
                cursor="none" if delta is None else "field",
                granularity_s=1.0 if delta is None else delta.granularity_s,
                inclusive=delta is None or delta.inclusive,
                conditional_write="none" if recipe.update.version_header is None else "version",
                upsert_keys=tuple(recipe.by),
                batch=max(batches),
                creates=create is not None,
                rate_per_s=recipe.rate_per_s,
            ),
        )

    # ---- Checking ---------------------------------------------------------------------------------------------------

    def check(self) -> Sequence[Problem]:
        """Whether one page can be read with every wanted field, what may be written, and how the clocks stand."""
        found = list(self._misnamed())
        try:
            next(self._reader.records(None), None)
            found += self._without_right()
        except SystemRefused as error:
            kind = {401: "credentials", 403: "permission"}.get(self._way.last_status or 0, "settings")
            found.append(Problem(kind, str(error)))  # type: ignore[arg-type]
        except SystemChanged as error:
            found.append(Problem("field", str(error), error.field if isinstance(error, FieldGone) else None))
        clock = self._way.clock_problem()
        return found if clock is None else [*found, clock]

    def _misnamed(self) -> Iterator[Problem]:
        title = self._recipe.title
        for name in dict.fromkeys((*self._wanted.read, *self._wanted.write)):
            place = self._known[name]
            if place is None:
                yield Problem("field", f"{title} has no field {name}; choose another in the mapping.", name)
            elif name in self._wanted.write and not place.field.writable:
                yield Problem("permission", f"{name} of {title} cannot be written; map it inwards only.", name)

    def _without_right(self) -> Iterator[Problem]:
        rights = self._recipe.rights
        if rights is None or not self._wanted.write:
            return
        allowed = look(self._reader.ask(rights, {}).json(), parse_path(rights.write))
        if allowed not in (True, 1):
            title = self._recipe.title
            yield Problem("permission", f"The credentials may read and not write; grant the right in {title}.")

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """What changed since that state, or everything; the cursor steps back, so that a record may come again.

        The next cursor is the latest change that was seen, but not after this reading began: what changed while it
        went on may have been passed already.
        """
        self._know_all()
        since = None if state is None else state.value.get("since")
        since = since if isinstance(since, int) and self._recipe.delta is not None else None
        began, newest = self._way.clock(), since
        for record in self._reader.records(None if since is None else self._stepped_back(since)):
            if record.changed is not None:
                newest = record.changed if newest is None else max(newest, record.changed)
            yield record
        began += self._way.skew or 0
        yield State({} if newest is None else {"since": max(since or 0, min(newest, began))})

    def _know_all(self) -> None:
        """Refuse to read as if all were well where the recipe does not know a wanted field."""
        for name in self._wanted.read:
            if self._known[name] is None:
                raise FieldGone(name)

    def _stepped_back(self, since: Instant) -> Instant:
        delta = self._recipe.delta
        steps = 0.0 if delta is None else delta.granularity_s * (1 if delta.inclusive else 2)
        return max(0, since - self._overlap - int(steps * SECOND))

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The records of these ids, or those that have one of these values in the field `by`."""
        self._know_all()
        lookup = self._recipe.by_id if by is None else self._recipe.by.get(by)
        if lookup is None:
            raise SystemRefused(f"{self._recipe.title} cannot be asked for records by {by}; link by another key.")
        for document in self._reader.looked_up(lookup, keys):
            yield self._reader.record(document)

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Write each patch and say what became of it; what cannot be well is refused before anything is sent."""
        outcomes: dict[int, Outcome] = {}
        for place, patch in enumerate(patches):
            refused = refusal(patch, self._known, self._wanted.write)
            if refused is not None:
                outcomes[place] = refused
            elif patch.key is not None and not patch.set and not patch.clear:
                outcomes[place] = Unchanged(patch.key)
            elif patch.key is None and self._recipe.create is None:
                outcomes[place] = Rejected(None, "the recipe makes no new records")
        pause: RetryAfter | None = None
        sent = False
        for new in (False, True):
            writing = self._recipe.create if new else self._recipe.update
            mine = [at for at, patch in enumerate(patches) if at not in outcomes and (patch.key is None) == new]
            if writing is None:
                continue
            for some in _batches(mine, [patches[at].key for at in mine], writing.batch):
                if pause is None:
                    written = self._write_some(writing, [patches[place] for place in some], sent)
                    pause, sent = pause_of(written), True
                else:
                    written = [pause] * len(some)
                outcomes.update(zip(some, written, strict=True))
        return [outcomes[place] for place in range(len(patches))]

    def _write_some(self, writing: Writing, patches: Sequence[FieldPatch], sent: bool) -> Sequence[Outcome]:
        try:
            return self._writer.write(writing, patches)
        except OnewriterError as error:
            # What was written before must not be forgotten because the rest could not be.
            if not sent:
                raise
            return [pause_after(error)] * len(patches)


def _batches(mine: Sequence[int], keys: Sequence[str | None], size: int) -> Iterator[list[int]]:
    """Batches of no more than a size, none with one record twice: systems refuse that, or take one by chance."""
    some: list[int] = []
    there: set[str | None] = set()
    for place, key in zip(mine, keys, strict=True):
        if len(some) >= size or (key is not None and key in there):
            yield some
            some, there = [], set()
        some.append(place)
        there.add(key)
    if some:
        yield some
