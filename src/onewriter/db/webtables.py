"""The tables of the pages and the API: who may come in, what was answered twice, and what people are told of.

Import the whole metadata from here where every table is wanted. What lets somebody in is kept as a hash alone, so that
neither the database nor a backup of it opens a door.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from onewriter.db.casetables import metadata as metadata
from onewriter.db.tables import Position

logins = Table(
    "logins",
    metadata,
    Column("name", Text, primary_key=True),  # as it is recorded everywhere: user:NAME
    Column("password_hash", Text, nullable=False),  # by argon2, with its salt and its cost in it
    Column("set_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row, since somebody last came in
    Column("failed_at", BigInteger),
)

invitations = Table(
    "invitations",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # of what stands in the link
    Column("name", Text),  # empty: whoever opens the link chooses a name
    Column("role", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # of the cookie
    Column("name", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("shop_id", Integer),  # the shop that is looked at, where somebody chose one
    Index("ix_sessions_name", "name"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    UniqueConstraint("name"),
    UniqueConstraint("hash"),
    sqlite_autoincrement=True,
)

replies = Table(
    "replies",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # as the caller chose it
    Column("request", LargeBinary, nullable=False),  # a digest of method, address and body
    Column("status", Integer),  # empty while it is still being answered
    Column("box", LargeBinary),  # the answer, sealed by the token's own secret, which is kept nowhere here
    Column("made_at", BigInteger, nullable=False),
    Index("ix_replies_made_at", "made_at"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("shop_id", Integer, ForeignKey("shops.id")),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # by an id of ours: run R, question 3, case 4, request 2
    Column("text", Text, nullable=False),
    Column("channel", Text, nullable=False),  # webhook | mail
    Column("state", Text, nullable=False),  # waiting | sent | failed
    Column("tries", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger),
    Column("error", Text),
    UniqueConstraint("kind", "subject", "channel"),
    Index("ix_notices_state_next_at", "state", "next_at"),
    sqlite_autoincrement=True,
)
