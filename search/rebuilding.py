"""Command lines that need the index written: here, or by the worker when that holds it."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from kernel import outbox
from kernel.db import read_only, write_transaction
from kernel.worker import drain_lane
from search import documents, indexing, tasks
from search.engines.base import IndexBusy, RebuildState, SearchEngine, WriteReport

_POLL_SECONDS = 0.2
_LANE = "index"
# A worker takes news up within a fraction of this; after it we are alone.
_ALONE_SECONDS = 1.0
# A gentle rebuild rests for so many times as long as it worked.
_REST_AFTER_WORK = 1.5
Progress = Callable[[int, int], None]


class WorkerStopped(RuntimeError):
    """The worker holds the index and makes no progress."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild made."""

    generation: str
    products: int
    listings: int
    seconds: float
    by_worker: bool


def rebuild_now(
    engine: SearchEngine,
    *,
    anew: bool = False,
    gently: bool = False,
    progress: Progress | None = None,
    patience: float = 60.0,
) -> Rebuilt:
    """Rebuild and swap; returns when the new generation is the live one.

    An interrupted rebuild is continued, unless ``anew``: after a restored backup what was
    written before is of another database. ``gently`` leaves most of the machine to searches.
    ``progress`` is told products done and products in all. ``patience`` is how many seconds
    another process that rebuilds may take for one step.

    Raises:
        WorkerStopped: another process holds the index and did nothing for so long.
    """
    started = time.perf_counter()
    with read_only():
        total = documents.count_products()
    report = progress or _silent
    before = engine.view().generation
    by_worker = False
    try:
        if anew:
            engine.abandon_rebuild()
        state = indexing.begin_rebuild(engine)
        generation = _here(engine, state, total, report, gently=gently)
    except IndexBusy:
        by_worker = True
        with write_transaction():
            tasks.ask_for_rebuild()
        generation = _elsewhere(engine, before, total, report, patience)
    return Rebuilt(
        generation=generation,
        products=total,
        listings=engine.view().size,
        seconds=time.perf_counter() - started,
        by_worker=by_worker,
    )


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def _here(
    engine: SearchEngine, state: RebuildState, total: int, report: Progress, *, gently: bool
) -> str:
    """One batch is read and cut into tokens while the one before it is written."""
    done, last_id = 0, state.last_id
    written: Future[WriteReport] | None = None
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="rebuild") as pool:
            while True:
                began = time.monotonic()
                batch = indexing.read_batch(last_id)
                if written is not None:
                    written.result()
                    done = min(done + indexing.BATCH, total)
                    report(done, total)
                if batch is None:
                    return indexing.finish_rebuild(engine)
                written = pool.submit(indexing.write_batch, engine, batch, gently=gently)
                last_id = batch.last_id
                if gently:
                    wait([written])
                    time.sleep((time.monotonic() - began) * _REST_AFTER_WORK)
    finally:
        # Who rebuilt may live on, and the worker is the one that writes from now on.
        engine.close()


def _elsewhere(
    engine: SearchEngine, before: str, total: int, report: Progress, patience: float
) -> str:
    """Watch another process rebuild."""
    moved_at, seen = time.monotonic(), -1
    while engine.view().generation == before:
        state = engine.rebuild_state()
        written = state.written if state is not None else 0
        if written != seen:
            moved_at, seen = time.monotonic(), written
            report(min(written, total), total)
        if time.monotonic() - moved_at > patience:
            raise WorkerStopped(f"no other process rebuilt anything for {patience:.0f} seconds")
        time.sleep(_POLL_SECONDS)
    return engine.view().generation


def wait_until_searchable(engine: SearchEngine, *, patience: float = 60.0) -> None:
    """Return when all news for the index is written: by the worker, or here without one.

    Raises:
        WorkerStopped: the worker holds the index and wrote nothing for ``patience`` seconds.
    """
    moved_at, seen = time.monotonic(), -1
    while True:
        waiting = _waiting()
        if not waiting:
            return
        now = time.monotonic()
        if waiting != seen:
            moved_at, seen = now, waiting
        elif now - moved_at > patience:
            raise WorkerStopped(f"no news was written to the index for {patience:.0f} seconds")
        elif now - moved_at > _ALONE_SECONDS and engine.may_write():
            drain_lane(_LANE)
            engine.close()
            continue
        time.sleep(_POLL_SECONDS)


def _waiting() -> int:
    with read_only():
        return outbox.backlog().get(_LANE, {}).get(outbox.PENDING, 0)
