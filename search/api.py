"""Search and suggestions of the mall."""

from typing import Any

from enterprises.services.eligibility import viewer_of
from kernel.auth.policy import Role
from kernel.web import api_blueprint, current_actor
from search import services, similar
from search.indexing import suggestion_file
from search.price_ranges import parse_price
from search.query_counts import count_click, count_search
from search.requests import SearchRequest
from search.schemas import ClickIn, SearchIn, SearchOut, ShelfIn, ShelfOut, SuggestIn, SuggestOut
from search.services import SearchResult
from search.similar import Shelf
from search.suggestions import suggest

blueprint = api_blueprint("search", __name__)


@blueprint.route("/search")
@blueprint.arguments(SearchIn, location="query")
@blueprint.response(200, SearchOut)
def search_goods(query: dict[str, Any]) -> SearchResult:
    """Find goods, with facets, by page."""
    request = SearchRequest(
        text=query["q"],
        categories=tuple(query["category"]),
        brands=tuple(query["brand"]),
        merchants=tuple(query["merchant"]),
        attributes=tuple((name, tuple(values)) for name, values in query["attribute"].items()),
        prices=tuple(parse_price(value) for value in query["price"]),
        price_min=query["price_min"],
        price_max=query["price_max"],
        in_stock=query["in_stock"],
        pot=query["pot"],
        verbatim=query["verbatim"],
        sort=query["sort"],
        limit=query["limit"],
        cursor=query["cursor"],
    )
    actor = current_actor()
    result = services.search(viewer=viewer_of(actor, with_lots=False), request=request)
    # Who narrows, sorts or turns pages goes on with the same search; who works here does not shop.
    if actor.has(Role.EMPLOYEE) and not request.cursor and not request.is_narrowed:
        count_search(request.text, found_nothing=result.total == 0)
    return result


@blueprint.route("/search/clicks", methods=["POST"])
@blueprint.arguments(ClickIn)
@blueprint.response(204)
def count_result_click(data: dict[str, Any]) -> None:
    """Count that a result was opened: by day and query alone, so the product is not kept."""
    if current_actor().has(Role.EMPLOYEE):
        count_click(data["query"], place=data["position"])


@blueprint.route("/suggest")
@blueprint.arguments(SuggestIn, location="query")
@blueprint.response(200, SuggestOut)
def suggest_text(query: dict[str, Any]) -> dict[str, Any]:
    """What a person who typed this may mean."""
    found = suggest(
        viewer=viewer_of(current_actor(), with_lots=False),
        text=query["q"],
        suggestions=suggestion_file(),
    )
    return {"suggestions": found}


@blueprint.route("/products/<product_id>/similar")
@blueprint.arguments(ShelfIn, location="query")
@blueprint.response(200, ShelfOut)
def similar_goods(query: dict[str, Any], product_id: str) -> Shelf:
    """Goods like this one, among those that the signed-in person may see."""
    viewer = viewer_of(current_actor(), with_lots=False)
    return similar.similar_goods(viewer=viewer, product_id=product_id, limit=query["limit"])


@blueprint.route("/products/<product_id>/bought-together")
@blueprint.arguments(ShelfIn, location="query")
@blueprint.response(200, ShelfOut)
def bought_together(query: dict[str, Any], product_id: str) -> Shelf:
    """What others bought together with this product, among what one may see."""
    viewer = viewer_of(current_actor(), with_lots=False)
    return similar.bought_together(viewer=viewer, product_id=product_id, limit=query["limit"])
