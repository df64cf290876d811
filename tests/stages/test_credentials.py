"""Tokens that end: one renewal at a time, on disk before it is used, and survived whatever is lost on the way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import httpx2
import pytest

from onewriter.customers import shops
from onewriter.errors import ShopifyUnreachable, Temporary, TokenRefused
from onewriter.records import HOUR, SECOND
from onewriter.runtime import Runtime
from onewriter.shopify import reads
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.tokens import KeptInDatabase, Replaced, Tokens, open_credentials
from onewriter.vault.seal import bound_to
from tests.support.keeping import keep_credentials
from tests.support.rehearsal import COUNTED, START, Play, Rehearsal, raises
from tests.support.shops import SECRET, Tea

HELD = Credentials(
    "authorization_code",
    client_id="app",
    client_secret="secret_canary",
    api_secrets=(SECRET,),
    access_token="a1_canary",
    refresh_token="r1_canary",
    previous_refresh_token="r0_canary",
    expires=START + HOUR,
    renew_at=START + HOUR - 300 * SECOND,
)
OVER = replace(HELD, expires=START, renew_at=START - 300 * SECOND)
DUE = replace(HELD, expires=START + 200 * SECOND, renew_at=START - 100 * SECOND)
GONE = httpx2.Response(401, json={"error": "invalid_request", "error_description": "canary"})


def granted(number: int, **also: Any) -> httpx2.Response:
    """Shopify's answer to a refresh."""
    tokens = {"access_token": f"a{number}_canary", "refresh_token": f"r{number}_canary"}
    return httpx2.Response(200, json=tokens | {"expires_in": 3600, "scope": "read_customers"} | also)


def kept(tea: Tea) -> Credentials:
    """What is written down."""
    with tea.runtime.database.read() as db:
        return tea.runtime.credentials(shops.by_id(db, tea.shop_id))


@contextmanager
def rehearsed(tea: Tea, held: Credentials, *script: Play | httpx2.Response) -> Iterator[Rehearsal]:
    """A rehearsal whose client takes its tokens from the database of a connected shop, as every process does."""
    keep_credentials(tea.runtime, tea.shop_id, held)
    stage = Rehearsal(*script)
    with another_client(tea, stage) as stage.client:
        yield stage


def another_client(tea: Tea, stage: Rehearsal) -> AdminClient:
    """A client as another process would open it, at the same server and clock."""
    tokens = Tokens(KeptInDatabase(tea.runtime.database, tea.vault.key, tea.shop_id), lambda: stage.now)
    return AdminClient(
        "https://tea.myshopify.com",
        tokens,
        api_version=API_VERSION,
        clock=lambda: stage.now,
        sleep=stage.sleep,
        transport=httpx2.MockTransport(stage.answer),
    )


def used(stage: Rehearsal) -> list[str]:
    """What each request was made with: an access token, or the refresh token that asked for another."""
    return [
        request.headers.get("X-Shopify-Access-Token") or json.loads(request.content)["refresh_token"]
        for request in stage.seen
    ]


# ---- Renewal --------------------------------------------------------------------------------------------------------


def test_a_token_near_its_end_is_renewed_and_the_new_pair_is_on_disk_before_it_is_used(tea: Tea) -> None:
    on_disk: list[Credentials] = []

    def count(_request: httpx2.Request) -> httpx2.Response:
        on_disk.append(kept(tea))
        return COUNTED

    with rehearsed(tea, DUE, granted(2), count) as stage:
        assert reads.count_customers(stage.client) == 5
        assert used(stage) == ["r1_canary", "a2_canary"]
        assert json.loads(stage.seen[0].content)["grant_type"] == "refresh_token"
    [after] = on_disk
    assert after == replace(
        HELD,
        access_token="a2_canary",
        refresh_token="r2_canary",
        previous_refresh_token="r1_canary",
        expires=START + HOUR,
        renew_at=START + HOUR - 300 * SECOND,
    )
    with tea.runtime.database.read() as db:
        assert b"canary" not in shops.by_id(db, tea.shop_id).box


def test_the_previous_token_is_kept_until_its_replacement_has_been_used(tea: Tea) -> None:
    with rehearsed(tea, OVER, granted(2), COUNTED, granted(3), COUNTED) as stage:
        reads.count_customers(stage.client)
        assert kept(tea).previous_refresh_token == "r1_canary"
        stage.now += HOUR
        reads.count_customers(stage.client)
        assert (kept(tea).refresh_token, kept(tea).previous_refresh_token) == ("r3_canary", "r2_canary")


def test_what_another_process_renewed_is_used_and_not_renewed_again(tea: Tea) -> None:
    with rehearsed(tea, OVER, granted(2), COUNTED) as stage, another_client(tea, stage) as other:
        reads.count_customers(stage.client)
        reads.count_customers(other)
        assert used(stage) == ["r1_canary", "a2_canary", "a2_canary"]


def test_a_missing_expires_in_means_an_hour(tea: Tea) -> None:
    with rehearsed(tea, OVER, granted(2, expires_in=None), COUNTED) as stage:
        reads.count_customers(stage.client)
        reads.count_customers(stage.client)
        assert kept(tea).expires == START + HOUR
        assert len(stage.seen) == 3


def test_client_credentials_are_renewed_through_the_same_door(tea: Tea) -> None:
    app = Credentials("client_credentials", client_id="app", client_secret="secret_canary", api_secrets=(SECRET,))
    answer = httpx2.Response(200, json={"access_token": "a1_canary", "expires_in": 86_399})
    with rehearsed(tea, app, answer, COUNTED) as stage, another_client(tea, stage) as other:
        reads.count_customers(stage.client)
        reads.count_customers(other)
        assert [request.url.path.endswith("access_token") for request in stage.seen] == [True, False, False]
        assert kept(tea) == replace(
            app, access_token="a1_canary", expires=START + 86_399 * SECOND, renew_at=START + 86_099 * SECOND
        )


# ---- One at a time --------------------------------------------------------------------------------------------------


def test_two_threads_that_need_a_token_at_once_make_one_refresh(tea: Tea) -> None:
    asked = threading.Semaphore(0)

    def refresh(_request: httpx2.Request) -> httpx2.Response:
        # Gives the other thread, which is under way, all the time that it needs to do the same.
        asked.acquire(timeout=0.5)
        return granted(2)

    with rehearsed(tea, OVER, refresh, COUNTED) as stage, another_client(tea, stage) as other:
        stage.script = [lambda request: refresh(request) if "oauth" in request.url.path else COUNTED]
        begin = threading.Barrier(3)
        counted: list[int] = []

        def count(client: AdminClient) -> None:
            begin.wait(timeout=10)
            counted.append(reads.count_customers(client))

        clients = (stage.client, stage.client, other)
        threads = [threading.Thread(target=count, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert counted == [5, 5, 5]
        assert sorted(used(stage)) == ["a2_canary"] * 3 + ["r1_canary"]


def test_credentials_that_somebody_replaced_during_a_refresh_are_not_overwritten(tea: Tea) -> None:
    fresh = Credentials("token", access_token="a9_canary", api_secrets=("new",))

    def refresh(_request: httpx2.Request) -> httpx2.Response:
        keep_credentials(tea.runtime, tea.shop_id, fresh)
        return granted(2)

    with rehearsed(tea, OVER, refresh, COUNTED) as stage:
        reads.count_customers(stage.client)
        assert used(stage) == ["r1_canary", "a9_canary"]
    assert kept(tea) == fresh


def test_credentials_without_a_token_that_came_during_a_refresh_are_for_the_next_try(tea: Tea) -> None:
    app = Credentials("client_credentials", client_id="other", client_secret="secret_canary")

    def refresh(_request: httpx2.Request) -> httpx2.Response:
        keep_credentials(tea.runtime, tea.shop_id, app)
        return granted(2)

    with rehearsed(tea, OVER, refresh) as stage, pytest.raises(Replaced):
        reads.count_customers(stage.client)
    assert issubclass(Replaced, Temporary)
    assert kept(tea) == app


def test_a_secret_that_was_changed_during_a_refresh_stays_changed(tea: Tea) -> None:
    def refresh(_request: httpx2.Request) -> httpx2.Response:
        keep_credentials(tea.runtime, tea.shop_id, replace(OVER, api_secrets=("new", SECRET)))
        return granted(2)

    with rehearsed(tea, OVER, refresh, COUNTED) as stage:
        reads.count_customers(stage.client)
    assert (kept(tea).api_secrets, kept(tea).refresh_token) == (("new", SECRET), "r2_canary")


# ---- What goes wrong ------------------------------------------------------------------------------------------------

PASSING: list[Play | httpx2.Response] = [
    httpx2.Response(520),
    httpx2.Response(503),
    httpx2.Response(429, headers={"Retry-After": "1"}),
    httpx2.Response(200, text="<html>"),
    raises(httpx2.ConnectError),
    raises(httpx2.ReadError),
]


@pytest.mark.parametrize("fault", PASSING)
def test_a_refresh_that_fails_is_tried_again_with_the_same_token(tea: Tea, fault: Play | httpx2.Response) -> None:
    with rehearsed(tea, OVER, fault, fault, granted(2), COUNTED) as stage:
        assert reads.count_customers(stage.client) == 5
        assert used(stage) == ["r1_canary", "r1_canary", "r1_canary", "a2_canary"]
        assert len(stage.slept) == 2


@pytest.mark.parametrize("fault", PASSING)
def test_a_refresh_that_fails_is_no_harm_while_the_token_still_works(tea: Tea, fault: Play | httpx2.Response) -> None:
    with rehearsed(tea, DUE, fault, COUNTED, COUNTED, granted(2), COUNTED) as stage:
        reads.count_customers(stage.client)
        reads.count_customers(stage.client)
        assert used(stage) == ["r1_canary", "a1_canary", "a1_canary"], "and it is not asked for with every call"
        stage.now += 31 * SECOND
        reads.count_customers(stage.client)
        assert used(stage)[3:] == ["r1_canary", "a2_canary"]


def test_a_refresh_that_keeps_failing_is_temporary_and_changes_nothing(tea: Tea) -> None:
    with rehearsed(tea, OVER, httpx2.Response(520)) as stage, pytest.raises(ShopifyUnreachable) as lasting:
        reads.count_customers(stage.client)
    assert kept(tea) == OVER
    assert "canary" not in str(lasting.value)


@pytest.mark.parametrize("gone", [GONE, httpx2.Response(400, json={"error": "invalid_grant"})])
def test_a_refused_refresh_token_is_followed_by_the_one_before_it_once(tea: Tea, gone: httpx2.Response) -> None:
    with rehearsed(tea, OVER, gone, granted(2), COUNTED) as stage:
        assert reads.count_customers(stage.client) == 5
        assert used(stage) == ["r1_canary", "r0_canary", "a2_canary"]
        assert (kept(tea).refresh_token, kept(tea).previous_refresh_token) == ("r2_canary", "r0_canary")


@pytest.mark.parametrize(
    ("held", "answer", "asked"),
    [
        (OVER, GONE, ["r1_canary", "r0_canary"]),
        (replace(OVER, previous_refresh_token=None), GONE, ["r1_canary"]),
        (OVER, httpx2.Response(401, json={"error": "invalid_client"}), ["r1_canary"]),
        (OVER, httpx2.Response(403, text="<html>canary"), ["r1_canary"]),
    ],
)
def test_what_is_refused_for_good_waits_for_a_person(
    tea: Tea, held: Credentials, answer: httpx2.Response, asked: list[str]
) -> None:
    with rehearsed(tea, held, answer) as stage:
        with pytest.raises(TokenRefused, match="authorize the shop again") as refused:
            reads.count_customers(stage.client)
        assert used(stage) == asked
    assert kept(tea) == held
    assert "canary" not in str(refused.value)


# ---- A token that Shopify ended early -------------------------------------------------------------------------------


def test_a_token_that_seemed_to_work_is_renewed_once(tea: Tea) -> None:
    with rehearsed(tea, HELD, httpx2.Response(401), granted(2), COUNTED) as stage:
        assert reads.count_customers(stage.client) == 5
        assert used(stage) == ["a1_canary", "r1_canary", "a2_canary"]


def test_a_new_token_that_is_refused_too_is_final(tea: Tea) -> None:
    with rehearsed(tea, HELD, httpx2.Response(401), granted(2), httpx2.Response(401)) as stage:
        with pytest.raises(TokenRefused):
            reads.count_customers(stage.client)
        assert used(stage) == ["a1_canary", "r1_canary", "a2_canary"]
    assert kept(tea).refresh_token == "r2_canary", "what Shopify gave out is not lost"


def test_a_token_that_another_process_replaced_is_looked_up_and_then_renewed_if_that_one_is_refused(tea: Tea) -> None:
    with rehearsed(tea, HELD, *[httpx2.Response(401)] * 2, granted(3), COUNTED) as stage:
        newer = replace(HELD, access_token="a2_canary", refresh_token="r2_canary")
        keep_credentials(tea.runtime, tea.shop_id, newer)
        assert reads.count_customers(stage.client) == 5
        assert used(stage) == ["a1_canary", "a2_canary", "r2_canary", "a3_canary"]


def test_a_token_that_was_given_by_hand_is_taken_anew_from_where_it_is_written_down(tea: Tea) -> None:
    token = Credentials("token", access_token="a1_canary", api_secrets=(SECRET,))
    with rehearsed(tea, token, httpx2.Response(401), COUNTED, httpx2.Response(401)) as stage:
        keep_credentials(tea.runtime, tea.shop_id, replace(token, access_token="a2_canary"))
        assert reads.count_customers(stage.client) == 5
        with pytest.raises(TokenRefused, match="connect the shop again"):
            reads.count_customers(stage.client)
        assert used(stage) == ["a1_canary", "a2_canary", "a2_canary"]


# ---- What is written down -------------------------------------------------------------------------------------------


def test_credentials_of_the_first_release_still_open(tea: Tea) -> None:
    written = {
        "kind": "client_credentials",
        "access_token": "a1_canary",
        "client_id": "app",
        "client_secret": "secret_canary",
        "api_secrets": [SECRET],
        "expires": START + HOUR,
    }
    box = tea.vault.key.seal(json.dumps(written).encode(), bound_to("shops", tea.shop_id, "credentials"))
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"box": box})
        opened = open_credentials(tea.vault.key, shops.by_id(db, tea.shop_id))
    assert asdict(opened).items() >= (written | {"api_secrets": (SECRET,)}).items()
    assert opened.is_fresh(START)
    assert not opened.is_fresh(START + HOUR - 60 * SECOND)


def test_what_is_written_down_is_read_as_it_was(tea: Tea) -> None:
    everything = replace(HELD, retired=(("old", START), ("older", START + 1)))
    keep_credentials(tea.runtime, tea.shop_id, everything)
    assert kept(tea) == everything


def test_shopifys_clock_is_written_down_once_in_ten_minutes(tea: Tea, runtime: Runtime) -> None:
    stage = Rehearsal(COUNTED)
    runtime.client_options = {"transport": httpx2.MockTransport(stage.answer)}
    runtime.now = lambda: stage.now
    heard: list[Any] = []
    for wait_s in (0, 1, 300, 298, 1, 599, -3600):
        stage.now += wait_s * SECOND
        reads.count_customers(runtime.client(tea.shop_id))
        with runtime.database.read() as db:
            shop = shops.by_id(db, tea.shop_id)
        heard.append((shop.shopify_date == START, ((shop.shopify_date_heard or 0) - START) // SECOND))
    assert heard == [(True, told) for told in (0, 0, 0, 0, 600, 600, -2401)]


def test_processes_that_hear_shopifys_clock_at_once_write_it_down_once(tea: Tea) -> None:
    heard = []
    for moment in (START, START + SECOND, START + 600 * SECOND, START + 601 * SECOND, START - HOUR):
        with tea.runtime.database.write() as db:
            shops.hear_date(db, tea.shop_id, moment + 7, moment)
            shop = shops.by_id(db, tea.shop_id)
        heard.append(((shop.shopify_date or 0) - START, (shop.shopify_date_heard or 0) - START))
    first, later, back = (7, 0), (600 * SECOND + 7, 600 * SECOND), (7 - HOUR, -HOUR)
    assert heard == [first, first, later, later, back]
