"""The tables of the key store: a database of its own, so that a copy of the main one opens nothing.

Every key is wrapped by a master key, which is in neither database. A destroyed key keeps its row without the key: the
mark that says that what it sealed is gone on purpose.
"""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

from onewriter.db.tables import metadata as main_metadata

metadata = MetaData(naming_convention=main_metadata.naming_convention)

master_keys = Table(
    "master_keys",
    metadata,
    Column("id", Text, primary_key=True),  # a fingerprint, which tells nothing of the key
    Column("made_at", BigInteger, nullable=False),
    Column("proof", LargeBinary, nullable=False),  # a known text sealed with it, so that a wrong key is told at once
    Column("retired_at", BigInteger),  # when the last key was wrapped anew with another one
)

subject_keys = Table(
    "subject_keys",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, nullable=False),
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("destroyed_at", BigInteger),
)

shop_keys = Table(
    "shop_keys",
    metadata,
    Column("shop_id", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("made_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),
)

day_keys = Table(
    "day_keys",
    metadata,
    Column("shop_id", Integer, primary_key=True),
    Column("day", Integer, primary_key=True),
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("made_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),
)

index_keys = Table(
    "index_keys",
    metadata,
    Column("shop_id", Integer, primary_key=True),
    Column("version", Integer, primary_key=True),  # from 2; the first is a part of the shop's own key
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary),
    Column("made_at", BigInteger, nullable=False),
    Column("destroyed_at", BigInteger),
)

erased_ids = Table(
    "erased_ids",
    metadata,
    Column("shop_id", Integer, primary_key=True),
    Column("id_hash", LargeBinary(16), primary_key=True),
    Column("erased_at", BigInteger, nullable=False),
)

log_heads = Table(
    "log_heads",
    metadata,
    Column("log", Text, primary_key=True),
    Column("master_id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),  # the key of the chain
    Column("position", BigInteger, nullable=False),  # the newest line that is known to be written ...
    Column("mac", LargeBinary, nullable=False),  # ... and what it must say
)

copies = Table(
    "copies",
    metadata,
    Column("made_at", BigInteger, primary_key=True),  # of the one copy of this key store that is kept: the newest
)
