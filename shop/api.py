"""Categories, regions and the address book."""

from __future__ import annotations

from typing import Any

from kernel.db import write_transaction
from kernel.web import api_blueprint, current_actor
from shop.schemas import (
    AddressesOut,
    AddressIn,
    AddressOut,
    CategoriesOut,
    RegionsIn,
    RegionsOut,
)
from shop.services import addresses
from shop.services.categories import category_tree

blueprint = api_blueprint("shop", __name__)


@blueprint.route("/categories")
@blueprint.response(200, CategoriesOut)
def list_categories() -> dict[str, Any]:
    """The category tree, two levels."""
    tree = category_tree()
    items = []
    for top in tree.children(None):
        fields = {
            name: getattr(top, name) for name in ("public_id", "name", "name_en", "object", "tint")
        }
        items.append({**fields, "children": tree.children(top.id)})
    return {"items": items}


@blueprint.route("/regions")
@blueprint.arguments(RegionsIn, location="query")
@blueprint.response(200, RegionsOut)
def list_regions(query: dict[str, str]) -> dict[str, Any]:
    """Provinces, or the divisions below one."""
    return {"items": addresses.list_regions(parent=query["parent"])}


@blueprint.route("/addresses")
@blueprint.response(200, AddressesOut)
def list_addresses() -> dict[str, Any]:
    """One's own addresses, the default first."""
    return {"items": addresses.list_addresses(person_id=current_actor().person_id)}


@blueprint.route("/addresses", methods=["POST"])
@blueprint.arguments(AddressIn)
@blueprint.response(201, AddressOut)
def add_address(data: dict[str, Any]) -> addresses.AddressView:
    """Add an address."""
    with write_transaction():
        return addresses.add_address(
            person_id=current_actor().person_id, data=data, is_default=data["is_default"]
        )


@blueprint.route("/addresses/<address_id>", methods=["PUT"])
@blueprint.arguments(AddressIn)
@blueprint.response(200, AddressOut)
def change_address(data: dict[str, Any], address_id: str) -> addresses.AddressView:
    """Replace an address."""
    with write_transaction():
        return addresses.change_address(
            person_id=current_actor().person_id,
            address_id=address_id,
            data=data,
            is_default=data["is_default"],
        )


@blueprint.route("/addresses/<address_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_address(address_id: str) -> None:
    """Delete an address."""
    with write_transaction():
        addresses.delete_address(person_id=current_actor().person_id, address_id=address_id)
