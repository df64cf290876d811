"""What the demo's story checks: our customers against the shop's own account, and our files for readable values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOLD_FIELDS = ("first_name", "last_name", "email", "phone", "note", "state")
"""What deliveries tell; the other fields come with reads."""

SHORTEST = 8
"""Shorter values stand in files by chance: Ann is in Annapolis."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of the story, whether it held, and the figures behind it."""

    claim: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Differences:
    """The customers that differ between the shop and us, and in which fields."""

    wrong: Mapping[int, tuple[str, ...]]
    compared: int

    def told(self) -> str:
        """How many are equal, or what differs."""
        if not self.wrong:
            return f"{self.compared:,} compared"
        fields = sorted({name for names in self.wrong.values() for name in names})
        return f"{len(self.wrong)} of {self.compared:,} differ in {', '.join(fields)}"


def compare(
    truth: Mapping[int, Mapping[str, Any]], ours: Mapping[int, Mapping[str, Any]], *, every_field: bool
) -> Differences:
    """Compare the shop's own account with what we hold, customer by customer; one that only one side has differs."""
    wrong: dict[int, tuple[str, ...]] = {}
    for number in truth.keys() | ours.keys():
        if number not in truth or number not in ours:
            wrong[number] = ("presence",)
        elif differing := _differing(truth[number], ours[number], every_field):
            wrong[number] = differing
    return Differences(wrong, len(truth.keys() | ours.keys()))


def _differing(theirs: Mapping[str, Any], held: Mapping[str, Any], every_field: bool) -> tuple[str, ...]:
    names = [name for name in TOLD_FIELDS if _plain(theirs[name]) != _plain(held.get(name))]
    if every_field:
        names += ["tags"] if sorted(theirs["tags"]) != (held.get("tags") or []) else []
        names += ["locale"] if theirs["locale"] != held.get("locale") else []
        names += ["addresses"] if len(theirs["addresses"]) != len(held.get("addresses") or []) else []
    return tuple(names)


def _plain(value: Any) -> Any:
    """Blanks around a value and the case of a state are how it is written, not what it says."""
    return (value.strip().lower() or None) if isinstance(value, str) else value


def leaks(files: Sequence[Path], truth: Mapping[int, Mapping[str, Any]]) -> set[str]:
    """The names of customers' fields whose value stands readable in one of the files."""
    content = b"\n".join(path.read_bytes() for path in files)
    return {f"{number}.{name}" for number, name, value in _values(truth) if value.encode() in content}


def _values(truth: Mapping[int, Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    found = []
    for number, customer in truth.items():
        for name in ("first_name", "last_name", "email", "phone", "note"):
            value = customer[name]
            if isinstance(value, str) and len(value) >= SHORTEST:
                found.append((number, name, value))
    return found
