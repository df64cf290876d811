"""What a system is still to be told of, as a test looks at it."""

from sqlalchemy import Connection

from onewriter.customers import pending
from onewriter.customers.pending import Pending
from onewriter.records import Instant

END_OF_TIME: Instant = 1 << 62


def of_system(db: Connection, shop_id: int, system: str) -> list[Pending]:
    """All marks of a system, by customer and field, those too that are put off."""
    ids = pending.customers_due(db, shop_id, system, END_OF_TIME, after=b"", most=1000)
    return pending.of_customers(db, shop_id, system, ids)
