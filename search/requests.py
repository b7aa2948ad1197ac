"""What is asked of the search, and the same with everything resolved that its steps need."""

from dataclasses import dataclass, field
from enum import StrEnum

from enterprises.services.eligibility import Viewer
from kernel.errors import NotFound
from search import documents, queries
from search.cursors import fingerprint
from search.engines.base import AllOf, Clause, EngineView
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
from search.queries import TextPlan
from search.tokens import QueryTokens, tokenise_query
from shop.rules import GoodsRule
from shop.services.categories import category_tree

MAX_TEXT = 100
MAX_LIMIT = 100


class SortBy(StrEnum):
    """Orders that a person may choose."""

    RELEVANCE = "relevance"
    SALES = "sales"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What was asked for, in outside ids; prices in fen, ranges inclusive.

    ``drafts``: as if the drafts of the rules for this list were in force; for operators.
    """

    text: str = ""
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    prices: tuple[PriceRange, ...] = ()
    price_min: int | None = None
    price_max: int | None = None
    in_stock: bool = False
    pot: str = ""
    sort: SortBy | None = None
    limit: int = 20
    cursor: str = ""
    drafts: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether more was chosen than words and the order of relevance."""
        chosen = (self.categories, self.brands, self.merchants, self.prices, self.pot)
        bounds = (self.price_min, self.price_max)
        return (
            any(chosen)
            or self.in_stock
            or any(bound is not None for bound in bounds)
            or self.sort not in {None, SortBy.RELEVANCE}
        )


@dataclass(frozen=True, slots=True)
class ResolvedSearch:
    """A request with everything resolved that its steps need."""

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

    @property
    def sort(self) -> SortBy:
        """Without words there is nothing to be relevant to."""
        wanted = self.request.sort or SortBy.RELEVANCE
        return SortBy.SALES if wanted is SortBy.RELEVANCE and self.query is None else wanted

    def text_clause(self, plan: TextPlan) -> Clause:
        return AllOf(()) if self.query is None else queries.match_clause(self.query, plan)

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
    sellers: frozenset[int] = frozenset()
    if any(rule.exclude.get("merchants") for rule in rules):
        sellers = documents.all_seller_ids()
    return ResolvedSearch(
        view=get_engine().view(),
        viewer=viewer,
        request=request,
        query=tokenise_query(text) if text else None,
        scope=Scope(rules, sellers),
        seen=Scope((viewer.programme,), sellers),
        choice=_choose(request),
        name=fingerprint(
            viewer.membership_id,
            text,
            [request.categories, request.brands, request.merchants, request.prices],
            [request.price_min, request.price_max, request.in_stock, request.pot, request.sort],
        ),
        epoch=viewer.programme_version,
        lists=lists,
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
        prices=request.prices or None,
        price_min=request.price_min,
        price_max=request.price_max,
        in_stock=request.in_stock,
    )
