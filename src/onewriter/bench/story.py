"""The story that `onewriter demo` tells: a shop is connected, imported and lives a day, and every claim is checked.

It goes through the public surface, as a person would: it types our own commands in child processes, against a sandbox
shop in another one, and compares with the sandbox's own account of itself, never through our client.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.markup import escape
from sqlalchemy import func, select

from onewriter.bench.story_cases import Cases
from onewriter.bench.story_checks import Check, Differences, compare, leaks
from onewriter.bench.story_points import Hands, Points
from onewriter.bench.story_systems import Systems
from onewriter.customers import find, inbox, marks, profiles, shops
from onewriter.db import tables
from onewriter.db.pointtables import order_marks
from onewriter.desk import entering
from onewriter.desk.caller import Caller
from onewriter.errors import Permanent
from onewriter.runtime import Runtime, now
from onewriter.settings import load
from onewriter.vault.vault import ShopVault

COMMAND = (sys.executable, "-P", "-m", "onewriter")
"""Our own command by this very Python; a module in the current folder is not imported."""
CUSTOMERS = 2_000
SEED = 7
EVENTS = 400
DAY_S = 4
SETTLE_S = 60
REASONS = ("never delivered", "delivered late", "refused", "not applied")
FAULTS = {"duplicate": 0.15, "reorder": 0.2, "lose": 0.05, "delay": 1.0, "retry_scale": 0.001}

_UNREAD = select(func.count()).select_from(order_marks).where(order_marks.c.waits_for.is_(None))
"""Orders that are still to be read. Those of customers that we have not heard of wait for them."""

Say = Callable[[str], None]


class StoryFailed(Permanent):
    """A part of the stage would not start; the story cannot be told."""


@dataclass
class Story:
    """One telling, in a folder of its own. `say` prints a line for people."""

    folder: Path
    say: Say
    customers: int = CUSTOMERS
    info: dict[str, str] = field(default_factory=dict)
    address: str = ""
    loyal: int = 0
    """The customer, by Shopify's number, of whose points there is most to see."""
    drifted: set[int] = field(default_factory=set)
    """The customers that differed when the day was over."""
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _cases: Cases | None = None

    def tell(self) -> list[Check]:
        """Tell it from beginning to end; returns what was checked, in order."""
        self._raise_curtain()
        checks = [*self._install(), self._import_again(), *self._live_a_day()]
        return [*checks, *self._heal(), *self._earn_points(), *self._connect_crm(), self._grep()]

    def somebody(self) -> str:
        """The email address of one customer, to look up."""
        return next(str(row["email"]) for row in self._truth().values() if row["email"])

    def leave_open(self) -> None:
        """Leave something wrong for whoever looks around."""
        if self._cases is not None:
            self._cases.leave_open()

    def welcome(self) -> str | None:
        """The link by which the first person comes in to the pages."""
        with Runtime(self._settings()) as runtime:
            return entering.welcome(Caller(runtime, "user:demo"), self.address)

    def wait(self) -> None:
        """Wait until the service ends."""
        self._children[-1].wait()

    def end(self) -> None:
        """End the child processes that this story started, by their ids."""
        for child in reversed(self._children):
            child.terminate()
        for child in reversed(self._children):
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    # ---- The stage --------------------------------------------------------------------------------------------------

    def _raise_curtain(self) -> None:
        self.say(f"A sandbox shop of {self.customers:,} customers opens, and onewriter's service starts beside it.")
        arguments = ("sandbox", "--customers", str(self.customers), "--seed", str(SEED), "--port", "0", "--json")
        shop = self._start("sandbox", arguments, subprocess.PIPE)
        assert shop.stdout is not None
        line = shop.stdout.readline()
        if not line:
            raise StoryFailed(f"The sandbox did not start; {self.folder / 'sandbox.log'} says why.")
        self.info = json.loads(line)
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._start("serve", ("serve", "--port", str(port)), subprocess.DEVNULL)
        _wait_for(lambda: self._answers("/readyz"), "The service", self.folder / "serve.log")

    def _start(self, name: str, arguments: Sequence[str], stdout: int) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command, with our own arguments
                [*COMMAND, *arguments], stdout=stdout, stderr=log, env=self.environment
            )
        self._children.append(child)
        return child

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which this story's commands are typed."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ONEWRITER_")}
        # This shop's deliveries come within seconds or never, and nobody wants to wait two minutes to be sure of that.
        return inherited | {"ONEWRITER_DATA_DIR": str(self.folder / "data"), "ONEWRITER_DELIVERY_GRACE_S": "0"}

    def _type(self, *arguments: str, shown: str | None = None, **secrets: str) -> "subprocess.CompletedProcess[bytes]":
        """Type one of our commands, as a person would; its bar, if it has one, is seen. Secrets stay unseen.

        `shown` is what people see of the arguments, where a path of this telling would say nothing to them.
        """
        hidden = "".join(f"{variable}=... " for variable in secrets)
        typed = escape(shown or shlex.join(arguments))
        self.say(f"\n[bold]$ {hidden}onewriter {typed}[/bold]")
        return subprocess.run(  # noqa: S603 - our own command, with our own arguments
            [*COMMAND, *arguments], env=self.environment | secrets, check=False
        )

    def _ask(self, *arguments: str) -> Any:
        """The JSON answer of one of our commands, for a check."""
        done = subprocess.run(  # noqa: S603 - our own command, with our own arguments
            [*COMMAND, *arguments, "--json"],
            env=self.environment, check=False, capture_output=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    def _answers(self, path: str) -> bool:
        try:
            return _call(self.address, "GET", path)[0] == 200
        except OSError:
            return False

    def _sandbox(self, what: str, **given: Any) -> Any:
        status, body = _call(self.info["admin_url"], "POST", f"/_sandbox/{what}", json.dumps(given).encode())
        if status != 200:
            raise StoryFailed(f"The sandbox would not {what} ({status}).")
        return json.loads(body)

    # ---- The acts ---------------------------------------------------------------------------------------------------

    def _install(self) -> list[Check]:
        self._sandbox("faults", retry_scale=FAULTS["retry_scale"])
        secrets = {
            "SHOPIFY_ACCESS_TOKEN": self.info["access_token"],
            "SHOPIFY_API_SECRET": self.info["api_secret"],
        }
        where = ("--admin-url", self.info["admin_url"], "--public-url", self.address)
        began = time.monotonic()
        connected = self._type("shop", "connect", self.info["domain"], *where, **secrets)
        took_s = time.monotonic() - began
        self._type("runs", "watch")
        runs = self._ask("runs", "list")
        first = self._ask("runs", "show", runs[-1]["id"])
        truth = self._truth()
        found = self._compare(truth)
        background = connected.returncode == 0 and len(runs) == 1
        whole = first["state"] == "done" and self._active() == len(truth) == first["total"]
        return [
            Check(
                "Connecting came back at once, with one import queued", background, f"{took_s:.1f} s, {len(runs)} run"
            ),
            Check("Every customer of the shop is here, once", whole, f"{self._active():,} of {len(truth):,}"),
            Check("Each field of each of them is as in the shop", not found.wrong, found.told()),
        ]

    def _import_again(self) -> Check:
        self._type("sync", "import", "--wait")
        counts = self._ask("runs", "list")[0]["counts"]
        held = counts.get("unchanged") == self.customers
        return Check("Importing again changed nothing", held, f"{counts.get('unchanged', 0):,} unchanged")

    def _live_a_day(self) -> list[Check]:
        self.say(
            f"\nThe shop lives a day in {DAY_S} seconds: {EVENTS} events, with deliveries that come twice, late, out "
            "of order, or never."
        )
        self._sandbox("faults", **FAULTS)
        played = self._sandbox("play", events=EVENTS, seconds=DAY_S)
        self.say("  " + ", ".join(f"{count} {name}" for name, count in sorted(played.items()) if count))
        self._settle()
        deliveries = self._deliveries()
        lost = {each["customer_id"] for each in deliveries if each["status"] == "lost"}
        truth = self._truth()
        differences = self._compare(truth)
        self.drifted = set(differences.wrong)
        untraced = {number for number in differences.wrong if number not in lost}
        return [
            *self._check_inbox(deliveries),
            Check(
                "Whoever's deliveries came, in whatever order, is as in the shop",
                not untraced,
                f"{len(truth) - len(differences.wrong):,} equal",
            ),
            Check(
                "Each difference left is a delivery that the shop lost",
                not untraced,
                f"{len(differences.wrong)} differ, {len(lost)} customers had a loss",
            ),
        ]

    def _check_inbox(self, deliveries: Sequence[dict[str, Any]]) -> list[Check]:
        acknowledged = {each["webhook_id"] for each in deliveries if each["status"] == "acknowledged"}
        twice = sum(each["copies"] > 1 for each in deliveries if each["status"] == "acknowledged")
        with Runtime(self._settings()) as runtime, runtime.database.read() as db:
            kept = Counter(db.execute(select(tables.inbox.c.webhook_id)).scalars())
            states = inbox.counts(db)
        missing = acknowledged - kept.keys()
        waiting = states.get("waiting", 0) + states.get("parked", 0)
        return [
            Check(
                "Every delivery that was acknowledged is on disk", not missing, f"{len(acknowledged):,} acknowledged"
            ),
            Check("What came twice was written once", max(kept.values()) == 1, f"{twice} came twice"),
            Check("Nothing waits and nothing is parked", waiting == 0, f"{states.get('done', 0):,} applied"),
        ]

    def _heal(self) -> list[Check]:
        self.say("\nA reconcile compares every customer with the shop, reports what had drifted and why, and heals it.")
        self._type("sync", "reconcile", "--wait")
        self._settle()
        truth = self._truth()
        found = self._compare(truth)
        counts = self._ask("runs", "list")[0]["counts"]
        reported = self._reported()
        reasons = ", ".join(f"{counts[why]} {why}" for why in REASONS if counts.get(why))
        return [
            Check("After a reconcile every customer is as in the shop", not found.wrong, found.told()),
            Check(
                "Whatever had drifted was reported, with the reason",
                self.drifted <= reported,
                f"{len(reported)} customers; {reasons or 'nothing had drifted'}",
            ),
        ]

    def _reported(self) -> set[int]:
        """The customers that findings tell of, by Shopify id."""
        of = tables.customers.c.id == tables.findings.c.customer_id
        query = select(tables.customers.c.shopify_id).join(tables.findings, of)
        with Runtime(self._settings()) as runtime, runtime.database.read() as db:
            return set(db.execute(query).scalars())

    @property
    def _hands(self) -> Hands:
        return Hands(self.say, self._type, self._ask, self._sandbox, self._settle)

    def _connect_crm(self) -> list[Check]:
        systems = Systems(self._hands, self.folder, self._truth)
        checks = systems.tell()
        self._cases = Cases(self._hands, systems)
        return [*checks, *self._cases.tell()]

    def _earn_points(self) -> list[Check]:
        act = Points(self._hands, self.folder)
        checks = act.tell()
        self.loyal = act.kept
        return checks

    def _grep(self) -> Check:
        # The CRM's own file is the shop's and not ours.
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.stem != "crm"]
        found = leaks(files, self._truth())
        detail = f"{len(files)} files searched" if not found else f"{len(found)} values found"
        return Check("No name, address, email or phone stands readable in our files and logs", not found, detail)

    # ---- What is so -------------------------------------------------------------------------------------------------

    def _settings(self) -> Any:
        return load(self.environment, self.folder)

    def _truth(self) -> dict[int, dict[str, Any]]:
        body = _call(self.info["admin_url"], "GET", "/_sandbox/customers")[1]
        return {row["id"]: row for row in map(json.loads, body.splitlines())}

    def _deliveries(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(_call(self.info["admin_url"], "GET", "/_sandbox/deliveries")[1])
        return rows

    def _active(self) -> int:
        with Runtime(self._settings()) as runtime, runtime.database.read() as db:
            return find.count_active(db, shops.every(db)[0].id)

    def _compare(self, truth: dict[int, dict[str, Any]]) -> Differences:
        with Runtime(self._settings()) as runtime:
            vault = self._vault(runtime)
            with runtime.database.read() as db:
                active = select(tables.customers.c.shopify_id).where(tables.customers.c.state == "active")
                held = profiles.load(db, vault, list(db.execute(active).scalars()))
        ours = {number: profile.own for number, profile in held.items()}
        return compare(truth, ours)

    def _vault(self, runtime: Runtime) -> ShopVault:
        with runtime.database.read() as db:
            return runtime.vault(shops.every(db)[0].id)

    def _settle(self) -> None:
        """Wait until the shop has nothing more to deliver and we have nothing more to apply or to read."""
        self._sandbox("settle", seconds=SETTLE_S)
        with Runtime(self._settings()) as runtime:
            shop_id = self._vault(runtime).shop_id

            def quiet() -> bool:
                with runtime.database.read() as db:
                    waits = inbox.any_ready(db, now()) or marks.count(db, shop_id) or db.execute(_UNREAD).scalar_one()
                    return not waits

            _wait_for(quiet, "The inbox", self.folder / "serve.log")


def _wait_for(reached: Callable[[], bool], what: str, log: Path) -> None:
    deadline = time.monotonic() + SETTLE_S
    while not reached():
        if time.monotonic() > deadline:
            raise StoryFailed(f"{what} was not ready after {SETTLE_S} seconds; {log} may say why.")
        time.sleep(0.1)


def _call(address: str, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    split = urlsplit(address)
    connection = HTTPConnection(split.hostname or "", split.port, timeout=SETTLE_S + 10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
