"""Keys of the index that can be replaced, who was erased, the end of the access log, and when a copy was made.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("master_keys", sa.Column("retired_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "index_keys",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("master_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("destroyed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shop_id", "version", name=op.f("pk_index_keys")),
    )
    op.create_table(
        "erased_ids",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("id_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "id_hash", name=op.f("pk_erased_ids")),
    )
    op.create_table(
        "log_heads",
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("master_id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", name=op.f("pk_log_heads")),
    )
    op.create_table(
        "copies",
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("made_at", name=op.f("pk_copies")),
    )
