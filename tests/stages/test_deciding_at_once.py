"""Two people who decide about one record, or one parked value, in the same moment: one of them decides."""

import threading
from collections.abc import Callable

from sqlalchemy import Connection

from onewriter.connectors.interface import Record
from onewriter.customers import deciding, links, parked
from onewriter.customers.deciding import Pair
from onewriter.customers.links import LINKED, NotLinked, Review
from onewriter.customers.parked import NotParked, Unplaced
from onewriter.errors import Permanent
from onewriter.intake import releasing
from onewriter.intake.reading import Reading
from onewriter.intake.take import take
from onewriter.records import Instant
from tests.support.linking import CRM, Crm, policy_of
from tests.support.owners import give, held
from tests.support.shops import Tea, told

MIA = {"email": "mia.canary@example.org", "phone": "+447911123456", "first_name": "Mia", "last_name": "Canary"}
MAX = {"email": "max.canary@example.org", "phone": "+447911123457", "first_name": "Max", "last_name": "Canary"}
Decide = Callable[[Connection], object]


def at_once(tea: Tea, first: Decide, second: Decide) -> list[Permanent]:
    """Begin the second before the first is committed, which it has to wait for; what it was refused with."""
    refused: list[Permanent] = []

    def run() -> None:
        try:
            with tea.runtime.database.write() as db:
                second(db)
        except Permanent as error:
            refused.append(error)

    thread = threading.Thread(target=run)
    with tea.runtime.database.write() as db:
        first(db)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it did not wait"
    thread.join(30)
    return refused


def doubtful(crm: Crm) -> tuple[Pair, Pair]:
    """A record that may be one of two customers'."""
    ids = (crm.customer(101, **MIA), crm.customer(102, **MAX))
    crm.hear({"x": {"first_name": "M", "last_name": "Canary"}})
    name = crm.name("x")
    with crm.tea.runtime.database.write() as db:
        links.link(db, crm.tea.vault, CRM, {name: Review(ids, "phone", "either")}, 2, "cycle", crm.now)
    return Pair(CRM, name, ids[0]), Pair(CRM, name, ids[1])


def test_a_record_is_accepted_as_one_customers_only(crm: Crm) -> None:
    one, other = doubtful(crm)
    [refused] = at_once(
        crm.tea,
        lambda db: deciding.accept(db, crm.tea.vault, one, "user:anna", crm.now),
        lambda db: deciding.accept(db, crm.tea.vault, other, "user:bob", crm.now),
    )
    assert isinstance(refused, NotLinked)
    assert [each.customer_id for each in crm.on_record("x") if each.state == LINKED] == [one.customer_id]


def test_a_record_that_is_linked_while_a_cycle_takes_it_in_stays_linked(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.hear({"x": {"first_name": "M"}})
    pair = Pair(CRM, crm.name("x"), mia)
    reading = Reading(vault=crm.tea.vault, policy=policy_of(), system=CRM, run_id=None, began=crm.now)
    told = Record("x", {"first": "Em"})
    refused = at_once(
        crm.tea,
        lambda db: deciding.link_by_hand(db, crm.tea.vault, pair, "user:anna", crm.now),
        lambda db: take(db, reading, [told], crm.now),
    )
    crm.end()
    assert refused == []
    assert (crm.side("x").customer_id, crm.side("x").fields) == (mia, {"first": "Em"})
    assert crm.side("x").raw_digest is None or crm.side("x").clean is not None, "it is settled, or is read anew"


def test_a_record_that_a_cycle_takes_in_is_linked_by_hand_after_that(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.hear({"x": {"first_name": "M"}})
    pair = Pair(CRM, crm.name("x"), mia)
    reading = Reading(vault=crm.tea.vault, policy=policy_of(), system=CRM, run_id=None, began=crm.now)
    refused = at_once(
        crm.tea,
        lambda db: take(db, reading, [Record("x", {"first": "Em"})], crm.now),
        lambda db: deciding.link_by_hand(db, crm.tea.vault, pair, "user:anna", crm.now),
    )
    crm.end()
    assert refused == []
    assert (crm.side("x").customer_id, crm.side("x").fields) == (mia, {"first": "Em"})


def test_a_pair_is_not_refused_once_it_is_accepted(crm: Crm) -> None:
    pair, _ = doubtful(crm)
    [refused] = at_once(
        crm.tea,
        lambda db: deciding.accept(db, crm.tea.vault, pair, "user:anna", crm.now),
        lambda db: deciding.refuse(db, crm.tea.vault, pair, "user:bob", crm.now),
    )
    assert isinstance(refused, NotLinked)
    assert [each.state for each in crm.on_record("x") if each.customer_id == pair.customer_id] == [LINKED]
    assert crm.side("x").customer_id == pair.customer_id


def test_a_link_is_broken_once(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"x": MIA})
    pair = Pair(CRM, crm.name("x"), mia)

    def break_it(db: Connection) -> None:
        deciding.break_link(db, crm.tea.vault, pair, "user:anna", crm.now)

    assert [type(each) for each in at_once(crm.tea, break_it, break_it)] == [NotLinked]


def test_a_parked_value_that_was_dropped_is_not_released(tea: Tea, now: Instant) -> None:
    give(tea, now, {"note": "manual"}, {})
    tea.apply(told(101, now, {**MIA, "note": "ours"}), now=now)
    ann = held(tea, 101)
    before = ann.own.get("note")
    assert ann.customer_id is not None
    assert ann.key is not None
    with tea.runtime.database.write() as db:
        parked.park_all(db, tea.shop_id, [Unplaced(ann.customer_id, ann.key, "crm", "note", "theirs", "owned")], now)
        [one] = parked.listed(db, tea.shop_id, 10, field="note")
    refused = at_once(
        tea,
        lambda db: parked.end_one(db, one.id, parked.DROPPED, "user:anna", now),
        lambda db: releasing.release(db, tea.vault, one.id, "user:bob", now, keep_days=30),
    )
    assert [type(each) for each in refused] == [NotParked]
    assert held(tea, 101).own.get("note") == before
