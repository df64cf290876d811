"""`onewriter cases fix` and `verify`: from a symptom to a proof, as somebody types it, with a worker beside."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.frame import DONE, FAILED, FINDINGS, USAGE
from onewriter.customers import runs, shops
from onewriter.intake.refetch import Refetch
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out
from tests.faces.test_cli_systems import WHY, YES, Crm, agreed, cycled, mapped

NAMES = ("Mia-Louise", "Anne-Marie", "Jean-Luc", "Eva-Maria", "Hans-Peter", "Ann-Kathrin")
COMMANDS_MAX = 12


@pytest.fixture
def crm(tmp_path: Path) -> Crm:
    return Crm(tmp_path)


@pytest.fixture
def shop(onewriter: Onewriter, sandbox: RunningSandbox, crm: Crm) -> Onewriter:
    """A shop of six, whom the CRM knows, and a rule that keeps only the first word of a last name."""
    for place, first in enumerate(NAMES):
        sandbox.shop.create(email=f"a{place}@example.com", first_name=first, last_name="de la Cruz")
        crm("INSERT INTO people (mail, first, tier) VALUES (?, ?, 'gold')", f"a{place}@example.com", first)
    onewriter.imported(sandbox)
    crm("ALTER TABLE people ADD COLUMN last TEXT")
    mapped(onewriter, crm)
    words = ("fields", "map", "crm", "last_name", "--remote", "last", "--transform", "first_word")
    onewriter(*words, *YES)
    agreed(onewriter)
    return onewriter


@contextlib.contextmanager
def a_worker() -> Iterator[None]:
    """Carry out whatever is queued, as a worker does, until the test has seen enough."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with Runtime(settings.load()) as runtime, runtime.database.read() as db:
                queued = [each.id for each in runs.newest(db, 10) if not each.over]
            for run_id in reversed(queued):
                carry_out(run_id)
            over.wait(0.05)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def audited(shop: Onewriter) -> Any:
    """The cases after an audit."""
    [queued] = shop.json("audit", "run")["audits"]
    carry_out(queued["run"])
    return shop.json("cases", "list")


def edited(sandbox: RunningSandbox, place: int, **fields: Any) -> None:
    """Somebody edits a customer in the shop, and it is read again."""
    sandbox.shop.update(number_of(sandbox, place), **fields)


def number_of(sandbox: RunningSandbox, place: int) -> int:
    """One of those whom the CRM knows, by Shopify's number."""
    found = sandbox.shop.find(email=f"a{place}@example.com")
    assert found is not None
    return int(found.id)


@pytest.mark.time_limit(90)
def test_a_newcomer_comes_from_the_symptom_to_the_proof_by_the_next_commands_alone(
    shop: Onewriter, sandbox: RunningSandbox, crm: Crm
) -> None:
    typed: list[str] = []

    def at(*words: str, code: int = DONE) -> str:
        typed.append(" ".join(words))
        return str(shop(*words, code=code).out)

    with a_worker():
        assert "transform_lossy" in at("audit", "run", "--wait", code=FINDINGS)
        assert "Next: `onewriter cases show 1`." in at("cases", "list")
        assert "Next: `onewriter cases fix 1 --do map --transform same" in at("cases", "show", "1")
        fixed = at("cases", "fix", "1", "--do", "map", "--transform", "same", "--yes")
        assert "Case 1: fix applied." in fixed
        assert "Next: `onewriter cases verify 1 --now`" in fixed
        told = at("cases", "verify", "1", "--now", code=FINDINGS)
        [question] = shop.json("questions", "list")
        assert f'Next: `onewriter questions answer {question["id"]} "go on" --why TEXT`' in told
        at("questions", "answer", str(question["id"]), "go on", *WHY)
        told = at("cases", "verify", "1", "--now", code=FINDINGS)
        assert "2 of 3 held" in told, "the value stays, and is kept; nobody has edited a second customer"
        assert "have last_name of another customer edited in shopify" in told
        assert crm("SELECT DISTINCT last FROM people") == [("de la Cruz",)]
        edited(sandbox, 5, last_name="van den Berg")
        at("sync", "customer", str(number_of(sandbox, 5)))
        read_again()
        told = at("cases", "verify", "1", "--now")
    assert "Case 1: verified." in told
    assert "Next: `onewriter cases close 1 --why TEXT`; it is proved." in told
    assert len(typed) <= COMMANDS_MAX
    shop("cases", "close", "1", *WHY)
    assert shop.json("cases", "list") == []


def read_again() -> None:
    """Have the customers read that are marked to be, as a worker does."""
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            shop_id = shops.every(db)[0].id
        Refetch(runtime.database, runtime.client, runtime.vault, runtime.now).once(shop_id)


def test_a_dry_run_shows_what_would_change_and_changes_nothing(shop: Onewriter) -> None:
    audited(shop)
    told = shop("cases", "fix", "1", "--do", "map", "--transform", "same", "--dry-run").out
    assert "first_word" in told
    assert "Nothing was done." in told
    assert shop.json("cases", "show", "1")["fix"] is None


def test_a_fix_is_taken_back_with_its_proof(shop: Onewriter) -> None:
    audited(shop)
    shop("cases", "fix", "1", "--do", "map", "--transform", "same", "--yes")
    told = shop("cases", "fix", "1", "--undo", "--yes").out
    assert "Case 1: diagnosed." in told
    assert shop.json("cases", "show", "1")["checks"] == []
    assert "Nothing was done about case 1" in shop("cases", "fix", "1", "--undo", "--yes", code=FAILED).err


def test_what_was_mended_elsewhere_is_said_and_its_proof_begins(shop: Onewriter) -> None:
    audited(shop)
    told = shop.json("cases", "fix", "1", "--done", "The CRM keeps whole names now")
    assert (told["state"], told["fix"]["action"], told["fix"]["why"]) == (
        "waiting for cycle", "done", "The CRM keeps whole names now",
    )  # fmt: skip
    assert {each["check"]: each["state"] for each in told["checks"]}["stays"] == "waiting"
    assert told["awaited"] == ["crm", "shopify"]
    assert "wait for a full cycle of crm" in told["next"] or "edited in shopify" in told["next"]


@pytest.mark.req("M33")
def test_looking_early_verifies_nothing(shop: Onewriter) -> None:
    audited(shop)
    assert "Nothing was done about case 1 yet" in shop("cases", "verify", "1", code=FAILED).err
    shop("cases", "fix", "1", "--done", "The CRM keeps whole names now")
    told = shop("cases", "verify", "1", code=FINDINGS).out
    assert "Case 1: waiting for cycle." in told
    assert "0 of 3 held" in told


@pytest.mark.req("M63")
def test_three_unclear_items_pause_the_edit_and_a_reason_goes_over_them_into_the_access_log(shop: Onewriter) -> None:
    audited(shop)
    for item in ("field", "records", "cycle"):
        shop("cases", "checklist", "1", "--answer", item, "unclear", *WHY)
    words = ("cases", "fix", "1", "--do", "map", "--transform", "same", "--yes")
    refused = shop(*words, code=FAILED).err
    assert "3 of 7 items are unclear" in refused
    assert "onewriter cases checklist 1 --answer field yes" in refused
    shop(*words, "--override", "The owner of the data says so")
    line = next(each for each in shop.json("privacy", "access", "list") if each["action"] == "fix case")
    assert (line["subject"], line["reason"] if "reason" in line else line["why"]) == (
        "case 1: map", "The owner of the data says so",
    )  # fmt: skip
    steps = {each["step"]: each["told"] for each in shop.json("cases", "show", "1")["steps"]}
    assert "The owner of the data says so" in steps["overrode"]


def test_options_that_do_not_go_together_are_said_so(shop: Onewriter) -> None:
    audited(shop)
    assert "exclude each other" in shop("cases", "fix", "1", "--undo", "--done", "x", code=USAGE).err
    assert "--owner goes with --do own" in shop("cases", "fix", "1", "--owner", "crm", code=USAGE).err
    assert "Say how crm shall hold last_name" in shop("cases", "fix", "1", "--do", "map", code=USAGE).err
    assert "--owner is missing" in shop("cases", "fix", "1", "--do", "own", code=USAGE).err
    assert "Say how: --keys" in shop("cases", "fix", "1", "--do", "key", code=USAGE).err
    assert "no such system" in shop("cases", "fix", "1", "--do", "own", "--owner", "erp", code=FAILED).err
    assert "1 to 500 letters" in shop("cases", "fix", "1", "--done", " ", code=USAGE).err


def test_a_customer_who_is_named_to_be_edited_is_not_the_only_one_of_the_case(
    shop: Onewriter, sandbox: RunningSandbox
) -> None:
    audited(shop)
    shop("cases", "fix", "1", "--done", "The CRM keeps whole names now")
    told = shop.json("cases", "verify", "1", "--canary", str(number_of(sandbox, 5)), code=FINDINGS)
    assert told["needs_edit"] is True
    assert "Shopify is always awaited" in shop("cases", "verify", "1", "--not-awaited", "shopify", code=USAGE).err
    told = shop.json("cases", "verify", "1", "--not-awaited", "crm", code=FINDINGS)
    assert told["awaited"] == ["shopify"]


@pytest.mark.req("M8", "M64")
def test_a_hand_edit_of_a_value_that_a_case_is_about_says_so_and_names_the_case(
    shop: Onewriter, sandbox: RunningSandbox
) -> None:
    audited(shop)
    number = str(number_of(sandbox, 0))
    words = ("customers", "set", number, "last_name=Cruz", "--dry-run", *WHY)
    told = shop(*words).err
    assert "The mapping is still wrong, so that the next cycle undoes what you type." in told
    assert "`onewriter cases show 1` tells why." in told
    shop("cases", "fix", "1", "--do", "map", "--transform", "same", "--yes")
    assert "The mapping is still wrong" not in shop(*words).err


@pytest.mark.req("M27")
def test_a_second_hand_edit_of_what_a_case_is_about_is_told_that_it_comes_back(
    shop: Onewriter, sandbox: RunningSandbox
) -> None:
    audited(shop)
    number = str(number_of(sandbox, 0))
    shop("customers", "set", number, "last_name=Cruz", *WHY)
    told = shop("customers", "set", number, "last_name=de la Cruz y Vega", *WHY).err
    assert "It was corrected by hand 1 times already, and came back." in told


@pytest.mark.req("M28")
def test_of_a_second_record_the_key_comes_before_the_merge(
    onewriter: Onewriter, sandbox: RunningSandbox, crm: Crm
) -> None:
    mia = sandbox.shop.create(email="mia@example.com", first_name="Mia", last_name="Lee")
    onewriter.imported(sandbox)
    crm("INSERT INTO people (mail, first, tier) VALUES ('mia@example.com', 'Mia', 'gold')")
    mapped(onewriter, crm)
    agreed(onewriter)
    crm("CREATE UNIQUE INDEX one_number ON people (first)")
    crm("INSERT INTO people (mail, first, tier) VALUES ('mia@example.com', 'Mia Lou', 'gold')")
    sandbox.shop.update(mia.id, first_name="Mia Lou")
    onewriter("sync", "customer", str(mia.id))
    read_again()
    for _cycle in range(3):
        cycled(onewriter)
    found = audited(onewriter)
    assert [each["cause"] for each in found] == ["identity_split"]
    shown = onewriter("cases", "show", "1").out
    assert "Tighten the match key" in shown
    assert "Do not merge first" in " ".join(shown.split())
    assert "onewriter fields keys check" in shown
