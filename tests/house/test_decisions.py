"""Every surprising choice has a page of its own, and every dependency its reason."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.tree import ROOT

DECISIONS = ROOT / "docs" / "decisions"
SECTIONS = ("Context", "Decision", "Consequences")


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("*")), ids=lambda path: path.name)
def test_a_decision_is_one_numbered_page_in_three_parts(path: Path) -> None:
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [section for section in SECTIONS if section not in headings] == []


def test_no_number_is_used_twice() -> None:
    numbers = [path.name[:4] for path in DECISIONS.glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0] for requirement in project["dependencies"]]
    reasons = (DECISIONS / "0001-dependencies.md").read_text(encoding="utf-8").lower()
    assert [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", reasons)] == []
