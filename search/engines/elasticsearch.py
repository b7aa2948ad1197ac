"""The engine on a server: Elasticsearch behind two aliases, any number of readers and writers.

Every search is one request to the live alias, so that it is of one state of one generation,
whatever is swapped meanwhile. External versions decide between writers (see
``elasticsearch_bulk``), so every process may write.
"""

import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from search.engines.base import (
    Candidate,
    Clause,
    EngineQuery,
    EngineResult,
    EngineUnavailable,
    Everything,
    Hit,
    ProductChange,
    RebuildState,
    RefusedDocuments,
    TermStatistics,
    TokenField,
    WriteReport,
)
from search.engines.conjunctions import flatten
from search.engines.elasticsearch_bulk import BulkWriter, NoSuchAlias
from search.engines.elasticsearch_generations import (
    ElasticsearchGenerations,
    HeldState,
    Indexes,
    is_missing,
)
from search.engines.elasticsearch_queries import (
    Body,
    compile_search,
    living,
    read_result,
)
from search.engines.elasticsearch_server import ElasticsearchServer
from search.engines.shown import read_shown
from search.engines.term_cache import TermCache

# What an answer holds beyond this is never looked at, and takes longer to read than to find.
_WANTED = "hits.total.value,hits.hits._score,hits.hits.sort,hits.hits.fields,aggregations"
_WANTED_OF_EACH = ",".join(f"responses.{part}" for part in _WANTED.split(","))
# No answer of a part of the index.
_WHOLE: Body = {"allow_partial_search_results": False}
_NOTHING_FOUND: Body = {"hits": {"total": {"value": 0}, "hits": []}}
_FULL_SPEED_THREADS = 2
# A search that met the old generation has ended by then.
_GRACE_SECONDS = 0.3
_WARMING = ("category", "brand", "merchant")


class ElasticsearchView:
    """The live alias. Nothing is kept between requests, so nothing can be out of date."""

    def __init__(
        self, server: ElasticsearchServer, generations: ElasticsearchGenerations, terms: TermCache
    ) -> None:
        self._server = server
        self._generations = generations
        self._terms = terms

    @property
    def generation(self) -> str:
        """The index that the alias stands for now."""
        return self._generations.find().live

    @property
    def size(self) -> int:
        """Number of listings."""
        return self.count(Everything())

    @property
    def client(self) -> Elasticsearch:
        """The plain client, for measuring what it takes without this adapter."""
        return self._server.reading

    @property
    def alias(self) -> str:
        """The name that every search goes to."""
        return self._generations.live_alias

    def search(self, query: EngineQuery) -> EngineResult:
        """Hits in order, the exact total and the facet counts of one query."""
        compiled = compile_search(query)
        answer = self._ask(lambda: self._search(compiled.body))
        return _nothing(query) if answer is None else read_result(query, compiled, answer)

    def searches(self, queries: Sequence[EngineQuery]) -> list[EngineResult]:
        """Several searches in one request, which the server may answer beside one another."""
        compiled = [compile_search(query) for query in queries]
        answers = self._search_all([each.body for each in compiled], _WANTED_OF_EACH)
        if answers is None:
            return [_nothing(query) for query in queries]
        return [
            read_result(query, each, answer)
            for query, each, answer in zip(queries, compiled, answers, strict=True)
        ]

    def _search_all(self, bodies: Sequence[Body], wanted: str) -> list[Body] | None:
        """The answer to each; nothing without an index."""
        if not bodies:
            return []
        answer = self._ask(
            lambda: self._server.reading.msearch(
                index=self._generations.live_alias,
                searches=[part for body in bodies for part in (_WHOLE, body)],
                filter_path=f"{wanted},responses.error,responses.status",
            )
        )
        if answer is None:
            return None
        for each in answer["responses"]:
            if each["status"] == HTTPStatus.NOT_FOUND:
                return None
            if "error" in each:
                raise EngineUnavailable(str(each["error"]))
        return list(answer["responses"])

    def _search(self, body: Body) -> Any:
        return self._server.reading.search(
            index=self._generations.live_alias,
            body=body,
            filter_path=_WANTED,
            allow_partial_search_results=False,
        ).body

    def count(self, where: Clause) -> int:
        """The exact number of listings that match."""
        answer = self._ask(
            lambda: self._server.reading.count(
                index=self._generations.live_alias, query=living(flatten(where))
            )
        )
        return 0 if answer is None else int(answer["count"])

    def counts(self, filters: Sequence[Clause], *, up_to: int = 1) -> list[int]:
        """Of each filter, how many listings match it, at most ``up_to``; one request."""
        queries = ({"bool": {"filter": living(flatten(each))}} for each in filters)
        answers = self._search_all(
            [{"query": query, "size": 0, "terminate_after": up_to} for query in queries],
            "responses.hits.total.value",
        )
        if answers is None:
            return [0] * len(filters)
        return [min(int(each["hits"]["total"]["value"]), up_to) for each in answers]

    def statistics(self, tokens: Mapping[TokenField, Sequence[str]]) -> TermStatistics:
        """How rare the tokens are; what was asked some minutes ago is remembered."""
        return self._terms.find(tokens, self._read_statistics)

    def _read_statistics(self, tokens: Mapping[TokenField, Sequence[str]]) -> TermStatistics:
        document = {field.value: " ".join(values) for field, values in tokens.items()}
        answer = self._ask(
            lambda: self._server.reading.termvectors(
                index=self._generations.live_alias,
                doc=document,
                term_statistics=True,
                field_statistics=True,
                positions=False,
                offsets=False,
                payloads=False,
            )
        )
        found = {} if answer is None else answer["term_vectors"]
        listings = max(
            (each["field_statistics"]["doc_count"] for each in found.values()), default=0
        )
        return TermStatistics(
            listings=max(listings, 0),
            frequencies={
                field: {token: _frequency(found, field, token) for token in values}
                for field, values in tokens.items()
            },
        )

    def candidates(self, hits: Sequence[Hit]) -> list[Candidate]:
        """Texts and numbers of hits, which came with them.

        Raises:
            ValueError: they are of a query that did not ask for texts.
        """
        if any(hit.address is None for hit in hits):
            raise ValueError("these hits came without texts")
        return [read_shown(b64decode(str(hit.address))) for hit in hits]

    def _ask(self, ask: Callable[[], Any]) -> Any:
        """An answer, or ``None`` where there is no index yet.

        A search that met a generation the moment it was removed is asked once more.
        """
        for _ in range(2):
            try:
                return self._server.call(ask, again=True)
            except NotFoundError as error:
                if not is_missing(error):
                    raise
        return None


def _nothing(query: EngineQuery) -> EngineResult:
    return EngineResult((), 0, {facet.name: () for facet in query.facets})


def _frequency(found: Mapping[str, Any], field: TokenField, token: str) -> int:
    terms = found.get(field.value, {}).get("terms", {})
    return int(terms.get(token, {}).get("doc_freq", 0))


class ElasticsearchEngine:
    """A ``SearchEngine`` on a server, in a namespace of its own."""

    def __init__(self, url: str, namespace: str) -> None:
        self._server = ElasticsearchServer(url)
        self._generations = ElasticsearchGenerations(self._server, namespace)
        self._bulk = BulkWriter(self._server)
        self._terms = TermCache()
        self._view = ElasticsearchView(self._server, self._generations, self._terms)
        self._rebuilding = threading.Lock()
        self._held: HeldState | None = None

    # --- reading ---------------------------------------------------------------------------

    def view(self) -> ElasticsearchView:
        """The live alias; free of charge."""
        return self._view

    def state(self) -> str:
        """Generation and number of the last operation."""
        return self._generations.history()

    # --- writing ---------------------------------------------------------------------------

    def may_write(self) -> bool:
        """Every process may."""
        return True

    def write(self, changes: Iterable[ProductChange]) -> WriteReport:
        """Write to the generation being built, if any, and to the live one; visible on return.

        In this order: where the built one is swapped in between, the alias that is written to
        then is its own, and nothing is lost. Whether one is being built is asked every time;
        a rebuild that begins after that reads the database after it, too.
        """
        known = list(changes)
        indexes = self._generations.find()
        if indexes.building:
            # Swapped or abandoned a moment ago; or refused, as the live one will say too.
            with suppress(NoSuchAlias, RefusedDocuments):
                self._bulk.write(self._generations.building_alias, known)
        if not indexes.live:
            self._generations.found()
        try:
            report = self._bulk.write(self._generations.live_alias, known)
        except RefusedDocuments:
            self._refresh()  # the rest was written
            raise
        self._refresh()  # also where all was stale: what was taken back must not be seen
        return report

    def _refresh(self) -> None:
        self._server.call(
            lambda: self._server.writing.indices.refresh(index=self._generations.live_alias)
        )
        self._terms.clear()

    def begin_rebuild(self, *, fingerprint: str) -> RebuildState:
        """Start a generation beside the live one, or continue one with the same fingerprint."""
        with self._rebuilding:
            held = self._generations.read_state()
            if held is None or held.state.fingerprint != fingerprint:
                self._drop_building()
                generation = self._generations.create_building()
                held = self._generations.start_state(RebuildState(generation, fingerprint, 0, 0))
            self._held = held
            return held.state

    def write_rebuild(
        self, changes: Sequence[ProductChange], *, last_id: int, gently: bool = True
    ) -> WriteReport:
        """Write a batch to the generation being built and remember how far it came."""
        with self._rebuilding:
            held = self._held or self._generations.read_state()
            if held is None:
                raise LookupError("no rebuild is under way")
            try:
                report = self._bulk.write(
                    self._generations.building_alias,
                    changes,
                    threads=1 if gently else _FULL_SPEED_THREADS,
                )
            except NoSuchAlias as error:
                self._held = None
                raise LookupError("the rebuild was ended by another process") from error
            state = replace(
                held.state, last_id=last_id, written=held.state.written + report.written
            )
            self._held = None
            self._held = self._generations.move_state(held, state)
            return report

    def rebuild_state(self) -> RebuildState | None:
        """How far the rebuild under way has come."""
        held = self._generations.read_state()
        return None if held is None else held.state

    def swap(self) -> str:
        """Publish the built generation, and remove the one before it a moment later."""
        with self._rebuilding:
            held = self._generations.read_state()
            if held is None:
                raise LookupError("no rebuild is under way")
            built = held.state.generation
            self._generations.make_ready(built)
            self._warm()
            before = self._generations.find().live
            self._generations.publish(before, built)
            self._generations.forget_state()
            self._held = None
            self._terms.clear()
            time.sleep(_GRACE_SECONDS)
            indexes = self._generations.find()
            # By now the next rebuild may have begun.
            self._remove_all_but(indexes, indexes.live, indexes.building)
            return built

    def _warm(self) -> None:
        """What the first searches would wait for: columns and their dictionaries."""
        aggregations = {name: {"terms": {"field": name, "size": 1}} for name in _WARMING}
        self._server.call(
            lambda: self._server.writing.search(
                index=self._generations.building_alias, size=1, aggs=aggregations
            )
        )

    def abandon_rebuild(self) -> None:
        """Throw the generation being built away."""
        with self._rebuilding:
            self._drop_building()

    def _drop_building(self) -> None:
        self._held = None
        self._generations.forget_state()
        indexes = self._generations.find()
        self._remove_all_but(indexes, indexes.live)

    def _remove_all_but(self, indexes: Indexes, *kept: str) -> None:
        found = (*indexes.names, *indexes.older)
        self._generations.remove(*(name for name in found if name not in kept))

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()
