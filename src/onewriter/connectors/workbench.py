"""What a tester supplies to the conformance suite: a hand behind the connector's back.

Much of what goes wrong between two systems cannot be brought about through a connector: a transaction that commits
late, a record that somebody deletes, an answer that is lost. Each method here does one such thing to the real system.
What a workbench leaves out is told as not applicable, never as passed.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from onewriter.connectors.interface import Discovery, RemoteField, RemoteValue

ROOM = 40
"""Characters that a text field must hold to be written to by the suite."""


class NotApplicable(Exception):
    """The system has no such thing, or the workbench cannot bring it about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The remote fields that the suite may write to. All of them are the tester's to lose."""

    texts: tuple[str, ...]
    """Two or more that take any short text and can be emptied."""
    lookup: str | None = None
    """By which records can be looked up; it need not be one of `texts`, and several records may share a value."""
    typed: str | None = None
    """A number, a truth value or a date: no text."""
    limited: str | None = None
    """A text with a length limit."""
    words: str | None = None
    """A text that takes only certain words."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every field of the ground, once."""
        named = (*self.texts, self.lookup, self.typed, self.limited, self.words)
        return tuple(dict.fromkeys(name for name in named if name is not None))


class Workbench:
    """A workbench that can do nothing but work through the connector; a tester's own overrides what it can do."""

    def ground(self, discovery: Discovery) -> Ground:
        """The fields to write to; by default what the system describes as fit for it."""
        return chosen_ground(discovery)

    def value(self, field: str, number: int) -> RemoteValue:
        """A value that the field takes, another for each number. By default an address, which most text fields take."""
        return f"kanarie{number}@example.org"

    def required(self, number: int) -> Mapping[str, RemoteValue]:
        """What a new record must have beside the ground's fields."""
        return {}

    def page(self) -> int:
        """Records that the connector reads at once; more than twice as many are made."""
        return 100

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        """Make a record behind the connector's back and return its id."""
        raise NotApplicable("the workbench makes no records")

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        """Change fields of a record as a person in that system would, so that its time of change moves."""
        raise NotApplicable("the workbench changes no records")

    def change_child(self, record_id: str) -> None:
        """Change what belongs to a record and is kept elsewhere: its address, its e-mail."""
        raise NotApplicable("the workbench changes nothing that is kept beside a record")

    def remove(self, record_id: str) -> None:
        """Delete a record for good."""
        raise NotApplicable("the workbench deletes no records")

    def archive(self, record_id: str) -> None:
        """Hide a record as that system's people do: archived, inactive, soft-deleted."""
        raise NotApplicable("the workbench archives no records")

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        """What the system really holds of a record."""
        raise NotApplicable("the workbench cannot look behind the connector")

    def never_updated(self, values: Mapping[str, RemoteValue]) -> str:
        """Make a record whose time of change is empty until somebody changes it."""
        raise NotApplicable("the workbench makes no records without a time of change")

    def late_commit(self, record_id: str, values: Mapping[str, RemoteValue]) -> AbstractContextManager[None]:
        """Change a record in a transaction that began, and took its time of change, before the block and commits when
        it ends.
        """
        raise NotApplicable("the workbench cannot commit late")

    def answer_lost(self) -> AbstractContextManager[None]:
        """While it lasts, a write reaches the system and is kept, and its answer is lost."""
        raise NotApplicable("the workbench cannot lose an answer")

    def altering(self, field: str) -> AbstractContextManager[None]:
        """While it lasts, the system makes small letters of what is written to the field."""
        raise NotApplicable("the workbench cannot have the system alter a value")

    def trims(self, field: str) -> bool:
        """Whether the system takes blanks off either end of what is written to the field."""
        return False

    def cut_while_reading(self) -> AbstractContextManager[None]:
        """While it lasts, what is read comes half."""
        raise NotApplicable("the workbench cannot cut a reading")

    def locked(self, record_id: str) -> AbstractContextManager[None]:
        """While it lasts, somebody else holds the record."""
        raise NotApplicable("the workbench cannot hold a record")

    def field_gone(self, field: str) -> AbstractContextManager[None]:
        """While it lasts, the system has not that field."""
        raise NotApplicable("the workbench cannot take a field away")

    def wrong_credentials(self) -> Mapping[str, Any]:
        """The configuration with a password that is wrong."""
        raise NotApplicable("the workbench has no wrong credentials")

    def read_only(self) -> Mapping[str, Any]:
        """The configuration with credentials that may read and not write."""
        raise NotApplicable("the workbench has no credentials with fewer rights")

    def unreachable(self) -> Mapping[str, Any]:
        """The configuration with a place where no system answers."""
        raise NotApplicable("the workbench knows of no place where nothing answers")

    def clock_off(self) -> AbstractContextManager[None]:
        """While it lasts, the system's clock and ours differ by more than an hour."""
        raise NotApplicable("the workbench cannot put a clock wrong")


def chosen_ground(discovery: Discovery) -> Ground:
    """The fields of a system that the suite may write to, as the system describes them."""
    open_fields = [each for each in discovery.fields if each.writable]
    texts = [each.name for each in open_fields if _takes_any_text(each)]
    typed = [each.name for each in open_fields if each.type in ("integer", "number", "boolean", "date")]
    limited = [each.name for each in open_fields if each.type == "text" and each.max_length and each.enum is None]
    words = [each.name for each in open_fields if each.enum]
    keys = [name for name in discovery.capabilities.upsert_keys if name in {each.name for each in open_fields}]
    lookup = next(iter(keys), None)
    return Ground(
        texts=tuple(name for name in texts if name != lookup)[:3],
        lookup=lookup,
        typed=next(iter(typed), None),
        limited=next(iter(limited), None),
        words=next(iter(words), None),
    )


def _takes_any_text(field: RemoteField) -> bool:
    long_enough = field.max_length is None or field.max_length >= ROOM
    return field.type == "text" and field.clearable and field.enum is None and long_enough
