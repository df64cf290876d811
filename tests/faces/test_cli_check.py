"""`onewriter check`: a fault is found, named, and comes with its next step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onewriter import settings
from onewriter.cli.frame import FINDINGS, UNREACHABLE
from onewriter.customers import runs, shops, workers
from onewriter.customers.shops import Shop
from onewriter.desk.checked import Level
from onewriter.desk.checks_shop import FULL_MAX, RECENT_MAX, check_age, check_clock, check_version
from onewriter.records import DAY, SECOND, RunState, parse_instant
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, deliver


def levels(document: Any) -> dict[str, str]:
    """The worst level of each check."""
    worst: dict[str, str] = {}
    for line in document["checks"]:
        worst[line["name"]] = max(worst.get(line["name"], "ok"), line["level"], key=list(Level).index)
    return worst


def line_of(document: Any, name: str) -> Any:
    [line] = [line for line in document["checks"] if line["name"] == name]
    return line


def worker_starts() -> None:
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        workers.enter(db, "worker", now())


def test_a_healthy_installation(onewriter: Onewriter, sandbox: RunningSandbox, tmp_path: Path) -> None:
    onewriter.imported(sandbox)
    worker_starts()
    document = onewriter.json("check")
    assert document["healthy"] is True
    assert set(levels(document).values()) <= {"ok", "warning"}
    assert {name for name, level in levels(document).items() if level == "warning"} == {"keys apart", "keys copy"}
    assert onewriter("check").out.endswith("2 warnings, 0 faults.\n")
    assert onewriter.json("check", "--strict", code=FINDINGS)["healthy"] is False


def test_a_new_installation_says_what_is_missing(installed: Onewriter, database_url: str) -> None:
    found = levels(installed.json("check", code=FINDINGS))
    assert (found["worker"], found["shops"], found["keys"]) == ("fault", "warning", "ok")
    # On SQLite both are files in one folder; the key store's server of these tests is the database's own.
    assert found["keys apart"] == ("warning" if database_url.startswith("sqlite") else "fault")


def test_a_subscription_that_is_gone_is_found(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    assert levels(installed.json("check", code=FINDINGS))["subscriptions"] == "ok"
    [gone] = sandbox.shop.subscriptions.of("customers/update")
    sandbox.shop.subscriptions.delete(gone.id)
    document = installed.json("check", code=FINDINGS)
    assert levels(document)["subscriptions"] == "fault"
    assert line_of(document, "subscriptions")["text"] == "missing: customers/update"
    installed.connect(sandbox)
    assert levels(installed.json("check", code=FINDINGS))["subscriptions"] == "ok"


def test_a_token_that_was_revoked_and_a_scope_that_was_taken_away_are_found(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    installed.connect(sandbox)
    sandbox.shop.set_faults({"scopes": []})
    found = levels(installed.json("check", code=FINDINGS))
    assert (found["token"], found["scopes"]) == ("ok", "fault")
    sandbox.shop.access.revoke()
    document = installed.json("check", code=FINDINGS)
    assert levels(document)["token"] == "fault"
    assert sandbox.info.access_token not in str(document)


def test_an_optional_scope_that_is_missing_is_a_warning(installed: Onewriter, sandbox: RunningSandbox) -> None:
    sandbox.shop.set_faults({"scopes": ["read_customers"]})
    installed.connect(sandbox)
    document = installed.json("check", code=FINDINGS)
    found = levels(document)
    assert (found["scopes"], found["subscriptions"]) == ("warning", "ok"), "what is not allowed is not missed"
    assert "read_customer_merge is missing" in str(document)


def test_deliveries_in_another_version_are_a_warning(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    assert line_of(installed.json("check", code=FINDINGS), "deliveries")["text"] == "come in API version 2026-10"
    deliver("customers/update", {"id": 5}, api_version="2025-01")
    line = line_of(installed.json("check", code=FINDINGS), "deliveries")
    assert line["level"] == "warning"
    assert "2025-01" in line["text"]


def test_a_reconcile_that_falls_behind_is_a_warning(shop: Shop) -> None:
    moment = now()
    for most in (RECENT_MAX, FULL_MAX):
        for ago, level in ((0, "ok"), (most, "ok"), (most + SECOND, "warning"), (-DAY, "ok")):
            assert check_age("reconcile", replace(shop, connected_at=0), moment - ago, most, moment).level == level
        new = replace(shop, connected_at=moment)
        assert check_age("reconcile", new, None, most, moment).level == "ok", "there was no time for one yet"
        assert check_age("reconcile", new, None, most, moment + most + 1).level == "warning"


def test_the_ages_of_both_reconciles_are_shown(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    old = now() - 10 * DAY
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        shops.change(db, 1, {"connected_at": old})
    document = installed.json("check", code=FINDINGS)
    names = ("recent reconcile", "full reconcile")
    assert [levels(document)[name] for name in names] == ["warning", "warning"]
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        runs.add(db, "recent", 1, runs.RECENT, "test", now())
        runs.finish(db, runs.begin(db, "recent", now()), RunState.DONE, None, now())
        shops.change(db, 1, {"full_at": now()})
    assert [levels(installed.json("check", code=FINDINGS))[name] for name in names] == ["ok", "ok"]


def test_a_paused_run_is_a_warning_with_its_reason(installed: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = installed.connect(sandbox)["run"]
    assert line_of(installed.json("check", code=FINDINGS), "runs")["level"] == "ok"
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        runs.pause(db, runs.begin(db, run_id, now()), "The token was refused.", now())
    line = line_of(installed.json("check", code=FINDINGS), "runs")
    assert (line["level"], line["text"]) == ("warning", "the import is paused: The token was refused")
    sandbox.shop.access.revoke()
    assert line_of(installed.json("check", code=FINDINGS), "runs")["level"] == "warning", "though Shopify says nothing"


def test_a_clock_that_nobody_can_trust_is_shown_because_nothing_is_ended(installed: Onewriter) -> None:
    with RunningSandbox(1, clock=lambda: now() / SECOND - 7200) as sandbox:
        installed.connect(sandbox)
        line = line_of(installed.json("check", code=FINDINGS), "housekeeping")
    assert line["level"] == "fault"
    assert "nothing is ended" in line["text"]


def test_what_waits_for_a_person_is_a_warning(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    deliver("orders/fancy", {})
    found = levels(installed.json("check", code=FINDINGS))
    assert (found["parked"], found["questions"]) == ("warning", "warning")


@pytest.fixture
def shop(onewriter: Onewriter, sandbox: RunningSandbox) -> Shop:
    onewriter.connect(sandbox)
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return shops.every(db)[0]


def test_clocks_that_differ_are_found(shop: Shop) -> None:
    ours = now()
    for seconds, level in ((0, "ok"), (60, "ok"), (61, "warning"), (3600, "warning"), (3601, "fault")):
        for sign in (1, -1):
            assert check_clock(shop, ours + sign * seconds * SECOND, ours).level == level
    assert check_clock(shop, None, ours).level == "warning"


def test_the_clock_of_the_shop_is_read(installed: Onewriter) -> None:
    with RunningSandbox(2, clock=lambda: now() / SECOND - 7200) as sandbox:
        installed.connect(sandbox)
        document = installed.json("check", code=FINDINGS)
    line = line_of(document, "clock")
    assert line["level"] == "fault"
    assert line["text"] == "is 2 h 0 min ahead of Shopify's"


def test_a_version_of_the_api_that_ends_is_found(shop: Shop) -> None:
    ends = parse_instant("2027-10-01T00:00:00+00:00")
    for days, level in ((61, "ok"), (60, "warning"), (1, "warning"), (0, "fault"), (-1, "fault")):
        assert check_version(shop, "2026-10", ends - days * DAY).level == level


def test_a_master_key_that_others_can_read_is_found(onewriter: Onewriter, tmp_path: Path) -> None:
    onewriter("runs", "list")
    (tmp_path / "data" / "master.key").chmod(0o644)
    document = onewriter.json("check", code=FINDINGS)
    assert levels(document)["master key"] == "fault"
    assert "run: chmod 600" in str(document)


def test_a_master_key_that_is_gone_is_found(onewriter: Onewriter, tmp_path: Path) -> None:
    onewriter("runs", "list")
    (tmp_path / "data" / "master.key").unlink()
    assert levels(onewriter.json("check", code=FINDINGS))["keys"] == "fault"


def test_a_database_that_cannot_be_reached_is_another_exit_code(
    onewriter: Onewriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEWRITER_DATABASE_URL", "postgresql://nobody:canary@127.0.0.1:9/nothing")
    monkeypatch.setenv("ONEWRITER_KEYSTORE_URL", "postgresql://nobody:canary@127.0.0.1:9/keys")
    document = onewriter.json("check", code=UNREACHABLE)
    assert levels(document)["database"] == "fault"
    error = onewriter("runs", "list", code=UNREACHABLE)
    assert len(error.err.splitlines()) == 1
    assert "canary" not in str(document) + error.all
