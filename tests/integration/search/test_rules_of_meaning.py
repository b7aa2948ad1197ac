"""Rules hold for what was searched for, however it was typed; the typed text's own come first."""

import dataclasses
from typing import Any

import pytest

from kernel.auth.policy import Actor
from kernel.db import write_transaction
from search.explaining import explain
from search.indexing import write_suggestions
from search.merchandising import Action
from search.previews import preview
from search.requests import SearchRequest, SortBy
from search.rules import RuleInput, Target, add_rule
from search.services import SearchResult, search
from tests.factories.people import build_operator
from tests.integration.search.world import World, add_product, index, viewer

CUPS = ("富光保温杯家用", "华为保温杯家用", "乐高保温杯家用", "小天鹅保温杯家用")
QUILT = "云川蚕丝被"
BOTTLES = ("红色玻璃水瓶500毫升", "蓝色玻璃水瓶500毫升", "绿色玻璃水瓶500毫升")
HIDDEN_BY_PRICE = "乐高保温杯家用"


@pytest.fixture
def shelf(world: World) -> World:
    """Cups of which the first sells best, one of them dear; a quilt and three bottles."""
    for place, title in enumerate(CUPS):
        price = 20_000 if title == HIDDEN_BY_PRICE else 5_000
        add_product(
            world, title, category="kitchen.pots", sold=90 - place, offers=[("north", price, 3)]
        )
    add_product(world, QUILT, brand="云川", offers=[("north", 9_000, 3)])
    for place, title in enumerate(BOTTLES):
        add_product(world, title, sold=50 - place, offers=[("north", 3_000, 1)])
    index(world)
    write_suggestions()
    return world


@pytest.fixture
def operator(shelf: World) -> Actor:
    with write_transaction():
        return build_operator()


def pin(world: World, actor: Actor, title: str, query: str, **fields: Any) -> None:
    given: dict[str, Any] = {"action": Action.PIN, "amount": 1, "publish": True} | fields
    data = RuleInput(
        query=query,
        category="",
        product_id=world.public(title),
        valid_from=None,
        valid_until=None,
        **given,
    )
    with write_transaction():
        add_rule(actor=actor, data=data)


def find(text: str, **fields: Any) -> SearchResult:
    request = dataclasses.replace(SearchRequest(text, limit=100), **fields)
    return search(viewer=viewer(), request=request)


def titles(result: SearchResult) -> list[str]:
    return [item.title for item in result.items]


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        ("保温怀", "保温杯"),
        ("保溫杯", None),
        ("  保温杯\u200b", None),
        ("baowenbei", "保温杯"),
        ("ＢaoWenbei", "保温杯"),
        ("bwb", None),
        ("保温bei", "保温杯"),
    ],
)
def test_a_rule_holds_for_what_was_searched_for(
    shelf: World, operator: Actor, typed: str, corrected: str | None
) -> None:
    assert find(typed).ruled_query == ""
    pin(shelf, operator, QUILT, "保温杯", amount=2)
    pin(shelf, operator, CUPS[0], "保温杯", action=Action.BURY, amount=0)

    result = find(typed)

    assert result.corrected_query == corrected
    assert result.ruled_query == "保温杯"
    assert titles(result) == [CUPS[1], QUILT, CUPS[2], CUPS[3], CUPS[0]]
    assert (result.total, result.facets) == (5, find("保温杯").facets)
    # An order that a person chose, and the text as it stands, are left alone.
    assert QUILT not in titles(find(typed, sort=SortBy.SALES))
    if corrected is not None or "b" in typed:
        assert QUILT not in titles(find(typed, verbatim=True))


def test_a_rule_holds_for_letters_that_were_corrected(shelf: World, operator: Actor) -> None:
    pin(shelf, operator, QUILT, "保温杯家用")
    result = find("baowenbeijiayong")
    assert (result.corrected_query, result.ruled_query) == ("保温杯家用", "保温杯家用")
    assert titles(result) == [QUILT, *CUPS]


@pytest.mark.parametrize("typed", ["玻璃水瓶 500ml", "玻璃水瓶 500 ML", "玻璃水瓶　５００毫升"])
def test_sizes_in_any_writing_name_one_list(shelf: World, operator: Actor, typed: str) -> None:
    pin(shelf, operator, BOTTLES[2], "玻璃水瓶 500毫升")
    assert titles(find(typed))[0] == BOTTLES[2]


@pytest.mark.parametrize("typed", ["100元以内的保温杯", "保溫杯 100元以下", "100元以内的baowenbei"])
def test_words_about_a_price_are_no_part_of_the_list_and_hold_for_pins(
    shelf: World, operator: Actor, typed: str
) -> None:
    pin(shelf, operator, QUILT, "保温杯", amount=1)
    pin(shelf, operator, HIDDEN_BY_PRICE, "保温杯", amount=2)

    result = find(typed)

    assert titles(result) == [QUILT, *(title for title in CUPS if title != HIDDEN_BY_PRICE)]
    assert result.total == 4


def test_the_rules_of_the_typed_text_come_first(shelf: World, operator: Actor) -> None:
    pin(shelf, operator, QUILT, "保温杯")
    pin(shelf, operator, BOTTLES[0], "100元以内的baowenbei")
    assert titles(find("baowenbei"))[0] == QUILT
    own = find("100元以内的baowenbei")
    assert (titles(own)[0], QUILT in titles(own)) == (BOTTLES[0], False)
    assert own.ruled_query == "100元以内的baowenbei"
    said = explain(viewer(), SearchRequest("100元以内baowenbei"))["steps"]
    assert said[-1] == {"step": "rules", "query": "保温杯"}
    pin(shelf, operator, CUPS[3], "baowenbei")
    assert titles(find("baowenbei")) == [CUPS[3], *CUPS[:3]]
    assert titles(find("100元以内baowenbei"))[0] == CUPS[3]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_all_pages_are_of_one_arranged_list(shelf: World, operator: Actor, limit: int) -> None:
    pin(shelf, operator, QUILT, "保温杯", amount=3)
    pin(shelf, operator, CUPS[1], "保温杯", action=Action.BURY, amount=0)
    page = find("保温怀", limit=limit)
    found, totals = titles(page), {page.total}
    while page.next_cursor is not None:
        page = find("保温怀", limit=limit, cursor=page.next_cursor)
        found += titles(page)
        totals.add(page.total)
    assert found == [CUPS[0], CUPS[2], QUILT, CUPS[3], CUPS[1]]
    assert totals == {5}


def test_a_preview_shows_and_marks_the_rules_of_what_is_searched_for(
    shelf: World, operator: Actor
) -> None:
    pin(shelf, operator, QUILT, "保温杯")
    target = Target(query="baowenbei")

    shown = preview(viewer=viewer(), target=target)

    assert titles(shown.present.result) == [QUILT, *CUPS] == titles(shown.draft.result)
    marked = {shelf.public(QUILT): Action.PIN}
    assert (shown.present.actions, shown.draft.actions, shown.drafts) == (marked, marked, 0)

    pin(shelf, operator, CUPS[2], "baowenbei", publish=False)
    shown = preview(viewer=viewer(), target=target)
    assert titles(shown.present.result) == [QUILT, *CUPS]
    assert titles(shown.draft.result) == [CUPS[2], CUPS[0], CUPS[1], CUPS[3]]
    assert shown.draft.actions == {shelf.public(CUPS[2]): Action.PIN}
    assert shown.drafts == 1
    # The drafts of another list are not in question.
    pin(shelf, operator, CUPS[3], "保温杯", publish=False)
    assert titles(preview(viewer=viewer(), target=target).draft.result)[0] == CUPS[2]
