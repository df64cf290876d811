"""The recipes of vendors against servers that hold every request to the vendors' published descriptions.

Such a recipe is spec-checked: nothing here was tried on a vendor itself.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from onewriter.connectors import conformance
from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    FieldPatch,
    Record,
    Rejected,
    RetryAfter,
    State,
    Wanted,
)
from onewriter.connectors.rest import RestSystem
from onewriter.connectors.rest_recipe import load
from onewriter.errors import SystemChanged, SystemThrottled
from tests.support.example_crm import ExampleCrm
from tests.support.rest_wire import RestStage, RestWire
from tests.support.vendor_bench import SETTINGS, VendorBench
from tests.support.vendor_forms import HubSpot, Klaviyo, Mailchimp
from tests.support.vendors import POISON, READER, Vendor, serving

pytestmark = pytest.mark.contract

FORMS: dict[str, type[Vendor]] = {"klaviyo": Klaviyo, "hubspot": HubSpot, "mailchimp": Mailchimp, "example": ExampleCrm}
READS_BY_POST = ("/search", "/batch/read")

Opened = tuple[Vendor, RestSystem]


@pytest.fixture
def stage() -> RestStage:
    """The wire to a server."""
    return RestStage(RestWire(lambda asked: asked.method != "GET" and not asked.url.path.endswith(READS_BY_POST)))


@pytest.fixture
def opened(stage: RestStage) -> Iterator[Callable[..., Opened]]:
    """A server of that name, and a system that is open for the fields of its ground."""
    with ExitStack() as stack:

        def opened_one(name: str, *more: str) -> Opened:
            vendor = FORMS[name]()
            fields = (*SETTINGS[name].ground.all, *more)
            url = stack.enter_context(serving(vendor))
            system = stage.kind.open(SETTINGS[name].configured(url) | {"overlap_s": 0}, Wanted(fields, fields))
            stack.callback(system.close)
            return vendor, system

        yield opened_one


@pytest.fixture(params=sorted(FORMS))
def name(request: pytest.FixtureRequest) -> str:
    """Each vendor's name in turn."""
    return str(request.param)


def first_text(name: str) -> str:
    """The text field that a test writes."""
    return SETTINGS[name].ground.texts[0]


def person(name: str, number: int = 1) -> dict[str, object]:
    """Somebody's fields."""
    ground = SETTINGS[name].ground
    return {ground.texts[0]: "Ann", ground.texts[1]: "Lee", str(ground.lookup): f"ann{number}@example.org"}


def read(system: RestSystem, state: State | None = None) -> tuple[list[Record], State]:
    """All that a reading brings, and where it ended."""
    *records, end = system.read(state)
    assert isinstance(end, State)
    return [record for record in records if isinstance(record, Record)], end


def test_every_check_passes_and_nothing_undescribed_is_asked(name: str, stage: RestStage) -> None:
    vendor = FORMS[name]()
    with serving(vendor) as url:
        found = list(conformance.run(stage.kind, SETTINGS[name].configured(url), VendorBench(vendor, stage)))
    assert [result for result in found if result.verdict == "failed"] == []
    assert len([result for result in found if result.verdict == "passed"]) >= 28
    assert vendor.complaints == []


def test_a_whole_shop_is_read_page_by_page(name: str, opened: Callable[..., Opened]) -> None:
    vendor, system = opened(name)
    made = {vendor.add(person(name, number)) for number in range(1203 if name == "mailchimp" else 205)}
    records, _ = read(system)
    assert {record.id for record in records} == made
    assert len(records) == len(made)
    assert vendor.complaints == []


def test_the_change_of_the_same_second_is_not_missed(name: str, opened: Callable[..., Opened]) -> None:
    """Klaviyo and Mailchimp give what changed after a second, and HubSpot what changed in it: all see both changes."""
    vendor, system = opened(name)
    mine = vendor.add(person(name))
    _, state = read(system)
    vendor.people[mine].fields[first_text(name)] = "Anna"
    records, _ = read(system, state)
    assert [record.fields[first_text(name)] for record in records] == ["Anna"]


def test_what_did_not_change_is_not_read_again(name: str, opened: Callable[..., Opened]) -> None:
    vendor, system = opened(name)
    old = vendor.add(person(name, 1))
    vendor.people[old].updated = vendor.people[old].created = vendor.now() - timedelta(hours=1)
    new = vendor.add(person(name, 2))
    _, state = read(system)
    assert [record.id for record in read(system, state)[0]] == [new]


def test_an_omitted_field_stays_and_a_cleared_one_goes(name: str, opened: Callable[..., Opened]) -> None:
    vendor, system = opened(name)
    mine = vendor.add(person(name))
    first, second, *_ = SETTINGS[name].ground.texts
    (outcome,) = system.write([FieldPatch(key=mine, clear=(first,))])
    assert isinstance(outcome, Applied)
    assert not vendor.people[mine].fields[first]
    assert vendor.people[mine].fields[second] == "Lee"


def test_a_refusal_names_the_field_and_never_the_value(name: str, opened: Callable[..., Opened]) -> None:
    vendor, system = opened(name)
    mine = vendor.add(person(name))
    first, second, *_ = SETTINGS[name].ground.texts
    (outcome,) = system.write([FieldPatch(key=mine, set={first: "Anna", second: f"{POISON} value"})])
    assert outcome == Rejected(second, "the system does not take the value")


def test_a_second_of_one_address_is_told(opened: Callable[..., Opened]) -> None:
    vendor, system = opened("hubspot")
    vendor.add(person("hubspot"))
    (outcome,) = system.write([FieldPatch(key=None, set={"email": "ann1@example.org"})])
    assert outcome == Rejected("email", "another record has that value already")


def test_pauses_are_kept_or_handed_on(name: str, opened: Callable[..., Opened], stage: RestStage) -> None:
    vendor, system = opened(name)
    mine = vendor.add(person(name))
    vendor.instead = [(429, {}, {"Retry-After": "3"})]
    read(system)
    assert 3.0 in stage.pauses, "a short pause of a reading is kept"
    vendor.instead = [(429, {}, {"Retry-After": "240"})]
    with pytest.raises(SystemThrottled) as raised:
        read(system)
    assert raised.value.retry_after_s == 240
    vendor.instead = [(429, {}, {"Retry-After": "240"})]
    patch = FieldPatch(key=mine, set={first_text(name): "Anna"})
    assert system.write([patch]) == [RetryAfter(240.0)]
    assert vendor.people[mine].fields[first_text(name)] == "Ann"


def test_a_failure_after_the_commit_is_ambiguous_and_sent_once(name: str, opened: Callable[..., Opened]) -> None:
    vendor, system = opened(name)
    vendor.fail_after_commit = True
    (outcome,) = system.write([FieldPatch(key=None, set=person(name))])
    assert isinstance(outcome, Ambiguous)
    assert len(vendor.people) == 1
    assert len([asked for asked in vendor.asked if vendor.writes(asked)]) == 1


def test_a_missing_right_to_write_is_told_by_the_outcome(name: str, stage: RestStage) -> None:
    """None of their descriptions says how to ask for it before, so that the check cannot know."""
    vendor = FORMS[name]()
    fields = SETTINGS[name].ground.all
    with serving(vendor) as url:
        system = stage.kind.open(SETTINGS[name].configured(url, READER), Wanted(fields, fields))
        mine = vendor.add(person(name))
        outcomes = system.write([FieldPatch(key=mine, set={first_text(name): "Anna"})])
        system.close()
    assert outcomes == [Rejected(None, "the credentials do not have the right to write it")]


def test_hubspot_writes_a_batch_and_tells_each_outcome(opened: Callable[..., Opened]) -> None:
    vendor, system = opened("hubspot")
    made = [vendor.add(person("hubspot", number)) for number in range(100)]
    gone = made[7]
    del vendor.people[gone]
    outcomes = system.write([FieldPatch(key=each, set={"firstname": "Anna"}) for each in made])
    assert outcomes[7] == Conflict(gone, gone=True)
    assert all(isinstance(each, Applied) for each in (*outcomes[:7], *outcomes[8:]))
    assert len([asked for asked in vendor.asked if vendor.writes(asked)]) == 1


def test_one_bad_value_does_not_keep_a_batch_from_being_written(opened: Callable[..., Opened]) -> None:
    """HubSpot refuses a whole batch for one value, so that each is sent by itself then."""
    vendor, system = opened("hubspot")
    made = [vendor.add(person("hubspot", number)) for number in range(3)]
    values = ("Anna", POISON, "Bea")
    outcomes = system.write([FieldPatch(key=k, set={"firstname": v}) for k, v in zip(made, values, strict=True)])
    assert [type(each) for each in outcomes] == [Applied, Rejected, Applied]
    assert [vendor.people[each].fields["firstname"] for each in made] == ["Anna", "Ann", "Bea"]


def test_a_search_that_ends_early_is_asked_again(
    opened: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HubSpot gives 10,000 records to one search; here it is 200, of which none is missed."""
    vendor, system = opened("hubspot")
    delta = load("hubspot").delta
    assert delta is not None
    assert delta.rows_max == HubSpot.search_max
    monkeypatch.setattr(HubSpot, "search_max", 200)
    monkeypatch.setattr(system._reader, "recipe", _with_rows_max(200))
    made = [vendor.add(person("hubspot", number)) for number in range(450)]
    for number, each in enumerate(made):
        there = vendor.people[each]
        there.updated = there.created = there.updated - timedelta(seconds=1000 - number)
    state = State({"since": int(vendor.people[made[0]].updated.timestamp() * 1_000_000)})
    assert {record.id for record in read(system, state)[0]} == set(made)


def _with_rows_max(number: int) -> object:
    import msgspec

    recipe = load("hubspot")
    assert recipe.delta is not None
    return msgspec.structs.replace(recipe, delta=msgspec.structs.replace(recipe.delta, rows_max=number))


def test_a_property_that_is_gone_stops_the_reading(opened: Callable[..., Opened]) -> None:
    """HubSpot leaves out of its answer what it has not, without a word."""
    vendor, system = opened("hubspot", "properties.tier")
    mine = vendor.add({**person("hubspot"), "properties.tier": "gold"})
    assert read(system)[0][0].fields["properties.tier"] == "gold"
    del vendor.people[mine].fields["properties.tier"]
    with pytest.raises(SystemChanged, match=r"properties\.tier"):
        read(system)
    assert [problem.field for problem in system.check()] == ["properties.tier"]


def test_a_new_mailchimp_member_is_not_subscribed_unasked(opened: Callable[..., Opened]) -> None:
    vendor, system = opened("mailchimp")
    (outcome,) = system.write([FieldPatch(key=None, set=person("mailchimp"))])
    assert isinstance(outcome, Applied)
    assert vendor.people[outcome.id].fields["status"] == "transactional"
    system.write([FieldPatch(key=outcome.id, set={"email_address": "other@example.org"})])
    assert [record.id for record in system.read_keys(["other@example.org"], by="email_address")] == [outcome.id]
    (refused,) = system.write([FieldPatch(key=None, set={"merge_fields.FNAME": "Ann"})])
    assert refused == Rejected("email_address", "a new record needs a value in it")


def test_no_secret_and_no_address_stands_in_an_address_of_hubspot_or_mailchimp(
    opened: Callable[..., Opened], stage: RestStage
) -> None:
    for name in ("hubspot", "mailchimp"):
        vendor, system = opened(name)
        vendor.add(person(name))
        assert len(list(system.read_keys(["ann1@example.org"], by=SETTINGS[name].ground.lookup))) == 1
    assert all("s3cret" not in str(asked.url) and "example.org" not in str(asked.url) for asked in stage.wire.seen)
    assert "s3cret" not in json.dumps([repr(vendor), repr(system)])
