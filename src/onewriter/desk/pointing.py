"""What all about points and merges shares: whom it means, and how accounts and entries look."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import find, owned
from onewriter.customers.find import Found
from onewriter.customers.shops import Shop
from onewriter.desk.choosing import choose_shop
from onewriter.errors import UnknownCustomer
from onewriter.loyalty import receipts
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.books import Book, open_books
from onewriter.records import Entry, Instant, id_text, iso
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault

SHARED_MAX = 10
"""The most customers of one email address that are looked through for being one."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Meant:
    """Whom a command means, and who has the points."""

    shop: Shop
    vault: ShopVault
    found: Found
    holder: bytes
    """Itself, or the end of its chain of merges."""
    number: int | None
    """Shopify's id of the holder."""

    @property
    def name(self) -> str:
        """The holder, as people see it."""
        return name_of(self.holder, self.number)

    @property
    def is_merged(self) -> bool:
        """True if somebody else has the points."""
        return self.holder != self.found.id

    @property
    def note(self) -> str | None:
        """What must be said of one whose points somebody else has."""
        if not self.is_merged:
            return None
        away = name_of(self.found.id, self.found.shopify_id)
        return f"{away.capitalize()} was merged into {self.name}, and so were its points: this is about {self.name}."

    @property
    def document(self) -> Document:
        """Who it is, for JSON."""
        away = {"id": self.found.id_text, "shopify_id": self.found.shopify_id} if self.is_merged else None
        head: Document = {"shop": self.shop.domain, "customer": id_text(self.holder), "shopify_id": self.number}
        return head | {"merged_away": away}


def meant(runtime: Runtime, db: Connection, named: str | None, text: str) -> Meant:
    """Whom a text means, and who has the points. Several that were merged into one are that one."""
    shop = choose_shop(db, named)
    vault = runtime.vault(shop.id)
    found = find.find(db, vault, text, SHARED_MAX)
    holders = receipts.holders(db, [one.id for one in found])
    if len(set(holders.values())) != 1:
        found = [find.show(db, vault, text)]
    one = next((each for each in found if each.id == holders[each.id]), found[0])
    holder = holders[one.id]
    number = owned.numbers(db, shop.id, [holder]).get(holder)
    return Meant(shop, vault, one, holder, number)


def book_of(db: Connection, whose: Meant) -> Book:
    """The opened book of whoever is meant."""
    book = open_books(db, whose.vault, [whose.holder]).of(whose.holder)
    if book is None:
        raise UnknownCustomer("That customer was erased at this very moment; nothing is kept of it.")
    return book


def name_of(customer_id: bytes, number: int | None) -> str:
    """A customer as people see it: by Shopify's id, or by ours where it has none."""
    return f"customer {id_text(customer_id) if number is None else number}"


def points_text(points: int) -> str:
    """A number of points in words."""
    return "1 point" if points == 1 else f"{points:,} points"


def entries_text(many: int) -> str:
    """A number of entries in words."""
    return "1 entry" if many == 1 else f"{many:,} entries"


def account_document(account: Account) -> Document:
    """An account for JSON."""
    is_excluded = account.excluded_at is not None and account.included_at is None
    return {
        "balance": account.balance,
        "pending": account.pending,
        "earned": account.earned,
        "activity_at": iso(account.activity_at),
        "inactivity_days": account.lapse_days,
        "own_days": account.own_days,
        "excluded_at": iso(account.excluded_at) if is_excluded else None,
        "excluded_why": account.excluded_why if is_excluded else None,
    }


def entry_document(entry: Entry) -> Document:
    """An entry for JSON."""
    return {
        "id": id_text(entry.id),
        "kind": entry.kind.value,
        "points": entry.points,
        "rule": entry.rule,
        "rule_version": entry.rule_version,
        "reference": entry.reference,
        "order_id": entry.order_id,
        "reason": entry.reason,
        "source": entry.source,
        "run": entry.run_id,
        "occurred_at": iso(entry.occurred_at),
        "available_at": iso(entry.available_at),
        "expires_at": iso(entry.expires_at),
        "posted_at": iso(entry.posted_at),
    }


def still_since(book: Book, now: Instant) -> Instant:
    """Up to when time goes for these points: it stands still for who was deleted."""
    return now if book.deleted_at is None else min(now, book.deleted_at)


def lapse_from(book: Book) -> str | None:
    """What says after how many days of inactivity points end: the customer, a tag or the shop; None if nothing does."""
    if book.account.own_days is not None:
        return "customer"
    if not book.versions or book.account.lapse_days is None:
        return None
    return "tag" if not book.tags.isdisjoint(book.versions[-1].rules.expiry.inactivity_by_tag) else "shop"


def excluded_by(book: Book, now: Instant) -> str | None:
    """What keeps a customer from earning now: a person, or a tag; None if nothing does."""
    if not book.excludes(now):
        return None
    return "person" if book.account.excludes(now) else "tag"


def lapse_text(book: Book) -> str:
    """After how many days of inactivity points end, and what says so."""
    source, days = lapse_from(book), book.account.lapse_days
    if source is None:
        return "never, since the programme says nothing of it"
    whose = {"customer": "as a person decided for this customer", "tag": "by a tag", "shop": "as for all of the shop"}
    return f"never, {whose[source]}" if days is None else f"after {days:,} days without activity, {whose[source]}"
