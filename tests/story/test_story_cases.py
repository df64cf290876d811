"""The act about cases, against commands that answer by a script: a claim that does not hold is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from onewriter.bench.crm import written_otherwise
from onewriter.bench.story_cases import CAUSES, NUMBER, Cases
from onewriter.bench.story_points import Hands
from onewriter.bench.story_systems import Systems

PEOPLE = 12
OPEN = [
    {"number": number, "field": name, "cause": cause, "asserted": True, "state": "diagnosed"}
    for number, (name, cause) in enumerate(CAUSES.items(), 1)
]
WAITING = [each | {"state": "waiting for cycle"} for each in OPEN]
VERIFIED = [each | {"state": "verified"} for each in OPEN]


@dataclass
class Stage:
    """A shop, its CRM, and what our commands answer: the list of cases first, then all of them, three times."""

    folder: Path
    listed: list[dict[str, Any]]
    standing: list[list[dict[str, Any]]]
    carries: bool
    shown: dict[int, dict[str, Any]] = field(default_factory=dict)
    typed: list[tuple[str, ...]] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        for number in range(PEOPLE):
            self.shown[100 + number] = {
                "email": f"p{number}@example.com", "phone": None, "first_name": f"Name{number}", "last_name": "Núñez"
                if number % 2 else "Lee",
            }  # fmt: skip
        hands = Hands(
            say=lambda _line: None, type=self.type, ask=self.ask, shop=self.act, settle=lambda: None,
        )  # fmt: skip
        self.systems = Systems(hands, self.folder, lambda: self.shown)
        self.systems.known = sorted(self.shown)
        self.systems.crm.make([written_otherwise(row, 1) for row in self.shown.values()])

    def type(self, *words: str, **_shown: str) -> None:
        self.typed.append(words)
        if words[:2] == ("cases", "verify") and self.carries:
            for place, row in enumerate(self.shown.values(), 1):
                carried = {"first": row["first_name"], "last": row["last_name"], "mobile": row["phone"]}
                self.systems.crm.edit(place, **carried)

    def ask(self, *words: str) -> Any:
        if words == ("runs", "list"):
            self.runs += 1
            return [{"id": f"{self.runs:03}", "kind": "cycle crm", "finished_at": "now"}]
        if words == ("questions", "list"):
            return [{"id": 1}]
        return self.listed if words == ("cases", "list") else self.standing.pop(0)

    def act(self, _what: str, **given: Any) -> None:
        self.shown[given["id"]].update(given["input"])


def told(folder: Path, **changed: Any) -> tuple[list[bool], Stage]:
    """Which claims hold where our commands answer so."""
    answers: Mapping[str, Any] = {"listed": OPEN, "standing": [WAITING, VERIFIED, VERIFIED], "carries": True}
    stage = Stage(folder, **{**answers, **changed, "standing": list(changed.get("standing", answers["standing"]))})
    checks = Cases(stage.systems.hands, stage.systems).tell()
    return [check.held for check in checks], stage


def test_three_faults_are_planted_mended_and_proved(tmp_path: Path) -> None:
    held, stage = told(tmp_path)
    assert held == [True] * 5
    assert [words[:3] for words in stage.typed if words[:2] == ("cases", "fix")] == [
        ("cases", "fix", "1"),
        ("cases", "fix", "2"),
        ("cases", "fix", "3"),
    ]
    people = stage.systems.crm.people().values()
    assert sum(record["mobile"] == NUMBER for record in people) == 1


def test_no_reason_names_a_customer(tmp_path: Path) -> None:
    _held, stage = told(tmp_path)
    reasons = [word for words in stage.typed for word in words if " " in word]
    assert reasons
    names = {str(value) for row in stage.shown.values() for value in row.values() if value is not None}
    assert not [one for one in reasons for name in names if name in one]


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"listed": [*OPEN, {**OPEN[0], "number": 4, "field": "note"}]}, 0),
        ({"listed": [{**OPEN[0], "cause": "truncation"}, *OPEN[1:]]}, 0),
        ({"listed": [{**OPEN[0], "asserted": False}, *OPEN[1:]]}, 0),
        ({"standing": [[*WAITING[:2], VERIFIED[2]], VERIFIED, VERIFIED]}, 1),
        ({"standing": [WAITING, [*VERIFIED[:2], WAITING[2]], VERIFIED]}, 2),
        ({"carries": False}, 3),
        ({"standing": [WAITING, VERIFIED, [*VERIFIED[:2], {**OPEN[2], "state": "returned"}]]}, 4),
        ({"standing": [WAITING, VERIFIED, [*VERIFIED, {**OPEN[2], "number": 4}]]}, 4),
    ],
)
def test_a_claim_that_does_not_hold_is_seen(tmp_path: Path, changed: dict[str, Any], claim: int) -> None:
    held, _stage = told(tmp_path, **changed)
    assert held == [place != claim for place in range(5)]


def test_where_not_all_three_are_found_nothing_more_is_claimed(tmp_path: Path) -> None:
    held, stage = told(tmp_path, listed=OPEN[:2])
    assert held == [False]
    assert not [words for words in stage.typed if words[:2] == ("cases", "fix")]
