"""The tables of connected systems: which there are, the policy of who writes what, and what we expect to read back.

Import the whole metadata from here where every table is wanted. The record ids of connected systems are personal data
in some of them (an address of a mailing list), so that no column holds one in clear: `record_id` is a keyed name, and
the id itself is in the side's box.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from onewriter.db.privacytables import metadata as metadata

systems = Table(
    "systems",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # csv | sql | rest | odoo | shopify, or what an entry point is called
    Column("state", Text, nullable=False),  # active | paused
    Column("box", LargeBinary, nullable=False),  # how it is reached, with its credentials; sealed under the shop's key
    Column("creates", Boolean, nullable=False),  # whether customers that it has no record of get one there
    Column("cycle_minutes", Integer),  # how often it is read; empty: by hand only
    Column("full_hours", Integer, nullable=False),  # how often everything is read, whatever its cursor says
    Column("cursor_box", LargeBinary),  # how far it was read, as its connector says; sealed under the shop's key
    Column("due_at", BigInteger),  # when the next cycle begins
    Column("cycle_at", BigInteger),  # when the last complete cycle began (decision D3)
    Column("full_at", BigInteger),  # when the last complete cycle began that read everything
    Column("agreed_version", Integer, nullable=False),  # of the policy that a person agreed to write by; 0: none yet
    Column("allowed", JSON, nullable=False),  # field: how many values the next cycle may change, as a person said
    Column("retry_at", BigInteger),  # it asked to be left alone until then
    Column("trouble", Text),  # what kept the last cycle from its end, in our words
    Column("trouble_since", BigInteger),
    Column("discovered", JSON),  # its fields and what it can do, as it said when it was last asked
    Column("discovered_at", BigInteger),
    Column("added_at", BigInteger, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("version", Integer, primary_key=True),  # the greatest is in force; none ever changes
    Column("at", BigInteger, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("why", Text),
    Column("document", JSON, nullable=False),  # the whole of it: owners, mappings, keys of identity
)

expectations = Table(
    "expectations",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("system", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),  # the record's keyed name
    Column("field", Text, primary_key=True),
    Column("customer_id", LargeBinary(16), nullable=False),
    Column("digest", LargeBinary, nullable=False),  # of what we wrote there; keyed by the customer's key
    Column("run_id", Text),
    Column("made_at", BigInteger, nullable=False),
    Index("ix_expectations_customer_id", "customer_id"),
)
