"""Where no goods have all words: the best of what else may be meant stands near the top."""

import dataclasses
from typing import Any

import pytest

from search.explaining import explain
from search.indexing import write_suggestions
from search.requests import SearchRequest, SortBy
from search.services import SearchResult, search
from shop.rules import GoodsRule
from tests.integration.search.world import World, add_product, index, viewer

# Nothing of Suzuki's is a cover for a car, and what is one is nobody's.
TYPED = "领木车罩"
SUZUKI = "铃木摩托坐垫"


def find(**fields: Any) -> SearchResult:
    return search(viewer=viewer(), request=dataclasses.replace(SearchRequest(TYPED), **fields))


def titles(result: SearchResult) -> list[str]:
    return [item.title for item in result.items]


@pytest.fixture
def garage(world: World) -> World:
    for number in range(6):
        add_product(world, f"通用车罩加厚{number}号", offers=[("north", 5_000 + number, 3)])
    add_product(world, SUZUKI, category="kitchen.pots", offers=[("south", 9_000, 3)])
    index(world)
    write_suggestions()
    return world


def test_the_best_of_another_reading_belongs_to_the_answer(garage: World) -> None:
    found, typed = find(), find(verbatim=True)

    assert (found.corrected_query, found.matched_by) == (None, "half")
    assert SUZUKI in titles(found)[:3]
    assert SUZUKI not in titles(typed)
    assert (found.total, typed.total) == (7, 6)


def test_facets_count_it_where_it_is_chosen_too(garage: World) -> None:
    found = find()

    for facet, field in (("merchant", "merchants"), ("category", "categories")):
        for value in found.facets[facet]:
            chosen = find(**{field: (value.value,)})
            assert chosen.total == len(chosen.items) == value.count, (facet, value.label)
    assert titles(find(merchants=(found.facets["merchant"][1].value,))) == [SUZUKI]
    assert SUZUKI not in titles(find(price_max=8_000))


@pytest.mark.parametrize("sort", [SortBy.RELEVANCE, SortBy.PRICE_ASC, SortBy.SALES])
def test_pages_have_it_once(garage: World, sort: SortBy) -> None:
    pages = [find(sort=sort, limit=2)]
    while pages[-1].next_cursor:
        pages.append(find(sort=sort, limit=2, cursor=pages[-1].next_cursor))

    shown = [title for page in pages for title in titles(page)]
    assert sorted(shown) == sorted(titles(find(limit=20)))
    assert len(set(shown)) == len(shown) == 7


def test_what_a_person_may_not_see_is_no_reading(garage: World) -> None:
    hidden = GoodsRule(exclude={"categories": frozenset({garage.categories["kitchen.pots"]})})
    result = search(viewer=viewer(hidden), request=SearchRequest(TYPED))

    assert SUZUKI not in titles(result)
    assert result.total == 6


def test_the_operator_is_told_which(garage: World) -> None:
    steps = {each["step"]: each for each in explain(viewer(), SearchRequest(TYPED))["steps"]}

    assert steps["others"]["titles"] == [SUZUKI]
