"""`onewriter points`: a customer's account and statement, and what people do with its points."""

import os
import sys
from collections.abc import Callable

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say
from onewriter.cli.pointed import OneLine, meant
from onewriter.cli.pointed_statement import tell_statement
from onewriter.cli.points_runs import audit, award
from onewriter.desk import points_by_hand as by_hand
from onewriter.desk.caller import Caller
from onewriter.desk.pointing import Document
from onewriter.desk.points_by_hand import WHY_MAX, Decision, Deed
from onewriter.desk.statements import look
from onewriter.loyalty.points import KEY_MAX, POINTS_MAX
from onewriter.records import id_text, sortable_id
from onewriter.runtime import now

TOLD = ("note", "told", "dry_run")
"""What a document has in sentences."""

many = click.IntRange(1, POINTS_MAX)
customer_argument = click.argument("customer", metavar="CUSTOMER")


@click.group("points")
def group() -> None:
    """Show customers' points, redeem and adjust them, decide who earns.

    CUSTOMER is Shopify's number or gid, our id, an email address or a phone number. Who was merged away stands for the
    one that was kept. Reasons, keys and references are kept in clear, so put nothing personal in them.
    """


@group.command("show")
@customer_argument
@shop_option
@limit_option
@click.option("--lots", is_flag=True, help="What is left of each credit, in the order in which it is spent.")
@as_json
def show(customer: str, domain: str | None, limit: int, lots: bool, as_json: bool) -> None:
    """Show a customer's account, and its statement like that of a bank.

    Lines are in the order in which they were posted, the newest last; --limit keeps the newest. What a receipt drops is
    shown and does not count. What has ended by now and is not posted yet is shown as due. Nothing is written.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        whose = meant(runtime, db, domain, customer)
        document = look(db, whose, limit, now(), lots=lots)
    answer(as_json, document, lambda: tell_statement(whose, document))


# ---- Redeem, adjust, give


@group.command("redeem")
@click.argument("customer", metavar="CUSTOMER", required=False)
@click.argument("many", metavar="POINTS", type=many, required=False)
@shop_option
@click.option(
    "--key", type=OneLine(KEY_MAX), metavar="KEY", help="What names this redemption, so that it is made once."
)
@click.option("--undo", "undone", type=OneLine(KEY_MAX), metavar="KEY", help="Give back what was redeemed under KEY.")
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", help="The reason, shown in the statement.")
@as_json
def redeem(
    customer: str | None,
    many: int | None,
    domain: str | None,
    key: str | None,
    undone: str | None,
    why: str | None,
    as_json: bool,
) -> None:
    """Spend points of a customer, those first that end first; never more than there are.

    With the same key again, nothing more is taken: repeat a command whose answer was lost. At a terminal a key is made
    up and told. `onewriter points redeem --undo KEY` gives the points back.
    """
    if undone is not None:
        _refuse_more(customer, many, key)
        _take_back(domain, undone, why, as_json)
        return
    if customer is None or many is None:
        raise click.UsageError("Name the CUSTOMER and how many POINTS to redeem, or give a redemption back with --undo")
    key = key or _fresh_key()
    _do(domain, customer, lambda caller: by_hand.redeeming(caller, many, key, why), as_json)


def _refuse_more(*given: object) -> None:
    if any(each is not None for each in given):
        raise click.UsageError("--undo KEY says all there is to say, so leave out CUSTOMER, POINTS and --key")


def _fresh_key() -> str:
    """A key of our own, where somebody is there to read it."""
    if not sys.stdin.isatty():
        raise click.UsageError(
            "A program that repeats a redemption must not spend the points twice, so name it: add --key KEY"
        )
    return id_text(sortable_id(now(), os.urandom(10)))


def _take_back(domain: str | None, key: str, why: str | None, as_json: bool) -> None:
    with session.opened() as runtime:
        document = by_hand.take_back(session.caller(runtime), session.shop_named(runtime, domain), key, why)
    _answer(document, as_json)


@group.command("adjust")
@customer_argument
@shop_option
@click.option("--give", "given", type=many, metavar="POINTS", help="How many points to give.")
@click.option("--take", "taken", type=many, metavar="POINTS", help="How many points to take.")
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", required=True, help="The reason, shown in the statement.")
@click.option(
    "--key", type=OneLine(KEY_MAX), metavar="KEY", help="What names this adjustment, so that it is made once."
)
@as_json
def adjust(
    customer: str,
    domain: str | None,
    given: int | None,
    taken: int | None,
    why: str,
    key: str | None,
    as_json: bool,
) -> None:
    """Give or take points by hand, with a reason. Never takes more than there are.

    What is given can be spent at once, ends as the programme says of all points, and does not count as earned.
    """
    if (given is None) == (taken is None):
        raise click.UsageError("Say how many points: --give POINTS, or --take POINTS")
    by = (given or 0) - (taken or 0)
    _do(domain, customer, lambda caller: by_hand.adjusting(caller, by, why, key), as_json)


@group.command("give")
@customer_argument
@click.argument("rule", metavar="RULE")
@shop_option
@click.option(
    "--reference", type=OneLine(KEY_MAX), metavar="EVENT", required=True, help="What happened; each is given for once."
)
@as_json
def give(customer: str, rule: str, domain: str | None, reference: str, as_json: bool) -> None:
    """Give what a custom rule of the programme gives, for something that happened elsewhere.

    RULE is the name behind `custom.` in the programme. Each EVENT of it, such as the number of a review, gives points
    to a customer once, however often it is told.
    """
    _do(domain, customer, lambda caller: by_hand.giving(caller, rule, reference), as_json)


def _do(domain: str | None, customer: str, deed: Callable[[Caller], Deed], as_json: bool) -> None:
    """Do something with a customer's points, and tell it."""
    with session.opened() as runtime:
        caller = session.caller(runtime)
        document = by_hand.do(caller, session.shop_named(runtime, domain), customer, deed(caller))
    _answer(document, as_json)


def _answer(document: Document, as_json: bool) -> None:
    """What was done: the document without the sentences, or the sentences."""

    def tell() -> None:
        if document["note"] is not None:
            say(document["note"])
        say(document["told"])

    answer(as_json, {name: each for name, each in document.items() if name not in TOLD}, tell)


# ---- Who earns, and how long


@group.command("exclude")
@customer_argument
@shop_option
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", required=True, help="The reason; it is kept and logged.")
@as_json
def exclude(customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Let a customer earn nothing from now on. What it has stays, and can be spent."""
    _decide(domain, customer, by_hand.excluding(why), as_json)


@group.command("include")
@customer_argument
@shop_option
@as_json
def include(customer: str, domain: str | None, as_json: bool) -> None:
    """Let a customer that was excluded earn again, by what happens from now on.

    A customer that a tag excludes stays excluded while it has the tag.
    """
    _decide(domain, customer, by_hand.excluding(None), as_json)


@group.command("days")
@customer_argument
@click.argument("days", metavar="DAYS|never|default")
@shop_option
@as_json
def days(customer: str, days: str, domain: str | None, as_json: bool) -> None:
    """Set after how many days without activity this customer's points end.

    It comes before what the programme says of the customer's tags and of all; default goes back to that. Days are
    counted from now on at the earliest, so that nothing ends in hindsight.
    """
    _decide(domain, customer, by_hand.lasting(days), as_json)


def _decide(domain: str | None, customer: str, decision: Decision, as_json: bool) -> None:
    """Decide something for a customer, and tell what counts then."""
    with session.opened() as runtime:
        document = by_hand.decide(session.caller(runtime), session.shop_named(runtime, domain), customer, decision)
    _answer(document, as_json)


group.add_command(award)
group.add_command(audit)
