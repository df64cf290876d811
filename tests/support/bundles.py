"""The bundle that its page shows, as a folder of files."""

import re
from pathlib import Path

from tests.support.tree import ROOT

PAGE = ROOT / "docs" / "bundle.md"
FILE = re.compile(r"^`([\w/]+\.jsonl?)`:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def from_the_page(folder: Path) -> list[str]:
    """Write the files of the example into the folder; their names."""
    found = FILE.findall(PAGE.read_text(encoding="utf-8"))
    for name, text in found:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [name for name, _ in found]
