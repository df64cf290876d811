"""The demo's story, told once as a new user would see it: every claim that it makes must hold."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from onewriter.bench.story_points import Hands, Points
from tests.support.browser import SCREENSHOTS, PageOf, look

PLAYED_MAX_S = 780
"""How long the whole story may take, on a machine that does other things too."""
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

RECEIPT: dict[str, Any] = {
    "deleted": {"balance": 100, "earned": 100},
    "kept": {"balance": 100, "earned": 100},
    "after": {"balance": 150, "earned": 150},
    "dropped": [{"rule": "signup", "points": 50, "why": "given once in a life"}],
}
ACCOUNT = {"account": {"balance": 30, "earned": 150}}
AUDIT: dict[str, Any] = {"entries": 6, "customers": 1, "differences": []}


@contextmanager
def demo() -> Iterator[Callable[[str], str]]:
    """`onewriter demo` at a terminal of its own; gives what waits for a text there and returns what was said then."""
    ours, theirs = pty.openpty()
    played = subprocess.Popen([sys.executable, "-m", "onewriter", "demo"], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = ""

    def wait_for(text: str) -> str:
        nonlocal said
        until = time.monotonic() + PLAYED_MAX_S
        while text not in said:
            assert time.monotonic() < until, said[-3000:]
            if select.select([ours], [], [], 1)[0]:
                said += COLOURS.sub("", os.read(ours, 65_536).decode(errors="replace")).replace("\r", "")
            assert played.poll() is None, said[-3000:]
        return said

    try:
        yield wait_for
    finally:
        played.send_signal(signal.SIGINT)
        ended = threading.Thread(target=drain, args=(ours,), daemon=True)
        ended.start()
        assert played.wait(60) == 0
        os.close(ours)


def drain(terminal: int) -> None:
    """Read what is said until the other end is gone: who writes to a full terminal waits."""
    with suppress(OSError):
        while os.read(terminal, 65_536):
            continue


@pytest.mark.time_limit(900)
@pytest.mark.req("K1", "K6", "K10", "K43")
def test_every_claim_of_the_demo_holds_and_its_link_leads_to_the_open_case(page_of: PageOf) -> None:
    """The service imports in the background: no command of the story carries a run out itself."""
    with demo() as wait_for:
        told = wait_for("Ctrl-C ends the demo")
        assert "FAILED" not in told
        counted = re.search(r"(\d+) of (\d+) checks held", told)
        assert counted is not None
        assert int(counted[1]) == int(counted[2]) >= 28
        link = re.search(r"(http://127\.0\.0\.1:\d+)(/welcome\?link=\S+)", told)
        assert link is not None
        look_around(page_of(link[1]), link[2])


def picture(window: Page, name: str) -> None:
    """What somebody sees first, as the README shows it."""
    window.emulate_media(color_scheme="light")
    window.screenshot(path=SCREENSHOTS / f"readme-{name}.png", animations="disabled")


def look_around(window: Page, link: str) -> None:
    """Somebody new comes in by the link, and mends the open case by its first move; the last of it by the keyboard."""
    window.goto(link)
    window.get_by_label("Name").fill("ann")
    window.get_by_label("Password").fill("four words make one")
    window.get_by_label("The same again").fill("four words make one")
    window.get_by_role("button", name="Begin").click()
    assert look(window, "demo-overview") == []
    picture(window, "overview")
    window.get_by_role("link", name="Look at the first").click()
    expect(window.get_by_text("Replace the transform of first_name").first).to_be_visible()
    assert look(window, "demo-case") == []
    picture(window, "case")
    window.get_by_label("Transform").select_option("same")
    window.get_by_role("button", name="Show what it would do").click()
    expect(window.get_by_role("heading", name="This is what it would do")).to_be_visible()
    window.get_by_role("button", name="Do it").focus()
    window.keyboard.press("Enter")
    expect(window.get_by_text("Its proof has begun")).to_be_visible()
    for path in ("/customers", "/fields", "/systems/crm", "/programme", "/cases?of=all", "/runs"):
        window.goto(path)
        picture(window, path.strip("/").split("?")[0].replace("/", "-"))
        assert look(window, "demo-" + path.strip("/").split("?")[0].replace("/", "-")) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_in_the_middle_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    """A shell lets what it starts in the background ignore Ctrl-C; the demo hears it all the same."""
    command = [sys.executable, "-m", "onewriter", "demo", "--once"]
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        played = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(tmp_path)})
    finally:
        signal.signal(signal.SIGINT, heard)
    until = time.monotonic() + 60
    while len(started := children_of(played.pid)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    played.send_signal(how)
    assert played.wait(60) != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert list(tmp_path.iterdir()) == []


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


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
