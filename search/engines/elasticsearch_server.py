"""The Elasticsearch server as the engine calls it: pooled connections, time-outs, a breaker."""

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, Elasticsearch
from elasticsearch.serializer import OrjsonSerializer

from search.engines.base import EngineUnavailable
from search.engines.breaker import PAUSE_SECONDS, Breaker

READ_SECONDS = 3.0
WRITE_SECONDS = 60.0
_CONNECTIONS = 16
_OVERLOADED = 429
_FAILING = 500
_UNAVAILABLE = 503
T = TypeVar("T")


class EngineOverloaded(EngineUnavailable):
    """The server answers that it has no room for more just now."""


class ElasticsearchServer:
    """One client a process. A server that cannot answer is :class:`EngineUnavailable`."""

    def __init__(self, url: str, *, breaker: Breaker | None = None) -> None:
        self._url = url
        self._breaker = breaker or Breaker()
        self._lock = threading.Lock()
        self._clients: tuple[Elasticsearch, Elasticsearch] | None = None
        self._process = 0

    @property
    def reading(self) -> Elasticsearch:
        """The client for what a person waits for."""
        return self._connect()[0]

    @property
    def writing(self) -> Elasticsearch:
        """The same for what may take its time."""
        return self._connect()[1]

    def _connect(self) -> tuple[Elasticsearch, Elasticsearch]:
        """Connections are of one process: a fork makes its own."""
        clients = self._clients
        if clients is not None and self._process == os.getpid():
            return clients
        with self._lock:
            reading = Elasticsearch(
                self._url,
                serializer=OrjsonSerializer(),
                connections_per_node=_CONNECTIONS,
                # What may be tried again, and how long, is decided where the call is made.
                max_retries=0,
                request_timeout=READ_SECONDS,
            )
            self._clients = reading, reading.options(request_timeout=WRITE_SECONDS)
            self._process = os.getpid()
            return self._clients

    def call(self, ask: Callable[[], T], *, again: bool = False) -> T:
        """The answer of a request; with ``again``, one that failed at once is made twice.

        A connection may have been closed that moment, a shard been moved or removed.

        Raises:
            EngineOverloaded: it has no room for this request just now.
            EngineUnavailable: it is down, too slow or ailing, or was so just now.
            ApiError: it refused the request.
        """
        wait = self._breaker.wait_seconds()
        if wait:
            raise EngineUnavailable("the search server did not answer just now", retry_after=wait)
        try:
            answer = _twice(ask) if again else ask()
        except TransportError as error:
            self._breaker.failed()
            raise EngineUnavailable(str(error), retry_after=PAUSE_SECONDS) from error
        except ApiError as error:
            if error.status_code >= _FAILING:
                self._breaker.failed()
                raise EngineUnavailable(str(error), retry_after=PAUSE_SECONDS) from error
            self._breaker.succeeded()
            if error.status_code == _OVERLOADED:
                raise EngineOverloaded(str(error)) from error
            raise
        self._breaker.succeeded()
        return answer

    def close(self) -> None:
        """Let go of the client; the next call makes a new one.

        Its connections close when the last request on them has ended: another thread may be
        in the middle of one.
        """
        with self._lock:
            self._clients = None


def _twice(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ConnectionTimeout:
        raise
    except TransportError:
        return ask()
    except ApiError as error:
        if error.status_code != _UNAVAILABLE:
            raise
        return ask()


def is_passing(status: int) -> bool:
    """Whether the same request may succeed later: an overloaded or an ailing server."""
    return status == _OVERLOADED or status >= _FAILING


def error_kind(error: ApiError) -> str:
    """The server's own name of an error, such as ``index_not_found_exception``."""
    body: Any = error.body
    try:
        return str(body["error"]["type"])
    except (KeyError, TypeError):
        return ""
