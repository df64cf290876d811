"""`onewriter diagnose`: a folder of files alone, nothing set up, and nothing written anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onewriter.cli.frame import DONE, FAILED, FINDINGS, PARTLY, USAGE
from tests.faces.conftest import Onewriter
from tests.support.bundles import from_the_page

LEFT_OUT = ("+41446681802", "+41319000000", "ben@example.com", "user:ann")
"""Values of the customers in the example, and who edited one: no part of any answer to people."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundle that the page shows."""
    made = tmp_path / "bundle"
    assert len(from_the_page(made)) == 8
    return made


def put(folder: Path, name: str, *lines: object) -> None:
    (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def same(folder: Path) -> None:
    """Leave nothing in the bundle that differs."""
    for name in ("source.jsonl", "target.jsonl"):
        put(folder, name, {"id": 1, "fields": {"email": "mia@example.com"}})
    for name in ("history/1.jsonl", "writes.jsonl"):
        (folder / name).unlink()
    put(folder, "links.jsonl", {"source": 1, "target": 1, "matched_by": "email"})


@pytest.mark.req("M41")
@pytest.mark.req("M70")
def test_the_example_of_the_page(onewriter: Onewriter, folder: Path) -> None:
    document = onewriter.json("diagnose", str(folder), code=FINDINGS)
    looks = {each["check"]: each["outcome"] for each in document["constraints"]}
    assert list(looks) == ["direction", "match key", "coverage", "formatting", "permissions", "logging"]
    assert (looks["direction"], looks["match key"], looks["logging"]) == ("pass", "pass", "pass")
    assert (document["source"], document["target"], document["unread"]) == ("shop", "crm", 0)
    assert document["phantoms"] == 1
    case, form = document["cases"]
    assert (form["scope_row"], form["causes"][0]["cause"], form["fix_target"]) == ("phantom", "format_only", "nothing")
    assert (case["field"], case["systems"], case["records"]) == ("phone", ["shop", "crm"], ["102"])
    assert (case["scope_row"], case["causes"][0]["cause"]) == ("record", "manual_edit_T")
    assert {"weight", "evidence", "missing"} < set(case["causes"][0])
    kinds = {"asserted": bool, "fix_target": str, "first_move": str, "not_to_do": str, "confidence": str}
    assert {name: type(case[name]) for name in kinds} == kinds
    assert case["predicted_survivor"] in ("shop", "crm", None)


@pytest.mark.req("M47")
def test_without_a_log_the_confidence_is_lowered(onewriter: Onewriter, folder: Path) -> None:
    assert onewriter.json("diagnose", str(folder), code=FINDINGS)["cases"][0]["confidence"] == "full"
    (folder / "writes.jsonl").unlink()
    document = onewriter.json("diagnose", str(folder), code=FINDINGS)
    assert document["cases"][0]["confidence"] == "lowered"
    assert document["known"]["writes"] is False


def test_people_get_one_screen_a_case_and_nobodys_values(onewriter: Onewriter, folder: Path) -> None:
    told = onewriter("diagnose", str(folder), code=FINDINGS).out
    document = onewriter.json("diagnose", str(folder), code=FINDINGS)
    case = document["cases"][0]
    said = " ".join(told.split())
    for part in ("Case 1: phone, shop and crm", "manual_edit_T", case["first_move"], case["not_to_do"], "102"):
        assert " ".join(part.split()) in said
    assert said.index("First move") < said.index("Not to do") < said.index(case["causes"][0]["evidence"][0])
    assert not [value for value in LEFT_OUT if value in told]


def test_many_cases_are_a_list_and_one_is_asked_for_by_its_number(onewriter: Onewriter, folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "target.jsonl").read_text().splitlines()]
    lines[0]["fields"]["email"] = "somebody.else@example.com"
    put(folder, "target.jsonl", *lines)
    cases = onewriter.json("diagnose", str(folder), code=FINDINGS)["cases"]
    assert [case["number"] for case in cases] == [1, 2, 3]
    told = onewriter("diagnose", str(folder), code=FINDINGS).out
    assert "--case N" in told
    assert "Not to do" not in told
    second = onewriter("diagnose", str(folder), "--case", "2", code=FINDINGS).out
    assert second.startswith(f"Case 2: {cases[1]['field']}")
    assert "Not to do" in second
    assert onewriter.json("diagnose", str(folder), "--case", "2", code=FINDINGS)["cases"] == [cases[1]]
    assert "There are 3 cases" in onewriter("diagnose", str(folder), "--case", "4", code=USAGE).err


def test_nothing_to_look_at(onewriter: Onewriter, folder: Path) -> None:
    same(folder)
    assert "Nothing to look at between shop and crm" in onewriter("diagnose", str(folder), code=DONE).out


def test_lines_that_cannot_be_read_are_told_beside_the_answer(onewriter: Onewriter, folder: Path) -> None:
    same(folder)
    with (folder / "source.jsonl").open("a") as file:
        file.write('{"id": "canary"\n' * 12)
    told = onewriter("diagnose", str(folder), code=PARTLY)
    assert "source.jsonl, line 2: it is no JSON object on one line." in told.err
    assert "2 more could not be read" in told.err
    assert "canary" not in told.all
    document = onewriter.json("diagnose", str(folder), code=PARTLY)
    assert document["unread"] == len(document["unread_lines"]) == 12


def test_a_bundle_of_no_use_ends_in_one_sentence(onewriter: Onewriter, folder: Path) -> None:
    (folder / "source.jsonl").unlink()
    told = onewriter("diagnose", str(folder), code=FAILED)
    assert told.err.startswith("Error: There is no source.jsonl")
    assert told.out == ""
    assert "does not exist" in onewriter("diagnose", str(folder / "gone"), code=USAGE).err


def test_it_needs_nothing_that_was_set_up_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = sorted((path, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")])
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    words = [sys.executable, "-m", "onewriter", "diagnose", str(folder), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=home, env=environment, check=False)
    assert done.returncode == FINDINGS, done.stderr
    assert json.loads(done.stdout)["cases"]
    assert list(home.iterdir()) == []
    assert sorted((path, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")]) == before
