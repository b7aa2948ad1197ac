"""Command line of merchants' feeds. The caller pushes the application context.

``mall feed import`` ends when what it imported can be searched; how to wait for that is the search
room's matter, so it is handed in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import orjson

from kernel.errors import Problem
from merchants.feeds.generator import MOST_ROWS, read_titles, write_feed
from merchants.feeds.importing import MAX_BAD_SHARE, ImportResult, import_feed
from merchants.feeds.memory import Progress

GENERATOR_SEED = 2026

# Blocks until everything that is in the database can be searched.
WaitUntilSearchable = Callable[[], None]
PictureOf = Callable[[str], str]

_FILE = click.Path(path_type=Path, dir_okay=False)
_COUNTS = (("new", "新增"), ("changed", "变更"), ("unchanged", "未变"), ("bad", "有错"))


def feed_commands(
    *, wait_until_searchable: WaitUntilSearchable, picture_of: PictureOf
) -> click.Group:
    """The group ``feed``; ``picture_of`` finds the local file of a row's picture, or nothing."""
    group = click.Group("feed", help="Merchants' feeds.")

    @group.command("import")
    @click.option("--merchant", "merchant_code", required=True, metavar="CODE")
    @click.argument("file", type=_FILE)
    @click.option("--dry-run", is_flag=True, help="Only count; write nothing.")
    @click.option("--errors", "errors_path", type=_FILE, help="Write the bad rows here.")
    @click.option("--no-wait", is_flag=True, help="Do not wait until the rows are searchable.")
    @click.option("--max-bad-share", default=MAX_BAD_SHARE, type=click.FloatRange(0, 1))
    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
    def import_command(
        merchant_code: str,
        file: Path,
        dry_run: bool,
        errors_path: Path | None,
        no_wait: bool,
        max_bad_share: float,
        as_json: bool,
    ) -> None:
        """Import FILE: CSV, JSON Lines or Excel. The same file goes on where it was stopped."""
        try:
            result = _import_with_bar(
                merchant_code, file, dry_run, errors_path, max_bad_share, picture_of, not as_json
            )
            if not dry_run and not no_wait:
                wait_until_searchable()
        except Problem as problem:
            _say_problem(problem, as_json=as_json)
            raise click.exceptions.Exit(1) from None
        _say_result(result, as_json=as_json)
        raise click.exceptions.Exit(1 if result.progress.bad else 0)

    return group


def _import_with_bar(
    merchant_code: str,
    file: Path,
    dry_run: bool,
    errors_path: Path | None,
    max_bad_share: float,
    picture_of: PictureOf,
    show: bool,
) -> ImportResult:
    with click.progressbar(length=1, label=file.name, file=sys.stderr, hidden=not show) as bar:

        def on_progress(progress: Progress, lines: int) -> None:
            # The file's lines are about its rows; the bar is not the place to be exact.
            bar.length = max(lines, progress.row_number, 1)
            bar.update(progress.row_number - bar.pos)

        return import_feed(
            merchant_code=merchant_code,
            path=file,
            dry_run=dry_run,
            errors_path=errors_path,
            max_bad_share=max_bad_share,
            picture_of=picture_of,
            on_progress=on_progress,
        )


def _say_problem(problem: Problem, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(problem.to_dict()).decode())
    else:
        click.echo(f"{problem.title}：{problem.detail}", err=True)
        for error in problem.errors:
            click.echo(f"  {error['field']}：{error['message']}", err=True)


def _say_result(result: ImportResult, *, as_json: bool) -> None:
    counts = result.to_json()
    if as_json:
        click.echo(orjson.dumps(counts).decode())
        return
    for key, label in _COUNTS:
        click.echo(f"{label}  {counts[key]:>9}")
    if result.resumed_from:
        click.echo(f"从第 {result.resumed_from + 1} 行接着导入")
    for text, rows in result.warnings.most_common(10):
        click.echo(f"注意：{text}（{rows} 行）", err=True)


def catalogue_commands() -> click.Group:
    """The group ``catalogue``."""
    group = click.Group("catalogue", help="Catalogues for measurements.")

    @group.command("generate")
    @click.option("--items", required=True, type=click.IntRange(1, MOST_ROWS))
    @click.option("--out", "out", required=True, type=_FILE)
    @click.option("--titles", type=click.Path(path_type=Path, dir_okay=False, exists=True))
    @click.option("--seed", default=GENERATOR_SEED, show_default=True)
    @click.option(
        "--seller",
        type=click.IntRange(0, 99),
        default=0,
        help="Another seller of the barcoded goods of the same seed.",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
    def generate_command(
        items: int, out: Path, titles: Path | None, seed: int, seller: int, as_json: bool
    ) -> None:
        """Write a feed of N realistic rows to FILE, the same every time."""
        words = read_titles(titles) if titles else None
        with click.progressbar(
            length=items, label=out.name, file=sys.stderr, hidden=as_json
        ) as bar:
            write_feed(
                out,
                items,
                seed,
                words,
                lambda done, _all: bar.update(done - bar.pos),
                seller=seller,
            )
        if as_json:
            click.echo(orjson.dumps({"items": items, "file": str(out)}).decode())

    return group
