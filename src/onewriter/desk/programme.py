"""The programme of a shop: the rules that give points, seen before they are set, and what they came to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from onewriter.customers import shops
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk.caller import Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.errors import Permanent
from onewriter.loyalty import daily, programme
from onewriter.loyalty.programme import Difference, Recorded
from onewriter.loyalty.programme_toml import parse
from onewriter.records import DAY, SECOND, iso
from onewriter.rules.earning import Programme
from onewriter.shopify import scopes

Document = dict[str, Any]


class ProgrammeMoved(Permanent):
    """Somebody else set other rules meanwhile."""


def shown_document(shop: Shop, chosen: Recorded | None, known: Sequence[Recorded]) -> Document:
    """The rules of a version, and every version there was."""
    head: Document = {"version": None, "since": None} if chosen is None else version_document(chosen)
    rules = {} if chosen is None else programme.in_words(chosen.version.rules)
    toml = None if chosen is None else chosen.document
    return {"shop": shop.domain, **head, "rules": rules, "toml": toml, "versions": list(map(version_document, known))}


def version_document(one: Recorded) -> Document:
    """When a version was set, by whom and why."""
    times = {"since": iso(one.version.since), "set_at": iso(one.set_at)}
    return {"version": one.version.number, **times, "set_by": one.set_by, "why": one.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Other rules, before they are set."""

    shop: Shop
    toml: str
    known: int
    """How many versions there were when this was looked at."""
    starts: str | None
    """From when on they would count."""
    differences: list[Difference]


def shown(caller: Caller, named: str | None) -> Document:
    """The rules in force, and every version there was."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        known = programme.recorded(db, shop.id)
    return shown_document(shop, known[-1] if known else None, known)


def refuse(rules: Programme, shop: Shop) -> None:
    """Raise what stands against setting these rules for the shop."""
    programme.refuse_other_currency(rules, shop)
    if rules.order is not None:
        scopes.require_orders(shop.scopes)


def plan(caller: Caller, named: str | None, toml: str) -> Change:
    """What these rules would change; nothing is set. Raises BadProgramme for a file that cannot be read."""
    rules = parse(toml)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        shop = choose_shop(db, named, connected=True)
        before = programme.versions(db, shop.id)
    refuse(rules, shop)
    changes = list(programme.compare(before[-1].rules if before else None, rules))
    starts = iso(programme.starts(shop, before, caller.now))
    return Change(shop=shop, toml=toml, known=len(before), starts=starts, differences=changes)


def change_document(change: Change) -> Document:
    """Other rules as a document, before they are set."""
    return {"starts": change.starts, "known": change.known, "changes": [asdict(each) for each in change.differences]}


def put(caller: Caller, change: Change, why: str, known: int | None = None) -> int:
    """Set the rules from now on; the number of their version. Nothing is retroactive.

    Raises ProgrammeMoved where there were not so many versions when somebody looked.
    """
    said = reason(why)
    with caller.runtime.database.write() as db:
        caller.require(db, Role.OWNER)
        shops.locked(db, change.shop.id)
        if known is not None and len(programme.versions(db, change.shop.id)) != known:
            raise ProgrammeMoved(
                "Somebody set other rules meanwhile, and nothing was changed; look at the rules again."
            )
        return programme.add(db, change.shop, change.toml, caller.who, said, caller.now).number


def points_by_day(caller: Caller, named: str | None, days: int) -> list[Document]:
    """The points that were issued, spent and ended on each of the last days, the oldest first."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        today = caller.now // DAY
        found = {each.day: each for each in daily.by_day(db, choose_shop(db, named).id, (today - days + 1) * DAY)}
    empty = daily.Day(0, 0, 0, 0)
    return [
        {
            "day": (iso(day * DAY) or "")[:10],
            "at": day * DAY // SECOND,
            "issued": found.get(day, empty).issued,
            "spent": found.get(day, empty).spent,
            "expired": found.get(day, empty).expired,
        }
        for day in range(today - days + 1, today + 1)
    ]
