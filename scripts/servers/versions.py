"""Which servers, in which versions: the compose file names the same (a test reads both)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One server: how its version must begin, its image, and its port above the base."""

    version: str
    image: str
    port_offset: int


PARTS = {
    "mariadb": Part("10.11", "mariadb:10.11", 6),
    "redis": Part("7.0", "redis:7.0", 7),
    "rabbitmq": Part("3.10", "rabbitmq:3.10", 8),
    "elasticsearch": Part("8.19.8", "docker.elastic.co/elasticsearch/elasticsearch:8.19.8", 9),
    "stripe-mock": Part("0.203.0", "stripe/stripe-mock:v0.203.0", 5),
}

PORT_BASE = 18500
EPMD_PORT_OFFSET = 10
RABBIT_PEER_PORT_OFFSET = 11
ELASTIC_PEER_PORT_OFFSET = 12
