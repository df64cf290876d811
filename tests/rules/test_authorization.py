"""What is asked for a token and what the answers mean: addresses, signatures, lifetimes, secrets that were replaced."""

from dataclasses import fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.errors import TokenRefused
from onewriter.records import DAY, SECOND, Instant
from onewriter.shopify import auth
from onewriter.shopify.auth import Asked, CallbackRefused, Credentials, GrantRefused

ASKED = Asked(
    client_id="app",
    client_secret="secret_canary",
    api_secrets=("secret_canary",),
    admin_url="https://tea.myshopify.com",
    public_url="https://onewriter.example.com",
    api_version="2026-10",
    region=None,
    by="user:ann",
)
APP = Credentials("authorization_code", client_id="app", client_secret="secret_canary")
HELD = replace(APP, access_token="a1_canary", refresh_token="r1_canary")

# The example of Shopify's own documentation, whose secret is "hush".
SIGNED = [
    ("code", "0907a61c0c8d55e99db179b68161bc00"),
    ("hmac", "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf"),
    ("shop", "some-shop.myshopify.com"),
    ("state", "0.6784241404160823"),
    ("timestamp", "1337178173"),
]


def changed(**values: str | None) -> list[tuple[str, str]]:
    """Shopify's example with some values replaced, added, or left out."""
    given = {**dict(SIGNED), **values}
    return [(name, value) for name, value in given.items() if value is not None]


# ---- The address and the answer -------------------------------------------------------------------------------------


def test_the_address_asks_for_what_is_wanted_and_holds_no_secret() -> None:
    redirect = "https://onewriter.example.com/auth/shopify/callback"
    scopes = ("read_customers", "read_customer_merge")
    url = auth.authorize_url("https://tea.myshopify.com", "app", scopes, redirect, "a/b+c=")
    assert url.startswith("https://tea.myshopify.com/admin/oauth/authorize?")
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "client_id": "app",
        "scope": "read_customers,read_customer_merge",
        "redirect_uri": redirect,
        "state": "a/b+c=",
    }


def test_the_code_is_exchanged_for_a_token_that_ends() -> None:
    assert auth.code_grant(ASKED, "c0de") == {
        "client_id": "app",
        "client_secret": "secret_canary",
        "code": "c0de",
        "expiring": "1",
    }


@pytest.mark.parametrize("order", [SIGNED, SIGNED[::-1], SIGNED[2:] + SIGNED[:2]])
def test_the_signature_is_that_of_shopifys_own_example_in_any_order(order: list[tuple[str, str]]) -> None:
    assert auth.is_signed_query(order, ["new", "hush"])


@pytest.mark.parametrize(
    "query",
    [
        changed(shop="other.myshopify.com"),
        changed(code="another"),
        changed(state=None),
        changed(more="x"),
        changed(hmac=None),
        changed(hmac=""),
        changed(hmac="ü"),
        changed(hmac="\ud800"),
        changed(hmac="700E2DADB827FCC8609E9D5CE208B2E9CDAAB9DF07390D2CBCA10D7C328FC4BF"),
        [*SIGNED, ("hmac", "0")],
        # One value that reads like two parameters must not be signed like them.
        [*changed(code=None, hmac=None), ("code=0907a61c0c8d55e99db179b68161bc00&hmac", dict(SIGNED)["hmac"])],
        changed(timestamp=None, state="0.6784241404160823&timestamp=1337178173"),
    ],
)
def test_whatever_else_was_signed_is_refused(query: list[tuple[str, str]]) -> None:
    assert not auth.is_signed_query(query, ["hush"])


def test_another_secret_or_none_signs_nothing() -> None:
    assert not auth.is_signed_query(SIGNED, ["shout"])
    assert not auth.is_signed_query(SIGNED, [])
    assert not auth.is_signed_query(changed(hmac=auth.sign_query(SIGNED, "")), [""])


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5), st.text(min_size=1, max_size=8))
def test_what_a_secret_signs_it_recognises(query: dict[str, str], secret: str) -> None:
    query.pop("hmac", None)
    pairs = list(query.items())
    signature = auth.sign_query(pairs, secret)
    assert auth.is_signed_query([("hmac", signature), *pairs], [secret])
    assert not auth.is_signed_query([("hmac", signature), *pairs, ("hmac2", "")], [secret])


def test_a_callback_is_read_but_not_shown() -> None:
    callback = auth.read_callback(SIGNED)
    assert (callback.shop, callback.state) == ("some-shop.myshopify.com", "0.6784241404160823")
    assert callback.code not in repr(callback)
    assert callback.state not in repr(callback)


@pytest.mark.parametrize(
    "query",
    [
        [],
        changed(code=None),
        changed(state=None),
        changed(state=""),
        changed(shop=None),
        changed(code="x" * 1025),
        changed(state="é"),
        changed(code="a\nb"),
        [*SIGNED, ("shop", "other.myshopify.com")],
        [*SIGNED, ("state", "0.6784241404160823")],
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_looked_up(query: list[tuple[str, str]]) -> None:
    with pytest.raises(CallbackRefused) as refused:
        auth.read_callback(query)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "shop",
    [
        "tea.example.com",
        "https://tea.myshopify.com",
        "tea.myshopify.com.evil.example",
        "evil.example/tea.myshopify.com",
        "tea.myshopify.com\n",
        "-tea.myshopify.com",
        "TEA.myshopify.com",
        "tea myshopify.com",
        "a" * 2000 + ".myshopify.com",
    ],
)
def test_what_is_no_shop_is_refused(shop: str) -> None:
    with pytest.raises(CallbackRefused):
        auth.read_callback(changed(shop=shop))


# ---- Grants and their answers ---------------------------------------------------------------------------------------


def test_each_kind_asks_in_its_own_way() -> None:
    app = {"client_id": "app", "client_secret": "secret_canary"}
    assert replace(HELD, kind="client_credentials").grant() == app | {"grant_type": "client_credentials"}
    assert HELD.grant() == app | {"grant_type": "refresh_token", "refresh_token": "r1_canary"}


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (Credentials("token"), "There is no usable access token"),
        (Credentials("token", access_token="canary"), "Shopify refused the access token"),
        (replace(HELD, refresh_token=None), "Shopify refused the access token"),
        (replace(APP, kind="client_credentials", client_secret=None), "There is no usable access token"),
    ],
)
def test_who_cannot_ask_says_so(held: Credentials, says: str) -> None:
    with pytest.raises(TokenRefused, match=says) as refused:
        held.grant()
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "lasts_s", "early_s"),
    [
        ({"expires_in": 3600}, 3600, 300),
        ({"expires_in": 86_399}, 86_399, 300),
        ({"expires_in": 40}, 40, 10),
        ({}, 3600, 300),
        ({"expires_in": None}, 3600, 300),
        ({"expires_in": 0}, 3600, 300),
        ({"expires_in": -5}, 3600, 300),
        ({"expires_in": "3600"}, 3600, 300),
        ({"expires_in": True}, 3600, 300),
    ],
)
def test_a_token_is_renewed_five_minutes_early_and_lasts_an_hour_where_nothing_is_said(
    now: Instant, given: dict[str, Any], lasts_s: int, early_s: int
) -> None:
    fresh = auth.renewed(HELD, {"access_token": "a2", "refresh_token": "r2"} | given, now)
    assert fresh.expires == now + lasts_s * SECOND
    due = now + (lasts_s - early_s) * SECOND
    assert fresh.is_fresh(due - 1)
    assert not fresh.is_fresh(due)
    assert fresh.is_usable(due) == (early_s > 60)
    assert not fresh.is_usable(now + (lasts_s - 60) * SECOND)


def test_a_token_without_an_end_and_without_a_refresh_token_is_not_given_one(now: Instant) -> None:
    fresh = auth.renewed(APP, {"access_token": "a2"}, now)
    assert (fresh.expires, fresh.refresh_token, fresh.is_fresh(now + 365 * DAY)) == (None, None, True)


def test_the_refresh_token_that_was_used_is_kept_beside_its_replacement(now: Instant) -> None:
    second = auth.renewed(HELD, {"access_token": "a2", "refresh_token": "r2"}, now)
    assert (second.refresh_token, second.previous_refresh_token) == ("r2", "r1_canary")
    again = auth.renewed(second.with_previous_token(), {"access_token": "a3", "refresh_token": "r3"}, now)
    assert (again.refresh_token, again.previous_refresh_token) == ("r3", "r1_canary")
    third = auth.renewed(second, {"access_token": "a3", "refresh_token": "r3"}, now)
    assert (third.refresh_token, third.previous_refresh_token) == ("r3", "r2")


@pytest.mark.parametrize("given", [{}, {"refresh_token": "r1_canary"}, {"refresh_token": ""}, {"refresh_token": 5}])
def test_an_answer_without_a_new_refresh_token_keeps_both(now: Instant, given: dict[str, Any]) -> None:
    held = replace(HELD, previous_refresh_token="r0")
    fresh = auth.renewed(held, {"access_token": "a2"} | given, now)
    assert (fresh.refresh_token, fresh.previous_refresh_token) == ("r1_canary", "r0")


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 5}, {"refresh_token": "r2"}])
def test_an_answer_without_a_token_is_refused(now: Instant, answer: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        auth.renewed(HELD, answer, now)


@pytest.mark.parametrize(
    ("asked", "answer", "code", "of_token"),
    [
        (HELD.grant(), {"error": "invalid_grant"}, "invalid_grant", True),
        (HELD.grant(), {"error": "invalid_request", "error_description": "canary"}, "invalid_request", True),
        (HELD.grant(), {"error": "invalid_client"}, "invalid_client", False),
        (HELD.grant(), {"error": "canary was here"}, "no reason given", False),
        (auth.code_grant(ASKED, "canary"), {"error": ["canary"]}, "no reason given", False),
    ],
)
def test_a_refusal_tells_its_code_and_no_more(
    asked: dict[str, str], answer: dict[str, Any], code: str, of_token: bool
) -> None:
    refused = auth.refusal(asked, answer)
    assert isinstance(refused, GrantRefused)
    assert (refused.code, refused.is_of_the_token) == (code, of_token)
    assert f"({code})" in str(refused)
    assert "canary" not in str(refused)


def test_no_secret_is_shown() -> None:
    everything = replace(
        HELD,
        api_secrets=("s1_canary",),
        previous_refresh_token="r0_canary",
        retired=(("s0_canary", 5),),
        asked=ASKED,
        expires=5,
        renew_at=4,
    )
    assert all(getattr(everything, each.name) is not None for each in fields(Credentials)), "a new field is tried too"
    assert "canary" not in repr(everything) + str(everything) + repr(ASKED)


# ---- Secrets in rotation --------------------------------------------------------------------------------------------


def secrets(*live: str, **retired: Instant) -> Credentials:
    return Credentials("token", access_token="a", api_secrets=live, retired=tuple(retired.items()))


@pytest.mark.req("K15")
def test_a_replaced_secret_is_accepted_for_two_days(now: Instant) -> None:
    held = secrets("new").after(secrets("old"), now)
    assert held.live_secrets(now) == ("new", "old")
    assert held.live_secrets(now + 2 * DAY - 1) == ("new", "old")
    assert held.live_secrets(now + 2 * DAY) == ("new",)


def test_secrets_that_were_replaced_before_keep_their_own_end(now: Instant) -> None:
    held = secrets("c").after(secrets("b", a=now + DAY, z=now), now)
    assert dict(held.retired) == {"b": now + 2 * DAY, "a": now + DAY}


def test_a_secret_that_is_in_use_again_is_no_old_one(now: Instant) -> None:
    assert secrets("a", "b").after(secrets("b", a=now + DAY), now).retired == ()


def test_old_secrets_can_be_dropped_at_once(now: Instant) -> None:
    held = secrets("c").after(secrets("b", a=now + DAY), now, drop_old_secrets=True)
    assert held.live_secrets(now) == ("c",)
