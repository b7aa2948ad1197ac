"""Settings, health, clock, faults, the API's document."""

from __future__ import annotations

import re
import sys
import time
from datetime import timedelta

import click

from app import migrate
from app.cli import mall
from app.cli.context import in_app, json_option, say_json, say_table
from app.health import index_in_step, readiness
from app.pages import openapi
from kernel import clock, faults, schedule
from kernel.db import write_transaction
from kernel.settings import SECRET_SETTINGS, Settings, get_settings

_SPAN = re.compile(r"(\d+)([smhd])")
# How long a job may take that a worker runs at this moment.
_PATIENCE_SECONDS = 60.0
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@mall.command("settings")
@json_option
def settings_command(as_json: bool) -> None:
    """Every setting, its value (secrets hidden) and what it is for."""
    settings = get_settings()
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        # The demo's values are public by design; anything else that is secret stays hidden.
        hidden = name in SECRET_SETTINGS and name in settings.model_fields_set
        shown = "••••" if hidden else str(value)
        rows.append((f"MALL_{name.upper()}", shown, field.description or ""))
    if as_json:
        say_json({name: {"value": value, "help": text} for name, value, text in rows})
    else:
        say_table(("setting", "value", "for"), rows)


@mall.command("doctor")
@json_option
@in_app
def doctor_command(as_json: bool) -> None:
    """Each part: version, reachable, latency, schema, index."""
    parts = readiness()
    if "documents" in parts["search"]:
        parts["search"] |= index_in_step(documents=parts["search"]["documents"])
    if as_json:
        say_json({"parts": parts})
    else:
        say_table(
            ("part", "ready", "ms", "more"),
            (
                (
                    name,
                    "✓" if part["ready"] else "✗",
                    part["latency_ms"],
                    ", ".join(
                        f"{k}={v}" for k, v in part.items() if k not in {"ready", "latency_ms"}
                    ),
                )
                for name, part in parts.items()
            ),
        )
    if not all(part["ready"] for part in parts.values()):
        sys.exit(1)


@mall.group("clock")
def clock_group() -> None:
    """Business time."""


@clock_group.command("advance")
@click.argument("span")
@json_option
@in_app
def advance_command(span: str, as_json: bool) -> None:
    """Move business time forward by SPAN such as 30d, 12h, 15m, 10s (not in production)."""
    found = _SPAN.fullmatch(span)
    if not found:
        raise click.UsageError("give a number and a unit: 30d, 12h, 15m or 10s")
    with write_transaction():
        offset = clock.advance(by=timedelta(**{_UNITS[found[2]]: int(found[1])}))
    # Every process has looked at the row anew by then: what follows meets one time.
    time.sleep(clock.CACHE_SECONDS + 0.1)
    answer = {"now": clock.rfc3339(clock.now()), "offset_seconds": offset}
    say_json(answer) if as_json else click.echo(f"现在是 {answer['now']}")


@clock_group.command("run-due")
@json_option
@in_app
def run_due_command(as_json: bool) -> None:
    """Run every scheduled job that is due, once."""
    done = schedule.run_due(patience=_PATIENCE_SECONDS)
    say_json({"jobs": done}) if as_json else say_table(("job", "done"), done.items())


@mall.command("faults")
@json_option
def faults_command(as_json: bool) -> None:
    """The points that MALL_FAULT may name."""
    if as_json:
        say_json(faults.POINTS)
    else:
        say_table(("point", "where the process ends"), faults.POINTS.items())


@mall.command("openapi")
@in_app
def openapi_command() -> None:
    """The API's OpenAPI document."""
    say_json(openapi())


@mall.command("migrate")
@click.option("--new", "revision", metavar="ID", help="Write a migration of what models changed.")
@click.option("--message", default="change", help="What the new migration is about.")
@in_app
def migrate_command(revision: str | None, message: str) -> None:
    """Bring the database to the newest schema."""
    migrate.upgrade()
    if revision:
        migrate.new_revision(message, revision)
    click.echo(f"schema {migrate.current_revision()}")
