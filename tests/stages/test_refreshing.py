"""Refresh tokens against the sandbox shop, which replaces, loses and retires them as Shopify does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from onewriter.customers import shops
from onewriter.errors import TokenRefused
from onewriter.intake.connect import Wish
from onewriter.records import HOUR, SECOND
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify import reads
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION
from tests.support.joined import NOBODY, connect
from tests.support.keeping import keep_credentials
from tests.support.processes import environment_of

CHILD = """
import sys
from onewriter import settings
from onewriter.runtime import Runtime
from onewriter.shopify import reads
with Runtime(settings.load()) as runtime:
    client = runtime.client(int(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    print(reads.count_customers(client), flush=True)
"""


@dataclass
class Authorized:
    """A sandbox shop that its merchant has authorized."""

    runtime: Runtime
    sandbox: RunningSandbox
    shop_id: int
    refreshes: list[str]

    @property
    def kept(self) -> Credentials:
        """What is written down."""
        with self.runtime.database.read() as db:
            return self.runtime.credentials(shops.by_id(db, self.shop_id))

    def wind_on(self) -> Credentials:
        """Bring the token that is written down to its end, as far as we know; what is written down then."""
        held = replace(self.kept, expires=now(), renew_at=now() - 300 * SECOND)
        keep_credentials(self.runtime, self.shop_id, held)
        with self.runtime.database.write() as db:
            # As another process would, which knows only what is written down.
            shops.change(db, self.shop_id, {"connected_at": now()})
        return held

    def count(self) -> int:
        """One call of the Admin API."""
        return reads.count_customers(self.runtime.client(self.shop_id))


@contextmanager
def authorized(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, **faults: Any) -> Iterator[Authorized]:
    """A running sandbox shop of three customers, connected by its merchant's agreement."""
    runtime.client_options = {"sleep": lambda seconds: None}
    with RunningSandbox(3, faults=Faults(**faults)) as sandbox:
        info = sandbox.info
        app = Credentials("authorization_code", client_id=info.client_id, client_secret=info.client_secret)
        wish = Wish(info.domain, info.admin_url, NOBODY, API_VERSION, None, app)
        address = runtime.authorizer().begin(wish, "state", "test", now())
        with httpx2.Client(trust_env=False) as browser:
            location = browser.get(address).headers["Location"]
        _wish, done = runtime.authorizer().finish(parse_qsl(urlsplit(location).query), now())
        yield Authorized(runtime, sandbox, done.shop_id, listened_to(monkeypatch, sandbox, "refresh"))


def listened_to(monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox, name: str) -> list[str]:
    """What the shop is asked for by that name from now on: the first word of each request."""
    access = sandbox.shop.access
    carry_out = getattr(access, name)
    asked: list[str] = []

    def listen(*given: str) -> Any:
        asked.append(given[0])
        return carry_out(*given)

    monkeypatch.setattr(access, name, listen)
    return asked


def test_a_token_is_refreshed_hour_after_hour(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with authorized(runtime, monkeypatch) as shop:
        seen = [shop.kept.refresh_token]
        for _hour in range(4):
            shop.wind_on()
            assert shop.count() == 3
            seen.append(shop.kept.refresh_token)
        assert shop.refreshes == seen[:-1]
        assert len(set(seen)) == 5
        assert shop.kept.previous_refresh_token == seen[-2]


def test_errors_of_the_server_during_a_refresh_are_survived(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with authorized(runtime, monkeypatch) as shop:
        shop.wind_on()
        shop.sandbox.shop.set_faults({"refresh_server_errors": 3})
        assert shop.count() == 3
        assert len(shop.refreshes) == 1


def test_a_lost_answer_is_healed_by_the_token_that_is_still_written_down(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authorized(runtime, monkeypatch) as shop:
        held = shop.wind_on()
        shop.sandbox.shop.set_faults({"refresh_lost": 2})
        assert shop.count() == 3
        assert shop.refreshes == [held.refresh_token] * 3
        shop.wind_on()
        assert shop.count() == 3


def test_a_crash_between_the_answer_and_our_commit_is_healed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with authorized(runtime, monkeypatch) as shop:
        held = shop.wind_on()
        with runtime.client_for(shop.sandbox.info.admin_url, held, API_VERSION) as crashing:
            lost = crashing.grant(held.grant())
        assert lost["refresh_token"] != held.refresh_token
        assert shop.kept == held
        assert shop.count() == 3
        assert shop.kept.refresh_token not in (held.refresh_token, lost["refresh_token"])


def test_the_previous_token_helps_where_the_present_one_is_not_known(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authorized(runtime, monkeypatch) as shop:
        shop.wind_on()
        shop.count()
        held = replace(shop.wind_on(), refresh_token="never heard of")
        keep_credentials(runtime, shop.shop_id, held)
        assert shop.count() == 3
        assert shop.refreshes[1:] == ["never heard of", held.previous_refresh_token]


def test_a_pair_that_was_replaced_long_ago_is_refused(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with authorized(runtime, monkeypatch) as shop:
        old = shop.kept
        for _hour in range(3):
            shop.wind_on()
            shop.count()
        keep_credentials(runtime, shop.shop_id, old)
        shop.wind_on()
        with pytest.raises(TokenRefused, match="authorize the shop again"):
            shop.count()


def test_an_answer_that_does_not_say_how_long_the_token_lasts_is_good_for_an_hour(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authorized(runtime, monkeypatch) as shop:
        shop.wind_on()
        shop.sandbox.shop.set_faults({"leave_out_expires_in": True})
        shop.count()
        assert abs((shop.kept.expires or 0) - now() - HOUR) < 60 * SECOND


@pytest.mark.parametrize(("refused", "works"), [(1, True), (2, False)])
def test_a_good_token_that_is_refused_is_renewed_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, refused: int, works: bool
) -> None:
    with authorized(runtime, monkeypatch) as shop:
        shop.sandbox.shop.set_faults({"token_refused": refused})
        if works:
            assert shop.count() == 3
        else:
            with pytest.raises(TokenRefused):
                shop.count()
            assert shop.count() == 3, "it was only for a moment"
        assert len(shop.refreshes) == 1


def test_an_app_that_was_taken_out_of_the_shop_is_refused(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with authorized(runtime, monkeypatch) as shop:
        shop.sandbox.shop.access.revoke(refreshing=True)
        with pytest.raises(TokenRefused, match="authorize the shop again"):
            shop.count()


@pytest.mark.parametrize("kind", ["authorization_code", "client_credentials"])
def test_two_processes_that_need_a_token_at_once_ask_once(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with authorized(runtime, monkeypatch) as shop, ExitStack() as stack:
        granted = listened_to(monkeypatch, shop.sandbox, "grant")
        if kind == "client_credentials":
            info = shop.sandbox.info
            app = Credentials("client_credentials", client_id=info.client_id, client_secret=info.client_secret)
            connect(runtime, shop.sandbox, credentials=app)
            granted.clear()
        else:
            shop.wind_on()
        environment = environment_of(runtime)
        children = [stack.enter_context(child(shop.shop_id, environment)) for _ in range(2)]
        # Nobody can renew while this is held, so both are sure to wait for it.
        with runtime.database.exclusive(f"tokens-{shop.shop_id}"):
            for each in children:
                assert each.stdout is not None
                assert each.stdout.readline() == "ready\n"
            for each in children:
                assert each.stdin is not None
                each.stdin.write("go\n")
                each.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                children[0].wait(timeout=0.5)
            assert shop.refreshes + granted == []
        assert [each.communicate(timeout=30)[0] for each in children] == ["3\n", "3\n"]
        assert len(shop.refreshes + granted) == 1


@contextmanager
def child(shop_id: int, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process that makes one call of the Admin API when it is told to; it does not outlive the block."""
    command = [sys.executable, "-c", CHILD, str(shop_id)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()
