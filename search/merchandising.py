"""What operators' rules make of a result list: pinned, buried and boosted products.

Three promises. Nothing hidden appears: a pin shows only where the programme, the pot and the
chosen facets let the product through. No product comes twice. And the total is the number of
products over all pages: a pinned product that the words do not find belongs to the match set of
this query like those they find, so that it is counted in the total and in every facet; rules of
a category only order what is in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from search import queries
from search.engines.base import AllOf, AnyOf, AnyValue, EngineQuery, EngineResult, NumberField
from search.kept_lists import KeptList
from search.matching import TextPlan
from search.requests import ResolvedSearch
from search.weights import get_weights


class Action(StrEnum):
    """What a rule does with a product."""

    PIN = "pin"
    BURY = "bury"
    BOOST = "boost"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The rules of one list, by product.

    ``pins`` say the place, from 1; ``boosts`` the percent of its rank by which a product moves
    up, from 1 to 99. A product stands in one of the three at most. ``query`` is the query of the
    list, empty for that of a category.
    """

    pins: Mapping[int, int] = field(default_factory=dict)
    boosts: Mapping[int, int] = field(default_factory=dict)
    buried: frozenset[int] = frozenset()
    query: str = ""

    def __bool__(self) -> bool:
        return bool(self.pins or self.boosts or self.buried)


def arrange(
    product_ids: Sequence[int], arrangement: Arrangement, *, may_show: Collection[int]
) -> list[int]:
    """The list as the rules want it.

    First the boosts: a product at rank 40 that is boosted by 75 percent goes to rank 10, before
    the one that was there. Then the buried go to the end, in their order. Last the pins among
    ``may_show`` take their places, in the order of these; where the list is shorter, its end,
    and where two want one place, the later rule's product comes next. Each product of the list
    and each shown pin is in the answer exactly once.
    """
    pinned = [product for product in arrangement.pins if product in may_show]
    pinned.sort(key=lambda product: arrangement.pins[product])
    taken = set(pinned)
    others = [product for product in dict.fromkeys(product_ids) if product not in taken]
    if arrangement.boosts:
        others = _boosted(others, arrangement.boosts)
    front = [product for product in others if product not in arrangement.buried]
    front += [product for product in others if product in arrangement.buried]
    if not pinned:
        return front
    arranged: list[int] = []
    used = 0
    for product in pinned:
        more = arrangement.pins[product] - 1 - len(arranged)
        if more > 0:
            arranged += front[used : used + more]
            used = min(used + more, len(front))
        arranged.append(product)
    return arranged + front[used:]


def _boosted(product_ids: Sequence[int], boosts: Mapping[int, int]) -> list[int]:
    """Sorted by the rank times what the boost leaves of it; at a tie the boosted one is first."""

    def key(entry: tuple[int, int]) -> tuple[int, bool]:
        rank, product = entry
        return rank * (100 - boosts.get(product, 0)), product not in boosts

    return [product for _, product in sorted(enumerate(product_ids, start=1), key=key)]


# --- on the engine -------------------------------------------------------------------------


def arrange_found(
    found: ResolvedSearch, plan: TextPlan, kept: KeptList, arrangement: Arrangement
) -> KeptList:
    """The relevance list of words, arranged.

    With pins one more query asks for the match set and the pins together: it gives the total,
    the facets and, with the places of the second stage before it, the whole list. Without pins
    only a list of which the head alone was ranked is asked for again, since what is buried must
    not come before the rest.
    """
    is_whole = len(kept.product_ids) == kept.total
    if is_whole and not arrangement.pins:
        return replace(kept, product_ids=arrange(kept.product_ids, arrangement, may_show=()))
    answer = found.view.search(_whole_query(found, plan, tuple(sorted(arrangement.pins))))
    ids = list(dict.fromkeys((*kept.product_ids, *(hit.product_id for hit in answer.hits))))
    if arrangement.pins:
        kept = KeptList(ids, answer.total, dict(answer.facets))
    shown = _shown_pins(found, ids, kept.total, arrangement)
    arranged = arrange(ids, arrangement, may_show=shown)
    return replace(kept, product_ids=arranged[: queries.LIST_END])


def arrange_category(
    found: ResolvedSearch, answer: EngineResult, arrangement: Arrangement
) -> KeptList:
    """The list of a category, arranged; pins move only what is in it.

    ``answer`` is its head, which is also all that is kept of it (``queries.LIST_END``).
    """
    ids = [hit.product_id for hit in answer.hits]
    shown = _shown_pins(found, ids, answer.total, arrangement)
    arranged = arrange(ids, arrangement, may_show=shown)
    return KeptList(arranged[: queries.LIST_END], answer.total, dict(answer.facets))


def _whole_query(found: ResolvedSearch, plan: TextPlan, pins: tuple[int, ...]) -> EngineQuery:
    query = found.query
    assert query is not None
    where = found.where()
    tokens = plan.tokens(query)
    whole = queries.rest_query(tokens, plan, where=where, weights=get_weights())
    if not pins:
        return whole
    text = AnyOf((found.text_clause(plan), AnyValue(NumberField.PRODUCT, pins)))
    return replace(
        whole,
        where=AllOf((where, text)),
        count=True,
        facets=found.facets(plan, text),
    )


def _shown_pins(
    found: ResolvedSearch, product_ids: Sequence[int], total: int, arrangement: Arrangement
) -> frozenset[int]:
    """The pins that this viewer may see among what was chosen."""
    pins = frozenset(arrangement.pins)
    shown = pins.intersection(product_ids)
    unsure = pins - shown
    if not unsure or total <= len(product_ids):
        return shown
    where = AllOf((found.where(), AnyValue(NumberField.PRODUCT, tuple(sorted(unsure)))))
    answer = found.view.search(EngineQuery(where=where, limit=len(unsure), count=False))
    return shown | {hit.product_id for hit in answer.hits}
