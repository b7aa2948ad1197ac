"""Indexes by which the best sellers are found, of all products and of each brand

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_product_state_sold_count", "product", ["state", "sold_count"])
    # Made before the other goes: MariaDB wants one for the foreign key at all times.
    op.create_index(
        "ix_product_brand_id_state_sold_count", "product", ["brand_id", "state", "sold_count"]
    )
    op.drop_index("ix_product_brand_id", "product")


def downgrade() -> None:
    op.create_index("ix_product_brand_id", "product", ["brand_id"])
    op.drop_index("ix_product_brand_id_state_sold_count", "product")
    op.drop_index("ix_product_state_sold_count", "product")
