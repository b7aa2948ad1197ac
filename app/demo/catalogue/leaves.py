"""The platform's category tree as the demo world reads it, from `shop/categories.json`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Leaf:
    """A category that goods stand in; `tax_rate_bp` is in basis points (1300 = 13%)."""

    key: str
    name: str
    path: str
    object: str
    tint: str
    tax_code: str
    tax_rate_bp: int
    unit: str
    no_reason_return: bool
    aliases: tuple[str, ...]


@cache
def load_leaves() -> dict[str, Leaf]:
    """All leaf categories by key, in the order of the tree."""
    tree = json.loads(files("shop").joinpath("categories.json").read_text(encoding="utf-8"))
    return {leaf.key: leaf for top in tree["categories"] for leaf in _leaves_of(top)}


def _leaves_of(top: dict[str, object]) -> Iterator[Leaf]:
    children = top["children"]
    assert isinstance(children, list)
    for child in children:
        yield Leaf(
            key=child["key"],
            name=child["name"],
            path=f"{top['name']} > {child['name']}",
            object=child["object"],
            tint=str(top["tint"]),
            tax_code=child["tax_code"],
            tax_rate_bp=child["tax_rate_bp"],
            unit=child["unit"],
            no_reason_return=child["no_reason_return"],
            aliases=tuple(child["aliases"]),
        )
