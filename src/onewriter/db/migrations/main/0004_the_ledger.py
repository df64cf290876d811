"""The loyalty programme: the ledger, accounts, receipts, versions of the programme, and orders that are to be read.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("earned", sa.BigInteger(), nullable=False),
        sa.Column("activity_at", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("programme_version", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("own_days", sa.Integer(), nullable=True),
        sa.Column("lapse_days", sa.Integer(), nullable=True),
        sa.Column("lapse_since", sa.BigInteger(), nullable=True),
        sa.Column("excluded_at", sa.BigInteger(), nullable=True),
        sa.Column("included_at", sa.BigInteger(), nullable=True),
        sa.Column("excluded_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_accounts_shop_id")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_accounts")),
    )
    op.create_index("ix_accounts_shop_id_valid_until", "accounts", ["shop_id", "valid_until"], unique=False)
    op.create_table(
        "entries",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("origin_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("once_key", sa.Text(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("lot_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("dropped_by", sa.LargeBinary(length=16), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_entries_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
    )
    op.create_index("ix_entries_customer_id", "entries", ["customer_id"])
    _partly("ix_entries_dropped_by", "entries", ["dropped_by"], "dropped_by IS NOT NULL")
    _partly("ix_entries_order", "entries", ["shop_id", "order_id"], "order_id IS NOT NULL")
    _partly("ix_entries_run_id", "entries", ["run_id"], "run_id IS NOT NULL")
    keyed = "reference IS NOT NULL AND kind IN ('redeem', 'adjust')"
    _partly("uq_entries_key", "entries", ["shop_id", "kind", "reference"], keyed, unique=True)
    once = "once_key IS NOT NULL AND dropped_by IS NULL"
    _partly("uq_entries_once", "entries", ["shop_id", "customer_id", "once_key"], once, unique=True)
    referred = "reference IS NOT NULL AND dropped_by IS NULL"
    names = ["shop_id", "customer_id", "kind", "rule", "reference"]
    _partly("uq_entries_reference", "entries", names, referred, unique=True)
    op.create_table(
        "order_marks",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("waits_for", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_order_marks_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "order_id", name=op.f("pk_order_marks")),
    )
    op.create_index("ix_order_marks_due_at", "order_marks", ["due_at"], unique=False)
    op.create_index("ix_order_marks_waits_for", "order_marks", ["shop_id", "waits_for"], unique=False)
    op.create_table(
        "programmes",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_programmes_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "version", name=op.f("pk_programmes")),
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("kept_customer_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("deleted_customer_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_receipts_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
    )
    op.create_index("ix_receipts_kept_customer_id", "receipts", ["kept_customer_id"], unique=False)
    op.create_index("ix_receipts_deleted_customer_id", "receipts", ["deleted_customer_id"], unique=False)
    standing = "kind = 'merge' AND undone_at IS NULL"
    _partly("uq_receipts_merge", "receipts", ["deleted_customer_id"], standing, unique=True)
    op.add_column("shops", sa.Column("orders_to", sa.BigInteger(), nullable=True))


def _partly(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    """An index over some of the rows."""
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
