"""`onewriter settings`: every setting is listed with its value and where it is from, and no secret is."""

from pathlib import Path

import pytest

from onewriter.cli.frame import USAGE
from onewriter.settings import SETTINGS
from tests.faces.conftest import Onewriter


def test_every_setting_is_listed(nothing_yet: Onewriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onewriter.toml").write_text("port = 9000\n")
    monkeypatch.setenv("ONEWRITER_HOST", "0.0.0.0")
    listed = {one["name"]: one for one in nothing_yet.json("settings")}
    assert list(listed) == [setting.name for setting in SETTINGS]
    assert (listed["port"]["value"], listed["port"]["source"]) == (9000, "file")
    assert (listed["host"]["value"], listed["host"]["source"]) == ("0.0.0.0", "environment")
    assert listed["region"]["source"] == "default"
    assert listed["bulk_wait_hours"]["unit"] == "hours"
    assert all(one["help"] for one in listed.values())
    assert "inbox_keep_days" in nothing_yet("settings").out
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "address",
    ["postgresql://tea:canary@db/tea", "postgresql://tea:ca:na@ry@db/tea", "postgresql://db/tea?user=tea&password=canary"],
)  # fmt: skip
def test_no_secret_is_listed(onewriter: Onewriter, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("ONEWRITER_MASTER_KEY", "canary")
    monkeypatch.setenv("ONEWRITER_DATABASE_URL", address)
    for form in ([], ["--json"]):
        told = onewriter("settings", *form).all
        assert "***" in told
        for part in ("canary", "na@ry", "ry@db"):
            assert part not in told


@pytest.mark.parametrize("variable", ["ONEWRITER_CANARY", "ONEWRITER_PORT"])
def test_a_setting_that_cannot_be_meant_is_a_usage_error(
    onewriter: Onewriter, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "many")
    for words in (["settings"], ["runs", "list"], ["serve"]):
        assert onewriter.json(*words, code=USAGE)["error"]["kind"] == "BadSetting"


def test_a_folder_that_cannot_be_used_is_one_sentence(
    onewriter: Onewriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ONEWRITER_DATA_DIR", str(tmp_path / "file" / "data"))
    assert len(onewriter("runs", "list", code=USAGE).err.splitlines()) == 1


def test_the_first_command_of_an_installation_makes_its_tables(
    nothing_yet: Onewriter, database_url: str, keys_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEWRITER_DATABASE_URL", database_url)
    monkeypatch.setenv("ONEWRITER_KEYSTORE_URL", keys_url)
    assert nothing_yet.json("shop", "list") == nothing_yet.json("runs", "list") == []


def test_the_first_command_of_an_installation_makes_its_folder(nothing_yet: Onewriter, tmp_path: Path) -> None:
    assert nothing_yet.json("shop", "list") == []
    assert {"onewriter.db", "keys.db"} <= {each.name for each in (tmp_path / "data").iterdir()}
