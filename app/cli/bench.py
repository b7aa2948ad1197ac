"""``mall bench``: figures beside their floors, on scratch folders."""

from __future__ import annotations

import signal
from pathlib import Path

import click
import orjson

from app.bench.processes import BenchFailed
from app.bench.report import GROUPS, Options, measure, table
from app.cli import mall
from app.cli.context import json_option, say_json

_ROWS = 100_000
_SECONDS = 8.0
_INPUT = click.Path(path_type=Path, dir_okay=False, exists=True)
_HELP = {
    "all": "Every figure.",
    "search": "Searches: HTTP, service, adapter, and the bare engine.",
    "import": "From a feed file to searchable, the same file again, and memory.",
    "checkout": "Checkouts in process and through HTTP, hot accounts.",
    "ledger": "Postings beside bare inserts.",
    "freshness": "From commit to searchable.",
    "rebuild": "The index anew, and searches meanwhile.",
    "memory": "The importer's resident memory.",
}


@mall.group("bench")
def bench_group() -> None:
    """Measure, each figure beside its raw floor; never on the live data."""


def _add(group: str) -> None:
    @bench_group.command(group, help=_HELP[group])
    @json_option
    @click.option("--rows", type=click.IntRange(100, 5_000_000), default=_ROWS, show_default=True)
    @click.option("--titles", type=_INPUT, help="Real titles to recombine, one a line.")
    @click.option("--queries", type=_INPUT, help="Real queries, one a line.")
    @click.option(
        "--seconds",
        type=click.FloatRange(0.05, 600),
        default=_SECONDS,
        show_default=True,
        help="How long each side of a comparison runs.",
    )
    @click.option(
        "--searches",
        type=click.IntRange(1, 1_000_000),
        help="Search for exactly so many different queries, not for a time.",
    )
    @click.option(
        "--parts",
        type=click.Choice(["stack", "embedded"]),
        help="Only these parts; by default all that the settings name, and the embedded ones.",
    )
    def command(
        as_json: bool,
        rows: int,
        titles: Path | None,
        queries: Path | None,
        seconds: float,
        searches: int | None,
        parts: str | None,
    ) -> None:
        # Whoever stops us by a signal wants the processes and folders gone as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            answer = measure(
                group,
                Options(
                    rows=rows,
                    seconds=seconds,
                    titles=titles,
                    queries=queries,
                    searches=searches,
                    parts=parts,
                ),
                say=lambda text: click.echo(f"· {text}", err=True),
            )
        except BenchFailed as failure:
            click.echo(str(failure), err=True)
            raise click.exceptions.Exit(1) from None
        if as_json:
            say_json(answer)
        else:
            click.echo(table(answer["figures"]))


for _group in GROUPS:
    _add(_group)


@bench_group.command("show")
@click.argument("file", type=_INPUT)
def show_command(file: Path) -> None:
    """The table of a JSON that was measured before."""
    try:
        answer = orjson.loads(file.read_bytes())
        figures = table(answer["figures"])
        place = answer["environment"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise click.UsageError(f"{file} is no output of mall bench --json") from None
    click.echo(figures)
    click.echo(" · ".join(f"{name} {value}" for name, value in place))
