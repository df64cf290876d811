"""`onewriter points`: a customer's account and statement, and what people do with its points."""

import os
import sys
from collections.abc import Callable

import click
import structlog
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, say
from onewriter.cli.pointed import WHY_MAX, OneLine, meant
from onewriter.cli.pointed_statement import tell_statement
from onewriter.cli.points_runs import audit, award
from onewriter.customers import owned
from onewriter.desk.pointing import (
    Document,
    Meant,
    account_document,
    book_of,
    entry_document,
    excluded_by,
    lapse_text,
    name_of,
    points_text,
)
from onewriter.desk.statements import look
from onewriter.loyalty import points
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.points import KEY_MAX, POINTS_MAX, Done
from onewriter.loyalty.programme_toml import DAYS_MAX
from onewriter.records import Instant, id_text, sortable_id
from onewriter.runtime import Runtime, now
from onewriter.vault.vault import ShopVault

DAYS_DIGITS = 9
NEVER, DEFAULT = "never", "default"

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

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.redeem(db, whose.vault, whose.found.id, many, key, session.actor(), moment, reason=why)

    told = f"Redeemed {points_text(many)} of {{name}} under the key {key}"
    _do(domain, customer, act, told, as_json)


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
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
        vault = runtime.vault(shop.id)
        with runtime.database.write() as db:
            done = points.take_back(db, vault, key, session.actor(), now(), reason=why)
            holder = done.account.customer_id
            number = owned.numbers(db, shop.id, [holder]).get(holder)
    document = {"shop": shop.domain, "customer": id_text(holder), "shopify_id": number, "merged_away": None}
    sentence = f"Gave {points_text(done.entry.points)} back to {name_of(holder, number)}"
    answer(as_json, document | _done_document(done), lambda: say(_sentence(sentence, done)))


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

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.adjust(db, whose.vault, whose.found.id, by, why, session.actor(), moment, key=key)

    told = f"Gave {points_text(by)} to {{name}}" if by > 0 else f"Took {points_text(-by)} from {{name}}"
    _do(domain, customer, act, told, as_json)


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

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.give(db, whose.vault, whose.found.id, rule, reference, session.actor(), moment)

    _do(domain, customer, act, f"Gave {{name}} {{points}} by the rule {rule}", as_json)


def _do(
    domain: str | None, customer: str, act: Callable[[Connection, Meant, Instant], Done], told: str, as_json: bool
) -> None:
    """Do something with a customer's points in one transaction, and tell it."""
    with session.opened() as runtime:
        whose = _meant(runtime, domain, customer)
        with runtime.database.write() as db:
            done = act(db, whose, now())
    sentence = told.replace("{name}", whose.name).replace("{points}", points_text(done.entry.points))

    def tell() -> None:
        if whose.note is not None:
            say(whose.note)
        say(_sentence(sentence, done))

    answer(as_json, whose.document | _done_document(done), tell)


def _meant(runtime: Runtime, domain: str | None, customer: str) -> Meant:
    """Whom a command means that changes something."""
    with runtime.database.read() as db:
        require(db, Role.STAFF)
        return meant(runtime, db, domain, customer)


def _done_document(done: Done) -> Document:
    account = account_document(done.account)
    return {"again": done.again, "entry": entry_document(done.entry), "account": account}


def _sentence(told: str, done: Done) -> str:
    """What was done and the new balance; done before, it says so."""
    if done.again:
        told = f"This was done before, and nothing was done now: {told[:1].lower()}{told[1:]}"
    return f"{told}. {_left(done.account)}"


def _left(account: Account) -> str:
    waiting = f", and {account.pending:,} more are pending" if account.pending else ""
    return f"The balance is {points_text(account.balance)}{waiting}."


# ---- Who earns, and how long


@group.command("exclude")
@customer_argument
@shop_option
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", required=True, help="The reason; it is kept and logged.")
@as_json
def exclude(customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Let a customer earn nothing from now on. What it has stays, and can be spent."""

    def act(db: Connection, vault: ShopVault, customer_id: bytes, moment: Instant) -> Account:
        return points.exclude(db, vault, customer_id, why, moment)

    _decide(domain, customer, act, "{name} earns nothing from now on", as_json, {"decided": "excluded"})


@group.command("include")
@customer_argument
@shop_option
@as_json
def include(customer: str, domain: str | None, as_json: bool) -> None:
    """Let a customer that was excluded earn again, by what happens from now on.

    A customer that a tag excludes stays excluded while it has the tag.
    """

    def act(db: Connection, vault: ShopVault, customer_id: bytes, moment: Instant) -> Account:
        return points.exclude(db, vault, customer_id, None, moment)

    _decide(domain, customer, act, "{name} earns again from now on", as_json, {"decided": "included"})


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
    own_days = _days(days)

    def act(db: Connection, vault: ShopVault, customer_id: bytes, moment: Instant) -> Account:
        return points.set_days(db, vault, customer_id, own_days, moment)

    told = "{name} has no days of inactivity of its own any more" if own_days is None else _DAYS_TOLD[own_days > 0]
    _decide(domain, customer, act, told.replace("{days}", str(own_days)), as_json, {"decided": "days"})


_DAYS_TOLD = {False: "The points of {name} never end by inactivity", True: "{name} has {days} days of inactivity"}


def _days(text: str) -> int | None:
    """Days as people write them; 0 is never, None is as the programme says."""
    if text in (NEVER, DEFAULT):
        return 0 if text == NEVER else None
    if not (text.isascii() and text.isdecimal() and len(text) <= DAYS_DIGITS and 1 <= int(text) <= DAYS_MAX):
        raise click.UsageError(f"DAYS must be a number from 1 to {DAYS_MAX:,}, never, or default")
    return int(text)


def _decide(
    domain: str | None,
    customer: str,
    act: Callable[[Connection, ShopVault, bytes, Instant], Account],
    told: str,
    as_json: bool,
    logged: Document,
) -> None:
    """Decide something for a customer in one transaction, log who did, and tell what counts then."""
    with session.opened() as runtime:
        whose = _meant(runtime, domain, customer)
        with runtime.database.write() as db:
            account = act(db, whose.vault, whose.found.id, now())
            book = book_of(db, whose)
            by, lapse = excluded_by(book, now()), lapse_text(book)
    log = structlog.get_logger(__name__)
    who = {"shop": whose.shop.domain, "customer": id_text(whose.holder), "own_days": account.own_days}
    log.warning("points decided", actor=session.actor(), **who, **logged)
    document = whose.document | {"excluded_by": by, "account": account_document(account)}

    def tell() -> None:
        if whose.note is not None:
            say(whose.note)
        say(f"{told.replace('{name}', whose.name).capitalize()}. {_left(account)}")
        if logged["decided"] == "included" and by == "tag":
            say("It still earns nothing, since one of its tags is excluded by the programme.")
        if logged["decided"] == "days":
            say(f"Now: {lapse}.")

    answer(as_json, document, tell)


group.add_command(award)
group.add_command(audit)
