"""What each field came to in each of the last weeks: the figures that tell whether keeping it in step is worth it.

Counted out of the field log, the cases and the policy; no value is opened. An edit that its system may not make counts
as one all the same: somebody typed it there.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Integer, and_, cast, distinct, func, or_, select

from onewriter.customers import owned, policies, systems
from onewriter.customers.log import apart
from onewriter.customers.rates import KEY_FIELDS, FieldRate, add_lines, tallies, weekly_share
from onewriter.db.casetables import case_rows, cases
from onewriter.db.tables import field_log
from onewriter.records import DAY, Instant, Path
from onewriter.rules.constraints import CARRIED
from onewriter.rules.diagnosis.fit import FieldFit, Figures, Overlap, Week
from onewriter.rules.ownership import watch_list, writers
from onewriter.rules.policy import ONEWRITER, SHOPIFY_ID, Policy, kind_of

WEEK: Instant = 7 * DAY
OWNED_BY = "owned by "
"""How the reason begins of an edit that was refused since another system owns the field."""


@dataclass(slots=True)
class _Counted:
    """One field in one week, while it is counted."""

    edits: Counter[str] = field(default_factory=Counter)
    days: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    hand: int = 0
    cases: int = 0
    records: int = 0

    def done(self) -> Week:
        shared = sum(len(names) > 1 for names in self.days.values())
        return Week(edits=dict(self.edits), shared_days=shared, hand=self.hand, cases=self.cases, records=self.records)


Counts = Mapping[tuple[str, int], _Counted]


def figures(
    db: Connection, shop_id: int, now: Instant, *, weeks: int, minutes_a_case: float, worth_minutes: float | None
) -> Figures:
    """The figures of so many weeks up to now, for every field that is looked at or was ever touched in them."""
    policy = policies.of_shop(db, shop_id)
    since = now - weeks * WEEK
    counted: dict[tuple[str, int], _Counted] = defaultdict(_Counted)
    _count_log(db, shop_id, since, counted)
    _count_cases(db, shop_id, since, counted)
    carried = _carried(db, shop_id, policy)
    # What links a record to a customer is no field that anybody keeps in step.
    names = sorted({*watch_list(policy), *(name for name, _week in counted)} - {SHOPIFY_ID})
    return Figures(
        fields=tuple(
            _field(policy, name, carried, counted, weeks, minutes_a_case, worth_minutes) for name in names
        ),
        churn=_churn(db, shop_id, policy, now, weeks),
        overlap=_overlap(db, shop_id, since),
    )  # fmt: skip


def _field(
    policy: Policy, name: str, carried: frozenset[str] | None, counted: Counts, weeks: int, minutes: float,
    worth: float | None,
) -> FieldFit:  # fmt: skip
    told = tuple(counted.get((name, week), _Counted()).done() for week in range(weeks))
    return FieldFit(
        name=name,
        kind=kind_of(name).value,
        owner=policy.owner_of(name),
        writers=writers(policy, name),
        is_covered=None if carried is None else name in carried,
        # What nobody edits and nobody missed, nobody needs to have carried.
        is_needed=any(week.cases or len(week.edits) > 1 for week in told),
        weeks=told,
        minutes_a_case=minutes,
        worth_minutes=worth,
    )


def _carried(db: Connection, shop_id: int, policy: Policy) -> frozenset[str] | None:
    """The fields that go to or come from any connected system; None while there is none."""
    names = [each.name for each in systems.every(db, shop_id) if not each.is_shopify]
    if not names:
        return None
    return frozenset(
        name for system in names for name, each in policy.maps(system).items() if each.direction in CARRIED
    )


def _count_log(db: Connection, shop_id: int, since: Instant, counted: dict[tuple[str, int], _Counted]) -> None:
    log = field_log.c
    day = (log.heard_at - since) // DAY
    is_change = and_(log.accepted.is_(True), log.digests.is_not(None), log.writer != ONEWRITER)
    is_edit: ColumnElement[bool] = or_(is_change, and_(log.accepted.is_(False), log.reason.startswith(OWNED_BY)))
    alike = (day, log.system, log.path, log.fields, cast(is_edit, Integer))
    rows = db.execute(
        select(*alike, func.count()).where(log.shop_id == shop_id, log.heard_at >= since).group_by(*alike)
    )
    for place, system, path, names, edit, lines in rows:
        for name in apart(names):
            one = counted[name, place // 7]
            if path == Path.HAND.value:
                one.hand += lines
            elif edit:
                one.edits[system] += lines
                one.days[place].add(system)


def _count_cases(db: Connection, shop_id: int, since: Instant, counted: dict[tuple[str, int], _Counted]) -> None:
    opened = select(cases.c.field, cases.c.opened_at).where(cases.c.shop_id == shop_id, cases.c.opened_at >= since)
    for name, at in db.execute(opened):
        counted[name, (at - since) // WEEK].cases += 1
    place = (case_rows.c.found_at - since) // WEEK
    found = (
        select(case_rows.c.field, place, func.count(distinct(case_rows.c.customer_id)))
        .where(case_rows.c.shop_id == shop_id, case_rows.c.found_at >= since)
        .group_by(case_rows.c.field, place)
    )
    for name, number, records in db.execute(found):
        counted[name, number].records += records


def _churn(db: Connection, shop_id: int, policy: Policy, now: Instant, weeks: int) -> dict[str, float]:
    rates: dict[str, FieldRate] = {}
    add_lines(rates, tallies(db, shop_id, now - weeks * WEEK))
    people = owned.count(db, shop_id)
    told = {key: weekly_share(rates.get(name), people, weeks * 7) for key, name in KEY_FIELDS.items()}
    return {key: share for key, share in told.items() if share is not None and key in policy.identity.keys}


def _overlap(db: Connection, shop_id: int, since: Instant) -> Overlap:
    """How many customers were merged, imported from a file, and edited, and how many all three."""
    log = field_log.c
    told = {
        "merged": log.path == Path.MERGE.value,
        "imported": log.path == Path.CSV.value,
        "edited": log.path.in_((Path.HAND.value, Path.CYCLE.value, Path.WEBHOOK.value)),
    }
    each = (
        select(*(func.max(cast(holds, Integer)).label(name) for name, holds in told.items()))
        .where(log.shop_id == shop_id, log.heard_at >= since)
        .group_by(log.customer_id)
        .subquery()
    )
    columns = [each.c[name] for name in told]
    every = columns[0] * columns[1] * columns[2]
    row = db.execute(select(*(func.coalesce(func.sum(one), 0) for one in (*columns, every)))).one()
    merged, imported, edited, all_three = (int(one) for one in row)
    return Overlap(
        customers=owned.count(db, shop_id), merged=merged, imported=imported, edited=edited, all_three=all_three
    )
