"""Erasing beside merges, questions, large tables, and processes that die in the middle."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text

from onewriter.customers import aliases, erasing, profiles, questions
from onewriter.customers.erasing import Asked
from onewriter.db.register import REGISTER
from onewriter.db.tables import aliases as alias_table
from onewriter.errors import KeyDestroyed
from onewriter.intake.apply import apply
from onewriter.intake.redact import erase_all
from onewriter.records import Instant, id_text
from onewriter.workflows import schedules
from tests.support.joined import drain_all
from tests.support.processes import wait_until
from tests.support.raw import ON_POSTGRES, ON_SQLITE
from tests.support.redacting import (
    ANN,
    BEN,
    CARO,
    all_values,
    bodies,
    body_of,
    deliver,
    erased,
    held,
    id_of,
    outcomes,
    person,
    redaction,
)
from tests.support.shops import Tea, absent, later, merged

# ---- Merges ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_all_who_were_merged_into_an_erased_customer_are_erased_with_it(tea: Tea, now: Instant) -> None:
    for number, into in ((ANN, BEN), (BEN, CARO)):
        tea.apply(person(number, now, email=f"{number}@example.com"), merged(number, into, now), now=now)
        tea.apply(absent(number, later(now, 1)), now=now)
    tea.apply(person(CARO, now), now=now)
    moment = later(now, 60)
    deliver(tea, moment, "customers/redact", redaction(CARO))
    assert outcomes(tea) == {"w-redact": "erased: 3"}
    assert held(tea) == []
    assert erased(tea, ANN, BEN, CARO)
    with tea.runtime.database.read() as db:
        rows = db.execute(select(alias_table.c.deleted_id, alias_table.c.kept_id)).all()
        assert [tuple(row) for row in rows] == [(None, None)] * 2, "the pair of hashes stays"
        assert aliases.into(db, tea.vault, ANN) is None


@pytest.mark.req("K37")
def test_who_was_only_told_to_be_merged_into_it_is_not_erased_and_can_still_be_merged(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), merged(BEN, ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    assert held(tea) == [BEN]
    applied = tea.apply(merged(BEN, ANN, later(now, 1)), merged(BEN, CARO, later(now, 2)), now=now)
    assert applied.outcomes == ["refused: merged into one who was erased", "marked"]
    assert str(ANN).encode() not in all_values(tea), "nothing names the erased one again"
    tea.apply(absent(BEN, later(now, 3)), now=now)
    with tea.runtime.database.read() as db:
        assert aliases.into(db, tea.vault, BEN) == CARO


@pytest.mark.req("K37")
def test_what_was_asked_about_it_is_not_asked_any_more(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, "customers/update", body_of(ANN, now, email=["not a text"]), "w-bad")
    about = questions.Ask(aliases.UNSETTLED_MERGE, id_text(id_of(tea, ANN)), "?", {"ask again": ""}, "nothing")
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, about, now)
        assert questions.count(db) == 2
    deliver(tea, now, "customers/redact", redaction(ANN))
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 0


@pytest.mark.req("K37", "K46")
def test_a_merge_told_later_into_an_erased_customer_leaves_no_name_and_has_the_other_one_read(
    tea: Tea, now: Instant
) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    gid = "gid://shopify/Customer/"
    ids = {"admin_graphql_api_customer_kept_id": f"{gid}{ANN}", "admin_graphql_api_customer_deleted_id": f"{gid}{BEN}"}
    moment = later(now, 60)
    deliver(tea, moment, "customers/merge", json.dumps(ids | {"status": "completed"}).encode(), "w-merge")
    deliver(tea, moment, "customers/merge", json.dumps(ids | {"status": 7}).encode(), "w-bad")
    assert outcomes(tea)["w-merge"] == "refused: merged into one who was erased"
    assert bodies(tea) == {None}
    assert str(ANN).encode() not in all_values(tea)
    assert tea.marked(moment)[BEN] >= {"merge"}


@pytest.mark.req("K37")
@ON_POSTGRES
def test_a_merge_that_settles_while_the_erasure_waits_for_its_lock_is_not_missed(tea: Tea, now: Instant) -> None:
    tea.apply(person(CARO, now), person(BEN, now, email="b@example.com"), merged(BEN, CARO, now), now=now)
    tea.apply(absent(BEN, later(now, 1)), now=now)
    tea.apply(person(ANN, now, email="a@example.com"), merged(ANN, BEN, now), now=now)

    def erase() -> int:
        with tea.runtime.database.write() as db:
            return erase_all(db, tea.vault, CARO, Asked("by a test", now), later(now, 3)).customers

    with ThreadPoolExecutor(1) as pool:
        with tea.runtime.database.write() as db:
            apply(db, tea.vault, [absent(ANN, later(now, 2))], now)
            waiting = pool.submit(erase)
            wait_until(lambda: _waits_for_a_lock(tea))
        assert waiting.result() == 3
    assert held(tea) == []


@pytest.mark.req("K37")
@ON_POSTGRES
def test_a_redaction_that_comes_while_a_merge_into_its_customer_settles_is_taken_up_after_it(
    tea: Tea, now: Instant
) -> None:
    tea.apply(person(CARO, now), person(BEN, now, email="b@example.com"), merged(BEN, CARO, now), now=now)
    tea.apply(absent(BEN, later(now, 1)), now=now)
    tea.apply(person(ANN, now, email="a@example.com"), merged(ANN, BEN, now), now=now)
    with ThreadPoolExecutor(1) as pool:
        with tea.runtime.database.write() as db:
            apply(db, tea.vault, [absent(ANN, later(now, 2))], now)
            pool.submit(deliver, tea, later(now, 3), "customers/redact", redaction(CARO)).result()
            assert outcomes(tea) == {"w-redact": None}
        drain_all(tea.runtime, later(now, 4))
    assert outcomes(tea) == {"w-redact": "erased: 3"}
    assert held(tea) == []


def _waits_for_a_lock(tea: Tea) -> bool:
    with tea.runtime.database.read() as db:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(db.execute(query).scalar_one())


# ---- A large shop ---------------------------------------------------------------------------------------------------


@ON_SQLITE
def test_no_statement_of_an_erasure_walks_a_table_of_customers(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), merged(BEN, ANN, now), now=now)
    plans: list[str] = []

    def explain(cursor: Any, statement: str, parameters: Any) -> None:
        plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

    for whom in ([ANN], [BEN, CARO]):
        with tea.runtime.database.write() as db, listening(db, explain):
            erasing.erase(db, tea.vault, whom, Asked("by a test", now), now)
    # What is not there yet, or is small, may be walked.
    large = sorted({entry.table for entry in REGISTER if entry.subject} - {"pending_marks"})
    walks = [plan for plan in plans if plan.startswith("SCAN") or plan.endswith("(shop_id=?)")]
    assert [plan for plan in walks if any(name in plan for name in large)] == []
    assert any("ix_inbox_subject_hash" in plan for plan in plans), "the control: plans were looked at"


@contextmanager
def listening(db: Connection, told: Callable[[Any, str, Any], None]) -> Iterator[None]:
    """Have every statement of a connection told before it is carried out."""

    def hear(_db: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        told(cursor, statement, parameters[0] if many else parameters)

    event.listen(db, "before_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(db, "before_cursor_execute", hear)


# ---- A process that dies --------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_keys_outlive_their_rows_only_until_the_next_strike(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    ours = id_of(tea, ANN)
    with tea.runtime.database.write() as db:
        erasing.erase(db, tea.vault, [ANN], Asked("customers/redact", now), now)
    assert tea.runtime.keys.subject_keys([ours]), "here the process died: the rows are gone, and the key is there"
    # Long past: an erasure waits for no clock.
    schedules.strike(tea.runtime, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([ours])
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert receipt["ended_at"] is not None
    assert receipt["key_ids"] == []


@pytest.mark.req("K37")
def test_a_reader_without_a_lock_who_meets_an_erasure_passes_the_customer_by(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now), now=now)
    tea.runtime.keys.destroy_subjects([id_of(tea, ANN)], now)
    with tea.runtime.database.read() as db:
        assert profiles.sides_of(db, tea.vault, [ANN, BEN]).keys() == {BEN}
        with pytest.raises(KeyDestroyed):
            profiles.load(db, tea.vault, [ANN])


@pytest.mark.req("K37")
def test_an_erasure_that_is_not_committed_erases_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    ours = id_of(tea, ANN)
    with suppress(ZeroDivisionError), tea.runtime.database.write() as db:
        erasing.erase(db, tea.vault, [ANN], Asked("customers/redact", now), now)
        raise ZeroDivisionError
    assert erasing.end(tea.runtime.database, tea.runtime.keys, now) == 0
    assert tea.runtime.keys.subject_keys([ours])
    assert held(tea) == [ANN]
