"""Runs groups of figures and tells them: as one JSON object, or as a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bench.catalogue import (
    Catalogue,
    Documents,
    import_figures,
    imported_catalogue,
    make_feed,
    memory_figure,
)
from app.bench.checkout import measure_checkout
from app.bench.engines import BareEngine
from app.bench.environment import describe
from app.bench.figures import Figure, Say
from app.bench.ledger import measure_ledger
from app.bench.parts import Parts, chosen_parts
from app.bench.searching import (
    freshness_figures,
    pick_different,
    pick_queries,
    rebuild_figures,
    search_figures,
)
from kernel.settings import get_settings

ALL = "all"
HEADS = ("figure", "ours", "floor", "ratio", "unit", "n")
_NUMBERS = {1, 2, 3, 5}


@dataclass(frozen=True)
class Options:
    """``seconds`` is how long each side of a comparison is measured; ``rows`` of a feed.

    ``searches``: of searches so many different queries are measured, whatever time they take.
    ``parts`` is the name of the only parts to measure on; None: all that there are.
    """

    rows: int
    seconds: float
    titles: Path | None = None
    queries: Path | None = None
    searches: int | None = None
    parts: str | None = None


@dataclass(frozen=True)
class _Run:
    """One catalogue under measure; ``reference`` is the engine whose bare query is the floor."""

    catalogue: Catalogue
    options: Options
    reference: BareEngine | None
    say: Say

    def searching(self) -> list[Figure]:
        return search_figures(
            self.catalogue,
            self.options.queries,
            reference=self.reference,
            seconds=self.options.seconds,
            searches=self.options.searches,
            say=self.say,
        )

    def rebuilding(self) -> list[Figure]:
        queries = pick_queries(self.options.queries)
        return rebuild_figures(self.catalogue, queries, seconds=self.options.seconds, say=self.say)

    def freshness(self) -> list[Figure]:
        return freshness_figures(self.catalogue, seconds=self.options.seconds, say=self.say)

    def importing(self) -> list[Figure]:
        return import_figures(self.catalogue, say=self.say)

    def memory(self) -> list[Figure]:
        return [memory_figure(self.catalogue)]


# Groups that need a catalogue share one import, in this order.
_ON_A_CATALOGUE: Mapping[str, Callable[[_Run], list[Figure]]] = {
    "import": _Run.importing,
    "memory": _Run.memory,
    "search": _Run.searching,
    "freshness": _Run.freshness,
    "rebuild": _Run.rebuilding,
}
# Of the one feed alone; all others are on products with offers of several merchants.
_OF_THE_FEED = ("import", "memory")
_ALONE: Mapping[str, Callable[[Parts, Options, Say], list[Figure]]] = {
    "ledger": lambda parts, options, say: measure_ledger(parts, seconds=options.seconds, say=say),
    "checkout": lambda parts, options, say: measure_checkout(
        parts, seconds=options.seconds, say=say
    ),
}
GROUPS = (ALL, *_ALONE, *_ON_A_CATALOGUE)


def measure(group: str, options: Options, *, say: Say) -> dict[str, Any]:
    """Measure one group, or all; returns the environment and the figures.

    Where the settings name servers, everything is measured on these and then on the embedded
    parts, so that both stand in one run.

    Raises:
        BenchFailed: there are not so many different queries, or a part answered wrongly.
    """
    if options.searches is not None and options.queries is not None:
        # That there are too few is said before the import.
        pick_different(options.queries, options.searches)
    settings = get_settings()
    chosen = [one for one in chosen_parts(settings) if options.parts in {None, one.suffix[1:]}]
    environment = {
        "parts": " and ".join(parts.suffix[1:] for parts in chosen),
        **describe(settings),
        "rows": options.rows,
        "seconds": options.seconds,
    }
    figures: list[Figure] = []
    for name, alone in _ALONE.items():
        if group in {ALL, name}:
            for parts in chosen:
                figures += alone(parts, options, say)
    # What an import takes of memory is among its figures already.
    wanted = [n for n in _ON_A_CATALOGUE if group == n or (group == ALL and n != "memory")]
    if wanted:
        figures += _on_catalogues(wanted, chosen, options, say)
    return {"environment": environment, "figures": [figure.to_json() for figure in figures]}


def _on_catalogues(
    wanted: Iterable[str], chosen: Iterable[Parts], options: Options, say: Say
) -> list[Figure]:
    """The same feed on each of the parts; the first one's bare engine is the floor of both."""
    figures: list[Figure] = []
    reference: BareEngine | None = None
    documents = Documents()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuman-feed-")))
        say(f"catalogue: a feed of {options.rows:,} rows")
        feed = make_feed(folder, options.rows, options.titles)
        for parts in chosen:
            catalogue = stack.enter_context(
                imported_catalogue(
                    parts, feed=feed, rows=options.rows, documents=documents, say=say
                )
            )
            run = _Run(catalogue, options, reference, say)
            others = False
            for name in wanted:
                if name not in _OF_THE_FEED and not others:
                    catalogue.add_other_seller(options.titles)
                    others = True
                figures += _ON_A_CATALOGUE[name](run)
            catalogue.stop_worker()
            reference = reference or catalogue.bare
    return figures


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
