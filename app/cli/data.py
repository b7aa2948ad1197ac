"""The demo world, feeds, backup and restore."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click

from app import dumps, migrate
from app.cli import mall
from app.cli.context import in_app, json_option, say_json
from app.demo import world
from app.demo.catalogue.feeds import PICTURE_SCHEME
from kernel.db import db
from kernel.settings import get_settings
from kernel.worker import WorkerRuns, alone
from merchants.cli import catalogue_commands, feed_commands
from search.cli import search_commands
from search.engines.choice import get_engine
from search.rebuilding import rebuild_now, wait_until_searchable


@mall.command("seed")
@click.option("--reset", is_flag=True, help="Throw everything away first.")
@json_option
@in_app
def seed_command(reset: bool, as_json: bool) -> None:
    """The demo world, deterministic; again it only makes what is missing."""
    settings = get_settings()
    if reset:
        _reset()
    migrate.upgrade()
    made = not world.is_seeded()
    if made:
        world.seed(
            rebuild_index=_rebuild,
            say=lambda text: click.echo(f"· {text}", err=True),
        )
    answer = {"seeded": made, "data_dir": str(settings.data_dir)}
    say_json(answer) if as_json else click.echo("演示数据已就绪" if made else "演示数据原已就绪")


def _rebuild() -> None:
    rebuild_now(get_engine())


def _reset() -> None:
    """Empty database, gateway and index; refused while the mall runs on this folder."""
    settings = get_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with alone(settings.data_dir):
            migrate.upgrade()
            migrate.downgrade("base")
    except WorkerRuns:
        click.echo("商城正在运行：先停止 make up，再重置", err=True)
        sys.exit(1)
    shutil.rmtree(settings.index_dir, ignore_errors=True)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{settings.gateway_db}{suffix}").unlink(missing_ok=True)


def _wait_until_searchable() -> None:
    wait_until_searchable(get_engine())


def _picture_of(reference: str) -> str:
    """``demo:KEY`` names a picture that the demo world has made."""
    if not reference.startswith(PICTURE_SCHEME):
        return ""
    name = f"{reference.removeprefix(PICTURE_SCHEME)}.webp"
    return name if (get_settings().media_dir / "products" / name).is_file() else ""


@mall.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@in_app
def backup_command(file: Path) -> None:
    """A consistent copy of the database while it is in use (compressed SQL on a server)."""
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"no folder {file.absolute().parent}")
    # An older copy under that name stays until the new one is whole.
    scratch = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        if get_settings().is_sqlite:
            dumps.copy_file(_database_path(), scratch)
        else:
            dumps.dump(scratch, db.engine)
        scratch.replace(file)
    except (sqlite3.Error, dumps.DumpFailed) as error:
        click.echo(f"{db.engine.url}: {error}", err=True)
        sys.exit(1)
    finally:
        scratch.unlink(missing_ok=True)
    click.echo(f"{file} ({file.stat().st_size:,} bytes)")


@mall.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@in_app
def restore_command(file: Path) -> None:
    """Put a copy back and rebuild the index; refused while the mall runs on this folder."""
    settings = get_settings()
    fault = _fault_of_copy(file) if settings.is_sqlite else dumps.fault_of(file)
    if fault:
        click.echo(f"{file}: {fault}", err=True)
        sys.exit(1)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with alone(settings.data_dir):
            if settings.is_sqlite:
                _put_back(file)
            else:
                dumps.load(file, db.engine)
            migrate.upgrade()
            rebuild_now(get_engine(), anew=True)
    except dumps.DumpFailed as error:
        click.echo(f"{db.engine.url}: {error}", err=True)
        sys.exit(1)
    except WorkerRuns:
        click.echo("商城正在运行：先停止 make up，再恢复", err=True)
        sys.exit(1)
    click.echo("已恢复")


def _fault_of_copy(file: Path) -> str:
    """Why a file is no whole copy of the mall's database; empty where it is one."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
            fault = copy.execute("PRAGMA quick_check").fetchone()[0]
            known = copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
            if fault == "ok" and known.fetchone() is None:
                return "not a copy of the mall"
    except sqlite3.Error as error:
        return str(error)
    return "" if fault == "ok" else str(fault)


def _put_back(file: Path) -> None:
    for engine in db.engines.values():
        engine.dispose()
    path = _database_path()
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    shutil.copy(file, scratch)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    scratch.replace(path)


def _database_path() -> Path:
    return Path(get_settings().database_url.removeprefix("sqlite:///"))


def _in_context(group: click.Group) -> click.Group:
    """Let every command of a room's group run inside an application context."""
    for command in group.commands.values():
        if command.callback is not None:
            command.callback = in_app(command.callback)
    return group


for _group in (
    search_commands,
    catalogue_commands(),
    feed_commands(wait_until_searchable=_wait_until_searchable, picture_of=_picture_of),
):
    mall.add_command(_in_context(_group))
