"""Protected data: names that can be searched, retention, who may see what, and what was asked of us in law.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite only counts upwards without reuse, and only uses its rowid, for a column declared plainly as INTEGER.
Position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for column in (
        sa.Column("retention_days", sa.Integer(), server_default="90", nullable=False),
        sa.Column("index_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("shops", column)
    op.add_column("customers", sa.Column("index_version", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_customers_shop_id_index_version", "customers", ["shop_id", "index_version"], unique=False)
    op.add_column("customers", sa.Column("seen_at", sa.BigInteger(), nullable=True))
    op.add_column("customers", sa.Column("kept_box", sa.LargeBinary(), nullable=True))
    op.add_column("erasures", sa.Column("run_id", sa.Text(), nullable=True))
    op.add_column("erasures", sa.Column("points", sa.BigInteger(), nullable=True))
    op.create_table(
        "name_tokens",
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "token", name=op.f("pk_name_tokens")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_name_tokens_token", "name_tokens", ["token", "customer_id"], unique=False)
    op.create_table(
        "people",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_people")),
    )
    _create_access_log()
    _create_requests()


def _create_access_log() -> None:
    op.create_table(
        "access_log",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("box", sa.LargeBinary(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_access_log")),
    )
    op.create_index("ix_access_log_customer_id", "access_log", ["customer_id"], unique=False)
    op.create_index("ix_access_log_actor", "access_log", ["actor"], unique=False)


def _create_requests() -> None:
    op.create_table(
        "privacy_requests",
        sa.Column("id", Position, autoincrement=True, nullable=False),
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("subject_hash", sa.LargeBinary(), nullable=True),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_privacy_requests_shop_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_requests")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_privacy_requests_shop_id_state", "privacy_requests", ["shop_id", "state"], unique=False)
    op.create_index("ix_privacy_requests_position", "privacy_requests", ["position"], unique=False)
