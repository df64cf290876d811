"""`onewriter cases`: listed, shown on one screen, answered and closed, each with the next command."""

import json

import pytest

from onewriter import settings
from onewriter.audit import cases_taking
from onewriter.audit.gathering import Gathered
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import find, shops
from onewriter.rules.diagnosis.evidence import Side
from onewriter.rules.diagnosis.judgement import CaseOf
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter
from tests.support import judging

WHY = ("--why", "it is fine as it is")


def found(*, asserted: bool = True) -> CaseOf:
    phone = judging.row(1, judging.rules("phone"), origin_value="secret-right", copy_value="secret-wrong")
    return judging.case([phone], "transform_lossy", "two_writers", asserted=asserted)


def take(shop_number: int, case: CaseOf) -> None:
    """Take a case of that customer, as an audit does at its end."""
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        vault = runtime.vault(shops.every(db)[0].id)
        mia = find.show(db, vault, str(shop_number)).id
        gathered = Gathered(
            evidence=judging.evidence(), customers={"s1": mia}, records={"t1": "record-1"}, pairs=1, differing={},
            found=1, opened=1, is_sample=False, loose={Side.SOURCE: 0, Side.TARGET: 0},
        )  # fmt: skip
        cases_taking.take(db, vault, "crm", "run-1", [case], gathered, runtime.now())


@pytest.fixture
def mia(onewriter: Onewriter, sandbox: RunningSandbox) -> int:
    """A customer of the shop; her Shopify number."""
    made = sandbox.shop.create(email="mia@example.com", phone="+41446681800", first_name="Mia")
    onewriter.imported(sandbox)
    return int(made.id)


def test_nothing_is_open_at_first_and_a_case_that_is_not_there_is_said_so(onewriter: Onewriter, mia: int) -> None:
    assert "onewriter audit run" in onewriter("cases", "list").out
    assert onewriter.json("cases", "list") == []
    assert "There is no case 7" in onewriter("cases", "show", "7", code=FAILED).err


@pytest.mark.req("M2", "M9", "M30")
def test_a_case_is_listed_and_shown_on_one_screen_without_a_value(onewriter: Onewriter, mia: int) -> None:
    case = found()
    take(mia, case)
    listed = onewriter("cases", "list").out
    assert "transform_lossy" in listed
    assert "cases show 1" in listed
    shown = onewriter("cases", "show", "1").out
    words = " ".join(shown.split())
    order = [case.scope, case.identity, case.owner, case.write_order, case.advice.first_move, case.advice.not_to_do]
    places = [words.index(" ".join(each.split())) for each in order]
    assert places == sorted(places), "the scope first, then identity, owner and write order, and only then what to do"
    assert str(mia) in shown
    assert shown.rstrip().splitlines()[-1].startswith("Next: ")
    document = onewriter.json("cases", "show", "1")
    assert (document["number"], document["records"], document["fix_target"]) == (1, [str(mia)], "rule")
    assert document["wrong_still"] == 1
    assert [each["step"] for each in document["steps"]] == ["opened"]
    assert not any(secret in shown + json.dumps(document) for secret in ("secret", "mia@", "446681800"))


def test_where_it_is_not_sure_the_two_that_it_is_between_are_told(onewriter: Onewriter, mia: int) -> None:
    take(mia, found(asserted=False))
    assert "not sure: transform_lossy (80%) or two_writers (40%)" in " ".join(
        onewriter("cases", "show", "1").out.split()
    )


def test_an_item_is_answered_by_a_person_and_the_next_command_is_told(onewriter: Onewriter, mia: int) -> None:
    take(mia, found(asserted=False))
    for item in ("field", "records", "cycle"):
        onewriter("cases", "checklist", "1", "--answer", item, "unclear", *WHY)
    told = onewriter.json("cases", "checklist", "1")
    assert (told["may_edit"], {"field", "records", "cycle"} <= {*told["unclear"]}) == (False, True)
    assert "cases checklist 1" in onewriter("cases", "show", "1").out.splitlines()[-1]
    for item in told["unclear"]:
        onewriter("cases", "checklist", "1", "--answer", item, "yes", *WHY)
    assert onewriter.json("cases", "checklist", "1")["may_edit"] is True
    assert "cases fix 1 --do resync" in onewriter("cases", "show", "1").out.splitlines()[-1]
    assert "ITEM is one of" in onewriter("cases", "checklist", "1", "--answer", "x", "yes", code=USAGE).err
    assert "yes, no or unclear" in onewriter("cases", "checklist", "1", "--answer", "key", "x", code=USAGE).err
    assert "goes with --answer" in onewriter("cases", "checklist", "1", *WHY, code=USAGE).err


@pytest.mark.req("M68")
def test_a_case_is_closed_only_with_its_proof_or_an_override(onewriter: Onewriter, mia: int) -> None:
    take(mia, found())
    assert "--override" in onewriter("cases", "close", "1", *WHY, code=FAILED).err
    closed = onewriter.json("cases", "close", "1", *WHY, "--override")
    assert (closed["state"], closed["why"]) == ("closed", WHY[1])
    assert onewriter.json("cases", "list") == []
    assert [each["number"] for each in onewriter.json("cases", "list", "--all")] == [1]
    [line] = [each for each in onewriter.json("privacy", "access", "list") if each["subject"] == "case 1"][:1]
    assert line["action"] == "close case"
