"""The demo's story, told once as a new user would see it: every claim that it makes must hold."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onewriter.bench.story_points import Hands, Points

RECEIPT: dict[str, Any] = {
    "deleted": {"balance": 100, "earned": 100},
    "kept": {"balance": 100, "earned": 100},
    "after": {"balance": 150, "earned": 150},
    "dropped": [{"rule": "signup", "points": 50, "why": "given once in a life"}],
}
ACCOUNT = {"account": {"balance": 30, "earned": 150}}
AUDIT: dict[str, Any] = {"entries": 6, "customers": 1, "differences": []}


@pytest.mark.time_limit(600)
@pytest.mark.req("K1", "K6", "K10", "K43")
def test_every_claim_of_the_demo_holds() -> None:
    """The service imports in the background: no command of the story carries a run out itself."""
    told = subprocess.run(
        [sys.executable, "-m", "onewriter", "demo", "--json"], capture_output=True, timeout=580, check=False
    )
    assert told.stdout, told.stderr.decode()[-2000:]
    checks = json.loads(told.stdout.splitlines()[-1])
    assert len(checks) >= 28
    assert [check["claim"] for check in checks if not check["held"]] == []
    assert told.returncode == 0


def told(folder: Path, **changed: Any) -> tuple[list[bool], list[tuple[str, ...]]]:
    """Which claims about points hold where our commands answer so, and which commands were typed."""
    answers: dict[str, Any] = {"merge show 8": [RECEIPT], "points show 8": ACCOUNT, "points audit": AUDIT} | changed
    typed: list[tuple[str, ...]] = []
    hands = Hands(
        say=lambda _line: None,
        type=lambda *words, **_shown: typed.append(words),
        ask=lambda *words: answers[" ".join(words)],
        shop=lambda _what, **_given: {"id": 8},
        settle=lambda: None,
    )
    return [check.held for check in Points(hands, folder).tell()], typed


def test_the_claims_about_points_hold_for_what_was_worked_out_by_hand(tmp_path: Path) -> None:
    held, typed = told(tmp_path)
    assert held == [True] * 4
    assert [words[:2] for words in typed] == [
        ("programme", "set"),
        ("points", "show"),
        ("merge", "show"),
        ("points", "redeem"),
    ]
    assert (tmp_path / "programme.toml").read_text().startswith("currency")


@pytest.mark.parametrize(
    ("wrong", "answer", "claim"),
    [
        ("merge show 8", [RECEIPT | {"after": {"balance": 200, "earned": 200}}], 0),
        ("merge show 8", [RECEIPT | {"after": {"balance": 150, "earned": 200}}], 0),
        ("merge show 8", [RECEIPT | {"dropped": []}], 1),
        ("points show 8", {"account": {"balance": 150, "earned": 150}}, 2),
        ("points audit", AUDIT | {"differences": [{"what": "balance"}]}, 3),
        ("points audit", AUDIT | {"entries": 0}, 3),
    ],
)
def test_a_claim_about_points_that_does_not_hold_is_seen(tmp_path: Path, wrong: str, answer: Any, claim: int) -> None:
    held, _typed = told(tmp_path, **{wrong: answer})
    assert held == [place != claim for place in range(4)]


def test_a_merge_without_a_receipt_is_seen(tmp_path: Path) -> None:
    held, _typed = told(tmp_path, **{"merge show 8": []})
    assert held == [False, False, True, True]


def test_an_order_that_both_had_for_a_moment_is_no_loss(tmp_path: Path) -> None:
    order = {"rule": "order", "why": "the same order on both sides"}
    twice = [order | {"points": 70}, order | {"points": -20}]
    receipt = RECEIPT | {"kept": {"balance": 150, "earned": 150}, "dropped": [*RECEIPT["dropped"], *twice]}
    held, _typed = told(tmp_path, **{"merge show 8": [receipt]})
    assert held == [True] * 4
