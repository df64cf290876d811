"""A living shop: its customers, the CRM beside it, and the real engine between them, all by one clock.

The shop is played: what it holds is in `held`, and the engine hears of it as of any delivery. Everything else is real:
the databases, the vault, the policy, the cycles and the log.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select

from onewriter.bench.living.crm import FIELDS, HistoricalCrm
from onewriter.customers import owned, policies, questions, runs, shops, systems
from onewriter.customers.runs import Run
from onewriter.db.tables import customers
from onewriter.intake.apply import apply
from onewriter.records import FIELDS as OWN_FIELDS
from onewriter.records import HOUR, SECOND, SHOPIFY, Change, Instant, Kind, iso, parse_instant
from onewriter.records import Path as How
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from onewriter.runtime import Runtime
from onewriter.settings import load
from onewriter.shopify.auth import Credentials
from onewriter.shopify.tokens import seal_credentials
from onewriter.workflows import cycling
from onewriter.workflows.answers import carry_out_answer

START: Instant = parse_instant("2026-03-02T10:00:00+00:00")
EVERY: Instant = 6 * HOUR
CRM = "crm"
TIER = "custom.tier"
ANY = 1_000_000_000
CONNECTOR = "connector"
NOBODYS = "nobody listens"


@dataclass(frozen=True, slots=True)
class Act:
    """One write of a field in the shop, and how far the CRM's history was then."""

    after: int
    at: Instant
    who: str
    id: int
    name: str
    old: Any
    new: Any
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What both sides held at the end of a cycle."""

    cycle: int
    shop: Mapping[int, Mapping[str, Any]]
    crm: Mapping[int, Mapping[str, Any]]


@dataclass(slots=True)
class LivingShop:
    """The shop, its CRM, and the engine."""

    runtime: Runtime
    shop_id: int
    crm: HistoricalCrm
    rng: Random
    moment: Instant = START
    skew: Instant = 0
    """By how much the CRM's clock is ahead."""
    held: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What the shop holds, by customer."""
    made: dict[int, Instant] = field(default_factory=dict)
    gone: dict[int, Instant] = field(default_factory=dict)
    redacted: set[int] = field(default_factory=set)
    acts: list[Act] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    reach: dict[str, int] = field(default_factory=dict)
    """Run: how far the CRM's history was at its end."""
    policy: Policy = field(default_factory=Policy)

    # ---- The shop's own life ----------------------------------------------------------------------------------------

    def edit(self, who: str, number: int, *, heard: bool = True, run: str | None = None, **fields: Any) -> None:
        """Somebody writes fields of a customer in the shop; where it is not heard, its delivery was lost."""
        self.moment += SECOND
        before = self.held.setdefault(number, {})
        self.made.setdefault(number, self.moment)
        named = {name.replace("__", "."): value for name, value in fields.items()}
        after = self.crm.length()
        changed = {name: value for name, value in named.items() if before.get(name) != value}
        self.acts += [
            Act(after, self.moment, who, number, name, before.get(name), value, run) for name, value in changed.items()
        ]
        before.update(changed)
        if heard:
            self.hear(number)

    def hear(self, number: int) -> None:
        """The engine hears of a customer as it is now."""
        told = {name: value for name, value in self.held[number].items() if name != TIER}
        self._apply(Change(number, Kind.PRESENT, How.READ, told, self.moment, self.moment, created=self.made[number]))

    def delete(self, number: int, *, redacted: bool = False) -> None:
        """A customer is deleted in the shop, for good."""
        self.moment += SECOND
        self.gone[number] = self.moment
        if redacted:
            self.redacted.add(number)
        self._apply(Change(number, Kind.DELETED, How.WEBHOOK, {}, None, self.moment, position=8))

    def merge(self, number: int, into: int) -> None:
        """A customer is merged into another, in the shop; the engine hears of it."""
        self.moment += SECOND
        self.gone[number] = self.moment
        self._apply(Change(number, Kind.MERGED, How.WEBHOOK, {}, None, self.moment, position=9, into=into))
        self._apply(Change(number, Kind.ABSENT, How.READ, {}, None, self.moment))

    def _apply(self, change: Change) -> None:
        with self.runtime.database.write() as db:
            apply(db, self.runtime.vault(self.shop_id), [change], self.moment)

    # ---- Cycles -----------------------------------------------------------------------------------------------------

    def cycle(self, *, looked: bool = True) -> Run:
        """One cycle of the CRM to its end, what the shop is told of it, and a look at both sides."""
        self.moment += EVERY
        with self.runtime.database.write() as db:
            run_id = cycling.queue(self.runtime, db, self.shop_id, CRM, "bench", self.moment)
        self.crm.set_clock(self.stamp, run_id)
        with self.runtime.database.write() as db:
            begun = runs.begin(db, run_id, self.moment)
        run = cycling.carry_out_cycle(self.runtime, begun, lambda _seconds: None)
        self.crm.set_clock(self.stamp, None)
        if self._answer():
            return self.cycle(looked=looked)
        self.runs.append(run)
        self.reach[run_id] = self.crm.length()
        self._tell_shop(run_id)
        if looked:
            self.looks.append(Look(len(self.runs), _copied(self.held), _copied(self.crm.people())))
        return run

    @property
    def stamp(self) -> str:
        """What the CRM's clock says."""
        return str(iso(self.moment + self.skew)).removesuffix("Z").replace("T", " ")

    def _answer(self) -> bool:
        """Answer yes to whatever a cycle asks; whether anything was asked."""
        with self.runtime.database.write() as db:
            asked = questions.waiting(db, 10)
            for question in asked:
                answered = questions.answer(
                    db, question.id, next(iter(question.answers)), "bench", "agreed", self.moment
                )
                carry_out_answer(db, self.runtime.vault, answered, self.moment)
        return bool(asked)

    def _tell_shop(self, run_id: str) -> None:
        """What other systems own is written to the shop, as the cycle of Shopify does."""
        rules = self.policy.fields.items()
        others = {name for name, rule in rules if rule.shared is not None or rule.owner != SHOPIFY}
        with self.runtime.database.read() as db:
            vault = self.runtime.vault(self.shop_id)
            rows = db.execute(select(customers.c.id, customers.c.shopify_id)).all()
            known = {bytes(row.id): row.shopify_id for row in rows if row.shopify_id in self.held}
            values = owned.load(db, vault, list(known))
        for customer, each in values.items():
            number = known[customer]
            told = {name: each.fields.get(name) for name in others if name in each.fields}
            wrong = {name: value for name, value in told.items() if self.held[number].get(name) != value}
            if wrong and number not in self.gone:
                self.edit(CONNECTOR, number, heard=False, run=run_id, **wrong)

    # ---- Setting up -------------------------------------------------------------------------------------------------

    def connect(self, maps: Mapping[str, FieldMap], rules: Mapping[str, FieldRule], *, creates: bool = True) -> None:
        """Connect the CRM, as if a person had agreed to all of it; these mappings and rules beside the usual."""
        self.policy = usual_policy(maps, rules)
        configuration = {"url": f"sqlite:///{self.crm.file}", "table": "people", "key": "id", "updated": "updated"}
        vault = self.runtime.vault(self.shop_id)
        box = systems.seal_configuration(vault, CRM, configuration | {"lookup": ["shop_no", "mail"]})
        values = {"kind": "sql", "state": systems.ACTIVE, "box": box, "creates": creates, "full_hours": 1}
        since = {"added_at": self.moment, "added_by": "bench", "changed_at": self.moment}
        with self.runtime.database.write() as db:
            systems.add(db, self.shop_id, CRM, {**values, **since, "agreed_version": 0, "allowed": {}})
        self.agree(self.policy)

    def agree(self, policy: Policy) -> None:
        """Put a policy in force, and agree to whatever it writes."""
        with self.runtime.database.write() as db:
            before = policies.of_shop(db, self.shop_id)
            saved = policies.save(db, self.shop_id, replace(policy, version=before.version), "bench", None, self.moment)
            allowed = dict.fromkeys(policy.maps(CRM), ANY)
            systems.change(db, self.shop_id, CRM, self.moment, agreed_version=saved.version, allowed=allowed)
        self.policy = saved


def usual_policy(maps: Mapping[str, FieldMap], rules: Mapping[str, FieldRule]) -> Policy:
    """The shop owns everything but the tier, which is the CRM's; but for these mappings and rules."""
    owners = dict.fromkeys(OWN_FIELDS, SHOPIFY) | {TIER: CRM}
    fields = {name: FieldRule(owner=owner) for name, owner in owners.items()} | dict(rules)
    usual = {name: FieldMap(remote=column, direction=_way(fields.get(name))) for name, column in FIELDS.items()}
    consent = FieldMap(remote=FIELDS["email_consent"], direction=Direction.OUT, transform="consent_state")
    return Policy(fields=fields, systems={CRM: usual | {"email_consent": consent} | dict(maps)})


def _way(rule: FieldRule | None) -> Direction:
    return Direction.IN if rule is not None and rule.owner == CRM else Direction.OUT


@contextmanager
def living(folder: Path, rng: Random) -> Iterator[LivingShop]:
    """A living shop in a folder, without a customer yet."""
    environment = {
        "ONEWRITER_DATABASE_URL": f"sqlite:///{folder}/onewriter.db",
        "ONEWRITER_KEYSTORE_URL": f"sqlite:///{folder}/keys.db",
        "ONEWRITER_DATA_DIR": str(folder),
    }
    with Runtime(load(environment, folder)) as runtime:
        runtime.prepare()
        shop_id = _connected(runtime)
        shop = LivingShop(runtime, shop_id, HistoricalCrm(folder / "crm.db"), rng)
        runtime.now = lambda: shop.moment
        shop.crm.make()
        shop.crm.set_clock(shop.stamp)
        yield shop


def _connected(runtime: Runtime) -> int:
    domain = "living.myshopify.com"
    columns: dict[str, Any] = {"domain": domain, "admin_url": f"https://{domain}", "public_url": "https://127.0.0.1"}
    columns |= {"api_version": "2026-10", "region": "GB", "state": "connected", "scopes": ["read_customers"]}
    credentials = Credentials("token", access_token=NOBODYS, api_secrets=(NOBODYS,))
    with runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"box": b"", "installed_at": START, "connected_at": START})
        key = runtime.keys.make_shop_key(shop_id, START)
        shops.change(db, shop_id, {"box": seal_credentials(key, shop_id, credentials)})
    return shop_id


def _copied(held: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    return {number: dict(fields) for number, fields in held.items()}
