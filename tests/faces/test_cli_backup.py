"""`onewriter backup`, `restore-backup`, `keys copy` and `keys restore-copy`, on an imported shop."""

import json
from pathlib import Path

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.customers import people, runs, workers
from onewriter.customers.people import Role
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out

PEOPLE = 30


@pytest.mark.req("K32", "K37")
def test_the_whole_way_from_a_backup_to_a_shop_that_is_read_again(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    one, two = sandbox.shop.ids[:2]
    made = installed.json("backup", "b.ow")
    assert (made["rows"]["customers"], made["bytes"]) == (PEOPLE, (tmp_path / "b.ow").stat().st_size)
    assert made["delete_by"] > made["made_at"]
    assert "add --force" in installed("backup", "b.ow", code=FAILED).err
    assert "Delete it by" in installed("backup", "b.ow", "--force").out
    assert installed.json("keys", "copy", "k.ow")["rows"] > PEOPLE

    installed("privacy", "erase", str(one), "--why", "asked for by post", "--yes")
    installed("keys", "copy", "k.ow")
    assert "add --yes" in installed("restore-backup", "b.ow", code=USAGE).err
    told = installed.json("restore-backup", "b.ow", "--yes")
    assert told["recovered"] == {"erased_again": 1, "lost": 0, "deliveries_dropped": 0}
    assert not installed.heard(one), "who was erased since the backup is erased again"
    assert installed.heard(two)
    [run_id] = told["runs"]
    carry_out(run_id)
    assert not installed.heard(one), "and reading the whole shop does not bring it back"
    assert {run["state"] for run in installed.json("runs", "list")} == {"done"}
    assert "nothing of the log lost" not in installed("privacy", "access", "list", "--json").out
    installed("privacy", "access", "verify")

    told = installed("keys", "restore-copy", "k.ow", "--yes").out
    assert told.startswith("Restored. Erased again: 0. Read again from Shopify, since their keys are lost: 0.")
    assert installed.heard(two)
    assert installed("restore-backup", "--resume").out.startswith("Restored. Erased again: 0.")


def test_only_an_owner_may_and_the_log_says_who_did(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    installed("backup", "b.ow")
    installed("keys", "copy", "k.ow")
    lines = installed.json("privacy", "access", "list")
    assert {line["action"] for line in lines} >= {"backup", "copy key store"}
    assert {line["actor"] for line in lines} == {actor()}
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        people.give(db, "user:somebody", "user:somebody", Role.OWNER, now())
    for words in (("backup", "c.ow"), ("keys", "copy", "k.ow")):
        assert "This needs the role owner" in installed(*words, code=FAILED).err
    for words in (("restore-backup", "b.ow"), ("restore-backup", "--resume"), ("keys", "restore-copy", "k.ow")):
        assert "This needs the role owner" in installed(*words, *_yes(words), code=FAILED).err


def _yes(words: tuple[str, ...]) -> tuple[str, ...]:
    return () if "--resume" in words else ("--yes",)


def test_what_cannot_be_is_said_in_one_sentence(onewriter: Onewriter, sandbox: RunningSandbox, tmp_path: Path) -> None:
    onewriter.connect(sandbox)
    onewriter("backup", "b.ow")
    assert "cannot be written" in onewriter("backup", "no/such/folder/b.ow", code=FAILED).err
    assert "Give either the FILE of a backup, or --resume" in onewriter("restore-backup", code=USAGE).err
    assert "cannot be read" in onewriter("restore-backup", "nothing", "--yes", code=FAILED).err
    (tmp_path / "text").write_text("a canary")
    told = onewriter("restore-backup", "text", "--yes", "--json", code=FAILED)
    assert json.loads(told.out)["error"]["kind"] == "FileUnusable"
    assert "canary" not in told.all
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        workers.enter(db, "w", now())
    for words in (("restore-backup", "b.ow"), ("keys", "restore-copy", "b.ow")):
        told = onewriter(*words, "--yes", code=FAILED)
        assert ("stop the service first" in told.err) == (words[0] == "restore-backup")
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        assert [run.kind for run in runs.newest(db, 10)] == ["import"]


def test_check_says_how_old_the_copy_is(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    def said() -> tuple[str, str]:
        with_codes = onewriter("check", "--json", code=1).document["checks"]
        [line] = [each for each in with_codes if each["name"] == "keys copy"]
        return line["level"], line["text"]

    onewriter.connect(sandbox)
    level, text = said()
    assert (level, text) == ("warning", "the key store was never copied")
    onewriter("keys", "copy", "k.ow")
    level, text = said()
    assert level == "ok"
    assert text.startswith("the newest copy is of 20")
