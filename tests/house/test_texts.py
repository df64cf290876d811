"""The repository speaks to whoever clones it: nothing in it points at one person's machine or work."""

import re

import pytest

from tests.support.tree import place, texts

# Each is written so that it does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.~$}-])/(?:work|root|home/\w+|Users/\w+)/")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|yarnpkg[.]com)|/opt/(?:pypi|wheels)"
)
WORKPLACE = re.compile(r"shared[/]design|\bthe [i]ssue\b|\bthis [s]ession\b", re.IGNORECASE)

FOREIGN = {".graphql", ".graphqls"}
"""Texts by others, whose words are theirs: Shopify's published schema, and what is in a `vendor` folder."""


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY_HOST, WORKPLACE], ids=["path", "registry", "workplace"])
def test_no_text_points_at_one_machine(pattern: re.Pattern[str]) -> None:
    ours = {path: text for path, text in texts().items() if path.suffix not in FOREIGN and "vendor" not in path.parts}
    found = [
        f"{place(path, number)} {line.strip()[:100]}"
        for path, text in ours.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_what_must_not_be_there_would_be_seen() -> None:
    assert MACHINE_PATH.search("cd " + "/".join(("", "root", "x")))
    assert MACHINE_PATH.search("/".join(("", "home", "ann", "onewriter")))
    assert not MACHINE_PATH.search("https://example.com/work/1")
    assert REGISTRY_HOST.search("files." + "pythonhosted" + ".org")
    assert WORKPLACE.search("See The " + "Issue.")
