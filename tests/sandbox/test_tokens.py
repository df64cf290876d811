"""How an app comes by its tokens, how they end, and what becomes of a refresh that goes wrong."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest

from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from tests.sandbox.stage import Api, VirtualShop

Running = Callable[..., Api]
HOUR, DAY = 3_600.0, 86_400.0
BACK = "http://127.0.0.1:8080/authorized?from=shop"
GRAPHQL = "/admin/api/2026-10/graphql.json"


class App:
    """An app that knows its credentials, and a shop in virtual time."""

    def __init__(self) -> None:
        self.virtual = VirtualShop(1)
        self.access = self.virtual.shop.access
        self.secret = self.access.client_secret
        self.http = httpx2.Client(transport=Transport(Front(self.virtual.shop)), base_url="https://shop.example.com")

    def approve(self, **changes: str) -> httpx2.Response:
        asked = {
            "client_id": self.access.client_id,
            "scope": "read_customers",
            "redirect_uri": BACK,
            "state": "nonce-1",
        }
        return self.http.get("/admin/oauth/authorize", params=asked | changes)

    def code(self) -> str:
        return parse_qs(urlsplit(self.approve().headers["Location"]).query)["code"][0]

    def ask(self, **given: Any) -> httpx2.Response:
        credentials = {"client_id": self.access.client_id, "client_secret": self.secret}
        return self.http.post("/admin/oauth/access_token", json=credentials | given)

    def authorized(self) -> Any:
        return self.ask(code=self.code(), expiring=1).json()

    def refresh(self, token: str) -> httpx2.Response:
        return self.ask(grant_type="refresh_token", refresh_token=token)

    def refreshed(self, token: str) -> Any:
        answer = self.refresh(token)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def is_let_in(self, token: str) -> bool:
        answer = self.http.post(GRAPHQL, json={"query": "{ shop { name } }"}, headers={"X-Shopify-Access-Token": token})
        return answer.status_code == 200


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    yield made
    made.http.close()


def test_a_merchants_approval_goes_back_signed_and_with_the_apps_own_state(app: App) -> None:
    app.virtual.shop.domain = "shop1.myshopify.com"
    answer = app.approve()
    assert answer.status_code == 302
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == "http://127.0.0.1:8080/authorized"
    query = dict(parse_qsl(location.query))
    assert query.keys() == {"from", "code", "hmac", "host", "shop", "state", "timestamp"}
    assert (query["state"], query["shop"]) == ("nonce-1", "shop1.myshopify.com")
    assert query["timestamp"] == "1800000000"
    assert "=" not in query["host"]
    signed = "&".join(sorted(part for part in location.query.split("&") if not part.startswith("hmac=")))
    assert query["hmac"] == hmac.new(app.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("changes", [{"client_id": "nobody"}, {"redirect_uri": ""}, {"redirect_uri": "javascript:1"}])
def test_an_approval_that_cannot_go_back_is_refused(app: App, changes: dict[str, str]) -> None:
    answer = app.approve(**changes)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_code_is_good_for_one_exchange(app: App) -> None:
    code = app.code()
    granted = app.ask(grant_type="authorization_code", code=code, expiring=1)
    assert granted.json().keys() == {
        *("access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "scope"),
    }
    assert (granted.json()["expires_in"], granted.json()["refresh_token_expires_in"]) == (3_600, 7_776_000)
    assert granted.json()["scope"].startswith("read_customers,write_customers")
    again = app.ask(code=code, expiring=1)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    wrong = app.ask(code=app.code(), client_secret="wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")


def test_tokens_that_were_not_asked_to_expire_do_not(app: App) -> None:
    granted = app.ask(code=app.code()).json()
    assert granted.keys() == {"access_token", "scope"}
    app.virtual.now += 1_000 * DAY
    assert app.is_let_in(granted["access_token"])


def test_an_access_token_ends_after_its_hour_and_is_refreshed(app: App) -> None:
    first = app.authorized()
    app.virtual.now += HOUR - 1
    assert app.is_let_in(first["access_token"])
    app.virtual.now += 1
    assert not app.is_let_in(first["access_token"])
    second = app.refreshed(first["refresh_token"])
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    assert app.is_let_in(second["access_token"])
    app.virtual.shop.set_faults({"access_seconds": 60})
    third = app.refreshed(second["refresh_token"])
    assert third["expires_in"] == 60
    app.virtual.now += 60
    assert not app.is_let_in(third["access_token"])


def test_a_refresh_token_may_be_tried_again_until_its_replacement_is_used(app: App) -> None:
    first = app.authorized()["refresh_token"]
    lost, kept = (app.refreshed(first)["refresh_token"] for _ in range(2))
    following = app.refreshed(kept)["refresh_token"]
    for retired in (first, lost):
        answer = app.refresh(retired)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert app.refreshed(kept)
    assert app.refreshed(following)
    assert app.refresh("shprt_of_nobody").json()["error"] == "invalid_grant"


def test_a_second_try_is_for_thirty_days_and_a_refresh_token_for_ninety(app: App) -> None:
    tried, rested = (app.authorized()["refresh_token"] for _ in range(2))
    app.refreshed(tried)
    app.virtual.now += 30 * DAY - 1
    app.refreshed(tried)
    app.virtual.now += 1
    assert app.refresh(tried).status_code == 400
    app.virtual.now += 60 * DAY - 1
    app.refreshed(rested)
    app.virtual.now += 1
    assert app.refresh(rested).status_code == 400


def test_a_refresh_whose_answer_is_lost_was_carried_out(app: App) -> None:
    first = app.authorized()["refresh_token"]
    app.virtual.shop.set_faults({"refresh_server_errors": 2, "refresh_lost": 1})
    assert [app.refresh(first).status_code for _ in range(4)] == [520, 520, 502, 200]
    assert app.virtual.shop.faults.refresh_server_errors == 0


def test_a_grant_may_say_nothing_of_its_end(app: App) -> None:
    app.virtual.shop.set_faults({"leave_out_expires_in": True})
    granted = app.authorized()
    assert "expires_in" not in granted
    app.virtual.now += HOUR
    assert not app.is_let_in(granted["access_token"])


def test_the_next_calls_can_be_refused(app: App) -> None:
    app.virtual.shop.set_faults({"token_refused": 2})
    assert [app.is_let_in(app.access.token) for _ in range(4)] == [False, False, True, True]


def test_an_uninstalled_app_has_no_way_to_a_token_but_a_new_approval(app: App) -> None:
    granted, code = app.authorized(), app.code()
    app.virtual.shop.set_faults({"token_revoked": True})
    granted = app.refreshed(granted["refresh_token"])
    app.virtual.shop.uninstall()
    assert not app.is_let_in(granted["access_token"])
    assert app.refresh(granted["refresh_token"]).status_code == 400
    assert app.ask(code=code).status_code == 400
    assert app.is_let_in(app.authorized()["access_token"])


def test_deliveries_are_signed_by_the_oldest_secret_that_is_not_revoked(running: Running) -> None:
    api = running(2)
    shop, old = api.sandbox.shop, api.sandbox.shop.access.client_secret
    shop.subscriptions.create("CUSTOMERS_UPDATE", {"uri": "http://127.0.0.1:9/hooks"})
    shop.update(shop.ids[0], note="signed")
    (delivery,) = shop.deliveries

    def signed_by(secret: str) -> bool:
        return shop.courier.headers(delivery)["X-Shopify-Hmac-Sha256"] == _signature(secret, delivery.body)

    new = api.control("rotate_secret")["client_secret"]
    assert new != old
    assert api.http.get("/_sandbox/info").json()["api_secret"] == new
    assert signed_by(old)
    api.control("revoke_old_secret")
    assert signed_by(new)


def _signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def test_both_secrets_are_accepted_until_the_old_one_is_revoked_and_its_tokens_go_with_it(app: App) -> None:
    before = app.authorized()
    old, new = app.secret, app.access.rotate_secret()
    app.authorized()
    app.secret = new
    after = app.refreshed(before["refresh_token"])
    assert app.is_let_in(before["access_token"])
    app.access.revoke_old_secret()
    assert not app.is_let_in(before["access_token"])
    assert app.is_let_in(after["access_token"])
    assert app.is_let_in(app.access.token), "a token that was made by hand belongs to no secret"
    app.secret = old
    assert app.refresh(after["refresh_token"]).json()["error"] == "invalid_client"
