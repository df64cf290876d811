"""The commands that the README and the guide for contributors name exist."""

import re
from pathlib import Path

import pytest

from tests.support.tree import ROOT

TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
NAMED = re.compile(r"(?:`|^[ \t]*(?:\$ )?)make ([a-z][a-z-]*)", re.MULTILINE)


def targets() -> set[str]:
    """The targets that the Makefile declares."""
    return set(TARGET.findall((ROOT / "Makefile").read_text()))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_that_a_page_names_exists(page: str) -> None:
    named = set(NAMED.findall((ROOT / page).read_text(encoding="utf-8")))
    assert named, f"{page} names no make target."
    assert named <= targets()


def test_ci_runs_only_targets_that_exist() -> None:
    named = set(NAMED.findall((ROOT / ".ci" / "run").read_text()))
    assert {"install", "test"} <= named <= targets()


def test_help_names_every_target() -> None:
    described = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets() - described == set()


def test_ci_can_be_run() -> None:
    assert (ROOT / Path(".ci/run")).stat().st_mode & 0o100
