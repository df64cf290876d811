"""shop/redact: everything of a shop that is gone goes, in batches, whoever dies in between; another shop's stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from onewriter.customers import erasing, policies, questions, runs, shops
from onewriter.customers.questions import Ask
from onewriter.customers.runs import Run
from onewriter.db import keytables
from onewriter.db.register import REGISTER
from onewriter.db.tables import customers
from onewriter.db.webtables import metadata
from onewriter.errors import KeyDestroyed
from onewriter.intake.connect import ShopClosed
from onewriter.records import DAY, FIELDS, HOUR, Delivery, Instant, RunState
from onewriter.runtime import Runtime, new_run_id
from onewriter.shopify.auth import Credentials
from onewriter.shopify.tokens import seal_credentials
from onewriter.vault import keystore
from onewriter.workflows import privacy
from onewriter.workflows.carrying import carry_out
from tests.support.doors import knock, serving, signed
from tests.support.joined import connect, drain_all, joined, put_in_inbox
from tests.support.lawful import answer, asked, data_request, questions_of, shop_redaction
from tests.support.raw import ON_SQLITE, raw_bytes
from tests.support.redacting import ANN, body_of, deliver, held, person
from tests.support.shops import DOMAIN, SECRET, Tea, gone, merged, rung

OTHER = "coffee.myshopify.com"


class Killed(BaseException):
    """What no handler of ours catches: the process is gone."""


def fill(tea: Tea, now: Instant, *, first: int = ANN) -> None:
    """Have something of the shop in as many tables as deliveries fill."""
    numbers = [first + n for n in range(8)]
    tea.apply(*(person(number, now, email=f"canary{number}@example.com") for number in numbers), now=now)
    tea.apply(merged(numbers[0], numbers[1], now), gone(numbers[2], now), rung(numbers[3], now), now=now)
    deliver(tea, now, "customers/update", body_of(numbers[4], now, email=["canary"]), f"w-bad-{tea.shop_id}")
    ask = Ask("a kind", "a subject", "A text.", {"yes": ""}, "nothing")
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, ask, now)
        runs.add(db, new_run_id(now), tea.shop_id, runs.RECONCILE, "test", now)


def ask_to_erase(tea: Tea, now: Instant) -> Instant:
    """Disconnect the shop, and have Shopify ask two days later that it be erased; when it asked."""
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, now + HOUR)
    moment = now + 2 * DAY
    deliver(tea, moment, "shop/redact", shop_redaction())
    return moment


def queue(tea: Tea) -> str:
    (run_id,) = privacy.queue_accepted(tea.runtime)
    return run_id


def run_of(tea: Tea, run_id: str) -> Run:
    with tea.runtime.database.read() as db:
        return runs.get(db, run_id)


def shop_of(tea: Tea) -> shops.Shop:
    with tea.runtime.database.read() as db:
        return shops.by_id(db, tea.shop_id)


def rows_of(tea: Tea) -> dict[str, int]:
    """How many rows of each table are the shop's, or lead to a customer that is not there."""
    found = {}
    with tea.runtime.database.read() as db:
        for entry in REGISTER:
            table = metadata.tables[entry.table]
            query = select(table)
            if "shop_id" in table.columns:
                query = query.where(table.c.shop_id == tea.shop_id)
            elif "customer_id" in table.columns:
                others = select(customers.c.id).where(customers.c.shop_id != tea.shop_id)
                query = query.where(table.c.customer_id.not_in(others))
            found[entry.table] = len(db.execute(query).all())
    return {name: number for name, number in found.items() if number}


@pytest.fixture
def other(tea: Tea, now: Instant) -> Tea:
    """Another shop in the same databases."""
    columns: dict[str, Any] = {"domain": OTHER, "admin_url": f"https://{OTHER}", "public_url": "https://tea.example"}
    columns |= {"api_version": "2026-10", "region": "GB", "state": "connected", "scopes": ["read_customers"]}
    with tea.runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"box": b"", "installed_at": now, "connected_at": now})
        key = tea.runtime.keys.make_shop_key(shop_id, now)
        credentials = Credentials("token", access_token="shpat_of_the_other", api_secrets=("shpss_of_the_other",))
        shops.change(db, shop_id, {"box": seal_credentials(key, shop_id, credentials)})
    return Tea(tea.runtime, shop_id)


@contextmanager
def killed_at(tea: Tea, nth: int) -> Iterator[None]:
    """Have the process die just before the nth statement that deletes or destroys something."""
    seen = 0

    def hear(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal seen
        if statement.startswith("DELETE") or ("wrapped" in statement and statement.startswith("UPDATE")):
            seen += 1
            if seen == nth:
                raise Killed

    engines = (tea.runtime.database.engine, tea.runtime.key_database.engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.req("K37")
def test_nothing_of_the_shop_is_left_but_receipts_and_another_shop_is_untouched(
    tea: Tea, other: Tea, now: Instant
) -> None:
    fill(tea, now)
    fill(other, now, first=ANN + 1_000)
    before, whole = rows_of(other), {entry.table for entry in REGISTER if not entry.outlives_shop}
    assert {"customers", "sides", "field_log", "name_tokens", "inbox", "policies"} <= rows_of(tea).keys()
    moment = ask_to_erase(tea, now)
    deliver(tea, moment, "customers/data_request", data_request(ANN + 4), "w-data")
    carry_out(tea.runtime, queue(tea))
    left = rows_of(tea)
    assert left.keys() & whole == set()
    assert rows_of(other) == before
    assert other.profile(ANN + 1_001) is not None
    shop = shop_of(tea)
    assert (shop.state, shop.box, shop.name, shop.scopes, shop.domain) == ("erased", b"", None, (), DOMAIN)
    assert shop.erased_at is not None
    assert [each.state for each in asked(tea.runtime.database)] == ["done", "done"]


@pytest.mark.req("K37", "K35")
def test_the_receipt_says_what_went_and_the_keys_are_gone(tea: Tea, other: Tea, now: Instant) -> None:
    fill(tea, now)
    fill(other, now, first=ANN + 1_000)
    ask_to_erase(tea, now)
    run_id = queue(tea)
    assert tea.vault.key is not None
    carry_out(tea.runtime, run_id)
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert (receipt["cause"], receipt["id_hashes"], receipt["run_id"]) == ("shop/redact", [], run_id)
    assert receipt["counts"]["customers"] == 8
    assert receipt["ended_at"] is not None
    assert asked(tea.runtime.database)[0].receipt_id == bytes(receipt["id"])
    run = run_of(tea, run_id)
    assert (run.state, run.total, run.done) == (RunState.DONE, 8, 8)
    with pytest.raises(KeyDestroyed):
        tea.runtime.vault(tea.shop_id)
    with tea.runtime.key_database.read() as db:
        for table in (keytables.subject_keys, keytables.shop_keys, keytables.day_keys):
            rows = db.execute(select(table.c.shop_id, table.c.wrapped, table.c.destroyed_at)).all()
            ended = [row for row in rows if row.shop_id == tea.shop_id]
            assert ended, table.name
            assert all(row.wrapped is None and row.destroyed_at is not None for row in ended), table.name
            assert all(row.wrapped is not None for row in rows if row.shop_id == other.shop_id)


@pytest.mark.req("K37")
@ON_SQLITE
def test_no_token_of_the_shop_is_left_in_the_files(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    number = str(ANN + 5).encode()
    hashed = tea.vault.key.id_hash(ANN + 4)
    assert number in raw_bytes(tea.runtime.database), "the control"
    assert hashed in raw_bytes(tea.runtime.database), "the control"
    ask_to_erase(tea, now)
    carry_out(tea.runtime, queue(tea))
    left = raw_bytes(tea.runtime.database)
    assert number not in left
    assert hashed not in left


@pytest.mark.req("K37")
@pytest.mark.parametrize("nth", [3, 12, 30])
def test_a_run_that_was_killed_in_the_middle_ends_what_it_began(tea: Tea, now: Instant, nth: int) -> None:
    fill(tea, now)
    ask_to_erase(tea, now)
    run_id = queue(tea)
    with pytest.raises(Killed), killed_at(tea, nth):
        carry_out(tea.runtime, run_id)
    assert shop_of(tea).state == "erased"
    assert shop_of(tea).erased_at is None
    with tea.runtime.database.read() as db:
        assert erasing.receipts(db, 10) == [], "no receipt before all is done"
    assert [each.state for each in asked(tea.runtime.database)] == ["accepted"]
    carry_out(tea.runtime, run_id)
    assert shop_of(tea).erased_at is not None
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert receipt["counts"]["customers"] == 8, "what was taken before is counted once"
    assert rows_of(tea).keys() <= {entry.table for entry in REGISTER if entry.outlives_shop}


@pytest.mark.req("K37")
def test_a_shop_that_is_connected_again_before_the_run_is_kept_and_asked_about(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    moment = ask_to_erase(tea, now)
    run_id = queue(tea)
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"state": "connected", "connected_at": moment})
    many = len(held(tea))
    carry_out(tea.runtime, run_id)
    assert run_of(tea, run_id).state is RunState.FAILED
    assert len(held(tea)) == many
    assert [each.state for each in asked(tea.runtime.database)] == ["open"]
    question = questions_of(tea)[-1]
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, moment + HOUR)
    answer(tea, question, "erase", moment + 2 * HOUR)
    tea.runtime.now = lambda: moment + 3 * HOUR
    carry_out(tea.runtime, queue(tea))
    assert held(tea) == [], "a person may still say so once it is disconnected"


def test_nothing_is_queued_twice_and_nothing_that_was_not_accepted(tea: Tea, now: Instant) -> None:
    assert privacy.queue_accepted(tea.runtime) == []
    ask_to_erase(tea, now)
    assert len(privacy.queue_accepted(tea.runtime)) == 1
    assert privacy.queue_accepted(tea.runtime) == []


def test_a_run_for_a_shop_that_has_been_erased_meanwhile_only_ends(tea: Tea, now: Instant) -> None:
    ask_to_erase(tea, now)
    run_id = queue(tea)
    with tea.runtime.database.write() as db:
        shops.empty(db, tea.shop_id)
        shops.change(db, tea.shop_id, {"erased_at": now})
    carry_out(tea.runtime, run_id)
    assert run_of(tea, run_id).state is RunState.DONE
    assert [each.state for each in asked(tea.runtime.database)] == ["done"]
    assert questions_of(tea) == []


@pytest.mark.req("K37")
def test_deliveries_of_an_erased_shop_are_refused(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    ask_to_erase(tea, now)
    carry_out(tea.runtime, queue(tea))
    content = body_of(ANN, now)
    with serving(tea.runtime) as url:
        assert knock(url, content, signed(content, SECRET, DOMAIN, "w-late")).status_code == 401
    assert held(tea) == []


@pytest.mark.req("K37")
def test_what_the_door_let_in_a_moment_too_late_is_not_taken_up(tea: Tea, now: Instant) -> None:
    late = Delivery(tea.shop_id, "w-late", "customers/create", body_of(ANN, now), now)
    put_in_inbox(tea.runtime, tea.vault, [late])
    with tea.runtime.database.write() as db:
        shops.empty(db, tea.shop_id)
    drain_all(tea.runtime, now)
    assert held(tea) == []
    assert "inbox" not in rows_of(tea)


@pytest.mark.req("K37")
def test_another_process_learns_of_the_end_of_the_keys_and_of_new_ones(
    tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "SHOP_FRESH_S", 0.0)
    late = now + 3 * DAY
    made = [Delivery(tea.shop_id, name, "customers/create", body_of(ANN, now), late) for name in ("w-1", "w-2")]
    with Runtime(tea.runtime.settings) as other_process:
        old = other_process.vault(tea.shop_id).key
        put_in_inbox(other_process, other_process.vault(tea.shop_id), made[:1])
        ask_to_erase(tea, now)
        tea.runtime.now = lambda: late
        carry_out(tea.runtime, queue(tea))
        with pytest.raises(KeyDestroyed):
            other_process.vault(tea.shop_id)
        with tea.runtime.database.write() as db:
            shops.begin_anew(db, tea.shop_id, late)
            shops.change(db, tea.shop_id, {"state": "connected"})
        tea.runtime.keys.make_shop_key(tea.shop_id, late)
        fresh = other_process.vault(tea.shop_id)
        assert fresh.key.id_hash(ANN) == tea.vault.key.id_hash(ANN) != old.id_hash(ANN)
        put_in_inbox(other_process, fresh, made[1:])
    drain_all(tea.runtime, late)
    assert held(tea) == [ANN], "what the other process sealed today opens here"


@pytest.mark.req("K37")
def test_the_same_shop_can_be_connected_anew_with_keys_of_its_own(runtime: Runtime) -> None:
    with joined(runtime, 6) as shop:
        shop.carry_out()
        old = shop.vault.key
        number = shop.shop.ids[0]
        tea = Tea(runtime, shop.shop_id)
        moment = runtime.now()
        with runtime.database.write() as db:
            shops.disconnect(db, shop.shop_id, moment)
        put_in_inbox(
            runtime,
            shop.vault,
            [Delivery(shop.shop_id, "w-1", "shop/redact", shop_redaction(domain=shop.sandbox.info.domain), moment)],
        )
        drain_all(runtime, moment)
        run_id = queue(tea)
        with pytest.raises(Killed), killed_at(tea, 5):
            carry_out(runtime, run_id)
        with pytest.raises(ShopClosed):
            connect(runtime, shop.sandbox)
        carry_out(runtime, run_id)
        again = connect(runtime, shop.sandbox)
        assert again.shop_id == shop.shop_id
        assert again.run_id is not None
        shop.run_id = again.run_id
        shop.carry_out()
        assert shop.held() == shop.truth()
        assert shop.vault.key is not old
        assert shop.vault.key.id_hash(number) != old.id_hash(number)
        found = shop_of(tea)
        assert (found.state, found.erased_at, found.index_version) == ("connected", None, 1)
        assert found.installed_at > 0
        with runtime.database.read() as db:
            owned = policies.of_shop(db, shop.shop_id).owners
        assert owned == dict.fromkeys(FIELDS, "shopify"), "Shopify owns every field again"
        shop.shop.update(number, first_name="Anew")
        shop.follow()
        assert shop.held()[number]["first_name"] == "Anew", "and today's deliveries have a key"
