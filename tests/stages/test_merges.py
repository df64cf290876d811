"""Merges as facts: heard in any order, settled by reading, chains followed, late news recorded."""

import itertools
import json
from dataclasses import replace

import pytest

from onewriter.customers import aliases, inbox, questions
from onewriter.customers.aliases import UNSETTLED_MERGE
from onewriter.intake.refetch import Refetch, answer_unsettled
from onewriter.records import DAY, HOUR, SECOND, Change, Instant, Path
from onewriter.runtime import Runtime
from tests.stages.test_drain import body, delivery
from tests.support.joined import Joined, drain_all, joined, put_in_inbox
from tests.support.shops import Tea, absent, gone, merged, told


def merge_body(kept: int, deleted: int, status: str = "completed") -> bytes:
    customer = "gid://shopify/Customer/"
    return json.dumps(
        {
            "admin_graphql_api_customer_kept_id": f"{customer}{kept}",
            "admin_graphql_api_customer_deleted_id": f"{customer}{deleted}",
            "admin_graphql_api_job_id": None,
            "status": status,
            "errors": [],
        }
    ).encode()


def deliver(tea: Tea, now: Instant, *given: tuple[str, bytes]) -> list[str]:
    """Apply deliveries of (topic, body); their outcomes."""
    made = [delivery(tea, f"w-{now}-{n}", topic, content, now) for n, (topic, content) in enumerate(given)]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain_all(tea.runtime, now)
    with tea.runtime.database.read() as db:
        rows = inbox.listed(db, None, len(given))
    return [row["outcome"] for row in reversed(rows)]


def into(tea: Tea, number: int) -> int | None:
    with tea.runtime.database.read() as db:
        return aliases.into(db, tea.vault, number)


def state_of(tea: Tea, number: int) -> tuple[str, Instant | None]:
    profile = tea.profile(number)
    assert profile is not None
    return profile.state, profile.deleted


@pytest.mark.req("K38", "K39")
def test_a_merge_is_settled_once_the_deleted_one_reads_as_gone(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, {"first_name": "Ann"}), told(102, now, {"first_name": "Anna"}), now=now)
    at = now + SECOND
    assert deliver(tea, at, ("customers/merge", merge_body(102, 101))) == ["marked"]
    assert state_of(tea, 101) == ("active", None), "what the delivery says is not enough"
    assert into(tea, 101) is None
    assert tea.apply(absent(101, at + SECOND), now=at + SECOND).outcomes == ["merged"]
    assert state_of(tea, 101) == ("merged", at), "the 90 days run from the merge"
    assert into(tea, 101) == 102
    assert "merge" in tea.marked(at + SECOND)[102], "the kept one is read again"
    assert state_of(tea, 102) == ("active", None)


@pytest.mark.req("K38")
@pytest.mark.parametrize("status", ["failed", "FAILED"])
def test_a_failed_merge_is_recorded_and_not_applied(tea: Tea, now: Instant, status: str) -> None:
    tea.apply(told(101, now, {"first_name": "Ann"}), told(102, now, {"first_name": "Anna"}), now=now)
    before = tea.dump()
    assert deliver(tea, now, ("customers/merge", merge_body(102, 101, status))) == ["refused: the merge failed"]
    assert tea.dump() == before


@pytest.mark.req("K38")
@pytest.mark.parametrize("status", ["completed", "success", "COMPLETED", "a word of next year"])
def test_whatever_the_word_for_success_is_the_read_decides(tea: Tea, now: Instant, status: str) -> None:
    tea.apply(told(101, now, {"first_name": "Ann"}), now=now)
    deliver(tea, now, ("customers/merge", merge_body(102, 101, status)))
    tea.apply(absent(101, now + SECOND), now=now + SECOND)
    assert into(tea, 101) == 102


@pytest.mark.req("K46")
def test_a_replayed_merge_changes_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, {"first_name": "Ann"}), told(102, now, {"first_name": "Anna"}), now=now)
    tea.apply(merged(101, 102, now), absent(101, now + SECOND), now=now)
    before = tea.dump()
    assert tea.apply(merged(101, 102, now), now=now + DAY).outcomes == ["unchanged"]
    assert tea.dump() == before


@pytest.mark.req("K24", "K39", "K46")
def test_every_order_of_a_chain_ends_in_the_last_one(tea: Tea, now: Instant) -> None:
    facts = [
        told(101, now, {"first_name": "Ann"}),
        merged(101, 102, now + 2 * SECOND),
        absent(101, now + 9 * SECOND),
        merged(102, 103, now + 4 * SECOND),
        absent(102, now + 9 * SECOND),
    ]
    ends = []
    for number, order in enumerate(itertools.permutations(facts)):
        base = 1000 * number
        for change in order:
            tea.apply(_renumbered(change, base), now=now + HOUR)
        for marked in tea.marked(now + HOUR):
            if marked - base in (101, 102):  # what was heard after a read asked for another one
                tea.apply(absent(marked, now + HOUR), now=now + HOUR)
        found = into(tea, 101 + base)
        assert found is not None
        ends.append((found - base, *state_of(tea, 101 + base)))
    assert set(ends) == {(103, "merged", now + 2 * SECOND)}


def _renumbered(change: Change, by: int) -> Change:
    return replace(change, record_id=change.record_id + by, into=None if change.into is None else change.into + by)


@pytest.mark.req("K46")
def test_a_merge_heard_before_its_customers_hides_the_deleted_one_when_it_turns_up(tea: Tea, now: Instant) -> None:
    tea.apply(merged(101, 102, now), absent(101, now + SECOND), now=now)
    assert tea.profile(101) is None
    tea.apply(told(101, now - HOUR, {"first_name": "Ann"}), now=now)
    assert state_of(tea, 101) == ("merged", now)


@pytest.mark.req("K24")
def test_late_news_of_a_merged_away_id_is_recorded_and_brings_nobody_back(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now - HOUR, {"first_name": "Ann"}), told(102, now, {"first_name": "Kept"}), now=now)
    tea.apply(merged(101, 102, now), absent(101, now + SECOND), now=now)
    update = body(101, "2030-01-01T00:00:00Z", first_name="Late")
    assert deliver(tea, now + HOUR, ("customers/update", update)) == ["refused: after the deletion"]
    assert deliver(tea, now + 2 * HOUR, ("customer.tags_added", b'{"customerId":"gid://shopify/Customer/101"}')) == [
        "unchanged"
    ]
    assert state_of(tea, 101) == ("merged", now)
    kept = tea.profile(102)
    assert kept is not None
    assert kept.own["first_name"] == "Kept", "a profile never follows an alias"


@pytest.mark.req("K24", "K39")
def test_a_deletion_that_is_told_as_well_leaves_it_merged_in_either_order(tea: Tea, now: Instant) -> None:
    for number, first in ((101, True), (201, False)):
        tea.apply(told(number, now - HOUR, {"first_name": "Ann"}), now=now)
        facts = [gone(number, now + SECOND), merged(number, number + 1, now), absent(number, now + 9 * SECOND)]
        for change in facts if first else reversed(facts):
            tea.apply(change, now=now)
        assert state_of(tea, number) == ("merged", now)
        assert into(tea, number) == number + 1


def test_a_merged_customer_that_shopify_has_after_all_is_asked_about_again(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now - HOUR, {"first_name": "Ann"}), now=now)
    tea.apply(merged(101, 102, now), absent(101, now + SECOND), now=now)
    found = told(101, now - HOUR, {"first_name": "Ann"}, heard=now + HOUR, path=Path.READ)
    assert tea.apply(found, now=now + HOUR).outcomes == ["found"]
    assert state_of(tea, 101) == ("active", None)
    assert into(tea, 101) is None
    assert "merge" in tea.marked(now + HOUR)[101]


def tell_merge(shop: Joined, kept: int, deleted: int) -> None:
    deliver(Tea(shop.runtime, shop.shop_id), shop.runtime.now(), ("customers/merge", merge_body(kept, deleted)))


@pytest.mark.req("K38")
@pytest.mark.parametrize("answer", ["ask again", "not merged"])
def test_one_that_is_still_there_after_a_day_is_a_question(runtime: Runtime, answer: str) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        kept = shop.shop.ids[0]
        deleted = shop.shop.create(first_name="Ann", email="ann@example.com").id
        shop.follow()
        tell_merge(shop, kept, deleted)
        start = runtime.now()
        for hours in (0, 1, 23):
            refetch_at(shop, start + hours * HOUR)
            with runtime.database.read() as db:
                assert questions.count(db) == 0, "it is asked again for a day"
        refetch_at(shop, start + 25 * HOUR)
        with runtime.database.write() as db:
            [question] = questions.waiting(db, 10)
            assert question.kind == UNSETTLED_MERGE
            assert str(deleted) not in question.text + str(question.evidence)
            answered = questions.answer(db, question.id, answer, "test", None, start)
            answer_unsettled(db, shop.vault, answered, start + 25 * HOUR)
        assert shop.held() == shop.truth()
        if answer == "not merged":
            refetch_at(shop, start + 26 * HOUR)
            assert shop.marked() == {}
        else:
            assert "merge" in shop.marked()[deleted]
            shop.shop.delete(deleted)
            refetch_at(shop, start + 30 * HOUR)
            assert into(Tea(runtime, shop.shop_id), deleted) == kept


def refetch_at(shop: Joined, moment: Instant) -> None:
    runtime = shop.runtime
    Refetch(runtime.database, runtime.client, runtime.vault, lambda: moment).once(shop.shop_id)
