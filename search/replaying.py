"""Many real queries, each once through the whole search: times, no results, failures."""

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from search.evaluate import percentile

_SLOWEST = 10
_EXAMPLES = 20
_LOOK_SECONDS = 0.2


@dataclass
class Replay:
    """What came of the queries so far. Times in ms are of queries that were answered.

    ``lines`` counts all that were taken, blank ones too: so many need not be taken again.
    """

    lines: int = 0
    errors: int = 0
    zero_results: int = 0
    stopped: bool = False
    times: list[float] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    zero_examples: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def count(self, text: str, total: int, ms: float) -> None:
        """A query found so many goods in so many ms."""
        self.times.append(ms)
        if total == 0:
            self.zero_results += 1
            if len(self.zero_examples) < _EXAMPLES:
                self.zero_examples.append(text)
        heapq.heappush(self.slowest, (ms, text))
        if len(self.slowest) > _SLOWEST:
            heapq.heappop(self.slowest)

    def count_error(self, text: str, error: Exception) -> None:
        """A query failed; of the first ones it is kept why."""
        self.errors += 1
        if len(self.failed) < _EXAMPLES:
            self.failed.append((text, f"{type(error).__name__}: {error}"))

    def to_json(self) -> dict[str, Any]:
        """As ``mall search replay`` prints it; the share is of the queries that were answered."""
        answered = len(self.times)
        return {
            "queries": answered + self.errors,
            "errors": self.errors,
            "zero_results": self.zero_results,
            "zero_share": round(self.zero_results / answered, 4) if answered else 0.0,
            "p50_ms": round(percentile(self.times, 50), 3),
            "p99_ms": round(percentile(self.times, 99), 3),
            "slowest": [
                {"query": text, "ms": round(ms, 3)} for ms, text in sorted(self.slowest)[::-1]
            ],
            "zero_examples": self.zero_examples,
            "failed": [{"query": text, "error": error} for text, error in self.failed],
        }


def replay(
    lines: Iterable[str],
    find: Callable[[str], int],
    *,
    workers: int,
    progress: Callable[[int], None],
) -> Replay:
    """Search for each line by ``workers`` threads; ``find`` gives how many goods a text finds.

    A query that fails is counted. After Ctrl-C no further line is taken, and what was begun is
    finished, so that the count of lines says where to go on.
    """
    done, lock, waiting = Replay(), threading.Lock(), iter(lines)

    def take() -> str | None:
        with lock:
            line = None if done.stopped else next(waiting, None)
            done.lines += line is not None
            return line

    def work() -> None:
        while (line := take()) is not None:
            text = line.strip()
            if not text:
                continue
            started = time.perf_counter()
            try:
                total = find(text)
            except Exception as error:  # noqa: BLE001 -- the others are still to be asked
                with lock:
                    done.count_error(text, error)
            else:
                ms = (time.perf_counter() - started) * 1_000
                with lock:
                    done.count(text, total, ms)

    with ThreadPoolExecutor(workers, thread_name_prefix="replay") as pool:
        working = [pool.submit(work) for _ in range(workers)]
        while True:
            try:
                _wait_for(working, lambda: progress(done.lines))
            except KeyboardInterrupt:
                done.stopped = True
            else:
                return done


def _wait_for(working: Sequence[Future[None]], look: Callable[[], None]) -> None:
    while wait(working, _LOOK_SECONDS).not_done:
        look()
    look()
    for each in working:
        each.result()
