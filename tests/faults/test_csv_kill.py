"""The file that is kept for another system is whole at every moment, also when its writer is killed."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

from onewriter.connectors.csv_folder import CsvFolder
from onewriter.connectors.interface import Applied, FieldPatch, State, Wanted

ROWS = 3000
WRITER = """
import itertools, sys
from onewriter.connectors.csv_folder import CsvFolder
from onewriter.connectors.interface import FieldPatch, Wanted

folder = CsvFolder().open({"folder": sys.argv[1], "write": "out.csv", "key": "id"}, Wanted(("turn",), ("turn",)))
print("ready", flush=True)
for turn in itertools.count():
    folder.write([FieldPatch(key=str(number), set={"turn": str(turn)}) for number in range(3000)])
"""


def whole(file: Path) -> bool:
    """Whether the file has each row, and all of one turn."""
    with file.open(newline="") as text:
        rows = list(csv.reader(text))
    return len(rows) == ROWS + 1 and len({row[1] for row in rows[1:]}) == 1


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("id,turn\n" + "".join(f"{number},-\n" for number in range(ROWS)))
    for wait_s in (0.02, 0.05, 0.09):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            assert whole(file)
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
        writer.stdout.close()
        assert whole(file)
    connector = CsvFolder().open(
        {"folder": str(tmp_path), "write": "out.csv", "key": "id"}, Wanted(("turn",), ("turn",))
    )
    outcome = connector.write([FieldPatch(key="7", set={"turn": "last"})])[0]
    assert isinstance(outcome, Applied), "what was killed holds no lock and leaves nothing in the way"
    assert sum(not isinstance(each, State) for each in connector.read(None)) == ROWS
