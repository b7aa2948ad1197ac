"""Categories to go on with where a search found nothing, or only what is similar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from search.engines.base import AllOf, AnyValue, EngineQuery, NumberField, TermsFacet
from search.goods_filters import one_listing_each
from search.kept_lists import Counts
from search.matching import TextPlan
from search.requests import ResolvedSearch
from shop.services.categories import category_tree
from shop.services.category_names import CategoryNames

MOST = 6
# More than are shown, since some may hold nothing that may be seen.
_LOOKED_AT = 8
_ASKED = 500


@dataclass(frozen=True, slots=True)
class RelatedCategory:
    """A category by its outside id, and how many goods in it may be seen (and paid by the pot)."""

    id: str
    name: str
    count: int


def related_categories(
    found: ResolvedSearch, plan: TextPlan, counts: Counts
) -> tuple[RelatedCategory, ...]:
    """Those that words of the text name, then those that most of what was found is in.

    One question to the engine, which says how much each holds without the text and without what
    was chosen; a category that holds nothing is left out.
    """
    tree = category_tree()
    wanted = dict.fromkeys((*_named(found, plan), *_found_in(counts)))
    looked_at = [each for each in wanted if each not in (found.choice.categories or ())]
    looked_at = looked_at[:_LOOKED_AT]
    if not looked_at:
        return ()
    where = AllOf(
        (
            AnyValue(NumberField.CATEGORY, tuple(sorted(looked_at))),
            *found.scope.product_clauses(),
            one_listing_each(found.scope.merchants()),
        )
    )
    facet = TermsFacet("category", NumberField.CATEGORY, where, _ASKED)
    answer = found.view.search(EngineQuery(where=where, limit=0, count=False, facets=(facet,)))
    held = dict(answer.facets["category"])
    return tuple(
        RelatedCategory(tree.by_id[each].public_id, tree.by_id[each].name, held[each])
        for each in looked_at
        if held.get(each)
    )[:MOST]


def _named(found: ResolvedSearch, plan: TextPlan) -> Iterable[int]:
    """Categories that words of the text, or two neighbours of them, are names or aliases of."""
    if found.query is None:
        return ()
    words = ["".join(units) for units in plan.tokens(found.query).segments]
    names = CategoryNames()
    said = [*(left + right for left, right in pairwise(words)), *words]
    return [node.id for node in map(names.find, said) if node is not None]


def _found_in(counts: Counts) -> Sequence[int]:
    """The categories that goods stand in directly, the most found first."""
    tree = category_tree()
    inner = {node.parent_id for node in tree.nodes}
    ordered = sorted(counts.get("category", ()), key=lambda entry: (-entry[1], entry[0]))
    return [each for each, _ in ordered if each in tree.by_id and each not in inner]
