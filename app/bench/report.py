"""Runs groups of figures and tells them: as one JSON object, or as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.catalogue import Catalogue, import_figures, imported_catalogue, memory_figure
from app.bench.checkout import measure_checkout
from app.bench.environment import describe
from app.bench.figures import Figure, Say
from app.bench.ledger import measure_ledger
from app.bench.searching import (
    freshness_figures,
    pick_queries,
    rebuild_figures,
    search_figures,
)

ALL = "all"
HEADS = ("figure", "ours", "floor", "ratio", "unit", "n")
_NUMBERS = {1, 2, 3, 5}


@dataclass(frozen=True)
class Options:
    """``seconds`` is how long each side of a comparison is measured; ``rows`` of a feed."""

    rows: int
    seconds: float
    titles: Path | None = None
    queries: Path | None = None


def _searching(catalogue: Catalogue, options: Options, say: Say) -> list[Figure]:
    queries = pick_queries(catalogue, options.queries)
    return search_figures(catalogue, queries, seconds=options.seconds, say=say)


def _rebuilding(catalogue: Catalogue, options: Options, say: Say) -> list[Figure]:
    queries = pick_queries(catalogue, options.queries)
    return rebuild_figures(catalogue, queries, seconds=options.seconds, say=say)


# Groups that need a catalogue share one import, in this order.
_ON_A_CATALOGUE: Mapping[str, Callable[[Catalogue, Options, Say], list[Figure]]] = {
    "import": lambda catalogue, _options, say: import_figures(catalogue, say=say),
    "memory": lambda catalogue, _options, _say: [memory_figure(catalogue)],
    "search": _searching,
    "freshness": lambda catalogue, options, say: freshness_figures(
        catalogue, seconds=options.seconds, say=say
    ),
    "rebuild": _rebuilding,
}
_ALONE: Mapping[str, Callable[[Options, Say], list[Figure]]] = {
    "ledger": lambda options, say: measure_ledger(seconds=options.seconds, say=say),
    "checkout": lambda options, say: measure_checkout(seconds=options.seconds, say=say),
}
GROUPS = (ALL, *_ALONE, *_ON_A_CATALOGUE)


def measure(group: str, options: Options, *, say: Say) -> dict[str, Any]:
    """Measure one group, or all; returns the environment and the figures."""
    environment = describe() | {"rows": options.rows, "seconds": options.seconds}
    figures: list[Figure] = []
    for name, alone in _ALONE.items():
        if group in {ALL, name}:
            figures += alone(options, say)
    # What an import takes of memory is among its figures already.
    wanted = [n for n in _ON_A_CATALOGUE if group == n or (group == ALL and n != "memory")]
    if wanted:
        with imported_catalogue(rows=options.rows, titles=options.titles, say=say) as catalogue:
            for name in wanted:
                figures += _ON_A_CATALOGUE[name](catalogue, options, say)
    return {"environment": environment, "figures": [figure.to_json() for figure in figures]}


def table(figures: Iterable[Mapping[str, Any]]) -> str:
    """Figures for people: a line each, numbers to the right, however narrow the terminal is."""
    rows = [HEADS, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(figure: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(figure["name"]),
        _readable(figure["ours"]),
        _readable(figure["floor"]),
        f"{figure['ratio']:.2f}",
        str(figure["unit"]),
        f"{figure['n']:,}",
    )


def _readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
