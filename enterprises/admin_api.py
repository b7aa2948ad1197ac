"""Enterprises as operators choose them."""

from __future__ import annotations

from typing import Any

from enterprises.schemas import EnterprisesIn, EnterprisesOut
from enterprises.services.companies import list_enterprises
from kernel import cursors
from kernel.web import api_blueprint

blueprint = api_blueprint("enterprises_operator", __name__, prefix="/admin")


@blueprint.route("/enterprises")
@blueprint.arguments(EnterprisesIn, location="query")
@blueprint.response(200, EnterprisesOut)
def find_enterprises(query: dict[str, Any]) -> dict[str, Any]:
    """Enterprises by a part of the name, newest first."""
    before = cursors.unpack(query["cursor"])
    if before is not None and type(before) is not int:
        raise cursors.BadCursor
    found = list_enterprises(name=query["q"], before=before, limit=query["limit"] + 1)
    page = found[: query["limit"]]
    return {
        "items": [{"id": each.public_id, "name": each.name} for each in page],
        "next_cursor": cursors.pack(page[-1].id) if len(found) > len(page) else None,
    }
