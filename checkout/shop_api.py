"""Product page and cart: shop's data with what this person may see and pay with."""

from __future__ import annotations

from typing import Any

from checkout.answers import CartOut, ProductOut
from checkout.schemas import CartItemIn
from checkout.services.quotes import check_for_sale
from enterprises.services.eligibility import Viewer, viewer_of
from kernel.db import write_transaction
from kernel.errors import NotFound
from kernel.web import api_blueprint, current_actor
from shop.services import cart
from shop.services.cart import CartLine
from shop.services.catalogue import OfferView, find_offers, product_page

blueprint = api_blueprint("shopping", __name__)


def _pots(viewer: Viewer, offer: OfferView) -> list[dict[str, Any]]:
    return [
        {"pot_id": a.pot_id, "name": a.name, "eligible": a.eligible, "reason": a.reason}
        for a in viewer.pot_answers(offer.facts)
    ]


def _offer(viewer: Viewer, offer: OfferView) -> dict[str, Any]:
    return {
        "offer_id": offer.public_id,
        "merchant": {"id": offer.merchant_public_id, "name": offer.merchant_name},
        "price_minor": offer.price_minor,
        "list_price_minor": offer.list_price_minor,
        "available": max(offer.available, 0),
        "pots": _pots(viewer, offer),
    }


@blueprint.route("/products/<product_id>")
@blueprint.response(200, ProductOut)
def show_product(product_id: str) -> dict[str, Any]:
    """A product, its SKUs, and each merchant's offer with the pots that may pay it."""
    viewer = viewer_of(current_actor())
    page = product_page(product_id)
    skus = [
        {"sku_id": sku_id, "name": name, "image": image, "offers": visible}
        for sku_id, name, image, offers in page.skus
        if (visible := [_offer(viewer, offer) for offer in offers if viewer.sees(offer.facts)])
    ]
    if not skus:
        raise NotFound("这件商品不存在或已下架")
    leaf = page.category_path[-1]
    return {
        "product_id": page.public_id,
        "title": page.title,
        "subtitle": page.subtitle,
        "description": page.description,
        "brand": {"id": page.brand[0], "name": page.brand[1]} if page.brand else None,
        "category": {
            "id": leaf.public_id,
            "name": leaf.name,
            "tint": leaf.tint,
            "path": [{"id": node.public_id, "name": node.name} for node in page.category_path],
        },
        "images": list(dict.fromkeys([page.image, *(sku["image"] for sku in skus)])),
        "sold": page.sold_count,
        "attributes": page.attributes,
        "no_reason_return": page.no_reason_return,
        "skus": skus,
    }


def _problem(viewer: Viewer, line: CartLine) -> dict[str, str] | None:
    offer = line.offer
    if not offer.for_sale or not viewer.sees(offer.facts):
        return {"code": "unknown_offer", "detail": "已下架，不能购买"}
    if offer.available <= 0:
        return {"code": "out_of_stock", "detail": "暂时缺货"}
    if offer.available < line.quantity:
        return {"code": "out_of_stock", "detail": f"只剩 {offer.available} 件"}
    return None


def _cart() -> dict[str, Any]:
    actor = current_actor()
    viewer = viewer_of(actor)
    lines = cart.list_cart(membership_id=actor.membership_id)
    groups: dict[str, dict[str, Any]] = {}
    total = 0
    for line in lines:
        offer, problem = line.offer, _problem(viewer, line)
        group = groups.setdefault(
            offer.merchant_public_id,
            {
                "merchant": {"id": offer.merchant_public_id, "name": offer.merchant_name},
                "freight_minor": offer.freight_minor,
                "free_from_minor": offer.free_from_minor,
                "items": [],
            },
        )
        if line.chosen and problem is None:
            total += offer.price_minor * line.quantity
        group["items"].append(
            {
                "offer_id": offer.public_id,
                "product_id": offer.product_id,
                "title": offer.title,
                "sku_name": offer.sku_name,
                "image": offer.image,
                "price_minor": offer.price_minor,
                "quantity": line.quantity,
                "available": max(offer.available, 0),
                "chosen": line.chosen,
                "problem": problem,
                "pots": _pots(viewer, offer),
            }
        )
    return {
        "groups": list(groups.values()),
        "count": sum(line.quantity for line in lines),
        "chosen_total_minor": total,
    }


@blueprint.route("/cart")
@blueprint.response(200, CartOut)
def show_cart() -> dict[str, Any]:
    """The cart, by merchant."""
    return _cart()


@blueprint.route("/cart/items/<offer_id>", methods=["PUT"])
@blueprint.arguments(CartItemIn)
@blueprint.response(200, CartOut)
def put_item(data: dict[str, Any], offer_id: str) -> dict[str, Any]:
    """Set an offer's quantity, and whether it is chosen for the next order."""
    actor = current_actor()
    viewer = viewer_of(actor)
    with write_transaction():
        offer = find_offers([offer_id]).get(offer_id)
        if offer is not None:
            check_for_sale(viewer, offer)
        cart.put_in_cart(
            membership_id=actor.membership_id,
            offer_id=offer_id,
            quantity=data["quantity"],
            chosen=data["chosen"],
        )
    return _cart()


@blueprint.route("/cart/items/<offer_id>", methods=["DELETE"])
@blueprint.response(200, CartOut)
def delete_item(offer_id: str) -> dict[str, Any]:
    """Take an offer out of the cart."""
    with write_transaction():
        cart.take_out_of_cart(membership_id=current_actor().membership_id, offer_id=offer_id)
    return _cart()
