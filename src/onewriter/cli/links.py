"""`onewriter links`: which record of which connected system is whose, by which key, and what a person says of it."""

from collections.abc import Callable, Sequence

import click
import structlog
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, shop_option, yes_option
from onewriter.cli.linked import Document, Seen, documents, pair_documents, tell_links, tell_pairs
from onewriter.cli.output import answer, say
from onewriter.cli.revealing import permit_reveal
from onewriter.customers import deciding, erasing, find, links, policies, remote, systems
from onewriter.customers.deciding import Pair
from onewriter.customers.links import LINKED, REVIEW, Link, NotLinked
from onewriter.customers.shops import Shop
from onewriter.errors import UnknownSystem
from onewriter.records import id_text
from onewriter.runtime import Runtime, now

LINK, BREAK, REFUSE = "link", "break link", "refuse link"
RECORD_MAX = 512
TRUE_ID = "record_id"
"""What the access log calls the id that a system has for a record."""

why_option = click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
system_option = click.option("--system", metavar="SYSTEM", help="Only records of this system.")


def _about_a_pair(command: Callable[..., None]) -> Callable[..., None]:
    """Add what each command takes by which a person says of a record and a customer whether they are one."""
    for option in (as_json, why_option, shop_option, *map(click.argument, ("customer", "record", "system"))):
        command = option(command)
    return command


@click.group("links")
def group() -> None:
    """See which record of which system is whose, and take records apart or together.

    A record is its id in its system, or the keyed name that is shown in its place: ids of records can be personal. A
    customer is Shopify's number or gid, our id, an email address or a phone number.
    """


@group.command("show")
@click.argument("text", metavar="CUSTOMER|RECORD")
@click.option("--system", metavar="SYSTEM", help="The record of this system, and not a customer.")
@shop_option
@reveal_options
@as_json
def show(text: str, system: str | None, domain: str | None, reveal: bool, why: str | None, as_json: bool) -> None:
    """Show which records are a customer's, or whose a record is: by which key, since when, and why.

    What was taken apart, and what waits to be looked at, is shown as well. With --reveal the ids that the systems have
    for their records are shown, too.
    """
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.VIEWER if reason is None else Role.STAFF)
            shop = session.choose_shop(db, domain)
            found = _of_record(runtime, db, shop, system, text) if system else _of_customer(runtime, db, shop, text)
        if reason is not None and found:
            about = [About(each, fields=[TRUE_ID]) for each in dict.fromkeys(one.customer_id for one in found)]
            permit_reveal(runtime, shop, about, reason)
        with runtime.database.read() as db:
            seen = Seen.look(db, runtime.vault(shop.id), found)
            told = documents(shop, found, seen, reveal=reason is not None)
    answer(as_json, told, lambda: tell_links(told, reveal=reason is not None))


def _of_customer(runtime: Runtime, db: Connection, shop: Shop, text: str) -> list[Link]:
    whose = find.show(db, runtime.vault(shop.id), text)
    return links.of_people(db, shop.id, [whose.id])


def _of_record(runtime: Runtime, db: Connection, shop: Shop, system: str, text: str) -> list[Link]:
    return links.among(db, shop.id, system, [_record(runtime, db, shop, system, text)])


def _record(runtime: Runtime, db: Connection, shop: Shop, system: str, text: str) -> str:
    """The keyed name of the record that somebody means, by that name or by its own id; raises UnknownSystem."""
    known = {*systems.names(db, shop.id), *policies.of_shop(db, shop.id).systems}
    if system not in known:
        raise UnknownSystem(f"{shop.domain} has no such system; `onewriter systems list` shows those that it has.")
    wanted = text.strip()
    if not 0 < len(wanted) <= RECORD_MAX:
        raise click.UsageError(f"give the id of a record: 1 to {RECORD_MAX} letters")
    if links.among(db, shop.id, system, [wanted]) or remote.glance(db, shop.id, system, [wanted]):
        return wanted
    return runtime.vault(shop.id).key.record_name(system, wanted)


# ---- Looking at what is in doubt


@group.group("review")
def review() -> None:
    """Look at records that may be somebody's, and say whether they are."""


@review.command("list")
@system_option
@shop_option
@limit_option
@reveal_options
@as_json
def review_list(
    system: str | None, domain: str | None, limit: int, reveal: bool, why: str | None, as_json: bool
) -> None:
    """List the pairs that wait for a person: what the record says beside what the customer has."""
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.VIEWER if reason is None else Role.STAFF)
            shop = session.choose_shop(db, domain)
            found = links.listed(db, shop.id, REVIEW, limit, system=system)
        if reason is not None and found:
            ids = dict.fromkeys(one.customer_id for one in found)
            permit_reveal(runtime, shop, [About(each, fields=[TRUE_ID, *deciding.COMPARED]) for each in ids], reason)
        with runtime.database.read() as db:
            seen = Seen.look(db, runtime.vault(shop.id), found)
            told = pair_documents(shop, found, seen, reveal=reason is not None)
    answer(as_json, told, lambda: tell_pairs(told))


@review.command("accept")
@_about_a_pair
def accept(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Say that a record which waits is this customer's; the next cycle treats it so."""
    _decide(domain, system, record, customer, why, LINK, deciding.accept, as_json)


@review.command("refuse")
@_about_a_pair
def refuse(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Say that a record which waits is not this customer's; the two are never proposed again."""
    _decide(domain, system, record, customer, why, REFUSE, deciding.refuse, as_json)


# ---- Deciding by hand


@group.command("link")
@_about_a_pair
def link(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Link a record to a customer by hand, whatever their keys say, and though they were taken apart once."""
    _decide(domain, system, record, customer, why, LINK, deciding.link_by_hand, as_json)


@group.command("break")
@click.argument("system")
@click.argument("record")
@shop_option
@why_option
@yes_option
@as_json
def break_link(system: str, record: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Take a record and the customer whose it is apart, for good.

    The record is nobody's then, and the two are never proposed again. What the customer took over from the record stays
    with it: `onewriter customers show CUSTOMER --history` tells what that was.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            name = _record(runtime, db, shop, system, record)
            whose = links.of_records(db, shop.id, system, [name]).get(name)
        if whose is None:
            raise NotLinked("That record is nobody's, so there is nothing to break.")
        confirm(f"Take that record of {system} and customer {id_text(whose)} apart, for good?", yes)
        document = _carry_out(runtime, shop, Pair(system, name, whose), why, BREAK, deciding.break_link)
    answer(as_json, document, lambda: _tell(document))


Decision = Callable[..., Link]


def _decide(
    domain: str | None, system: str, record: str, customer: str, why: str, action: str, what: Decision, as_json: bool
) -> None:
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            name = _record(runtime, db, shop, system, record)
            whose = find.show(db, runtime.vault(shop.id), customer)
        document = _carry_out(runtime, shop, Pair(system, name, whose.id), why, action, what)
    answer(as_json, document, lambda: _tell(document))


def _carry_out(runtime: Runtime, shop: Shop, pair: Pair, why: str, action: str, what: Decision) -> Document:
    """Do what was decided, in one transaction, once it is in the access log; and end the keys that it leaves over."""
    about = [About(pair.customer_id, f"record {pair.record} of {pair.system}")]
    permit(runtime, Role.STAFF, action, about, shop_id=shop.id, why=why)
    moment, vault = now(), runtime.vault(shop.id)
    with runtime.database.write() as db:
        decided = what(db, vault, pair, session.actor(), moment)
    erasing.end(runtime.database, runtime.keys, moment)
    log = structlog.get_logger(__name__)
    told: Sequence[tuple[str, str]] = (("system", pair.system), ("record", pair.record), ("state", decided.state))
    log.warning(action, actor=session.actor(), shop=shop.domain, customer=id_text(pair.customer_id), **dict(told))
    [document] = documents(shop, [decided], Seen(), reveal=False)
    return document


def _tell(document: Document) -> None:
    done = "is linked to" if document["state"] == LINKED else "is taken apart from"
    say(f"Record {document['record']} of {document['system']} {done} customer {document['customer']}.")
