"""Puts one gateway together as a Flask application of its own."""

from __future__ import annotations

from flask import Flask, jsonify
from sqlalchemy import text
from werkzeug.wrappers import Response

from checkout.gateways.sandbox import api, pages
from checkout.gateways.sandbox.config import GatewayConfig
from checkout.gateways.sandbox.faults import Faults
from checkout.gateways.sandbox.gateway import EXTENSION, Gateway, gateway_of
from checkout.gateways.sandbox.idempotency import KeysInUse
from checkout.gateways.sandbox.sender import Sender
from checkout.gateways.sandbox.store import Store

LARGEST_BODY = 64 * 1024


def create_gateway(config: GatewayConfig) -> Flask:
    """The application, with its file open. ``gateway_of(app).sender.start()`` starts the webhooks.

    A webhook secret is needed where a webhook is sent: an unsigned one would be refused anyway.
    """
    if config.webhook_url and not config.webhook_secrets:
        raise ValueError("a webhook_url needs at least one webhook secret")
    app = Flask("checkout.gateways.sandbox", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    store = Store(config.db_path)
    app.extensions[EXTENSION] = Gateway(
        config=config,
        store=store,
        sender=Sender(store, config),
        faults=Faults(allowed=config.faults_allowed),
        keys=KeysInUse(),
    )
    app.register_blueprint(api.blueprint)
    app.register_blueprint(pages.blueprint)

    @app.get("/healthz")
    def healthz() -> Response:
        with gateway_of(app).store.read() as connection:
            connection.execute(text("SELECT 1"))
        return jsonify({"status": "ok"})

    return app
