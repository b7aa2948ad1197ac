"""The enterprise console's overview."""

from __future__ import annotations

from typing import Any

from insights.enterprise import overview
from kernel.web import api_blueprint, current_actor

blueprint = api_blueprint("enterprise_insights", __name__)


@blueprint.route("/enterprise/overview")
@blueprint.response(200)
def enterprise_overview() -> dict[str, Any]:
    """Budgets, credit and what is owed, as of now."""
    return overview(enterprise_id=current_actor().tenant_id)
