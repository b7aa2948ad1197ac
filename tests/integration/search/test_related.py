"""Categories to go on with where a search found nothing, or only what is similar."""

import dataclasses
from typing import Any

import pytest

from search.requests import SearchRequest
from search.services import SearchResult, search
from shop.rules import GoodsRule
from tests.integration.search.world import World, add_product, index, viewer


@pytest.fixture
def shelf(world: World) -> World:
    add_product(world, "桑蚕丝夏被", category="bedding.quilt", offers=[("north", 30_000, 1)])
    add_product(world, "羽绒冬被", category="bedding.quilt", offers=[("south", 20_000, 1)])
    add_product(
        world,
        "乳胶枕",
        category="bedding.pillow",
        offers=[("north", 9_000, 1), ("south", 8_000, 1)],
    )
    for number in range(3):
        add_product(world, f"龙井绿茶{number}", category="tea.green-tea")
    index(world)
    return world


def find(text: str, rule: GoodsRule | None = None, **fields: Any) -> SearchResult:
    person = viewer(rule, pots=[("pot_tea", GoodsRule(include={"categories": frozenset({0})}))])
    return search(viewer=person, request=dataclasses.replace(SearchRequest(text), **fields))


def related(result: SearchResult) -> list[tuple[str, int]]:
    return [(each.name, each.count) for each in result.related_categories]


def test_nothing_found_goes_on_with_what_the_words_name(shelf: World) -> None:
    result = find("乳胶枕", prices=((1, 2),))

    assert result.total == 0
    assert related(result) == [("枕头", 1)]
    assert result.related_categories[0].id == shelf.category_public("bedding.pillow")
    assert related(find("蠎")) == []


def test_what_is_similar_goes_on_with_where_it_was_found(shelf: World) -> None:
    loose = find("龙井绿豆糕点")
    found = find("龙井绿茶")

    assert (loose.matched_by, related(loose)) == ("half", [("绿茶", 3)])
    assert (found.matched_by, found.total, related(found)) == ("all", 3, [])


def test_what_a_category_is_said_to_hold_is_what_it_holds(shelf: World) -> None:
    for text in ("蚕丝被 枕头 豪华型", "羽绒 绿茶 茶叶罐子", "乳胶夏被龙井"):
        result = find(text)
        assert result.related_categories
        for each in result.related_categories:
            assert find("", categories=(each.id,)).total == each.count


def test_a_hidden_or_chosen_category_is_not_offered(shelf: World) -> None:
    no_tea = GoodsRule(exclude={"categories": frozenset({shelf.categories["tea.green-tea"]})})
    only_south = GoodsRule(include={"merchants": frozenset({shelf.merchants["south"]})})
    text = "蚕丝被 枕头 绿茶 豪华型"

    assert related(find(text)) == [("被子", 2), ("枕头", 1), ("绿茶", 3)]
    assert related(find(text, no_tea)) == [("被子", 2), ("枕头", 1)]
    assert related(find(text, only_south)) == [("被子", 1), ("枕头", 1)]
    quilts = (shelf.category_public("bedding.quilt"),)
    assert related(find(text, categories=quilts)) == [("枕头", 1), ("绿茶", 3)]
    assert related(find(text, pot="pot_tea")) == []


def test_only_the_first_page_has_them(shelf: World) -> None:
    first = find("龙井绿豆糕点", limit=1)
    second = find("龙井绿豆糕点", limit=1, cursor=first.next_cursor)

    assert (related(first), related(second)) == ([("绿茶", 3)], [])
