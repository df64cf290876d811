"""The boundary between the shop and one system: the evidence for the constraint check, counted and never opened.

It is the first stage of a diagnosis. What is looked at is the policy, what the system said of itself, links, parked
values, runs and the field log: no value of anybody's.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, and_, cast, distinct, exists, func, select

from onewriter.customers import owned, policies, runs
from onewriter.customers.links import BROKEN, GONE, LINKED, REVIEW
from onewriter.customers.rates import KEY_FIELDS, FieldRate, Tally, add_lines, tallies, weekly_share
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.db.tables import field_log, links, parked_values, sides
from onewriter.db.tables import runs as run_table
from onewriter.records import DAY, SHOPIFY, Instant, Path, RunState
from onewriter.rules.constraints import WRITTEN, is_of_rights
from onewriter.rules.evidence import Evidence, FieldEvidence, KeyEvidence, LogEvidence, Parked
from onewriter.rules.ownership import watch_list, writers
from onewriter.rules.policy import MANUAL, ONEWRITER, SHOPIFY_ID, Direction, FieldMap, Policy
from onewriter.rules.policy_check import RemoteFact
from onewriter.shopify import scopes

TRIED = "tried whether it may be written"
"""The reason of a line that tells of a try, or what it begins with where the try was refused."""
CHANGED_MAX = 10_000
"""So many records are looked at: what counts is the share of them that no line tells of."""
ASKING = (Direction.IN, Direction.BOTH)

Forms = Mapping[str, Mapping[str, str | None]]


def gather(
    db: Connection, shop: Shop, system: System, now: Instant, *, days: int, forms: Forms, asked: str | None = None
) -> Evidence:
    """All that is known of the boundary between the shop and a system; the log of so many days is looked at.

    `forms` are what each path makes of a sample of each field.
    """
    policy = policies.of_shop(db, shop.id)
    discovered = policies.facts_of(db, shop.id)[system.name].fields
    lines = tallies(db, shop.id, now - days * DAY)
    known = _Known(policy, system.name, discovered, _log_of(lines, system.name), _parked(db, shop.id, system.name))
    maps = policy.maps(system.name)
    names = [*watch_list(policy), *sorted(maps.keys() - {*watch_list(policy)})]
    if asked is not None and asked not in names:
        names.append(asked)
    taken = {each.remote for each in maps.values()}
    return Evidence(
        system=system.name,
        fields=tuple(known.field(name, forms.get(name, {})) for name in names if name != SHOPIFY_ID),
        now=now,
        asked=asked,
        free=None if discovered is None else tuple(sorted(discovered.keys() - taken)),
        scopes_missing=_scopes(shop, policy, system.name),
        keys=_keys(db, shop.id, system.name, policy, lines, days),
        log=_log(db, shop.id, system, known.lines, now - days * DAY),
    )


# ---- Fields ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """What each field's evidence is taken from."""

    policy: Policy
    system: str
    discovered: Mapping[str, RemoteFact] | None
    lines: Sequence[Tally]
    parked: Mapping[str, Sequence[Parked]]

    def field(self, name: str, forms: Mapping[str, str | None]) -> FieldEvidence:
        """What is known of one field."""
        each = self.policy.maps(self.system).get(name)
        owner = self.policy.owner_of(name)
        there = self._there(each)
        return FieldEvidence(
            name=name,
            owner=owner,
            writers=writers(self.policy, name),
            remote=None if each is None else each.remote,
            direction=None if each is None else each.direction,
            owner_is_asked=self._is_asked(name, owner),
            reaches_shop=owner != self.system or self._is_told(SHOPIFY, name),
            is_there=None if each is None or self.discovered is None else there is not None,
            may_be_written=None if there is None else there.writable,
            parked=tuple(self.parked.get(name, ())),
            forms=forms,
            **self._written(name),
        )

    def _there(self, each: FieldMap | None) -> RemoteFact | None:
        return None if each is None or self.discovered is None else self.discovered.get(each.remote)

    def _is_asked(self, name: str, owner: str | None) -> bool:
        if owner in (None, SHOPIFY, MANUAL, ONEWRITER):
            return True
        each = self.policy.maps(str(owner)).get(name)
        return each is not None and each.direction in ASKING

    def _is_told(self, system: str, name: str) -> bool:
        each = self.policy.maps(system).get(name)
        return each is not None and each.direction in WRITTEN

    def _written(self, name: str) -> dict[str, Any]:
        """What the log says of writes of the field: the system's own that were refused, and ours to it."""
        mine = [each for each in self.lines if name in each.fields]
        sent = [each for each in mine if each.path is Path.SEND]
        tried = max((each for each in sent if _is_try(each)), key=lambda each: each.last, default=None)
        denied = [each for each in sent if not each.accepted and is_of_rights(each.reason or "")]
        edits = [each for each in mine if each.path is not Path.SEND and (each.reason or "").startswith("owned by ")]
        return {
            "refused_edits": sum(each.lines for each in edits),
            "denied": sum(each.lines for each in denied),
            "denied_at": max((each.last for each in denied), default=None),
            "taken_at": max((each.last for each in sent if each.accepted), default=None),
            "tried_at": None if tried is None else tried.last,
            "tried_refusal": None if tried is None or tried.accepted else str(tried.reason).removeprefix(f"{TRIED}: "),
        }


def _is_try(each: Tally) -> bool:
    return (each.reason or "").startswith(TRIED)


def _log_of(lines: Sequence[Tally], system: str) -> list[Tally]:
    return [each for each in lines if each.system == system]


def _parked(db: Connection, shop_id: int, system: str) -> dict[str, list[Parked]]:
    """What waits parked of each field, by direction and reason, and since when."""
    alike = (parked_values.c.field, parked_values.c.direction, parked_values.c.reason)
    query = (
        select(*alike, func.count(), func.min(parked_values.c.parked_at))
        .where(parked_values.c.shop_id == shop_id, parked_values.c.system == system, parked_values.c.ended_at.is_(None))
        .group_by(*alike)
        .order_by(*alike)
    )
    found: dict[str, list[Parked]] = {}
    for name, way, reason, count, since in db.execute(query):
        found.setdefault(name, []).append(Parked(way, reason, count, since))
    return found


def _scopes(shop: Shop, policy: Policy, system: str) -> tuple[str, ...]:
    """What Shopify does not let us do, of what this system needs: to be read, and to be told what the system owns."""
    is_told = any(policy.owner_of(name) == system for name in policy.goes_out(SHOPIFY))
    return tuple(
        each.scope
        for each in scopes.missing(shop.scopes)
        if each.required or (each.scope == scopes.WRITE and is_told)
    )  # fmt: skip


# ---- Keys -----------------------------------------------------------------------------------------------------------


def _keys(db: Connection, shop_id: int, system: str, policy: Policy, lines: Sequence[Tally], days: int) -> KeyEvidence:
    mapped = policy.maps(system)
    here = (sides.c.shop_id == shop_id, sides.c.system == system, sides.c.gone_at.is_(None))
    is_linked = func.sum(cast(sides.c.customer_id.is_not(None), Integer))
    records, linked = db.execute(select(func.count(), is_linked).where(*here)).one()
    of_system = (links.c.shop_id == shop_id, links.c.system == system, ~links.c.reason.endswith(GONE))
    counted = select(links.c.state, links.c.matched_by, func.count(), func.count(distinct(links.c.record_id)))
    by: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for state, key, pairs, some in db.execute(counted.where(*of_system).group_by(links.c.state, links.c.matched_by)):
        states[state] += pairs if state == BROKEN else some
        by[key] += pairs if state == LINKED else 0
    rates: dict[str, FieldRate] = {}
    add_lines(rates, lines)
    people = owned.count(db, shop_id)
    weekly = {key: weekly_share(rates.get(name), people, days) for key, name in KEY_FIELDS.items()}
    return KeyEvidence(
        keys=policy.identity.keys,
        mapped=tuple(key for key in policy.identity.keys if KEY_FIELDS.get(key) in mapped),
        records=records,
        linked=linked or 0,
        review=states[REVIEW],
        apart=states[BROKEN],
        by=+by,
        churn={key: share for key, share in weekly.items() if key in policy.identity.keys and share is not None},
    )


# ---- The log --------------------------------------------------------------------------------------------------------


def _log(db: Connection, shop_id: int, system: System, lines: Collection[Tally], since: Instant) -> LogEvidence:
    began = select(field_log.c.heard_at).where(field_log.c.shop_id == shop_id).order_by(field_log.c.id).limit(1)
    failed = select(func.count()).where(
        run_table.c.shop_id == shop_id, run_table.c.kind == runs.cycle_of(system.name),
        run_table.c.state == RunState.FAILED.value, run_table.c.requested_at >= since,
    )  # fmt: skip
    changed, unexplained = _changed(db, shop_id, system.name)
    return LogEvidence(
        lines=sum(each.lines for each in lines),
        nameless=sum(each.nameless for each in lines),
        changed=changed,
        unexplained=unexplained,
        began_at=db.execute(began).scalar(),
        complete_at=system.cycle_at,
        unfinished=db.execute(failed).scalar_one(),
        trouble=system.trouble,
    )


def _changed(db: Connection, shop_id: int, system: str) -> tuple[int, int]:
    """How many linked records have changed, by the system's clock, since they were linked and read; and of how many of
    them no line tells, of that reading or of a later one. Of many, those that were read last are looked at.
    """
    its_link = and_(
        links.c.shop_id == sides.c.shop_id, links.c.system == sides.c.system,
        links.c.record_id == sides.c.record_id, links.c.state == LINKED,
    )  # fmt: skip
    changed = (
        select(sides.c.customer_id, sides.c.read_began)
        .select_from(sides.join(links, its_link))
        .where(sides.c.shop_id == shop_id, sides.c.system == system, sides.c.gone_at.is_(None))
        .where(sides.c.version > links.c.made_at, sides.c.read_began > links.c.made_at)
        .order_by(sides.c.read_began.desc(), sides.c.record_id)
        .limit(CHANGED_MAX)
        .subquery()
    )
    line = exists().where(
        field_log.c.customer_id == changed.c.customer_id,
        field_log.c.system == system,
        field_log.c.heard_at >= changed.c.read_began,
    )
    count, told = db.execute(select(func.count(), func.sum(cast(line, Integer))).select_from(changed)).one()
    return count, count - (told or 0)
