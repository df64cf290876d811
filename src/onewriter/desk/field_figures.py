"""What keeping fields in step comes to: how often each changes and is in trouble, and whether a machine is worth it."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from onewriter.audit import fitting
from onewriter.customers import rates as counted
from onewriter.customers.people import Role
from onewriter.customers.rates import FieldRate, Rates
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.records import DAY
from onewriter.rules.diagnosis import fit as rules
from onewriter.rules.diagnosis.fit import Counsel, FieldFit
from onewriter.rules.policy_check import is_ownable

WEEKS_MAX = 52
DAYS_MAX = 3650


class Fit(TypedDict):
    """How well each field fits, week by week, and the advice that follows."""

    shop: str
    weeks: int
    editable_pairs: int
    added: str | None
    fields: list[dict[str, Any]]
    churn: dict[str, float]
    advice: list[dict[str, Any]]


class RatesDocument(TypedDict):
    """Which fields change most, and which are in trouble most."""

    shop: str
    days: int
    customers: int
    by_change: list[dict[str, Any]]
    by_trouble: list[dict[str, Any]]
    merged_customers: dict[str, Any]


def pair_of(given: str) -> tuple[str, str]:
    """A field and a system that may write it as well, out of FIELD=SYSTEM; raises BadInput."""
    name, is_pair, system = given.partition("=")
    if not is_pair or not system or not is_ownable(name):
        raise BadInput("Name a field and a system, as in phone=crm; `onewriter fields show` lists the fields.", "add")
    return name, system


# ---- Whether it is worth it -----------------------------------------------------------------------------------------


def fit(caller: Caller, named: str | None, weeks: int, pair: tuple[str, str] | None, limit: int) -> Fit:
    """Whether a machine is the right thing for each field, with the figures of so many weeks. No value is opened."""
    settings = caller.runtime.settings
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        known = fitting.figures(
            db, shop.id, caller.now, weeks=weeks, minutes_a_case=settings.number("case_minutes"),
            worth_minutes=settings.number("field_worth_minutes") or None,
        )  # fmt: skip
    names = {each.name: each for each in known.fields}
    return {
        "shop": shop.domain,
        "weeks": weeks,
        "editable_pairs": rules.editable(known.fields).pairs,
        "added": None if pair is None else rules.added(known.fields, *pair),
        "fields": [_field(names[each.name], each) for each in rules.by_trouble(known.fields)[:limit]],
        "churn": {key: round(share, 4) for key, share in known.churn.items()},
        "advice": [_counsel(each) for each in rules.counsel(known)],
    }


def _field(each: FieldFit, rate: rules.Rates) -> dict[str, Any]:
    return {
        "field": each.name,
        "owner": each.owner,
        "writers": list(each.writers),
        "changes_a_week": round(rate.changes, 2),
        "cases_a_week": round(rate.cases, 2),
        "by_hand": rate.hand,
        "cost_minutes": rules.cost(each),
        "weeks": _weeks(each),
    }


def _weeks(each: FieldFit) -> Sequence[dict[str, Any]]:
    return [
        {"edits": dict(week.edits), "shared_days": week.shared_days, "by_hand": week.hand, "cases": week.cases,
         "records": week.records}
        for week in each.weeks
    ]  # fmt: skip


def _counsel(each: Counsel) -> dict[str, Any]:
    return {
        "rule": each.rule, "field": each.field, "advice": each.advice, "numbers": each.numbers,
        "things": list(each.things),
    }  # fmt: skip


# ---- How often ------------------------------------------------------------------------------------------------------


def rates(caller: Caller, named: str | None, days: int, limit: int) -> RatesDocument:
    """Fields by how often they changed, and by how often they were in trouble, in so many days. No value is opened."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        found = counted.of_shop(db, shop.id, caller.now - days * DAY, days)
    return {
        "shop": shop.domain,
        "days": days,
        "customers": found.customers,
        "by_change": [_changes(found, each) for each in found.by_change[:limit] if each.changes],
        "by_trouble": [_trouble(each) for each in found.by_trouble[:limit]],
        "merged_customers": {"count": found.merges, "per_customer_week": round(found.weekly(found.merges), 6)},
    }


def _changes(found: Rates, each: FieldRate) -> dict[str, Any]:
    by = [{"system": system, "path": path, "changes": count} for (system, path), count in each.by.most_common()]
    weekly = round(found.weekly(each.changes), 6)
    return {"field": each.name, "changes": each.changes, "per_customer_week": weekly, "by": by}


def _trouble(each: FieldRate) -> dict[str, Any]:
    return {
        "field": each.name,
        "refused": each.refused,
        "parked": each.parked,
        "by_hand": each.by_hand,
        "cases": each.cases,
        "changes": each.changes,
        "per_100_changes": None if each.per_100 is None else round(each.per_100, 2),
    }
