"""Writing to Shopify when something breaks, reading it, and the documents: each is valid at Shopify itself."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from graphql import build_client_schema, parse, validate

from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    FieldPatch,
    Record,
    RetryAfter,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.shopify import ShopifyConnector
from onewriter.errors import SystemRefused, SystemUnreachable
from onewriter.rules import policy_toml
from onewriter.sandbox.customer import Metafield
from tests.support.rehearsal import data, error
from tests.support.shopping import (
    NO,
    WANTED,
    Stall,
    held,
    is_write,
    one,
    opened,
    patched,
    somebody,
)

pytestmark = pytest.mark.contract


@pytest.fixture
def stall() -> Stall:
    return opened()


@pytest.fixture
def shopify(stall: Stall) -> ShopifyConnector:
    return stall.connector(*WANTED)


# ---- When something breaks ------------------------------------------------------------------------------------------


def test_an_answer_that_is_lost_is_ambiguous_and_is_not_sent_again(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)

    def lose(body: bytes) -> None:
        if is_write(body):
            raise httpx2.ReadError("canary")

    stall.line.after = lose
    assert isinstance(one(shopify, key, note="x"), Ambiguous)
    assert len(stall.line.writes) == 1
    stall.line.after = lambda body: None
    assert one(shopify, key, note="x") == Unchanged(key)


def test_a_server_error_to_a_write_is_ambiguous_and_the_rest_waits(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(25)]
    stall.line.tampered = lambda body: httpx2.Response(502) if is_write(body) else None
    outcomes = shopify.write([FieldPatch(key=key, set={"note": "x"}) for key in keys])
    assert [type(each) for each in outcomes] == [Ambiguous] * 20 + [RetryAfter] * 5
    assert len(stall.line.writes) == 1


def test_an_error_inside_one_mutation_is_about_that_one_alone(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(3)]
    payload = {"customer": {"note": "x"}, "userErrors": []}

    def play(body: bytes) -> httpx2.Response | None:
        errors = [error("INTERNAL_SERVER_ERROR", "s1")]
        return data(s0=payload, s1=None, s2=payload, errors=errors) if is_write(body) else None

    stall.line.tampered = play
    outcomes = shopify.write([FieldPatch(key=key, set={"note": "x"}) for key in keys])
    assert [type(each) for each in outcomes] == [Applied, Ambiguous, Applied]


def test_the_second_patch_of_a_customer_is_not_compared_with_what_the_first_one_changed(
    stall: Stall, shopify: ShopifyConnector
) -> None:
    key = somebody(stall, tags=["vip:old"])
    values: tuple[dict[str, Any], ...] = (
        {"note": "x", "tags[vip:*]": ["vip:new"]},
        {"note": "y", "tags[vip:*]": ["vip:old"]},
    )
    outcomes = shopify.write([FieldPatch(key=key, set=each) for each in values])
    assert [type(each) for each in outcomes] == [Applied, Applied]
    assert (held(stall, key).note, held(stall, key).tags) == ("y", ("vip:old",))


def test_what_was_written_before_the_second_patch_of_a_customer_fails_is_told(
    stall: Stall, shopify: ShopifyConnector
) -> None:
    key = somebody(stall)
    stall.line.tampered = lambda body: httpx2.Response(401) if stall.line.writes and not is_write(body) else None
    outcomes = shopify.write([FieldPatch(key=key, set={"note": note}) for note in ("x", "y")])
    assert [type(each) for each in outcomes] == [Applied, RetryAfter]
    assert held(stall, key).note == "x"


@pytest.mark.parametrize("told", [[], None])
def test_a_metafield_that_the_answer_leaves_out_is_ambiguous(
    stall: Stall, shopify: ShopifyConnector, told: list[Any] | None
) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(2)]
    left_out = data(s0={"metafields": told, "userErrors": []})
    stall.line.tampered = lambda body: left_out if is_write(body) else None
    outcomes = shopify.write([FieldPatch(key=key, set={"points": 3}) for key in keys])
    assert [type(each) for each in outcomes] == [Ambiguous, Ambiguous]


def test_a_write_without_a_payload_is_not_refused_for_the_error_of_another(
    stall: Stall, shopify: ShopifyConnector
) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(2)]
    payload = {"customer": {"note": "x"}, "userErrors": []}
    answer = data(s0=payload, s1=None, errors=[error("BAD_REQUEST", "s0", "customer")])
    stall.line.tampered = lambda body: answer if is_write(body) else None
    outcomes = shopify.write([FieldPatch(key=key, set={"note": "x"}) for key in keys])
    assert [type(each) for each in outcomes] == [Applied, Ambiguous]


def test_a_long_throttle_is_told_with_its_time(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(25)]
    throttled = httpx2.Response(429, headers={"Retry-After": "300"})
    stall.line.tampered = lambda body: throttled if len(stall.line.writes) > 1 else None
    outcomes = shopify.write([FieldPatch(key=key, set={"note": "x"}) for key in keys])
    assert [type(each) for each in outcomes[:20]] == [Applied] * 20
    assert outcomes[20:] == [RetryAfter(300.0)] * 5


def test_a_document_that_costs_too_much_is_made_smaller(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(12)]
    stall.shop.set_faults({"cost_query_limit": 50})
    outcomes = shopify.write([FieldPatch(key=key, set={"note": "x"}) for key in keys])
    assert all(isinstance(each, Applied) for each in outcomes)
    assert {held(stall, key).note for key in keys} == {"x"}


def test_the_cost_budget_is_kept(shopify: ShopifyConnector, stall: Stall) -> None:
    stall.shop.set_faults({"cost_maximum": 1000.0, "cost_restore": 20.0})
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(60)]
    for note in ("x", "y"):
        outcomes = shopify.write([FieldPatch(key=key, set={"note": note}) for key in keys])
        assert all(isinstance(each, Applied) for each in outcomes)
    assert sum(stall.slept) > 10


def test_what_concerns_the_whole_call_is_raised(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    with pytest.raises(SystemRefused, match="by their id only, not by email"):
        list(shopify.read_keys(["x"], by="email"))
    stall.line.tampered = lambda body: httpx2.Response(502)
    with pytest.raises(SystemUnreachable):
        one(shopify, key, note="x")
    stall.line.tampered = lambda body: httpx2.Response(401)
    with pytest.raises(SystemRefused):
        one(shopify, key, note="x")


# ---- Reading --------------------------------------------------------------------------------------------------------


def test_only_what_is_wanted_is_asked_for(stall: Stall) -> None:
    key = somebody(stall)
    narrow = stall.connector("note", "points")
    assert [record.fields for record in narrow.read_keys([key])] == [{"note": None, "points": None}]
    assert not re.search(rb"firstName|EmailAddress|addresses|tags|Phone", b"".join(stall.line.seen))


def test_a_reading_goes_on_from_its_state(stall: Stall, shopify: ShopifyConnector) -> None:
    *records, state = shopify.read(None)
    assert isinstance(state, State)
    assert {each.id for each in records if isinstance(each, Record)} == {str(number) for number in stall.shop.ids}
    key = somebody(stall)
    *records, _state = shopify.read(state)
    assert [each.id for each in records if isinstance(each, Record)] == [key]


# ---- The documents, at Shopify --------------------------------------------------------------------------------------


def test_every_document_that_was_sent_is_valid_at_shopify(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    filled: dict[str, Any] = {
        "first_name": "Bea",
        "email": "b@example.com",
        "phone": "+12025550144",
        "note": "n",
        "locale": "fr",
    }
    filled |= {"tags": ["x"], "tags[vip:*]": [], "addresses": [{"city": "Oslo"}], "points": 3, "custom.birthday": "d"}
    filled |= {"email_consent": NO, "sms_consent": NO, "whatsapp_consent": NO}
    assert isinstance(patched(shopify, key, filled), Applied)
    assert isinstance(one(shopify, key, points=4, clear=["custom.birthday"]), Applied)
    list(shopify.read(None))
    shopify.check()
    sent = {json.loads(body)["query"] for body in stall.line.seen}
    mutations = set(re.findall(r"s\d+: (\w+)\(", " ".join(sent)))
    assert mutations == {
        *("customerUpdate", "metafieldsSet", "metafieldsDelete", "tagsAdd", "tagsRemove"),
        *(f"customer{channel}MarketingConsentUpdate" for channel in ("Email", "Sms", "WhatsApp")),
    }
    for version in ("2026-07", "2026-10"):
        real = build_client_schema(_introspection(version), assume_valid=True)
        assert {text: problems for text in sent if (problems := validate(real, parse(text)))} == {}


def _introspection(version: str) -> Any:
    """The real schema; tools/ is no package, so that the module is loaded from its file."""
    path = Path(__file__).resolve().parents[2] / "tools" / "schema.py"
    spec = importlib.util.spec_from_file_location("schema_tool", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.fetch()
    except module.Unavailable as error:
        pytest.skip(f"the real Admin schema is not available: {error}")
    return module.introspection(version)


def test_no_value_is_in_a_message(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    values: dict[str, Any] = {"email": "kanarie", "phone": "kanarie", "note": "kanarie" * 900, "tags": ["kanarie,"]}
    for name, value in values.items():
        assert "kanarie" not in repr(patched(shopify, key, {name: value}))
    assert Metafield.__name__ not in repr(shopify)


def test_the_example_of_the_page_works(stall: Stall) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "systems" / "shopify.md").read_text(encoding="utf-8")
    [written] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    policy = policy_toml.parse(written)
    out = policy.goes_out("shopify")
    assert out == {"phone", "tags[crm:*]", "points"}
    connector = ShopifyConnector(stall.client, Wanted(tuple(out), tuple(out)), namespaces=policy.namespaces)
    assert connector.check() == []
    key = somebody(stall)
    given = {"phone": "+12025550199", "tags[crm:*]": ["crm:gold"], "points": 12}
    assert isinstance(patched(connector, key, given), Applied)
