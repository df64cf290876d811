"""Orders in the ledger: what their present state implies, less what was posted for them before."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import findings, shops, tombstones
from onewriter.customers.findings import Finding
from onewriter.loyalty import entries, programme, receipts
from onewriter.loyalty.books import Book, open_books
from onewriter.loyalty.merges import AT_TWO
from onewriter.records import SHOPIFY, Entry, EntryKind, Instant, Order, Refund
from onewriter.rules import earning
from onewriter.rules.earning import Item, Rounding, Version
from onewriter.vault.vault import ShopVault

POSTED = "posted"
UNCHANGED = "unchanged"
NOBODY = "nobody"
UNKNOWN_CUSTOMER = "unknown customer"
ELSEWHERE = "another customer has earned by it"
HIDDEN = "newer than the deletion of its customer"
ERASED = "refused: erased"


def post(
    db: Connection,
    vault: ShopVault,
    orders: Sequence[Order],
    now: Instant,
    *,
    run_id: str | None = None,
    insist: Collection[int] = (),
) -> dict[int, str]:
    """Post what orders imply, in the caller's transaction and under their customers' locks; the outcome of each.

    Outcomes: posted, unchanged, nobody (it has no customer), unknown customer (it must be read first, and the order
    posted again then), refused: erased, newer than the deletion of its customer, or another customer has earned by it:
    in Shopify a merge moves orders at once, and nobody may spend their points twice until we hear of it. Orders that
    `insist` names are posted all the same.
    """
    newest = {order.id: order for order in sorted(orders, key=lambda order: order.version)}
    named = {order.customer for order in newest.values() if order.customer is not None}
    known = findings.customer_ids_of(db, vault.shop_id, named)
    unknown = named - known.keys()
    erased = tombstones.purged(db, vault, unknown) if unknown else frozenset()
    held = _holders(db, vault.shop_id, newest.values(), known)
    books = open_books(db, vault, {*known.values()} | {holder for holder in held.values() if holder is not None})
    versions = programme.versions(db, vault.shop_id)
    installed = shops.by_id(db, vault.shop_id).installed_at
    outcomes: dict[int, str] = {}
    for order in newest.values():
        origin = held.get(order.id) or known.get(order.customer or 0)
        if origin is None:
            outcomes[order.id] = _of_stranger(order, erased)
            continue
        book = books.of(origin)
        items = [] if book is None else _owed(book, origin, order, installed, versions)
        if book is None or not items:
            outcomes[order.id] = UNCHANGED if book is None or not _is_hidden(book, order) else HIDDEN
        elif order.id not in insist and order.id in held and held[order.id] is None and not book.of_order(order.id):
            outcomes[order.id] = ELSEWHERE
        else:
            outcomes[order.id] = POSTED
            _post(book, order, items, origin, now, run_id)
    touched = [book for book in books.by_holder.values() if book.fresh]
    for book in touched:
        book.settle(now)
    books.save(db)
    _report(db, vault.shop_id, [number for number, outcome in outcomes.items() if outcome == POSTED], run_id, now)
    return outcomes


def _owed(book: Book, customer_id: bytes, order: Order, installed: Instant, versions: Sequence[Version]) -> list[Item]:
    """What must be posted for an order; nothing is taken back of who earns nothing any more."""
    posted = book.of_order(order.id)
    items = earning.of_order(order, installed, versions)
    if not posted and items and book.excludes(items[0].occurred_at, customer_id):
        return []
    implied = [item for item in items if not book.is_after_end(item.occurred_at)]
    return earning.owed(order, implied, posted) if implied or posted else []


def _of_stranger(order: Order, erased: Collection[int]) -> str:
    """What becomes of an order of nobody that we know."""
    if order.customer is None:
        return NOBODY
    return ERASED if order.customer in erased else UNKNOWN_CUSTOMER


def _is_hidden(book: Book, order: Order) -> bool:
    """True for an order that is newer than its customer's deletion: one of the two is not so."""
    return book.is_after_end(order.processed) and not book.of_order(order.id)


def _holders(
    db: Connection, shop_id: int, orders: Collection[Order], known: Mapping[int, bytes]
) -> dict[int, bytes | None]:
    """Who has earned by these orders, where that is another one than Shopify names; None where it is a riddle.

    Of an order of nobody it is the one who had it. After a merge that a person has undone it is the one who was merged
    away: in Shopify its orders are the kept one's, and there they would earn again.
    """
    found: dict[int, bytes | None] = {}
    holding = entries.holders_of_orders(db, shop_id, [order.id for order in orders])
    ours = receipts.holders(db, known.values())
    for order in orders:
        named = known.get(order.customer or 0)
        others = holding.get(order.id, set()) - ({ours[named]} if named is not None else set())
        if not others or (named is not None and ours[named] in holding[order.id]):
            continue
        (other, *more) = sorted(others)
        is_clear = not more and (order.customer is None or _was_undone(db, other, named))
        if is_clear or order.customer is not None:
            found[order.id] = other if is_clear else None
    return found


def _was_undone(db: Connection, deleted: bytes, kept: bytes | None) -> bool:
    """True if a person has undone the merge of the one into the other."""
    receipt = receipts.of_merge(db, deleted)
    if receipt is None or receipt.undone_at is None or receipt.undone_by == SHOPIFY:
        return False
    return receipt.kept_customer_id == kept


def _post(
    book: Book, order: Order, items: Sequence[Item], customer_id: bytes, now: Instant, run_id: str | None
) -> None:
    """Post news of an order. After a merge it reads as the kept one's; its news stay with what it has earned."""
    posted = book.of_order(order.id)
    origin = next((entry.origin_id for entry in posted if entry.kind is EntryKind.EARN), customer_id)
    for item in items:
        book.post(item, origin, now, run_id=run_id)


def post_told(db: Connection, vault: ShopVault, order_id: int, told: Mapping[str, Any], now: Instant) -> str:
    """Post what deliveries told of an order that cannot be read any more: `{"refunds": [...], "cancelled": ...}`.

    A refund is `{"id", "amount", "at"}`. Nothing is posted for an order that has not earned here.
    """
    refunds = [Refund(each["id"], each["amount"], each["at"]) for each in told.get("refunds", ())]
    holders = entries.holders_of_orders(db, vault.shop_id, [order_id]).get(order_id, set())
    books = open_books(db, vault, holders)
    fresh: list[Entry] = []
    for book in books.by_holder.values():
        posted = book.of_order(order_id)
        earn = next((entry for entry in posted if entry.kind is EntryKind.EARN), None)
        rounding = _rounding(book, earn)
        for item in earning.told_back(posted, refunds, told.get("cancelled"), rounding):
            if earn is not None and not book.is_after_end(item.occurred_at):
                fresh.append(book.post(item, earn.origin_id, now))
        if fresh:
            book.settle(now)
    books.save(db)
    return POSTED if fresh else UNCHANGED


def _rounding(book: Book, earn: Entry | None) -> Rounding:
    """How the rule rounds by which an order has earned."""
    numbered = {version.number: version.rules.order for version in book.versions}
    rule = None if earn is None else numbered.get(earn.rule_version or 0)
    return Rounding.DOWN if rule is None else rule.rounding


def _report(db: Connection, shop_id: int, order_ids: Sequence[int], run_id: str | None, now: Instant) -> None:
    """An order that has earned for two customers says that they are one, or that it was given to another."""
    for order_id, holding in entries.holders_of_orders(db, shop_id, order_ids).items():
        if len(holding) < 2:
            continue
        reported = findings.open_of(db, shop_id, AT_TWO)
        if any(evidence.get("order") == order_id for evidence in reported.values()):
            continue
        reason = (
            "The order has earned for two customers that are not known to be one: a merge was not heard, or not yet"
        )
        who = sorted(holding)
        evidence = {"order": order_id, "customers": [each.hex() for each in who]}
        findings.add(db, shop_id, Finding(AT_TWO, reason, who[-1], evidence=evidence, run_id=run_id), now)
