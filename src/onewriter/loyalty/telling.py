"""Telling systems of points: a balance that was written is marked for every system that is told of points."""

from collections.abc import Sequence

from sqlalchemy import Connection

from onewriter.customers import pending, policies
from onewriter.loyalty.accounts import Account
from onewriter.records import SHOPIFY
from onewriter.rules.policy import POINTS


def tell(db: Connection, shop_id: int, written: Sequence[Account]) -> None:
    """Mark these accounts' customers to be told of, in the transaction that wrote them."""
    if not written:
        return
    policy = policies.of_shop(db, shop_id)
    told = policy.told_of(POINTS, [SHOPIFY, *(name for name in policy.systems if name != SHOPIFY)])
    marks = [(system, account.customer_id, POINTS) for system in told for account in written]
    pending.mark(db, shop_id, marks, max(account.changed_at for account in written))
