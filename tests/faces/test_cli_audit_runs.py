"""`onewriter audit run` and `cases export`, on a real CRM in a file that a person connected."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from onewriter import settings
from onewriter.audit import bundle
from onewriter.cli.frame import DONE, FAILED, USAGE
from onewriter.customers import find, runs, shops
from onewriter.db.casetables import case_rows, cases
from onewriter.rules.diagnosis.evidence import Side
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out
from tests.faces.test_cli_systems import WHY, Crm, agreed, mapped


@pytest.fixture
def crm(tmp_path: Path) -> Crm:
    return Crm(tmp_path)


@pytest.fixture
def shop(onewriter: Onewriter, sandbox: RunningSandbox, crm: Crm) -> Onewriter:
    """A shop whose one customer with an address the CRM knows, agreed to and in step."""
    sandbox.shop.create(email="mia@example.com", first_name="Mia", last_name="Lee")
    onewriter.imported(sandbox)
    crm("INSERT INTO people (mail, first, tier) VALUES ('MIA@Example.com', 'Maria', 'gold')")
    mapped(onewriter, crm)
    agreed(onewriter)
    return onewriter


def carry_out_next() -> None:
    """Carry the next audit out, as a worker would, once it is queued."""
    waited = threading.Event()
    while True:
        with Runtime(settings.load()) as runtime, runtime.database.read() as db:
            queued = [each.id for each in runs.newest(db, 5) if runs.family(each.kind) == runs.AUDIT and not each.over]
        if queued:
            carry_out(queued[0])
            return
        waited.wait(0.05)


def test_an_audit_is_queued_and_a_second_one_is_refused(shop: Onewriter) -> None:
    [queued] = shop.json("audit", "run")["audits"]
    assert queued["system"] == "crm"
    assert "already queued" in shop("audit", "run", "--system", "crm", code=FAILED).err
    carry_out(queued["run"])
    shown = shop.json("runs", "show", queued["run"])
    assert (shown["kind"], shown["state"], shown["counts"]["pairs"]) == ("audit crm", "done", 1)


def test_what_it_came_to_is_told_when_it_is_waited_for(shop: Onewriter) -> None:
    worker = threading.Thread(target=carry_out_next)
    worker.start()
    told = shop("audit", "run", "--system", "crm", "--wait", code=DONE).out
    worker.join()
    assert "1 linked records, 0 values wrong" in told
    assert "mia" not in told.lower()


def test_what_is_not_in_step_is_written_into_a_folder_and_logged(shop: Onewriter, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert "--why" in shop("cases", "export", str(folder), "--system", "crm", code=USAGE).err
    told = shop.json("cases", "export", str(folder), "--system", "crm", *WHY)
    assert (told["system"], told["records"]) == ("crm", {"source": 1, "target": 1})
    read = bundle.read(folder)
    assert (read.source, read.target, len(read.links or ())) == ("shopify", "crm", 1)
    [mia] = read.records[Side.SOURCE].values()
    assert mia.fields["email"] == "mia@example.com"
    assert (read.fields or {})["first_name"].owner == "shopify"
    [line] = [each for each in shop.json("privacy", "access", "list") if each["action"] == "reveal"]
    assert line["subject"] == "system crm: what is not in step"
    assert "email" in json.dumps(line["fields"])
    assert "is there already" in shop("cases", "export", str(folder), "--system", "crm", *WHY, code=USAGE).err


def case_of(customer_id: bytes, *, gone: bool = False) -> None:
    """A case of that customer, as an audit opens it."""
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        shop_id = shops.every(db)[0].id
        head = {"shop_id": shop_id, "number": 1, "field": "first_name"}
        told = {"state": "open", "asserted": True, "scope_row": "record", "fix_target": "record", "affected": 1}
        told |= {"told": {}, "opened_at": 1, "opened_by": "a run", "looked_at": 1, "looked_by": "a run", "returns": 0}
        if not gone:
            db.execute(insert(cases).values(**head, **told, system="crm"))
            row = {"customer_id": customer_id, "record_id": "a record", "found_at": 1, "seen_at": 1}
            db.execute(insert(case_rows).values(**head, **row))
        else:
            db.execute(update(case_rows).values(gone_at=2))


def test_a_case_is_exported_with_its_customers_while_something_is_wrong(shop: Onewriter, tmp_path: Path) -> None:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        mia = find.show(db, runtime.vault(shops.every(db)[0].id), "mia@example.com").id
    case_of(mia)
    told = shop.json("cases", "export", "1", str(tmp_path / "out"), *WHY)
    assert (told["case"], told["system"], told["records"]["source"]) == (1, "crm", 1)
    [line] = [each for each in shop.json("privacy", "access", "list") if each["action"] == "reveal"]
    assert line["subject"] == "case 1"
    case_of(mia, gone=True)
    assert "any more" in shop("cases", "export", "1", str(tmp_path / "more"), *WHY, code=FAILED).err


def test_a_case_that_is_not_there_and_words_that_name_nothing_are_refused(shop: Onewriter, tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    assert "no such case" in shop("cases", "export", "7", folder, *WHY, code=FAILED).err
    assert "Name a case" in shop("cases", "export", folder, *WHY, code=USAGE).err
    assert "own side" in shop("cases", "export", folder, "--system", "shopify", *WHY, code=FAILED).err
