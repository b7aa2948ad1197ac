"""The shelves of a product page, over a small catalogue in a real database and a real index."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from enterprises.services.eligibility import Viewer
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from search.engines import elasticsearch, embedded
from search.engines.base import EngineQuery, TokenField
from search.similar import bought_together, score_title, similar_goods
from search.tokens import tokenise_query
from shop.rules import GoodsRule
from shop.services.companions import Basket, count_baskets
from tests.factories.people import build_person
from tests.integration.search.world import (
    World,
    add_product,
    change_product,
    index,
    set_offers,
    viewer,
)

QUILT = "云川桑蚕丝被双人夏凉被"


@pytest.fixture
def shelf(world: World) -> World:
    """Quilts, of which some are of silk, and other things."""
    add_product(world, QUILT, brand="云川", sold=3)
    for title in ("山岚羽绒被加厚冬被", "眠山桑蚕丝被春秋被", "云川大豆纤维被四季被"):
        add_product(world, title, offers=[("north", 12_000, 3), ("south", 11_000, 3)])
    add_product(world, "青柠桑蚕丝夏凉被单人", offers=[("south", 9_000, 2)])
    add_product(world, "棉麻空调被", offers=[("south", 9_000, 2)])
    add_product(world, "桑蚕丝枕头枕芯", category="bedding.pillow")
    add_product(world, "乳胶枕护颈枕", category="bedding.pillow")
    add_product(world, "青禾龙井绿茶礼盒", category="tea.green-tea")
    index(world)
    return world


def like(world: World, title: str = QUILT, *, who: Viewer | None = None, limit: int = 10) -> Any:
    return similar_goods(viewer=who or viewer(), product_id=world.public(title), limit=limit)


def beside(world: World, title: str = QUILT, *, who: Viewer | None = None, limit: int = 10) -> Any:
    return bought_together(viewer=who or viewer(), product_id=world.public(title), limit=limit)


def titles(shelf: Any) -> list[str]:
    return [item.title for item in shelf.items]


def buy(world: World, *baskets: tuple[str, ...]) -> None:
    """Each basket by two people."""
    with write_transaction():
        people = [build_person().id for _ in range(2)]
        for number, basket in enumerate(baskets):
            goods = tuple(world.public(title) for title in basket)
            for person in people:
                count_baskets([Basket(f"ord_{number}_{person}", person, goods)])


def test_the_rarest_words_in_common_come_first(shelf: World) -> None:
    found = titles(like(shelf))

    assert found[:2] == ["青柠桑蚕丝夏凉被单人", "眠山桑蚕丝被春秋被"]
    assert set(found) == {
        "青柠桑蚕丝夏凉被单人",
        "眠山桑蚕丝被春秋被",
        "云川大豆纤维被四季被",
        "山岚羽绒被加厚冬被",
        "棉麻空调被",
    }


def test_the_product_itself_and_other_categories_are_not_there(shelf: World) -> None:
    for title in shelf.products:
        assert title not in titles(like(shelf, title))
    assert "桑蚕丝枕头枕芯" not in titles(like(shelf))


def test_too_few_of_a_category_are_filled_up_from_the_one_above(shelf: World) -> None:
    found = titles(like(shelf, "桑蚕丝枕头枕芯"))

    assert found[0] == "乳胶枕护颈枕"
    assert set(found[1:4]) == {QUILT, "眠山桑蚕丝被春秋被", "青柠桑蚕丝夏凉被单人"}
    assert len(found) == len(set(found)) == 5
    assert titles(like(shelf, "青禾龙井绿茶礼盒")) == []


def test_no_more_than_asked_for(shelf: World) -> None:
    assert titles(like(shelf, limit=2)) == ["青柠桑蚕丝夏凉被单人", "眠山桑蚕丝被春秋被"]
    assert len(like(shelf, "桑蚕丝枕头枕芯", limit=3).items) == 3
    assert titles(like(shelf, "桑蚕丝枕头枕芯", limit=1)) == ["乳胶枕护颈枕"]


def _without(world: World, merchant: str) -> Viewer:
    rule = GoodsRule(exclude={"merchants": frozenset({world.merchants[merchant]})})
    return viewer(rule, version=2)


def test_what_a_programme_hides_is_on_neither_shelf(shelf: World) -> None:
    goods = (QUILT, "眠山桑蚕丝被春秋被", "青柠桑蚕丝夏凉被单人", "棉麻空调被")
    buy(shelf, goods)
    person = _without(shelf, "south")

    assert titles(beside(shelf)) == list(goods[1:])
    assert titles(beside(shelf, who=person)) == ["眠山桑蚕丝被春秋被"]
    found = like(shelf, who=person)
    assert set(titles(found)) & {"青柠桑蚕丝夏凉被单人", "棉麻空调被"} == set()
    # Nor does what is hidden take the place of what is not.
    assert titles(like(shelf, who=person, limit=3)) == titles(found)[:3]
    # Of what two merchants sell, the price of the one that may be seen.
    assert {item.price_minor for item in found.items} == {10_000, 12_000}
    assert {m.name for item in found.items for m in item.merchants} == {"north"}


def test_shelves_of_what_one_may_not_see_are_not_found(shelf: World) -> None:
    hidden = shelf.public("青柠桑蚕丝夏凉被单人")
    for read in (similar_goods, bought_together):
        for person, product_id in (
            (_without(shelf, "south"), hidden),
            (viewer(), "prd_none"),
            (viewer(), ""),
        ):
            with pytest.raises(NotFound):
                read(viewer=person, product_id=product_id, limit=10)
    change_product(shelf.products[QUILT], state="hidden")
    with pytest.raises(NotFound):
        like(shelf)


def test_price_stock_and_state_are_read_again(shelf: World) -> None:
    first, second = "青柠桑蚕丝夏凉被单人", "眠山桑蚕丝被春秋被"
    buy(shelf, (QUILT, first, second, "棉麻空调被"))
    set_offers(shelf.products[first], price_minor=7_700)
    set_offers(shelf.products[second], state="off")

    for found in (like(shelf), beside(shelf)):
        assert second not in titles(found)
        assert {i.price_minor for i in found.items if i.title == first} == {7_700}
    # A product that is sold out has shelves, and stands on none.
    gone = add_product(shelf, "雪青桑蚕丝被", offers=[("north", 9_000, 0)])
    index(shelf)
    buy(shelf, (QUILT, "雪青桑蚕丝被"))
    assert gone in shelf.products.values()
    assert "雪青桑蚕丝被" not in titles(like(shelf)) + titles(beside(shelf))
    assert titles(like(shelf, "雪青桑蚕丝被"))[0] != "雪青桑蚕丝被"
    assert titles(beside(shelf, "雪青桑蚕丝被")) == [QUILT]


def test_bought_together_is_cut_after_what_is_hidden(shelf: World) -> None:
    first, second, third = "青柠桑蚕丝夏凉被单人", "棉麻空调被", "眠山桑蚕丝被春秋被"
    buy(shelf, (QUILT, first, second, third), (QUILT, first, second))

    assert titles(beside(shelf, limit=2)) == [first, second]
    assert titles(beside(shelf, who=_without(shelf, "south"), limit=1)) == [third]


def test_pots_are_marked_as_on_a_page_of_results(shelf: World) -> None:
    pot = GoodsRule(include={"categories": frozenset({shelf.categories["bedding.pillow"]})})
    person = viewer(pots=[("pot_pillow", pot)])

    for item in like(shelf, "桑蚕丝枕头枕芯", who=person).items:
        (mark,) = item.pots
        assert mark.eligible == (item.category.name != "被子")


# --- what it costs ---------------------------------------------------------------------------


@contextmanager
def counted() -> Iterator[list[str]]:
    """Statements that are sent meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN") and "FROM clock_offset" not in statement:
            found.append(statement)

    engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[EngineQuery]:
    """Every request to the engine, which answers it as always."""
    queries: list[EngineQuery] = []

    def watch(kind: Any) -> None:
        plain = kind.search

        def search(view: Any, query: EngineQuery) -> Any:
            queries.append(query)
            return plain(view, query)

        monkeypatch.setattr(kind, "search", search)
        for name in ("count", "counts", "statistics", "candidates"):
            monkeypatch.setattr(kind, name, None)

    watch(embedded.EmbeddedView)
    watch(elasticsearch.ElasticsearchView)
    return queries


def test_one_request_and_few_statements_whatever_is_found(
    app: Flask, shelf: World, asked: list[EngineQuery]
) -> None:
    buy(shelf, (QUILT, "青柠桑蚕丝夏凉被单人", "棉麻空调被"))
    product_id = shelf.public(QUILT)
    like(shelf)  # names are remembered for a while
    db.session.rollback()
    for limit in (1, 10):
        asked.clear()
        # The product's inside id, the product, and the goods found.
        with counted() as sent:
            similar_goods(viewer=viewer(), product_id=product_id, limit=limit)
        assert (len(sent), len(asked)) == (3, 1), sent
        asked.clear()
        with counted() as sent:
            bought_together(viewer=viewer(), product_id=product_id, limit=limit)
        assert (len(sent), len(asked)) == (4, 0), sent
    asked.clear()
    like(shelf, "桑蚕丝枕头枕芯")
    assert len(asked) == 2


def test_a_title_is_scored_by_words_models_and_pairs() -> None:
    scored = score_title(tokenise_query("小米 K203X 保温杯 500ml A"))

    fields = {field: {s.value for s in scored if s.field is field} for field in TokenField}
    assert fields[TokenField.CHARS] == {"k203x", "500ml"}
    assert {"小米", "保温杯"} <= fields[TokenField.WORDS]
    assert {"保温", "温杯"} <= fields[TokenField.GRAMS]
    assert not any(value.isascii() for value in fields[TokenField.GRAMS])
    assert score_title(tokenise_query("？！")) == ()


def test_a_title_without_any_token_has_a_shelf_all_the_same(shelf: World) -> None:
    add_product(shelf, "★")
    index(shelf)

    assert len(like(shelf, "★").items) == 6


def test_the_bound_of_a_shelf_holds_for_very_long_titles() -> None:
    title = "".join(chr(0x4E00 + number) for number in range(0, 3_000, 7))

    assert len(score_title(tokenise_query(title))) <= 150
