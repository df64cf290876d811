"""What a cycle is about to do, counted before it does anything: by field, by owner and by way.

A cycle that would change too much at once stops before its first write (decision 0024): a wrong owner, a mapping to the
wrong column or an emptied table would else be carried to every customer in one night.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from onewriter.customers import optouts, owned, pending, remote
from onewriter.customers.links import BROKEN, REVIEW
from onewriter.customers.pending import ALL
from onewriter.db.engine import Database
from onewriter.db.tables import customers, links, sides
from onewriter.intake.drafts import draft
from onewriter.intake.inbound import Standing, the_one
from onewriter.intake.reading import Reading, comes_in
from onewriter.intake.targets import Target
from onewriter.loyalty.balances import with_points
from onewriter.records import SHOPIFY, Instant, id_text
from onewriter.rules import settling
from onewriter.rules.limits import too_many
from onewriter.rules.policy import CONSENTS, Policy

AT_ONCE = 500
LINES_MAX = 1_000
OPT_INS_MAX = 20
"""So many people can have asked one by one since the last cycle; more consents are given by somebody else's hand."""
IN, OUT, MAKE = "in", "out", "make"
NEW_RECORDS = "new records"
"""What records that would be made count as, among the fields."""


@dataclass(frozen=True, slots=True)
class Line:
    """One value that would be written: whose, which field, and which way. The value itself is not here."""

    customer: str
    field: str
    way: str
    owner: str | None


@dataclass(slots=True)
class Plan:
    """What would be written, counted."""

    linked: int = 0
    takes: Counter[str] = field(default_factory=Counter)
    """Field: values that would come in from the system."""
    empties: Counter[str] = field(default_factory=Counter)
    """Field: how many of them would empty it."""
    sends: Counter[str] = field(default_factory=Counter)
    """Field: values that would be written to the system."""
    makes: int = 0
    """Records that would be made there."""
    refused: Counter[str] = field(default_factory=Counter)
    """Field: values that would be parked."""
    opt_ins: int = 0
    opted_out: set[tuple[bytes, str]] = field(default_factory=set)
    """Who has opted out there and not here, and from which consent: it is not written over."""
    lines: list[Line] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """True if there is nothing to write."""
        return not (self.takes or self.sends or self.makes)

    def too_many(self, allowed: Mapping[str, int]) -> dict[str, int]:
        """The fields of which more values would change than one cycle may change unasked: field: how many."""
        every = self.takes + self.sends + Counter({NEW_RECORDS: self.makes})
        return {
            name: count
            for name, count in sorted(every.items())
            if too_many(count, self.linked) and count > allowed.get(name, 0)
        }

    def document(self) -> dict[str, object]:
        """The counts, as a run keeps them and a question shows them."""
        return {
            "linked": self.linked, "in": dict(self.takes), "out": dict(self.sends), "make": self.makes,
            "parked": dict(self.refused), "opt_ins": self.opt_ins, "empty": dict(self.empties),
            "opt_outs": dict(Counter(name for _customer, name in self.opted_out)),
        }  # fmt: skip


def rough(db: Connection, reading: Reading) -> Plan:
    """At most how much would be written, counted without opening anything: enough to tell that it is not too much."""
    shop, system = reading.vault.shop_id, reading.system
    plan = Plan(linked=linked_count(db, shop, system))
    for name, count in pending.count(db, shop, system).items():
        if name != ALL:
            plan.sends[name] += count
    plan.makes = pending.count(db, shop, system).get(ALL, 0)
    # Of one who has a record there already, such a mark stands for every field.
    whole = pending.whole_of_linked(db, shop, system)
    plan.sends.update({name: whole for name in reading.policy.goes_out(system) if whole})
    wanted = select(sides.c.unclean).where(
        sides.c.shop_id == shop, sides.c.system == system, sides.c.unclean.is_not(None)
    )
    ways = comes_in(reading.policy, system)
    for unclean in db.execute(wanted.execution_options(yield_per=AT_ONCE)).scalars():
        plan.takes.update(name for name in unclean if name in ways)
    return plan


def exact(database: Database, target: Target, clock: Callable[[], Instant]) -> Plan:
    """Just what would be written, each value looked at; nothing is changed for it."""
    reading = target.reading
    shop, system = reading.vault.shop_id, reading.system
    with database.read() as db:
        plan = Plan(linked=linked_count(db, shop, system))
        plan.makes = pending.count(db, shop, system).get(ALL, 0)
        plan.opted_out = optouts.told_by(db, shop, system)
    after, ways = "", comes_in(reading.policy, system) | (reading.policy.goes_out(system) & {*CONSENTS})
    # What Shopify says is taken in as it comes, and never waits for a cycle.
    while system != SHOPIFY:
        with database.read() as db:
            some, after = remote.unclean(db, shop, system, ways, after, AT_ONCE)
            if not after:
                break
            _count_in(db, reading, plan, [customer for customer, _name in some], clock())
    last = b""
    while True:
        with database.read() as db:
            ids = pending.customers_due(db, shop, system, clock(), after=last, most=AT_ONCE)
            if not ids:
                return plan
            last = ids[-1]
            _count_out(db, target, plan, ids, clock())


def _count_in(db: Connection, reading: Reading, plan: Plan, ids: list[bytes], now: Instant) -> None:
    people = owned.load(db, reading.vault, ids, reading.policy.namespaces)
    records = remote.of_customers(db, reading.vault, reading.system, ids)
    standing = Standing.look(db, reading, list(people), now)
    for customer, person in people.items():
        one = the_one(records.get(customer, ()))
        if one is None or not person.live:
            continue
        settled = settling.settle(reading.policy, reading.system, standing.meeting(person, one), region=reading.region)
        plan.opted_out |= {(customer, name) for name in settled.opt_outs}
        plan.takes.update(list(settled.take))
        plan.empties.update(name for name, value in settled.take.items() if value is None)
        plan.refused.update(list(settled.refused))
        plan.opt_ins += sum(
            1 for name, value in settled.take.items() if name in CONSENTS and (value or {}).get("state") == "subscribed"
        )
        _tell(plan, reading.policy, customer, settled.take, IN)


def _count_out(db: Connection, target: Target, plan: Plan, ids: list[bytes], now: Instant) -> None:
    reading = target.reading
    people = owned.load(db, reading.vault, ids, reading.policy.namespaces)
    with_points(db, reading.vault, reading.policy, reading.system, people, now)
    optouts.hold(db, reading.vault, reading.policy, reading.system, people, now)
    held = target.held(db, ids)
    marks: dict[bytes, list[pending.Pending]] = {}
    for each in pending.of_customers(db, reading.vault.shop_id, reading.system, ids):
        marks.setdefault(each.customer_id, []).append(each)
    for customer, its in marks.items():
        person, record = people.get(customer), held.get(customer)
        if person is None or not person.live:
            continue
        made = draft(reading, person, record, its)
        plan.refused.update(one.field for one in made.unplaced)
        if record is not None:
            plan.sends.update(list(made.fields))
        _tell(plan, reading.policy, customer, made.fields, OUT if record else MAKE)


def _tell(plan: Plan, policy: Policy, customer: bytes, fields: Mapping[str, object], way: str) -> None:
    for name in fields:
        if len(plan.lines) < LINES_MAX:
            plan.lines.append(Line(id_text(customer), name, way, policy.owner_of(name)))


def linked_count(db: Connection, shop_id: int, system: str) -> int:
    """How many records of a system are some customer's."""
    theirs = (sides.c.shop_id == shop_id, sides.c.system == system, sides.c.customer_id.is_not(None))
    return db.execute(select(func.count()).select_from(sides).where(*theirs)).scalar_one()


def strangers_count(db: Connection, shop_id: int, system: str) -> int:
    """How many records of a system are nobody's and wait for nobody's decision."""
    waits = select(links.c.record_id).where(
        links.c.shop_id == shop_id, links.c.system == system, links.c.record_id == sides.c.record_id,
        links.c.state == REVIEW,
    )  # fmt: skip
    theirs = (sides.c.shop_id == shop_id, sides.c.system == system, sides.c.customer_id.is_(None))
    query = select(func.count()).select_from(sides).where(*theirs, sides.c.gone_at.is_(None), ~waits.exists())
    return db.execute(query).scalar_one()


def mark_homeless(
    db: Connection, shop_id: int, system: str, states: tuple[str, ...], now: Instant, *, most: int
) -> int:
    """Mark live customers for whom a system has no record, and had none, to have one made; returns how many it were."""
    has = select(links.c.customer_id).where(
        links.c.shop_id == shop_id, links.c.system == system, links.c.customer_id == customers.c.id,
        links.c.state != BROKEN,
    )  # fmt: skip
    wanted = select(customers.c.id).limit(most).where(
        customers.c.shop_id == shop_id, customers.c.state.in_(states), ~has.exists(), customers.c.id.not_in(
            pending.marked_whole(shop_id, system)
        )
    )  # fmt: skip
    ids = [bytes(each) for each in db.execute(wanted).scalars()]
    pending.mark(db, shop_id, ((system, each, ALL) for each in ids), now)
    return len(ids)
