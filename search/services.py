"""The search of the mall: one call from a request to a page.

The index finds and counts; what is shown of price, stock and eligibility is read from the
database again (feature S2), and what no longer holds is dropped from the page.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from enterprises.services.eligibility import Viewer
from kernel.errors import NotFound
from search import documents, facets, queries
from search.cursors import Cursor, CursorExpired, decode_cursor, encode_cursor, fingerprint
from search.documents import Goods, ListedOffer, Named
from search.engines import base
from search.engines.base import AllOf, Clause, EngineQuery, EngineView, SortField
from search.engines.choice import get_engine
from search.facets import FacetValue
from search.goods_filters import (
    Choice,
    PriceRange,
    Scope,
    choice_clauses,
    narrowed_merchants,
    one_listing_each,
    price_fits,
    visible_clause,
)
from search.highlighting import highlight
from search.kept_lists import Counts, KeptList, KeptLists, kept_lists
from search.queries import TextPlan
from search.tokens import QueryTokens, tokenise_query
from search.weights import get_weights
from shop.rules import GoodsRule
from shop.services.categories import category_tree

_BROWSE = TextPlan(queries.MatchKind.ALL_WORDS)
MAX_TEXT = 100
MAX_LIMIT = 100


class SortBy(StrEnum):
    """Orders that a person may choose."""

    RELEVANCE = "relevance"
    SALES = "sales"
    PRICE_ASC = "price_asc"
    PRICE_DESC = "price_desc"
    NEWEST = "newest"


_SORTS = {
    SortBy.SALES: (SortField.BY_SALES, True),
    SortBy.PRICE_ASC: (SortField.BY_PRICE, False),
    SortBy.PRICE_DESC: (SortField.BY_PRICE, True),
    SortBy.NEWEST: (SortField.BY_CREATED, True),
}


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What was asked for, in outside ids; prices in fen, ranges inclusive."""

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


@dataclass(frozen=True, slots=True)
class PotMark:
    """Whether a pot of the viewer may pay for a product."""

    pot_id: str
    name: str
    eligible: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A product on a page, at the price of its best ranked merchant that may be seen."""

    product_id: str
    title: str
    highlight: list[dict[str, object]]
    image: str
    price_minor: int
    list_price_minor: int
    in_stock: bool
    sold: int
    brand: Named | None
    category: Named
    merchants: tuple[Named, ...]
    pots: tuple[PotMark, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page, the exact total, the facets, and the cursor of the next page if there is one."""

    total: int
    items: tuple[Item, ...]
    facets: dict[str, list[FacetValue]]
    next_cursor: str | None
    matched_by: str
    took_ms: float
    corrected_query: str | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    product_ids: Sequence[int]
    total: int
    counts: Counts
    plan: TextPlan
    next_cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class _Search:
    """A request with everything resolved that its steps need."""

    view: EngineView
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


def search(
    *, viewer: Viewer, request: SearchRequest, lists: KeptLists | None = None
) -> SearchResult:
    """Find goods that the viewer may see.

    Raises:
        NotFound: the viewer has no such pot.
        BadCursor: the cursor is forged, or of another search or person.
        CursorExpired: the relevance list that the cursor names is no longer kept.
    """
    started = time.perf_counter()
    found = _resolve(viewer, request, lists if lists is not None else kept_lists())
    cursor = decode_cursor(request.cursor, search=found.name) if request.cursor else None
    if cursor is not None and cursor.epoch != found.epoch:
        # The programme changed between two pages: what is visible, and counted, is another list.
        raise CursorExpired
    page = _page(found, cursor)
    return SearchResult(
        total=page.total,
        items=_show(found, viewer, page.product_ids),
        facets=facets.label(page.counts, found.choice),
        next_cursor=None if page.next_cursor is None else encode_cursor(page.next_cursor),
        matched_by=page.plan.kind.value if found.query is not None else "browse",
        took_ms=(time.perf_counter() - started) * 1_000,
    )


def _resolve(viewer: Viewer, request: SearchRequest, lists: KeptLists) -> _Search:
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
    return _Search(
        view=get_engine().view(),
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


# --- pages ---------------------------------------------------------------------------------


def _page(found: _Search, cursor: Cursor | None) -> _Page:
    if cursor is not None and cursor.kept:
        return _kept_page(found, cursor)
    if cursor is None and found.sort is SortBy.RELEVANCE:
        return _relevance_page(found)
    return _sorted_page(found, cursor)


def _facets(found: _Search, plan: TextPlan) -> tuple[base.Facet, ...]:
    return facets.request(
        (found.text_clause(plan), *found.scope.product_clauses()), found.scope, found.choice
    )


def _find(
    found: _Search, ask: Callable[[TextPlan], EngineQuery]
) -> tuple[TextPlan, base.EngineResult]:
    """The match set, chosen from text and programme alone, and what was asked of it."""
    if found.query is None:
        return _BROWSE, found.view.search(ask(_BROWSE))
    visible = visible_clause(found.seen)
    return queries.find_matches(
        found.view, found.query, ask, visible=visible, weights=get_weights()
    )


def _relevance_page(found: _Search) -> _Page:
    query = found.query
    assert query is not None

    def ask(plan: TextPlan) -> EngineQuery:
        return queries.scored_query(
            query,
            plan,
            where=found.where(),
            facets=_facets(found, plan),
            weights=get_weights(),
        )

    plan, matches = _find(found, ask)
    ranked = queries.rank(found.view, query, matches, weights=get_weights())
    kept = KeptList([hit.product_id for hit in ranked.hits], ranked.total, ranked.facets)
    more = _has_more(kept, found.request.limit)
    return _page_of_kept(found, kept, plan, name=found.lists.keep(kept) if more else "", offset=0)


def _has_more(kept: KeptList, end: int) -> bool:
    """Whether a list goes on; of most only the head was read."""
    return end < (min(kept.total, queries.LIST_END) if _is_head(kept) else len(kept.product_ids))


def _is_head(kept: KeptList) -> bool:
    return len(kept.product_ids) == get_weights().candidates < kept.total


def _kept_page(found: _Search, cursor: Cursor) -> _Page:
    """A further page of a kept list; who reads beyond its head is given the rest."""
    kept, name = found.lists.find(cursor.kept), cursor.kept
    if kept is None:
        raise CursorExpired
    beyond = cursor.offset + found.request.limit > len(kept.product_ids)
    if beyond and _is_head(kept) and found.query is not None:
        rest = found.view.search(
            queries.rest_query(found.query, cursor.plan, where=found.where(), weights=get_weights())
        )
        ids = dict.fromkeys([*kept.product_ids, *(hit.product_id for hit in rest.hits)])
        kept = KeptList(list(ids)[: queries.LIST_END], kept.total, kept.facets)
        name = found.lists.keep(kept)
    return _page_of_kept(found, kept, cursor.plan, name=name, offset=cursor.offset)


def _page_of_kept(
    found: _Search, kept: KeptList, plan: TextPlan, *, name: str, offset: int
) -> _Page:
    end = offset + found.request.limit
    return _Page(
        product_ids=list(kept.product_ids[offset:end]),
        total=kept.total,
        counts=kept.facets,
        plan=plan,
        next_cursor=Cursor(found.name, found.epoch, plan, kept=name, offset=end)
        if _has_more(kept, end)
        else None,
    )


def _sorted_page(found: _Search, cursor: Cursor | None) -> _Page:
    sort_field, descending = _SORTS[found.sort]
    limit = found.request.limit

    def ask(plan: TextPlan) -> EngineQuery:
        return EngineQuery(
            where=AllOf((found.text_clause(plan), found.where())),
            sort=base.Sort(sort_field, descending, None if cursor is None else cursor.after),
            # One more than the page, to know whether it goes on.
            limit=limit + 1,
            facets=_facets(found, plan),
        )

    if cursor is not None:
        plan, answer = cursor.plan, found.view.search(ask(cursor.plan))
    else:
        plan, answer = _find(found, ask)
    hits = answer.hits[:limit]
    goes_on = len(answer.hits) > limit
    return _Page(
        product_ids=[hit.product_id for hit in hits],
        total=answer.total,
        counts=answer.facets,
        plan=plan,
        next_cursor=Cursor(found.name, found.epoch, plan, after=hits[-1].position)
        if goes_on
        else None,
    )


# --- what is shown -------------------------------------------------------------------------


def _show(found: _Search, viewer: Viewer, product_ids: Sequence[int]) -> tuple[Item, ...]:
    """The page's products as the database has them now, without what no longer belongs."""
    goods = documents.read_goods(product_ids)
    shown: list[tuple[Goods, tuple[ListedOffer, ...]]] = []
    for product_id in product_ids:
        product = goods.get(product_id)
        listings = _visible_listings(found, product) if product is not None else ()
        if product is not None and listings and _still_fits(found.choice, product, listings[0]):
            shown.append((product, listings))
    merchants = documents.read_merchants(
        listing.merchant_id for _, listings in shown for listing in listings
    )
    tree = category_tree()
    return tuple(
        Item(
            product_id=product.public_id,
            title=product.title,
            highlight=_marked(product.title, found.query),
            image=product.image,
            price_minor=listings[0].price_minor,
            list_price_minor=listings[0].list_price_minor,
            in_stock=listings[0].in_stock,
            sold=product.sold,
            brand=product.brand,
            category=Named(
                tree.by_id[product.category_id].public_id, tree.by_id[product.category_id].name
            ),
            merchants=tuple(merchants[listing.merchant_id] for listing in listings),
            pots=_mark_pots(viewer, product, listings),
        )
        for product, listings in shown
    )


def _marked(title: str, query: QueryTokens | None) -> list[dict[str, object]]:
    return [{"text": title, "hit": False}] if query is None else highlight(title, query)


def _visible_listings(found: _Search, product: Goods) -> tuple[ListedOffer, ...]:
    allowed = narrowed_merchants(found.scope, found.choice)
    return tuple(
        listing
        for listing in product.listings
        if (allowed is None or listing.merchant_id in allowed)
        and all(rule.allows(product.facts(listing.merchant_id)) for rule in found.scope.rules)
    )


def _still_fits(choice: Choice, product: Goods, listing: ListedOffer) -> bool:
    return (
        (choice.categories is None or bool(choice.categories & product.categories))
        and (choice.brands is None or product.brand_id in choice.brands)
        and (listing.in_stock or not choice.in_stock)
        and price_fits(choice, listing.price_minor)
    )


def _mark_pots(
    viewer: Viewer, product: Goods, listings: Sequence[ListedOffer]
) -> tuple[PotMark, ...]:
    """A pot may pay where at least one of the merchants shown is one that it may pay."""
    facts = [product.facts(listing.merchant_id) for listing in listings]
    return tuple(
        PotMark(
            entry.pot.public_id,
            entry.pot.name,
            any(entry.rule.allows(each) for each in facts),
        )
        for entry in viewer.pots
    )
