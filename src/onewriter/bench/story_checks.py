"""What the demo's story checks: our customers against the shop's own account, and our files for readable values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onewriter.bench.simulate.truth import fields_shown

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


def compare(truth: Mapping[int, Mapping[str, Any]], ours: Mapping[int, Mapping[str, Any]]) -> Differences:
    """Compare the shop's own account with what we hold, customer by customer; one that only one side has differs."""
    wrong: dict[int, tuple[str, ...]] = {}
    for number in truth.keys() | ours.keys():
        if number not in truth or number not in ours:
            wrong[number] = ("presence",)
        elif differing := _differing(truth[number], ours[number]):
            wrong[number] = differing
    return Differences(wrong, len(truth.keys() | ours.keys()))


def _differing(theirs: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, value in fields_shown(theirs).items() if held.get(name) != value)


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
