"""Builds the application: database, policy, blueprints, listeners, pages."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api

from app.events import wire_events
from app.logging import configure_logging
from app.pages import init_pages
from app.policy import POLICY
from app.rooms import BLUEPRINTS
from app.tables import __all__ as _tables
from kernel.db import init_db
from kernel.settings import get_settings
from kernel.web import API, init_web

__all__ = ["_tables", "create_app"]


def create_app() -> Flask:
    """The whole product as one Flask application, configured by :func:`get_settings`."""
    settings = get_settings()
    configure_logging(settings)
    app = Flask("app", static_folder=None)
    app.config.update(
        API_TITLE="Fuman",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=API,
        OPENAPI_JSON_PATH="openapi.json",
        PROPAGATE_EXCEPTIONS=False,
    )
    init_db(app, settings)
    api = Api(app)
    init_web(app, POLICY)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    init_pages(app)
    wire_events()
    return app
