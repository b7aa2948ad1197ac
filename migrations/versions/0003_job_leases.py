"""Several schedulers: who runs a job holds its lease

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

import kernel.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_run", sa.Column("leased_until", kernel.db.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("job_run", "leased_until")
