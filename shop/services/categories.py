"""The platform's category tree, and what each tax code is taxed at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from flask import g
from sqlalchemy import BindParameter, bindparam, insert, select

from kernel.db import db, run
from kernel.errors import Problem
from kernel.ids import public_id
from kernel.remembered import Remembered
from shop.models import Category, TaxRate

_FILE = Path(__file__).resolve().parent.parent / "categories.json"
# The general rates stand in the file; small-scale sellers pay one rate for all taxable goods.
_SMALL_SCALE_BP = 100
_FIRST_DAY = date(2019, 4, 1)  # when 13 / 9 / 6 % came into force


# Statements of the hot path are made once: building one costs more than running it.
_CATEGORIES = select(
    Category.id,
    Category.public_id,
    Category.key,
    Category.parent_id,
    Category.name,
    Category.name_en,
    Category.object,
    Category.tint,
    Category.tax_code,
    Category.unit,
    Category.no_reason_return,
).order_by(Category.parent_id, Category.position, Category.id)
_CODES: BindParameter[Any] = bindparam("the_codes", expanding=True)
_RATES = (
    select(TaxRate.tax_code, TaxRate.rate_bp, TaxRate.treatment)
    .where(
        TaxRate.tax_code.in_(_CODES),
        TaxRate.taxpayer == bindparam("the_taxpayer"),
        TaxRate.valid_from <= bindparam("the_day"),
    )
    .order_by(TaxRate.valid_from)
)


class NoTaxRate(Problem):
    code = "no_tax_rate"
    status = 422
    title = "商品缺少有效的税率"


class CategoryNode(NamedTuple):
    """A tuple, because every context makes all of them anew."""

    id: int
    public_id: str
    key: str
    parent_id: int | None
    name: str
    name_en: str
    object: str
    tint: str
    tax_code: str
    unit: str
    no_reason_return: bool


@dataclass(frozen=True)
class CategoryTree:
    """All categories (about a hundred rows); one tree for all of an application context."""

    nodes: tuple[CategoryNode, ...]

    @cached_property
    def by_id(self) -> Mapping[int, CategoryNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def by_public_id(self) -> Mapping[str, CategoryNode]:
        return {node.public_id: node for node in self.nodes}

    @cached_property
    def by_key(self) -> Mapping[str, CategoryNode]:
        return {node.key: node for node in self.nodes}

    def path(self, category_id: int) -> tuple[CategoryNode, ...]:
        """From the top down to the category itself."""
        found: list[CategoryNode] = []
        node: CategoryNode | None = self.by_id[category_id]
        while node is not None:
            found.append(node)
            node = self.by_id.get(node.parent_id) if node.parent_id else None
        return tuple(reversed(found))

    @cached_property
    def _ancestors(self) -> dict[int, frozenset[int]]:
        return {}

    def with_ancestors(self, category_id: int) -> frozenset[int]:
        """The category's id and those of all above it."""
        found = self._ancestors.get(category_id)
        if found is None:
            found = frozenset(step.id for step in self.path(category_id))
            self._ancestors[category_id] = found
        return found

    def children(self, parent_id: int | None) -> tuple[CategoryNode, ...]:
        return tuple(node for node in self.nodes if node.parent_id == parent_id)


_TREE = "tree"
_remembered: Remembered[str, CategoryTree] = Remembered(5.0, most=1)


def category_tree() -> CategoryTree:
    """The tree as it was some seconds ago at most; it changes when a new version is installed."""
    if "shop_categories" not in g:
        found = _remembered.find((_TREE,), lambda _: {_TREE: _read_tree()})
        g.shop_categories = found[_TREE]
    tree: CategoryTree = g.shop_categories
    return tree


def _read_tree() -> CategoryTree:
    return CategoryTree(tuple(map(CategoryNode._make, run(_CATEGORIES).all())))


def load_categories() -> int:
    """Write the tree and the tax rates of ``categories.json``; what is there stays as it is."""
    known = _read_tree().by_key
    content = orjson.loads(_FILE.read_bytes())
    added = 0
    for position, top in enumerate(content["categories"]):
        children = top.get("children", [])
        parent_id = (
            known[top["key"]].id if top["key"] in known else _add(top, children[0], None, position)
        )
        added += top["key"] not in known
        for place, leaf in enumerate(children):
            if leaf["key"] not in known:
                _add(leaf, leaf, (parent_id, top), place)
                added += 1
    _load_rates(content["categories"])
    _remembered.forget()
    # Not to be remembered before it is committed.
    g.shop_categories = _read_tree()
    return added


def _add(
    entry: Mapping[str, object],
    taxed: Mapping[str, object],
    parent: tuple[int, Mapping[str, object]] | None,
    position: int,
) -> int:
    category = Category(
        public_id=public_id("cat"),
        key=entry["key"],
        parent_id=parent[0] if parent else None,
        name=entry["name"],
        name_en=entry["name_en"],
        position=position,
        object=entry["object"],
        tint=entry.get("tint") or (parent[1]["tint"] if parent else "#F3EDE4"),
        tax_code=taxed["tax_code"],
        unit=taxed["unit"],
        no_reason_return=taxed["no_reason_return"],
    )
    db.session.add(category)
    db.session.flush()
    return category.id


def _load_rates(tops: Iterable[Mapping[str, object]]) -> None:
    known = set(db.session.scalars(select(TaxRate.tax_code)))
    rates: dict[str, int] = {}
    for top in tops:
        for leaf in top.get("children", []):  # type: ignore[attr-defined]  # JSON list
            rates.setdefault(leaf["tax_code"], leaf["tax_rate_bp"])
    rows = [
        {
            "tax_code": code,
            "taxpayer": taxpayer,
            "valid_from": _FIRST_DAY,
            "rate_bp": bp,
            "treatment": "taxable" if bp else "zero",
        }
        for code, general in rates.items()
        if code not in known
        for taxpayer, bp in (("general", general), ("small_scale", _SMALL_SCALE_BP))
    ]
    if rows:
        db.session.execute(insert(TaxRate), rows)


@dataclass(frozen=True, slots=True)
class Rate:
    rate_bp: int
    treatment: str


def tax_rates(*, codes: Iterable[str], taxpayer: str, on: date) -> dict[str, Rate]:
    """The rate of each code in force on a day. Raises :class:`NoTaxRate` where one has none."""
    wanted = set(codes)
    rows = run(_RATES, [{"the_codes": list(wanted), "the_taxpayer": taxpayer, "the_day": on}])
    found = {row.tax_code: Rate(row.rate_bp, row.treatment) for row in rows}
    missing = sorted(wanted - set(found))
    if missing:
        raise NoTaxRate(f"税收分类编码 {missing[0]} 没有有效税率")
    return found
