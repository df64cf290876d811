"""Writing back to Shopify what others own: a CRM, Shopify, and everything between them as it really runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onewriter.customers import log, parked, pending, runs, systems
from onewriter.customers.runs import Run
from onewriter.loyalty import points
from onewriter.records import SECOND, SHOPIFY, RunState
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from onewriter.runtime import Runtime, now
from onewriter.workflows import cycling
from tests.support.crm import CRM, TABLE, Crm, policy_of
from tests.support.joined import Joined, joined
from tests.support.marked import of_system

TIER = "custom.tier"
OWNED = frozenset({TIER, "note"})


def policy(**fields: FieldRule) -> Policy:
    """The CRM owns the note, a custom attribute and the tags that begin with vip:, and Shopify is told of all three."""
    made = policy_of(OWNED)
    owners = dict(made.fields) | {"tags[vip:*]": FieldRule(owner=CRM)} | fields
    tags = FieldMap(remote="labels", direction=Direction.IN, transform="joined", options={"separator": ","})
    shopify = {
        "custom.tier": FieldMap(remote="custom.tier", direction=Direction.OUT),
        "points": FieldMap(remote="points", direction=Direction.OUT),
    }
    return replace(made, fields=owners, systems={CRM: {**made.systems[CRM], "tags[vip:*]": tags}, SHOPIFY: shopify})


@contextmanager
def beside(runtime: Runtime, folder: Path, many: int = 3) -> Iterator[tuple[Joined, Crm]]:
    with joined(runtime, many) as shop:
        shop.carry_out()
        crm = Crm(shop, folder / "crm.db", now())  # type: ignore[arg-type]
        crm.sql(TABLE)
        crm.connect(policy())
        assert crm.agree().state is RunState.DONE
        yield shop, crm


def all_runs(runtime: Runtime) -> list[Run]:
    with runtime.database.read() as db:
        return runs.newest(db, 100)


def write_back(crm: Crm) -> Any:
    """A cycle of Shopify, with the answer that its first one asks for."""
    to_shopify = replace(crm, system=SHOPIFY, moment=now())
    run = to_shopify.cycle()
    if run.state is RunState.PARTIAL:
        to_shopify.answer("go on")
        run = to_shopify.cycle()
    return run


def truth(shop: Joined, number: int) -> Any:
    return next(each for each in shop.shop.snapshot() if each.id == number)


@pytest.mark.req("M22", "K22")
def test_what_the_crm_owns_reaches_shopify_and_its_echo_is_no_edit(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        number = shop.shop.ids[0]
        shop.shop.add_tags(number, ["loves tea"])
        shop.follow()
        tags = set(truth(shop, number).tags)
        crm.edit(int(crm.of(number)["id"]), remarks="by the CRM", tier="gold", labels="vip:gold,vip:2026")
        assert crm.cycle().state is RunState.DONE
        run = write_back(crm)
        assert (run.state, run.reason) == (RunState.DONE, None)
        there = truth(shop, number)
        assert (there.note, set(there.tags)) == ("by the CRM", tags | {"vip:gold", "vip:2026"})
        assert {(each.namespace, each.key): each.value for each in there.metafields}["custom", "tier"] == "gold"
        shop.follow()
        with runtime.database.read() as db:
            assert parked.listed(db, shop.shop_id, 10) == []
            assert of_system(db, shop.shop_id, SHOPIFY) == []
        assert write_back(crm).checkpoint["wrote"] == {"in": {}, "out": {}}


@pytest.mark.req("M22", "M13")
def test_an_edit_in_shopify_of_what_the_crm_owns_is_refused_parked_and_put_right(
    runtime: Runtime, tmp_path: Path
) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        number = shop.shop.ids[0]
        crm.edit(int(crm.of(number)["id"]), remarks="by the CRM", labels="vip:gold")
        crm.cycle()
        write_back(crm)
        shop.follow()
        shop.shop.update(number, note="by Shopify", first_name="Anew")
        shop.shop.remove_tags(number, ["vip:gold"])
        shop.shop.add_tags(number, ["vip:fake", "new"])
        shop.follow()
        with runtime.database.read() as db:
            waiting = {(each.system, each.field, each.reason) for each in parked.listed(db, shop.shop_id, 10)}
        assert waiting == {(SHOPIFY, "note", "owned by crm"), (SHOPIFY, "tags[vip:*]", "owned by crm")}
        assert write_back(crm).state is RunState.DONE
        there = truth(shop, number)
        assert (there.note, there.first_name) == ("by the CRM", "Anew")
        assert {tag for tag in there.tags if tag.startswith("vip:")} == {"vip:gold"}
        assert "new" in there.tags, "the other tags are Shopify's"
        assert crm.cycle().state is RunState.DONE
        assert crm.of(number)["first"] == "Anew"


def test_points_stand_in_shopify_as_a_metafield(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        number = shop.shop.ids[0]
        customer = shop.profile(number).customer_id
        assert customer is not None
        with runtime.database.write() as db:
            points.adjust(db, shop.vault, customer, 120, "a gift", "user:test", now())
        assert write_back(crm).state is RunState.DONE
        fields = {each.key: (each.namespace, each.value) for each in truth(shop, number).metafields}
        assert fields["points"] == ("app--1--onewriter", "120"), "in the namespace that no other app can write"
        with runtime.database.write() as db:
            points.adjust(db, shop.vault, customer, -20, "too many", "user:test", now())
        assert write_back(crm).checkpoint["wrote"]["out"] == {"points": 1}
        assert write_back(crm).checkpoint["wrote"]["out"] == {}


def test_what_shopify_will_not_have_is_parked_in_words(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        one, other = shop.shop.ids[:2]
        taken = next(each.email for each in shop.shop.snapshot() if each.id == other)
        crm.set(replace(policy(email=FieldRule(owner=CRM)), systems=_owning_email(policy())))
        assert crm.agree().state is RunState.DONE
        crm.edit(int(crm.of(one)["id"]), mail=taken)
        assert crm.cycle().state is RunState.DONE
        assert write_back(crm).state is RunState.DONE
        with runtime.database.read() as db:
            waiting = [each for each in parked.listed(db, shop.shop_id, 10) if each.system == SHOPIFY]
            assert [(each.field, each.direction) for each in waiting] == [("email", "out")]
            assert "taken" in waiting[0].reason.lower() or "another customer" in waiting[0].reason.lower()
        assert write_back(crm).checkpoint["wrote"] == {"in": {}, "out": {}}


def _owning_email(made: Policy) -> dict[str, dict[str, FieldMap]]:
    systems = {name: dict(maps) for name, maps in made.systems.items()}
    systems[CRM]["email"] = replace(systems[CRM]["email"], direction=Direction.IN)
    return systems


@pytest.mark.req("M22")
def test_a_metafield_that_somebody_edits_in_shopify_is_put_right_and_each_write_is_logged(
    runtime: Runtime, tmp_path: Path
) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        number = shop.shop.ids[0]
        customer = shop.profile(number).customer_id
        assert customer is not None
        crm.edit(int(crm.of(number)["id"]), tier="gold")
        crm.cycle()
        write_back(crm)
        with runtime.database.read() as db:
            lines = log.of_customer(db, customer, 20, "custom.tier")
        assert ("onewriter", SHOPIFY, True) in [(line["writer"], line["system"], line["accepted"]) for line in lines]
        shop.shop.update(number, metafields=[{"namespace": "custom", "key": "tier", "value": "fake"}])
        crm.edit(int(crm.of(number)["id"]), remarks="so that it is looked at")
        crm.cycle()
        write_back(crm)
        with runtime.database.read() as db:
            waiting = [(each.field, each.reason) for each in parked.listed(db, shop.shop_id, 10)]
        assert waiting == [("custom.tier", "owned by crm")]
        write_back(crm)
        fields = {each.key: each.value for each in truth(shop, number).metafields}
        assert fields["tier"] == "gold"


def test_a_policy_that_changes_and_changes_back_leaves_shopifys_own_word(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        number = shop.shop.ids[0]
        write_back(crm)
        crm.set(replace(policy(), fields=dict(policy().fields) | {"last_name": FieldRule(owner=CRM)}))
        shop.shop.update(number, last_name="Newest")
        shop.follow()
        assert shop.profile(number).own["last_name"] != "Newest"
        crm.set(policy())
        with runtime.database.write() as db:
            systems.change(db, shop.shop_id, SHOPIFY, now(), due_at=None)
        assert cycling.queue_due(runtime) >= 1, "nobody has to ask for it"
        [queued] = [run for run in all_runs(runtime) if run.kind == "cycle shopify" and not run.over]
        crm.carry_out(queued.id)
        assert shop.profile(number).own["last_name"] == "Newest"


def resting(shop: Joined) -> int:
    """For how many minutes no cycle of Shopify begins by itself."""
    with shop.runtime.database.read() as db:
        due_at = systems.get(db, shop.shop_id, SHOPIFY).due_at
    return max(0, round(((due_at or 0) - now()) / (60 * SECOND)))


def test_shopify_is_not_asked_again_and_again_while_a_question_waits(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        crm.edit(int(crm.of(shop.shop.ids[0])["id"]), tier="gold")
        crm.cycle()
        to_shopify = replace(crm, system=SHOPIFY, moment=now())
        assert to_shopify.cycle().state is RunState.PARTIAL
        assert (resting(shop), queued_of_shopify(runtime)) == (15, [])
        to_shopify.moment = now()
        to_shopify.answer("go on")
        [queued] = queued_of_shopify(runtime)
        assert crm.carry_out(queued.id).state is RunState.DONE
        assert resting(shop) == 0, "what changes next is told within seconds"
        shop.shop.set_faults({"scopes": ["read_customers"]})
        assert to_shopify.cycle().state is RunState.FAILED
        assert resting(shop) == 15


def test_that_nothing_is_to_be_written_yet_agrees_to_nothing_that_is_written_later(
    runtime: Runtime, tmp_path: Path
) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        made = policy()
        crm.set(replace(made, systems={**made.systems, SHOPIFY: {TIER: made.systems[SHOPIFY][TIER]}}))
        assert crm.agree().state is RunState.DONE
        [looked] = queued_of_shopify(runtime)
        assert crm.carry_out(looked.id).state is RunState.DONE
        assert queued_of_shopify(runtime) == [], "it was looked at, and there was nothing to write"
        crm.edit(int(crm.of(shop.shop.ids[0])["id"]), tier="gold")
        crm.cycle()
        with runtime.database.write() as db:
            systems.change(db, shop.shop_id, SHOPIFY, now(), due_at=None)
        [first] = queued_of_shopify(runtime)
        assert crm.carry_out(first.id).state is RunState.PARTIAL, "the first value that others own asks"
        assert {each.value for each in truth(shop, shop.shop.ids[0]).metafields if each.key == "tier"} == set()


def test_shopify_is_not_looked_at_again_and_again_while_it_has_no_customers(runtime: Runtime) -> None:
    with joined(runtime, 0) as shop:
        shop.carry_out()
        crm = Crm(shop, Path("none"), now(), system=SHOPIFY)  # type: ignore[arg-type]
        crm.set(policy())
        [queued] = queued_of_shopify(runtime)
        assert crm.carry_out(queued.id).state is RunState.DONE
        assert (resting(shop), queued_of_shopify(runtime)) == (15, [])


def test_a_value_that_does_not_get_through_keeps_no_other_waiting(runtime: Runtime, tmp_path: Path) -> None:
    with beside(runtime, tmp_path) as (shop, crm):
        one, other = shop.shop.ids[:2]
        write_back(crm)
        crm.edit(int(crm.of(one)["id"]), tier="gold")
        crm.cycle()
        with runtime.database.write() as db:
            stuck = of_system(db, shop.shop_id, SHOPIFY)
            pending.move(db, shop.shop_id, SHOPIFY, stuck, pending.WAITING, now() + 5 * SECOND, tried=True)
        assert replace(crm, system=SHOPIFY, moment=now()).cycle().state is RunState.PARTIAL
        assert resting(shop) == 0
        with runtime.database.read() as db:
            assert not pending.has_any(db, shop.shop_id, SHOPIFY, now() + 600 * SECOND)
        crm.edit(int(crm.of(other)["id"]), tier="silver")
        crm.cycle()
        with runtime.database.read() as db:
            assert pending.has_any(db, shop.shop_id, SHOPIFY, now())


def queued_of_shopify(runtime: Runtime) -> list[Run]:
    """The cycles of Shopify that wait to be carried out, once the clock has had its turn."""
    cycling.queue_due(runtime)
    return [run for run in all_runs(runtime) if run.kind == "cycle shopify" and not run.over]
