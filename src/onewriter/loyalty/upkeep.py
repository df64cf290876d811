"""Upkeep: posting what falls due by itself, so that expired points are on the statement and not only in the sum."""

from collections.abc import Callable

from onewriter.db.engine import Database
from onewriter.loyalty import accounts
from onewriter.loyalty.books import open_books
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

AT_ONCE = 200


def settle_due(database: Database, vault: ShopVault, now: Instant, give_way: Callable[[], None] = lambda: None) -> int:
    """Settle every account of a shop of which something is due, in small transactions; returns how many."""
    settled = 0
    while True:
        with database.write() as db:
            due = accounts.due(db, vault.shop_id, now, AT_ONCE)
            books = open_books(db, vault, due)
            books.settle(now)
            books.save(db)
        settled += len(books.by_holder)
        # An account that nobody's book stands behind would be due for ever; the audit names it.
        if len(due) < AT_ONCE or not books.by_holder:
            return settled
        give_way()
