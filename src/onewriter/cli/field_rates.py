"""`onewriter fields rates`: which fields change most, and which are in trouble most."""

from collections.abc import Mapping
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say, table
from onewriter.desk import field_figures
from onewriter.desk.field_figures import DAYS_MAX


@click.command("rates")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=30, show_default=True, help="How far back to count.")
@shop_option
@limit_option
@as_json
def rates(days: int, domain: str | None, limit: int, as_json: bool) -> None:
    """Rank fields by how often they change, and by how often they are in trouble.

    Counted from the field log: a change is a write that was accepted, by system and path, of a customer who was known
    before. A first import is no change, and neither is what onewriter itself tells a system. In trouble is a write that
    was refused, a value that waits parked now, and a correction by hand of what a system owns; a refused write whose
    value is parked counts as both. Cases are those that were opened in these days. Customers merged into others are
    counted beside the fields. No value is opened.
    """
    with session.opened() as runtime:
        shop = session.shop_named(runtime, domain)
        document = field_figures.rates(session.caller(runtime), shop, days, limit)
    answer(as_json, document, lambda: _tell(document))


def _tell(document: Mapping[str, Any]) -> None:
    say(f"{document['customers']:,} customers, the last {document['days']} days\n")
    merged = document["merged_customers"]
    if document["by_change"]:
        columns = ("CHANGES MOST", "CHANGES", "PER 1000 CUSTOMERS AND WEEK", "BY")
        table(columns, ([one["field"], one["changes"], _weekly(one), _by(one)] for one in document["by_change"]))
    else:
        say("No field has changed.")
    say(f"Customers merged into others: {merged['count']:,} ({_weekly(merged)} of 1000 a week)\n")
    if document["by_trouble"]:
        names = ("IN TROUBLE MOST", "PER 100 CHANGES", "REFUSED", "PARKED NOW", "BY HAND", "CASES", "CHANGES")
        keys = ("field", "per_100_changes", "refused", "parked", "by_hand", "cases", "changes")
        table(names, ([one[key] for key in keys] for one in document["by_trouble"]))
    else:
        say("No field is in trouble.")


def _weekly(one: Mapping[str, Any]) -> str:
    return f"{one['per_customer_week'] * 1000:.1f}"


def _by(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{each['system']} {each['path']} {each['changes']:,}" for each in one["by"])
