"""Alembic's entry: runs on the connection it is handed (kernel's write engine)."""

from __future__ import annotations

from alembic import context

import app.tables  # noqa: F401 -- registers every table on the metadata
from kernel.db import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
# SQLite runs all of them in the caller's one transaction. MariaDB commits each statement that
# changes the schema by itself, so there each migration commits its number when it is through.
with context.begin_transaction():
    context.run_migrations()
