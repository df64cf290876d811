"""Owners: the one system that may write a field of a shop's customers."""

from sqlalchemy import Connection, bindparam, select

from onewriter.db.tables import owners

_OF_SHOP = select(owners.c.field, owners.c.system).where(owners.c.shop_id == bindparam("shop_id"))


def of_shop(db: Connection, shop_id: int) -> dict[str, str]:
    """The owner of each field."""
    return {row.field: row.system for row in db.execute(_OF_SHOP, {"shop_id": shop_id})}
