"""Watching a shop: subscriptions that are gone are made again, the gap is reconciled, and scopes are followed."""

from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import questions, runs, shops
from onewriter.customers.runs import Run
from onewriter.customers.shops import Shop
from onewriter.db.tables import findings
from onewriter.errors import ShopifyUnreachable, TokenRefused
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.watch import Watch, Watched
from onewriter.records import DAY, HOUR, Delivery, RunState
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.shopify.scopes import topics_allowed
from tests.support.joined import NOBODY, Joined, joined, put_in_inbox

DOOR = NOBODY + DOOR_PATH


def watch(shop: Joined) -> Watched:
    watched = watcher(shop).once(shop.shop_id)
    assert watched is not None
    return watched


def watcher(shop: Joined) -> Watch:
    runtime = shop.runtime
    return Watch(runtime.database, runtime.client, runtime.enqueue, new_run_id, runtime.now)


def row(shop: Joined) -> Shop:
    with shop.runtime.database.read() as db:
        return shops.by_id(db, shop.shop_id)


def found(runtime: Runtime, kind: str = "subscription") -> list[Any]:
    """The findings of a kind, oldest first."""
    with runtime.database.read() as db:
        return list(db.execute(select(findings).where(findings.c.kind == kind).order_by(findings.c.id)))


def reconciles(shop: Joined) -> list[Run]:
    """The full reconciles, newest first."""
    with shop.runtime.database.read() as db:
        return [run for run in runs.newest(db, 100) if run.kind == runs.RECONCILE]


def subscribed(shop: Joined) -> set[str]:
    return {each.topic for each in shop.shop.subscriptions.all() if each.uri == DOOR}


def drop(shop: Joined, *topics: str) -> None:
    """What Shopify does after eight failed deliveries in a row: the subscription is gone, and nobody is told."""
    for topic in topics:
        for each in shop.shop.subscriptions.of(topic):
            shop.shop.subscriptions.drop(each)


def end_reconciles(shop: Joined) -> None:
    with shop.runtime.database.write() as db:
        for run in reconciles(shop):
            if not run.over:
                runs.finish(db, runs.begin(db, run.id, now()), RunState.DONE, None, now())


@pytest.mark.req("K14")
def test_a_healthy_shop_is_looked_at_and_nothing_is_done(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        before = subscribed(shop)
        assert {"customers/create", "customers/update", "customers/delete", "customers/merge"} <= before
        watched = watch(shop)
        assert (watched.report.made, watched.report.refused, watched.run_id) == ((), (), None)
        assert (watched.missing, watched.versions) == ((), ())
        assert subscribed(shop) == before
        looked = row(shop)
        assert looked.checked_at is not None
        assert looked.shopify_date is not None
        assert looked.shopify_date_heard is not None
        assert found(runtime) == []
        assert reconciles(shop) == []


@pytest.mark.req("K14")
def test_missing_subscriptions_are_made_again_reported_once_and_the_gap_is_reconciled(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        watch(shop)
        drop(shop, "customers/update", "customer.tags_added")
        watched = watch(shop)
        assert set(watched.report.made) == {"customers/update", "customer.tags_added"}
        assert subscribed(shop) == set(topics_allowed(row(shop).scopes))
        [report] = found(runtime)
        assert set(report.evidence["topics"]) == {"customers/update", "customer.tags_added"}
        assert "eight failed deliveries" in report.reason
        assert report.healed_at is not None
        [run] = reconciles(shop)
        assert (run.id, run.state, run.requested_by) == (watched.run_id, RunState.QUEUED, "webhook watch")
        assert watch(shop).run_id is None, "once is enough"
        assert len(found(runtime)) == len(reconciles(shop)) == 1


@pytest.mark.req("K14")
def test_all_of_them_gone_are_one_finding(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        all_of_them = subscribed(shop)
        shop.shop.subscriptions.clear()
        assert set(watch(shop).report.made) == subscribed(shop) == all_of_them
        [report] = found(runtime)
        assert set(report.evidence["topics"]) == all_of_them


def test_a_subscription_that_leads_elsewhere_is_not_ours(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        drop(shop, "customers/update")
        shop.shop.subscriptions.create("CUSTOMERS_UPDATE", {"uri": "http://127.0.0.1:9/another"})
        assert watch(shop).report.made == ("customers/update",)
        uris = {each.uri for each in shop.shop.subscriptions.of("customers/update")}
        assert uris == {DOOR, "http://127.0.0.1:9/another"}


@pytest.mark.req("K14")
def test_a_gap_is_kept_in_mind_while_a_full_reconcile_is_under_way(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        with runtime.database.write() as db:
            runs.add(db, "under way", shop.shop_id, runs.RECONCILE, "test", now())
        drop(shop, "customers/delete")
        watched = watch(shop)
        assert (watched.report.made, watched.run_id) == (("customers/delete",), None)
        assert found(runtime)[0].healed_at is None, "what runs may have read past the gap"
        end_reconciles(shop)
        assert watch(shop).run_id is not None
        [report] = found(runtime)
        assert report.healed_at is not None


class Died(BaseException):
    """The process ended here."""


@pytest.mark.req("K14")
def test_who_dies_between_making_and_queuing_leaves_the_gap_to_the_next(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        drop(shop, "customers/delete")

        def die(_db: Any, _run_id: str) -> None:
            raise Died

        dying = Watch(runtime.database, runtime.client, die, new_run_id, runtime.now)
        with pytest.raises(Died):
            dying.once(shop.shop_id)
        assert "customers/delete" in subscribed(shop)
        assert (reconciles(shop), row(shop).checked_at) == ([], None)
        watched = watch(shop)
        assert watched.report.made == ()
        assert watched.run_id is not None, "the gap is not forgotten though nothing is missing any more"
        assert [each.healed_at is not None for each in found(runtime)] == [True]


def test_a_topic_that_shopify_refuses_is_reported_once_and_keeps_no_other_back(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        drop(shop, "customers/update", "app/uninstalled")
        shop.shop.set_faults({"topics_refused": True})
        for _ in range(3):
            watched = watch(shop)
            assert [topic for topic, _ in watched.report.refused] == ["customers/update"]
        assert "app/uninstalled" in subscribed(shop)
        open_ones = [each for each in found(runtime) if each.healed_at is None]
        assert [each.evidence["topics"] for each in open_ones] == [["customers/update"]]
        assert "refuses" in open_ones[0].reason
        end_reconciles(shop)
        shop.shop.set_faults({"topics_refused": False})
        assert watch(shop).run_id is not None
        assert [each for each in found(runtime) if each.healed_at is None] == []


@pytest.mark.req("K14", "K16")
def test_what_happened_while_nobody_was_told_is_found_by_the_reconcile_of_the_gap(runtime: Runtime) -> None:
    with joined(runtime, 12) as shop:
        shop.carry_out()
        shop.follow()
        watch(shop)
        shop.shop.subscriptions.clear()
        first, second, *_ = (number for number in shop.shop.ids if not shop.shop.customers[number].orders)
        shop.shop.add_tags(first, ["gold"])
        shop.shop.delete(second)
        assert shop.hear() == 0, "nobody is told"
        watched = watch(shop)
        assert watched.run_id is not None
        assert shop.carry_out(watched.run_id).state is RunState.DONE
        shop.follow()
        assert shop.held() == shop.truth()


# ---- Scopes ---------------------------------------------------------------------------------------------------------


def asked(runtime: Runtime) -> list[questions.Question]:
    with runtime.database.read() as db:
        return [each for each in questions.waiting(db, 100) if each.kind == "scopes"]


def test_a_required_scope_that_is_gone_is_asked_for_and_its_return_is_reconciled(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        watch(shop)
        shop.shop.set_faults({"scopes": ["read_customer_merge", "read_orders"]})
        watched = watch(shop)
        assert (watched.works, [one.scope for one in watched.missing]) == (False, ["read_customers", "write_customers"])
        assert row(shop).scopes == ("read_customer_merge", "read_orders")
        [question] = asked(runtime)
        assert question.answers.keys() == {"checked"}
        assert "read_customers" in question.text
        watch(shop)
        assert [each.id for each in asked(runtime)] == [question.id], "it is asked once"
        shop.shop.set_faults({"scopes": ["read_customers", "read_customer_merge"]})
        watched = watch(shop)
        assert watched.works
        assert asked(runtime) == [], "what was asked is settled"
        assert watched.run_id is not None, "nothing was delivered while it was missing"


def test_the_question_about_a_scope_is_asked_again_while_it_is_still_missing(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        shop.shop.set_faults({"scopes": []})
        watch(shop)
        [question] = asked(runtime)
        with runtime.database.write() as db:
            questions.answer(db, question.id, "checked", "somebody", None, now())
        assert asked(runtime) == []
        watch(shop)
        assert [each.id for each in asked(runtime)] == [question.id]


@pytest.mark.req("K14")
def test_subscriptions_follow_an_optional_scope_that_comes_and_goes(runtime: Runtime) -> None:
    with joined(runtime, 2, scopes=["read_customers"]) as shop:
        watched = watch(shop)
        assert [(one.scope, one.required) for one in watched.missing] == [
            ("read_customer_merge", False),
            ("read_orders", False),
            ("write_customers", False),
        ]
        assert watched.works
        assert "customers/merge" not in subscribed(shop)
        shop.shop.set_faults({"scopes": ["read_customers", "read_customer_merge"]})
        watched = watch(shop)
        assert watched.report.made == ("customers/merge",)
        assert watched.run_id is not None, "merges of before were only seen as deletions"
        assert row(shop).scopes == ("read_customer_merge", "read_customers")
        [report] = found(runtime)
        assert "granted only now" in report.reason
        shop.shop.set_faults({"scopes": ["read_customers"]})
        drop(shop, "customers/merge")
        watched = watch(shop)
        assert (watched.report.made, watched.report.refused) == ((), ()), "what is not allowed is not asked for"
        assert asked(runtime) == []


def test_scopes_that_change_while_they_are_looked_at_are_looked_at_again(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        watch(shop)

        def client_while_they_change(shop_id: int) -> Any:
            with runtime.database.write() as db:
                shops.change(db, shop_id, {"checked_at": None})
            return runtime.client(shop_id)

        Watch(runtime.database, client_while_they_change, runtime.enqueue, new_run_id, now).once(shop.shop_id)
        assert row(shop).checked_at is None
        watch(shop)
        assert row(shop).checked_at is not None


# ---- Versions -------------------------------------------------------------------------------------------------------


def hear_in(shop: Joined, version: str | None, name: str, ago: int = 0) -> None:
    received = now() - ago
    made = Delivery(shop.shop_id, name, "customers/update", b"{}", received, api_version=version)
    put_in_inbox(shop.runtime, shop.vault, [made])


def test_a_version_of_deliveries_that_is_not_known_to_be_read_is_reported_once(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        for number, version in enumerate(("2026-07", "2026-10", None)):
            hear_in(shop, version, f"known {number}")
        assert watch(shop).versions == ()
        hear_in(shop, "2027-01", "another")
        hear_in(shop, "2025-01", "old", ago=3 * DAY)
        for _ in range(2):
            assert watch(shop).versions == ("2027-01",)
        [report] = found(runtime, "api version")
        assert report.evidence == {"version": "2027-01"}
        assert report.healed_at is None


def test_a_finding_about_a_version_is_healed_when_it_is_not_seen_any_more(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        hear_in(shop, "2025-01", "old")
        watch(shop)
        later = Watch(runtime.database, runtime.client, runtime.enqueue, new_run_id, lambda: now() + DAY + HOUR)
        later.once(shop.shop_id)
        # What was seen since the last look still counts, however long ago that is.
        later.once(shop.shop_id)
        assert [each.healed_at is not None for each in found(runtime, "api version")] == [True]


def test_the_version_that_the_app_asks_for_counts_before_anything_is_delivered(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with joined(runtime, 1) as shop:
        monkeypatch.setattr("onewriter.sandbox.reads.API_VERSION", "2025-10")
        assert watch(shop).versions == ("2025-10",)
        assert [each.evidence["version"] for each in found(runtime, "api version")] == ["2025-10"]


# ---- Shops that cannot be asked -------------------------------------------------------------------------------------


def test_a_shop_that_is_disconnected_is_passed_over(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        with runtime.database.write() as db:
            shops.disconnect(db, shop.shop_id, now())
        shop.shop.subscriptions.clear()
        assert watcher(shop).once(shop.shop_id) is None
        assert subscribed(shop) == set()


@pytest.mark.parametrize(
    ("faults", "error"), [({"token_revoked": True}, TokenRefused), ({"server_errors": 1.0}, ShopifyUnreachable)]
)
def test_a_shop_that_cannot_be_asked_is_not_looked_at(
    runtime: Runtime, faults: dict[str, Any], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with joined(runtime, 1) as shop:
        monkeypatch.setattr(runtime.client(shop.shop_id), "sleep", lambda _seconds: None)
        shop.shop.set_faults(faults)
        with pytest.raises(error):
            watch(shop)
        assert row(shop).checked_at is None
