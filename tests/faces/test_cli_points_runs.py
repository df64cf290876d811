"""`onewriter points award` and `points audit`: what is done to all customers of a shop at once."""

from pathlib import Path

import pytest

from onewriter.cli.frame import FAILED, FINDINGS, USAGE
from onewriter.records import DAY, HOUR, id_text
from onewriter.workflows.carrying import carry_out
from tests.faces.conftest import Onewriter
from tests.support.counter import at_counter
from tests.support.loyal import Loyal


@pytest.fixture
def counter(
    loyal: Loyal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, keys_url: str
) -> Onewriter:
    """The commands, with one customer from before the install and a new one."""
    loyal.customer(100, loyal.now - 50 * DAY)
    loyal.customer(101, loyal.now)
    return at_counter(monkeypatch, tmp_path, database_url, keys_url, loyal.now + HOUR)


@pytest.mark.req("K13")
def test_an_award_is_tried_given_repeated_and_taken_back(counter: Onewriter, loyal: Loyal) -> None:
    def run(*words: str) -> tuple[str, dict[str, int]]:
        queued = counter.json("points", "award", *words)
        assert (queued["state"], queued["worker_lives"]) == ("queued", False)
        carry_out(loyal.tea.runtime, queued["run"])
        return queued["run"], counter.json("runs", "show", queued["run"])["counts"]

    _dry, would = run("signup", "--dry-run")
    assert (would["awarded"], would["points"], would["had_it"]) == (1, 50, 1)
    award, given = run("signup", "--yes")
    assert given == would
    _again, nothing = run("signup", "--yes")
    assert nothing.get("awarded", 0) == 0
    _back, taken = run("--take-back", award, "--why", "by mistake", "--yes")
    assert (taken["taken_back"], taken["points"]) == (1, -50)
    assert loyal.entries(100) == []


def test_an_award_is_asked_for_in_full(counter: Onewriter) -> None:
    for words in ((), ("signup", "--take-back", "x", "--why", "y"), ("--take-back", "x"), ("signup", "--why", "y")):
        counter("points", "award", *words, "--yes", code=USAGE)
    assert "--yes" in counter("points", "award", "signup", code=USAGE).err, "nobody can be asked here"
    refused = counter("points", "award", "--take-back", "no-such-run", "--why", "y", "--yes", code=FAILED)
    assert "no such run" in refused.err


def test_an_audit_names_the_customer_that_differs(counter: Onewriter, loyal: Loyal) -> None:
    sound = counter.json("points", "audit")
    assert (sound["entries"], sound["customers"], sound["differences"]) == (1, 1, [])
    assert "1 entries of 1 customers: 0 differences." in counter("points", "audit").out
    with loyal.write() as db:
        db.exec_driver_sql("UPDATE accounts SET balance = 40")
    told = counter("points", "audit", code=FINDINGS)
    assert id_text(loyal.id(101)) in told.out
    (difference,) = counter.json("points", "audit", code=FINDINGS)["differences"]
    assert difference == {"customer": id_text(loyal.id(101)), "what": "balance", "kept": 40, "found": 50}
