"""The policy of a shop as it is kept: one document a version, none of which ever changes."""

from sqlalchemy import Connection, bindparam, select

from onewriter.db.systemtables import policies
from onewriter.rules.policy import Policy, from_document

_NEWEST = (
    select(policies.c.version, policies.c.document)
    .where(policies.c.shop_id == bindparam("shop_id"))
    .order_by(policies.c.version.desc())
    .limit(1)
)


def of_shop(db: Connection, shop_id: int) -> Policy:
    """The policy in force; one that nobody has written down owns nothing to anybody."""
    row = db.execute(_NEWEST, {"shop_id": shop_id}).first()
    return Policy() if row is None else from_document(row.document, row.version)
