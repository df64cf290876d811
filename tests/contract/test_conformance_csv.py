"""The kind `csv` conforms, on a real folder."""

from pathlib import Path

import pytest

from onewriter.connectors.conformance import run
from onewriter.connectors.csv_folder import CsvFolder
from tests.support.csv_folders import CsvBench

NOT_IN_A_FILE = {
    "wrong credentials are told",  # a file has none
    "missing right is told without a write",  # told by the operating system, which a test's user may stand above
    "clock that is off is told",  # tests/stages/test_csv_folders.py: a file from the future
    "late commit behind the cursor is seen",  # every reading is of everything
    "record without a time of change comes",
    "what the system makes of a value is told",
    "change of a child brings its record",
    "archived record is noticed",
    "value of a wrong type is refused",  # every column is a text
    "unknown word is refused",
    "stale version is a conflict",
    "present version is written",
    "lost answer is ambiguous until read back",  # a file is replaced or it is not
    "lost answer to a new record is looked up",
}


@pytest.mark.contract
def test_a_folder_conforms(tmp_path: Path) -> None:
    bench = CsvBench(tmp_path)
    found = list(run(CsvFolder(), bench.configuration, bench))
    assert [f"{each.name}: {each.detail}" for each in found if each.verdict == "failed"] == []
    assert {each.name for each in found if each.verdict == "not applicable"} == NOT_IN_A_FILE
