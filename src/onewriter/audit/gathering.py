"""The evidence for a diagnosis of the shop and one connected system, out of the database.

Nothing is opened but what differs, and what must be seen to explain it: fields whose transform may have lost something
though both sides are in step, edits that were refused, and the neighbours of a link that is odd. Whatever else is in
step is counted by its digests alone. Of more than `OPENED_MAX` records that differ a sample is opened, the same one
each time.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, func, select

from onewriter.audit.gathering_log import numbered, runs_of, writes_of
from onewriter.audit.gathering_values import Person, View, rules_of
from onewriter.customers import comparing, links, owned, policies, profiles, remote
from onewriter.customers.links import LINKED
from onewriter.customers.profiles import LIVE
from onewriter.customers.rates import KEY_FIELDS
from onewriter.customers.remote import Remote
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.db.bulk import in_chunks
from onewriter.db.tables import customers as customer_table
from onewriter.db.tables import field_log, parked_values, sides
from onewriter.db.tables import links as link_table
from onewriter.records import DAY, SHOPIFY, Instant
from onewriter.rules.diagnosis.evidence import Clean, Evidence, LinkOf, Rec, Side, Write
from onewriter.rules.evidence import Evidence as Bounds
from onewriter.rules.policy import ADDRESS_PART, Direction
from onewriter.rules.tags import resplit
from onewriter.vault.vault import ShopVault

OPENED_MAX = 50_000
"""So many records that differ are opened in one audit."""
LOSSY_MAX = 5_000
"""So many are opened of those that are in step by a transform which may have lost something."""
ODD_MAX = 5_000
"""So many neighbours are opened: of links that are odd, and records of nobody that share an address or a number."""
FOUGHT_MAX = 10_000
"""So many are opened of those that agree, and of whom an edit was refused."""
LATELY: Instant = 30 * DAY
CLEAN_SAMPLE = 100
"""Records that are in step, and stand beside a case that is written into a folder."""
PAGE = 500


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The evidence, and what its ids stand for here."""

    evidence: Evidence
    customers: Mapping[str, bytes]
    """Source id: our id of the customer."""
    records: Mapping[str, str]
    """Target id: the record's keyed name."""
    pairs: int
    """Linked records, opened or not."""
    differing: Mapping[str, int]
    """By field, all that are not in step by their digests, opened or not."""
    found: int
    """Records that are not in step, opened or not."""
    opened: int
    """Customers that were opened."""
    loose: Mapping[Side, int]
    """Records of each side that are linked with nothing."""
    is_sample: bool
    """Whether there was more to open than was opened."""


@dataclass(slots=True)
class Chosen:
    """Who is opened, and what is known of all the others."""

    people: set[bytes] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    """Records of nobody, by name."""
    differing: Counter[str] = field(default_factory=Counter)
    found: int = 0
    is_sample: bool = False

    def take(self, people: Iterable[bytes], most: int) -> None:
        """Open all of these, or so many of them that are the same each time."""
        every = set(people)
        self.is_sample |= len(every) > most
        self.people.update(heapq.nsmallest(most, every, key=lambda each: hashlib.blake2b(each, digest_size=8).digest()))


def gather(
    db: Connection,
    vault: ShopVault,
    shop: Shop,
    system: System,
    bounds: Bounds,
    now: Instant,
    *,
    chosen: Chosen | None = None,
    counted: bool = True,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Gathered:
    """The evidence of the shop and one system: of those who were chosen, or else of all who must be opened.

    `bounds` is what the constraint check looked at. `tell` is told how many of how many customers are opened. Counting
    all who are in step takes seconds in a large shop; where it is not `counted`, the counts are zero.
    """
    policy = policies.of_shop(db, shop.id)
    view = View(policy, system.name, vault.region)
    chosen = chosen or choose(db, vault, system.name, now)
    runs, cycles = runs_of(db, shop.id, system.name)
    rules = rules_of(view, bounds, policies.facts_of(db, shop.id)[system.name].fields)
    evidence = Evidence(
        source=SHOPIFY,
        target=system.name,
        records={Side.SOURCE: {}, Side.TARGET: {}},
        taken_at=now,
        cycles=cycles,
        fields=rules,
        match_keys=tuple(KEY_FIELDS.get(key, key) for key in policy.identity.keys),
        two_way=any(each.direction is Direction.BOTH for each in view.maps.values()),
        region=vault.region,
        runs=runs,
    )
    customers, records = _open(db, vault, view, evidence, chosen, tell)
    level = comparing.Level()
    if counted:
        level = comparing.level(db, shop.id, system.name, list(view.maps), chosen.people)
    evidence.clean = {
        name: Clean(level.equal[name], level.filled[name])
        for name in comparing.comparable(list(view.maps))
        if name not in view.lossy | view.of_shopify
    }
    return Gathered(
        evidence=evidence, customers=customers, records=records,
        pairs=_pairs(db, shop.id, system.name) if counted else 0,
        differing=dict(chosen.differing), found=chosen.found, opened=len(customers),
        loose=_loose(db, shop.id, system.name) if counted else dict.fromkeys(Side, 0), is_sample=chosen.is_sample,
    )  # fmt: skip


# ---- Whom to open ---------------------------------------------------------------------------------------------------


def choose(
    db: Connection, vault: ShopVault, system: str, now: Instant, *, only: Collection[bytes] | None = None
) -> Chosen:
    """Whom to open: those who differ or must explain it; with `only`, these customers and some that are in step.

    Nothing is opened for it.
    """
    shop_id, since = vault.shop_id, now - LATELY
    view, chosen = View(policies.of_shop(db, shop_id), system, vault.region), Chosen()
    if only is None:
        chosen.take(_differing(db, shop_id, view, chosen), OPENED_MAX)
        if view.lossy:
            filled = (customer for customer, _record in comparing.filled(db, shop_id, view.system, view.lossy))
            chosen.take(filled, LOSSY_MAX)
        chosen.take(_fought_over(db, shop_id, view.system, since), FOUGHT_MAX)
        chosen.people.update(_odd(db, shop_id, view.system))
    else:
        chosen.people.update(only)
        linked = select(sides.c.customer_id).where(*_here(shop_id, view.system), sides.c.customer_id.is_not(None))
        some = linked.where(sides.c.unclean.is_(None)).order_by(sides.c.customer_id).limit(CLEAN_SAMPLE)
        chosen.people.update(bytes(each) for each in db.execute(some).scalars())
    for customer, record in _strangers(db, shop_id, view.system, None if only is None else chosen.people):
        chosen.people.add(customer)
        chosen.strangers.add(record)
    return chosen


def _differing(db: Connection, shop_id: int, view: View, chosen: Chosen) -> Iterator[bytes]:
    """The customers whose record is not in step, and those of whom Shopify's side is not with what the system owns."""
    places = [(view.system, list(view.maps))]
    if view.of_shopify:
        places.append((SHOPIFY, sorted(view.of_shopify)))
    for system, names in places:
        for customer, _record, fields in comparing.differing(db, shop_id, system, names):
            chosen.found += 1
            chosen.differing.update(fields)
            yield customer
    parts = [name for name in view.maps if name.startswith(ADDRESS_PART)]
    after = ""
    while parts:
        # Parts of the address have no digests of their own among the owner's; how the record stood is all there is.
        some, after = remote.unclean(db, shop_id, view.system, parts, after, PAGE)
        chosen.found += len(some)
        yield from (customer for customer, _record in some)
        if not after:
            break


def _fought_over(db: Connection, shop_id: int, system: str, since: Instant) -> Iterator[bytes]:
    """The customers of whom something is parked, or was refused lately: though both sides agree by now, an edit was
    taken back on the way.
    """
    waits = select(parked_values.c.customer_id).where(
        parked_values.c.shop_id == shop_id, parked_values.c.system == system, parked_values.c.ended_at.is_(None)
    )
    refused = select(field_log.c.customer_id).where(
        field_log.c.shop_id == shop_id, field_log.c.system == system, field_log.c.heard_at >= since,
        field_log.c.accepted.is_(False),
    )  # fmt: skip
    for query in (waits, refused):
        yield from (bytes(each) for each in db.execute(query.distinct()).scalars())


def _here(shop_id: int, system: str) -> tuple[ColumnElement[bool], ...]:
    return sides.c.shop_id == shop_id, sides.c.system == system, sides.c.gone_at.is_(None)


def _odd(db: Connection, shop_id: int, system: str) -> Iterator[bytes]:
    """The customers who have several records in the system; a record has only one customer."""
    several = (
        select(link_table.c.customer_id)
        .where(link_table.c.shop_id == shop_id, link_table.c.system == system, link_table.c.state == LINKED)
        .group_by(link_table.c.customer_id)
        .having(func.count() > 1)
        .limit(ODD_MAX)
    )
    yield from (bytes(each) for each in db.execute(several).scalars())


def _strangers(
    db: Connection, shop_id: int, system: str, among: Collection[bytes] | None
) -> Iterator[tuple[bytes, str]]:
    """Customers, and records of nobody that have the address or the number of one, as their tokens tell."""
    for ours, theirs in (
        (customer_table.c.email_token, sides.c.email_token), (customer_table.c.phone_token, sides.c.phone_token),
    ):  # fmt: skip
        query = (
            select(customer_table.c.id, sides.c.record_id)
            .select_from(sides.join(customer_table, ours == theirs))
            .where(*_here(shop_id, system), sides.c.customer_id.is_(None), theirs.is_not(None))
            .where(customer_table.c.shop_id == shop_id, customer_table.c.state.in_(sorted(LIVE)))
            .order_by(sides.c.record_id, customer_table.c.id)
            .limit(ODD_MAX)
        )
        for row in db.execute(query):
            if among is None or bytes(row.id) in among:
                yield bytes(row.id), row.record_id


# ---- Opening them ---------------------------------------------------------------------------------------------------


def _open(
    db: Connection,
    vault: ShopVault,
    view: View,
    evidence: Evidence,
    chosen: Chosen,
    tell: Callable[[int, int], None],
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Put the records, links and writes of the chosen into the evidence; whose and which they are."""
    customers: dict[str, bytes] = {}
    records: dict[str, str] = {}
    sources: dict[str, Rec] = {}
    targets: dict[str, Rec] = {}
    found: list[Write] = []
    joined: list[LinkOf] = []
    for some in in_chunks(sorted(chosen.people), PAGE):
        people = _people(db, vault, view, some)
        for person in people.values():
            customers[person.source] = person.own.id
            records |= {one.id: one.name for one in person.remotes}
            targets |= {one.id: _target(view, one, person) for one in person.remotes}
        sources |= _sources(db, view, people)
        joined += _links(db, vault.shop_id, view, people)
        found += writes_of(db, view, vault.shop_id, people)
        tell(len(customers), len(chosen.people))
    for names in in_chunks(sorted(chosen.strangers), PAGE):
        for name, one in remote.load(db, vault, view.system, names).items():
            records[one.id] = name
            targets[one.id] = _target(view, one, None)
    evidence.records = {Side.SOURCE: sources, Side.TARGET: targets}
    evidence.links = joined
    evidence.writes = numbered(found)
    return customers, records


def _people(db: Connection, vault: ShopVault, view: View, ids: Sequence[bytes]) -> dict[bytes, Person]:
    """These customers with their records, those with an older link first; who was erased meanwhile is left out."""
    own = owned.load(db, vault, ids, view.policy.namespaces)
    keys = {customer: each.key for customer, each in own.items()}
    held = remote.of_customers(db, vault, view.system, list(own), keys)
    order = links.of_customers(db, vault.shop_id, view.system, list(own))
    shopify = profiles.sides_of(db, vault, [each.shopify_id for each in own.values()]) if view.of_shopify else {}
    found = {}
    for customer, each in own.items():
        names = order.get(customer, [])
        there = sorted(
            (one for one in held.get(customer, ()) if one.name in names), key=lambda one: names.index(one.name)
        )
        side = shopify.get(each.shopify_id)
        fields = None if side is None else dict(side.fields)
        if fields is not None:
            resplit(fields, view.policy.namespaces)
        found[customer] = Person(each, fields, there)
    return found


def _sources(db: Connection, view: View, people: Mapping[bytes, Person]) -> dict[str, Rec]:
    table = customer_table.c
    query = select(table.id, table.created_at, table.deleted_at).where(table.id.in_(list(people)))
    found = {}
    for row in db.execute(query):
        person = people[bytes(row.id)]
        fields = view.source_fields(person)
        found[person.source] = Rec(person.source, fields, created=row.created_at, deleted=row.deleted_at)
    return found


def _target(view: View, one: Remote, person: Person | None) -> Rec:
    return Rec(one.id, view.target_fields(one, person), created=one.created, deleted=one.gone)


def _links(db: Connection, shop_id: int, view: View, people: Mapping[bytes, Person]) -> list[LinkOf]:
    ids = {one.name: one.id for person in people.values() for one in person.remotes}
    return [
        LinkOf(people[each.customer_id].source, ids[each.record], KEY_FIELDS.get(each.matched_by, each.matched_by))
        for each in links.of_people(db, shop_id, list(people))
        if each.system == view.system and each.state == LINKED and each.record in ids
    ]


# ---- Counts ---------------------------------------------------------------------------------------------------------


def _pairs(db: Connection, shop_id: int, system: str) -> int:
    linked = select(func.count()).select_from(sides).where(*_here(shop_id, system), sides.c.customer_id.is_not(None))
    return db.execute(linked).scalar_one()


def _loose(db: Connection, shop_id: int, system: str) -> dict[Side, int]:
    """How many records of each side are linked with nothing."""
    nobodys = select(func.count()).select_from(sides).where(*_here(shop_id, system), sides.c.customer_id.is_(None))
    live = (customer_table.c.shop_id == shop_id, customer_table.c.state.in_(sorted(LIVE)))
    people = db.execute(select(func.count()).select_from(customer_table).where(*live)).scalar_one()
    joined = customer_table.join(sides, customer_table.c.id == sides.c.customer_id)
    known = select(func.count(customer_table.c.id.distinct())).select_from(joined).where(*live, *_here(shop_id, system))
    return {Side.TARGET: db.execute(nobodys).scalar_one(), Side.SOURCE: people - db.execute(known).scalar_one()}
