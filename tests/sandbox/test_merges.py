"""Merges: who survives, what becomes of both, when it happens, what stands in the way, and who hears of it."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Merge, Override, Player
from onewriter.sandbox.customer import UNDECIDED, Consent, Customer
from onewriter.sandbox.merging import survivor
from tests.sandbox.stage import Api, Receiver, VirtualShop, subscribe

Running = Callable[..., Api]

MERGE = """mutation Merge($one: ID!, $two: ID!, $override: CustomerMergeOverrideFields) {
  customerMerge(customerOneId: $one, customerTwoId: $two, overrideFields: $override) {
    job { id done } resultingCustomerId userErrors { code field message }
  }
}"""
STATUS = """query Status($id: ID!) {
  customerMergeJobStatus(jobId: $id) {
    jobId status resultingCustomerId customerMergeErrors { errorFields message }
  }
  job(id: $id) { id done }
}"""
TOPICS = ("CUSTOMERS_MERGE", "CUSTOMERS_UPDATE", "CUSTOMERS_DELETE", "CUSTOMER_TAGS_ADDED", "CUSTOMER_TAGS_REMOVED")
STREET = {"address1": "1 Elm Street", "country_code": "CA"}


def gid(number: int) -> str:
    return f"gid://shopify/Customer/{number}"


def record(number: int, email: bool = True, state: str = "DISABLED", consent: str = "NOT_SUBSCRIBED") -> Customer:
    address = f"c{number}@example.com" if email else None
    return Customer(number, 0, 0, email=address, state=state, email_consent=Consent(consent, None, None, None))


@pytest.mark.parametrize(
    ("one", "two", "kept"),
    [
        (record(1), record(2), 2),
        (record(1, email=False), record(2, email=False), 2),
        (record(1), record(2, email=False), 1),
        (record(1, email=False), record(2), 2),
        (record(1), record(2, email=False, state="ENABLED", consent="SUBSCRIBED"), 1),
        (record(1, state="ENABLED"), record(2, state="INVITED", consent="SUBSCRIBED"), 1),
        (record(1, consent="SUBSCRIBED"), record(2, state="ENABLED"), 2),
        (record(1, state="INVITED"), record(2), 1),
        (record(1), record(2, state="INVITED", consent="UNSUBSCRIBED"), 2),
        (record(1, state="INVITED"), record(2, consent="PENDING"), 2),
        (record(1, state="INVITED", consent="PENDING"), record(2, consent="SUBSCRIBED"), 2),
        (record(1, consent="SUBSCRIBED"), record(2, consent="PENDING"), 1),
        (record(1, consent="SUBSCRIBED"), record(2, state="INVITED"), 1),
        (record(1, state="ENABLED"), record(2, state="ENABLED"), 2),
        (record(1, state="ENABLED", consent="PENDING"), record(2, state="ENABLED"), 1),
        (record(1, state="INVITED"), record(2, state="INVITED"), 2),
    ],
)
def test_who_survives_is_shopifys_rule(one: Customer, two: Customer, kept: int) -> None:
    assert survivor(one, two).id == kept
    assert survivor(one, two, Override(email_of=3 - kept)).id == 3 - kept


@pytest.fixture
def pair() -> tuple[VirtualShop, int, int]:
    """A shop with two customers who are one person; the second would be kept."""
    virtual = VirtualShop(3)
    create = virtual.shop.create
    one = create(
        first_name="Bob", email="bob@example.com", phone="+12025550143", note="likes tea", tags=["gold", "Vip"],
        addresses=[STREET], orders=2,
    )  # fmt: skip
    two = create(
        first_name="Robert", email="robert@example.com", note="likes ice", tags=["new", "vip"],
        addresses=[STREET, STREET], orders=1, metafields=[{"namespace": "a", "key": "b", "value": "kept"}],
    )  # fmt: skip
    given = [{"namespace": "a", "key": key, "value": "lost"} for key in ("b", "c")]
    virtual.shop.update(one.id, metafields=given)
    virtual.subscribe(*TOPICS)
    virtual.now += 60.0
    return virtual, one.id, two.id


def test_the_kept_one_takes_over_what_the_other_had(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    lost, before = virtual.shop.customers[one], virtual.shop.customers[two]
    virtual.shop.merge(one, two)
    after = virtual.shop.customers[two]
    assert one not in virtual.shop.customers
    assert (after.first_name, after.email, after.phone) == ("Robert", "robert@example.com", None)
    assert after.tags == ("gold", "new", "vip"), "the kept one's spelling stays"
    assert after.note == "likes ice likes tea"
    assert [each.id for each in after.addresses] == [each.id for each in (*before.addresses, *lost.addresses)]
    assert (after.orders, after.updated_at) == (3, int(virtual.now))
    assert [(each.key, each.value) for each in after.metafields] == [("b", "kept"), ("c", "lost")]
    assert after.metafields[1].id not in {each.id for each in lost.metafields}
    assert virtual.shop.find(email="bob@example.com") is None
    virtual.shop.create(email="bob@example.com", phone="+12025550143")


def test_overrides_choose_field_by_field(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    virtual.shop.consent_to_sms(one, "SUBSCRIBED", "SINGLE_OPT_IN")
    lost = virtual.shop.customers[one]
    override = Override(
        first_name_of=one, phone_of=one, default_address_of=one, last_name_of=two, note="one person", tags=("b", "a")
    )
    virtual.shop.merge(one, two, override=override)
    after = virtual.shop.customers[two]
    assert (after.first_name, after.phone, after.note, after.tags) == ("Bob", lost.phone, "one person", ("a", "b"))
    assert after.addresses[0] == lost.addresses[0]
    assert len(after.addresses) == 3
    assert after.sms_consent == lost.sms_consent != UNDECIDED
    assert virtual.shop.find(phone=lost.phone) == after


def test_the_email_that_is_asked_for_decides_who_is_kept(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    assert virtual.shop.merge(one, two, override_email_of=one).kept == one
    assert virtual.shop.customers[one].email == "bob@example.com"


def test_a_merge_is_accepted_now_and_carried_out_later(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    virtual.shop.set_faults({"merge_seconds": 20.0})
    payload = virtual.data(MERGE, one=gid(one), two=gid(two))["customerMerge"]
    assert (payload["resultingCustomerId"], payload["userErrors"]) == (gid(two), [])
    job = payload["job"]["id"]
    assert payload["job"]["done"] is False
    assert virtual.data(STATUS, id=job)["customerMergeJobStatus"]["status"] == "IN_PROGRESS"
    assert virtual.data("query One($id: ID!) { customer(id: $id) { id } }", id=gid(one))["customer"]
    began = virtual.now
    assert virtual.shop.next_due() == began + 20.0
    virtual.now = began + 500.0
    found = virtual.data(STATUS, id=job)
    assert found["customerMergeJobStatus"] == {
        "jobId": job,
        "status": "COMPLETED",
        "resultingCustomerId": gid(two),
        "customerMergeErrors": [],
    }
    assert found["job"] == {"id": job, "done": True}
    assert virtual.data("query One($id: ID!) { customer(id: $id) { id } }", id=gid(one))["customer"] is None
    assert virtual.shop.customers[two].updated_at == int(began + 20.0), "at its own second, however late we look"
    assert {each.triggered_at for each in virtual.shop.deliveries} == {began + 20.0}


def merged_and_told(virtual: VirtualShop, one: int, two: int) -> tuple[Merge, dict[str, Any]]:
    merge = virtual.shop.merge(one, two)
    virtual.shop.tick()
    told = virtual.told()
    assert len({topic for topic, _ in told}) == len(told)
    return merge, dict(told)


def test_who_listens_hears_of_a_merge_as_shopify_words_it(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    merge, told = merged_and_told(virtual, one, two)
    assert told["customers/merge"] == {
        "admin_graphql_api_customer_kept_id": gid(two),
        "admin_graphql_api_customer_deleted_id": gid(one),
        "admin_graphql_api_job_id": merge.job_id,
        "status": "completed",
        "errors": [],
    }
    assert list(told["customers/merge"]) == [
        *("admin_graphql_api_customer_kept_id", "admin_graphql_api_customer_deleted_id", "admin_graphql_api_job_id"),
        *("status", "errors"),
    ]
    assert (told["customers/update"]["id"], told["customers/update"]["note"]) == (two, "likes ice likes tea")
    assert told["customer.tags_added"]["tags"] == ["gold"]
    assert told["customers/delete"]["id"] == one
    assert told.keys() == {"customers/merge", "customers/update", "customer.tags_added", "customers/delete"}
    assert len({each.event_id for each in virtual.shop.deliveries}) == 1


@pytest.mark.parametrize(
    ("switch", "silent"), [("merge_tells_delete", "customers/delete"), ("merge_tells_update", "customers/update")]
)
def test_what_shopify_does_not_document_can_be_left_out(
    pair: tuple[VirtualShop, int, int], switch: str, silent: str
) -> None:
    virtual, one, two = pair
    virtual.shop.set_faults({switch: False})
    told = merged_and_told(virtual, one, two)[1]
    assert silent not in told
    assert {"customers/merge", "customer.tags_added"} <= told.keys()


def test_a_merge_may_fail_and_then_nothing_has_changed(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    before = virtual.shop.snapshot()
    virtual.shop.set_faults({"merge_fails": True})
    merge, told = merged_and_told(virtual, one, two)
    assert virtual.shop.snapshot() == before
    assert told.keys() == {"customers/merge"}
    body = told["customers/merge"]
    assert (body["status"], body["admin_graphql_api_job_id"]) == ("failed", None)
    assert list(body["errors"][0]) == ["customer_ids", "field", "message"]
    assert body["errors"][0]["customer_ids"] == [one]
    found = virtual.data(STATUS, id=merge.job_id)["customerMergeJobStatus"]
    assert (found["status"], found["customerMergeErrors"][0]["errorFields"]) == ("FAILED", ["SUBSCRIPTIONS"])
    virtual.shop.set_faults({"merge_fails": False})
    assert merged_and_told(virtual, one, two)[0].status == "COMPLETED"


def test_a_merge_fails_if_one_of_the_two_is_gone_when_its_time_comes(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    virtual.shop.update(one, orders=0)
    virtual.sends()
    virtual.shop.set_faults({"merge_seconds": 20.0})
    merge = virtual.shop.merge(one, two)
    virtual.shop.delete(one)
    virtual.now += 20.0
    assert virtual.shop.customers[two].note == "likes ice"
    assert (merge.status, merge.problems[0].field) == ("FAILED", "deleted_at")
    assert {topic for topic, _ in virtual.told()} == {"customers/delete", "customers/merge"}


def blocked(virtual: VirtualShop, one: object, two: object, **override: Any) -> tuple[str, str]:
    payload = virtual.data(
        MERGE, one=f"gid://shopify/Customer/{one}", two=f"gid://shopify/Customer/{two}", override=override
    )
    (error,) = payload["customerMerge"]["userErrors"]
    assert (payload["customerMerge"]["job"], payload["customerMerge"]["resultingCustomerId"]) == (None, None)
    return error["code"], error["message"]


def test_what_cannot_be_merged_is_refused_at_once(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    shop = virtual.shop
    assert blocked(virtual, one, one) == ("INVALID_CUSTOMER_ID", "Customers IDs should not match")
    assert blocked(virtual, one, 12345)[0] == "INVALID_CUSTOMER_ID"
    stranger = gid(shop.ids[0])
    assert blocked(virtual, one, two, customerIdOfEmailToKeep=stranger)[0] == "OVERRIDE_ATTRIBUTE_INVALID"
    bare = shop.create(first_name="Ann").id
    assert blocked(virtual, one, bare, customerIdOfEmailToKeep=gid(bare))[0] == "MISSING_OVERRIDE_ATTRIBUTE"
    shop.set_faults({"merge_blocked": [two]})
    assert blocked(virtual, one, two) == ("INVALID_CUSTOMER", "Robert has gift cards and can't be merged.")
    shop.set_faults({"merge_blocked": [], "merge_seconds": 60.0})
    shop.merge(one, bare)
    assert blocked(virtual, one, two) == ("INVALID_CUSTOMER", "Bob is currently being merged.")


def test_more_tags_or_note_than_a_customer_holds_block_a_merge(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    shop = virtual.shop
    for number, half in ((one, "a"), (two, "b")):
        shop.update(number, tags=[f"{half}{place}" for place in range(126)])
    assert blocked(virtual, one, two) == ("INVALID_CUSTOMER", "Customers must have 250 tags or less.")
    for number in (one, two):
        shop.update(number, note="x" * 2_500, tags=["a"])
    assert "5000" in blocked(virtual, one, two)[1]
    shop.update(one, note="x" * 2_499)
    shop.merge(one, two)
    assert len(shop.customers[two].note or "") == 5_000


def test_merging_needs_scopes_of_its_own(pair: tuple[VirtualShop, int, int]) -> None:
    virtual, one, two = pair
    virtual.shop.set_faults({"scopes": ["write_customers"]})
    for query, given in ((MERGE, {"one": gid(one), "two": gid(two)}), (STATUS, {"id": "gid://shopify/Job/1"})):
        assert virtual.answer(query, **given)["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_merges_are_played_and_leave_the_indexes_right() -> None:
    virtual = VirtualShop(60, 9)
    virtual.shop.by_update()
    player = Player(virtual.shop)
    done = [action for _ in range(400) for action in player.event()]
    assert {"merge", "sms_consent", "whatsapp_consent"} <= set(done)
    records = virtual.shop.snapshot()
    assert virtual.shop.ids == [each.id for each in records]
    assert virtual.shop.by_update() == sorted((each.updated_at, each.id) for each in records)
    for each in records:
        assert each.email is None or virtual.shop.find(email=each.email) == each


def test_a_merge_is_told_over_http_though_nobody_looks(running: Running, receiver: Receiver) -> None:
    api = running(5, merge_seconds=0.1)
    subscribe(api, receiver, "CUSTOMERS_MERGE")
    one, two = api.sandbox.shop.ids[:2]
    merge = api.sandbox.shop.merge(one, two)
    while not receiver.got:
        time.sleep(0.01)
    assert json.loads(receiver.got[0][1])["admin_graphql_api_job_id"] == merge.job_id


def test_a_merge_can_be_acted(running: Running) -> None:
    api = running(5)
    one, two = api.sandbox.shop.ids[:2]
    kept = api.control("act", action="merge", id=one, input={"with": gid(two)})
    assert kept["id"] in (one, two)
    assert len(api.sandbox.shop.customers) == 4
    refused = api.http.post("/_sandbox/act", json={"action": "merge", "id": kept["id"], "input": {"with": kept["id"]}})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "INVALID_CUSTOMER_ID")
