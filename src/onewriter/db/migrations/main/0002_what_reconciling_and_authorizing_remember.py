"""What reconciling and authorizing remember.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_findings_run_id", "findings", ["run_id"], unique=False)
    of_two = sa.text("other_hash IS NOT NULL")
    op.create_index("ix_inbox_other_hash", "inbox", ["other_hash"], sqlite_where=of_two, postgresql_where=of_two)
    op.add_column("shops", sa.Column("checked_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("recent_to", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("full_at", sa.BigInteger(), nullable=True))
    op.add_column("shops", sa.Column("authorize_hash", sa.LargeBinary(), nullable=True))
    op.add_column("shops", sa.Column("authorize_until", sa.BigInteger(), nullable=True))
