"""Synonyms, rules of result lists, and queries counted by day

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

import kernel.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "search_synonym",
        sa.Column("id", _ID, nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("word", sa.String(64), nullable=False),
        sa.Column("words", kernel.db.Json(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.Column("changed_at", kernel.db.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'alias') = (word <> '')", name=op.f("ck_search_synonym_alias_has_word")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_synonym")),
        sa.UniqueConstraint("public_id", name=op.f("uq_search_synonym_public_id")),
    )
    op.create_table(
        "search_rule",
        sa.Column("id", _ID, nullable=False),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("query", sa.String(64), nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("valid_from", kernel.db.UtcDateTime(), nullable=True),
        sa.Column("valid_until", kernel.db.UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.Column("changed_at", kernel.db.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(query = '') <> (category_id = 0)", name=op.f("ck_search_rule_one_list")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_rule")),
        sa.UniqueConstraint("public_id", name=op.f("uq_search_rule_public_id")),
        sa.UniqueConstraint(
            "query",
            "category_id",
            "product_id",
            "state",
            name=op.f("uq_search_rule_query_category_id_product_id_state"),
        ),
    )
    op.create_index("ix_search_rule_state_valid_until", "search_rule", ["state", "valid_until"])
    op.create_table(
        "search_query_day",
        sa.Column("id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("query", sa.String(64), nullable=False),
        sa.Column("searches", sa.BigInteger(), nullable=False),
        sa.Column("found_nothing", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("places", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_query_day")),
        sa.UniqueConstraint("day", "query", name=op.f("uq_search_query_day_day_query")),
    )


def downgrade() -> None:
    op.drop_table("search_query_day")
    op.drop_table("search_rule")
    op.drop_table("search_synonym")
