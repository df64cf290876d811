"""Writing to a REST system: one request a patch, or one for a batch of them, and what became of each.

A request is sent once. What was refused before anything was written may be sent again in smaller parts: a system that
refuses a whole batch for one bad value must not keep the others from being written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onewriter.connectors.http import NotSent, Oversized, Reply, Unsendable, raise_whole
from onewriter.connectors.interface import Ambiguous, Applied, Conflict, FieldPatch, Outcome, Rejected, RetryAfter
from onewriter.connectors.rest_children import commands
from onewriter.connectors.rest_paths import Path, fill, fill_path, fill_query, gaps_of, look, look_all, parse_path, put
from onewriter.connectors.rest_reading import GONE, Reader, names_one_missing
from onewriter.connectors.rest_recipe import Place, Recipe, Writing
from onewriter.connectors.rest_values import NO_FIELD, TOO_LONG, values_of
from onewriter.errors import (
    OnewriterError,
    SystemChanged,
    SystemRefused,
    SystemThrottled,
    SystemUnreachable,
)

LOST = "the connection was lost after the request was out"
FAILED = "the system failed after the request was out"
UNREADABLE = "the system's answer cannot be read"
NOT_TOLD = "the system's answer does not tell what became of it"
REASONS: Mapping[str, str] = {
    "taken": "another record has that value already",
    "too long": TOO_LONG,
    "no field": NO_FIELD,
    "not a word": "the value is not one of the words that the field takes",
    "no permission": "the credentials do not have the right to write it",
    "value": "the system does not take the value",
}
"""Our words for what a system refuses; its own may quote the value."""
BY_STATUS: Mapping[int, str] = {403: "no permission", 409: "taken", 413: "too long"}
BAD_VALUE = (400, 409, 422)
AGAIN_S = 30.0
"""When what could not be sent is to be tried again."""
TEXT_MAX = 20_000
UNSENDABLE = "the value is too long, or has signs that no request can hold"

Values = dict[Path, Any]
"""What goes where in the body."""


@dataclass
class Writer:
    """What of a system is written, through the reader's way."""

    recipe: Recipe
    reader: Reader
    places: Mapping[str, Place]

    def write(self, writing: Writing, patches: Sequence[FieldPatch]) -> list[Outcome]:
        """One request for all of them; they are of one sort, and no more than a batch."""
        try:
            values = [self._values(patch) for patch in patches]
        except SystemThrottled as error:
            return [RetryAfter(error.retry_after_s)] * len(patches)
        except SystemUnreachable:
            return [RetryAfter(AGAIN_S)] * len(patches)
        values = [_needing(writing, patch) or each for patch, each in zip(patches, values, strict=True)]
        good = [(patch, each) for patch, each in zip(patches, values, strict=True) if isinstance(each, dict)]
        sent = iter(self._sent(writing, good) if good else ())
        return [next(sent) if isinstance(each, dict) else each for each in values]

    def _values(self, patch: FieldPatch) -> Values | Rejected | Conflict:
        values = values_of(self.recipe, self.places, patch)
        children = {name: self.places[name] for name in values if self.places[name].child}
        plain = {self.places[name].write: value for name, value in values.items() if name not in children}
        if not children:
            return plain
        inner = commands(self.recipe, self.reader, patch.key, children, {name: values[name] for name in children})
        return {**plain, **inner} if isinstance(inner, dict) else inner

    # ---- Sending ----------------------------------------------------------------------------------------------------

    def _sent(self, writing: Writing, good: Sequence[tuple[FieldPatch, Values]]) -> list[Outcome]:
        try:
            reply = self._send(writing, good)
        except NotSent:
            return [RetryAfter(AGAIN_S)] * len(good)
        except Unsendable:
            if len(good) > 1:
                return self._each(writing, good)
            return [Rejected(None, UNSENDABLE)]
        except (SystemUnreachable, Oversized):
            return [Ambiguous(LOST)] * len(good)
        if reply.fine:
            return self._done(writing, reply, [patch for patch, _ in good])
        if reply.status == 429:
            return [RetryAfter(reply.retry_after_s(self.reader.way.clock()))] * len(good)
        if reply.status in GONE and not self._is_of_one(writing, reply):
            raise SystemRefused(f"The system takes nothing at that address ({reply.status}); check the recipe.")
        if reply.status in (403, 408) or reply.status >= 500 or len(good) == 1:
            return [self._refused(reply, patch) for patch, _ in good]
        return self._each(writing, good)

    def _is_of_one(self, writing: Writing, reply: Reply) -> bool:
        """Whether a 404 speaks of a record, whose id stands in the address or of which the recipe knows the code; else
        it is the address itself that is not there.
        """
        if not names_one_missing(reply):
            return False
        code = self._code(reply.json()) if reply.body.strip() else None
        return "id" in gaps_of(writing.path) or (writing.gone is not None and code == writing.gone)

    def _each(self, writing: Writing, good: Sequence[tuple[FieldPatch, Values]]) -> list[Outcome]:
        """Each one by itself, until the system wants no more: what was written by then is told, and the rest waits."""
        outcomes: list[Outcome] = []
        for one in good:
            try:
                outcomes += self._sent(writing, [one])
            except OnewriterError as error:
                if not outcomes:
                    raise
                return outcomes + [pause_after(error)] * (len(good) - len(outcomes))
            pause = pause_of(outcomes)
            if pause is not None:
                return outcomes + [pause] * (len(good) - len(outcomes))
        return outcomes

    def _send(self, writing: Writing, good: Sequence[tuple[FieldPatch, Values]]) -> Reply:
        patch, values = good[0]
        known = {**self.reader.settings, "id": patch.key}
        known |= {f"set_{name}": value for name, value in patch.set.items()}
        body = fill(writing.body if writing.body is not None else {}, known)
        if writing.items:
            put(body, parse_path(writing.items), [self._item(writing, *one) for one in good])
        else:
            _lay(body, parse_path(writing.at), values)
        headers = {}
        if writing.version_header and patch.if_version is not None:
            headers[writing.version_header] = patch.if_version
        if writing.idempotency_header and patch.idempotency_key is not None:
            headers[writing.idempotency_header] = patch.idempotency_key
        path, query = fill_path(writing.path, known), fill_query(writing.query, known)
        return self.reader.way.send(writing.method, path, query=query, body=body, headers=headers)

    def _item(self, writing: Writing, patch: FieldPatch, values: Values) -> dict[str, Any]:
        known = {**self.reader.settings, "id": patch.key, **{f"set_{name}": value for name, value in patch.set.items()}}
        item: dict[str, Any] = fill(writing.item if writing.item is not None else {}, known)
        _lay(item, parse_path(writing.at), values)
        return item

    # ---- What became of it ------------------------------------------------------------------------------------------

    def _done(self, writing: Writing, reply: Reply, patches: Sequence[FieldPatch]) -> list[Outcome]:
        try:
            document = reply.json() if reply.body.strip() else None
        except SystemUnreachable:
            return [Ambiguous(UNREADABLE)] * len(patches)
        if writing.answer is None or not reply.body.strip():
            return [Ambiguous(NOT_TOLD) if patch.key is None else Applied(patch.key) for patch in patches]
        if not writing.items:
            return [self._applied(look(document, parse_path(writing.answer)), patches[0])]
        rows = look(document, parse_path(writing.answer))
        by_id = {str(row.get("id")): row for row in rows if isinstance(row, dict)} if isinstance(rows, list) else {}
        refused = self._refused_items(writing, document)
        return [self._of_item(writing, patch, by_id, refused) for patch in patches]

    def _of_item(
        self, writing: Writing, patch: FieldPatch, done: Mapping[str, Any], refused: Mapping[str, Any]
    ) -> Outcome:
        key = patch.key or ""
        if key in done:
            return self._applied(done[key], patch)
        if key not in refused:
            return Ambiguous(NOT_TOLD)
        error = refused[key]
        if writing.gone is not None and self._code(error) == writing.gone:
            return Conflict(key, gone=True)
        return self._rejected(400, error, patch)

    def _refused_items(self, writing: Writing, document: Any) -> dict[str, Any]:
        """What a batch's answer says of the items that were refused, by id."""
        listed = None if writing.errors is None else look(document, parse_path(writing.errors))
        found: dict[str, Any] = {}
        for error in listed if isinstance(listed, list) else ():
            for ids in look_all(error, parse_path(writing.error_ids)):
                found |= {str(each): error for each in (ids if isinstance(ids, list) else [ids])}
        return found

    def _applied(self, row: Any, patch: FieldPatch) -> Outcome:
        try:
            record = self.reader.record(row, strict=False)
        except SystemChanged:
            return Ambiguous(NOT_TOLD)
        if patch.key not in (None, record.id):
            return Ambiguous(NOT_TOLD)
        whole = record.fields.keys() >= {*patch.set, *patch.clear}
        return Applied(record.id, record.version, record.fields if whole else None)

    def _refused(self, reply: Reply, patch: FieldPatch) -> Outcome:
        status = reply.status
        if status == 408 or status >= 500:
            name = self._unknown_field(reply, patch)
            lost = status in (502, 504)
            return Ambiguous(LOST if lost else FAILED) if name is None else Rejected(name, NO_FIELD)
        if patch.key is not None and (status in GONE or status == 412 or (status == 409 and patch.if_version)):
            return Conflict(patch.key, gone=status in GONE)
        if status != 403:
            raise_whole(reply, self.reader.way.clock())
        try:
            document = reply.json()
        except SystemUnreachable:
            document = None
        return self._rejected(status, document, patch)

    def _rejected(self, status: int, document: Any, patch: FieldPatch) -> Rejected:
        word = self.recipe.errors.reasons.get(self._code(document) or "")
        field = self._field_at_fault(document, patch)
        if field is None and status in BAD_VALUE and len(patch.set) == 1 and not patch.clear:
            field = next(iter(patch.set))
        return Rejected(field, REASONS[word or BY_STATUS.get(status, "value")])

    def _code(self, document: Any) -> str | None:
        path = self.recipe.errors.code
        code = None if path is None else look(document, parse_path(path))
        return code if isinstance(code, str) else None

    def _field_at_fault(self, document: Any, patch: FieldPatch) -> str | None:
        """The field of the patch that a refusal names; nothing else of what it says is passed on."""
        for path in self.recipe.errors.field:
            for told in look_all(document, parse_path(path)):
                words = str(told).replace("/", ".").strip(".")
                for name in (*patch.set, *patch.clear):
                    where = ".".join(step for step in self.places[name].write if isinstance(step, str))
                    if words in (name, where) or words.endswith(f".{where}") or where.endswith(f".{words}"):
                        return name
        return None

    def _unknown_field(self, reply: Reply, patch: FieldPatch) -> str | None:
        """The field of the patch that a failure says is not there any more."""
        form = self.recipe.errors.unknown_field
        text = reply.body[:TEXT_MAX].decode("utf-8", "replace")
        if form is None:
            return None
        return next((name for name in (*patch.set, *patch.clear) if form.replace("{name}", name) in text), None)


def pause_of(outcomes: Sequence[Outcome]) -> RetryAfter | None:
    """How long nothing more is to be sent after these; None if all is well. A system that did not answer one request
    would let each of the others hang as long.
    """
    for outcome in outcomes:
        if isinstance(outcome, RetryAfter):
            return outcome
        if outcome == Ambiguous(LOST):
            return RetryAfter(AGAIN_S)
    return None


def pause_after(error: OnewriterError) -> RetryAfter:
    """The outcome of what was not sent because of an error before it."""
    return RetryAfter(error.retry_after_s if isinstance(error, SystemThrottled) else AGAIN_S)


def _needing(writing: Writing, patch: FieldPatch) -> Rejected | None:
    """The refusal of a new record without the field that its address needs."""
    for gap in sorted(gaps_of(writing.path)):
        name = gap.removeprefix("set_")
        if name != gap and patch.set.get(name) in (None, ""):
            return Rejected(name, "a new record needs a value in it")
    return None


def _lay(body: dict[str, Any], at: Path, values: Values) -> None:
    """Put every value where it goes; a body that is to have an object gets it even without values."""
    for path, value in values.items():
        put(body, (*at, *path), value)
