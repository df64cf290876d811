"""`onewriter programme`: the rules are shown, set and tried, and every refusal is one sentence."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from onewriter import settings
from onewriter.cli import programme as cli_programme
from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.customers import runs, shops
from onewriter.db.tables import customers
from onewriter.loyalty import entries, programme
from onewriter.records import DAY, Entry, EntryKind, RunState, parse_instant, sortable_id
from onewriter.rules.earning import UNIT
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from tests.faces.conftest import Onewriter, carry_out

SCOPES = ["read_customers", "write_customers", "read_customer_merge"]
GIFTS = "[signup]\npoints = 50\n\n[newsletter]\npoints = 20\n"
ORDERS = '[order]\npoints_per_unit = "1.5"\nminimum = "10.00"\n'


@pytest.fixture
def selling() -> Iterator[RunningSandbox]:
    """A sandbox shop of 12 customers whose token may read orders."""
    with RunningSandbox(12, 7, faults=Faults(scopes=[*SCOPES, "read_orders"])) as running:
        yield running


def currency_of(onewriter: Onewriter) -> str:
    currency: str = onewriter.json("shop", "show")["currency"]
    return currency


def written(onewriter: Onewriter, text: str, *, currency: str | None = None) -> str:
    """A file with these rules, in the folder where the command is given."""
    Path("rules.toml").write_text(f'currency = "{currency or currency_of(onewriter)}"\n\n{text}')
    return "rules.toml"


def set_rules(onewriter: Onewriter, text: str) -> int:
    version: int = onewriter.json("programme", "set", written(onewriter, text), "--yes")["version"]
    return version


# ---- Show -----------------------------------------------------------------------------------------------------------


def test_without_a_programme_nobody_earns(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    assert (
        "has no programme yet, so nobody earns points; `onewriter programme set FILE`"
        in installed("programme", "show").out
    )
    assert installed.json("programme", "show") == {
        "shop": selling.info.domain, "version": None, "since": None, "rules": {}, "toml": None, "versions": [],
    }  # fmt: skip
    assert "has no programme: none is set yet; run" in installed("programme", "show", "--toml", code=FAILED).err
    assert "no version 1 of its programme" in installed("programme", "show", "--version", "1", code=FAILED).err


def test_the_rules_are_shown_with_every_version(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    file = written(installed, GIFTS)
    installed("programme", "set", file, "--why", "spring", "--yes")
    set_rules(installed, ORDERS)
    told = installed("programme", "show").out
    assert f"Version 2 of the programme of {selling.info.domain}, since 20" in told
    assert "order     1.5 points for each" in told
    assert "spring" in told
    first = installed.json("programme", "show", "--version", "1")
    assert (first["version"], first["set_by"], first["why"]) == (1, actor(), "spring")
    assert first["rules"] == {"currency": currency_of(installed), "signup": "50 points", "newsletter": "20 points"}
    assert [one["version"] for one in first["versions"]] == [1, 2]
    assert abs(parse_instant(first["since"]) - now()) < DAY
    assert installed("programme", "show", "--version", "1", "--toml").out.endswith(f"\n\n{GIFTS}")
    assert (
        "has no version 3 of its programme: there are 2."
        in installed("programme", "show", "--version", "3", code=FAILED).err
    )


def test_what_is_shown_as_a_file_sets_the_same_rules(
    installed: Onewriter, selling: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.connect(selling)
    set_rules(installed, GIFTS + ORDERS)
    shown = installed("programme", "show", "--toml").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shown.encode())))
    again = installed.json("programme", "set", "-")
    assert (again["version"], again["set"], again["changes"]) == (1, False, [])


# ---- Set ------------------------------------------------------------------------------------------------------------


def test_setting_shows_what_changes_and_needs_to_be_confirmed(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    file = written(installed, GIFTS)
    refused = installed("programme", "set", file, code=USAGE)
    assert "add --yes" in refused.err
    assert installed.json("programme", "show")["version"] is None
    told = installed("programme", "set", file, "--yes").out
    assert [line.split() for line in told.splitlines() if line.startswith("signup")] == [
        ["signup", "off", "50", "points"]
    ]
    assert "They count from 20" in told
    assert f"Set as version 1 of the programme of {selling.info.domain}, since 20" in told
    changed = installed.json("programme", "set", written(installed, GIFTS.replace("50", "60")), "--yes")
    assert (changed["version"], changed["set"]) == (2, True)
    assert changed["changes"] == [{"rule": "signup", "before": "50 points", "after": "60 points"}]


def test_a_person_is_asked_and_may_decline(
    installed: Onewriter, selling: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    installed.connect(selling)
    file = written(installed, GIFTS)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    told = installed("programme", "set", file, code=FAILED)
    assert f"Set these rules for {selling.info.domain}?" in told.err
    assert "Nothing was changed." in told.err
    assert "signup" in told.out, "what is asked about is shown first"
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    installed("programme", "set", file)
    assert installed.json("programme", "show")["version"] == 1


def test_rules_that_somebody_else_set_meanwhile_are_looked_at_first(
    installed: Onewriter, selling: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.connect(selling)
    file = written(installed, GIFTS)

    def set_others(_question: str, _yes: bool) -> None:
        with Runtime(settings.load()) as runtime, runtime.database.write() as db:
            shop = shops.every(db)[0]
            programme.add(db, shop, f'currency = "{shop.currency}"', "user:bob", None, now())

    monkeypatch.setattr(cli_programme, "confirm", set_others)
    assert "Somebody set other rules meanwhile" in installed("programme", "set", file, code=FAILED).err


def test_the_same_rules_again_make_no_version_and_say_so(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    set_rules(installed, GIFTS)
    told = installed("programme", "set", written(installed, "# The same.\n" + GIFTS))
    assert told.out.startswith("These are the rules of version 1 already, since 20")
    assert len(installed.json("programme", "show")["versions"]) == 1


def test_rules_for_orders_are_refused_while_the_token_cannot_read_orders(
    installed: Onewriter, selling: RunningSandbox
) -> None:
    selling.shop.set_faults({"scopes": SCOPES})
    installed.connect(selling)
    file = written(installed, ORDERS)
    refused = installed.json("programme", "set", file, "--yes", code=FAILED)["error"]
    assert refused["kind"] == "ScopeMissing"
    assert refused["message"].startswith("The token lacks the scope read_orders, so orders earn no points")
    assert installed.json("programme", "show")["version"] is None
    assert installed.json("programme", "check", file)["refused"] == refused["message"]
    assert f"These rules cannot be set as things are: {refused['message']}" in installed("programme", "check", file).out


@pytest.mark.parametrize("command", ["set", "check"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('currency = "XXX"', 'currency must be "'),
        ("[order]\npoints_per_unit = 1\nrounding = 3", "order.rounding must be down, nearest or up."),
        ("currency = ", "A programme must be a TOML file: "),
        ("é".encode("latin-1"), "A programme must be a text file in UTF-8."),
        (b"# " + b"x" * 70_000, "A programme must be a file of at most 64 KiB."),
    ],
)
def test_a_file_that_is_wrong_is_a_usage_error(
    installed: Onewriter, selling: RunningSandbox, command: str, text: str | bytes, sentence: str
) -> None:
    installed.connect(selling)
    given = text if isinstance(text, bytes) else text.encode()
    head = b"" if given.startswith(b"currency") else f'currency = "{currency_of(installed)}"\n'.encode()
    Path("rules.toml").write_bytes(head + given)
    told = installed("programme", command, "rules.toml", code=USAGE)
    assert told.err.startswith(f"Error: {sentence}")
    assert told.err.count("\n") == 1


def test_a_file_that_is_not_there_is_a_usage_error(onewriter: Onewriter) -> None:
    assert "No such file" in onewriter("programme", "set", "gone.toml", code=USAGE).err


def test_a_byte_order_mark_is_no_error(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    file = Path(written(installed, GIFTS))
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    installed("programme", "set", str(file), "--yes")
    assert installed("programme", "show", "--toml").out.startswith("currency")


@pytest.mark.req("K11")
def test_rules_are_set_while_an_import_runs(installed: Onewriter, selling: RunningSandbox) -> None:
    run_id = installed.connect(selling)["run"]
    file = written(installed, GIFTS)
    selling.shop.set_faults({"bulk_seconds": 3.0})
    worker = threading.Thread(target=carry_out, args=(run_id,))
    worker.start()
    with Runtime(settings.load()) as runtime:
        while not _is(runtime, run_id, RunState.RUNNING):
            worker.join(0.01)
    assert installed.json("programme", "set", file, "--yes")["version"] == 1
    with Runtime(settings.load()) as runtime:
        assert _is(runtime, run_id, RunState.RUNNING), "it was set in the middle"
    worker.join()
    assert installed.json("runs", "show", run_id)["state"] == "done"
    assert installed.json("shop", "show")["customers"] == 12


def _is(runtime: Runtime, run_id: str, state: RunState) -> bool:
    with runtime.database.read() as db:
        return runs.get(db, run_id).state is state


# ---- Check ----------------------------------------------------------------------------------------------------------


def test_a_check_shows_who_would_get_what_and_changes_nothing(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.imported(selling)
    set_rules(installed, GIFTS + ORDERS)
    post_orders(3)
    file = written(
        installed,
        GIFTS.replace("50", "70")
        + ORDERS.replace("1.5", "2")
        + '[expiry]\ninactivity_days = 90\n[exclude]\ntags = ["x"]',
    )
    found = installed.json("programme", "check", file)
    assert found["compared_with"] == 1
    assert found["refused"] is None
    assert [each["rule"] for each in found["changes"]] == ["signup", "order", "inactivity", "excluded"]
    orders = found["orders"]
    assert (orders["computed"], orders["of"], orders["then"], orders["now"], orders["customers"]) == (3, 3, 90, 120, 3)
    assert {(each["then"], each["now"]) for each in orders["greatest"]} == {(30, 40)}
    signup = found["signup"]
    assert (signup["points_each"], signup["have"], signup["without"], signup["older"]) == (70, 0, 0, 12)
    assert (signup["points"], signup["award_points"]) == (0, 840)
    assert found["newsletter"]["points"] == 20 * found["newsletter"]["without"]
    assert abs(parse_instant(found["endings"]["not_before"]) - now() - 90 * DAY) < DAY
    assert found["excluded"] == {"customers": 0, "unread": 0}
    told = installed("programme", "check", file).out
    for words in (
        "Compared with version 1",
        "The newest 3 of the 3 orders that earned gave 90 points.",
        "By these rules they would give 120.\nCustomers for whom it makes a difference: 3.",
        "Created since the install without them: 0; there before it: 12.",
        "`onewriter points award signup` would give\nthem 840 points at most, 0 of these to those since the install.",
        "nothing of theirs can end by inactivity before 20",
        "Customers with an excluded tag now: 0.",
    ):
        assert words in told
    assert installed.json("programme", "show")["versions"][-1]["version"] == 1


def test_a_check_before_any_programme(installed: Onewriter, selling: RunningSandbox) -> None:
    installed.connect(selling)
    file = written(installed, GIFTS)
    assert installed.json("programme", "check", file)["compared_with"] is None
    told = installed("programme", "check", file).out
    assert "Compared with no rules" in told
    assert "No order has earned points yet" in told
    set_rules(installed, GIFTS)
    assert "These are the rules of the newest version" in installed("programme", "check", file).out


def post_orders(many: int) -> None:
    """Give that many customers an order of 20 that earned 30 points."""
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        rows = db.execute(select(customers.c.id, customers.c.shop_id).limit(many)).all()
        entries.add(db, rows[0].shop_id, [_order(bytes(row.id), number) for number, row in enumerate(rows, 1)])


def _order(customer: bytes, number: int) -> Entry:
    return Entry(
        id=sortable_id(now(), os.urandom(10)), customer_id=customer, origin_id=customer, kind=EntryKind.EARN, points=30,
        rule="order", rule_version=1, reference=str(number), order_id=number, amount=20 * UNIT, occurred_at=now(),
        available_at=now(),
    )  # fmt: skip
