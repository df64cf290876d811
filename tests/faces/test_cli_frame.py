"""The command line as a whole: help, start-up, errors and exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from onewriter import __version__, errors
from onewriter.cli import LISTED, commands, root
from onewriter.cli.frame import DONE, FAILED, INTERRUPTED, PARTLY, UNREACHABLE, USAGE, Listed, PartlyDone, Root, guarded
from tests.faces.conftest import Onewriter

COMMANDS = dict(commands())
LEAVES = {path: command for path, command in COMMANDS.items() if not isinstance(command, click.Group)}


def test_the_story_is_told_in_order() -> None:
    names = list(root.list_commands(click.Context(root)))
    told = "demo shop serve worker sync runs customers systems fields csv parked audit cases diagnose links programme "
    told += (
        "points merge identity inbox questions privacy keys backup restore-backup people tokens check notify "
        "settings sandbox bench"
    )
    assert names == told.split()


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does(path: str) -> None:
    assert COMMANDS[path].help
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name
            assert parameter.help.strip().endswith((".", "https")), parameter.help


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_has_json(path: str) -> None:
    assert "--json" in {name for parameter in LEAVES[path].params for name in parameter.opts}


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: listed.name)
def test_the_outermost_help_says_what_the_command_says(listed: Listed) -> None:
    command = listed.load()
    assert command.name == listed.name
    assert command.hidden == listed.hidden
    assert command.get_short_help_str(200) == listed.help


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["shop", "--nothing"], ["nothing"]])
def test_help_waits_for_no_database_library(words: list[str]) -> None:
    script = (
        "import sys; from onewriter.cli import root; "
        f"root.main({words!r}, prog_name='onewriter', standalone_mode=False); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & set(sys.argv[1:])), file=sys.stderr)"
    )
    heavy = ["dbos", "sqlalchemy", "httpx2", "uvicorn", "starlette", "cryptography", "phonenumbers"]
    if "shop" in words:
        heavy = []
    done = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version(onewriter: Onewriter) -> None:
    assert onewriter("--version").out == f"onewriter {__version__}\n"


def test_python_m_is_the_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "onewriter", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.startswith(
        "onewriter"
    )


def test_no_command_prints_the_help(onewriter: Onewriter) -> None:
    assert "Commands:" in onewriter(code=USAGE).err


@pytest.mark.parametrize(
    "words",
    [["nothing"], ["shop", "nothing"], ["runs", "list", "--no"], ["runs", "list", "--limit", "0"], ["shop", "connect"]],
)
def test_a_usage_error_is_one_sentence_with_the_next_step(onewriter: Onewriter, words: list[str]) -> None:
    told = onewriter(*words, code=USAGE)
    assert told.out == ""
    assert re.fullmatch(r"Error: .*\. See `onewriter.* --help`\.\n", told.err), told.err
    error = onewriter(*words, "--json", code=USAGE).document["error"]
    assert error["kind"] == "Usage"
    assert f"Error: {error['message']}" == told.err.strip()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DatabaseBusy("Gone."), UNREACHABLE),
        (errors.ShopifyUnreachable("Gone."), UNREACHABLE),
        (errors.ShopifyThrottled("Slow down.", 5.0), UNREACHABLE),
        (errors.TokenRefused("No."), FAILED),
        (errors.BadSetting("No."), USAGE),
        (PartlyDone("Half."), PARTLY),
        (ZeroDivisionError("a canary"), FAILED),
        (KeyboardInterrupt(), INTERRUPTED),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise error

    assert guarded(fail, as_json=False) == code
    people = capsys.readouterr()
    assert people.out == ""
    assert re.fullmatch(r"Error: [A-Z].*\.\n", people.err)
    assert guarded(fail, as_json=True) == code
    document = json.loads(capsys.readouterr().out)["error"]
    assert set(document) == {"kind", "message"}
    assert "canary" not in people.err + document["message"]


def test_an_error_that_nobody_expected_tells_its_type_only(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("a canary")

    guarded(fail, as_json=False)
    assert "An error that we did not expect (RuntimeError);" in capsys.readouterr().err


def test_a_command_that_returns_nothing_is_done() -> None:
    lone = Root((), name="lone", invoke_without_command=True, callback=lambda: None)
    assert lone.main([], prog_name="lone", standalone_mode=False) == DONE


def test_a_reader_that_hangs_up_is_no_error(tmp_path: Path) -> None:
    environment = os.environ | {"ONEWRITER_DATA_DIR": str(tmp_path)}
    script = f"{sys.executable} -m onewriter settings --json | true"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
