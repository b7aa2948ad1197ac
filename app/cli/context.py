"""The group ``mall`` and the application context that its commands run in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

from app.factory import create_app

P = ParamSpec("P")
R = TypeVar("R")


class Mall(click.Group):
    """The top group."""


def in_app(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command inside an application context of its own."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with create_app().app_context():
            return command(*args, **kwargs)

    return run


json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on standard output."
)


def say_json(value: Any) -> None:
    click.echo(orjson.dumps(value, default=str).decode())


def say_table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table for people, on standard output."""
    table = Table(*heads)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)
