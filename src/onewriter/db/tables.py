"""The tables of the main database.

Times are `Instant`s (microseconds since 1970 UTC, BIGINT). Ids of ours are 16-byte sortable UUIDs. A column named `box`
is sealed (personal data), a column named `*_token` is a blind index, and `*_hash` is a keyed hash of a Shopify id: what
may stand in which column, and what becomes of it, is in `register.py`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only counts upwards without reuse, and only uses its rowid, for a column declared plainly as INTEGER.
Position = BigInteger().with_variant(Integer, "sqlite")

ACTIVE_RUN = text("state IN ('queued', 'running', 'paused')")
FAILED_RUN = text("state = 'failed'")
UNANSWERED = text("answered_at IS NULL")

shops = Table(
    "shops",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain", Text, nullable=False, unique=True),
    Column("admin_url", Text, nullable=False),
    Column("public_url", Text, nullable=False),
    Column("api_version", Text, nullable=False),
    Column("state", Text, nullable=False),  # connected | disconnected | authorizing | erased
    Column("name", Text),
    Column("currency", Text),
    Column("timezone", Text),
    Column("region", Text),  # ISO country for phone numbers without a country code
    Column("scopes", JSON, nullable=False),
    Column("box", LargeBinary, nullable=False),  # credentials and webhook secrets, sealed under the shop's key
    Column("installed_at", BigInteger, nullable=False),  # the first install, by Shopify's clock; never moved
    Column("connected_at", BigInteger, nullable=False),
    Column("disconnected_at", BigInteger),
    Column("shopify_date", BigInteger),  # Shopify's last Date header ...
    Column("shopify_date_heard", BigInteger),  # ... and our clock when it came
    Column("checked_at", BigInteger),  # when subscriptions and scopes were last looked at; empty asks for it now
    Column("recent_to", BigInteger),  # the `updated_at` up to which the recent reconcile has read
    Column("full_at", BigInteger),  # when the last full read of all customers began that ended well
    Column("authorize_hash", LargeBinary),  # of the state that an authorization under way must bring back
    Column("authorize_until", BigInteger),
    Column("orders_to", BigInteger),  # the `updated_at` up to which the order reconcile has read
    Column("retention_days", Integer, nullable=False, server_default="90"),  # from a deletion to the purge
    Column("index_version", Integer, nullable=False, server_default="1"),  # of the key that new tokens are made with
    Column("erased_at", BigInteger),  # when everything of the shop was erased, as Shopify asked
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("requested_at", BigInteger, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("moved_at", BigInteger),  # the last checkpoint
    Column("total", BigInteger),
    Column("done", BigInteger, nullable=False, default=0),
    Column("counts", JSON, nullable=False),
    Column("checkpoint", JSON, nullable=False),
    Column("reason", Text),
    Index("ix_runs_shop_id_requested_at", "shop_id", "requested_at"),
    # One run of a kind at a time in a shop, held by the database and not by good manners.
    Index("uq_runs_active", "shop_id", "kind", unique=True, sqlite_where=ACTIVE_RUN, postgresql_where=ACTIVE_RUN),
    Index("ix_runs_failed", "finished_at", sqlite_where=FAILED_RUN, postgresql_where=FAILED_RUN),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
)

WAITING = text("state = 'waiting'")
PARKED = text("state = 'parked'")
OF_TWO = text("other_hash IS NOT NULL")
KEYED_EMAIL = text("email_token IS NOT NULL")
KEYED_PHONE = text("phone_token IS NOT NULL")
UNCLEAN = text("unclean IS NOT NULL")
BOXED = text("box IS NOT NULL")
OPEN = text("ended_at IS NULL")

inbox = Table(
    "inbox",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("event_id", Text),
    Column("api_version", Text),
    Column("triggered_at", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("subject_hash", LargeBinary),  # the customer it speaks of, so that redaction finds it
    Column("other_hash", LargeBinary),  # a merge speaks of two
    Column("stripe", SmallInteger, nullable=False),  # the lock that its customer falls under
    Column("day", Integer, nullable=False),  # the day key that seals the box, in days since 1970
    Column("box", LargeBinary),
    Column("state", Text, nullable=False),  # waiting | done | parked | dropped
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("due_at", BigInteger, nullable=False, default=0),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    UniqueConstraint("shop_id", "webhook_id"),
    Index("ix_inbox_waiting", "position", sqlite_where=WAITING, postgresql_where=WAITING),
    Index("ix_inbox_parked", "position", sqlite_where=PARKED, postgresql_where=PARKED),
    Index("ix_inbox_subject_hash", "subject_hash"),
    # Of the merges alone, so that no other delivery pays for it.
    Index("ix_inbox_other_hash", "other_hash", sqlite_where=OF_TWO, postgresql_where=OF_TWO),
    Index("ix_inbox_day", "day"),
    sqlite_autoincrement=True,
)

customers = Table(
    "customers",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),  # also the id of the customer's key
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("shopify_id", BigInteger),
    Column("state", Text, nullable=False),  # active | deleted | merged | kept
    Column("box", LargeBinary, nullable=False),  # the owner's value of each field
    Column("email_token", LargeBinary),
    Column("phone_token", LargeBinary),
    Column("created_at", BigInteger),  # Shopify's createdAt
    Column("heard_at", BigInteger, nullable=False),  # when we first heard of it
    Column("changed_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("confirmed_at", BigInteger),  # a direct read found it gone
    Column("merged_into", LargeBinary(16)),
    Column("keep_until", BigInteger),
    Column("kept_reason", Text),  # why it is kept, in our words
    Column(
        "index_version", Integer, nullable=False, server_default="0"
    ),  # of the key of its tokens; 0: from before names had any
    Column("seen_at", BigInteger),  # when a person agreed to the purge of one who vanished without a word
    Column("kept_box", LargeBinary),  # what a person gave as the reason for keeping it
    Column("field_digests", LargeBinary),  # of the owner's values; keyed by the customer's key; empty: not made yet
    UniqueConstraint("shop_id", "shopify_id"),
    Index("ix_customers_shop_id_email_token", "shop_id", "email_token"),
    Index("ix_customers_shop_id_phone_token", "shop_id", "phone_token"),
    Index("ix_customers_shop_id_deleted_at", "shop_id", "deleted_at"),
    Index("ix_customers_shop_id_index_version", "shop_id", "index_version"),
)

sides = Table(
    "sides",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("system", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("customer_id", LargeBinary(16)),  # empty while the record belongs to no customer
    Column("key_id", LargeBinary(16), nullable=False),
    Column("box", LargeBinary, nullable=False),  # all that the system last said, true or not, allowed or not
    Column("raw_digest", LargeBinary),  # of the last bulk line; keyed by shop
    Column("field_digests", LargeBinary, nullable=False),  # keyed by the subject key, and gone with it
    Column("version", BigInteger),
    Column("heard_at", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("read_began", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    # What follows is used by connected systems, and of Shopify's sides by `unclean` alone.
    Column("remote_version", Text),  # of the record, as the system tells it, to write on condition
    Column("created_at", BigInteger),  # by the system's clock
    Column("gone_at", BigInteger),  # since when the system has the record no more
    Column("email_token", LargeBinary),  # blind index of what an unlinked record is matched by
    Column("phone_token", LargeBinary),
    Column("index_version", Integer),  # of the key of these tokens
    Column("clean_at", BigInteger),  # when every mapped field was last seen in step, but for those of `unclean`
    Column("unclean", JSON(none_as_null=True)),  # field: when it was last in step (or null), of those that are not now
    Index("ix_sides_customer_id", "customer_id"),
    Index("ix_sides_email_token", "shop_id", "email_token", sqlite_where=KEYED_EMAIL, postgresql_where=KEYED_EMAIL),
    Index("ix_sides_phone_token", "shop_id", "phone_token", sqlite_where=KEYED_PHONE, postgresql_where=KEYED_PHONE),
    Index("ix_sides_unclean", "shop_id", "system", sqlite_where=UNCLEAN, postgresql_where=UNCLEAN),
)

field_log = Table(
    "field_log",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("customer_id", LargeBinary(16), nullable=False),
    Column("system", Text, nullable=False),
    Column("writer", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("run_id", Text),
    Column("cause", BigInteger),  # the inbox position
    Column("at", BigInteger),  # by the system's clock
    Column("heard_at", BigInteger, nullable=False),
    Column("fields", Text, nullable=False),  # names, joined by a space
    Column("accepted", Boolean, nullable=False),
    Column("reason", Text),
    Column("digests", LargeBinary),
    Column("box", LargeBinary),  # old and new values, where a write can be undone; none of Shopify's can
    Column("keep_until", BigInteger),  # when the box is emptied
    Index("ix_field_log_customer_id", "customer_id"),
    Index("ix_field_log_kept", "shop_id", "run_id", sqlite_where=BOXED, postgresql_where=BOXED),
)

links = Table(
    "links",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("system", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("customer_id", LargeBinary(16), primary_key=True),
    Column("state", Text, nullable=False),  # linked | broken | review
    Column("matched_by", Text, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
    Index("ix_links_customer_id", "customer_id"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("deleted_hash", LargeBinary(16), primary_key=True),
    Column("kept_hash", LargeBinary(16), nullable=False),
    Column("deleted_id", BigInteger),  # emptied by the purge; the hash stays
    Column("kept_id", BigInteger),
    Column("state", Text, nullable=False),  # heard | settled | failed
    Column("heard_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Index("ix_aliases_shop_id_kept_hash", "shop_id", "kept_hash"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("id_hash", LargeBinary(16), primary_key=True),
    Column("deleted_at", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),
    Column("purged_at", BigInteger),
)

refetch_marks = Table(
    "refetch_marks",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("shopify_id", BigInteger, primary_key=True),
    Column("reasons", Text, nullable=False),
    Column("serial", Integer, nullable=False),  # a read that began at an earlier serial does not clear the mark
    Column("tries", SmallInteger, nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Index("ix_refetch_marks_due_at", "due_at"),
)

pending_marks = Table(
    "pending_marks",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("system", Text, primary_key=True),
    Column("customer_id", LargeBinary(16), primary_key=True),
    Column("field", Text, primary_key=True),  # *: every mapped field, of a customer without a record there
    Column("set_at", BigInteger, nullable=False),
    Column("run_id", Text),
    Column("serial", Integer, nullable=False, server_default="1"),  # a write that began earlier does not clear it
    Column("state", Text, nullable=False, server_default="waiting"),  # waiting | sent | ambiguous
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False, server_default="0"),
    Column("set_by", Text),  # of a value that a person proposes to its owner ...
    Column("box", LargeBinary),  # ... the value; empty: the owner's present value is sent
)

parked_values = Table(
    "parked_values",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("customer_id", LargeBinary(16), nullable=False),
    Column("system", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("box", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("parked_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("direction", Text, nullable=False, server_default="in"),  # in: the system's, refused; out: it cannot take it
    Column("run_id", Text),
    Column("ended_by", Text),
    Index("ix_parked_values_customer_id", "customer_id"),
    Index("ix_parked_values_open", "shop_id", "system", sqlite_where=OPEN, postgresql_where=OPEN),
)

findings = Table(
    "findings",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("customer_id", LargeBinary(16)),
    Column("system", Text, nullable=False),
    Column("field", Text),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("run_id", Text),
    Column("found_at", BigInteger, nullable=False),
    Column("healed_at", BigInteger),
    Index("ix_findings_customer_id", "customer_id"),
    Index("ix_findings_run_id", "run_id"),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("cause", Text, nullable=False),  # what asked for it: a topic, a person, the retention, or a restored backup
    Column("position", BigInteger),  # the delivery that asked for it
    Column("asked_at", BigInteger, nullable=False),  # by Shopify's clock; by ours where a person did
    Column("erased_at", BigInteger, nullable=False),
    Column("id_hashes", JSON, nullable=False),  # whom: keyed hashes in hexadecimal
    Column("counts", JSON, nullable=False),  # how many rows of which table
    Column("key_ids", JSON, nullable=False),  # of the keys that are still to be destroyed
    Column("ended_at", BigInteger),  # when the last of them was
    Column("run_id", Text),
    Column("points", BigInteger),  # the sum of the balances that went
)

questions = Table(
    "questions",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # what it is about, so that nothing is asked twice
    Column("text", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("answers", JSON, nullable=False),
    Column("otherwise", Text, nullable=False),  # what happens without an answer
    Column("asked_at", BigInteger, nullable=False),
    Column("deadline", BigInteger),
    Column("answered_at", BigInteger),
    Column("answer", Text),
    Column("answered_by", Text),
    Column("why", Text),
    UniqueConstraint("shop_id", "kind", "subject"),
    Index("ix_questions_waiting", "id", sqlite_where=UNANSWERED, postgresql_where=UNANSWERED),
    sqlite_autoincrement=True,
)
