"""`onewriter programme`: show the rules by which customers earn points, set them, and see what others would do."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.inputs import Declined, as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, details, say, table, when
from onewriter.customers import shops
from onewriter.customers.shops import Shop
from onewriter.desk.programme import refuse, shown_document, version_document
from onewriter.errors import ScopeMissing
from onewriter.loyalty import programme
from onewriter.loyalty.forecast import OPENED_MAX, Endings, Excluded, Forecast, Gifts, Orders, forecast
from onewriter.loyalty.programme import NoProgramme, Recorded
from onewriter.loyalty.programme_toml import FILE_BYTES_MAX, BadProgramme, parse
from onewriter.records import id_text, iso
from onewriter.rules.earning import Programme, Version
from onewriter.runtime import now

Document = dict[str, Any]

file_argument = click.argument("file", metavar="FILE|-", type=click.File("rb"))


@click.group("programme")
def group() -> None:
    """Show the rules that give points, and set or try others."""


# ---- Show -----------------------------------------------------------------------------------------------------------


@group.command("show")
@shop_option
@click.option("--version", "number", type=click.IntRange(1), metavar="N", help="A past version, not the newest.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the file alone, as it was given.")
@as_json
def show(domain: str | None, number: int | None, as_toml: bool, as_json: bool) -> None:
    """Show the rules by which customers earn points, and every version there was.

    A version counts for what happens from its moment on, until the next one. What an order or a customer of the past
    earns is still decided by the version of that time.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        known = programme.recorded(db, shop.id)
    chosen = _chosen(shop, known, number, needed=as_toml and not as_json)

    def tell() -> None:
        if as_toml and chosen is not None:
            say(chosen.document.rstrip("\n"))
        else:
            _tell_shown(shop, chosen, known)

    answer(as_json, shown_document(shop, chosen, known), tell)


def _chosen(shop: Shop, known: Sequence[Recorded], number: int | None, *, needed: bool) -> Recorded | None:
    """The version of that number, or the newest; None where there is none and none was asked for."""
    if number is None and (known or not needed):
        return known[-1] if known else None
    for one in known:
        if one.version.number == number:
            return one
    there = f"there are {len(known)}" if known else "none is set yet; run `onewriter programme set FILE`"
    what = "no programme" if number is None else f"no version {number} of its programme"
    raise NoProgramme(f"{shop.domain} has {what}: {there}.")


def _tell_shown(shop: Shop, chosen: Recorded | None, known: Sequence[Recorded]) -> None:
    if chosen is None:
        say(f"{shop.domain} has no programme yet, so nobody earns points; `onewriter programme set FILE` sets one.")
        return
    say(f"Version {chosen.version.number} of the programme of {shop.domain}, since {when(chosen.version.since)}\n")
    details(programme.in_words(chosen.version.rules))
    say()
    columns = ("version", "since", "set_by", "why")
    rows = (version_document(one) for one in reversed(known))
    table(("VERSION", "SINCE", "SET BY", "WHY"), ([row[name] for name in columns] for row in rows))


# ---- Set ------------------------------------------------------------------------------------------------------------


@group.command("set")
@file_argument
@shop_option
@click.option("--why", metavar="TEXT", help="The reason, recorded with your name.")
@yes_option
@as_json
def set_rules(file: BinaryIO, domain: str | None, why: str | None, yes: bool, as_json: bool) -> None:
    """Set the rules by which customers earn points, from now on.

    Shows what changes, and asks first. Nothing is retroactive: the rules count for what happens from this moment on, by
    Shopify's clock, and what was earned before stays. A version is never changed or removed; to take a rule back, set a
    file without it. It can be set at any time, also while an import runs. `onewriter programme check FILE` shows
    beforehand what the rules would do.

    FILE is TOML; a section that is left out is off, and currency must be the shop's:

    \b
      currency = "EUR"
      [signup]
      points = 50
      pending_days = 0
      requires_account = false
      [newsletter]
      points = 20
      [order]
      on = "paid"               # or fulfilled
      points_per_unit = "1.5"   # points for each whole EUR
      amount = "total"          # or subtotal
      rounding = "down"         # or nearest, up
      minimum = "10.00"
      pending_days = 14
      [custom.review]           # for events that other systems report
      points = 30
      [expiry]
      after_days = 365          # after they could be spent
      inactivity_days = 180     # after the last earning or redeeming
      [expiry.inactivity_by_tag]
      vip = 730
      [exclude]
      tags = ["staff"]          # they earn nothing
    """
    document = _read(file)
    rules = parse(document)
    moment = now()
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain, connected=True)
            before = programme.versions(db, shop.id)
        refuse(rules, shop)
        changes = programme.compare(before[-1].rules if before else None, rules)
        if changes:
            if not as_json:
                _tell_changes(changes)
                say(f"\nThey count from {when(programme.starts(shop, before, moment))} on, and for nothing before.")
            confirm(f"Set these rules for {shop.domain}?", yes)
        with runtime.database.write() as db:
            shops.locked(db, shop.id)
            known = programme.versions(db, shop.id)
            if len(known) != len(before) and not yes:
                raise Declined("Somebody set other rules meanwhile, and nothing was changed; look at the rules again.")
            version = programme.add(db, shop, document, session.actor(), why, now())
    fresh = version not in known
    result = {"shop": shop.domain, "version": version.number, "since": iso(version.since), "set": fresh}
    answer(as_json, result | {"changes": list(map(asdict, changes))}, lambda: say(_told(shop, version, fresh)))


def _told(shop: Shop, version: Version, fresh: bool) -> str:
    if fresh:
        return f"Set as version {version.number} of the programme of {shop.domain}, since {when(version.since)}."
    return f"These are the rules of version {version.number} already, since {when(version.since)}; nothing was set."


def _read(file: BinaryIO) -> str:
    """The text of a file, which may begin with a byte order mark."""
    # One byte more than is allowed, so that a longer file is seen to be too long.
    try:
        return file.read(FILE_BYTES_MAX + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadProgramme("A programme must be a text file in UTF-8.") from None


def _tell_changes(changes: Sequence[programme.Difference]) -> None:
    rows = ([each.rule, each.before or "off", each.after or "off"] for each in changes)
    table(("RULE", "BEFORE", "AFTER"), rows)


# ---- Check ----------------------------------------------------------------------------------------------------------


@group.command("check")
@file_argument
@shop_option
@as_json
def check(file: BinaryIO, domain: str | None, as_json: bool) -> None:
    """Show who would get what by the rules of a file, and change nothing.

    Compares with the newest version rule by rule, computes the newest 1,000 orders anew, and counts who lacks the
    points for signing up and for the newsletter, whose points could end, and who would be excluded. These are figures
    of what is held now: what cannot be told from it is said beside them. A file that cannot be read exits with 2.
    """
    rules = parse(_read(file))
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
        programme.refuse_other_currency(rules, shop)
        vault = runtime.vault(shop.id)
        with runtime.database.read() as db:
            found = forecast(db, vault, shop, rules, now())
    refused = _refused(rules, shop)
    answer(as_json, _document(shop, refused, found), lambda: _tell_forecast(shop, refused, found))


def _refused(rules: Programme, shop: Shop) -> str | None:
    """Why these rules could not be set as things are; None if they can."""
    try:
        refuse(rules, shop)
    except ScopeMissing as error:
        return str(error)
    return None


def _document(shop: Shop, refused: str | None, found: Forecast) -> Document:
    endings, excluded = asdict(found.endings), asdict(found.excluded)
    endings["not_before"] = iso(found.endings.not_before)
    return {
        "shop": shop.domain,
        "compared_with": None if found.before is None else found.before.number,
        "refused": refused,
        "changes": list(map(asdict, found.changes)),
        "orders": _orders_document(found.orders),
        "signup": _gifts_document(found.signup) | {"older": found.signup.older},
        "newsletter": _gifts_document(found.newsletter),
        "endings": endings,
        "excluded": excluded,
    }


def _orders_document(orders: Orders) -> Document:
    greatest = [{"customer": id_text(each.customer), "then": each.then, "now": each.now} for each in orders.greatest]
    counted = {name: getattr(orders, name) for name in ("computed", "of", "then", "now", "customers")}
    return counted | {"greatest": greatest, "notes": list(orders.notes)}


def _gifts_document(gifts: Gifts) -> Document:
    counted = {name: getattr(gifts, name) for name in ("points_each", "have", "without", "points", "award_points")}
    return counted | {"first": list(map(id_text, gifts.first))}


def _tell_forecast(shop: Shop, refused: str | None, found: Forecast) -> None:
    if refused is not None:
        say(f"These rules cannot be set as things are: {refused}\n")
    if found.changes:
        compared = "no rules" if found.before is None else f"version {found.before.number}"
        say(f"Compared with {compared} of {shop.domain}")
        _tell_changes(found.changes)
    else:
        say(f"These are the rules of the newest version of {shop.domain} already.")
    _tell_orders(found.orders)
    _tell_signup(found.signup)
    _tell_newsletter(found.newsletter)
    _tell_endings(found.endings)
    _tell_excluded(found.excluded)


def _tell_orders(orders: Orders) -> None:
    say("\nOrders")
    if not orders.computed:
        say("No order has earned points yet, so there is nothing to compute anew.")
        return
    say(f"The newest {orders.computed:,} of the {orders.of:,} orders that earned gave {orders.then:,} points.")
    say(f"By these rules they would give {orders.now:,}.")
    say(f"Customers for whom it makes a difference: {orders.customers:,}.")
    for sentence in orders.notes:
        say(sentence)
    if orders.greatest:
        rows = ([id_text(each.customer), each.then, each.now, f"{each.now - each.then:+,}"] for each in orders.greatest)
        table(("CUSTOMER", "THEN", "NOW", "DIFFERENCE"), rows)


def _tell_signup(gifts: Gifts) -> None:
    say("\nSigning up")
    say(f"Customers who have these points: {gifts.have:,}.")
    say(f"Created since the install without them: {gifts.without:,}; there before it: {gifts.older:,}.")
    if gifts.award_points:
        say("Rules reach back to nobody, so they get none by themselves. `onewriter points award signup` would give")
        say(f"them {gifts.award_points:,} points at most, {gifts.points:,} of these to those since the install.")
    if gifts.points:
        say("The first since the install: " + ", ".join(map(id_text, gifts.first)))


def _tell_newsletter(gifts: Gifts) -> None:
    say("\nNewsletter")
    say(f"Customers who have these points: {gifts.have:,}; without them: {gifts.without:,}, subscribed or not.")
    if gifts.points:
        say(f"They come to {gifts.points:,} points if all of them subscribe from then on.")


def _tell_endings(endings: Endings) -> None:
    say("\nPoints that end")
    say(
        f"Accounts with points to spend: {endings.accounts:,}, with {endings.balance:,} points, which keep their dates."
    )
    if not endings.inactivity_changes:
        say("The days of inactivity stay as they are.")
    elif endings.not_before is None:
        say("Nothing would end by inactivity any more, but for customers with days of their own.")
    else:
        say("The days of inactivity change, and are counted anew for each customer for whom they do:")
        say(f"nothing of theirs can end by inactivity before {when(endings.not_before)}.")


def _tell_excluded(excluded: Excluded) -> None:
    say("\nExcluded")
    if excluded.customers is None:
        say(
            f"There are more than {OPENED_MAX:,} customers; how many would be excluded is not told without opening all."
        )
        return
    say(f"Customers with an excluded tag now: {excluded.customers:,}.")
    if excluded.unread:
        say(f"Customers whose tags are not known yet: {excluded.unread:,}.")
