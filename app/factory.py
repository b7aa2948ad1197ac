"""Builds the application: database, policy, blueprints, listeners, pages."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api
from sqlalchemy import inspect, select
from werkzeug.middleware.proxy_fix import ProxyFix

from app.demo.logins import DEMO_LOGINS
from app.events import wire_events
from app.limits import init_limits
from app.logging import configure_logging
from app.pages import init_pages
from app.policy import POLICY
from app.rooms import BLUEPRINTS
from app.tables import __all__ as _tables
from kernel.auth.models import Person
from kernel.db import db, init_db
from kernel.settings import Environment, get_settings
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
    if settings.trusted_proxies:
        believed = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way
            app.wsgi_app, x_for=believed, x_proto=believed, x_host=believed
        )
    init_db(app, settings)
    api = Api(app)
    init_web(app, POLICY)
    init_limits(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    init_pages(app)
    wire_events()
    if settings.env is Environment.PRODUCTION:
        with app.app_context():
            _refuse_demo_accounts()
    return app


class DemoAccounts(RuntimeError):
    """Production was pointed at a database that somebody made as a demo."""


def _refuse_demo_accounts() -> None:
    if not inspect(db.engines["read"]).has_table(Person.__tablename__):
        return  # not migrated yet, so nobody is in it
    found = db.session.scalar(
        select(Person.login).where(Person.login.in_([entry.login for entry in DEMO_LOGINS]))
    )
    db.session.rollback()
    if found:
        raise DemoAccounts(f"production does not start on a database with the demo login {found}")
