"""The search of the mall: one call from a request to a page.

The index finds and counts; what is shown of price, stock and eligibility is read from the
database again (feature S2), and what no longer holds is dropped from the page. While the index
is away, categories are browsed from the database.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from enterprises.services.eligibility import Viewer
from kernel.errors import Problem
from search import facets, merchandising, queries
from search.browsing import browse_database, can_browse
from search.cursors import Cursor, CursorExpired, decode_cursor, encode_cursor
from search.engines import base
from search.engines.base import AllOf, EngineQuery, EngineUnavailable, SortField
from search.facets import FacetValue
from search.goods_filters import visible_clause
from search.indexing import suggestion_file
from search.kept_lists import Counts, KeptList, KeptLists, kept_lists
from search.matching import MatchKind, TextPlan
from search.merchandising import Arrangement
from search.related import RelatedCategory, related_categories
from search.requests import ResolvedSearch, SearchRequest, SortBy, resolve
from search.rules import arrangement_of
from search.showing import Item, show
from search.synonyms import current_synonyms
from search.weights import get_weights

# With fewer similar goods, categories are offered to go on with.
_FEW = 20
_BROWSE = TextPlan(MatchKind.ALL_WORDS)
_SORTS = {
    SortBy.SALES: (SortField.BY_SALES, True),
    SortBy.PRICE_ASC: (SortField.BY_PRICE, False),
    SortBy.PRICE_DESC: (SortField.BY_PRICE, True),
    SortBy.NEWEST: (SortField.BY_CREATED, True),
}


class SearchUnavailable(Problem):
    """The index is away, and the database cannot stand in for what was asked."""

    code = "search_unavailable"
    status = 503
    title = "搜索暂时不可用，请稍后再试"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page, the exact total, the facets, and the cursor of the next page if there is one.

    ``corrected_query`` was searched for instead of what was typed; ``price_words`` of it were
    taken for a price. ``ruled_query`` is the query of which operators' rules arranged the list.
    ``related_categories`` are to go on with where not all words were found; only the first page has
    them. ``degraded``: the index is away, and this is a bounded list from the database.
    """

    total: int
    items: tuple[Item, ...]
    facets: dict[str, list[FacetValue]]
    next_cursor: str | None
    matched_by: str
    took_ms: float
    corrected_query: str | None = None
    price_words: str = ""
    ruled_query: str = ""
    related_categories: tuple[RelatedCategory, ...] = ()
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    product_ids: Sequence[int]
    total: int
    counts: Counts
    plan: TextPlan
    next_cursor: Cursor | None
    ruled_query: str = ""
    degraded: bool = False


def search(
    *, viewer: Viewer, request: SearchRequest, lists: KeptLists | None = None
) -> SearchResult:
    """Find goods that the viewer may see.

    Raises:
        NotFound: the viewer has no such pot.
        BadCursor: the cursor is forged, or of another search or person.
        CursorExpired: the relevance list that the cursor names is no longer kept.
        SearchUnavailable: the index is away.
    """
    started = time.perf_counter()
    found = resolve(viewer, request, lists if lists is not None else kept_lists())
    cursor = decode_cursor(request.cursor, search=found.name) if request.cursor else None
    if cursor is not None and cursor.epoch != found.epoch:
        # The programme changed between two pages: what is visible, and counted, is another list.
        raise CursorExpired
    related: tuple[RelatedCategory, ...] = ()
    try:
        page = _page(found, cursor)
        if cursor is None and found.query is not None and not _is_enough(page):
            related = related_categories(found, page.plan, page.counts)
    except EngineUnavailable as away:
        if not can_browse(found):
            raise SearchUnavailable(retry_after=math.ceil(away.retry_after)) from away
        page = _page_without_index(found)
    return SearchResult(
        total=page.total,
        items=show(found, page.product_ids, page.plan),
        facets=facets.label(page.counts, found.choice),
        next_cursor=None if page.next_cursor is None else encode_cursor(page.next_cursor),
        matched_by=page.plan.kind.value if found.query is not None else "browse",
        took_ms=(time.perf_counter() - started) * 1_000,
        corrected_query=page.plan.corrected or None,
        price_words=found.price_words,
        ruled_query=page.ruled_query,
        related_categories=related,
        degraded=page.degraded,
    )


# --- pages ---------------------------------------------------------------------------------


def _page(found: ResolvedSearch, cursor: Cursor | None) -> _Page:
    if cursor is not None and cursor.kept:
        return _kept_page(found, cursor)
    if cursor is None:
        if found.sort is SortBy.RELEVANCE:
            return _relevance_page(found)
        arrangement = arrangement_of(found, _BROWSE)
        if arrangement:
            return _arranged_category_page(found, arrangement)
    return _sorted_page(found, cursor)


def _is_enough(page: _Page) -> bool:
    """Whether the answer is what was asked for, or long enough to go on with by its facets."""
    is_meant = page.total > 0 and page.plan.kind is MatchKind.ALL_WORDS
    return is_meant or page.total >= _FEW


def _page_without_index(found: ResolvedSearch) -> _Page:
    kept = browse_database(found)
    more = len(kept.product_ids) > found.request.limit
    page = _page_of_kept(
        found, kept, _BROWSE, name=found.lists.keep(kept) if more else "", offset=0
    )
    return replace(page, degraded=True)


def find_matches(found: ResolvedSearch, ask: Callable[[TextPlan], EngineQuery]) -> queries.Matches:
    """The match set of a search by words, chosen from text and programme alone, and what was
    asked of it."""
    assert found.query is not None
    return queries.find_matches(
        found.view,
        found.query,
        ask,
        visible=visible_clause(found.seen),
        weights=get_weights(),
        lexicon=None if found.request.verbatim else suggestion_file().lexicon(),
        alternatives=current_synonyms().alternatives,
    )


def _relevance_page(found: ResolvedSearch) -> _Page:
    query = found.query
    assert query is not None

    @cache
    def arrangement_for(plan: TextPlan) -> Arrangement:
        # Once for a plan: what is asked and what is made of the answer follow the same rules.
        return arrangement_of(found, plan)

    def ask(plan: TextPlan) -> EngineQuery:
        return queries.scored_query(
            plan.tokens(query),
            plan,
            where=found.where(),
            # With pins the facets are asked for together with these.
            facets=() if arrangement_for(plan).pins else found.facets(plan),
            weights=get_weights(),
        )

    matches = find_matches(found, ask)
    ranked = queries.rank(
        found.view,
        matches,
        weights=get_weights(),
        intent=found.named_categories(matches.plan),
    )
    kept = KeptList([hit.product_id for hit in ranked.hits], ranked.total, ranked.facets)
    arrangement = arrangement_for(matches.plan)
    if arrangement:
        kept = merchandising.arrange_found(found, matches.plan, kept, arrangement)
    more = _has_more(kept, found.request.limit)
    name = found.lists.keep(kept) if more else ""
    page = _page_of_kept(found, kept, matches.plan, name=name, offset=0)
    return replace(page, ruled_query=arrangement.query)


def _arranged_category_page(found: ResolvedSearch, arrangement: Arrangement) -> _Page:
    """Goods of a category in the usual order, as its rules want it; kept like a relevance list."""
    by_sales, descending = _SORTS[found.sort]
    answer = found.view.search(
        EngineQuery(
            where=found.where(),
            sort=base.Sort(by_sales, descending),
            limit=queries.LIST_END,
            facets=found.facets(_BROWSE),
        )
    )
    kept = merchandising.arrange_category(found, answer, arrangement)
    more = _has_more(kept, found.request.limit)
    return _page_of_kept(
        found, kept, _BROWSE, name=found.lists.keep(kept) if more else "", offset=0
    )


def _has_more(kept: KeptList, end: int) -> bool:
    """Whether a list goes on; of most only the head was read."""
    return end < (min(kept.total, queries.LIST_END) if _is_head(kept) else len(kept.product_ids))


def _is_head(kept: KeptList) -> bool:
    return len(kept.product_ids) == get_weights().candidates < kept.total


def _kept_page(found: ResolvedSearch, cursor: Cursor) -> _Page:
    """A further page of a kept list; who reads beyond its head is given the rest."""
    kept, name = found.lists.find(cursor.kept), cursor.kept
    if kept is None:
        raise CursorExpired
    beyond = cursor.offset + found.request.limit > len(kept.product_ids)
    if beyond and _is_head(kept) and found.query is not None:
        rest = found.view.search(
            queries.rest_query(
                cursor.plan.tokens(found.query),
                cursor.plan,
                where=found.where(),
                weights=get_weights(),
            )
        )
        ids = dict.fromkeys([*kept.product_ids, *(hit.product_id for hit in rest.hits)])
        kept = KeptList(list(ids)[: queries.LIST_END], kept.total, kept.facets)
        name = found.lists.keep(kept)
    return _page_of_kept(found, kept, cursor.plan, name=name, offset=cursor.offset)


def _page_of_kept(
    found: ResolvedSearch, kept: KeptList, plan: TextPlan, *, name: str, offset: int
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


def _sorted_page(found: ResolvedSearch, cursor: Cursor | None) -> _Page:
    sort_field, descending = _SORTS[found.sort]
    limit = found.request.limit

    def ask(plan: TextPlan) -> EngineQuery:
        return EngineQuery(
            where=AllOf((found.text_clause(plan), found.where())),
            sort=base.Sort(sort_field, descending, None if cursor is None else cursor.after),
            # One more than the page, to know whether it goes on.
            limit=limit + 1,
            facets=found.facets(plan),
        )

    plan = _BROWSE if cursor is None else cursor.plan
    if cursor is None and found.query is not None:
        matches = find_matches(found, ask)
        plan, answer = matches.plan, matches.found
    else:
        answer = found.view.search(ask(plan))
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
