"""The parts of one running gateway, and where a request finds them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, request

from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.faults import Faults
from checkout.gateways.sandbox.idempotency import KeysInUse
from checkout.gateways.sandbox.sender import Sender
from checkout.gateways.sandbox.store import Store

EXTENSION = "sandbox_gateway"


@dataclass(slots=True)
class Gateway:
    config: GatewayConfig
    store: Store
    sender: Sender
    faults: Faults
    keys: KeysInUse


def gateway_of(app: Flask) -> Gateway:
    gateway = app.extensions[EXTENSION]
    if not isinstance(gateway, Gateway):
        raise TypeError("not a gateway application")
    return gateway


def public_base() -> str:
    """The base URL under which a browser reaches this gateway, without a slash at the end.

    Behind the shop's web process that is its origin and the prefix it has cut off, which it tells
    in ``X-Forwarded-Prefix``; ``public_url`` overrides both.
    """
    configured = gateway_of(current_app).config.public_url
    if configured:
        return configured.rstrip("/")
    prefix = request.headers.get("X-Forwarded-Prefix", "").strip("/")
    origin = own_origin()
    return f"{origin}/{prefix}" if prefix else origin


def own_origin() -> str:
    """Scheme and host as the browser named them."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    host = request.headers.get("X-Forwarded-Host", request.host)
    return f"{scheme}://{host}"
