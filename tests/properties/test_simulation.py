"""The simulation holds on each database, is the same run for the same seed, and fails when a rule is broken."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from onewriter.bench.simulate import run, scenario
from onewriter.bench.simulate.scenario import TROUBLES, Trouble, drawn
from onewriter.bench.simulate.seeds import play
from onewriter.bench.simulate.stages import quietly
from onewriter.bench.simulate.table import has_held, values
from onewriter.bench.simulate.tally import Tally
from onewriter.bench.story import COMMAND
from onewriter.customers import inbox
from onewriter.rules import ordering
from onewriter.rules.lots import Pool
from onewriter.rules.ordering import Held, Stamp
from onewriter.vault.keystore import KeyStore

EVENTS, FEW = 60, 24
WITHHELD, WHOLE, ENDING = 110, 86, 1
"""A seed in which deliveries are lost, one in which everything is told at last, and one in which points end."""


def played(seed: int, place: dict[str, str], events: int = EVENTS) -> Tally:
    kind = "postgres" if "ONEWRITER_DATABASE_URL" in place else "sqlite"
    with quietly():
        return play(seed, place, kind, events)


@pytest.fixture
def place(database_url: str, keys_url: str, tmp_path: Path) -> dict[str, str]:
    """An empty installation on each database."""
    place = {"ONEWRITER_DATA_DIR": str(tmp_path / "data")}
    if not database_url.startswith("sqlite"):
        place |= {"ONEWRITER_DATABASE_URL": database_url, "ONEWRITER_KEYSTORE_URL": keys_url}
    return place


@pytest.mark.req("K12", "K14", "K15")
@pytest.mark.time_limit(120)
def test_what_was_told_at_last_is_as_in_the_shop_before_any_reconcile(place: dict[str, str]) -> None:
    tally = played(WHOLE, place)
    assert tally.wrong == []
    assert not tally.withheld
    assert (tally.losses, tally.before, tally.after, tally.missing) == (0, 0, 0, 0)
    assert tally.crashes.total() > 0
    assert tally.deliveries > EVENTS / 2
    assert tally.erased > 0
    assert (tally.differing, tally.balances > 0) == (0, True)
    assert min(tally.orders, tally.refunds, tally.spendings["redeemed"], tally.ledgers_merged) > 0


@pytest.mark.req("K16")
@pytest.mark.time_limit(120)
def test_what_was_lost_is_reported_with_its_reason_and_healed(place: dict[str, str]) -> None:
    tally = played(WITHHELD, place)
    assert tally.wrong == []
    assert tally.withheld
    assert (tally.after, tally.missing) == (0, 0)
    assert min(tally.losses, tally.before, tally.traced, tally.crashes.total(), tally.erased) > 0
    assert tally.asked == tally.answered, "what stopped for a person went on"
    assert tally.asked["missing customers"] == 1
    assert has_held([tally])


@pytest.mark.time_limit(120)
def test_the_same_seed_is_the_same_run_in_another_process_too(tmp_path: Path) -> None:
    here = played(WITHHELD, {"ONEWRITER_DATA_DIR": str(tmp_path)}, FEW)
    words = ("bench", "simulate", "--seed", str(WITHHELD), "--seeds", "1", "--events", str(FEW))
    done = subprocess.run(
        [*COMMAND, *words, "--database", "sqlite", "--json"],
        env=dict(os.environ) | {"PYTHONHASHSEED": "77"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    there, total = (json.loads(line) for line in done.stdout.splitlines())
    assert there == json.loads(json.dumps(values(here)))
    assert there["trace"] == here.trace != ""
    assert (total["total"]["seeds"], total["total"]["after"]) == (1, 0)


@pytest.mark.req("K15")
@pytest.mark.time_limit(120)
def test_a_broken_rule_of_order_breaks_the_simulation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def older_wins(held: Held, stamp: Stamp, name: str, _value: object, _digest: object) -> bool:
        return name not in held.stamps or stamp < held.stamps[name]

    monkeypatch.setattr(ordering, "_wins", older_wins)
    assert run(WITHHELD, 1, database="sqlite", events=EVENTS, real=False, json=True) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert not told["held"]
    assert told["after"] > 0
    assert any("not as in the shop after the reconcile" in line for line in told["wrong"])


@pytest.mark.req("K15", "K46")
@pytest.mark.time_limit(120)
def test_a_broken_rule_of_points_breaks_the_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def anybody(pool: Pool, debit: bytes, points: int) -> None:
        pool.debts[debit] = pool.debts.get(debit, 0) + points

    monkeypatch.setattr(Pool, "charge", anybody)
    tally = played(ENDING, {"ONEWRITER_DATA_DIR": str(tmp_path)})
    assert tally.differing > 0
    assert any("points differ" in line for line in tally.wrong)


@pytest.mark.time_limit(120)
def test_what_an_erasure_leaves_behind_breaks_the_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_keys: KeyStore, _ids: object, _now: int) -> int:
        return 0

    monkeypatch.setattr(KeyStore, "destroy_subjects", nobody)
    monkeypatch.setattr(inbox, "empty", lambda _db, _positions: None)
    wrong = played(WHOLE, {"ONEWRITER_DATA_DIR": str(tmp_path)}).wrong
    assert any("keys is left" in line for line in wrong)
    assert any("inbox is left" in line for line in wrong)


def test_a_trouble_more_moves_nothing_else_of_any_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [drawn(seed, EVENTS) for seed in range(1, 41)]
    more = {"another": Trouble(chance=0.5), **TROUBLES, "doorbells": replace(TROUBLES["doorbells"], chance=0.0)}
    monkeypatch.setattr(scenario, "TROUBLES", more)
    after = [drawn(seed, EVENTS) for seed in range(1, 41)]
    changed = {"another", "doorbells"}
    assert any(phase.name == "another" for each in after for phase in each.phases)
    for old, new in zip(before, after, strict=True):
        kept = [[phase for phase in each.phases if phase.name not in changed] for each in (old, new)]
        assert kept[0] == kept[1]
        assert replace(old, phases=()) == replace(new, phases=())


def test_every_stop_for_a_person_is_tripped_by_one_seed_in_ten() -> None:
    """Which troubles a seed has follows from the seed alone, so that it can be counted without playing any.

    That a scope is missing only the hourly watch can find.
    """
    stops = {
        "poison": "parked delivery",
        "many deletions unheard": "missing customers",
        "merge without end": "unsettled merge",
        "merges unheard": "unheard merge",
        "lines cannot be read": "unreadable lines",
        "scope is missing": "scopes",
    }
    scenarios = [drawn(seed, EVENTS) for seed in range(1, 201)]
    drawn_names = [
        {phase.name for phase in each.phases if each.has_schedules or phase.name != "scope is missing"}
        for each in scenarios
    ]
    counted = {kind: sum(name in names for names in drawn_names) for name, kind in stops.items()}
    assert {kind: number for kind, number in counted.items() if number < 30} == {}
