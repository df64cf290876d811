"""An opt-out told by a system that does not own the consent holds everywhere, before its owner has confirmed it."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from onewriter.customers import parked, questions
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from tests.support.crm import ANN, TABLE, Crm, policy_of
from tests.support.owners import parked_of
from tests.support.shops import later

OPTED_IN = {"state": "subscribed", "level": "single_opt_in", "at": 1}


@dataclass
class Two:
    """A CRM in which people opt out, and an ERP that is told; both hold the consent in the column `tier`."""

    crm: Crm
    erp: Crm

    def pass_time(self) -> None:
        self.crm.moment = self.erp.moment = later(self.crm.moment, 60)

    def cycle(self, system: Crm) -> None:
        self.pass_time()
        system.cycle()

    def opt_out(self) -> None:
        """Ann opts out in the CRM."""
        self.pass_time()
        self.crm.edit(int(self.crm.of(101)["id"]), tier="unsubscribed")
        self.cycle(self.crm)

    def shopify_says(self, state: str) -> Instant:
        self.pass_time()
        self.crm.customer(101, **ANN, email_consent={**OPTED_IN, "state": state, "at": self.crm.moment})
        return self.crm.moment

    @property
    def held(self) -> tuple[str, str]:
        """What both hold of Ann's consent."""
        return self.crm.of(101)["tier"], self.erp.of(101)["tier"]


def policy(owner: str) -> Policy:
    made = policy_of(frozenset())
    maps = {name: each for name, each in made.systems["crm"].items() if name != "custom.tier"}
    maps["email_consent"] = FieldMap(remote="tier", direction=Direction.OUT, transform="consent_state")
    fields = dict(made.fields) | {"email_consent": FieldRule(owner=owner)}
    return replace(made, fields=fields, systems={"crm": maps, "erp": maps})


@pytest.fixture
def two(beside: Crm, tmp_path: Path) -> Two:
    erp = Crm(beside.tea, tmp_path / "erp.db", beside.moment, system="erp")
    erp.sql(TABLE)
    both = Two(beside, erp)
    beside.customer(101, **ANN, email_consent=OPTED_IN)
    beside.connect(policy(SHOPIFY))
    erp.connect()
    for each in (beside, erp):
        both.pass_time()
        each.agree()
    assert both.held == ("subscribed", "subscribed")
    return both


@pytest.mark.req("M22")
def test_everybody_is_told_of_an_opt_out_before_its_owner_has_confirmed_it(two: Two) -> None:
    ann = two.crm.customer(101, **ANN, email_consent=OPTED_IN)
    two.opt_out()
    two.cycle(two.erp)
    assert two.held == ("unsubscribed", "unsubscribed")
    assert two.crm.own(ann)["email_consent"]["state"] == "subscribed", "the owner has said nothing yet"
    # Whatever is read or written meanwhile.
    two.crm.customer(101, **ANN | {"note": "other"}, email_consent=OPTED_IN)
    for each in (two.crm, two.erp):
        two.pass_time()
        each.edit(int(each.of(101)["id"]), remarks="typed")
        two.cycle(each)
    assert two.held == ("unsubscribed", "unsubscribed")
    assert two.crm.marks(SHOPIFY) == ["email_consent"], "proposed once"
    two.shopify_says("unsubscribed")
    for each in (two.crm, two.erp):
        two.cycle(each)
    assert two.held == ("unsubscribed", "unsubscribed")


@pytest.mark.req("M22")
def test_a_record_that_is_made_meanwhile_does_not_say_subscribed(two: Two) -> None:
    two.erp.sql("DELETE FROM people")
    two.crm.sql("DELETE FROM people")
    zoe = {"first_name": "Zoe", "last_name": "Li", "email": "zoe@example.com"}
    two.crm.customer(102, **zoe, email_consent=OPTED_IN)
    two.crm.put(shop_no="102", mail="zoe@example.com", first="Zoe", last="Li", tier="subscribed")
    two.cycle(two.crm)
    two.pass_time()
    two.crm.edit(int(two.crm.of(102)["id"]), tier="unsubscribed")
    two.cycle(two.crm)
    two.cycle(two.erp)
    assert two.erp.of(102)["tier"] == "unsubscribed"


@pytest.mark.req("M22")
def test_whoever_opts_in_again_at_the_owner_is_subscribed_again(two: Two) -> None:
    ann = two.crm.customer(101, **ANN, email_consent=OPTED_IN)
    two.opt_out()
    two.cycle(two.erp)
    two.shopify_says("subscribed")
    for each in (two.crm, two.erp):
        two.cycle(each)
    assert two.held == ("subscribed", "subscribed")
    assert two.crm.own(ann)["email_consent"]["state"] == "subscribed"


@pytest.mark.req("M48")
def test_an_opt_out_that_nobody_can_be_told_of_holds_until_a_person_decides(two: Two) -> None:
    two.crm.set(policy("manual"))
    for each in (two.crm, two.erp):
        two.pass_time()
        each.agree()
    two.opt_out()
    two.cycle(two.erp)
    assert two.held == ("unsubscribed", "unsubscribed")
    [(_system, _way, _field, value)] = parked_of(two.crm.tea)
    assert value["at"] is not None
    with two.crm.tea.runtime.database.write() as db:
        [one] = parked.listed(db, two.crm.tea.shop_id, 10)
        parked.end_one(db, one.id, parked.DROPPED, "user:ben", two.crm.moment)
    two.cycle(two.erp)
    assert two.held == ("unsubscribed", "unsubscribed"), "which is nothing to be written over by itself"


def test_the_first_question_tells_how_many_have_opted_out_there(beside: Crm) -> None:
    beside.customer(101, **ANN, email_consent=OPTED_IN)
    beside.customer(102, first_name="Zoe", last_name="Li", email="zoe@example.com", email_consent=OPTED_IN)
    beside.put(shop_no="101", mail="ann@example.com", first="Ann", last="Lee", tier="unsubscribed")
    beside.put(shop_no="102", mail="zoe@example.com", first="Zoe", last="Li", tier="subscribed")
    beside.connect(policy(SHOPIFY))
    beside.cycle()
    with beside.tea.runtime.database.read() as db:
        [question] = questions.waiting(db, 10)
    assert "People who have opted out there, and not here: 1 from email; nobody of them is" in question.text
    assert question.evidence["opt_outs"] == {"email_consent": 1}
