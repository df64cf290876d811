"""What one check found: a value, so that a list of checks is a list of lines."""

from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import TypedDict


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class CheckDocument(TypedDict):
    """One line of `onewriter check`; `next_step` is what to do where it is not well."""

    name: str
    level: str
    shop: str | None
    text: str
    next_step: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of `onewriter check`. `next_step` is what to do about it."""

    name: str
    level: Level
    text: str
    next_step: str | None = None
    shop: str | None = None

    def line(self) -> str:
        """As people read it."""
        where = f"{self.shop}: " if self.shop else ""
        step = f"; {self.next_step}" if self.next_step else ""
        return f"{self.level.value:<7}  {self.name:<14}  {where}{self.text}{step}"

    def document(self) -> "CheckDocument":
        """As programs read it."""
        return {
            "name": self.name,
            "level": self.level.value,
            "shop": self.shop,
            "text": self.text,
            "next_step": self.next_step,
        }
