"""Writing products to an Elasticsearch index: bounded requests, retried items, whole groups.

External versions decide between writers that race. A product is one document for most, but a
group where several merchants sell it, and Elasticsearch knows no groups; so:

- a writer that finds one document of its group newer takes back what it wrote of that group;
- a writer that replaced a group deletes the next rank at its own version. That deletion also
  turns away an older writer that comes later;
- either goes on with the next rank for as long as there was something to delete, since the
  other one stops where it finds a gap.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import orjson
from elasticsearch import ApiError

from search.engines.base import (
    EngineUnavailable,
    ProductChange,
    RefusedDocuments,
    WriteReport,
    newest_changes,
)
from search.engines.elasticsearch_mapping import FIRST, Action, group_actions, listing_id
from search.engines.elasticsearch_server import (
    ElasticsearchServer,
    EngineOverloaded,
    is_passing,
)

# Two requests for a batch of a rebuild, one for each of its threads.
MAX_ACTIONS = 1_250
MAX_BYTES = 4_000_000
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_TRIES = 9
_CONFLICT = 409
_GONE = 404


class NoSuchAlias(LookupError):
    """The name that was written to stands for no index (any more)."""


class _Line(NamedTuple):
    """An action ready to be sent, and whose it is."""

    product_id: int
    rank: int
    payload: tuple[bytes, ...]
    size: int


@dataclass
class _Outcome:
    """What became of the actions of one write."""

    written: set[tuple[int, int]] = field(default_factory=set)
    replaced: set[int] = field(default_factory=set)
    conflicting: set[int] = field(default_factory=set)
    deleted: set[tuple[int, int]] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


class BulkWriter:
    """Writes whole products to the index behind an alias."""

    def __init__(
        self, server: ElasticsearchServer, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._server = server
        self._sleep = sleep

    def write(
        self, alias: str, changes: Sequence[ProductChange], *, threads: int = 1
    ) -> WriteReport:
        """Write the newest of each product, unless a newer one is held; nothing is refreshed.

        Raises:
            NoSuchAlias: the alias stands for no index.
            RefusedDocuments: some do not fit the mapping; all others were written.
            EngineUnavailable: the server is away, or stayed overloaded.
        """
        newest = newest_changes(changes)
        outcome = _Outcome()
        lines = (
            _line(product_id, rank, action)
            for product_id, change in newest.items()
            for rank, action in enumerate(group_actions(change))
        )
        self._send_all(alias, lines, outcome, threads)
        self._remove_leftovers(alias, newest, outcome)
        if outcome.refused:
            raise RefusedDocuments(sorted(outcome.refused), next(iter(outcome.refused.values())))
        stale = len(outcome.conflicting)
        return WriteReport(written=len(newest) - stale, stale=stale)

    def _remove_leftovers(
        self, alias: str, newest: dict[int, ProductChange], outcome: _Outcome
    ) -> None:
        """What a stale writer wrote, and what a group had beyond its new end.

        A deletion that removed something goes on with the next rank, whoever's it is: all that is
        older than a stale version is stale, too, and who finds a rank empty stops there.
        """
        wanted = {key for key in outcome.written if key[0] in outcome.conflicting} | {
            (product_id, max(len(newest[product_id].listings), 1))
            for product_id in outcome.replaced - outcome.conflicting
        }
        while wanted:
            removed = _Outcome()
            lines = [
                _deletion(product_id, rank, newest[product_id].version)
                for product_id, rank in sorted(wanted)
            ]
            self._send_all(alias, lines, removed, threads=1)
            wanted = {(product_id, rank + 1) for product_id, rank in removed.deleted} - wanted

    def _send_all(
        self, alias: str, lines: Iterator[_Line] | Sequence[_Line], outcome: _Outcome, threads: int
    ) -> None:
        requests = _requests(iter(lines))
        if threads == 1:
            for request in requests:
                self._send(alias, request, outcome)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="bulk") as pool:
            for _ in pool.map(lambda request: self._send(alias, request, outcome), requests):
                pass

    def _send(self, alias: str, lines: Sequence[_Line], outcome: _Outcome) -> None:
        """Send one request, and what was turned away for lack of room again and again."""
        pause = _FIRST_PAUSE
        for _ in range(_TRIES):
            lines = self._send_once(alias, lines, outcome)
            if not lines:
                return
            self._sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise EngineUnavailable("the search server stayed overloaded", retry_after=_LONGEST_PAUSE)

    def _send_once(self, alias: str, lines: Sequence[_Line], outcome: _Outcome) -> Sequence[_Line]:
        """Returns the lines that were turned away."""
        operations = list(chain.from_iterable(line.payload for line in lines))
        try:
            answer = self._server.call(
                lambda: self._server.writing.bulk(
                    index=alias,
                    operations=operations,  # type: ignore[arg-type]  # lines made ready are taken as they are
                    require_alias=True,
                    filter_path="items.*.status,items.*.result,items.*.error.type,items.*.error.reason",
                )
            )
        except EngineOverloaded:
            return lines
        except ApiError as error:
            if error.status_code == _GONE:
                raise NoSuchAlias(alias) from error
            raise
        turned_away = []
        for line, item in zip(lines, answer["items"], strict=True):
            [(kind, result)] = item.items()
            if not _note(line, kind, result, outcome, alias):
                turned_away.append(line)
        return turned_away


def _note(line: _Line, kind: str, result: dict[str, Any], outcome: _Outcome, alias: str) -> bool:
    """Remember what became of an action; ``False`` where it should be tried again."""
    status = result["status"]
    if status == _CONFLICT:
        outcome.conflicting.add(line.product_id)
    elif kind == "delete" and status in {200, _GONE} and "error" not in result:
        if result["result"] == "deleted":
            outcome.deleted.add((line.product_id, line.rank))
    elif status == _GONE:
        raise NoSuchAlias(alias)
    elif is_passing(status):
        return False
    elif "error" in result:
        outcome.refused[line.product_id] = result["error"].get("reason", "")
    else:
        outcome.written.add((line.product_id, line.rank))
        if line.rank == FIRST and result["result"] == "updated":
            outcome.replaced.add(line.product_id)
    return True


def _line(product_id: int, rank: int, action: Action) -> _Line:
    header = {"_id": action.id, "version": action.version, "version_type": "external_gte"}
    payload = (orjson.dumps({"index": header}), orjson.dumps(action.source))
    return _Line(product_id, rank, payload, len(payload[1]))


def _deletion(product_id: int, rank: int, version: int) -> _Line:
    header = {
        "_id": listing_id(product_id, rank),
        "version": version,
        "version_type": "external_gte",
    }
    return _Line(product_id, rank, (orjson.dumps({"delete": header}),), 0)


def _requests(lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    """Lines in requests of bounded number and size."""
    request: list[_Line] = []
    size = 0
    for line in lines:
        request.append(line)
        size += line.size
        if len(request) >= MAX_ACTIONS or size >= MAX_BYTES:
            yield request
            request, size = [], 0
    if request:
        yield request
