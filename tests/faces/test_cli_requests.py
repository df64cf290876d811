"""`onewriter privacy requests` and `export`: what is asked of us in law, and what whoever asks is given."""

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.exported import write_folder
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers.exporting import Held
from onewriter.desk.exports import tables_of
from onewriter.errors import BadSetting
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from onewriter.workflows import privacy
from tests.faces.conftest import Onewriter, carry_out, deliver


def request_of(sandbox: RunningSandbox, number: int | None, **customer: Any) -> dict[str, Any]:
    body = {"shop_id": 1, "shop_domain": sandbox.info.domain, "data_request": {"id": 1}}
    return body | {"customer": {"id": number} | customer}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.req("K31")
def test_a_request_for_data_is_answered_by_a_folder_that_only_its_owner_reads(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    record, other = sandbox.shop.snapshot()[:2]
    deliver("customers/data_request", request_of(sandbox, record.id), "w-data")
    (request,) = installed.json("privacy", "requests")
    assert (request["state"], request["days_left"], request["topic"]) == ("open", 29, "customers/data_request")
    folder = tmp_path / "answer"
    told = installed("privacy", "export", str(folder), "--request", str(request["id"]), "--json")
    assert told.document["folder"] == str(folder)
    assert (mode(folder), {mode(path) for path in folder.iterdir()}) == (0o700, {0o600})
    written = json.loads((folder / "customer.json").read_text())
    (profile,) = written["tables"]["customers"]["rows"]
    assert (profile["shopify_id"], profile["holds"]["email"]) == (record.id, record.email)
    assert str(other.id) not in (folder / "customer.json").read_text()
    with (folder / "customers.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["shopify_id"] == str(record.id)
    assert sorted(told.document["files"]) == sorted(path.name for path in folder.iterdir())
    assert installed.json("privacy", "requests") == []
    assert installed("privacy", "requests").out == "No request is open.\n"
    (done,) = installed.json("privacy", "requests", "--all")
    assert (done["state"], done["outcome"], done["customer"]) == ("done", "exported", None)
    (line,) = [each for each in installed.json("privacy", "access", "list") if each["action"] == "export"]
    assert line["customer"] is not None
    assert str(record.email) not in told.all


def test_an_export_by_hand_needs_a_reason_and_a_new_folder(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    record = sandbox.shop.snapshot()[0]
    words = ("privacy", "export", str(record.id), str(tmp_path / "new"))
    assert "--why" in installed(*words, code=USAGE).err
    assert "Name a customer" in installed("privacy", "export", str(tmp_path / "new"), "--why", "x", code=USAGE).err
    assert not (tmp_path / "new").exists()
    installed(*words, "--why", "asked by post")
    assert "is there already" in installed(*words, "--why", "asked by post", code=USAGE).err
    missing = ("privacy", "export", "4711", str(tmp_path / "none"), "--why", "x")
    assert "Nothing is held" in installed(*missing, code=FAILED).err
    assert not (tmp_path / "none").exists()


def test_of_an_unclear_request_a_person_says_who_is_meant(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    record = sandbox.shop.snapshot()[0]
    deliver("customers/data_request", request_of(sandbox, None, email="nobody@example.com"), "w-data")
    (request,) = installed.json("privacy", "requests")
    assert request["question"] == installed.json("questions", "list")[0]["id"]
    folder = tmp_path / "answer"
    assert "name the customer" in installed("privacy", "export", str(folder), "--request", "1", code=FAILED).err
    installed("privacy", "export", str(record.id), str(folder), "--request", "1")
    assert installed.json("privacy", "requests") == installed.json("questions", "list") == []
    assert "ended already" in installed("privacy", "export", str(folder), "--request", "1", code=FAILED).err


@pytest.mark.req("K37")
def test_an_export_answers_no_other_request_than_the_one_for_that_data(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    record, other = sandbox.shop.snapshot()[:2]
    redact = {"shop_id": 1, "shop_domain": sandbox.info.domain, "customer": {"email": "nobody@example.com"}}
    deliver("customers/redact", redact, "w-redact")
    deliver("customers/data_request", request_of(sandbox, record.id), "w-data")
    words = ("privacy", "export", str(other.id), str(tmp_path / "new"), "--request")
    assert "does not ask for data" in installed(*words, "1", code=FAILED).err
    assert "another customer's data" in installed(*words, "2", code=FAILED).err
    assert not (tmp_path / "new").exists()
    assert {each["state"] for each in installed.json("privacy", "requests")} == {"open"}


@pytest.mark.req("K31", "K37")
def test_who_was_erased_before_the_answer_is_told_that_nothing_is_held(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    installed.imported(sandbox)
    number = sandbox.shop.ids[0]
    deliver("customers/data_request", request_of(sandbox, number), "w-data")
    body = {"shop_id": 1, "shop_domain": sandbox.info.domain, "customer": {"id": number}}
    deliver("customers/redact", body, "w-redact")
    told = installed("privacy", "export", str(tmp_path / "answer"), "--request", "1")
    assert "Nothing is held" in told.out
    assert not (tmp_path / "answer").exists()
    assert [one["state"] for one in installed.json("privacy", "requests", "--all")] == ["done", "done"]


def test_a_request_that_was_answered_elsewhere_is_closed_once(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    deliver("customers/data_request", request_of(sandbox, sandbox.shop.ids[0]), "w-data")
    assert installed.json("privacy", "requests", "close", "1", "--why", "by post")["state"] == "done"
    assert "ended already" in installed("privacy", "requests", "close", "1", "--why", "by post", code=FAILED).err
    assert "no request 7" in installed("privacy", "requests", "close", "7", "--why", "by post", code=FAILED).err
    assert "closed by hand" in installed("privacy", "requests", "--all").out


def test_check_tells_of_requests(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    deliver("customers/data_request", request_of(sandbox, sandbox.shop.ids[0]), "w-data")
    told = installed("check", "--json", code=1).document
    assert "1 privacy request is open" in json.dumps(told)


@pytest.mark.parametrize("value", ["=1+1", "+441234", "-x", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_carry_out_is_a_text_there(tmp_path: Path, value: str) -> None:
    write_folder(
        tmp_path / "new",
        {"tables": tables_of([Held("customers", "why", [{"note": value, "points": -5, "tags": ["a"]}])])},
    )
    with (tmp_path / "new" / "customers.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {"note": f"'{value}", "points": "-5", "tags": '["a"]'}
    written = json.loads((tmp_path / "new" / "customer.json").read_text())
    assert written["tables"]["customers"]["rows"][0]["note"] == value, "and exactly itself in the other file"


def test_a_formula_is_a_text_wherever_a_spreadsheet_parts_its_columns(tmp_path: Path) -> None:
    write_folder(tmp_path / "new", {"tables": tables_of([Held("customers", "why", [{"note": "tea; =1+1\n=2\t@x"}])])})
    with (tmp_path / "new" / "customers.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {"note": "tea;' =1+1\n'=2\t'@x"}


def test_what_cannot_be_written_whole_is_not_left_in_part(tmp_path: Path) -> None:
    found = [Held("customers", "why", [{"id": 1}]), Held("a/b", "why", [{"id": 1}])]
    with pytest.raises(BadSetting):
        write_folder(tmp_path / "new", {"tables": tables_of(found)})
    assert not (tmp_path / "new").exists()


@pytest.mark.req("K37")
def test_a_shop_that_was_erased_is_shown_as_that_and_begins_anew(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    domain, number = sandbox.info.domain, str(sandbox.shop.ids[0])
    installed("shop", "disconnect", domain, "--yes")
    deliver("shop/redact", {"shop_id": 1, "shop_domain": domain}, "w-shop")
    (request,) = installed.json("privacy", "requests")
    assert request["state"] == "accepted"
    with Runtime(settings.load()) as runtime:
        (run_id,) = privacy.queue_accepted(runtime)
    carry_out(run_id)
    assert installed.json("privacy", "requests") == []
    assert installed.json("privacy", "receipts")[0]["cause"] == "shop/redact"
    assert installed.json("shop", "show")["state"] == "erased"
    for words in (("customers", "show", number), ("shop", "disconnect", domain, "--yes"), ("privacy", "due")):
        assert "was erased" in installed(*words, code=FAILED).err, words
    installed.imported(sandbox)
    assert installed.heard(int(number))
