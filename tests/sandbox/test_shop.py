"""The shop without a network: seeds, ids, played days, switches."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Faults, Shop
from onewriter.sandbox.play import Player
from tests.sandbox.stage import Api

Running = Callable[..., Api]


def test_the_same_seed_makes_the_same_shop() -> None:
    assert Shop(200, 3).snapshot() == Shop(200, 3).snapshot()
    assert Shop(200, 3).snapshot() != Shop(200, 4).snapshot()


def test_seeded_customers_are_a_realistic_mess() -> None:
    shop = Shop(3_000, 1)
    records = shop.snapshot()
    emails = [each.email for each in records if each.email]
    phones = [each.phone for each in records if each.phone]
    assert 0.95 < len(emails) / 3_000 < 0.99
    assert 0.55 < len(phones) / 3_000 < 0.65
    assert 0.85 < sum(phone.startswith("+") for phone in phones) / len(phones) < 0.95
    assert all(email.endswith(("@example.com", "@example.org", "@example.net")) for email in emails)
    assert len({email.casefold() for email in emails}) == len(emails)
    assert len(set(phones)) == len(phones)
    assert {len(each.addresses) for each in records} == {0, 1, 2, 3}
    assert any(not (each.first_name or "").isascii() for each in records)
    assert {each.state for each in records} == {"DISABLED", "ENABLED", "INVITED", "DECLINED"}


def test_ids_rise_and_some_need_all_sixty_four_bits() -> None:
    ids = Shop(10, 1).ids
    assert ids == sorted(ids)
    assert min(ids) > 2**31
    assert max(ids) > 2**53
    assert max(ids) < 2**63


def test_a_played_day_is_the_same_for_the_same_seed() -> None:
    def played() -> tuple[dict[str, int], list[tuple[object, ...]]]:
        shop = Shop(50, 5, clock=lambda: 1_800_000_000.0)
        counts = Player(shop).play(300, 0.0)
        return counts, [(each.id, each.email, each.note, each.tags, each.updated_at) for each in shop.snapshot()]

    counts, records = played()
    assert (counts, records) == played()
    assert sum(counts.values()) == 300
    assert counts.keys() >= {"create", "update", "delete", "tags_add", "tags_remove", "email_consent"}


def test_the_indexes_follow_every_write() -> None:
    shop = Shop(50, 5)
    shop.by_update()
    Player(shop).play(400, 0.0)
    records = shop.snapshot()
    assert shop.ids == [each.id for each in records] == sorted(shop.ids)
    assert shop.by_update() == sorted((each.updated_at, each.id) for each in records)
    for each in records:
        if each.email:
            assert shop.find(email=each.email.upper()) == each
        if each.phone:
            assert shop.find(phone=each.phone) == each


def test_two_writes_in_a_second_share_their_time() -> None:
    shop = Shop(5, 1, clock=lambda: 1_800_000_000.9)
    first, second = (shop.update(shop.ids[0], note=note) for note in ("one", "two"))
    assert first.updated_at == second.updated_at == 1_800_000_000


@pytest.mark.parametrize("touch", [True, False])
def test_whether_tags_move_the_time_is_a_switch(touch: bool) -> None:
    shop = Shop(5, 1, faults=Faults(tags_touch=touch), clock=lambda: 1_800_000_000.0)
    before = shop.snapshot()[0]
    assert (shop.add_tags(before.id, ["new"]).updated_at > before.updated_at) is touch


def test_an_unknown_switch_or_a_wrong_value_changes_nothing(running: Running) -> None:
    api = running(1)
    for given in ({"lose": 0.5, "wolves": 1}, {"lose": "often"}, {"stall": 1}):
        assert api.http.post("/_sandbox/faults", json=given).status_code == 400
    assert api.sandbox.shop.faults == Faults()


def test_acts_and_plays_change_the_truth_that_can_be_read(running: Running) -> None:
    api = running(5)
    made = api.control("act", action="create", input={"firstName": "Ann", "email": "ann@example.com"})
    assert (made["first_name"], made["email"]) == ("Ann", "ann@example.com")
    api.control("act", action="enable", id=made["id"])
    api.control("act", action="tags_add", id=str(made["id"]), input={"tags": ["vip"]})
    api.control("act", action="email_consent", id=f"gid://shopify/Customer/{made['id']}", input={"state": "subscribed"})
    truth = {row["id"]: row for row in map(_row, api.http.get("/_sandbox/customers").text.splitlines())}
    found = truth[made["id"]]
    assert (found["state"], found["tags"], found["consents"]["email"]["state"]) == ("ENABLED", ["vip"], "SUBSCRIBED")
    taken = api.http.post("/_sandbox/act", json={"action": "create", "input": {"email": "ANN@example.com"}})
    assert (taken.status_code, taken.json()["errors"][0]["message"]) == (422, "Email has already been taken")
    assert api.http.post("/_sandbox/act", json={"action": "dance", "id": made["id"]}).status_code == 400
    assert sum(api.control("play", events=25, seconds=0.1).values()) == 25


def _row(line: str) -> Any:
    return json.loads(line)


def test_info_is_all_that_an_app_needs(running: Running) -> None:
    api = running(1)
    info = api.http.get("/_sandbox/info").json()
    assert info.keys() == {"domain", "access_token", "client_id", "client_secret", "api_secret", "admin_url"}
    assert info["admin_url"] == api.sandbox.url
