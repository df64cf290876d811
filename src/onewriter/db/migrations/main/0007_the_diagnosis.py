"""The diagnosis: audits, cases, who is affected, what was checked, answered and done.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_audits()
    _create_cases()
    _create_case_rows()
    _create_case_checks()
    _create_case_answers()
    _create_case_steps()


def _create_audits() -> None:
    op.create_table(
        "audits",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("constraints", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("known", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_audits_shop_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_audits")),
    )
    op.create_index("ix_audits_shop_id_began_at", "audits", ["shop_id", "began_at"], unique=False)


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("asserted", sa.Boolean(), nullable=False),
        sa.Column("scope_row", sa.Text(), nullable=False),
        sa.Column("fix_target", sa.Text(), nullable=False),
        sa.Column("affected", sa.Integer(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("looked_by", sa.Text(), nullable=False),
        sa.Column("joined_to", sa.Integer(), nullable=True),
        sa.Column("predicted", sa.Text(), nullable=True),
        sa.Column("predicted_at", sa.BigInteger(), nullable=True),
        sa.Column("survived", sa.Boolean(), nullable=True),
        sa.Column("fixed_at", sa.BigInteger(), nullable=True),
        sa.Column("fix", sa.JSON(), nullable=True),
        sa.Column("resynced_at", sa.BigInteger(), nullable=True),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("escalated_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_cases_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "number", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_shop_id_state", "cases", ["shop_id", "state"], unique=False)


def _create_case_rows() -> None:
    op.create_table(
        "case_rows",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("wrong_digest", sa.LargeBinary(), nullable=True),
        sa.Column("right_digest", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_case_rows_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "number", "customer_id", "record_id", "field", name=op.f("pk_case_rows")),
    )
    op.create_index("ix_case_rows_customer_id", "case_rows", ["customer_id"], unique=False)


def _create_case_checks() -> None:
    op.create_table(
        "case_checks",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("due_after", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("told", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_case_checks_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "number", "name", name=op.f("pk_case_checks")),
    )
    op.create_index("ix_case_checks_customer_id", "case_checks", ["customer_id"], unique=False)


def _create_case_answers() -> None:
    op.create_table(
        "case_answers",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_case_answers_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "number", "item", name=op.f("pk_case_answers")),
    )


def _create_case_steps() -> None:
    op.create_table(
        "case_steps",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("done_by", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_case_steps_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_steps")),
    )
    op.create_index("ix_case_steps_shop_id_number", "case_steps", ["shop_id", "number"], unique=False)
