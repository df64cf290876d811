"""`onewriter shop`: connecting a shop queues its one import and does nothing of it; every refusal is one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, PARTLY, UNREACHABLE, USAGE
from onewriter.customers import runs
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify.webhooks import TOPICS
from tests.faces.conftest import PUBLIC_URL, Onewriter, bulk_operations, carry_out, in_environment

FINE = ("--access-token", "@token", "--api-secret", "@secret", "--public-url", "https://tea.example.com")


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """The files that FINE names."""
    for name, secret in (("token", "shpat_canary"), ("secret", "secret_canary"), ("empty", "  \n")):
        (tmp_path / name).write_text(secret)


@pytest.mark.req("K1", "K2")
def test_connecting_queues_one_import_and_does_nothing_of_it(installed: Onewriter, sandbox: RunningSandbox) -> None:
    done = installed.connect(sandbox)
    listed = installed.json("runs", "list")
    assert [(run["id"], run["state"], run["kind"]) for run in listed] == [(done["run"], "queued", "import")]
    assert bulk_operations(sandbox) == []
    assert installed.json("shop", "show")["customers"] == 0
    carry_out(done["run"])
    assert len(bulk_operations(sandbox)) == 1
    assert installed.json("shop", "show")["customers"] == 30


@pytest.mark.req("K1")
def test_connecting_again_queues_no_second_import(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    again = installed.connect(sandbox)
    assert again["run"] is None
    assert again["subscriptions"] == {"made": [], "present": list(TOPICS), "refused": []}
    assert len(installed.json("runs", "list")) == 1


def test_connecting_tells_what_it_did_and_what_comes_next(onewriter: Onewriter) -> None:
    with RunningSandbox(30, 7, faults=Faults(scopes=["read_customers"])) as sandbox:
        info = sandbox.info
        with in_environment(client_secret=info.client_secret):
            told = onewriter(
                *("shop", "connect", "sandbox-shop", "--client-id", info.client_id),
                *("--admin-url", info.admin_url + "/", "--public-url", PUBLIC_URL + "/"),
            )
    for words in (
        "Connected sandbox-shop.myshopify.com.",
        "Queued the import of its customers: run ",
        "Scope missing: read_customer_merge, so merges are not heard",
        "Subscribed to: customers/create, ",
        'compliance_topics = ["customers/data_request", "customers/redact", "shop/redact"]',
        f'uri = "{PUBLIC_URL}/webhooks/shopify"',
        "`onewriter serve` starts the import, since no worker is running",
        "`onewriter runs watch`",
    ):
        assert words in told.out
    assert_no_secret(told.all, sandbox)


def assert_no_secret(text: str, sandbox: RunningSandbox) -> None:
    assert sandbox.info.access_token not in text
    assert sandbox.info.client_secret not in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("domain", "words", "says"),
    [
        ("tea.example.com", FINE, "is no myshopify.com domain"),
        ("-tea", FINE, "No such option|is no myshopify.com domain"),
        ("te a", FINE, "is no myshopify.com domain"),
        ("tea", FINE[:4], "Missing option '--public-url'"),
        ("tea", (*FINE[:4], "--public-url", "http://tea.example.com"), "--public-url must begin with https://"),
        ("tea", (*FINE[:4], "--public-url", "tea.example.com"), "--public-url must be an address"),
        ("tea", (*FINE[:4], "--public-url", "https://u:p@tea.example.com"), "--public-url must be an address"),
        ("tea", (*FINE[:4], "--public-url", "https://[bad"), "--public-url must be an address"),
        ("tea", (*FINE, "--admin-url", "http://tea.example.com"), "--admin-url must begin with https://"),
        ("tea", (*FINE, "--region", "Switzerland"), "--region must be an ISO country code"),
        ("tea", FINE[:2] + FINE[4:], "--api-secret is needed"),
        ("tea", FINE[2:], "Give --access-token, or both"),
        ("tea", (*FINE, "--client-id", "app"), "not both"),
        ("tea", ("--client-id", "app", *FINE[2:]), "both --client-id and --client-secret"),
        ("tea", ("--access-token", "@/nowhere/canary", *FINE[2:]), "The file of the access token cannot be read"),
        ("tea", ("--access-token", "@empty", *FINE[2:]), "the access token is empty"),
        (
            "tea",
            ("--access-token", "canary", *FINE[2:]),
            "command line, where `ps` shows it; give @FILE, or - to be asked",
        ),
        ("tea", (*FINE[:2], "--api-secret", "canary", *FINE[4:]), "or set SHOPIFY_API_SECRET"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(
    nothing_yet: Onewriter, tmp_path: Path, domain: str, words: tuple[str, ...], says: str
) -> None:
    told = nothing_yet("shop", "connect", domain, *words, code=USAGE)
    assert any(part in told.err for part in says.split("|")), told.err
    assert len(told.err.splitlines()) == 1
    assert "canary" not in told.err.replace("/nowhere/canary", "")
    assert not (tmp_path / "data").exists()


def test_a_wrong_token_connects_nothing(installed: Onewriter, sandbox: RunningSandbox) -> None:
    words = (*FINE[:4], "--admin-url", sandbox.info.admin_url, "--public-url", PUBLIC_URL)
    told = installed("shop", "connect", sandbox.info.domain, *words, code=FAILED)
    assert len(told.err.splitlines()) == 1
    assert_no_secret(told.all, sandbox)
    error = installed.json("shop", "connect", sandbox.info.domain, *words, code=FAILED)["error"]
    assert error["kind"] == "TokenRefused"
    assert installed.json("shop", "list") == installed.json("runs", "list") == []


def test_a_missing_scope_connects_nothing_and_says_what_it_costs(installed: Onewriter) -> None:
    with RunningSandbox(3, faults=Faults(scopes=["read_orders"])) as sandbox:
        error = installed.connect(sandbox, code=FAILED)["error"]
    assert error["kind"] == "ScopeMissing"
    assert "read_customers: no customer can be imported" in error["message"]
    assert installed.json("shop", "list") == []


def test_another_shop_behind_the_address_is_refused(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    words = (*FINE[2:4], "--admin-url", sandbox.info.admin_url, "--public-url", PUBLIC_URL)
    with in_environment(access_token=sandbox.info.access_token):
        assert onewriter.json("shop", "connect", "tea", *words, code=FAILED)["error"]["kind"] == "WrongShop"


@pytest.mark.time_limit(60)
def test_a_shop_that_cannot_be_reached_is_another_exit_code(onewriter: Onewriter) -> None:
    words = (*FINE[:4], "--admin-url", "http://127.0.0.1:9", "--public-url", PUBLIC_URL)
    assert onewriter.json("shop", "connect", "tea", *words, code=UNREACHABLE)["error"]["kind"] == "NotSent"


def test_a_refused_subscription_is_partly_done(installed: Onewriter) -> None:
    with RunningSandbox(3, faults=Faults(topics_refused=True)) as sandbox:
        done = installed.connect(sandbox, code=PARTLY)
    refused = done["subscriptions"]["refused"]
    assert "customers/create" in {one["topic"] for one in refused}
    assert all(one["reason"] for one in refused)
    assert installed.json("runs", "list")[0]["id"] == done["run"]


def test_secrets_come_from_the_environment_from_files_and_from_standard_input(
    onewriter: Onewriter, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = sandbox.info
    urls = ["--admin-url", info.admin_url, "--public-url", PUBLIC_URL, "--json"]
    command = [sys.executable, "-m", "onewriter", "shop", "connect", info.domain, *urls]
    file = tmp_path / "token"
    file.write_text(info.access_token + "\n")
    monkeypatch.setenv("SHOPIFY_API_SECRET", info.api_secret)
    for words, given in ((["--access-token", f"@{file}"], ""), (["--access-token", "-"], info.access_token + "\n")):
        done = subprocess.run(
            [*command, *words], input=given, capture_output=True, text=True, env=dict(os.environ), check=False
        )
        assert done.returncode == 0, done
        assert_no_secret(done.stdout + done.stderr, sandbox)
    monkeypatch.setenv("SHOPIFY_ACCESS_TOKEN", info.access_token)
    assert onewriter.json("shop", "connect", info.domain, *urls[:-1])["shop"] == info.domain


def test_replaced_secrets_are_counted_and_never_shown(installed: Onewriter, sandbox: RunningSandbox) -> None:
    def shown() -> tuple[int, bool]:
        told = installed.json("shop", "show")
        assert_no_secret(json.dumps(told), sandbox)
        return told["old_secrets_accepted"], told["old_secrets_until"] is not None

    def replaced(secret: str, *words: str) -> None:
        installed.connect(sandbox, *words, api_secret=secret)

    installed.connect(sandbox)
    assert shown() == (0, False)
    replaced("second_canary")
    replaced("third_canary")
    assert shown() == (2, True)
    replaced("third_canary", "--drop-old-secrets")
    assert shown() == (0, False)


def test_connecting_again_resumes_what_was_paused(installed: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = installed.connect(sandbox)["run"]
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        runs.pause(db, runs.begin(db, run_id, now()), "the token was refused", now())
    with in_environment(access_token=sandbox.info.access_token):
        told = installed(
            *("shop", "connect", "sandbox-shop", *FINE[2:4]),
            *("--admin-url", sandbox.info.admin_url, "--public-url", PUBLIC_URL),
        )
    assert f"Resumed run {run_id}, which had been paused." in told.out
    assert [run["state"] for run in installed.json("runs", "list")] == ["queued"]


def test_secrets_are_in_no_answer(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    for words in (["shop", "list"], ["shop", "show"], ["runs", "list"], ["runs", "show"], ["settings"], ["check"]):
        for form in ([], ["--json"]):
            assert_no_secret(installed(*words, *form, code=1 if words == ["check"] else 0).all, sandbox)


def test_shops_are_listed_and_shown(installed: Onewriter) -> None:
    with RunningSandbox(30, 7, faults=Faults(scopes=["read_customers"])) as sandbox:
        installed.imported(sandbox)
    [listed] = installed.json("shop", "list")
    shown = installed.json("shop", "show", "sandbox-shop")
    assert listed.items() <= shown.items()
    assert shown["customers"] == 30
    assert shown["scopes_missing"] == ["read_customer_merge", "read_orders", "write_customers"]
    assert "sandbox-shop.myshopify.com  connected" in installed("shop", "list").out
    assert installed.json("shop", "show", "tea", code=FAILED)["error"]["kind"] == "UnknownShop"


def test_disconnecting_asks_first(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    told = installed("shop", "disconnect", "sandbox-shop", code=USAGE)
    assert "add --yes" in told.err
    assert installed.json("shop", "show")["state"] == "connected"
    before = now()
    done = installed.json("shop", "disconnect", "sandbox-shop", "--yes")
    assert done["changed"] is True
    shown = installed.json("shop", "show")
    assert (shown["state"], shown["customers"]) == ("disconnected", 30)
    assert shown["disconnected_at"] == done["disconnected_at"]
    assert now() >= before
    again = installed.json("shop", "disconnect", "sandbox-shop")
    assert again == done | {"changed": False}
    assert "is disconnected" in installed.json("sync", "import", code=FAILED)["error"]["message"]


@pytest.mark.parametrize(("said", "code", "state"), [("n", FAILED, "connected"), ("y", 0, "disconnected")])
def test_who_can_be_asked_is_asked(
    onewriter: Onewriter, sandbox: RunningSandbox, said: str, code: int, state: str
) -> None:
    onewriter.connect(sandbox)
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "onewriter", "shop", "disconnect", "sandbox-shop"]
    with subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as asked:
        os.write(ours, f"{said}\n".encode())
        _, told = asked.communicate()
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == code
    assert "Stop working for sandbox-shop.myshopify.com?" in told
    assert ("Nothing was changed." in told) == (said == "n")
    assert onewriter.json("shop", "show")["state"] == state


def test_a_command_that_needs_a_shop_says_how_to_get_one(onewriter: Onewriter) -> None:
    for words in (["shop", "show"], ["sync", "import"], ["customers", "find", "1"]):
        assert "run `onewriter shop connect DOMAIN`" in onewriter(*words, code=FAILED).err


def test_with_several_shops_one_must_be_named(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    with RunningSandbox(2, domain="tea.myshopify.com") as other:
        installed.connect(other)
    assert "name one with --shop" in installed("sync", "import", code=USAGE).err
    assert installed.json("customers", "find", "1", "--shop", "tea", code=1) == []
