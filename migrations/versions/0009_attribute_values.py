"""The values of products' attributes, so that the search index can know them by number

Revision ID: 0009
Revises: 0008
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

import kernel.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# As they were when this was written: a migration does not change with the code.
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MAX_NAME, _MAX_VALUE, _MOST = 40, 80, 40
_ROWS = 1_000


def upgrade() -> None:
    values = op.create_table(
        "attribute_value",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(_MAX_NAME), nullable=False),
        sa.Column("value", sa.String(_MAX_VALUE), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_value")),
        sa.UniqueConstraint("name", "value", name=op.f("uq_attribute_value_name_value")),
    )
    known: set[tuple[str, str]] = set()
    for found in _read_attributes():
        fresh = sorted(found - known)
        known.update(fresh)
        if fresh:
            op.bulk_insert(values, [{"name": name, "value": value} for name, value in fresh])


def downgrade() -> None:
    op.drop_table("attribute_value")


def _read_attributes() -> Iterator[set[tuple[str, str]]]:
    """Those of the products that are there already, some products at a time."""
    product = sa.table(
        "product", sa.column("id", sa.BigInteger), sa.column("attributes", kernel.db.Json)
    )
    connection, last = op.get_bind(), 0
    while True:
        rows = connection.execute(
            sa.select(product.c.id, product.c.attributes)
            .where(product.c.id > last)
            .order_by(product.c.id)
            .limit(_ROWS)
        ).all()
        if not rows:
            return
        last = rows[-1].id
        yield {pair for row in rows for pair in _split(row.attributes)}


def _split(kept: list[dict[str, str]]) -> list[tuple[str, str]]:
    pairs = dict.fromkeys(
        (each["name"], value)
        for each in kept
        if len(each["name"]) <= _MAX_NAME
        for value in map(str.strip, each["value"].split(" / "))
        if 0 < len(value) <= _MAX_VALUE
    )
    return list(pairs)[:_MOST]
