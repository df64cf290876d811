"""What people do with points: redeem, give back, adjust, give by a rule, exclude, and how long they last.

Each is one entry or one decision, made in one transaction, and can be looked at first: then the same is done, told, and
taken back before anybody else could see it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import owned
from onewriter.customers.people import Role
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.desk.pointing import (
    Document,
    Meant,
    account_document,
    book_of,
    entry_document,
    excluded_by,
    lapse_text,
    meant,
    name_of,
    points_text,
)
from onewriter.errors import BadInput
from onewriter.loyalty import points
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.points import KEY_MAX, POINTS_MAX, Done
from onewriter.loyalty.programme_toml import DAYS_MAX
from onewriter.records import Instant, id_text

WHY_MAX = 500
NEVER, DEFAULT = "never", "default"
DAYS_DIGITS = 9

Act = Callable[[Connection, Meant, Instant], Done]
Decide = Callable[[Connection, Meant, Instant], Account]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to do with a customer's points, and how it is told."""

    act: Act
    told: str
    """A sentence without its end; {name} is the customer, and {points} what came of it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Something to decide for a customer, and how it is told and logged."""

    act: Decide
    told: str
    logged: Document


# ---- What there is to do --------------------------------------------------------------------------------------------


def redeeming(caller: Caller, many: int, key: str, why: str | None) -> Deed:
    """Spend points, those first that end first; under the same key once."""
    amount, name, said = _many(many), line(key, KEY_MAX, "key"), None if why is None else line(why, WHY_MAX, "why")

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.redeem(db, whose.vault, whose.found.id, amount, name, caller.who, moment, reason=said)

    return Deed(act, f"Redeemed {points_text(amount)} of {{name}} under the key {name}")


def adjusting(caller: Caller, by: int, why: str, key: str | None) -> Deed:
    """Give points, or take them where `by` is below zero; never more than there are."""
    amount, said = _many(abs(by)), line(why, WHY_MAX, "why")
    name = None if key is None else line(key, KEY_MAX, "key")

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.adjust(db, whose.vault, whose.found.id, by, said, caller.who, moment, key=name)

    return Deed(
        act, f"Gave {points_text(amount)} to {{name}}" if by > 0 else f"Took {points_text(amount)} from {{name}}"
    )


def giving(caller: Caller, rule: str, reference: str) -> Deed:
    """Give what a custom rule gives for something that happened elsewhere; for each reference once."""
    name = line(reference, KEY_MAX, "reference")

    def act(db: Connection, whose: Meant, moment: Instant) -> Done:
        return points.give(db, whose.vault, whose.found.id, rule, name, caller.who, moment)

    return Deed(act, f"Gave {{name}} {{points}} by the rule {rule}")


def excluding(why: str | None) -> Decision:
    """Let a customer earn nothing from now on, for a reason; or earn again, without one."""
    said = None if why is None else line(why, WHY_MAX, "why")

    def act(db: Connection, whose: Meant, moment: Instant) -> Account:
        return points.exclude(db, whose.vault, whose.found.id, said, moment)

    if said is None:
        return Decision(act, "{name} earns again from now on", {"decided": "included"})
    return Decision(act, "{name} earns nothing from now on", {"decided": "excluded"})


def lasting(days: str) -> Decision:
    """After how many days without activity the points of a customer end: a number, never, or default."""
    own_days = _days(days)

    def act(db: Connection, whose: Meant, moment: Instant) -> Account:
        return points.set_days(db, whose.vault, whose.found.id, own_days, moment)

    told = "{name} has no days of inactivity of its own any more"
    if own_days is not None:
        told = (
            f"{{name}} has {own_days} days of inactivity"
            if own_days
            else "The points of {name} never end by inactivity"
        )
    return Decision(act, told, {"decided": "days"})


def line(text: str, most: int, about: str) -> str:
    """One line that somebody typed, without the blanks around it; raises BadInput."""
    found = text.strip()
    if not found or not found.isprintable() or len(found) > most:
        raise BadInput(f"Give one line of 1 to {most} letters.", about)
    return found


def _many(given: int) -> int:
    if not 1 <= given <= POINTS_MAX:
        raise BadInput(f"Give points as a whole number from 1 to {POINTS_MAX:,}.", "points")
    return given


def _days(text: str) -> int | None:
    """Days as people write them; 0 is never, None is as the programme says."""
    if text in (NEVER, DEFAULT):
        return 0 if text == NEVER else None
    if not (text.isascii() and text.isdecimal() and len(text) <= DAYS_DIGITS and 1 <= int(text) <= DAYS_MAX):
        raise BadInput(f"DAYS must be a number from 1 to {DAYS_MAX:,}, never, or default.", "days")
    return int(text)


# ---- Doing it -------------------------------------------------------------------------------------------------------


def do(caller: Caller, named: str | None, customer: str, deed: Deed, *, dry: bool = False) -> Document:
    """Do something with a customer's points, and tell it; with `dry` only tell what would come of it."""
    whose = _whose(caller, named, customer)
    with caller.runtime.database.write() as db, db.begin_nested() as tried:
        done = deed.act(db, whose, caller.now)
        if dry:
            tried.rollback()
    told = deed.told.replace("{name}", whose.name).replace("{points}", points_text(done.entry.points))
    return whose.document | done_document(done) | {"note": whose.note, "told": sentence(told, done), "dry_run": dry}


def take_back(caller: Caller, named: str | None, key: str, why: str | None) -> Document:
    """Give back what was redeemed under a key."""
    runtime, name = caller.runtime, line(key, KEY_MAX, "key")
    said = None if why is None else line(why, WHY_MAX, "why")
    with runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
    with runtime.database.write() as db:
        done = points.take_back(db, runtime.vault(shop.id), name, caller.who, caller.now, reason=said)
        holder = done.account.customer_id
        number = owned.numbers(db, shop.id, [holder]).get(holder)
    told = sentence(f"Gave {points_text(done.entry.points)} back to {name_of(holder, number)}", done)
    head = {"shop": shop.domain, "customer": id_text(holder), "shopify_id": number, "merged_away": None}
    return head | done_document(done) | {"note": None, "told": told, "dry_run": False}


def decide(caller: Caller, named: str | None, customer: str, decision: Decision) -> Document:
    """Decide something for a customer, log who did, and tell what counts then."""
    runtime = caller.runtime
    whose = _whose(caller, named, customer)
    with runtime.database.write() as db:
        account = decision.act(db, whose, caller.now)
        book = book_of(db, whose)
        by, lapse = excluded_by(book, caller.now), lapse_text(book)
    who = {"shop": whose.shop.domain, "customer": id_text(whose.holder), "own_days": account.own_days}
    log = structlog.get_logger(__name__)
    log.warning("points decided", actor=caller.who, **who, **decision.logged)
    told = f"{decision.told.replace('{name}', whose.name).capitalize()}. {left(account)}"
    if decision.logged["decided"] == "included" and by == "tag":
        told += " It still earns nothing, since one of its tags is excluded by the programme."
    if decision.logged["decided"] == "days":
        told += f" Now: {lapse}."
    return whose.document | {"excluded_by": by, "account": account_document(account), "note": whose.note, "told": told}


def _whose(caller: Caller, named: str | None, customer: str) -> Meant:
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        return meant(caller.runtime, db, named, customer)


def done_document(done: Done) -> Document:
    """What was done, and the account then."""
    account = account_document(done.account)
    return {"again": done.again, "entry": entry_document(done.entry), "account": account}


def sentence(told: str, done: Done) -> str:
    """What was done and the new balance; done before, it says so."""
    if done.again:
        told = f"This was done before, and nothing was done now: {told[:1].lower()}{told[1:]}"
    return f"{told}. {left(done.account)}"


def left(account: Account) -> str:
    """The balance, in a sentence."""
    waiting = f", and {account.pending:,} more are pending" if account.pending else ""
    return f"The balance is {points_text(account.balance)}{waiting}."
