"""The policy of a shop: every version is kept, two people at once are told apart, and what is wrong is never set."""

from dataclasses import replace

import pytest

from onewriter.customers import policies, systems
from onewriter.customers.policies import PolicyMoved
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.ownership import with_owner
from onewriter.rules.policy import MANUAL, Direction, FieldMap, Policy, of_shopify
from onewriter.rules.policy_check import RemoteFact
from onewriter.rules.policy_toml import BadPolicy
from tests.support.shops import Tea, later

DISCOVERED = {
    "fields": [{"name": "mobile", "type": "text", "writable": True, "clearable": True, "max_length": 20}],
    "capabilities": {"cursor": "field"},
}


def held(tea: Tea) -> Policy:
    with tea.runtime.database.read() as db:
        return policies.of_shop(db, tea.shop_id)


def saved(tea: Tea, policy: Policy, at: Instant, by: str = "user:ann", why: str | None = None) -> Policy:
    with tea.runtime.database.write() as db:
        return policies.save(db, tea.shop_id, policy, by, why, at)


def connect(tea: Tea, at: Instant) -> None:
    """Write a system called crm down, which has told what it holds."""
    columns = {"kind": "odoo", "state": "active", "box": b"", "creates": False, "full_hours": 24, "allowed": {}}
    told = {"agreed_version": 0, "added_at": at, "added_by": "user:ann", "changed_at": at, "discovered": DISCOVERED}
    with tea.runtime.database.write() as db:
        systems.add(db, tea.shop_id, "crm", columns | told)


def with_phone(policy: Policy, *, remote: str = "mobile", most: int = 20) -> Policy:
    each = FieldMap(remote=remote, direction=Direction.OUT, transform="e164", max_length=most)
    return replace(policy, systems={"crm": {"phone": each}})


def test_a_new_shop_has_the_policy_of_shopify_alone(tea: Tea) -> None:
    assert held(tea) == of_shopify(1)
    with tea.runtime.database.read() as db:
        assert policies.problems_of(db, tea.shop_id, held(tea)) == []
        assert policies.of_version(db, tea.shop_id, 0) == policies.of_version(db, tea.shop_id, 9) == Policy()


@pytest.mark.req("M74", "M82")
def test_each_change_is_a_version_with_who_and_why(tea: Tea, now: Instant) -> None:
    second = saved(tea, with_owner(held(tea), "phone", MANUAL), later(now, 5), why="the CRM is wrong too often")
    assert second.version == 2
    assert held(tea) == second
    assert held(tea).owner_of("phone") == MANUAL
    third = saved(tea, with_owner(second, "phone", SHOPIFY), later(now, 9), by="user:ben")
    with tea.runtime.database.read() as db:
        known = policies.history(db, tea.shop_id)
        assert policies.of_version(db, tea.shop_id, 2) == second
    assert [(one.policy.version, one.at, one.set_by, one.why) for one in known] == [
        (1, now, "shop connect", None),
        (2, later(now, 5), "user:ann", "the CRM is wrong too often"),
        (3, later(now, 9), "user:ben", None),
    ]
    assert known[1].policy == second
    assert third.fields == of_shopify().fields


def test_the_same_policy_makes_no_version(tea: Tea, now: Instant) -> None:
    assert saved(tea, held(tea), now).version == 1
    with tea.runtime.database.read() as db:
        assert len(policies.history(db, tea.shop_id)) == 1


def test_of_two_people_at_once_the_later_is_told(tea: Tea, now: Instant) -> None:
    base = held(tea)
    saved(tea, with_owner(base, "phone", MANUAL), now)
    with pytest.raises(PolicyMoved) as refused:
        saved(tea, with_owner(base, "note", MANUAL), now)
    assert str(refused.value) == (
        "The policy is of version 2 by now and this was made from version 1; "
        "look at it again with `onewriter fields show`."
    )
    assert held(tea).owner_of("note") == SHOPIFY


@pytest.mark.req("M12", "M19")
def test_a_policy_with_an_error_is_never_set(tea: Tea, now: Instant) -> None:
    base = held(tea)
    unwritten = replace(base, fields={name: rule for name, rule in base.fields.items() if name != "sms_consent"})
    with pytest.raises(BadPolicy) as refused:
        saved(tea, unwritten, now)
    assert "Who owns sms_consent is not written down" in str(refused.value)
    both = replace(base, systems={"crm": {"phone": FieldMap(remote="mobile", direction=Direction.BOTH)}})
    connect(tea, now)
    with pytest.raises(BadPolicy) as refused:
        saved(tea, both, now)
    assert "phone has one writer, shopify, so crm cannot be a second one" in str(refused.value)
    assert held(tea) == base


def test_what_a_system_told_of_itself_is_held_against_the_policy(tea: Tea, now: Instant) -> None:
    base = held(tea)
    with pytest.raises(BadPolicy) as refused:
        saved(tea, with_phone(base), now)
    assert "crm is no connected system" in str(refused.value)
    connect(tea, now)
    with tea.runtime.database.read() as db:
        known = policies.facts_of(db, tea.shop_id)
    assert known["crm"].fields == {"mobile": RemoteFact(name="mobile", max_length=20)}
    assert known[SHOPIFY].fields is None
    with pytest.raises(BadPolicy) as refused:
        saved(tea, with_phone(base, remote="cell", most=21), now)
    assert "crm has no field cell that we may see" in str(refused.value)
    with pytest.raises(BadPolicy) as refused:
        saved(tea, with_owner(with_phone(base, most=21), "email", "fax"), now)
    assert str(refused.value).endswith(
        " There is 1 more; of a policy in a file, `onewriter fields check FILE` lists all."
    )
    assert saved(tea, with_phone(base), now).version == 2
    assert "phone" in held(tea).goes_out("crm")


def test_saving_a_policy_changes_no_data(tea: Tea, now: Instant) -> None:
    connect(tea, now)
    before = tea.dump()
    saved(tea, with_phone(held(tea)), now)
    assert tea.dump() == before
    with tea.runtime.database.read() as db:
        assert systems.get(db, tea.shop_id, "crm").agreed_version == 0
