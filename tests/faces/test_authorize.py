"""A merchant authorizes the app: the answer is good once, for a quarter of an hour, and only if Shopify signed it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import find, runs, shops
from onewriter.customers.shops import Shop
from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import Wish
from onewriter.records import SECOND, Instant, RunState
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify.auth import Credentials, sign_query
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.webhooks import TOPICS
from onewriter.workflows.carrying import carry_out
from tests.faces.conftest import Onewriter
from tests.support.doors import knock, serving, signed
from tests.support.joined import connect, joined
from tests.support.shops import DOMAIN, SECRET, Tea

Query = list[tuple[str, str]]

STATE = "state_canary"
APP = Credentials("authorization_code", client_id="app", client_secret="secret_canary", api_secrets=("secret_canary",))
WISH = Wish("coffee.myshopify.com", "http://127.0.0.1:9", "https://onewriter.example.com", API_VERSION, "GB", APP)
PATIENT = {"sleep": lambda seconds: None}
"""Clients that try again at once."""


def begin(runtime: Runtime, wish: Wish = WISH, *, at: Instant | None = None, state: str = STATE) -> str:
    """Begin an authorization, as `shop connect --authorize` does."""
    return runtime.authorizer().begin(wish, state, "user:ann", now() if at is None else at)


def answer_of(wish: Wish = WISH, secret: str = "secret_canary", **changes: str | None) -> Query:
    """What Shopify sends the merchant's browser back with; `changes` are made before it is signed."""
    values = {"code": "code_canary", "shop": wish.domain, "state": STATE, "timestamp": "1337178173"} | changes
    query = [(name, value) for name, value in values.items() if value is not None]
    return [*query, ("hmac", sign_query(query, secret))]


def visit(url: str, query: Query, method: str = "GET") -> httpx2.Response:
    with httpx2.Client(trust_env=False, timeout=30) as client:
        return client.request(method, f"{url}{CALLBACK_PATH}?{urlencode(query)}")


def every_shop(runtime: Runtime) -> list[Shop]:
    with runtime.database.read() as db:
        return shops.every(db)


# ---- The address ----------------------------------------------------------------------------------------------------


def test_the_command_prints_the_address_that_the_merchant_opens(
    installed: Onewriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("shop", "connect", "tea", "--authorize", "--client-id", "app")
    monkeypatch.setenv("SHOPIFY_CLIENT_SECRET", "secret_canary")
    told = installed(*words, "--public-url", "https://onewriter.example.com")
    assert "canary" not in told.all
    [url] = [line for line in told.out.splitlines() if line.startswith("https://")]
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://tea.myshopify.com/admin/oauth/authorize"
    assert query["redirect_uri"] == "https://onewriter.example.com/auth/shopify/callback"
    assert query["scope"].split(",") == ["read_customers", "read_customer_merge", "read_orders", "write_customers"]
    document = installed.json(*words, "--public-url", "https://onewriter.example.com")
    again = dict(parse_qsl(urlsplit(document["authorize_url"]).query))
    assert len(query["state"]) == len(again["state"]) >= 43
    assert query["state"] != again["state"]
    [shop] = installed.json("shop", "list")
    assert (shop["domain"], shop["state"]) == ("tea.myshopify.com", "authorizing")
    assert installed.json("shop", "show")["authorize_until"] == document["authorize_until"]
    assert installed.json("runs", "list") == []


def test_a_shop_that_waits_for_its_merchant_is_neither_connected_nor_disconnected(
    installed: Onewriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("shop", "connect", "tea", "--authorize", "--client-id", "app")
    monkeypatch.setenv("SHOPIFY_CLIENT_SECRET", "canary")
    installed(*words, "--public-url", "https://onewriter.example.com")
    assert "waits for its merchant" in installed("sync", "import", code=FAILED).err
    assert "tea.myshopify.com" not in installed("check", code=1).out
    assert installed.json("shop", "disconnect", "tea", "--yes")["changed"]
    shown = installed.json("shop", "show")
    assert (shown["state"], shown["authorize_until"]) == ("disconnected", None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--access-token", "@token"), "--access-token does not go with it"),
        (("--client-id", "app"), "--authorize needs both --client-id and --client-secret"),
        ((), "--authorize needs both"),
    ],
)
def test_what_cannot_be_authorized_is_refused(
    onewriter: Onewriter, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "token").write_text("canary")
    told = onewriter("shop", "connect", "tea", "--authorize", *words, "--public-url", "https://a.example", code=USAGE)
    assert says in told.err
    assert "canary" not in told.err


# ---- The merchant agrees --------------------------------------------------------------------------------------------


@contextmanager
def asked(runtime: Runtime, sandbox: RunningSandbox, **changes: Any) -> Iterator[tuple[str, str]]:
    """A web process, and the address that the merchant of the sandbox shop is asked to open."""
    info = sandbox.info
    app = Credentials(
        "authorization_code",
        client_id=info.client_id,
        client_secret=info.client_secret,
        api_secrets=(info.client_secret,),
    )
    with serving(runtime) as url:
        wish = Wish(info.domain, info.admin_url, url, API_VERSION, None, replace(app, **changes))
        yield url, begin(runtime, wish, at=now() - 60 * SECOND)


def agree(address: str) -> httpx2.Response:
    """What the merchant's browser does: the sandbox's merchant agrees at once and is sent back."""
    with httpx2.Client(trust_env=False, timeout=30, follow_redirects=True) as browser:
        return browser.get(address)


@pytest.mark.req("K1", "K2")
def test_the_merchants_agreement_connects_the_shop_and_queues_its_import(runtime: Runtime) -> None:
    with RunningSandbox(5) as sandbox, asked(runtime, sandbox) as (_url, address):
        told = agree(address)
        assert (told.status_code, "sandbox-shop.myshopify.com is connected" in told.text) == (200, True)
        [shop] = every_shop(runtime)
        assert (shop.state, shop.authorize_hash, shop.authorize_until) == ("connected", None, None)
        assert shop.installed_at == shop.shopify_date, "and not the moment when we asked"
        assert {held.topic for held in sandbox.shop.subscriptions.all()} == set(TOPICS)
        with runtime.database.read() as db:
            [run] = runs.newest(db, 9)
        assert (run.state, run.kind, run.requested_by) == (RunState.QUEUED, "import", "user:ann")
        kept = runtime.credentials(shop)
        assert sandbox.shop.access.allows(kept.access_token or "")
        assert (kept.kind, kept.refresh_token is not None, kept.asked) == ("authorization_code", True, None)
        assert kept.live_secrets(now()) == (sandbox.info.client_secret,)
        carry_out(runtime, run.id)
        with runtime.database.read() as db:
            assert find.count_active(db, shop.id) == 5


def test_the_answer_is_good_once(runtime: Runtime) -> None:
    with RunningSandbox(2) as sandbox, asked(runtime, sandbox) as (_url, address):
        callback = str(agree(address).url)
        first = every_shop(runtime)
        with httpx2.Client(trust_env=False) as browser:
            assert browser.get(callback).status_code == 401
        assert every_shop(runtime) == first
        with runtime.database.read() as db:
            assert len(runs.newest(db, 9)) == 1


def test_two_browsers_that_bring_the_answer_at_once_make_one_connection(runtime: Runtime) -> None:
    with RunningSandbox(2) as sandbox, asked(runtime, sandbox) as (_url, address):
        with httpx2.Client(trust_env=False) as browser:
            callback = browser.get(address).headers["Location"]
        told: list[int] = []
        threads = [threading.Thread(target=lambda: told.append(agree(callback).status_code)) for _ in range(2)]
        with runtime.database.write() as db:
            # Both have looked at the state by the time that either may use it up.
            shops.locked(db, every_shop(runtime)[0].id)
            for thread in threads:
                thread.start()
            time.sleep(0.5)
        for thread in threads:
            thread.join(timeout=30)
        assert sorted(told) == [200, 401]


def test_a_connected_shop_that_is_authorized_again_keeps_its_customers_and_its_install_date(runtime: Runtime) -> None:
    with joined(runtime, 4) as shop:
        shop.carry_out()
        with runtime.database.write() as db:
            shops.change(db, shop.shop_id, {"installed_at": 1})
        with asked(runtime, shop.sandbox, api_secrets=("another",)) as (_url, address):
            assert agree(address).status_code == 200
        [again] = every_shop(runtime)
        assert (again.id, again.installed_at, again.state) == (shop.shop_id, 1, "connected")
        assert runtime.credentials(again).live_secrets(now()) == ("another", shop.sandbox.info.api_secret)
        assert len(shop.held()) == 4
        assert shop.refetch() == 0
        with runtime.database.read() as db:
            assert [run.state for run in runs.newest(db, 9)] == [RunState.QUEUED, RunState.DONE]


def test_connecting_in_another_way_ends_the_authorization(runtime: Runtime) -> None:
    with RunningSandbox(1) as sandbox, asked(runtime, sandbox) as (_url, address):
        connect(runtime, sandbox)
        [shop] = every_shop(runtime)
        assert (shop.authorize_hash, shop.authorize_until, runtime.credentials(shop).asked) == (None, None, None)
        assert agree(address).status_code == 401
        assert every_shop(runtime) == [shop]


def test_a_disconnected_shop_stays_so_until_its_merchant_agrees(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        with runtime.database.write() as db:
            shops.disconnect(db, shop.shop_id, now())
        with asked(runtime, shop.sandbox) as (_url, address):
            assert [each.state for each in every_shop(runtime)] == ["disconnected"]
            agree(address)
            assert [each.state for each in every_shop(runtime)] == ["connected"]


def test_an_answer_that_is_signed_with_the_secret_that_is_being_replaced_is_taken(runtime: Runtime) -> None:
    with RunningSandbox(1) as sandbox:
        old = sandbox.info.client_secret
        new = sandbox.shop.access.rotate_secret()
        with asked(runtime, sandbox, client_secret=new, api_secrets=(new, old)) as (_url, address):
            assert agree(address).status_code == 200
        with asked(runtime, sandbox, client_secret=new, api_secrets=(new,)) as (_url, address):
            assert agree(address).status_code == 200, "the connected shop still accepts the old one"


@pytest.mark.parametrize(
    ("faults", "changes", "says"),
    [
        ({"scopes": ["read_orders"]}, {}, "lacks the scope read_customers"),
        ({}, {"client_secret": "wrong"}, "refused the authorization"),
    ],
)
def test_what_cannot_work_is_told_to_the_merchant_and_connects_nothing(
    runtime: Runtime, faults: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    with RunningSandbox(1, faults=Faults(**faults)) as sandbox, asked(runtime, sandbox, **changes) as (_url, address):
        told = agree(address)
        assert (told.status_code, says in told.text) == (403, True)
        assert [shop.state for shop in every_shop(runtime)] == ["authorizing"]
        assert agree(address).status_code == 401


def test_nothing_secret_is_in_the_page_or_the_logs(
    runtime: Runtime, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with RunningSandbox(1) as sandbox, asked(runtime, sandbox) as (_url, address):
        told = agree(address)
        kept = runtime.credentials(every_shop(runtime)[0])
        secrets = [
            sandbox.info.client_secret,
            kept.access_token,
            kept.refresh_token,
            *(told.url.params[name] for name in ("code", "state", "hmac")),
        ]
    out, err = capsys.readouterr()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("onewriter")]
    everything = "\n".join([told.text, out, err, *ours])
    assert [secret for secret in secrets if secret and secret in everything] == []
    with runtime.database.read() as db:
        box = shops.every(db)[0].box
    assert not any(secret.encode() in box for secret in secrets if secret)


# ---- What is refused ------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"secret": "another"}, 401),
    ({"state": "another"}, 401),
    ({"state": ""}, 400),
    ({"state": None}, 400),
    ({"code": None}, 400),
    ({"shop": DOMAIN}, 401),
    ({"shop": "nobody.myshopify.com"}, 401),
    ({"shop": "coffee.example.com"}, 400),
]


@pytest.mark.parametrize(("changes", "status"), REFUSED)
def test_what_is_not_the_answer_is_refused_and_changes_nothing(
    runtime: Runtime, tea: Tea, changes: dict[str, Any], status: int
) -> None:
    begin(runtime)
    before = every_shop(runtime)
    with serving(runtime) as url:
        told = visit(url, answer_of(**changes))
    assert told.status_code == status
    assert told.text.count("<p>") == 1
    assert "canary" not in told.text
    assert (told.headers["Cache-Control"], told.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert every_shop(runtime) == before


TAMPERED: list[Callable[[Query], Query]] = [
    lambda query: [*query, ("more", "x")],
    lambda query: [*query, ("code", "code_canary")],
    lambda query: [(name, "another" if name == "code" else value) for name, value in query],
    lambda query: [(name, DOMAIN if name == "shop" else value) for name, value in query],
    lambda query: [pair for pair in query if pair[0] != "hmac"],
]


@pytest.mark.parametrize("change", TAMPERED)
def test_what_was_changed_after_it_was_signed_is_refused(runtime: Runtime, change: Callable[[Query], Query]) -> None:
    begin(runtime)
    before = every_shop(runtime)
    with serving(runtime) as url:
        assert visit(url, change(answer_of())).status_code in (400, 401)
    assert every_shop(runtime) == before


def test_the_state_of_another_shop_is_refused(runtime: Runtime) -> None:
    begin(runtime)
    other = replace(WISH, domain="cocoa.myshopify.com")
    begin(runtime, other, state="other_state")
    with serving(runtime) as url:
        assert visit(url, answer_of(other)).status_code == 401
        assert visit(url, answer_of(WISH, state="other_state")).status_code == 401


def test_the_address_ends_after_a_quarter_of_an_hour(runtime: Runtime) -> None:
    clock = now()
    runtime.client_options = PATIENT
    runtime.now = lambda: clock
    begin(runtime, at=clock - 900 * SECOND)
    with serving(runtime) as url:
        told = visit(url, answer_of())
        assert (told.status_code, "are over" in told.text) == (401, True)
        begin(runtime, at=clock - 899 * SECOND)
        assert visit(url, answer_of()).status_code == 503, "nobody answers for this shop, but the address was good"


def test_the_address_before_the_last_one_is_refused(runtime: Runtime) -> None:
    begin(runtime, state="first")
    begin(runtime, state="second")
    with serving(runtime) as url:
        assert visit(url, answer_of(state="first")).status_code == 401


def test_the_address_is_used_up_by_its_first_use_whatever_becomes_of_it(runtime: Runtime) -> None:
    runtime.client_options = PATIENT
    begin(runtime)
    with serving(runtime) as url:
        assert visit(url, answer_of(), "HEAD").status_code == 405, "looking ahead is not using"
        told = visit(url, answer_of())
        assert (told.status_code, "The shop was not connected: Shopify could not be reached" in told.text) == (
            503,
            True,
        )
        assert visit(url, answer_of()).status_code == 401
    [shop] = every_shop(runtime)
    assert shop.state == "authorizing"


@pytest.mark.req("K15")
def test_the_door_takes_nothing_of_a_shop_that_only_waits(runtime: Runtime) -> None:
    begin(runtime)
    with serving(runtime) as url:
        for secret in ("secret_canary", ""):
            assert knock(url, b"{}", signed(b"{}", secret, WISH.domain, "w-1")).status_code == 401


def test_a_connected_shop_goes_on_while_its_merchant_is_asked_again(runtime: Runtime, tea: Tea) -> None:
    before = every_shop(runtime)[0]
    begin(runtime, replace(WISH, domain=DOMAIN))
    after = every_shop(runtime)[0]
    unchanged: dict[str, Any] = {"box": b"", "authorize_hash": None, "authorize_until": None}
    assert replace(after, **unchanged) == replace(before, **unchanged)
    assert runtime.credentials(after).access_token == runtime.credentials(before).access_token
    with serving(runtime) as url:
        assert knock(url, b"{}", signed(b"{}", SECRET, DOMAIN, "w-1")).status_code == 200
        assert knock(url, b"{}", signed(b"{}", "secret_canary", DOMAIN, "w-2")).status_code == 401
