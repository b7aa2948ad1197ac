"""A server database as a file, and back."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from app import dumps, migrate
from kernel.audit import services as audit
from kernel.db import Base, db, write_transaction
from tests.databases import Database, by_sql
from tests.factories.cashier import assert_books_are_clean, build_mall, everything

pytestmark = [
    pytest.mark.server_only("a SQLite database is a file already"),
    pytest.mark.skipif(
        shutil.which("mariadb-dump") is None, reason="NOT tested: mariadb-client is not installed"
    ),
]


@pytest.fixture
def kept(app: Flask, tmp_path: Path) -> Path:
    build_mall()
    with write_transaction():
        audit.record(actor="usr_1", action="a", subject="b", details={"字": "🎁 \\ ' \" %"})
    file = tmp_path / "mall.sql.gz"
    dumps.dump(file, db.engine)
    return file


def test_what_was_kept_comes_back_whole(kept: Path, database: Database) -> None:
    before = everything()
    by_sql("DELETE FROM stock", "UPDATE lot SET held = 9", "CREATE TABLE later (x INT)")
    assert everything() != before
    dumps.load(kept, db.engine)
    assert everything() == before
    assert_books_are_clean()
    assert audit.verify() is None
    assert migrate.is_current()
    tables = set(inspect(db.engine).get_table_names())
    assert tables == {*Base.metadata.tables, "alembic_version"}
    with pytest.raises(IntegrityError, match="append-only"), write_transaction():
        db.session.execute(text("DELETE FROM audit_entry"))


def test_a_file_that_is_no_whole_copy_is_told(kept: Path, tmp_path: Path) -> None:
    assert dumps.fault_of(kept) == ""
    whole = gzip.decompress(kept.read_bytes())
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(whole[:-200]))
    assert dumps.fault_of(cut) == "the copy was cut off"
    cut.write_bytes(kept.read_bytes()[:-200])
    assert dumps.fault_of(cut).startswith("not a whole compressed file")
    cut.write_bytes(gzip.compress(b"CREATE TABLE `other` (x INT);\n-- Dump completed"))
    assert dumps.fault_of(cut) == "not a copy of the mall"
    cut.write_bytes(b"SQL")
    assert dumps.fault_of(cut).startswith("not a whole compressed file")


def test_what_is_missing_is_named(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(dumps.DumpFailed, match="mariadb-dump is not installed"):
        dumps.dump(tmp_path / "x", db.engine)


def test_what_the_program_says_is_told(app: Flask, tmp_path: Path) -> None:
    false = tmp_path / "mariadb-dump"
    false.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    false.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(dumps.DumpFailed, match="no such luck"):
            dumps.dump(tmp_path / "x", db.engine)
