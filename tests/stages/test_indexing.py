"""The index is made anew while everything goes on: nobody is lost from it, and nothing is left of the old key."""

import threading
from typing import Any

import pytest
from sqlalchemy import select, update

from onewriter.customers import names, reindexing, runs, search, shops
from onewriter.customers.runs import AlreadyRunning
from onewriter.db import keytables
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers
from onewriter.errors import KeyDestroyed
from onewriter.intake.apply import apply
from onewriter.records import Instant, RunState
from onewriter.records import Path as Way
from onewriter.vault.vault import open_shop
from onewriter.workflows import carrying, indexing
from tests.support.raw import ON_POSTGRES
from tests.support.shops import Tea, later, told

PEOPLE = 7


@pytest.fixture
def shop(tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch) -> Tea:
    """A shop of a few customers, whose index is made three at a time."""
    for name in ("_NEXT", "_NEXT_SQLITE"):
        monkeypatch.setattr(reindexing, name, getattr(reindexing, name).limit(3))
    tea.apply(*(person(n, now) for n in range(PEOPLE)), now=now)
    return tea


def person(number: int, at: Instant, **other: Any) -> Any:
    fields = {"first_name": f"Mia{number}", "email": f"mia{number}@example.com", "phone": f"+4477009001{number:02}"}
    return told(100 + number, at, fields | other, path=Way.READ)


def queued(tea: Tea, now: Instant) -> str:
    with tea.runtime.database.write() as db:
        return indexing.queue(tea.runtime, db, tea.shop_id, "user:test", now)


def run_of(tea: Tea, run_id: str) -> runs.Run:
    with tea.runtime.database.read() as db:
        return runs.get(db, run_id)


def tokens(tea: Tea) -> set[Any]:
    """Every token that stands in the rows."""
    with tea.runtime.database.read() as db:
        found: set[Any] = set(db.execute(select(name_tokens.c.token)).scalars())
        for row in db.execute(select(customers.c.email_token, customers.c.phone_token)):
            found |= {bytes(each) for each in row if each is not None}
        return found


def found(tea: Tea, text: str) -> list[int | None]:
    with tea.runtime.database.read() as db:
        return [one.shopify_id for one in search.search(db, tea.vault, text, 50).found]


def key_row(tea: Tea, version: int) -> Any:
    table = keytables.index_keys
    with tea.runtime.key_database.read() as db:
        return db.execute(select(table).where(table.c.version == version)).one()


def everybody_is_found(tea: Tea) -> bool:
    return all(
        found(tea, text) == [100 + n]
        for n in range(PEOPLE)
        for text in (f"mia{n}", f"mia{n}@example.com", f"07700 9001{n:02}")
    )


@pytest.mark.req("K25")
def test_every_token_is_made_anew_and_the_old_key_is_destroyed(shop: Tea, now: Instant) -> None:
    first = tokens(shop)
    carrying.carry_out(shop.runtime, queued(shop, now))
    second = tokens(shop)
    assert len(second) == len(first)
    assert not first & second
    assert everybody_is_found(shop)
    run_id = queued(shop, later(now, 60))
    carrying.carry_out(shop.runtime, run_id)
    run = run_of(shop, run_id)
    assert (run.state, run.done, run.total) == (RunState.DONE, PEOPLE, PEOPLE)
    assert run.counts == {"indexed": PEOPLE, "keys_destroyed": 1}
    assert everybody_is_found(shop)
    assert not (first | second) & tokens(shop)
    old, new = key_row(shop, 2), key_row(shop, 3)
    assert old.wrapped is None
    assert old.destroyed_at is not None
    assert new.wrapped is not None
    assert new.destroyed_at is None


def test_hashes_of_ids_stay_whatever_key_the_index_has(shop: Tea, now: Instant) -> None:
    before = shop.vault.key.id_hash(101)
    carrying.carry_out(shop.runtime, queued(shop, now))
    assert shop.vault.key.id_hash(101) == before


class Died(BaseException):
    """The worker is killed."""


def test_a_run_that_died_goes_on_while_customers_come_change_and_are_looked_for(
    shop: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, pieces, made = queued(shop, now), [], reindexing.reindex

    def die_at_the_second_piece(*given: Any) -> Any:
        pieces.append(1)
        if len(pieces) == 2:
            raise Died
        return made(*given)

    monkeypatch.setattr(reindexing, "reindex", die_at_the_second_piece)
    with pytest.raises(Died):
        carrying.carry_out(shop.runtime, run_id)
    assert everybody_is_found(shop), "half of them by the old key"
    with shop.runtime.database.read() as db:
        assert search.search(db, shop.vault, "mia0", 50).building
    shop.apply(person(6, later(now, 5), first_name="Eva"), person(9, later(now, 5)), now=later(now, 5))
    assert found(shop, "mia6") == []
    carrying.carry_out(shop.runtime, run_id)
    run = run_of(shop, run_id)
    assert (run.state, run.done, run.counts["indexed"]) == (RunState.DONE, 6, 6), "each once, and those written never"
    assert (found(shop, "eva"), found(shop, "mia6"), found(shop, "mia9")) == ([106], [], [109])
    with shop.runtime.database.read() as db:
        assert set(db.execute(select(customers.c.index_version)).scalars()) == {2}
        assert not search.search(db, shop.vault, "mia0", 50).building


@ON_POSTGRES
def test_who_began_to_write_with_the_old_key_is_waited_for(shop: Tea, now: Instant) -> None:
    """Its customer comes to be seen only after the run has passed the place."""
    entered, go = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with shop.runtime.database.write() as db:
            apply(db, shop.vault, [person(9, now)], now - 1000)
            entered.set()
            go.wait(20)

    slow = threading.Thread(target=write_slowly)
    slow.start()
    entered.wait(20)
    run_id = queued(shop, now)
    run = threading.Thread(target=carrying.carry_out, args=(shop.runtime, run_id))
    run.start()
    run.join(0.3)
    assert run.is_alive(), "it waits"
    go.set()
    run.join(20)
    slow.join(20)
    assert run_of(shop, run_id).counts["indexed"] == PEOPLE + 1
    assert found(shop, "mia9") == [109]


def test_one_at_a_time_and_a_refused_one_changes_nothing(shop: Tea, now: Instant) -> None:
    queued(shop, now)
    with pytest.raises(AlreadyRunning):
        queued(shop, now)
    with shop.runtime.database.read() as db:
        assert names.version_of(db, shop.shop_id) == 2


def test_customers_from_before_names_were_indexed_are_said_to_be_missing_and_then_found(
    shop: Tea, now: Instant
) -> None:
    with shop.runtime.database.write() as db:
        db.execute(update(customers).values(index_version=0))
        db.execute(name_tokens.delete())
        shops.change(db, shop.shop_id, {"state": shops.DISCONNECTED})
    with shop.runtime.database.read() as db:
        answer = search.search(db, shop.vault, "mia0", 50)
    assert (answer.found, answer.building) == ([], True)
    assert found(shop, "mia0@example.com") == [100], "the address had its token before"
    indexing.tend(shop.runtime)
    indexing.tend(shop.runtime)
    with shop.runtime.database.read() as db:
        [run] = runs.newest(db, 5)
    carrying.carry_out(shop.runtime, run.id)
    assert run_of(shop, run.id).state is RunState.DONE
    assert everybody_is_found(shop)
    with shop.runtime.database.read() as db:
        assert names.version_of(db, shop.shop_id) == 1, "no key was at risk"
    indexing.tend(shop.runtime)
    with shop.runtime.database.read() as db:
        assert len(runs.newest(db, 5)) == 1


def test_a_backup_that_names_a_destroyed_key_gets_a_new_one(shop: Tea, now: Instant) -> None:
    for _turn in range(2):
        carrying.carry_out(shop.runtime, queued(shop, now))
    with shop.runtime.database.write() as db:
        db.execute(update(customers).values(index_version=2))
        shops.change(db, shop.shop_id, {"index_version": 2})
    later_on = open_shop(shop.runtime.keys, shop.shop_id, "GB")
    with pytest.raises(KeyDestroyed):
        later_on.index.of(2)
    with shop.runtime.database.write() as db:
        apply(db, later_on, [person(9, later(now, 5))], later(now, 5))
    assert found(shop, "mia9") == [109]
    indexing.tend(shop.runtime)
    with shop.runtime.database.read() as db:
        [run] = [one for one in runs.newest(db, 5) if not one.over]
    carrying.carry_out(shop.runtime, run.id)
    assert everybody_is_found(shop)


def test_who_can_be_opened_by_nobody_can_be_found_by_nobody(shop: Tea, now: Instant) -> None:
    with shop.runtime.database.read() as db:
        ours = bytes(db.execute(select(customers.c.id).where(customers.c.shopify_id == 103)).scalar_one())
    shop.runtime.keys.destroy_subjects([ours], now)
    run_id = queued(shop, now)
    carrying.carry_out(shop.runtime, run_id)
    assert run_of(shop, run_id).counts == {"indexed": PEOPLE - 1, "unopened": 1}
    with shop.runtime.database.read() as db:
        assert db.execute(select(customers.c.email_token).where(customers.c.shopify_id == 103)).scalar() is None
        assert not db.execute(select(name_tokens).where(name_tokens.c.customer_id == ours)).all()
