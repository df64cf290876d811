"""The interface of a connector: how one kind of system is read and written, one field at a time.

Reading has the shape of Singer and Airbyte (records and states), writing that of a SCIM PATCH (set and clear). A
connector knows remote fields and remote values only; what they mean to us is decided elsewhere. It never commits
anything of ours, never tries a write again by itself, and says what became of each item.

A third party registers a `Kind` as an entry point in the group `onewriter.connectors` and proves it with
`onewriter systems conformance`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from onewriter.records import Instant

RemoteValue = Any
"""What a system holds in a field: None for empty, str, bool, int, float, a list of str, or plain JSON."""

RemoteType = Literal["text", "integer", "number", "boolean", "date", "datetime", "list", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteField:
    """A field as the system describes it."""

    name: str
    type: RemoteType = "text"
    writable: bool = True
    clearable: bool = True
    """Whether it can be emptied."""
    max_length: int | None = None
    """Characters."""
    enum: tuple[str, ...] | None = None
    """The words that it takes, where it takes only certain ones."""
    case: Literal["keep", "lower", "upper"] = "keep"
    """What the system makes of letters by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the system can do."""

    cursor: Literal["field", "sync_token", "none"] = "none"
    """How it tells what changed: by a time or number in each record, by a token, or not at all."""
    granularity_s: float = 1.0
    """Seconds within which two changes have the same time."""
    inclusive: bool = True
    """Whether asking for what changed since a time brings what changed at just that time."""
    deletes_visible: bool = False
    """Whether reading by cursor tells of deleted records."""
    conditional_write: Literal["etag", "version", "none"] = "none"
    """By what a write is refused if the record has changed since it was read."""
    upsert_keys: tuple[str, ...] = ()
    """Remote fields, beside the record's id, that `read_keys` can look records up by."""
    batch: int = 1
    """Items that one write call takes."""
    creates: bool = True
    rate_per_s: float | None = None
    webhooks: bool = False


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the system says of itself: its fields, as the credentials at hand see them, and what it can do."""

    fields: tuple[RemoteField, ...]
    capabilities: Capabilities

    def field_named(self, name: str) -> RemoteField | None:
        """The field of that name."""
        return next((each for each in self.fields if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the system holds it now: the wanted fields, and no others."""

    id: str
    fields: Mapping[str, RemoteValue]
    """By remote name. A field that is absent was not told; None is empty."""
    version: str | None = None
    """What a conditional write names."""
    changed: Instant | None = None
    """By the system's own clock."""
    created: Instant | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A record that the system has no more."""

    id: str
    changed: Instant | None = None


@dataclass(frozen=True, slots=True)
class State:
    """How far the reading has come: plain JSON that the next `read` begins from. It may hold ids; it is kept sealed."""

    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPatch:
    """What to write to one record: the fields to set and to empty, and nothing about any other field."""

    key: str | None
    """The record's id; None makes a new record."""
    set: Mapping[str, RemoteValue] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    if_version: str | None = None
    """Write only if the record is still of that version, where the system can tell."""
    idempotency_key: str | None = None
    """The same for the same intent: a system that knows it does a thing once only."""
    again: bool = False
    """Write it even though the record holds just that: only so is a right tried. A connector that cannot do it answers
    Unchanged, as for any other patch."""


@dataclass(frozen=True, slots=True)
class Applied:
    """It was written. `fields` is what the system holds now, where its answer tells; else it is read back."""

    id: str
    version: str | None = None
    fields: Mapping[str, RemoteValue] | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The record held all of it already."""

    id: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """The record has changed since the version that was named, or it is there no more (`gone`); nothing was written."""

    id: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The system will not have it, and asking again would not help. Nothing of the item was written."""

    field: str | None
    """The remote field at fault, where the system says so."""
    reason: str
    """In our words, without a value: value too long, no such field, not one of the words, no permission ..."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether it was written: a 5xx or a lost connection after the request was out. Read it back."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Nothing was written; the system asks to be left alone for so many seconds."""

    seconds: float


Outcome = Applied | Unchanged | Conflict | Rejected | Ambiguous | RetryAfter


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a mapping from working: a right, a field, a type. `field` is the remote name."""

    kind: Literal["credentials", "permission", "field", "type", "clock", "settings"]
    message: str
    """One sentence with the next step, without a value."""
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The remote fields that a connector is opened for; it reads these and the keys, and nothing else of a person."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()


class Connector(Protocol):
    """One opened system. Not for several threads at once. Close it.

    Each method raises `SystemUnreachable` or `SystemThrottled` (Temporary), or `SystemRefused`, `SystemChanged`
    (Permanent) for what concerns the whole call; what concerns one item of a write is its outcome.
    """

    def check(self) -> Sequence[Problem]:
        """Whether credentials and rights really allow what is wanted; nothing is written for it."""

    def discover(self) -> Discovery:
        """The fields and what the system can do."""

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """What changed since that state; everything without one. Ends with a `State`, or raises: never half silently.

        A cursor steps back by its granularity and by a window, so that a record may come again.
        """

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The records of these ids, or those that have one of these values in the remote field `by`.

        Who is not there is left out; several of one value all come.
        """

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Write each patch by itself and return one outcome for each, in order; at most `batch` at once.

        Nothing but the named fields of the named records changes. A field that is not writable is rejected before
        anything is sent.
        """

    def close(self) -> None:
        """Let go of connections."""


class Kind(Protocol):
    """One kind of system: how it is set up and opened."""

    name: str

    def spec(self) -> Mapping[str, Any]:
        """The configuration as JSON schema (draft 2020-12, one object). A secret has `"writeOnly": true`."""

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> Connector:
        """Open one; `configuration` fits the spec. Raises BadSetting for what the schema cannot tell. No network yet
        where that can be avoided.
        """
