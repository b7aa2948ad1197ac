"""What is bought together, and whether a person wants personalisation

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

import kernel.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# As they were when this was written: a migration does not change with the code.
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bought_together",
        sa.Column("product_id", BIG_ID, nullable=False),
        sa.Column("companion_id", BIG_ID, nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("only_buyer_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name="fk_bought_together_product_id"
        ),
        sa.ForeignKeyConstraint(
            ["companion_id"], ["product.id"], name="fk_bought_together_companion_id"
        ),
        sa.ForeignKeyConstraint(
            ["only_buyer_id"], ["person.id"], name="fk_bought_together_only_buyer_id"
        ),
        sa.PrimaryKeyConstraint("product_id", "companion_id", name="pk_bought_together"),
    )
    op.create_index(
        "ix_bought_together_product_id_only_buyer_id_orders",
        "bought_together",
        ["product_id", "only_buyer_id", "orders"],
    )
    op.create_table(
        "counted_order",
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("counted_at", kernel.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="pk_counted_order"),
    )
    op.create_index("ix_counted_order_counted_at", "counted_order", ["counted_at"])
    # On for who is there already, as it is for who comes.
    op.add_column(
        "person",
        sa.Column("personalised", sa.Boolean(), nullable=False, server_default=sa.true()),
    )


def downgrade() -> None:
    op.drop_column("person", "personalised")
    op.drop_table("counted_order")
    op.drop_table("bought_together")
