"""Links: which record of which connected system is whose, and what a person says of a record and a customer."""

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import deciding, erasing, find, links, policies, remote, systems
from onewriter.customers.deciding import Pair
from onewriter.customers.links import REVIEW, Link, NotLinked
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.desk.linked import LinkDocument, Seen, documents, pair_documents
from onewriter.errors import BadInput, UnknownSystem
from onewriter.records import SHOPIFY, id_text

LINK, BREAK, REFUSE = "link", "break link", "refuse link"
"""What the access log calls what was decided."""
TRUE_ID = "record_id"
"""What it calls the id that a system has for a record."""
RECORD_MAX = 512
DECISIONS = {
    "accept": (LINK, deciding.accept),
    "refuse": (REFUSE, deciding.refuse),
    "link": (LINK, deciding.link_by_hand),
    "break": (BREAK, deciding.break_link),
}
"""What a person may say of a record and a customer: what it is called, and what it does."""

Look = Callable[[Connection, Shop], list[Link]]


class PairPage(TypedDict):
    """A page of pairs that wait for a person, by system and record."""

    items: list[LinkDocument]
    next: str | None


# ---- Looking --------------------------------------------------------------------------------------------------------


def of_customer(caller: Caller, named: str | None, text: str, why: str | None = None) -> list[LinkDocument]:
    """The records that are a customer's, that were taken from it, and that wait; true ids for a reason alone."""
    runtime = caller.runtime

    def look(db: Connection, shop: Shop) -> list[Link]:
        return links.of_people(db, shop.id, [find.show(db, runtime.vault(shop.id), text).id])

    return _told(caller, named, look, why)


def of_record(caller: Caller, named: str | None, system: str, text: str, why: str | None = None) -> list[LinkDocument]:
    """Whose a record is or may be, by its id or its keyed name; true ids for a reason alone."""

    def look(db: Connection, shop: Shop) -> list[Link]:
        return links.among(db, shop.id, system, [_record(caller, db, shop, system, text)])

    return _told(caller, named, look, why)


def _told(caller: Caller, named: str | None, look: Look, why: str | None) -> list[LinkDocument]:
    shop, found = _found(caller, named, look, why)
    return documents(shop, found, _seen(caller, shop, found, [TRUE_ID], why), reveal=why is not None)


def waiting(
    caller: Caller,
    named: str | None,
    cursor: str | None,
    limit: int,
    *,
    system: str | None = None,
    why: str | None = None,
) -> PairPage:
    """A page of the pairs that wait for a person: what the record says beside what the customer has."""
    behind = paging.behind(cursor, str, str, str)
    try:
        after = None if behind is None else (behind[0], behind[1], bytes.fromhex(behind[2]))
    except ValueError:
        raise BadInput("This cursor is none; take the one that the page before gave, or none.", "cursor") from None

    def look(db: Connection, shop: Shop) -> list[Link]:
        return links.listed(db, shop.id, REVIEW, limit + 1, system=system, after=after)

    shop, found = _found(caller, named, look, why)
    kept, following = paging.page(found, limit, lambda one: (one.system, one.record, one.customer_id.hex()))
    seen = _seen(caller, shop, kept, [TRUE_ID, *deciding.COMPARED], why)
    return {"items": pair_documents(shop, kept, seen, reveal=why is not None), "next": following}


def _found(caller: Caller, named: str | None, look: Look, why: str | None) -> tuple[Shop, list[Link]]:
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER if why is None else Role.STAFF)
        shop = choose_shop(db, named)
        return shop, look(db, shop)


def _seen(caller: Caller, shop: Shop, found: Sequence[Link], fields: Sequence[str], why: str | None) -> Seen:
    """What links are about, opened; with a reason it stands in the access log by then, customer by customer."""
    if why is not None:
        said = reason(why)
        about = [About(each, fields=fields) for each in dict.fromkeys(one.customer_id for one in found)]
        if about:
            caller.permit_reveal(shop, about, said)
    with caller.runtime.database.read() as db:
        return Seen.look(db, caller.runtime.vault(shop.id), found)


def linkable(caller: Caller, named: str | None) -> list[str]:
    """The systems whose records can be somebody's."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return sorted(_known(db, choose_shop(db, named)) - {SHOPIFY})


def _known(db: Connection, shop: Shop) -> set[str]:
    return {*systems.names(db, shop.id), *policies.of_shop(db, shop.id).systems}


def _record(caller: Caller, db: Connection, shop: Shop, system: str, text: str) -> str:
    """The keyed name of the record that somebody means, by that name or by its own id; raises UnknownSystem."""
    if system not in _known(db, shop):
        raise UnknownSystem(f"{shop.domain} has no such system; `onewriter systems list` shows those that it has.")
    wanted = text.strip()
    if not 0 < len(wanted) <= RECORD_MAX:
        raise BadInput(f"Give the id of a record: 1 to {RECORD_MAX} letters.", "record")
    if links.among(db, shop.id, system, [wanted]) or remote.glance(db, shop.id, system, [wanted]):
        return wanted
    return caller.runtime.vault(shop.id).key.record_name(system, wanted)


# ---- Deciding -------------------------------------------------------------------------------------------------------


def decide(
    caller: Caller, named: str | None, what: str, system: str, record: str, customer: str, why: str
) -> LinkDocument:
    """Say of a record and a customer that they are one (accept, link) or two (refuse, break); see DECISIONS."""
    said = reason(why)
    if what not in DECISIONS:
        raise BadInput("Accept, refuse, link or break a pair.", "what")
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        name = _record(caller, db, shop, system, record)
        whose = find.show(db, caller.runtime.vault(shop.id), customer)
    return _carry_out(caller, shop, what, Pair(system, name, whose.id), said)


def owner_of(caller: Caller, named: str | None, system: str, record: str) -> str:
    """Our id of the customer whose a record is, for who would break that; raises NotLinked for nobody's."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        name = _record(caller, db, shop, system, record)
        whose = links.of_records(db, shop.id, system, [name]).get(name)
    if whose is None:
        raise NotLinked("That record is nobody's, so there is nothing to break.")
    return id_text(whose)


def _carry_out(caller: Caller, shop: Shop, what: str, pair: Pair, why: str) -> LinkDocument:
    """Do what was decided, in one transaction, once it is in the access log; and end the keys that it leaves over."""
    action, do = DECISIONS[what]
    about = [About(pair.customer_id, f"record {pair.record} of {pair.system}")]
    caller.permit(Role.STAFF, action, about, shop_id=shop.id, why=why)
    runtime, moment = caller.runtime, caller.now
    with runtime.database.write() as db:
        decided = do(db, runtime.vault(shop.id), pair, caller.who, moment)
    erasing.end(runtime.database, runtime.keys, moment)
    log = structlog.get_logger(__name__)
    told = {"customer": id_text(pair.customer_id), "system": pair.system, "record": pair.record}
    log.warning(action, actor=caller.who, shop=shop.domain, state=decided.state, **told)
    return documents(shop, [decided], Seen(), reveal=False)[0]
