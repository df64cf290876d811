"""`onewriter keys`: master keys are made, listed and replaced by a person who never sees one."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from onewriter.cli.frame import FAILED, FINDINGS, PARTLY, USAGE
from onewriter.cli.session import actor
from onewriter.customers import runs, shops
from onewriter.db.privacytables import people
from onewriter.vault.master import make_master_key, parse_keys
from tests.faces.conftest import Onewriter, carry_out
from tests.support.shops import DOMAIN, Tea


@pytest.fixture
def cli(tea: Tea, tmp_path: Path, database_url: str, keys_url: str, monkeypatch: pytest.MonkeyPatch) -> Onewriter:
    """The commands on a shop with a few keys."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("DATA_DIR", str(tmp_path)), ("DATABASE_URL", database_url), ("KEYSTORE_URL", keys_url)):
        monkeypatch.setenv(f"ONEWRITER_{name}", value)
    tea.runtime.keys.make_subject_keys(tea.shop_id, 5, 1)
    return Onewriter()


def key_file(tea: Tea) -> Path:
    return tea.runtime.settings.master_key_file


def states(cli: Onewriter) -> list[tuple[str, int, bool]]:
    """State, how many keys it wraps and whether it may go, of each master key."""
    return [(one["state"], sum(one["keys"].values()), one["may_go"]) for one in cli.json("keys", "list")]


def checked(cli: Onewriter, tea: Tea) -> list[tuple[str, str]]:
    """What `check` says of master keys; it has other findings here, and there is no shop to ask."""
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, 1)
    lines = cli.json("check", code=FINDINGS)["checks"]
    return [(line["level"], line["text"]) for line in lines if line["name"] == "master keys"]


@pytest.mark.req("K5")
def test_a_master_key_is_made_and_takes_over_and_the_old_one_goes(cli: Onewriter, tea: Tea) -> None:
    old = key_file(tea).read_text()
    [first] = cli.json("keys", "list")
    assert (first["state"], first["keys"]) == ("current", {"subject": 5, "shop": 1, "day": 0, "index": 0, "log": 0})
    assert checked(cli, tea) == []
    made = cli("keys", "create")
    new = key_file(tea).read_text()
    assert new.endswith(old)
    assert key_file(tea).stat().st_mode & 0o777 == 0o600
    assert all(line not in made.all for line in new.splitlines()), "a key is never printed"
    assert states(cli) == [("current", 0, False), ("here", 7, False)], "the log of this has a key too"
    assert "`onewriter keys rotate`" in cli("keys", "list").out
    [(level, text)] = checked(cli, tea)
    assert (level, "7 keys are still wrapped" in text) == ("warning", True)
    document = cli.json("keys", "rotate")
    [queued] = document["runs"]
    assert (queued["shop"], document["retired"], document["worker_lives"]) == (DOMAIN, [], False)
    carry_out(queued["run"])
    assert states(cli) == [("current", 7, False), ("here", 0, True)]
    [(level, text)] = checked(cli, tea)
    assert (level, "wraps nothing any more" in text) == ("ok", True)
    key_file(tea).write_text(new.splitlines()[0])
    assert states(cli) == [("current", 7, False), ("gone", 0, False)]
    assert cli.json("runs", "show", queued["run"])["counts"] == {"subject": 5, "shop": 1, "retired": 1}
    assert cli.json("keys", "rotate")["runs"] == []


def test_an_old_one_that_was_taken_out_too_early_is_told(cli: Onewriter, tea: Tea) -> None:
    cli("keys", "create")
    both = key_file(tea).read_text()
    old = parse_keys(both)[1].id
    key_file(tea).write_text(both.splitlines()[0])
    assert "put it back into the settings" in cli("keys", "list").out
    assert f"The master key {old} is missing; add it" in cli("keys", "rotate", code=FAILED).err, "the log needs it too"
    [(level, text)] = checked(cli, tea)
    assert (level, f"7 keys are wrapped with {old}" in text) == ("fault", True)
    key_file(tea).write_text(both)
    assert len(cli.json("keys", "rotate")["runs"]) == 1
    key_file(tea).write_text(both.splitlines()[0])
    refused = cli("keys", "rotate", code=FAILED).err
    assert f"6 keys are wrapped with the master key {old}, which is not in the settings; put it back" in refused


def test_nothing_is_queued_twice_or_for_nothing(cli: Onewriter) -> None:
    document = cli.json("keys", "rotate")
    assert (document["runs"], document["under_way"], document["retired"]) == ([], [], [])
    assert "wraps all" in cli("keys", "rotate").out
    cli("keys", "create")
    assert "Queued run" in cli("keys", "rotate").out
    assert cli.json("keys", "rotate", "--shop", DOMAIN)["under_way"] == [DOMAIN]
    assert "under way" in cli("keys", "rotate").out


def test_waiting_for_a_rotation_ends_as_it_ended(cli: Onewriter, tea: Tea, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("keys", "create")

    def watch(_runtime: object, run_id: str, **_given: object) -> int:
        carry_out(run_id)
        return PARTLY

    monkeypatch.setattr("onewriter.cli.keys.watch_run", watch)
    cli("keys", "rotate", "--wait", code=PARTLY)
    with tea.runtime.database.read() as db:
        assert runs.newest(db, 1)[0].counts["subject"] == 5


def test_keys_of_a_shop_that_is_not_there_any_more_are_wrapped_at_once(cli: Onewriter, tea: Tea) -> None:
    tea.runtime.keys.make_shop_key(99, 1)
    cli("keys", "create")
    cli("keys", "rotate", "--shop", DOMAIN)
    assert states(cli)[0][1] == 1, "the log"
    cli("keys", "rotate")
    assert states(cli)[0][1] == 2


def test_a_key_for_another_place_is_written_alone(
    cli: Onewriter, tea: Tea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, before = tmp_path / "new.key", key_file(tea).read_text()
    told = cli("keys", "create", "--out", str(out))
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().strip() not in told.all
    assert key_file(tea).read_text() == before
    assert "is there already" in cli("keys", "create", "--out", str(out), code=FAILED).err
    assert "cannot be written" in cli("keys", "create", "--out", "/proc/nowhere/x", code=FAILED).err
    monkeypatch.setenv("ONEWRITER_MASTER_KEY", f"{out.read_text().strip()} {before.strip()}")
    key_file(tea).rename(tmp_path / "away")
    assert [state for state, *_ in states(cli)] == ["current", "here"]
    refused = cli("keys", "create", code=USAGE).err
    assert "ONEWRITER_MASTER_KEY, where this command can put none: add --out FILE" in refused
    monkeypatch.delenv("ONEWRITER_MASTER_KEY")
    monkeypatch.setenv("ONEWRITER_MASTER_KEY_COMMAND", f"cat {out} {tmp_path / 'away'}")
    assert "ONEWRITER_MASTER_KEY_COMMAND" in cli("keys", "create", code=USAGE).err
    carry_out(cli.json("keys", "rotate")["runs"][0]["run"])
    assert states(cli)[1] == ("here", 0, True)


def test_only_an_owner_replaces_keys_and_it_is_logged(cli: Onewriter, tea: Tea) -> None:
    with tea.runtime.database.write() as db:
        db.execute(insert(people).values(name=actor(), role="staff", since=1, set_by="user:ann"))
        db.execute(insert(people).values(name="user:ann", role="owner", since=1, set_by="user:ann"))
    before = key_file(tea).read_text()
    for words in (("create",), ("rotate",), ("rotate", "--index")):
        assert "needs the role owner" in cli("keys", *words, code=FAILED).err
    assert key_file(tea).read_text() == before
    assert len(cli.json("keys", "list")) == 1
    told = json.dumps(cli.json("privacy", "access", "list"))
    assert "create master key" in told
    assert "rotate keys" in told


def test_a_process_that_still_has_the_retired_one_first_is_told(cli: Onewriter, tea: Tea) -> None:
    cli("keys", "create")
    carry_out(cli.json("keys", "rotate")["runs"][0]["run"])
    new, old = key_file(tea).read_text().splitlines()
    key_file(tea).write_text(f"{old}\n{new}\n")
    assert "was replaced at" in cli("keys", "list", code=FAILED).err


def test_a_master_key_that_is_in_the_settings_and_was_never_used_is_listed(cli: Onewriter, tea: Tea) -> None:
    with key_file(tea).open("a") as file:
        file.write(make_master_key() + "\n")
    assert states(cli) == [("current", 6, False), ("here", 0, False)]


def test_the_index_key_is_replaced_by_a_run_of_its_own(cli: Onewriter, tea: Tea) -> None:
    document = cli.json("keys", "rotate", "--index")
    [queued] = document["runs"]
    assert cli.json("keys", "rotate", "--index")["under_way"] == [DOMAIN]
    carry_out(queued["run"])
    assert cli.json("runs", "show", queued["run"])["state"] == "done"
    assert states(cli)[0][1] == 8, "one more: the new key of the index"
