"""The field log: kept values and how they end, what a run wrote, who was refused, and when all was last in step."""

from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import exporting, log, remote, shops, systems
from onewriter.customers.log import LogLine
from onewriter.customers.remote import Remote
from onewriter.db.tables import field_log
from onewriter.intake.apply import apply
from onewriter.records import DAY, Instant, Path
from onewriter.rules.policy import FieldMap
from onewriter.runtime import Runtime
from onewriter.runtime import now as clock
from onewriter.workflows.housekeeping import tidy
from tests.support.drifting import drifting
from tests.support.owners import IN, OUT, connect, give, held, last_clean, lines, link, set_by_hand
from tests.support.purging import at, delete, purge
from tests.support.raw import raw_bytes
from tests.support.shops import Tea, absent, later, merged, told

ANN: dict[str, Any] = {
    "first_name": "Ann",
    "email": "ann@example.com",
    "phone": "+447700900111",
    "note": "likes oolong",
}


def write(tea: Tea, now: Instant, line: LogLine, *, keep_days: int = 30) -> None:
    """Have a line written of customer 101."""
    profile = held(tea, 101)
    assert profile.customer_id is not None
    assert profile.key is not None
    with tea.runtime.database.write() as db:
        log.add(db, tea.shop_id, [(profile.customer_id, profile.key, line)], now, keep_days=keep_days)


def crm_line(run_id: str = "cycle-1", **changes: Any) -> LogLine:
    given: dict[str, Any] = {"old": {"note": "likes oolong"}, "new": {"note": "canary sencha"}, "kept": True}
    given |= {"system": "crm", "writer": "crm", "run_id": run_id}
    return LogLine(("note",), changes.pop("path", Path.CYCLE), None, **given | changes)


def boxes(tea: Tea) -> list[bytes]:
    with tea.runtime.database.read() as db:
        return [bytes(each) for each in db.execute(select(field_log.c.box)).scalars() if each is not None]


@pytest.fixture
def ann(tea: Tea, now: Instant) -> Tea:
    tea.apply(told(101, now, ANN), now=now)
    return tea


@pytest.mark.req("M40")
def test_what_a_run_wrote_can_be_opened_to_be_taken_back(ann: Tea, now: Instant) -> None:
    write(ann, now, crm_line())
    write(ann, now, crm_line("cycle-2"))
    write(ann, now, crm_line(accepted=False, kept=False))
    with ann.runtime.database.read() as db:
        [line] = log.of_run(db, ann.vault, "cycle-1", 10)
        assert log.of_run(db, ann.vault, "cycle-1", 10, after=line.id) == []
    assert (line.customer_id, line.fields, line.path) == (held(ann, 101).customer_id, ("note",), Path.CYCLE)
    assert (line.old, line.new) == ({"note": "likes oolong"}, {"note": "canary sencha"})
    assert b"canary" not in raw_bytes(ann.runtime.database)


@pytest.mark.req("K25")
def test_no_value_is_kept_of_what_shopify_wrote_or_where_nobody_wants_it(ann: Tea, now: Instant) -> None:
    write(ann, now, crm_line(path=Path.WEBHOOK))
    write(ann, now, crm_line(path=Path.READ))
    write(ann, now, crm_line(path=Path.MERGE))
    write(ann, now, crm_line(), keep_days=0)
    write(ann, now, crm_line(kept=False))
    assert boxes(ann) == []


def test_kept_values_end_with_their_time_and_the_lines_stay(ann: Tea) -> None:
    moment = clock()
    write(ann, moment - 31 * DAY, crm_line("old"))
    write(ann, moment - 29 * DAY, crm_line("young"))
    [old, young] = boxes(ann)
    with at(ann, moment) as runtime:
        assert tidy(runtime)
    assert boxes(ann) == [young]
    assert old[13:] not in raw_bytes(ann.runtime.database), "a stale copy could still be opened with the customer's key"
    assert [line["run_id"] for line in lines(ann, 101, "note")][:2] == ["young", "old"]
    with ann.runtime.database.read() as db:
        assert log.of_run(db, ann.vault, "old", 10) == []
        assert len(log.of_run(db, ann.vault, "young", 10)) == 1


def test_a_purge_takes_kept_values_along(ann: Tea, now: Instant) -> None:
    write(ann, now, crm_line())
    [box] = boxes(ann)
    assert box[13:] in raw_bytes(ann.runtime.database)
    delete(ann, 101, now)
    assert purge(ann, now + 91 * DAY) is not None
    assert boxes(ann) == []
    assert box[13:] not in raw_bytes(ann.runtime.database)


def test_whoever_asks_for_their_data_is_told_of_kept_values(ann: Tea, now: Instant) -> None:
    consent = {"state": "subscribed", "level": None, "at": now}
    write(ann, now, crm_line(new={"email_consent": consent}, old={"email_consent": None}))
    with ann.runtime.database.read() as db:
        found = exporting.everything(db, ann.vault, exporting.whom(db, ann.vault, 101), 30)
    [log_part] = [each for each in found if each.table == "field_log"]
    told_of = [row["holds"] for row in log_part.rows if row.get("holds")]
    new = {"email_consent": consent | {"at": "2026-03-02T10:00:00Z"}}
    assert told_of == [{"old": {"email_consent": None}, "new": new}]


def test_a_customer_is_followed_field_by_field(ann: Tea, now: Instant) -> None:
    ann.apply(told(101, later(now, 60), ANN | {"note": "likes sencha"}), now=later(now, 60), run_id="r-1")
    write(ann, later(now, 90), crm_line(accepted=False, reason="owned by shopify", kept=False))
    found = lines(ann, 101, "note")
    assert [(line["writer"], line["accepted"], line["reason"]) for line in found] == [
        ("crm", False, "owned by shopify"),
        ("shopify", True, None),
        ("shopify", True, None),
    ]
    assert [line["run_id"] for line in found] == ["cycle-1", "r-1", None]
    assert [len(lines(ann, 101, name)) for name in ("email", "not", "note%")] == [1, 0, 0]


def test_a_merge_says_what_it_took_and_what_it_changed(ann: Tea, now: Instant) -> None:
    ann.apply(told(102, now, ANN | {"email": "old@example.com"}), now=now)
    ann.apply(merged(102, 101, later(now, 60)), absent(102, later(now, 61)), now=later(now, 62))
    [line, _first] = lines(ann, 102)
    assert (line["path"], line["accepted"], line["reason"]) == ("merge", True, "merged into another customer")
    assert set(line["fields"]) == set(ANN)
    assert (line["old"], line["new"]) == (None, None)


def test_corrections_by_hand_are_counted_by_field(ann: Tea, now: Instant) -> None:
    give(ann, now, {"note": "manual"})
    set_by_hand(ann, 101, now, note="one")
    set_by_hand(ann, 101, later(now, 60), note="two", email="ann@example.org")
    with ann.runtime.database.read() as db:
        assert log.by_hand(db, ann.shop_id, now) == {"note": 2, "email": 1}
        assert log.by_hand(db, ann.shop_id, later(now, 60)) == {"note": 1, "email": 1}
        assert log.by_hand(db, ann.shop_id, later(now, 61)) == {}


@pytest.mark.req("M40")
def test_the_last_clean_cycle_of_a_system_stands_for_every_field_in_step(ann: Tea, now: Instant) -> None:
    connect(ann, now, "crm")
    mapped = {"email": FieldMap(remote="mail", direction=OUT), "phone": FieldMap(remote="tel", direction=IN)}
    give(ann, now, {"phone": "crm"}, {"crm": mapped})
    link(ann, now, "crm", 101)
    assert last_clean(ann, 101, "crm") == {}, "there is no record that could be in step"
    side_of(ann, now, {"email": later(now, 5)}, clean_at=later(now, 60))
    assert last_clean(ann, 101, "crm") == {"email": later(now, 5), "phone": later(now, 60)}
    with ann.runtime.database.write() as db:
        systems.change(db, ann.shop_id, "crm", now, cycle_at=later(now, 3600))
    assert last_clean(ann, 101, "crm") == {"email": later(now, 5), "phone": later(now, 3600)}


def side_of(tea: Tea, now: Instant, unclean: Any, *, clean_at: Instant) -> None:
    """The CRM's record of customer 101."""
    profile = held(tea, 101)
    assert profile.customer_id is not None
    one = Remote("crm", f"{101:032x}", "c-1", {"mail": "x"}, profile.customer_id, profile.customer_id, profile.key)
    one.unclean, one.clean, one.heard = unclean, clean_at, now
    with tea.runtime.database.write() as db:
        remote.save(db, tea.vault, [one], now)


@pytest.mark.req("M40")
def test_a_full_reconcile_is_to_shopify_what_a_cycle_is_to_others(runtime: Runtime) -> None:
    with drifting(runtime, 3) as drift:
        drift.reconcile()
        with runtime.database.read() as db:
            shopify = systems.get(db, drift.shop_id, "shopify")
            assert shopify.cycle_at == shopify.full_at == shops.by_id(db, drift.shop_id).full_at
        assert shopify.full_at is not None


def test_what_the_read_after_a_merge_tells_is_logged_as_the_merges(ann: Tea, now: Instant) -> None:
    read = told(101, later(now, 60), ANN | {"note": "of both"}, path=Path.READ)
    with ann.runtime.database.write() as db:
        apply(db, ann.vault, [read], later(now, 60), logged_as={101: Path.MERGE})
    line = lines(ann, 101)[0]
    assert (line["path"], line["writer"], line["fields"]) == ("merge", "shopify", ["note"])
    assert held(ann, 101).path is Path.READ, "what orders changes is how it was really heard"
