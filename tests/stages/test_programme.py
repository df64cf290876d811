"""The programme of a shop: versions that count from their moment on, set at any time; and what others would do."""

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from onewriter.customers import shops
from onewriter.db.pointtables import accounts, programmes
from onewriter.db.tables import customers
from onewriter.loyalty import entries, forecast, programme
from onewriter.loyalty.programme import lapse_policy, lapse_since
from onewriter.loyalty.programme_toml import BadProgramme, parse
from onewriter.records import DAY, SECOND, Entry, EntryKind, Instant, Path, RunState, sortable_id
from onewriter.rules.earning import UNIT, Programme, Version, in_force
from onewriter.rules.earning import signup as signup_earned
from onewriter.runtime import Runtime
from onewriter.runtime import now as our_clock
from tests.support.importing import begun, importer
from tests.support.joined import joined
from tests.support.shops import Tea, later, told

SIGNUP = 'currency = "GBP"\n[signup]\npoints = 50\n'
ORDERS = 'currency = "GBP"\n[order]\npoints_per_unit = 1\n'
NEITHER = 'currency = "GBP"\n'


def set_rules(tea: Tea, document: str, at: Instant, why: str | None = None) -> Version:
    with tea.runtime.database.write() as db:
        return programme.add(db, shops.by_id(db, tea.shop_id), document, "user:ann", why, at)


def change(tea: Tea, **values: Any) -> None:
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, values)


def known(tea: Tea) -> tuple[Version, ...]:
    with tea.runtime.database.read() as db:
        return programme.versions(db, tea.shop_id)


# ---- Versions -------------------------------------------------------------------------------------------------------


def test_a_shop_has_no_programme_until_one_is_set(tea: Tea) -> None:
    with tea.runtime.database.read() as db:
        assert programme.versions(db, tea.shop_id) == ()
        assert programme.current(db, tea.shop_id) is None
        assert not programme.wants_orders(db, tea.shop_id)
        assert programme.orders_since(db, tea.shop_id) is None


def test_each_setting_is_another_version_from_then_on(tea: Tea, now: Instant) -> None:
    first = set_rules(tea, SIGNUP, now - 700_000, "spring")
    second = set_rules(tea, ORDERS, later(now, 60))
    assert (first.number, first.since) == (1, now), "from the next whole second on, as Shopify's times are whole ones"
    assert (second.number, second.since) == (2, later(now, 60))
    assert known(tea) == (first, second)
    with tea.runtime.database.read() as db:
        assert programme.current(db, tea.shop_id) == second
        one, two = programme.recorded(db, tea.shop_id)
    assert (one.document, one.set_at, one.set_by, one.why) == (SIGNUP, now - 700_000, "user:ann", "spring")
    assert (two.version, two.why) == (second, None)


def test_a_rule_counts_from_its_moment_on_inclusive_and_for_nothing_before(tea: Tea, now: Instant) -> None:
    version = set_rules(tea, SIGNUP, later(now, 60))
    off = set_rules(tea, NEITHER, later(now, 120))
    versions = known(tea)
    assert in_force(versions, version.since - SECOND) is None
    assert in_force(versions, version.since) == version
    assert in_force(versions, off.since - SECOND) == version
    given = [signup_earned(later(now, at), "disabled", now, versions) for at in (59, 60, 119, 120)]
    assert [item and item.points for item in given] == [None, 50, 50, None]


def test_the_same_rules_again_make_no_version(tea: Tea, now: Instant) -> None:
    first = set_rules(tea, SIGNUP, now)
    assert set_rules(tea, "# in other words\n" + SIGNUP, later(now, 60)) == first
    assert known(tea) == (first,)


@pytest.mark.parametrize(("apart_s", "counted_s"), [(0, 0), (2, 0), (-2, 0), (3, 3), (-90, -90)])
def test_the_moment_is_by_shopifys_clock(tea: Tea, now: Instant, apart_s: int, counted_s: int) -> None:
    change(tea, shopify_date=now + apart_s * SECOND, shopify_date_heard=now)
    assert set_rules(tea, SIGNUP, later(now, 600)).since == later(now, 600 + counted_s)


def test_a_version_never_begins_before_the_one_before_it(tea: Tea, now: Instant) -> None:
    first = set_rules(tea, SIGNUP, now)
    second = set_rules(tea, ORDERS, now - DAY)
    assert second.since == first.since
    assert in_force(known(tea), now) == second


def test_another_currency_is_refused_with_the_shops(tea: Tea, now: Instant) -> None:
    change(tea, currency="CHF")
    with pytest.raises(BadProgramme, match=r'^currency must be "CHF", which is the currency of tea\.myshopify\.com\.$'):
        set_rules(tea, SIGNUP, now)
    assert known(tea) == ()


def test_two_who_set_rules_at_once_get_two_numbers(tea: Tea, now: Instant) -> None:
    start, found = threading.Barrier(4), []

    def set_some(points: int) -> None:
        start.wait()
        found.append(set_rules(tea, SIGNUP.replace("50", str(points)), now).number)

    threads = [threading.Thread(target=set_some, args=(points,)) for points in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [version.number for version in known(tea)] == [1, 2, 3, 4]


def test_a_file_that_is_wrong_sets_nothing(tea: Tea, now: Instant) -> None:
    with pytest.raises(BadProgramme):
        set_rules(tea, SIGNUP + "pints = 3\n", now)
    with tea.runtime.database.read() as db:
        assert db.execute(select(programmes)).all() == []


@pytest.mark.req("K11")
def test_rules_are_set_in_the_middle_of_an_import_and_it_goes_on(runtime: Runtime) -> None:
    with joined(runtime, 120) as shop:
        run = begun(shop)
        tea = Tea(runtime, shop.shop_id)
        with runtime.database.read() as db:
            currency = shops.by_id(db, shop.shop_id).currency
        half_way: list[int] = []

        def clock() -> Instant:
            with runtime.database.read() as db:
                there = len(db.execute(select(customers.c.id)).all())
            if there and not half_way:
                half_way.append(there)
                set_from_elsewhere = threading.Thread(target=set_rules, args=(tea, rules, our_clock()))
                set_from_elsewhere.start()
                set_from_elsewhere.join(20)
                assert not set_from_elsewhere.is_alive(), "nobody waits for an import to end"
            return our_clock()

        rules = SIGNUP.replace("GBP", str(currency))
        ended = importer(shop, clock).run(run)
        assert ended.state is RunState.DONE
        assert 0 < half_way[0] < 120
        assert shop.held() == shop.truth()
        [version] = known(tea)
        assert version.rules == parse(rules)
        with runtime.database.read() as db:
            created = db.execute(select(customers.c.created_at)).scalars().all()
            installed = shops.by_id(db, shop.shop_id).installed_at
        earned = [signup_earned(at, "enabled", installed, [version]) for at in created]
        assert earned == [None] * 120, "who was there before the install gets nothing by itself"


# ---- What follows ---------------------------------------------------------------------------------------------------


def test_orders_are_wanted_from_the_first_rule_for_them_on(tea: Tea, now: Instant) -> None:
    set_rules(tea, SIGNUP, now)
    with tea.runtime.database.read() as db:
        assert not programme.wants_orders(db, tea.shop_id)
    set_rules(tea, ORDERS, later(now, 60))
    set_rules(tea, NEITHER, later(now, 120))
    with tea.runtime.database.read() as db:
        assert programme.wants_orders(db, tea.shop_id), "orders of that time still change"
        assert programme.orders_since(db, tea.shop_id) == later(now, 60)
    change(tea, installed_at=later(now, 90))
    with tea.runtime.database.read() as db:
        assert programme.orders_since(db, tea.shop_id) == later(now, 90)


def version_of(number: int, since: Instant, expiry: str) -> Version:
    return Version(number, since, parse(f"{NEITHER}[expiry]\n{expiry}"))


BY_TAG = "inactivity_days = 180\n[expiry.inactivity_by_tag]\nVip = 730\ngold = 365\n"


@pytest.mark.parametrize(
    ("expiry", "tags", "own_days", "policy"),
    [
        ("", (), None, None),
        ("inactivity_days = 180", (), None, 180),
        ("inactivity_days = 180", ("tea",), 30, 30),
        (BY_TAG, ("tea",), None, 180),
        (BY_TAG, ("VIP",), None, 730),
        (BY_TAG, ("gold", "vip"), None, 730),
        (BY_TAG, ("gold",), 900, 900),
        (BY_TAG, ("gold",), 0, None),
        ("[expiry.inactivity_by_tag]\nvip = 90", ("vip",), None, 90),
        ("[expiry.inactivity_by_tag]\nvip = 90", (), None, None),
    ],
)
def test_a_customers_own_days_come_before_a_tags_and_those_before_the_shops(
    expiry: str, tags: tuple[str, ...], own_days: int | None, policy: int | None
) -> None:
    assert lapse_policy([version_of(1, 0, "inactivity_days = 1"), version_of(2, 5, expiry)], tags, own_days) == policy


def test_without_a_programme_only_a_person_can_set_days() -> None:
    assert lapse_policy([], ["vip"], None) is None
    assert lapse_policy([], ["vip"], 30) == 30
    assert lapse_since([], ()) == 0


def test_days_of_inactivity_that_stay_the_same_count_on() -> None:
    rules = ["inactivity_days = 180", "inactivity_days = 90", "inactivity_days = 90\nafter_days = 3", BY_TAG, BY_TAG]
    versions = [version_of(number, number * 10, expiry) for number, expiry in enumerate(rules, 1)]
    assert [lapse_since(versions[:many], ()) for many in range(1, 6)] == [10, 20, 20, 40, 40]


# ---- What others would do -------------------------------------------------------------------------------------------


def entry(customer: bytes, at: Instant, points: int, **given: Any) -> Entry:
    values: dict[str, Any] = {"kind": EntryKind.EARN, "rule": "order", "occurred_at": at, "available_at": at}
    identity = sortable_id(at, os.urandom(10))
    return Entry(id=identity, customer_id=customer, origin_id=customer, points=points, **values | given)


def post(tea: Tea, *fresh: Entry) -> None:
    with tea.runtime.database.write() as db:
        entries.add(db, tea.shop_id, fresh)


def of_order(customer: bytes, number: int, at: Instant, points: int, whole: int, **given: Any) -> Entry:
    given = {"order_id": number, "reference": str(number), "amount": whole * UNIT, "rule_version": 1} | given
    return entry(customer, at, points, **given)


def made(tea: Tea, now: Instant, tags: Mapping[int, Any]) -> dict[int, bytes]:
    """Customers with these tags, made by Shopify an hour before now; None is not known yet."""
    for number, held in tags.items():
        fields = {"first_name": f"C{number}", "email_consent": None} | ({} if held is None else {"tags": held})
        tea.apply(told(number, now, fields, path=Path.READ), now=now)
    profiles = {number: tea.profile(number) for number in tags}
    return {number: each.customer_id for number, each in profiles.items() if each is not None and each.customer_id}


def orders_by(tea: Tea, document: str) -> forecast.Orders:
    with tea.runtime.database.read() as db:
        return forecast.orders(db, tea.shop_id, parse(document), programme.versions(db, tea.shop_id))


def test_orders_are_computed_anew_from_what_they_came_to(tea: Tea, now: Instant) -> None:
    set_rules(tea, ORDERS, now)
    ann, bob, cat = (os.urandom(16) for _ in range(3))
    post(
        tea,
        of_order(ann, 1, now, 20, 20),
        of_order(ann, 2, now + 1, 10, 10),
        of_order(bob, 3, now + 2, 100, 100),
        of_order(cat, 4, now + 3, 1, 1, dropped_by=os.urandom(16)),
        of_order(bob, 5, now + 4, -30, 30, kind=EntryKind.REVERSE),
        entry(cat, now + 5, 50, rule="signup", once_key="signup"),
    )
    found = orders_by(tea, ORDERS.replace("= 1\n", '= "1.5"\nminimum = 15\n'))
    assert (found.computed, found.of, found.then, found.now, found.customers) == (3, 3, 130, 180, 1)
    assert found.greatest == (forecast.Difference(bob, 100, 150),), "what ann gains and loses is the same"
    assert len(found.notes) == 2
    off = orders_by(tea, NEITHER)
    assert (off.then, off.now, off.customers) == (130, 0, 2)
    assert [each.customer for each in off.greatest] == [bob, ann]


def test_a_forecast_of_orders_says_what_it_cannot_tell(tea: Tea, now: Instant) -> None:
    set_rules(tea, ORDERS, now)
    post(tea, of_order(os.urandom(16), 1, now, 20, 20))
    notes = orders_by(tea, ORDERS + 'on = "fulfilled"\namount = "subtotal"\n').notes
    assert any("subtotal cannot be told exactly" in note for note in notes)
    assert any("another moment than when fulfilled" in note for note in notes)


def test_only_the_newest_orders_are_computed_anew(tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "ORDERS_MAX", 3)
    ann = os.urandom(16)
    post(tea, *(of_order(ann, number, now + number, number, number) for number in range(1, 6)))
    found = orders_by(tea, ORDERS)
    assert (found.computed, found.of, found.then, found.now) == (3, 5, 3 + 4 + 5, 12)


def test_who_has_no_points_for_signing_up_is_counted_apart_from_who_was_there_before(tea: Tea, now: Instant) -> None:
    of = made(tea, now, {1: [], 2: [], 3: []})
    change(tea, installed_at=now - 2 * DAY)
    made(tea, now - 3 * DAY, {4: [], 5: []})
    post(tea, entry(of[2], now, 50, rule="signup", once_key="signup"))
    post(tea, entry(of[3], now, 50, rule="signup", once_key="signup", dropped_by=os.urandom(16)))
    with tea.runtime.database.read() as db:
        shop = shops.by_id(db, tea.shop_id)
        found = forecast.signup(db, shop, parse(SIGNUP))
        assert (found.have, found.without, found.older, found.points_each, found.points) == (1, 2, 2, 50, 100)
        assert found.award_points == 200
        assert set(found.first) == {of[1], of[3]}
        assert replace(found, points_each=0).points == forecast.signup(db, shop, parse(NEITHER)).points == 0
        told_of = forecast.newsletter(db, tea.shop_id, parse(f"{NEITHER}[newsletter]\npoints = 20\n"))
    assert (told_of.have, told_of.without, told_of.points) == (0, 5, 100)


def endings_of(tea: Tea, before: str | None, after: str, now: Instant) -> forecast.Endings:
    old: Programme | None = None if before is None else parse(f"{NEITHER}[expiry]\n{before}")
    with tea.runtime.database.read() as db:
        return forecast.endings(db, tea.shop_id, old, parse(f"{NEITHER}[expiry]\n{after}"), now)


def test_nothing_ends_by_new_days_of_inactivity_before_they_are_over(tea: Tea, now: Instant) -> None:
    rows = [
        {"customer_id": os.urandom(16), "shop_id": tea.shop_id, "balance": balance, "pending": 9, "earned": 9}
        for balance in (5, 0, -3, 7)
    ]
    with tea.runtime.database.write() as db:
        db.execute(insert(accounts), [row | {"changed_at": now} for row in rows])
    found = endings_of(tea, None, "inactivity_days = 180", now)
    assert found == forecast.Endings(2, 12, True, now + 180 * DAY)
    assert endings_of(tea, BY_TAG, BY_TAG + "tea = 30", now).not_before == now + 30 * DAY
    same = endings_of(tea, BY_TAG, "after_days = 3\n" + BY_TAG, now)
    assert (same.inactivity_changes, same.not_before) == (False, None)
    gone = endings_of(tea, BY_TAG, "", now)
    assert (gone.inactivity_changes, gone.not_before) == (True, None)


def test_who_would_be_excluded_is_counted_by_opening_them_if_they_are_few(
    tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tea, now, {1: ["Staff", "tea"], 2: ["tea"], 3: [], 4: None, 5: ["test"]})
    rules = parse(NEITHER + '[exclude]\ntags = ["staff", "TEST"]')
    monkeypatch.setattr(forecast, "CHUNK", 2)
    with tea.runtime.database.read() as db:
        assert forecast.excluded(db, tea.vault, rules) == forecast.Excluded(2, 1)
        assert forecast.excluded(db, tea.vault, parse(NEITHER)) == forecast.Excluded(0)
        monkeypatch.setattr(forecast, "OPENED_MAX", 4)
        assert forecast.excluded(db, tea.vault, rules) == forecast.Excluded(None)


def test_a_forecast_has_it_all_and_changes_nothing(tea: Tea, now: Instant) -> None:
    version = set_rules(tea, SIGNUP, now)
    with tea.runtime.database.read() as db:
        shop = shops.by_id(db, tea.shop_id)
        found = forecast.forecast(db, tea.vault, shop, parse(ORDERS), now)
    assert found.before == version
    assert [each.rule for each in found.changes] == ["order", "signup"]
    assert known(tea) == (version,)
