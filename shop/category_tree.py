"""The platform's categories: the file they are written in, and the names that merchants use.

``categories.json`` is the source; :func:`sync_categories` brings the tables in step with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

import orjson
from sqlalchemy import Table, insert, select, update

from kernel.db import db
from kernel.ids import public_id
from shop.models import Category, TaxRate

CATEGORY = cast("Table", Category.__table__)
TAX_RATE = cast("Table", TaxRate.__table__)

GENERAL, SMALL_SCALE = "general", "small_scale"
# The present rates of general taxpayers, and of small-scale ones with their reduction to 1 %,
# which ends with 2027. Sources: 财政部 税务总局 海关总署公告 2019 年第 39 号; 2023 年第 19 号.
GENERAL_SINCE = date(2019, 4, 1)
SMALL_SCALE_RATES = ((date(2023, 1, 1), 100), (date(2028, 1, 1), 300))

_SEPARATORS = re.compile(r"\s*[>›»/|\\→]\s*")


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """What an import needs to know of a category."""

    id: int
    key: str
    name: str
    tax_code: str
    unit: str


class CategoryNames:
    """Finds a leaf category by what a merchant calls it."""

    def __init__(self, by_key: Mapping[str, CategoryFacts]) -> None:
        tree = read_tree()
        self.fallback = by_key[tree["fallback"]]
        self._by_id = {facts.id: facts for facts in by_key.values()}
        self._names: dict[str, CategoryFacts] = {}
        leaves = [entry for entry in _entries(tree) if "children" not in entry]
        # A category's own name goes before any alias, whichever stands first in the file.
        for entry in leaves:
            self._names.setdefault(_folded(entry["name"]), by_key[entry["key"]])
        for entry in leaves:
            for alias in entry["aliases"]:
                self._names.setdefault(_folded(alias), by_key[entry["key"]])

    def by_id(self, category_id: int) -> CategoryFacts | None:
        return self._by_id.get(category_id)

    def find(self, text: str) -> CategoryFacts | None:
        """By the whole text, else by the last step of a path such as ``居家 > 被枕``."""
        found = self._names.get(_folded(text))
        if found is not None:
            return found
        last = _SEPARATORS.split(text.strip())[-1]
        return self._names.get(_folded(last)) if last else None


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    return _SEPARATORS.sub(">", plain)


@lru_cache(maxsize=1)
def read_tree() -> dict[str, Any]:
    """``categories.json`` as it is written."""
    data = files("shop").joinpath("categories.json").read_bytes()
    return cast("dict[str, Any]", orjson.loads(data))


def _entries(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for top in tree["categories"]:
        yield top
        yield from top["children"]


def load_category_names() -> CategoryNames:
    """From the tables, so that only categories that exist are found."""
    rows = db.session.execute(
        select(CATEGORY.c.id, CATEGORY.c.key, CATEGORY.c.name, CATEGORY.c.tax_code, CATEGORY.c.unit)
    )
    return CategoryNames({row.key: CategoryFacts(*row) for row in rows})


def load_tax_codes() -> frozenset[str]:
    """Every code that has a rate; a row with another could never be invoiced."""
    return frozenset(db.session.scalars(select(TAX_RATE.c.tax_code).distinct()))


def sync_categories() -> int:
    """Bring the category and tax rate tables in step with the file. Returns the number of
    categories. The caller commits; running it again changes nothing.
    """
    tree = read_tree()
    known = dict(db.session.execute(select(CATEGORY.c.key, CATEGORY.c.id)).tuples().all())
    for position, top in enumerate(tree["categories"]):
        # A whole branch is taxed line by line; the first leaf's code only fills the column.
        first = top["children"][0]
        parent_id = _sync_one({**first, **top}, position, None, known)
        for below, leaf in enumerate(top["children"]):
            _sync_one({**leaf, "tint": top["tint"]}, below, parent_id, known)
    _sync_rates(tree)
    return len(known)


def _sync_one(
    entry: Mapping[str, Any], position: int, parent_id: int | None, known: dict[str, int]
) -> int:
    values = {
        name: entry[name]
        for name in ("name", "name_en", "object", "tint", "tax_code", "unit", "no_reason_return")
    } | {"position": position, "parent_id": parent_id}
    key = str(entry["key"])
    if key in known:
        db.session.execute(update(CATEGORY).where(CATEGORY.c.id == known[key]).values(values))
        return known[key]
    db.session.execute(
        insert(CATEGORY).values(values | {"key": key, "public_id": public_id("cat")})
    )
    known[key] = db.session.scalars(select(CATEGORY.c.id).where(CATEGORY.c.key == key)).one()
    return known[key]


def _sync_rates(tree: Mapping[str, Any]) -> None:
    wanted: dict[tuple[str, str, date], int] = {}
    for entry in _entries(tree):
        if "tax_code" in entry:
            code = entry["tax_code"]
            wanted[code, GENERAL, GENERAL_SINCE] = entry["tax_rate_bp"]
            for since, rate_bp in SMALL_SCALE_RATES:
                wanted[code, SMALL_SCALE, since] = rate_bp
    columns = (TAX_RATE.c.tax_code, TAX_RATE.c.taxpayer, TAX_RATE.c.valid_from)
    there = set(db.session.execute(select(*columns)).tuples().all())
    rows = [
        {
            "tax_code": code,
            "taxpayer": taxpayer,
            "valid_from": since,
            "rate_bp": rate_bp,
            "treatment": "taxable",
        }
        for (code, taxpayer, since), rate_bp in wanted.items()
        if (code, taxpayer, since) not in there
    ]
    if rows:
        db.session.execute(insert(TAX_RATE), rows)
