"""Ownership: which system may write which field. One owner a field, always (requirement M19)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """The fields of one write, sorted by whether its system may write them."""

    accepted: tuple[str, ...]
    refused: tuple[str, ...]


def split(fields: Iterable[str], owners: Mapping[str, str], system: str) -> Split:
    """Sort fields by whether `system` owns them. A field without an owner is refused: nobody said who may write it."""
    accepted: list[str] = []
    refused: list[str] = []
    for name in fields:
        (accepted if owners.get(name) == system else refused).append(name)
    return Split(tuple(accepted), tuple(refused))
