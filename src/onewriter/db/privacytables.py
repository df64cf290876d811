"""The tables of protected data, in the main database: names that can be searched, who may see what, and who did.

With these the metadata is whole: import it from here where every table is wanted.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from onewriter.db.pointtables import metadata as metadata
from onewriter.db.tables import Position

name_tokens = Table(
    "name_tokens",
    metadata,
    Column("customer_id", LargeBinary(16), primary_key=True),
    Column("token", BigInteger, primary_key=True),  # of the beginning of a word of the name; keyed by shop
    Index("ix_name_tokens_token", "token", "customer_id"),
    sqlite_with_rowid=False,
)

people = Table(
    "people",
    metadata,
    Column("name", Text, primary_key=True),  # as it is recorded everywhere: user:NAME
    Column("role", Text, nullable=False),  # owner | staff | viewer
    Column("since", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
)

access_log = Table(
    "access_log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # without a gap, from 1
    Column("at", BigInteger, nullable=False),
    Column("shop_id", Integer),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),  # which the actor had then
    Column("action", Text, nullable=False),
    Column("customer_id", LargeBinary(16)),  # whose values they were
    Column("subject", Text),  # what else it was about, by an id of ours
    Column("fields", Text, nullable=False),  # names, joined by a space
    Column("allowed", Boolean, nullable=False),
    Column("key_id", LargeBinary(16)),  # the customer's key that sealed the reason; empty: the shop's
    Column("box", LargeBinary),  # the reason, which people may put anything into
    Column("mac", LargeBinary, nullable=False),  # over this row and the one before, by a key that is not here
    Index("ix_access_log_customer_id", "customer_id"),
    Index("ix_access_log_actor", "actor"),
)

privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("topic", Text, nullable=False),  # customers/data_request | customers/redact | shop/redact
    Column("position", BigInteger),  # the delivery that asked
    Column("asked_at", BigInteger, nullable=False),  # by Shopify's clock
    Column("received_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("subject_hash", LargeBinary),  # of the customer's id, where one was given
    Column("customer_id", LargeBinary(16)),
    Column("state", Text, nullable=False),  # open | accepted | done | refused
    Column("outcome", Text, nullable=False),
    Column("receipt_id", LargeBinary(16)),  # of the erasure
    Column("ended_at", BigInteger),
    Column("ended_by", Text),
    Index("ix_privacy_requests_shop_id_state", "shop_id", "state"),
    Index("ix_privacy_requests_position", "position"),
    sqlite_autoincrement=True,
)
