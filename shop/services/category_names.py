"""Finds the platform's category by what a merchant calls it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

import orjson
from sqlalchemy import select

from kernel.db import db
from shop.models import TaxRate
from shop.services.categories import CategoryNode, category_tree

_SEPARATORS = re.compile(r"\s*[>›»/|\\→]\s*")


class CategoryNames:
    """Names and aliases of ``categories.json``, for the leaves that the database has."""

    def __init__(self) -> None:
        content = _content()
        tree = category_tree()
        self._by_id = tree.by_id
        self.fallback = tree.by_key[content["fallback"]]
        self._names: dict[str, CategoryNode] = {}
        leaves = [leaf for leaf in _leaves(content) if leaf["key"] in tree.by_key]
        # A category's own name goes before any alias, whichever stands first in the file.
        for leaf in leaves:
            self._names.setdefault(_folded(leaf["name"]), tree.by_key[leaf["key"]])
        for leaf in leaves:
            for alias in leaf["aliases"]:
                self._names.setdefault(_folded(alias), tree.by_key[leaf["key"]])

    def by_id(self, category_id: int) -> CategoryNode | None:
        return self._by_id.get(category_id)

    def find(self, text: str) -> CategoryNode | None:
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
def _content() -> dict[str, Any]:
    data = files("shop").joinpath("categories.json").read_bytes()
    return cast("dict[str, Any]", orjson.loads(data))


def _leaves(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for top in content["categories"]:
        yield from top.get("children", [])


def load_tax_codes() -> frozenset[str]:
    """Every code that has a rate; goods with another could never be invoiced."""
    return frozenset(db.session.scalars(select(TaxRate.tax_code).distinct()))
