"""Which goods a rule lets through: an enterprise's programme, or what a pot may pay.

Domain rule 30: categories, brands, merchants and named assortments, in or out; out beats in; an
empty in-list means all. The same rule compiles to an engine filter in the search room, so both
must say the same of every product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DIMENSIONS = ("categories", "brands", "merchants", "assortments")

_OUT_REASONS = {
    "categories": "这类商品不在范围内",
    "brands": "这个品牌不在范围内",
    "merchants": "这家商户不在范围内",
    "assortments": "这件商品被排除",
}
_NOT_IN_REASONS = {
    "categories": "不在指定的商品类目内",
    "brands": "不在指定的品牌内",
    "merchants": "不在指定的商户内",
    "assortments": "不在指定的商品清单内",
}


@dataclass(frozen=True, slots=True)
class GoodsFacts:
    """What a rule looks at. Internal ids; ``categories`` are the leaf and all above it."""

    product_id: int
    categories: frozenset[int]
    brands: frozenset[int]
    merchants: frozenset[int]
    assortments: frozenset[int] = frozenset()


Ids = Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class GoodsRule:
    """``include`` and ``exclude`` hold internal ids by dimension (:data:`DIMENSIONS`).

    Goods pass when no excluded id is theirs and every dimension with an in-list has one of theirs.
    """

    include: Ids = field(default_factory=dict)
    exclude: Ids = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> GoodsRule:
        """From ``{"include": {"categories": [1, 2]}, "exclude": {…}}``; None lets all through."""
        value = value or {}
        return cls(*(_read(value.get(side) or {}) for side in ("include", "exclude")))

    def to_json(self) -> dict[str, dict[str, list[int]]]:
        return {
            "include": {name: sorted(ids) for name, ids in self.include.items() if ids},
            "exclude": {name: sorted(ids) for name, ids in self.exclude.items() if ids},
        }

    def speaks_of(self, dimension: str) -> bool:
        """Whether a fact of this dimension makes any difference."""
        return bool(self.include.get(dimension) or self.exclude.get(dimension))

    def refusal(self, facts: GoodsFacts) -> str | None:
        """Why the goods do not pass, in words; None where they do."""
        for name in DIMENSIONS:
            if self.exclude.get(name, frozenset()) & getattr(facts, name):
                return _OUT_REASONS[name]
        for name in DIMENSIONS:
            wanted = self.include.get(name)
            if wanted and not wanted & getattr(facts, name):
                return _NOT_IN_REASONS[name]
        return None

    def allows(self, facts: GoodsFacts) -> bool:
        return self.refusal(facts) is None


def _read(side: Mapping[str, Any]) -> dict[str, frozenset[int]]:
    unknown = set(side) - set(DIMENSIONS)
    if unknown:
        raise ValueError(f"a rule has no dimension {sorted(unknown)}")
    return {name: frozenset(int(i) for i in ids) for name, ids in side.items() if ids}
