"""The schema that the migrations make is the one that the models say, and they go both ways."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, text

from app import migrate
from kernel.db import Base, db, write_transaction
from tests.factories.catalogue import build_categories, build_merchant, build_offer
from tests.factories.people import build_person


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


def test_personalisation_is_on_for_who_is_there_already(app: Flask) -> None:
    """And what was bought together begins empty; one step back leaves people as they were."""
    with write_transaction():
        person = build_person("li.ming@alpha.example")
        public_id = person.public_id
    db.session.remove()
    people = text("SELECT public_id, login FROM person")
    migrate.downgrade("0007")
    with db.engine.connect() as connection:
        assert connection.execute(people).all() == [(public_id, "li.ming@alpha.example")]
    assert not inspect(db.engine).has_table("bought_together")
    migrate.upgrade()
    with db.engine.connect() as connection:
        assert connection.execute(people).all() == [(public_id, "li.ming@alpha.example")]
        assert connection.scalar(text("SELECT personalised FROM person")) == 1
        assert connection.scalar(text("SELECT count(*) FROM bought_together")) == 0


def test_attributes_of_goods_that_are_there_are_numbered(app: Flask) -> None:
    with write_transaction():
        build_categories()
        merchant = build_merchant("north")
        build_offer(merchant, attributes={"颜色": "墨绿 / 米白", "产地": "杭州"})
        build_offer(merchant, attributes={"颜色": "米白", "备注": "长" * 81})
        build_offer(merchant)
    db.session.remove()
    kept = text("SELECT name, value FROM attribute_value ORDER BY id")
    with db.engine.connect() as connection:
        before = sorted(connection.execute(kept).all())
    migrate.downgrade("0008")
    assert not inspect(db.engine).has_table("attribute_value")
    migrate.upgrade()
    with db.engine.connect() as connection:
        after = connection.execute(kept).all()
    assert sorted(after) == before == sorted([("产地", "杭州"), ("颜色", "墨绿"), ("颜色", "米白")])
