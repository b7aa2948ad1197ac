"""The schema that the migrations make is the one that the models say, and they go both ways."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect

from app import migrate
from kernel.db import Base, db


def test_models_and_schema_are_the_same(app: Flask) -> None:
    with db.engines["read"].connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert migrate.is_current()


def test_down_to_nothing_and_up_again(app: Flask) -> None:
    migrate.downgrade("base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    assert inspect(db.engine).get_view_names() == []
    migrate.upgrade()
    assert set(inspect(db.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    assert migrate.is_current()
