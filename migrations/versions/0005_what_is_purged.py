"""Indexes by which old news and old sign-ins are found to be forgotten

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_outbox_done_at", "outbox", ["done_at"])
    op.create_index("ix_user_session_expires_at", "user_session", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_user_session_expires_at", "user_session")
    op.drop_index("ix_outbox_done_at", "outbox")
