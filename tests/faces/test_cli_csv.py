"""`onewriter csv`: a file looked at, imported and taken back as a person types it, and one written that leads back."""

import csv as reading
import stat
from pathlib import Path

import pytest

from onewriter.cli.frame import DONE, FAILED, FINDINGS, USAGE
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out
from tests.faces.test_cli_systems import WHY

HEADINGS = "First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
HEADINGS += "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
HEADINGS += "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Tags,Note,Tax Exempt,Total Spent"
MIA = "Mia,Lee,MIA@Example.com,no,,,,,,,,,'+41446681800,no,,gold words,no,0.00"


@pytest.fixture
def shop(onewriter: Onewriter, sandbox: RunningSandbox) -> Onewriter:
    """A shop with Mia, whose notes are what files say."""
    sandbox.shop.create(email="mia@example.com", phone="+41446681800", first_name="Mia", last_name="Lee", note="old")
    onewriter.imported(sandbox)
    onewriter("systems", "add", "csv", "--kind", "file", "--by-hand")
    onewriter("fields", "map", "csv", "note", "--remote", "Note", "--direction", "none", *WHY, "--yes")
    onewriter("fields", "own", "note", "csv", *WHY, "--yes")
    return onewriter


def put(folder: Path, text: str, encoding: str = "utf-8") -> str:
    path = folder / "people.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.req("M80")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_shopifys_file_is_known_however_it_is_written(
    shop: Onewriter, tmp_path: Path, encoding: str, sign: str
) -> None:
    text = f"{HEADINGS}\n{MIA}\n".replace(",", sign).replace("gold words", '"two\nlines é"')
    told = shop.json("csv", "check", put(tmp_path, text, encoding), code=FINDINGS)
    assert (told["delimiter"], told["rows"], told["customers"]["known"]) == (sign, 1, 1)
    assert told["encoding"] == {"utf-8": "utf-8"}.get(encoding, encoding)
    assert told["ignored"] == ["Tax Exempt", "Total Spent"]
    assert [(each["field"], each["count"], each["rows"]) for each in told["overwrites"]] == [("note", 1, [2])]
    assert {each["field"] for each in told["phantoms"]} == {"email"}
    assert told["share"] == {"changed": 1, "known": 1, "percent": 100.0, "limit": 20, "stops": True}


def test_what_is_shown_holds_no_value(shop: Onewriter, tmp_path: Path) -> None:
    file = put(tmp_path, f"{HEADINGS}\n{MIA}\n")
    told = shop("csv", "check", file, code=FINDINGS).out
    for part in ("mia", "lee", "gold words", "668"):
        assert part not in told.lower(), part
    assert "Would be overwritten" in told
    assert "only an owner can import it" in told
    assert shop("csv", "import", file, "--dry-run", code=FINDINGS).out == told


def test_a_file_is_imported_and_taken_back(shop: Onewriter, tmp_path: Path) -> None:
    file = put(tmp_path, f"{HEADINGS}\n{MIA}\n")
    stopped = shop.json("csv", "import", file, "--yes")["run"]
    carry_out(stopped)
    assert "more than 20 %" in shop.json("runs", "show", stopped)["reason"]
    allowed = ("--allow-share", "100", "--why", "they are all meant")
    run = shop.json("csv", "import", file, "--yes", *allowed)["run"]
    carry_out(run)
    shown = shop.json("runs", "show", run)
    assert (shown["kind"], shown["state"], shown["counts"]["taken"]) == ("file csv", "done", 1)
    assert _note(shop) == "gold words"
    assert shop.json("csv", "undo", run, "--dry-run")["counts"] == {"undone": 1}
    assert _note(shop) == "gold words"
    undo = shop.json("csv", "undo", run, "--yes")["run"]
    carry_out(undo)
    assert _note(shop) == "old"
    subjects = [line["subject"] for line in shop.json("privacy", "access", "list") if line["action"] == "system"]
    assert "system csv: import a file, 100 % may change" in subjects


def _note(shop: Onewriter) -> str:
    shown = shop.json("customers", "show", "mia@example.com", "--reveal", "--why", "a test")
    return str(shown["fields"]["note"])


@pytest.mark.parametrize("style", ["shopify", "plain"])
def test_an_export_leads_back_and_is_logged(shop: Onewriter, tmp_path: Path, style: str) -> None:
    file = tmp_path / "all.csv"
    told = shop.json("csv", "export", str(file), "--format", style, "--why", "for the printer")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(reading.DictReader(text))
    assert len(rows) == told["customers"] > 1
    assert {row.get("Phone", row.get("phone")) for row in rows} >= {"'+41446681800"}
    checked = shop.json("csv", "check", str(file), code=DONE)
    assert (checked["share"]["changed"], checked["refused"], checked["overwrites"]) == (0, [], [])
    assert checked["customers"] == {"known": told["customers"], "changed": 0}
    [line] = [each for each in shop.json("privacy", "access", "list") if each["action"] == "export"]
    assert line["subject"] == "csv: all customers"
    assert "is there already" in shop("csv", "export", str(file), "--why", "again", code=USAGE).err


def test_what_is_wrong_is_said_in_one_sentence_with_the_next_step(shop: Onewriter, tmp_path: Path) -> None:
    file = put(tmp_path, "Email,Note\nmia@example.com,x\n")
    assert "systems add other --kind file" in shop("csv", "import", file, "--as", "other", "--yes", code=FAILED).err
    assert "is read by its own cycles" in shop("csv", "import", file, "--as", "shopify", "--yes", code=FAILED).err
    assert "go together" in shop("csv", "import", file, "--yes", "--allow-share", "90", code=USAGE).err
    assert "no field of a column" in shop("csv", "check", file, "--map", "Note=nothing", code=USAGE).err
    assert "--map COLUMN=email" in shop("csv", "check", put(tmp_path, "A,B\n1,2\n"), code=USAGE).err
    cut = put(tmp_path, "Email,Note\nmia@example.com\n")
    assert "Row 2 has 1 cells" in shop("csv", "check", cut, code=FAILED).err
    assert "no import of a file" in shop("csv", "undo", _cycle(shop), "--yes", code=FAILED).err


def _cycle(shop: Onewriter) -> str:
    return str(shop.json("runs", "list")[0]["id"])
