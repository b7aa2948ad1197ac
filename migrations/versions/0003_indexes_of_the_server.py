"""Indexes that the queries of a server database need

``lot.lapses_at`` is when what is left of a lot lapses, and nothing where nothing is left: its index
finds the few lots to expire among all that ever expired, and an order that takes from a lot does
not move in it. (An index on the balance itself loses rows on MariaDB: who waits for a lot in that
index finds the place empty when its turn comes, and takes the lot for spent.)

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
    op.drop_index("ix_lot_expires_at_available", "lot")
    op.add_column(
        "lot",
        sa.Column(
            "lapses_at",
            kernel.db.UtcDateTime(),
            sa.Computed("CASE WHEN available > 0 THEN expires_at END", persisted=False),
        ),
    )
    op.create_index("ix_lot_asset_lapses_at", "lot", ["asset", "lapses_at"])


def downgrade() -> None:
    op.drop_index("ix_lot_asset_lapses_at", "lot")
    op.drop_column("lot", "lapses_at")
    op.create_index("ix_lot_expires_at_available", "lot", ["expires_at", "available"])
