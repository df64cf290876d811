"""`onewriter fields fit`: whether keeping each field in step by machine is worth it, week by week."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from onewriter.audit import fitting
from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say, table
from onewriter.rules.diagnosis import fit as rules
from onewriter.rules.diagnosis.fit import Counsel, FieldFit, Figures
from onewriter.rules.policy_check import is_ownable

WEEKS_MAX = 52


def _pair(_context: click.Context, _option: click.Parameter, given: str | None) -> tuple[str, str] | None:
    if given is None:
        return None
    name, is_pair, system = given.partition("=")
    if not is_pair or not system or not is_ownable(name):
        raise click.BadParameter("name a field and a system, as in phone=crm; `onewriter fields show` lists the fields")
    return name, system


@click.command("fit")
@click.option("--weeks", type=click.IntRange(2, WEEKS_MAX), default=4, show_default=True, help="How far back to count.")
@click.option("--add", "pair", metavar="FIELD=SYSTEM", callback=_pair, help="What changes if it may write it, too.")
@shop_option
@limit_option
@as_json
def fit(weeks: int, pair: tuple[str, str] | None, domain: str | None, limit: int, as_json: bool) -> None:
    """Say whether a machine is the right thing for each field, with the figures of the last weeks.

    How many systems may write each field; how often it changes, makes a case and is corrected by hand; and the advice
    that follows, each with its numbers: stop writing both ways, name a narrower owner, keep it by hand, use another
    key. The advice is given even where it speaks against onewriter. What a case costs and what a field saves are the
    settings case_minutes and field_worth_minutes. No value is opened.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        require(db, Role.VIEWER)
        shop = session.choose_shop(db, domain)
        worth = runtime.settings.number("field_worth_minutes")
        known = fitting.figures(
            db, shop.id, runtime.now(), weeks=weeks,
            minutes_a_case=runtime.settings.number("case_minutes"), worth_minutes=worth or None,
        )  # fmt: skip
    document = {
        "shop": shop.domain,
        "weeks": weeks,
        **_pairs(known.fields, pair),
        "fields": [_field(known, each.name) for each in rules.by_trouble(known.fields)[:limit]],
        "churn": {key: round(share, 4) for key, share in known.churn.items()},
        "advice": [_counsel(each) for each in rules.counsel(known)],
    }
    answer(as_json, document, lambda: _tell(document))


def _pairs(fields: Sequence[FieldFit], pair: tuple[str, str] | None) -> dict[str, Any]:
    found = rules.editable(fields)
    added = None if pair is None else rules.added(fields, *pair)
    return {"editable_pairs": found.pairs, "added": added}


def _field(known: Figures, name: str) -> dict[str, Any]:
    each = next(one for one in known.fields if one.name == name)
    rate = next(one for one in rules.by_trouble([each]))
    return {
        "field": name,
        "owner": each.owner,
        "writers": list(each.writers),
        "changes_a_week": round(rate.changes, 2),
        "cases_a_week": round(rate.cases, 2),
        "by_hand": rate.hand,
        "cost_minutes": rules.cost(each),
        "weeks": [
            {"edits": dict(week.edits), "shared_days": week.shared_days, "by_hand": week.hand, "cases": week.cases,
             "records": week.records}
            for week in each.weeks
        ],
    }  # fmt: skip


def _counsel(each: Counsel) -> dict[str, Any]:
    return {
        "rule": each.rule, "field": each.field, "advice": each.advice, "numbers": each.numbers,
        "things": list(each.things),
    }  # fmt: skip


def _tell(document: Mapping[str, Any]) -> None:
    pairs = f"{document['editable_pairs']} pairs of a field and a system that may write it"
    say(f"The last {document['weeks']} weeks; {pairs}")
    if document["added"] is not None:
        say(document["added"])
    say("")
    columns = ("FIELD", "OWNER", "MAY WRITE", "CHANGES A WEEK", "CASES A WEEK", "BY HAND", "COST LAST WEEK")
    rows = [
        [
            one["field"], one["owner"] or "nobody", len(one["writers"]), one["changes_a_week"], one["cases_a_week"],
            one["by_hand"], f"{one['cost_minutes']:g} min",
        ]
        for one in document["fields"]
    ]  # fmt: skip
    table(columns, rows)
    say("")
    if not document["advice"]:
        say("Nothing speaks against keeping these fields in step.")
    for one in document["advice"]:
        say(one["advice"])
        say(f"  {one['numbers']}")
        for thing in one["things"]:
            say(f"  {thing}")
