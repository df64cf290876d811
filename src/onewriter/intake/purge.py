"""Purging customers whose time is over: the next few of a shop, in the caller's transaction and under their locks."""

from sqlalchemy import Connection

from onewriter.customers import erasing, retention
from onewriter.customers.erasing import Asked
from onewriter.customers.shops import Shop
from onewriter.intake.apply import lock
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

CAUSE = "retention"


def purge_next(db: Connection, vault: ShopVault, shop: Shop, most: int, now: Instant, run_id: str) -> int:
    """Erase the next customers that are due, with a receipt; returns how many. `erasing.end` must follow the commit."""
    wanted = retention.due(db, shop, now, most)
    lock(db, vault, wanted)
    # Whoever was found again or restored while we waited for the locks is left alone.
    numbers = retention.due(db, shop, now, most, among=wanted) if wanted else ()
    if not numbers:
        return 0
    return erasing.erase(db, vault, numbers, Asked(CAUSE, now, run_id=run_id), now).customers
