"""The wallet as its owner sees it: pots by what they may pay, points, and the statement."""

from __future__ import annotations

from typing import Any

from enterprises.schemas import StatementIn, StatementOut, WalletOut
from enterprises.services.companies import find_billing_entity
from enterprises.services.eligibility import ViewerPot, viewer_of
from kernel import clock, cursors
from kernel.clock import rfc3339
from kernel.money import POINTS_PER_YUAN
from kernel.web import api_blueprint, current_actor
from points.services.pots import point_lots
from points.services.statement import statement
from shop.services.categories import category_tree

blueprint = api_blueprint("wallet", __name__)


def _pot(entry: ViewerPot) -> dict[str, Any]:
    tree = category_tree().by_id
    entity = find_billing_entity(entity_id=entry.pot.billing_entity_id)
    return {
        "id": entry.pot.public_id,
        "name": entry.pot.name,
        "available_minor": entry.available_minor,
        "held_minor": sum(lot.held for lot in entry.lots),
        "expires": [
            {
                "lot_id": lot.public_id,
                "source": lot.source,
                "amount_minor": lot.available,
                "granted_minor": lot.granted,
                "at": rfc3339(lot.expires_at),
            }
            for lot in entry.lots
            if lot.available
        ],
        "eligible": {
            "text": entry.pot.rule_text,
            "categories": [
                {"id": tree[i].public_id, "name": tree[i].name}
                for i in sorted(entry.rule.include.get("categories", ()))
                if i in tree
            ],
        },
        "billing_entity": {"id": entity.public_id, "name": entity.name},
        "after_expiry": entry.pot.on_expiry,
    }


@blueprint.route("/wallet")
@blueprint.response(200, WalletOut)
def wallet() -> dict[str, Any]:
    """Pots of this membership and points of this person."""
    actor = current_actor()
    points = point_lots(person_id=actor.person_id, at=clock.now())
    return {
        "pots": [_pot(entry) for entry in viewer_of(actor).pots],
        "points": {
            "available": sum(lot.available for lot in points),
            "held": sum(lot.held for lot in points),
            "per_yuan": POINTS_PER_YUAN,
            "expires": [
                {"amount": lot.available, "at": rfc3339(lot.expires_at)}
                for lot in points
                if lot.available
            ],
        },
    }


def _is_position(value: Any) -> bool:
    """Another list's cursor carries our signature too."""
    return isinstance(value, list) and len(value) == 2 and all(type(n) is int for n in value)


@blueprint.route("/wallet/statement")
@blueprint.arguments(StatementIn, location="query")
@blueprint.response(200, StatementOut)
def wallet_statement(query: dict[str, Any]) -> dict[str, Any]:
    """What came to and left the wallet, newest first."""
    actor = current_actor()
    position = cursors.unpack(query["cursor"])
    if position is not None and not _is_position(position):
        raise cursors.BadCursor
    rows = statement(
        membership_id=actor.membership_id,
        person_id=actor.person_id,
        pot_id=query["pot"],
        before=(position[0], position[1]) if position else None,
        limit=query["limit"] + 1,
    )
    page = rows[: query["limit"]]
    more = len(rows) > len(page)
    return {
        "items": [
            {
                "at": rfc3339(row.at),
                "kind": row.kind,
                "asset": row.asset,
                "amount_minor": row.amount_minor,
                "pot_id": row.pot_id,
                "pot_name": row.pot_name,
                "lot_id": row.lot_id,
                "order_id": row.order_id,
                "title": row.title,
            }
            for row in page
        ],
        "next_cursor": cursors.pack(page[-1].position) if more else None,
    }
