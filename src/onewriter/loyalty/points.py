"""What people and other programs do with a customer's points: look, redeem, adjust, and give for an outside event.

Each takes the customer's lock first, so that two at once never spend the same points; and whatever carries an
idempotency key is done once, however often it is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from onewriter.errors import Permanent, Unknown
from onewriter.loyalty import accounts, entries, programme
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.books import Book, Books, open_books
from onewriter.records import Entry, EntryKind, Instant
from onewriter.rules.earning import CUSTOM, Item, ends, gift
from onewriter.rules.replaying import takes_redemption_back
from onewriter.vault.vault import ShopVault

POINTS_MAX = 1_000_000_000
"""More at once is a slip of the finger."""
KEY_MAX = 200
KEY_USED = "This key was used before, for another customer or other points; use a new one."


class NotEnoughPoints(Permanent):
    """The customer has not got so many points to spend; nothing was taken."""


class KeyUsed(Permanent):
    """The idempotency key was used for something else before."""


class UnknownKey(Unknown):
    """Nothing was done under that idempotency key."""


class NoAccount(Permanent):
    """The customer cannot earn or spend: deleted, erased, or excluded."""


class NoRule(Permanent):
    """The programme has no such rule now."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, and how the account stands then."""

    entry: Entry
    account: Account
    again: bool = False
    """True if it had been done before under the same key, and nothing was done now."""


def account_of(db: Connection, vault: ShopVault, customer_id: bytes, now: Instant) -> Account:
    """A customer's account as it stands now: one row where that holds, and else worked out from the entries.

    Nothing is written; what is due by now is counted as if it were posted.
    """
    version = programme.current(db, vault.shop_id)
    known = accounts.load(db, [customer_id]).get(customer_id)
    if known is not None and known.holds(now, None if version is None else version.number):
        return known
    books = open_books(db, vault, [customer_id])
    book = books.by_holder.get(customer_id)
    if book is None:
        return Account(customer_id, vault.shop_id)
    book.settle(now)
    return book.account


def redeem(
    db: Connection,
    vault: ShopVault,
    customer_id: bytes,
    points: int,
    key: str,
    by: str,
    now: Instant,
    *,
    reason: str | None = None,
) -> Done:
    """Spend points, those first that end first. Raises NotEnoughPoints rather than let the balance fall below zero.

    The key is the shop's: the same one for the same redemption is answered with what was done before.
    """
    if points <= 0:
        raise NotEnoughPoints("Only a number of points above zero can be redeemed.")
    item = _by_hand(EntryKind.REDEEM, -points, key, now, reason)

    def check(book: Book, balance: int) -> None:
        if points > balance:
            raise NotEnoughPoints(
                f"The customer has {balance} points to spend, and {points} were asked for; `onewriter points show` "
                "says when more can be spent."
            )

    return _by_key(db, vault, customer_id, item, by, now, check)


def adjust(
    db: Connection,
    vault: ShopVault,
    customer_id: bytes,
    points: int,
    reason: str,
    by: str,
    now: Instant,
    *,
    key: str | None = None,
) -> Done:
    """Give or take points by hand, with a reason. What is given ends as the programme says of all points."""
    item = _by_hand(EntryKind.ADJUST, points, key, now, reason)
    version = programme.current(db, vault.shop_id)
    if version is not None and points > 0:
        item = replace(item, rule_version=version.number, expires_at=ends(version.rules.expiry, now))

    def check(book: Book, balance: int) -> None:
        if balance + points < 0:
            raise NotEnoughPoints(f"The customer has {balance} points, so {-points} cannot be taken.")

    return _by_key(db, vault, customer_id, item, by, now, check)


def take_back(db: Connection, vault: ShopVault, key: str, by: str, now: Instant, *, reason: str | None = None) -> Done:
    """Give the points of a redemption back, as if it had never been; twice does no harm."""
    redemption = entries.keyed(db, vault.shop_id, EntryKind.REDEEM, key)
    if redemption is None:
        raise UnknownKey("No redemption was made under that key in this shop; `onewriter points show` lists them.")
    books, book = _open(db, vault, redemption.customer_id)
    known = next((each for each in book.entries if takes_redemption_back(each) and each.lot_id == redemption.id), None)
    if known is not None:
        book.settle(now)
        return Done(known, book.account, again=True)
    item = Item(
        kind=EntryKind.REVERSE,
        points=-redemption.points,
        rule=EntryKind.REDEEM.value,
        occurred_at=now,
        available_at=now,
        reference=f"redemption {redemption.id.hex()}",
        lot_id=redemption.id,
        reason=reason or "redemption taken back",
    )
    entry = book.post(item, redemption.origin_id, now, source=by)
    book.settle(now)
    books.save(db)
    return Done(entry, book.account)


def give(
    db: Connection, vault: ShopVault, customer_id: bytes, rule: str, reference: str, by: str, now: Instant
) -> Done:
    """Give what a custom rule gives for an outside event, once for each reference of the event."""
    version = programme.current(db, vault.shop_id)
    given = None if version is None else version.rules.custom.get(rule)
    if version is None or given is None:
        raise NoRule(f"The programme has no custom rule {rule!r} now; `onewriter programme show` lists its rules.")
    books, book = _open(db, vault, customer_id)
    item = gift(version, f"{CUSTOM}{rule}", given, now, reference, reference=reference)
    known = next((each for each in book.counting if each.rule == item.rule and each.reference == reference), None)
    if known is not None:
        book.settle(now)
        return Done(known, book.account, again=True)
    entry = book.give(item, book.customer_id, now, source=by)
    if entry is None:
        raise NoAccount("The customer is excluded from the programme, and earns nothing.")
    book.settle(now)
    books.save(db)
    return Done(entry, book.account)


def exclude(db: Connection, vault: ShopVault, customer_id: bytes, why: str | None, now: Instant) -> Account:
    """Let a customer earn nothing from now on, with the reason; without one, let it earn again from now on."""

    def decide(account: Account) -> None:
        if why is not None:
            account.excluded_at, account.excluded_why, account.included_at = now, why, None
        elif account.excluded_at is not None and account.included_at is None:
            account.included_at = now

    return _decide(db, vault, customer_id, now, decide, others=why is None)


def set_days(db: Connection, vault: ShopVault, customer_id: bytes, days: int | None, now: Instant) -> Account:
    """Set after how many days of inactivity this customer's points end: 0 is never, None is as the programme says."""

    def decide(account: Account) -> None:
        account.own_days = days

    return _decide(db, vault, customer_id, now, decide)


def _decide(
    db: Connection,
    vault: ShopVault,
    customer_id: bytes,
    now: Instant,
    decide: Callable[[Account], None],
    *,
    others: bool = False,
) -> Account:
    """Decide something for a customer, and if wanted for those who were merged into it."""
    books, book = _open(db, vault, customer_id)
    # What was due before the decision is not changed by it.
    book.settle(now)
    for account in (book.account, *(book.others.values() if others else ())):
        decide(account)
    accounts.save(db, book.others.values(), ())
    book.settle(now)
    books.save(db)
    return book.account


def _open(db: Connection, vault: ShopVault, customer_id: bytes) -> tuple[Books, Book]:
    books = open_books(db, vault, [customer_id])
    book = books.of(customer_id)
    if book is None or book.deleted_at is not None:
        raise NoAccount("The customer was deleted or erased, and its points are not moved.")
    return books, book


def _by_hand(kind: EntryKind, points: int, key: str | None, now: Instant, reason: str | None) -> Item:
    return Item(
        kind=kind, points=points, rule=kind.value, occurred_at=now, available_at=now, reference=key, reason=reason
    )


def _by_key(
    db: Connection,
    vault: ShopVault,
    customer_id: bytes,
    item: Item,
    by: str,
    now: Instant,
    check: Callable[[Book, int], None],
) -> Done:
    """Post what somebody asks for if the check lets it, once for each key; what is due by now is posted first."""
    books, book = _open(db, vault, customer_id)
    balance = book.settle(now).balance
    # Looked for under the lock: whoever uses the key at this very moment is seen.
    known = None if item.reference is None else entries.keyed(db, vault.shop_id, item.kind, item.reference)
    if known is not None:
        if known.points != item.points or known.customer_id != book.customer_id:
            raise KeyUsed(KEY_USED)
        if any(takes_redemption_back(each) and each.lot_id == known.id for each in book.entries):
            # To answer that it was done would give somebody for nothing what the points were to pay.
            raise KeyUsed("The redemption under this key was given back since; use a new key to redeem again.")
        return Done(known, book.account, again=True)
    check(book, balance)
    entry = book.post(item, book.customer_id, now, source=by)
    book.settle(now)
    try:
        with db.begin_nested():
            books.save(db)
    except IntegrityError:
        # Somebody used the key at this very moment for another customer, whose lock is not ours.
        raise KeyUsed(KEY_USED) from None
    return Done(entry, book.account)
