"""``mall search``: rebuild, query, evaluate and more; mounted in an app context by ``app``."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson
from flask import current_app
from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.table import Table
from rich.text import Text

from enterprises.services.eligibility import Viewer, viewer_of
from kernel.auth.policy import Actor
from kernel.auth.services import actor_of_login
from kernel.db import read_only
from kernel.errors import Problem
from kernel.settings import get_settings
from search import evaluate as evaluation
from search import tuning
from search.engines.base import EngineView
from search.engines.choice import get_engine, scratch_engine
from search.explaining import explain
from search.indexing import suggestion_file
from search.kept_lists import ListsInProcess
from search.ranking import FEATURES
from search.rebuilding import WorkerStopped, rebuild_now
from search.replaying import replay
from search.requests import MAX_LIMIT, SearchRequest
from search.schemas import SearchOut
from search.services import search
from search.typos import letters_of, make_typos, measure_typos
from search.weights import get_weights, write_second_stage

_FAILED = 1
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TITLES_HELP = "Real titles that filler is recombined from, one a line."
_ALL_GOODS = Viewer(membership_id=0, person_id=0, enterprise_id=None)


@click.group("search")
def search_commands() -> None:
    """The search index and how well it finds."""


def _print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE), nl=False)


class _Rate(ProgressColumn):
    """How many of them a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error; yields a function that is told what is done."""
    columns = (*Progress.get_default_columns(), _Rate())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task(title, total=total)

        def show(done: int, of: int | None = None) -> None:
            progress.update(line, completed=done, total=of if of is not None else total)

        yield show


@search_commands.command("rebuild")
@click.option("--full-speed", is_flag=True, help="Leave no room for searches meanwhile.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def rebuild_command(*, full_speed: bool, as_json: bool) -> None:
    """Build the index anew beside the live one, and swap."""
    with _bar("重建索引", None) as show:
        try:
            done = rebuild_now(get_engine(), gently=not full_speed, progress=show)
        except WorkerStopped as error:
            click.echo(str(error), err=True)
            sys.exit(_FAILED)
    value = {**asdict(done), "seconds": round(done.seconds, 3)}
    value["rate"] = round(done.products / done.seconds, 1) if done.seconds else 0.0
    if as_json:
        _print_json(value)
    else:
        _print_pairs(value)


@search_commands.command("query")
@click.argument("text")
@click.option("--as", "login", default="", help="Search as this login sees the mall.")
@click.option("--size", default=10, type=click.IntRange(1, MAX_LIMIT), help="Items shown.")
@click.option("--explain", "explained", is_flag=True, help="Say how it was understood, as JSON.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def query_command(text: str, login: str, size: int, *, explained: bool, as_json: bool) -> None:
    """What TEXT finds: of all goods, or of those that a login may see."""
    with read_only():
        viewer = viewer_of(_actor_of(login)) if login else _ALL_GOODS
        if explained:
            _print_json(explain(viewer, SearchRequest(text)))
            return
        try:
            result = search(viewer=viewer, request=SearchRequest(text, limit=size))
        except Problem as problem:
            click.echo(problem.detail, err=True)
            sys.exit(_FAILED)
    value: dict[str, Any] = SearchOut().dump(result)
    value["took_ms"] = round(value["took_ms"], 3)
    if as_json:
        _print_json(value)
        return
    table = Table("商品", "价格", "商家", title=f"{value['total']} 件，{value['took_ms']} 毫秒")
    for item in value["items"]:
        price = f"{item['price_minor'] // 100}.{item['price_minor'] % 100:02d}"
        table.add_row(item["title"], price, "、".join(m["name"] for m in item["merchants"]))
    Console().print(table)


def _actor_of(login: str) -> Actor:
    actor = actor_of_login(login)
    if actor is None:
        raise click.BadParameter(f"no login {login!r}", param_hint="--as")
    return actor


@search_commands.command("evaluate")
@click.argument("labels", type=_FILE)
@click.option("--filler", default=0, type=click.IntRange(0, 5_000_000), help="Filler titles.")
@click.option("--titles", "titles_file", type=_FILE, help=_TITLES_HELP)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def evaluate_command(labels: Path, filler: int, titles_file: Path | None, *, as_json: bool) -> None:
    """Measure relevance on labelled queries: on the live index, or on a scratch index."""
    if filler and titles_file is None:
        raise click.UsageError("--filler needs --titles")
    known, real = _read_labels(labels, titles_file)
    value = _on_scratch(known, filler, real) if filler else _on_live(known)
    if as_json:
        _print_json(value)
    else:
        _print_sets(value)


def _read_labels(labels: Path, titles_file: Path | None) -> tuple[evaluation.Labels, list[str]]:
    try:
        known = evaluation.Labels.from_json(orjson.loads(labels.read_bytes()))
        return known, evaluation.read_titles(titles_file) if titles_file is not None else []
    except (orjson.JSONDecodeError, evaluation.BadLabels, ValueError) as error:
        click.echo(f"{labels}: {error}", err=True)
        sys.exit(_FAILED)


def _on_live(labels: evaluation.Labels) -> dict[str, Any]:
    def find(text: str) -> list[str]:
        with read_only():
            result = search(viewer=_ALL_GOODS, request=SearchRequest(text, limit=MAX_LIMIT))
        return [item.title for item in result.items]

    with _bar("查询", len(labels.queries)) as show:
        return {"sets": evaluation.measure(labels, find, progress=show), "filler_left_out": 0}


@contextmanager
def _scratch(
    labels: evaluation.Labels, filler: int, real: list[str]
) -> Iterator[tuple[EngineView, evaluation.Scratch]]:
    """A scratch index beside the live one, which is left alone; removed afterwards."""
    home = get_settings().data_dir
    home.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="evaluate-", dir=home) as folder,
        scratch_engine(Path(folder)) as engine,
    ):
        with _bar("建临时索引", filler) as show:
            scratch = evaluation.fill_scratch(
                engine, labels, filler=filler, real_titles=real, progress=show
            )
        yield engine.view(), scratch


def _on_scratch(labels: evaluation.Labels, filler: int, real: list[str]) -> dict[str, Any]:
    with _scratch(labels, filler, real) as (view, scratch):
        find = evaluation.scratch_finder(view, scratch, get_weights())
        with _bar("查询", len(labels.queries)) as show:
            sets = evaluation.measure(labels, find, progress=show)
    return {"sets": sets, "filler_left_out": scratch.left_out}


@search_commands.command("tune")
@click.argument("labels", type=_FILE)
@click.option("--filler", required=True, type=click.IntRange(1, 5_000_000), help="Filler titles.")
@click.option("--titles", "titles_file", required=True, type=_FILE, help=_TITLES_HELP)
@click.option("--folds", default=5, type=click.IntRange(2, 20), help="Folds to measure by.")
@click.option("--write", is_flag=True, help="Write the weights found into weights.json.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def tune_command(
    labels: Path, filler: int, titles_file: Path, folds: int, *, write: bool, as_json: bool
) -> None:
    """Find the weights of the second stage on labelled queries; measured on folds left out."""
    known, real = _read_labels(labels, titles_file)
    with _scratch(known, filler, real) as (view, scratch), _bar("查询", len(known.queries)) as show:
        examples = tuning.collect(view, known, scratch, get_weights(), progress=show)
    with _bar("调权重", folds + 1) as show:
        found = tuning.cross_validate(
            examples, get_weights().second_stage, folds=folds, progress=show
        )
    if write:
        write_second_stage(found.weights)
    value = asdict(found) | {"weights": dict(zip(FEATURES, found.weights, strict=True))}
    if as_json:
        _print_json(value)
    else:
        _print_pairs(value)


@search_commands.command("typos")
@click.argument("queries", type=_FILE)
@click.option("--count", default=600, type=click.IntRange(1, 100_000), help="Typos to make.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def typos_command(queries: Path, count: int, *, as_json: bool) -> None:
    """How many mistyped queries still find what the right ones find first, on the live index."""
    letters = letters_of(suggestion_file().lexicon())
    made = make_typos(evaluation.read_titles(queries), letters, count=count, seed=2026)

    def find(text: str) -> list[str]:
        with read_only():
            result = search(viewer=_ALL_GOODS, request=SearchRequest(text, limit=10))
        return [item.product_id for item in result.items]

    with _bar("查询", len(made)) as show:
        value = measure_typos(made, find, progress=show)
    if as_json:
        _print_json(value)
    else:
        _print_pairs({name: entry for name, entry in value.items() if name != "failed"})


@search_commands.command("replay")
@click.argument("queries", type=_FILE)
@click.option("--after", default=0, type=click.IntRange(0), help="Lines to leave out at first.")
@click.option("--limit", type=click.IntRange(1), help="Lines to take at most.")
@click.option(
    "--workers",
    default=2,
    type=click.IntRange(1, 32),
    show_default=True,
    help="Threads; with one a time is a search's own, with more they wait for each other.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def replay_command(
    queries: Path, after: int, limit: int | None, workers: int, *, as_json: bool
) -> None:
    """Search once for each line of QUERIES on the live index: times, no results, failures.

    Ctrl-C ends it and tells what was done; --after goes on.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # werkzeug's proxy
    # Lists of shoppers must not make room for lists that nobody turns the pages of.
    lists = ListsInProcess()

    def find(text: str) -> int:
        with app.app_context(), read_only():
            return search(viewer=_ALL_GOODS, request=SearchRequest(text), lists=lists).total

    # What a process does once, for its first search, is no part of a query's time.
    suggestion_file().lexicon()
    find("")
    with queries.open(encoding="utf-8", errors="replace", newline="\n") as file:
        left = max(sum(1 for _ in file) - after, 0)
        file.seek(0)
        wanted = islice(file, after, None if limit is None else after + limit)
        with _bar("查询", left if limit is None else min(left, limit)) as show:
            done = replay(wanted, find, workers=workers, progress=show)
    value = {**done.to_json(), "next_after": after + done.lines}
    if as_json:
        _print_json(value)
    else:
        shown = {name: _lines(found) for name, found in value.items() if isinstance(found, list)}
        _print_pairs(value | shown)
    if done.stopped:
        sys.exit(_FAILED)


def _lines(entries: list[Any]) -> str:
    return "\n".join(
        "  ".join(map(str, entry.values())) if isinstance(entry, dict) else entry
        for entry in entries
    )


def _print_pairs(value: Mapping[str, Any]) -> None:
    table = Table(show_header=False)
    for name, entry in value.items():
        table.add_row(name, str(entry))
    Console().print(table)


def _print_sets(value: Mapping[str, Any]) -> None:
    table = Table("set", "queries", "MRR@10", "95%", "nDCG@10", "recall@100", "p50 ms", "p99 ms")
    for name, entry in value["sets"].items():
        low, high = entry["mrr_at_10_interval"]
        table.add_row(
            name,
            str(entry["queries"]),
            f"{entry['mrr_at_10']:.3f}",
            f"{low:.3f}–{high:.3f}",
            f"{entry['ndcg_at_10']:.3f}",
            f"{entry['recall_at_100']:.3f}",
            f"{entry['p50_ms']:.1f}",
            f"{entry['p99_ms']:.1f}",
        )
    Console().print(table)
    if value["filler_left_out"]:
        Console().print(f"{value['filler_left_out']} filler titles left out")
