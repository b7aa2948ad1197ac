"""Several schedulers: who runs a job holds its lease

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

import kernel.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_run", sa.Column("leased_until", kernel.db.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_run", "leased_until")
