"""Indexes for what people are told of: a look each minute must not read every run, question and case there ever was.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FAILED_RUN = sa.text("state = 'failed'")
UNANSWERED = sa.text("answered_at IS NULL")


def upgrade() -> None:
    op.create_index("ix_runs_failed", "runs", ["finished_at"], sqlite_where=FAILED_RUN, postgresql_where=FAILED_RUN)
    op.create_index("ix_questions_waiting", "questions", ["id"], sqlite_where=UNANSWERED, postgresql_where=UNANSWERED)
    op.create_index("ix_cases_returned_at", "cases", ["returned_at"])
    op.create_index("ix_cases_escalated_at", "cases", ["escalated_at"])
