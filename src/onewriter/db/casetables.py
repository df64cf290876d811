"""The tables of the diagnosis: audits, the cases that they open, who is affected, what was checked and what was done.

Import the whole metadata from here where every table is wanted. No column holds a value of a customer's: a case says
which field, by what cause, and of whom; wrong and right values are digests keyed by the customer's key.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from onewriter.db.systemtables import metadata as metadata

audits = Table(
    "audits",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("system", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("policy_version", Integer, nullable=False),
    Column("constraints", JSON, nullable=False),  # the six looks at the boundary, with their evidence
    Column("counts", JSON, nullable=False),  # pairs, phantoms, undecidable, real, loose records; and by field
    Column("known", JSON, nullable=False),  # which evidence there was
    Index("ix_audits_shop_id_began_at", "shop_id", "began_at"),
)

cases = Table(
    "cases",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("number", Integer, primary_key=True),  # counted in each shop, from 1
    Column("system", Text, nullable=False),
    Column("field", Text, nullable=False),
    # open | diagnosed | fix applied | waiting for cycle | verified | returned | closed | joined
    Column("state", Text, nullable=False),
    Column("cause", Text),  # the likeliest, as docs/causes.md names it
    Column("asserted", Boolean, nullable=False),
    Column("scope_row", Text, nullable=False),
    Column("fix_target", Text, nullable=False),
    Column("affected", Integer, nullable=False),  # customers
    Column("told", JSON, nullable=False),  # the newest diagnosis whole, in sentences without values
    Column("opened_at", BigInteger, nullable=False),
    Column("opened_by", Text, nullable=False),  # the audit
    Column("looked_at", BigInteger, nullable=False),
    Column("looked_by", Text, nullable=False),  # the newest audit that found it
    Column("joined_to", Integer),  # the case that it is a part of
    Column("predicted", Text),  # the system that was predicted to win the next cycle
    Column("predicted_at", BigInteger),
    Column("survived", Boolean),  # whether the prediction held
    Column("fixed_at", BigInteger),
    Column("fix", JSON),  # what was done: action, what it changed, by whom, why, and how it is taken back
    Column("resynced_at", BigInteger),  # when somebody last carried one of its customers over by hand
    Column("returned_at", BigInteger),
    Column("returns", Integer, nullable=False),
    Column("escalated_at", BigInteger),  # still wrong after one full cycle and one manual resync
    Column("ended_at", BigInteger),
    Column("ended_by", Text),
    Column("why", Text),
    Index("ix_cases_shop_id_state", "shop_id", "state"),
    Index("ix_cases_returned_at", "returned_at"),
    Index("ix_cases_escalated_at", "escalated_at"),
)

case_rows = Table(
    "case_rows",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("customer_id", LargeBinary(16), primary_key=True),
    Column("record_id", Text, primary_key=True),  # the record's keyed name
    Column("field", Text, primary_key=True),
    Column("found_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),  # when an audit last found it
    Column("gone_at", BigInteger),  # when an audit found it no more
    Column("wrong_digest", LargeBinary),  # what stood there when it was found; keyed by the customer's key
    Column("right_digest", LargeBinary),  # what should stand there, as far as that is known
    Index("ix_case_rows_customer_id", "customer_id"),
)

case_checks = Table(
    "case_checks",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, primary_key=True),  # stays | keeps | second | merged | consent | one record
    Column("state", Text, nullable=False),  # waiting | held | failed | not needed
    Column("customer_id", LargeBinary(16)),  # of the fresh edit: who was edited, or is named as a canary
    Column("due_after", BigInteger, nullable=False),  # a cycle counts that began after this
    Column("looked_at", BigInteger),
    Column("run_id", Text),
    Column("told", Text),  # what was seen, in a sentence
    Index("ix_case_checks_customer_id", "customer_id"),
)

case_answers = Table(
    "case_answers",
    metadata,
    Column("shop_id", Integer, ForeignKey("shops.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("item", Text, primary_key=True),  # one of the seven of the checklist
    Column("answer", Text, nullable=False),  # yes | no | unclear
    Column("at", BigInteger, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("why", Text),
)

case_steps = Table(
    "case_steps",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("shop_id", Integer, ForeignKey("shops.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("step", Text, nullable=False),  # opened | grew | answered | overrode | fixed | undone | verified | ...
    Column("done_by", Text, nullable=False),
    Column("told", Text, nullable=False),  # in a sentence, without values
    Index("ix_case_steps_shop_id_number", "shop_id", "number"),
)
