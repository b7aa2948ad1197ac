"""Takes away all that a mall keeps on shared servers under its namespace (tests, measuring)."""

from __future__ import annotations

from kombu import Connection
from redis import Redis

from kernel.settings import Settings
from kernel.tasks import LANES
from search.engines.elasticsearch_generations import forget_indexes

_SECONDS = 30


def forget_namespace(settings: Settings) -> None:
    """Delete indexes, keys and queues. The database is its owner's to drop."""
    if settings.search_url.startswith("http"):
        forget_indexes(settings.search_url, settings.namespace)
    if settings.redis_url:
        _forget_keys(settings)
    if settings.broker_url:
        _forget_queues(settings)


def _forget_keys(settings: Settings) -> None:
    with Redis.from_url(settings.redis_url, socket_timeout=_SECONDS) as client:
        keys = list(client.scan_iter(match=f"{settings.namespace}:*", count=1_000))
        if keys:
            client.delete(*keys)


def _forget_queues(settings: Settings) -> None:
    name = settings.namespace
    with Connection(settings.broker_url, connect_timeout=_SECONDS) as link:
        channel = link.default_channel
        for lane in LANES:
            for queue in (f"{name}.{lane}", f"{name}.{lane}.dead"):
                channel.queue_delete(queue)
        for exchange in (name, f"{name}.dead"):
            channel.exchange_delete(exchange)
