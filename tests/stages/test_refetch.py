"""Refetch: what a delivery alone cannot settle is read again from the shop, and the read has the last word."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import find
from onewriter.db.tables import findings, refetch_marks
from onewriter.intake import refetch as refetching
from onewriter.intake.apply import apply
from onewriter.intake.refetch import AT_ONCE, Refetch
from onewriter.records import DAY, SECOND, Delivery, Instant
from onewriter.rules.ordering import TRIES_MAX
from onewriter.runtime import Runtime, now
from onewriter.sandbox.customer import utc_text
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient
from tests.support.joined import Joined, joined, put_in_inbox


def tell(shop: Joined, topic: str, body: dict[str, Any]) -> None:
    """Put a delivery of our own making into the inbox and apply it."""
    moment = now()
    name = f"made-{topic}-{moment}"
    made = Delivery(shop.shop_id, name, topic, json.dumps(body).encode(), moment, triggered=moment)
    put_in_inbox(shop.runtime, shop.vault, [made])
    shop.drain()


@pytest.mark.req("K17", "K18", "K26", "K27", "K29")
def test_a_customer_first_heard_of_in_a_delivery_is_read_once_for_what_no_delivery_says(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        shop.carry_out()
        made = shop.shop.create(
            first_name="Ann", last_name="Leigh", email="ann@example.com", phone="+12025550123", note="oolong",
            tags=["vip", "tea"], locale="fr", addresses=[{"address1": "1 Leaf St", "country_code": "GB"}],
        )  # fmt: skip
        shop.shop.consent_to_email(made.id, "SUBSCRIBED", "CONFIRMED_OPT_IN")
        shop.hear()
        shop.drain()
        assert shop.marked() == {made.id: frozenset({"unread", "doorbell"})}
        assert "tags" not in shop.profile(made.id).own
        assert shop.refetch() == 1
        assert shop.marked() == {}
        assert shop.held()[made.id] == shop.truth()[made.id]
        assert shop.held()[made.id]["email_consent"]["state"] == "subscribed"
        assert shop.refetch() == 0


@pytest.mark.req("K22", "K25", "K26", "K27")
@pytest.mark.parametrize("field", ["first_name", "last_name", "email", "phone", "note"])
def test_emptying_a_field_propagates_by_a_read(runtime: Runtime, field: str) -> None:
    with joined(runtime, 1) as shop:
        made = shop.shop.create(
            first_name="Ann", last_name="Leigh", email="ann@example.com", phone="+12025550123", note="oolong"
        )
        shop.carry_out()
        before = shop.held()[made.id][field]
        assert before
        shop.shop.update(made.id, **{field: None})
        shop.hear()
        shop.drain()
        assert shop.held()[made.id][field] == before, "a null in a delivery can also mean that we may not see it"
        assert shop.marked().keys() == {made.id}
        assert "null" in shop.marked()[made.id]
        shop.refetch()
        assert shop.held()[made.id][field] is None
        assert shop.held() == shop.truth()
        assert shop.marked() == {}
        if field in ("email", "phone"):
            with runtime.database.read() as db:
                assert find.find(db, shop.vault, before, 5) == [], "and nobody is found by it any more"


@pytest.mark.req("K29", "K22")
def test_every_change_of_status_arrives(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        number = shop.shop.ids[0]
        # A status of one second may tie with the one before, and the read decides.
        for state in ("ENABLED", "DISABLED", "INVITED", "DECLINED", "ENABLED"):
            shop.shop.update(number, state=state)
            shop.follow()
            assert shop.held()[number]["state"] == state.lower()
        with runtime.database.read() as db:
            shown = find.show(db, shop.vault, str(number), reveal=True)
        assert shown.fields["state"] == "enabled"


@pytest.mark.req("K28")
def test_tags_and_consents_arrive_by_their_doorbells_and_go_again(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        number = shop.shop.create(first_name="Ann", email="ann@example.com", phone="+12025550123").id
        shop.follow()
        assert shop.held()[number]["tags"] is None
        acts: list[Callable[[], Any]] = [
            lambda: shop.shop.add_tags(number, ["gold", "tea"]),
            lambda: shop.shop.remove_tags(number, ["tea"]),
            lambda: shop.shop.consent_to_email(number, "SUBSCRIBED", "CONFIRMED_OPT_IN"),
            lambda: shop.shop.consent_to_sms(number, "SUBSCRIBED", "SINGLE_OPT_IN"),
            lambda: shop.shop.consent_to_whatsapp(number, "SUBSCRIBED", "SINGLE_OPT_IN"),
            lambda: shop.shop.consent_to_email(number, "UNSUBSCRIBED"),
            lambda: shop.shop.remove_tags(number, ["gold"]),
        ]
        for act in acts:
            before = shop.held()[number]
            act()
            shop.hear()
            shop.drain()
            assert shop.held()[number] == before, "a doorbell says nothing; the read does"
            assert shop.marked() == {number: frozenset({"doorbell"})}
            assert shop.refetch() == 1, "one read for one doorbell"
            assert shop.held()[number] == shop.truth()[number] != before
        assert shop.held()[number]["tags"] is None, "emptying propagates"


@pytest.mark.req("K28")
def test_many_doorbells_of_one_customer_ring_for_one_read(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        shop.follow()
        number = shop.shop.ids[0]
        for tag in ("a", "b", "c", "d"):
            shop.shop.add_tags(number, [tag])
        assert shop.hear() == 4
        shop.drain()
        assert (shop.refetch(), shop.refetch()) == (1, 0)
        assert shop.held() == shop.truth()


@pytest.mark.req("K30", "K31")
def test_a_deletion_is_confirmed_by_a_read_and_the_data_stay(runtime: Runtime) -> None:
    with joined(runtime, 5) as shop:
        shop.carry_out()
        number = next(each for each in shop.shop.ids if not shop.shop.customers[each].orders)
        was = shop.held()[number]
        shop.shop.delete(number)
        shop.hear()
        shop.drain()
        hidden = shop.profile(number)
        assert (hidden.state, hidden.confirmed) == ("deleted", None)
        assert shop.marked() == {number: frozenset({"deletion"})}
        shop.refetch()
        confirmed = shop.profile(number)
        assert confirmed.confirmed is not None
        assert confirmed.deleted == hidden.deleted, "the clock runs from the deletion, not from the read"
        assert confirmed.own == was
        assert (number in shop.held(), shop.marked()) == (False, {})


@pytest.mark.req("K31")
def test_a_deletion_that_never_was_is_undone_by_a_read(runtime: Runtime) -> None:
    with joined(runtime, 5) as shop:
        shop.carry_out()
        number = shop.shop.ids[0]
        tell(shop, "customers/delete", {"id": number})
        assert number not in shop.held()
        shop.refetch()
        assert shop.held() == shop.truth()
        profile = shop.profile(number)
        assert (profile.state, profile.deleted, profile.confirmed) == ("active", None, None)


@pytest.mark.req("K30")
def test_a_deletion_of_somebody_unknown_is_confirmed_and_makes_no_customer(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        shop.carry_out()
        tell(shop, "customers/delete", {"id": 424_242})
        assert shop.refetch() == 1
        assert shop.marked() == {}
        assert shop.held() == shop.truth()


def test_what_is_heard_while_the_read_is_under_way_is_read_again(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        made = shop.shop.create(first_name="Ann", note="one")
        shop.hear()
        shop.drain()

        def client_while_something_is_heard(shop_id: int) -> AdminClient:
            # Two updates of one second: a tie, which sets the mark once more.
            shop.shop.update(made.id, note="two")
            shop.shop.update(made.id, note="three")
            shop.hear()
            shop.drain()
            return runtime.client(shop_id)

        Refetch(runtime.database, client_while_something_is_heard, runtime.vault, now).once(shop.shop_id)
        assert "tie" in shop.marked()[made.id], "the mark was set again since the read began"
        shop.follow()
        assert shop.marked() == {}
        assert shop.held() == shop.truth()


def test_what_was_told_badly_is_mended_by_the_read(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        record = shop.shop.customers[shop.shop.ids[0]]
        stamp = shop.truth()[record.id]
        tell(
            shop, "customers/update", {"id": record.id, "updated_at": utc_text(record.updated_at), "note": "never said"}
        )
        assert "tie" in shop.marked().get(record.id, frozenset())
        shop.refetch()
        assert shop.held()[record.id] == stamp


def read_until_settled(shop: Joined, clock: Callable[[], Instant]) -> int:
    """Read whenever something is due by a clock that runs ahead; how often that was."""
    refetch = Refetch(shop.runtime.database, shop.runtime.client, shop.runtime.vault, clock)
    turns = 0
    while shop.marked():
        turns += refetch.once(shop.shop_id)
        assert turns < 50, "It is asked for ever."
    return turns


def test_a_value_that_shopify_will_not_show_stays_and_becomes_a_finding_and_not_a_clearing(runtime: Runtime) -> None:
    with joined(runtime, 4) as shop:
        shop.carry_out()
        number = next(n for n, fields in shop.held().items() if fields["email"] and fields["phone"])
        was = shop.held()[number]
        shop.shop.set_faults({"protected_denied": True})
        shop.shop.update(number, note="seen all the same")
        shop.hear()
        shop.drain()
        assert shop.marked()[number] == frozenset({"null"})
        moment = now()

        def clock() -> Instant:
            nonlocal moment
            moment += 3600 * SECOND
            return moment

        turns = read_until_settled(shop, clock)
        held = shop.held()[number]
        assert held["note"] == "seen all the same"
        protected = ("first_name", "last_name", "email", "phone", "addresses")
        assert {name: held[name] for name in protected} == {name: was[name] for name in protected}
        with runtime.database.read() as db:
            [found] = db.execute(select(findings)).all()
        assert turns == TRIES_MAX
        assert (found.kind, found.evidence["tries"]) == ("unsettled", TRIES_MAX)
        assert "ACCESS_DENIED" in found.reason
        assert not any(str(was[name]) in str(found) for name in ("first_name", "email", "phone") if was[name])


def test_many_marks_are_gathered_into_few_calls_within_the_cost_limit(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with joined(runtime, 0, cost_maximum=20_000.0, cost_restore=1_000.0) as shop:
        for number in range(300):
            shop.shop.create(first_name=f"Guest {number}", tags=["new"])
        shop.hear()
        shop.drain()
        assert len(shop.marked()) == 300
        client = runtime.client(shop.shop_id)
        asked: list[int] = []
        query = client.query

        def counted(document: str, variables: Any = None) -> Any:
            if document == queries.NODES:
                asked.append(len(variables["ids"]))
            return query(document, variables)

        monkeypatch.setattr(client, "query", counted)
        assert shop.refetch() == AT_ONCE
        assert shop.refetch() == 300 - AT_ONCE
        assert shop.marked() == {}
        assert shop.held() == shop.truth()
        taken = client.at_once["Customer"]
        assert taken > 20, "a call reads as many as one query may cost"
        refused = [size for size in asked if size > taken]
        assert len(refused) <= 4, "what is too dear is learnt once, not in each turn"
        assert len(asked) - len(refused) <= 300 // taken + 3


def test_a_shop_that_cannot_be_read_keeps_its_marks(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        shop.shop.create(first_name="Ann")
        shop.hear()
        shop.drain()
        marks = shop.marked()
        shop.shop.set_faults({"token_revoked": True})
        with pytest.raises(Exception, match="refused the access token"):
            shop.refetch()
        assert shop.marked() == marks
        with runtime.database.read() as db:
            assert list(db.execute(select(refetch_marks.c.tries)).scalars()) == [0]
            assert db.execute(select(refetch_marks.c.due_at)).scalar_one() < now() + DAY


def test_one_customer_that_cannot_be_applied_keeps_no_other_waiting(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        bad, *others = shop.shop.ids
        for number in shop.shop.ids:
            shop.shop.add_tags(number, ["fresh"])
        shop.hear()
        shop.drain()

        def poisoned(db: Any, vault: Any, changes: Any, *rest: Any, **more: Any) -> Any:
            if any(change.record_id == bad for change in changes):
                raise ZeroDivisionError
            return apply(db, vault, changes, *rest, **more)

        monkeypatch.setattr(refetching, "apply", poisoned)
        shop.refetch()
        assert shop.marked().keys() == {bad}
        assert all("fresh" in shop.profile(number).own["tags"] for number in others)
