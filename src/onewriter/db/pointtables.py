"""The tables of the loyalty programme, in the main database: the ledger, what is made from it, and the programme.

An entry is immutable but for who has it and whether a receipt drops it. That nothing is posted twice is held by the
unique indexes here, and not by good manners.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from onewriter.db.tables import metadata as metadata

ONCE = text("once_key IS NOT NULL AND dropped_by IS NULL")
REFERRED = text("reference IS NOT NULL AND dropped_by IS NULL")
KEYED = text("reference IS NOT NULL AND kind IN ('redeem', 'adjust')")
OF_ORDER = text("order_id IS NOT NULL")
OF_RUN = text("run_id IS NOT NULL")
DROPPED = text("dropped_by IS NOT NULL")
STANDING = text("kind = 'merge' AND undone_at IS NULL")

entries = Table(
    "entries",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("customer_id", LargeBinary(16), nullable=False),  # who has it now
    Column("origin_id", LargeBinary(16), nullable=False),  # whose it was when it was posted
    Column("kind", Text, nullable=False),  # earn | redeem | adjust | expire | reverse | correct | merge_floor
    Column("points", BigInteger, nullable=False),
    Column("rule", Text, nullable=False),
    Column("rule_version", Integer),
    Column("reference", Text),  # an order, a refund, an outside event, an idempotency key
    Column("once_key", Text),  # of what a customer can be given only once in a life
    Column("order_id", BigInteger),
    Column("lot_id", LargeBinary(16)),  # of an expiry, the entry whose points expire
    Column("amount", BigInteger),  # of an order or a refund, in millionths of the shop's currency
    Column("version", BigInteger),  # the `updatedAt` of the order when it was read
    Column("days", Integer),  # of an expiry by inactivity
    Column("occurred_at", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("reason", Text),
    Column("source", Text, nullable=False),
    Column("run_id", Text),
    Column("posted_at", BigInteger, nullable=False),
    Column("dropped_by", LargeBinary(16)),  # the receipt that says why it does not count
    Index("ix_entries_customer_id", "customer_id"),
    Index(
        "uq_entries_once", "shop_id", "customer_id", "once_key",
        unique=True, sqlite_where=ONCE, postgresql_where=ONCE,
    ),
    Index(
        "uq_entries_reference", "shop_id", "customer_id", "kind", "rule", "reference",
        unique=True, sqlite_where=REFERRED, postgresql_where=REFERRED,
    ),
    # An idempotency key is one of the shop, so that moving entries can never bring two of them together.
    Index(
        "uq_entries_key", "shop_id", "kind", "reference", unique=True, sqlite_where=KEYED, postgresql_where=KEYED
    ),
    Index("ix_entries_order", "shop_id", "order_id", sqlite_where=OF_ORDER, postgresql_where=OF_ORDER),
    Index("ix_entries_run_id", "run_id", sqlite_where=OF_RUN, postgresql_where=OF_RUN),
    Index("ix_entries_dropped_by", "dropped_by", sqlite_where=DROPPED, postgresql_where=DROPPED),
)  # fmt: skip

accounts = Table(
    "accounts",
    metadata,
    Column("customer_id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("balance", BigInteger, nullable=False),  # what can be spent now
    Column("pending", BigInteger, nullable=False),
    Column("earned", BigInteger, nullable=False),  # earns less what was taken back of them
    Column("activity_at", BigInteger),  # when it last earned or redeemed
    Column("valid_until", BigInteger),  # from then on the figures must be made anew; empty: nothing is due ever
    Column("programme_version", Integer),  # with which they were made; another one makes them void
    Column("changed_at", BigInteger, nullable=False),
    Column("own_days", Integer),  # days of inactivity until this customer's points expire, set by a person; 0: never
    Column("lapse_days", Integer),  # those that count now ...
    Column("lapse_since", BigInteger),  # ... and since when: they are counted from then on at the earliest
    Column("excluded_at", BigInteger),  # set by a person: nothing from then on earns ...
    Column("included_at", BigInteger),  # ... until then
    Column("excluded_why", Text),
    Index("ix_accounts_shop_id_valid_until", "shop_id", "valid_until"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("kind", Text, nullable=False),  # merge | award
    Column("kept_customer_id", LargeBinary(16)),
    Column("deleted_customer_id", LargeBinary(16)),
    Column("at", BigInteger, nullable=False),  # of a merge, by Shopify's clock
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("figures", JSON, nullable=False),  # totals before and after, counts, and no value of a person
    Column("run_id", Text),  # of an award taken back, the run that gave it
    Column("why", Text),
    Column("undone_at", BigInteger),
    Column("undone_by", Text),
    Column("undone_why", Text),
    Index("uq_receipts_merge", "deleted_customer_id", unique=True, sqlite_where=STANDING, postgresql_where=STANDING),
    Index("ix_receipts_kept_customer_id", "kept_customer_id"),
    Index("ix_receipts_deleted_customer_id", "deleted_customer_id"),
)

programmes = Table(
    "programmes",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("since", BigInteger, nullable=False),  # by Shopify's clock, to the second
    Column("document", Text, nullable=False),  # the TOML as it was given
    Column("set_at", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("why", Text),
)

order_marks = Table(
    "order_marks",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("order_id", BigInteger, primary_key=True),
    Column("serial", Integer, nullable=False),  # a read that began at an earlier serial does not clear the mark
    Column("tries", SmallInteger, nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("told", JSON, nullable=False),  # refunds and a cancellation that deliveries told, if it cannot be read
    Column("waits_for", BigInteger),  # the Shopify id of the customer that must be known first
    Index("ix_order_marks_due_at", "due_at"),
    Index("ix_order_marks_waits_for", "shop_id", "waits_for"),
)
