"""Draining the inbox: every delivery once, in any order, and one that cannot be applied never holds the others back."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from onewriter.customers import inbox, questions, shops
from onewriter.db import keytables
from onewriter.db.engine import Database
from onewriter.db.tables import customers, field_log
from onewriter.db.tables import inbox as inbox_table
from onewriter.db.tables import shops as shops_table
from onewriter.errors import DatabaseBusy
from onewriter.intake.drain import QUESTION_BEFORE_END, Drain
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant
from onewriter.rules.retry import ATTEMPTS_MAX
from onewriter.runtime import Runtime
from onewriter.vault.vault import day_of
from tests.support.joined import KEEP_DAYS, drain_all, put_in_inbox, states_of
from tests.support.shops import DOMAIN, Tea, later

SHOP = {"id": 1, "name": "Tea", "currency": "GBP", "plan_name": "basic", "shop_owner": "x", "myshopify_domain": DOMAIN}


def body(number: int, updated: str = "2026-03-02T10:00:00+00:00", **fields: Any) -> bytes:
    """The body of a customers/create or update."""
    return json.dumps({"id": number, "updated_at": updated, "state": "disabled"} | fields).encode()


def gone(number: int) -> bytes:
    return json.dumps({"id": number, "tax_exemptions": [], "admin_graphql_api_id": "gid://x"}).encode()


def delivery(tea: Tea, name: str, topic: str, content: bytes, received: Instant, *, ago: float = 0) -> Delivery:
    return Delivery(tea.shop_id, name, topic, content, received, triggered=received - int(ago * SECOND))


def put(tea: Tea, now: Instant, *given: tuple[str, bytes]) -> None:
    """Put deliveries of (topic, body) into the inbox, named w-0, w-1, ..."""
    made = [delivery(tea, f"w-{n}", topic, content, now) for n, (topic, content) in enumerate(given)]
    put_in_inbox(tea.runtime, tea.vault, made)


def outcomes(runtime: Runtime) -> dict[str, tuple[str, str | None]]:
    with runtime.database.read() as db:
        return {row["webhook_id"]: (row["state"], row["outcome"]) for row in inbox.listed(db, None, 1_000)}


@pytest.mark.req("K15", "K17", "K18", "K21", "K22", "K26", "K27", "K29")
def test_what_waits_is_applied_and_the_effect_is_there_with_the_mark_of_done(tea: Tea, now: Instant) -> None:
    put(
        tea,
        now,
        ("customers/create", body(101, first_name="Ann", email="ann@example.com")),
        ("customers/update", body(101, "2026-03-02T10:00:05+00:00", first_name="Anna", email="anna@example.com")),
        ("customers/enable", body(101, "2026-03-02T10:00:06+00:00", first_name="Anna", state="enabled")),
        ("bulk_operations/finish", b'{"status":"completed"}'),
    )
    assert drain_all(tea.runtime, now) == 4
    profile = tea.profile(101)
    assert profile is not None
    shown = {name: profile.own[name] for name in ("first_name", "email", "state")}
    assert shown == {"first_name": "Anna", "email": "anna@example.com", "state": "enabled"}
    assert [state for state, _ in outcomes(tea.runtime).values()] == ["done"] * 4
    assert drain_all(tea.runtime, later(now, 3600)) == 0, "nothing is applied twice"


@pytest.mark.req("K15", "K30", "K31")
def test_any_order_and_any_repetition_gives_the_same_end(tea: Tea, now: Instant) -> None:
    told = [
        delivery(tea, "w-0", "customers/create", body(101, first_name="Ann", note="a"), now, ago=60),
        delivery(
            tea, "w-1", "customers/update", body(101, "2026-03-02T10:00:05+00:00", first_name="Anna"), now, ago=55
        ),
        delivery(
            tea, "w-2", "customers/update", body(101, "2026-03-02T10:00:09+00:00", first_name="Annabel"), now, ago=50
        ),
        delivery(tea, "w-3", "customers/delete", gone(102), now, ago=45),
        delivery(tea, "w-4", "customers/create", body(102, "2026-03-02T09:59:00+00:00", first_name="Ben"), now, ago=70),
    ]
    ends = []
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 3, 0, 4, 1, 0, 3], [3, 1, 4, 1, 2, 0, 2]):
        for each in order:
            put_in_inbox(tea.runtime, tea.vault, [told[each]])
            drain_all(tea.runtime, now)
        ends.append(tea.dump())
        forget_everything(tea)
    assert ends[0]["customers"][101]["fields"]["first_name"] == "Annabel"
    assert ends[0]["customers"][102]["state"] == "deleted"
    assert ends == [ends[0]] * 4


def forget_everything(tea: Tea) -> None:
    with tea.runtime.database.write() as db:
        for name in ("inbox", "customers", "sides", "field_log", "refetch_marks", "tombstones", "questions"):
            db.execute(delete(customers.metadata.tables[name]))


@pytest.mark.req("K15")
def test_what_cannot_be_understood_is_parked_with_a_question_and_the_others_are_applied(tea: Tea, now: Instant) -> None:
    bad = (
        ("orders/made_up", body(1)),
        ("customers/update", b'{"id": 102, "updated_at": "2026-'),
        ("customers/update", body(103, updated="yesterday")),
        ("customers/update", body(104, email=["canary@example.com"])),
        ("customers/create", body(2**63)),
        ("customers/create", body(0)),
        ("customers/delete", body(101, email="canary@example.com")),
        ("customers/update", body(105, first_name="\ud800canary")),
        ("customers/update", body(106, note="canary" * 20_000)),
    )
    good = [("customers/create", body(200 + n, first_name=f"Good {n}")) for n in range(len(bad) + 1)]
    mixed = [each for pair in zip(good, bad, strict=False) for each in pair] + [good[-1]]
    put(tea, now, ("customers/create", body(101, first_name="Ann")), *mixed)
    drain_all(tea.runtime, now)
    sorted_rows = states_of(tea.runtime)
    assert [row["topic"] for row in sorted_rows["parked"]] == [topic for topic, _ in bad]
    assert len(sorted_rows["done"]) == len(good) + 1
    assert sorted(tea.dump()["customers"]) == [101, *range(200, 200 + len(good))]
    ann = tea.profile(101)
    assert ann is not None
    assert ann.state == "active", "an update under the topic of a deletion deletes nobody"
    with tea.runtime.database.read() as db:
        asked = questions.waiting(db, 100)
    assert [each.subject for each in asked] == [str(row["position"]) for row in sorted_rows["parked"]]
    assert {each.kind for each in asked} == {"parked delivery"}
    assert "canary" not in str(asked) + str(sorted_rows)


def test_the_question_about_a_parked_delivery_falls_due_before_its_body_is_gone(tea: Tea, now: Instant) -> None:
    put(
        tea,
        now,
        ("customers/redact", b'{"shop_domain":"x"}'),
        ("shop/redact", b"{}"),
        ("customers/data_request", b"{}"),
    )
    drain_all(tea.runtime, now)
    assert [row["topic"] for row in states_of(tea.runtime)["parked"]] == [
        "customers/redact",
        "shop/redact",
        "customers/data_request",
    ]
    with tea.runtime.database.read() as db:
        deadlines = [each.deadline for each in questions.waiting(db, 10)]
    key_ends = (day_of(now) + 1 + KEEP_DAYS) * DAY
    assert deadlines == [key_ends - QUESTION_BEFORE_END] * 3
    assert all(deadline is not None and now < deadline < now + 30 * DAY for deadline in deadlines)


@pytest.mark.req("K15")
def test_a_delivery_whose_key_was_destroyed_is_parked_and_never_stops_the_others(tea: Tea, now: Instant) -> None:
    old = [delivery(tea, "old", "customers/create", body(101), now - 40 * DAY)]
    put_in_inbox(tea.runtime, tea.vault, old)
    tea.runtime.keys.end_days(day_of(now) - 30, now)
    put(tea, now, ("customers/create", body(102)))
    drain_all(tea.runtime, now)
    assert outcomes(tea.runtime)["old"][0] == "parked"
    assert "destroyed on purpose" in str(outcomes(tea.runtime)["old"][1])
    assert list(tea.dump()["customers"]) == [102]


@contextmanager
def refusing(database: Database, number: int, error: Callable[[], Exception]) -> Iterator[list[int]]:
    """A database that fails whenever one customer is written down: the row is poison, whatever the reason."""
    tries: list[int] = []

    def before(_db: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        named = '"customers"' in statement or "sides" in statement
        if named and str(number) in str(parameters):
            tries.append(1)
            raise error()

    event.listen(database.engine, "before_cursor_execute", before)
    try:
        yield tries
    finally:
        event.remove(database.engine, "before_cursor_execute", before)


@pytest.mark.req("K15")
def test_a_poisoned_row_is_tried_eight_times_by_itself_and_then_parked(tea: Tea, now: Instant) -> None:
    put(
        tea,
        now,
        ("customers/create", body(301, first_name="Before")),
        ("customers/create", body(666_666, first_name="Poison")),
        ("customers/create", body(302, first_name="After")),
    )
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
    with refusing(tea.runtime.database, 666_666, lambda: ValueError("canary")):
        assert drain.once(now) == 3
        assert list(tea.dump()["customers"]) == [301, 302], "the others do not wait for it"
        assert drain.once(now) == 0, "it waits before it is tried again"
        tries = 1
        while outcomes(tea.runtime)["w-1"][0] == "waiting":
            moment = waits_until(tea.runtime, "w-1")
            assert drain.once(moment - 1) == 0
            assert drain.once(moment) == 1
            tries += 1
    assert tries == ATTEMPTS_MAX == 8
    assert outcomes(tea.runtime)["w-1"] == ("parked", "failed 8 times (ValueError)")
    with tea.runtime.database.read() as db:
        [asked] = questions.waiting(db, 10)
    assert "canary" not in str(asked)
    with tea.runtime.database.write() as db:
        inbox.retry(db, int(asked.subject))
    drain_all(tea.runtime, now)
    assert list(tea.dump()["customers"]) == [301, 302, 666_666], "once the reason is gone it can be tried again"


def waits_until(runtime: Runtime, name: str) -> Instant:
    with runtime.database.read() as db:
        due: Instant = db.execute(select(inbox_table.c.due_at).where(inbox_table.c.webhook_id == name)).scalar_one()
    return due


@pytest.mark.req("K15")
def test_a_temporary_error_counts_for_nobody_however_often_it_comes(tea: Tea, now: Instant) -> None:
    put(tea, now, ("customers/create", body(301)), ("customers/create", body(302)))
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
    with refusing(tea.runtime.database, 302, lambda: DatabaseBusy("The database is gone.")):
        for hour in range(ATTEMPTS_MAX + 2):
            with pytest.raises(DatabaseBusy):
                drain.once(now + hour * HOUR)
    assert tea.dump()["customers"] == {}, "all or nothing"
    assert {row["attempts"] for row in states_of(tea.runtime)["waiting"]} == {0}
    assert drain.once(now) == 2
    assert list(tea.dump()["customers"]) == [301, 302]


def test_an_uninstalled_app_disconnects_the_shop_and_forgets_nothing(tea: Tea, now: Instant) -> None:
    uninstalled = ("app/uninstalled", json.dumps(SHOP).encode())
    put(tea, now, ("customers/create", body(101)), uninstalled)
    drain_all(tea.runtime, now)
    with tea.runtime.database.read() as db:
        found = shops.by_id(db, tea.shop_id)
    assert (found.state, found.disconnected_at) == ("disconnected", now)
    assert tea.runtime.credentials(found).api_secrets, "its redaction must still be heard"
    assert list(tea.dump()["customers"]) == [101]


def test_an_old_or_a_borrowed_word_of_uninstalling_disconnects_nobody(tea: Tea, now: Instant) -> None:
    late = delivery(tea, "late", "app/uninstalled", json.dumps(SHOP).encode(), now, ago=3600)
    other = json.dumps(SHOP | {"myshopify_domain": "coffee.myshopify.com"}).encode()
    borrowed = [
        delivery(tea, "update", "app/uninstalled", body(101, email="ann@example.com"), now),
        delivery(tea, "other", "app/uninstalled", other, now),
        delivery(tea, "broken", "app/uninstalled", b"", now),
    ]
    put_in_inbox(tea.runtime, tea.vault, [late, *borrowed])
    drain_all(tea.runtime, now)
    with tea.runtime.database.read() as db:
        assert shops.by_id(db, tea.shop_id).state == "connected"
    assert {name: state for name, (state, _) in outcomes(tea.runtime).items()} == {
        "late": "done", "update": "parked", "other": "parked", "broken": "parked",
    }  # fmt: skip


def test_a_shop_whose_key_is_lost_does_not_keep_the_others_waiting(tea: Tea, now: Instant) -> None:
    runtime = tea.runtime
    with runtime.database.write() as db:
        columns = {
            name: value for name, value in db.execute(select(shops_table)).mappings().one().items() if name != "id"
        }
        lost = shops.add(db, columns | {"domain": "a-lost.myshopify.com"})
    runtime.keys.make_shop_key(lost, now)
    put_in_inbox(runtime, runtime.vault(lost), [Delivery(lost, "lost", "customers/create", body(1), now)])
    put(tea, now, ("customers/create", body(101)))
    with runtime.key_database.write() as db:
        db.execute(update(keytables.shop_keys).where(keytables.shop_keys.c.shop_id == lost).values(wrapped=None))
    with Runtime(runtime.settings) as fresh:
        drain_all(fresh, now)
        assert outcomes(fresh)["w-0"] == ("done", "created")
        assert outcomes(fresh)["lost"][0] in ("waiting", "parked")


@pytest.mark.req("K15")
def test_several_drains_at_once_apply_everything_once_and_never_share_a_customer(tea: Tea, now: Instant) -> None:
    people, rounds = range(1, 41), 12
    told = [
        delivery(
            tea, f"{person}-{turn}", "customers/update",
            body(person, f"2026-03-02T10:00:{turn:02d}+00:00", first_name=f"Name {turn}", note=f"{person}"), now,
        )
        for turn in range(rounds)
        for person in people
    ]  # fmt: skip
    put_in_inbox(tea.runtime, tea.vault, told)
    taken: list[int] = []
    failures: list[BaseException] = []

    def drain() -> None:
        small = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
        try:
            for _ in range(400):
                taken.append(small.once(now))
                if "waiting" not in states_of(tea.runtime):
                    return
        except BaseException as error:  # noqa: BLE001 - what goes wrong in a thread must be seen in the test
            failures.append(error)

    together(drain, drain, drain)
    assert failures == []
    assert sum(taken) == len(told), "no two of them took up the same delivery"
    assert len(states_of(tea.runtime)["done"]) == len(told)
    ends = tea.dump()["customers"]
    assert list(ends) == list(people)
    assert {fields["fields"]["first_name"] for fields in ends.values()} == {f"Name {rounds - 1}"}
    with tea.runtime.database.read() as db:
        causes = list(db.execute(select(field_log.c.cause).where(field_log.c.accepted)).scalars())
    assert len(causes) == len(told), "in the order in which they came, each one is news"


def together(*turns: Callable[[], None]) -> None:
    threads = [threading.Thread(target=turn) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
