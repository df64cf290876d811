"""`onewriter fields fit`: whether keeping each field in step by machine is worth it, week by week."""

from collections.abc import Mapping
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say, table
from onewriter.desk import field_figures
from onewriter.desk.field_figures import WEEKS_MAX
from onewriter.errors import BadInput


def _pair(_context: click.Context, _option: click.Parameter, given: str | None) -> tuple[str, str] | None:
    try:
        return None if given is None else field_figures.pair_of(given)
    except BadInput as error:
        told = str(error)
        raise click.BadParameter(told[0].lower() + told[1:].rstrip(".")) from None


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
    with session.opened() as runtime:
        shop = session.shop_named(runtime, domain)
        document = field_figures.fit(session.caller(runtime), shop, weeks, pair, limit)
    answer(as_json, document, lambda: _tell(document))


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
