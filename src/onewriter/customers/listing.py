"""Walking through the customers of a shop, a page at a time: by Shopify's number, the newest first, or by deletion."""

from sqlalchemy import Connection, select, tuple_

from onewriter.customers.find import Found, open_rows, shown
from onewriter.db.tables import customers
from onewriter.vault.vault import ShopVault

Place = tuple[int, bytes]
"""Where a page ends: what it is ordered by, and our id."""


def listed(
    db: Connection, vault: ShopVault, most: int, *, gone: bool = False, behind: Place | None = None
) -> tuple[list[Found], Place | None]:
    """A page of customers, masked, and where it ends; None there for the last one.

    By Shopify's number, the newest first, with those who are gone among them; or with `gone` those alone, the latest
    deletion first. Either walks an index, so that a page deep in a million costs what the first does.
    """
    order = customers.c.deleted_at if gone else customers.c.shopify_id
    query = select(customers.c.id, order.label("at")).where(customers.c.shop_id == vault.shop_id, order.is_not(None))
    if behind is not None:
        query = query.where(tuple_(order, customers.c.id) < behind)
    rows = db.execute(query.order_by(order.desc(), customers.c.id.desc()).limit(most + 1)).all()
    places = [(int(row.at), bytes(row.id)) for row in rows[:most]]
    opened = open_rows(db, vault, [each for _, each in places])
    return [shown(row, values, reveal=False) for row, values in opened], places[-1] if len(rows) > most else None
