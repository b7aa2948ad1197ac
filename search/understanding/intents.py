"""Categories that a query names: 手机 asks for phones before it is a word in 手机壳."""

import re
from functools import lru_cache

from search.tokens import QueryTokens, normalise
from shop.services.categories import CategoryTree

_PARTS_OF_NAMES = re.compile(r"[/、与和&\s]+")


@lru_cache(maxsize=4_096)
def _parts(name: str) -> tuple[str, ...]:
    return tuple(_PARTS_OF_NAMES.split(normalise(name)))


def category_intent(query: QueryTokens, tree: CategoryTree) -> frozenset[int]:
    """The categories named by the end of the query, in Chinese the thing itself, or by one of its
    parts between spaces; with all below them."""
    words = ["".join(units) for units in query.segments]
    asked = {"".join(words[place:]) for place in range(len(words))} | set(query.text.split())
    named = {node.id for node in tree.nodes if not asked.isdisjoint(_parts(node.name))}
    if not named:
        return frozenset()
    return frozenset(
        node.id for node in tree.nodes if not named.isdisjoint(tree.with_ancestors(node.id))
    )
