"""What is not the API: health, documents, built pages, pictures, and the way to the gateway."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

import orjson
import requests
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    jsonify,
    render_template,
    request,
    send_from_directory,
)
from werkzeug.routing import PathConverter

from app.demo.logins import DEMO_LOGINS
from app.health import overall, readiness
from kernel.errors import PROBLEMS, NotFound, ServiceUnavailable
from kernel.settings import Environment, GatewayKind, get_settings
from kernel.web import API

pages = Blueprint("pages", __name__, template_folder="templates")

_DIST = Path(__file__).resolve().parent.parent / "frontend" / "dist"
_YEAR = 31_536_000
_CONSOLES = ("seller", "enterprise", "bank", "operator")
# Only our own scripts run; the component libraries set styles on elements.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)
_HOP_HEADERS = frozenset(
    {
        "connection",
        "keep-alive",
        "transfer-encoding",
        "content-encoding",
        "content-length",
        "host",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-authenticate",
        "cookie",
    }
)
_gateway = requests.Session()
_gateway.trust_env = False


@pages.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


@pages.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Each part. 503 without the database; without another one the mall goes on, degraded."""
    parts = readiness()
    status = overall(parts)
    return jsonify(status=status, parts=parts), 503 if status == "not ready" else 200


@pages.get("/api/docs")
def api_docs() -> str:
    """The API for people: every call, and every error code there is."""
    problems = sorted(PROBLEMS.values(), key=lambda kind: (kind.status, kind.code))
    return render_template("api_docs.html", problems=problems, api=API)


@pages.get(f"{API}/demo")
def demo_logins() -> Response:
    """The demo world's logins; 404 anywhere else."""
    if get_settings().env is not Environment.DEMO:
        raise NotFound
    logins = [{"login": entry.login, "title": entry.title} for entry in DEMO_LOGINS]
    return jsonify(logins=logins, password=get_settings().demo_password)


@pages.get("/media/<path:name>")
def media(name: str) -> Response:
    """Product pictures. Names carry a hash of their content, so they may be kept for long."""
    return send_from_directory(get_settings().media_dir, name, max_age=_YEAR)


@pages.route("/gateway/<path:path>", methods=["GET", "POST", "DELETE"])
def gateway_proxy(path: str) -> Response:
    """Pass through to the sandbox gateway, a process of its own (Domain rule 29)."""
    settings = get_settings()
    if settings.gateway is not GatewayKind.SANDBOX:
        raise NotFound
    headers = {k: v for k, v in request.headers if k.lower() not in _HOP_HEADERS}
    headers["X-Forwarded-Prefix"] = "/gateway"
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Proto"] = request.scheme
    try:
        answer = _gateway.request(
            request.method,
            f"{settings.gateway_url}/{path}",
            params=request.query_string,
            data=request.get_data(),
            headers=headers,
            timeout=(2, 30),
            allow_redirects=False,
        )
    except requests.RequestException:
        raise ServiceUnavailable("银行卡网关暂时不可用", retry_after=2) from None
    kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in _HOP_HEADERS]
    return Response(answer.content, status=answer.status_code, headers=kept)


def _built(folder: str, name: str) -> Response:
    """A built file: compressed where the build left a copy and the browser takes it; kept for
    long where its name carries a hash."""
    age = _YEAR if name.startswith("assets/") else 0
    zipped = f"{name}.gz"
    if not request.accept_encodings.quality("gzip") or not (_DIST / folder / zipped).is_file():
        return send_from_directory(_DIST / folder, name, max_age=age)
    kind = mimetypes.guess_type(name)[0]
    response = send_from_directory(_DIST / folder, zipped, mimetype=kind, max_age=age)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _page(folder: str) -> Response:
    index = _DIST / folder / "index.html"
    if not index.is_file():
        raise NotFound("页面还没有构建：运行 make up")
    response = send_from_directory(_DIST / folder, "index.html", max_age=0)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@pages.get("/console-assets/<path:name>")
def console_asset(name: str) -> Response:
    return _built("console", name)


def console(**_rest: str) -> Response:
    """One application serves the four consoles; its router reads the path."""
    return _page("console")


class PagePath(PathConverter):
    """Any path but the API's and the gateway's: there routing itself says 404, or 405 and Allow."""

    regex = r"(?!api/|gateway/)[^/].*?"


@pages.get("/", defaults={"path": ""})
@pages.get("/<page:path>")
def mall(path: str) -> Response:
    """The mall: files as they are, every other path is the application's own."""
    if path and (_DIST / "mall" / path).is_file():
        return _built("mall", path)
    if path.startswith("assets/"):
        raise NotFound
    return _page("mall")


def init_pages(app: Flask) -> None:
    for name in _CONSOLES:
        pages_rule = {"endpoint": "pages.console", "view_func": console, "methods": ["GET"]}
        app.add_url_rule(f"/{name}", **pages_rule)  # type: ignore[arg-type]
        app.add_url_rule(f"/{name}/<path:rest>", **pages_rule)  # type: ignore[arg-type]
    app.url_map.converters["page"] = PagePath
    app.register_blueprint(pages)


def openapi() -> dict[str, Any]:
    """The API's own document, as the client types are made from."""
    answer = current_app.test_client().get(f"{API}/openapi.json")
    return dict(orjson.loads(answer.data))
