"""What is asked of the search, and the same with everything resolved that its steps need."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from enterprises.services.eligibility import Viewer
from kernel.errors import NotFound
from search import documents, facets
from search.attributes import find_attribute_ids
from search.cursors import fingerprint
from search.engines.base import AllOf, Clause, EngineView, Facet
from search.engines.choice import get_engine
from search.goods_filters import (
    Choice,
    PriceRange,
    Scope,
    choice_clauses,
    narrowed_merchants,
    one_listing_each,
)
from search.kept_lists import KeptLists
from search.matching import TextPlan, match_clause
from search.tokens import QueryTokens, normalise, tokenise_query
from search.understanding.intents import category_intent
from search.understanding.prices import price_words
from shop.rules import GoodsRule
from shop.services.categories import category_tree

MAX_TEXT = 100
MAX_LIMIT = 100
_NO_PRICE = (None, None, None)


class SortBy(StrEnum):
    """Orders that a person may choose."""

    RELEVANCE = "relevance"
    SALES = "sales"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What was asked for, in outside ids; prices in fen, ranges inclusive. ``attributes`` are
    names with the chosen values of each.

    ``verbatim``: take the text as it was typed. ``drafts``: as if the drafts of the rules for
    this list were in force; for operators.
    """

    text: str = ""
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    prices: tuple[PriceRange, ...] = ()
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    pot: str = ""
    verbatim: bool = False
    sort: SortBy | None = None
    limit: int = 20
    cursor: str = ""
    drafts: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether a person goes on with a search: more was chosen than words."""
        chosen = (
            (self.categories, self.brands, self.merchants),
            (self.attributes, self.prices, self.pot),
        )
        bounds = (self.price_min, self.price_max)
        return (
            any(map(any, chosen))
            or self.in_stock
            or self.verbatim
            or any(bound is not None for bound in bounds)
            or self.sort not in {None, SortBy.RELEVANCE}
        )


@dataclass(frozen=True, slots=True)
class ResolvedSearch:
    """A request with everything resolved that its steps need.

    ``price_words`` are those of the text that were taken for a chosen price.
    """

    view: EngineView
    viewer: Viewer
    request: SearchRequest
    query: QueryTokens | None
    scope: Scope
    seen: Scope
    choice: Choice
    name: str
    epoch: int
    lists: KeptLists = field(repr=False)
    price_words: str = ""

    @property
    def sort(self) -> SortBy:
        """Without words there is nothing to be relevant to."""
        wanted = self.request.sort or SortBy.RELEVANCE
        return SortBy.SALES if wanted is SortBy.RELEVANCE and self.query is None else wanted

    def text_clause(self, plan: TextPlan) -> Clause:
        if self.query is None:
            return AllOf(())
        return match_clause(plan.tokens(self.query), plan)

    def named_categories(self, plan: TextPlan) -> frozenset[int]:
        """Those that the text names, with all below them."""
        if self.query is None:
            return frozenset()
        return category_intent(plan.tokens(self.query), category_tree())

    def is_about_one_category(self, plan: TextPlan) -> bool:
        """Whether a category was chosen, or the text names one: then attributes say something."""
        if self.choice.categories is not None:
            return len(self.choice.categories) == 1
        by_id, named = category_tree().by_id, self.named_categories(plan)
        return sum(by_id[each].parent_id not in named for each in named) == 1

    def facets(self, plan: TextPlan, text: Clause | None = None) -> tuple[Facet, ...]:
        """What is counted beside the hits; ``text`` where the match set is not that of the plan."""
        return facets.request(
            (text or self.text_clause(plan), *self.scope.product_clauses()),
            self.scope,
            self.choice,
            attributes=bool(self.choice.attributes) or self.is_about_one_category(plan),
        )

    def where(self) -> Clause:
        """The goods asked for, apart from the text; one listing of each."""
        return AllOf(
            (
                *self.scope.product_clauses(),
                *choice_clauses(self.choice),
                one_listing_each(narrowed_merchants(self.scope, self.choice)),
            )
        )


def resolve(viewer: Viewer, request: SearchRequest, lists: KeptLists) -> ResolvedSearch:
    """Look up what the request names.

    Raises:
        NotFound: the viewer has no such pot.
    """
    text = " ".join(request.text[:MAX_TEXT].split())
    rules: tuple[GoodsRule, ...] = (viewer.programme,)
    if request.pot:
        pot = viewer.find_pot(request.pot)
        if pot is None:
            raise NotFound("没有这个福利账户")
        rules = (viewer.programme, pot.rule)
    priced = None if request.verbatim else price_words(normalise(text))
    searched = text if priced is None else priced.rest
    choice = _choose(request)
    if priced is not None and (choice.prices, choice.price_min, choice.price_max) == _NO_PRICE:
        choice = replace(choice, price_min=priced.low, price_max=priced.high)
    else:
        # What was chosen goes before the words, which are no words to look for either.
        priced = None
    sellers: frozenset[int] = frozenset()
    if any(rule.exclude.get("merchants") for rule in rules):
        sellers = documents.all_seller_ids()
    return ResolvedSearch(
        view=get_engine().view(),
        viewer=viewer,
        request=request,
        query=tokenise_query(searched) if searched else None,
        scope=Scope(rules, sellers),
        seen=Scope((viewer.programme,), sellers),
        choice=choice,
        name=fingerprint(
            viewer.membership_id,
            text,
            [request.categories, request.brands, request.merchants, request.prices],
            request.attributes,
            [request.price_min, request.price_max, request.in_stock, request.pot, request.sort],
            request.verbatim,
        ),
        epoch=viewer.programme_version,
        lists=lists,
        price_words=priced.words if priced is not None else "",
    )


def _choose(request: SearchRequest) -> Choice:
    by_public_id = category_tree().by_public_id
    categories = frozenset(
        by_public_id[each].id for each in request.categories if each in by_public_id
    )
    return Choice(
        categories=categories if request.categories else None,
        brands=documents.find_brand_ids(request.brands) if request.brands else None,
        merchants=documents.find_merchant_ids(request.merchants) if request.merchants else None,
        attributes=_choose_attributes(request),
        prices=request.prices or None,
        price_min=request.price_min,
        price_max=request.price_max,
        in_stock=request.in_stock,
    )


def _choose_attributes(request: SearchRequest) -> dict[str, dict[str, int]]:
    if not request.attributes:
        return {}
    wanted = [(name, value) for name, values in request.attributes for value in values]
    ids = find_attribute_ids(wanted)
    return {
        name: {value: ids.get((name, value), 0) for value in values}
        for name, values in request.attributes
    }
