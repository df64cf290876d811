"""`onewriter sync reconcile` and `sync customer`: asked for by hand, and what `runs show` tells of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from onewriter import settings
from onewriter.cli.findings import SHOWN
from onewriter.cli.frame import FAILED, FINDINGS, PARTLY, USAGE
from onewriter.customers import marks, runs, shops
from onewriter.intake.refetch import Refetch
from onewriter.loyalty import programme
from onewriter.records import SECOND
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.sandbox.customer import Customer
from tests.faces.conftest import Onewriter, carry_out

HOUR_S = 3600.0


@contextmanager
def an_hour_ago(sandbox: RunningSandbox) -> Iterator[None]:
    """What happens in the shop meanwhile, happens an hour ago: longer than anything is given to arrive."""
    clock = sandbox.shop.clock
    sandbox.shop.clock = lambda: clock() - HOUR_S
    yield
    sandbox.shop.clock = clock


def renamed(sandbox: RunningSandbox, many: int = 1) -> list[Customer]:
    """Customers that were changed in the shop, of which nobody told us."""
    with an_hour_ago(sandbox):
        return [sandbox.shop.update(number, first_name="Renamed") for number in sandbox.shop.ids[:many]]


def refetch() -> None:
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            shop_id = shops.every(db)[0].id
        Refetch(runtime.database, runtime.client, runtime.vault, now).once(shop_id)


def work_until_done(action: Callable[[], None], seconds: float = 0.8) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def newest_run() -> str:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return runs.newest(db, 1)[0].id


@pytest.mark.req("K48")
def test_a_shop_is_reconciled_when_somebody_asks_and_not_while_one_runs(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    installed.imported(sandbox)
    for _ in range(2):
        queued = installed.json("sync", "reconcile")
        assert (queued["state"], queued["worker_lives"]) == ("queued", False)
        second = installed.json("sync", "reconcile", code=FAILED)["error"]
        assert (second["kind"], "already queued" in second["message"]) == ("AlreadyRunning", True)
        recent = installed.json("sync", "reconcile", "--recent")
        installed.json("sync", "reconcile", "--recent", code=FAILED)
        carry_out(queued["run"])
        carry_out(recent["run"])
    listed = installed.json("runs", "list")
    assert [(run["kind"], run["state"]) for run in listed][:2] == [("recent", "done"), ("reconcile", "done")]
    assert "Queued the recent reconcile of sandbox-shop" in installed("sync", "reconcile", "--recent").out


@pytest.mark.req("K16", "K48")
def test_what_was_found_is_shown_without_a_value(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    (customer,) = renamed(sandbox)
    run_id = installed.json("sync", "reconcile")["run"]
    carry_out(run_id)
    shown = installed.json("runs", "show", run_id)
    assert "account" not in shown
    (found,) = shown["findings"]
    assert (found["kind"], found["field"], found["reason"]) == ("drift", "first_name", "never delivered")
    assert found["healed_at"].endswith("Z")
    assert installed.json("customers", "show", found["customer"])["shopify_id"] == customer.id
    assert found["evidence"]["looked_for"]["topics"][1] == "customers/update"
    told = installed("runs", "show", run_id).out
    assert "never delivered" in told
    assert found["customer"] in told
    assert not {"Renamed", str(customer.id)} & set(json.dumps(shown).replace('"', " ").split())
    assert "Renamed" not in told


def test_many_findings_are_counted_and_some_are_listed(onewriter: Onewriter) -> None:
    with RunningSandbox(SHOWN + 7, 3) as sandbox:
        onewriter.imported(sandbox)
        renamed(sandbox, SHOWN + 7)
        run_id = onewriter.json("sync", "reconcile")["run"]
        carry_out(run_id)
    told = onewriter("runs", "show", run_id).out
    assert told.rstrip().endswith("... and 7 more; --json has all.")
    assert f"{SHOWN + 7}" in told
    assert len(onewriter.json("runs", "show", run_id)["findings"]) == SHOWN + 7


def test_nothing_found_is_said(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    run_id = onewriter.json("sync", "reconcile")["run"]
    carry_out(run_id)
    assert onewriter("runs", "show", run_id).out.rstrip().endswith("Nothing differs.")


@pytest.mark.parametrize(("differs", "dry", "code"), [(True, True, FINDINGS), (False, True, 0), (True, False, 0)])
def test_a_dry_run_that_is_waited_for_exits_with_what_it_found(
    onewriter: Onewriter, sandbox: RunningSandbox, differs: bool, dry: bool, code: int
) -> None:
    onewriter.imported(sandbox)
    if differs:
        renamed(sandbox)
    worker = work_until_done(lambda: carry_out(newest_run()))
    told = onewriter("sync", "reconcile", "--wait", *(["--dry-run"] if dry else []), code=code)
    worker.join()
    assert told.out.startswith("done")
    (finding,) = onewriter.json("runs", "show")["findings"] or [None]
    assert (finding is not None) is differs
    assert finding is None or bool(finding["healed_at"]) is not dry


@pytest.mark.req("K48")
@pytest.mark.parametrize("name", ["number", "gid", "ours"])
def test_one_customer_is_read_whenever_somebody_asks(installed: Onewriter, sandbox: RunningSandbox, name: str) -> None:
    installed.imported(sandbox)
    (customer,) = renamed(sandbox)
    ours = installed.json("customers", "show", str(customer.id))["id"]
    meant = {"number": str(customer.id), "gid": f"gid://shopify/Customer/{customer.id}", "ours": ours}[name]
    for _ in range(2):
        asked = installed.json("sync", "customer", meant)
        assert (asked["shopify_id"], asked["read"], asked["worker_lives"]) == (customer.id, False, False)
    assert "will be read now" in installed("sync", "customer", meant).out
    refetch()
    shown = installed.json("customers", "show", ours, "--reveal", "--why", "to see that it was read")
    assert shown["fields"]["first_name"] == "Renamed"


@pytest.mark.req("K48")
def test_a_customer_that_we_do_not_know_is_made_by_the_read(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    made = sandbox.shop.create(first_name="Unheard")
    worker = work_until_done(refetch)
    found = installed.json("sync", "customer", str(made.id), "--wait")
    worker.join()
    assert (found["read"], found["state"]) == (True, "active")
    assert installed.json("customers", "show", found["customer"])["shopify_id"] == made.id


def test_a_customer_that_shopify_does_not_have_is_not_made(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    worker = work_until_done(refetch)
    told = onewriter.json("sync", "customer", "424242", "--wait", code=FAILED)
    worker.join()
    assert told["error"]["kind"] == "UnknownCustomer"


def test_a_customer_that_is_gone_is_shown_as_deleted(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    gone = next(record.id for record in sandbox.shop.snapshot() if not record.orders)
    sandbox.shop.delete(gone)
    worker = work_until_done(refetch)
    told = onewriter("sync", "customer", str(gone), "--wait")
    worker.join()
    assert told.out.rstrip().endswith("was read, and is deleted.")
    assert "No worker is running" in told.err


@pytest.mark.req("K48")
def test_a_customer_that_waits_for_a_person_is_read_when_a_person_asks(
    onewriter: Onewriter, sandbox: RunningSandbox
) -> None:
    onewriter.imported(sandbox)
    one, other = sandbox.shop.ids[:2]
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        shop_id = shops.every(db)[0].id
        marks.hold(db, shop_id, [one, other], "absence", now())
    worker = work_until_done(refetch)
    assert onewriter.json("sync", "customer", str(one), "--wait")["state"] == "active"
    worker.join()
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        assert marks.standing(db, shop_id, [one, other]) == {other: True}


def test_a_customer_whom_shopify_will_not_show_is_told_so(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    number = sandbox.shop.ids[0]
    sandbox.shop.set_faults({"protected_denied": True})

    def read_to_the_end() -> None:
        with Runtime(settings.load()) as runtime:
            with runtime.database.read() as db:
                shop_id = shops.every(db)[0].id
            ahead = 0
            clock = lambda: now() + ahead  # noqa: E731
            while True:
                Refetch(runtime.database, runtime.client, runtime.vault, clock).once(shop_id)
                with runtime.database.read() as db:
                    if not marks.standing(db, shop_id, [number]):
                        return
                ahead += 3_000_000_000

    worker = work_until_done(read_to_the_end)
    told = onewriter("sync", "customer", str(number), "--wait", code=PARTLY)
    worker.join()
    assert "could not be read to the end" in told.err


@pytest.mark.parametrize("wrong", ["nobody", "a.person@example.com", "0", "9" * 30, "gid://shopify/Order/7"])
def test_what_is_no_id_of_a_customer_is_refused(onewriter: Onewriter, sandbox: RunningSandbox, wrong: str) -> None:
    onewriter.imported(sandbox)
    told = onewriter.json("sync", "customer", wrong, code=FAILED)
    assert told["error"]["kind"] == "UnknownCustomer"
    assert wrong not in told["error"]["message"]


def test_an_id_of_ours_that_nobody_has_is_refused(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    unknown = "01a4b9ed-4900-7b7e-b11d-140a2d70494e"
    assert onewriter.json("sync", "customer", unknown, code=FAILED)["error"]["kind"] == "UnknownCustomer"


def test_an_id_must_be_given(onewriter: Onewriter) -> None:
    onewriter("sync", "customer", code=USAGE)


# ---- Orders ---------------------------------------------------------------------------------------------------------


def test_orders_are_read_when_somebody_asks_or_it_says_why_not(
    installed: Onewriter, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEWRITER_DELIVERY_GRACE_S", "0")
    installed.imported(sandbox)
    refused = installed.json("sync", "orders", code=FAILED)["error"]
    assert (refused["kind"], "no order to read" in refused["message"]) == ("NoOrderRule", True)
    made = sandbox.shop.place_order(sandbox.shop.ids[0], 5_000)
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        shop = shops.every(db)[0]
        shops.change(db, shop.id, {"installed_at": 0})
        rules = 'currency = "USD"\n[order]\npoints_per_unit = 1\n'
        programme.add(db, shops.by_id(db, shop.id), rules, "test", None, now() - 7200 * SECOND)
    assert "order reconcile" in {line["name"] for line in installed.json("check", code=FINDINGS)["checks"]}
    queued = installed.json("sync", "orders")
    assert installed.json("sync", "orders", code=FAILED)["error"]["kind"] == "AlreadyRunning"
    carry_out(queued["run"])
    shown = installed.json("runs", "show", queued["run"])
    assert (shown["kind"], shown["state"], shown["counts"]) == ("orders", "done", {"posted": 1, "lost": 1})
    (found,) = shown["findings"]
    assert (found["kind"], found["evidence"]["order"]) == ("lost order", made.id)
    assert "Queued the order reconcile of sandbox-shop" in installed("sync", "orders").out


def test_orders_are_not_read_without_their_scope(installed: Onewriter) -> None:
    with RunningSandbox(1, 7, faults=Faults(scopes=["read_customers"])) as sandbox:
        installed.connect(sandbox)
    refused = installed.json("sync", "orders", code=FAILED)["error"]
    assert refused["kind"] == "ScopeMissing"
    assert refused["message"].count(".") == 2
