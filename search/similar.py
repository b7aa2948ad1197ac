"""The shelves of a product page: goods like this one, and what else was bought with it.

Both show what the viewer may see and can be bought now, through the code that shows a page of
results. Neither looks at who asks: two people of one enterprise see the same goods.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from enterprises.services.eligibility import Viewer
from kernel.errors import NotFound
from search import documents
from search.documents import Goods
from search.engines.base import (
    AllOf,
    AnyValue,
    Clause,
    EngineQuery,
    EngineUnavailable,
    NoneOf,
    NumberField,
    ScoredToken,
    TokenField,
)
from search.goods_filters import Choice
from search.kept_lists import kept_lists
from search.matching import MatchKind, TextPlan
from search.requests import ResolvedSearch, SearchRequest, resolve
from search.showing import Item, fitting, show
from search.tokens import QueryTokens, is_han, tokenise_query
from shop.services.categories import category_tree
from shop.services.companions import companions_of

# Nothing was typed, so nothing is marked in a title.
_NO_WORDS = TextPlan(MatchKind.ALL_WORDS)
log = structlog.get_logger(__name__)

# With fewer than this of its own category, a shelf is filled up to it from the category above:
# further away there is hardly anything alike.
_FEW = 5
# A word says what a thing is, two characters of it less; of Latin units the models and sizes.
_WORD, _LATIN, _PAIR = 1.0, 0.6, 0.4


@dataclass(frozen=True, slots=True)
class Shelf:
    """Goods in their order. ``degraded``: the index is away, so none could be looked for."""

    items: tuple[Item, ...]
    degraded: bool = False


def similar_goods(*, viewer: Viewer, product_id: str, limit: int) -> Shelf:
    """Goods of the product's category, those with the rarest words in common first.

    Raises:
        NotFound: there is no such product, or the viewer may not see it.
    """
    found = _on_a_shelf(viewer, limit)
    product = _product(found, product_id)
    try:
        ids = _alike(found, product)
    except EngineUnavailable as away:
        log.info("similar_goods_degraded", error=str(away))
        return Shelf((), degraded=True)
    return Shelf(show(found, ids, _NO_WORDS))


def bought_together(*, viewer: Viewer, product_id: str, limit: int) -> Shelf:
    """What was bought in one order with the product, the most frequent first.

    Raises:
        NotFound: there is no such product, or the viewer may not see it.
    """
    found = _on_a_shelf(viewer, limit)
    product = _product(found, product_id)
    companions = companions_of(product_id=product.product_id)
    # All are looked at, because some may be hidden from this viewer or sold out.
    return Shelf(show(found, companions, _NO_WORDS)[:limit])


def _on_a_shelf(viewer: Viewer, limit: int) -> ResolvedSearch:
    """Who looks, for the showing: a shelf has only what can be bought now."""
    return resolve(viewer, SearchRequest(in_stock=True, limit=limit), kept_lists())


def _product(found: ResolvedSearch, public_id: str) -> Goods:
    """The product itself, which need not be in stock; not found as its page is not found."""
    product_id = documents.find_product_id(public_id)
    seen = [] if product_id is None else fitting(replace(found, choice=Choice()), [product_id])
    if not seen:
        raise NotFound("这件商品不存在或已下架")
    return seen[0][0]


# --- goods like this one -------------------------------------------------------------------


def _alike(found: ResolvedSearch, product: Goods) -> list[int]:
    """One request; a second one where the category has too few."""
    own, limit = product.category_id, found.request.limit
    scores = score_title(tokenise_query(product.title))
    ids = _ask(found, product, own, scores, limit)
    above = category_tree().by_id[own].parent_id
    missing = min(limit, _FEW) - len(ids)
    if above is not None and missing > 0:
        others = NoneOf((AnyValue(NumberField.CATEGORY, (own,)),))
        ids += _ask(found, product, above, scores, missing, others)
    return ids


def _ask(
    found: ResolvedSearch,
    product: Goods,
    category_id: int,
    scores: tuple[ScoredToken, ...],
    limit: int,
    *also: Clause,
) -> list[int]:
    inside = replace(found, choice=replace(found.choice, categories=frozenset((category_id,))))
    itself = AnyValue(NumberField.PRODUCT, (product.product_id,))
    answer = found.view.search(
        EngineQuery(
            where=AllOf((inside.where(), NoneOf((itself,)), *also)),
            scores=scores,
            limit=limit,
            count=False,
        )
    )
    return [hit.product_id for hit in answer.hits]


def score_title(title: QueryTokens) -> tuple[ScoredToken, ...]:
    """What of a title makes another one like it.

    How rare each token is the engine knows itself: its score of a token grows with that, so
    what hardly any other title has decides, and no second request has to ask.
    """
    words = [word for word in title.words if not word.isascii()]
    latin = [unit for unit in title.units if len(unit) > 1 and not is_han(unit)]
    pairs = [pair for pair in title.grams if is_han(pair) and pair not in words]
    return (
        *_scored(TokenField.WORDS, words, _WORD),
        *_scored(TokenField.CHARS, latin, _LATIN),
        *_scored(TokenField.GRAMS, pairs, _PAIR),
    )


def _scored(field: TokenField, tokens: Sequence[str], boost: float) -> list[ScoredToken]:
    return [ScoredToken(field, token, boost) for token in tokens]
