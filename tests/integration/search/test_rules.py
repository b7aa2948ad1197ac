"""Rules of result lists on a real database and a real index."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from enterprises.services.eligibility import Viewer
from kernel import clock
from kernel.audit.models import AuditEntry
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import InvalidInput, NotFound
from search import queries, rules
from search.engines.choice import get_engine
from search.merchandising import Action
from search.models import SearchRule
from search.previews import preview
from search.requests import SearchRequest, SortBy
from search.rules import (
    RuleExists,
    RuleInput,
    RulePublished,
    RuleState,
    RuleView,
    Target,
    TooManyRules,
    add_rule,
    change_rule,
    delete_rule,
    find_target,
    list_rules,
    publish_rules,
    withdraw_rule,
)
from search.services import SearchResult, search
from search.weights import Weights, get_weights
from shop.rules import GoodsRule
from tests.factories.people import build_operator
from tests.integration.search.world import World, add_product, change_product, index, viewer

QUILTS = tuple(f"云川蚕丝被{number}号" for number in range(8))
TEAS = tuple(f"青禾龙井绿茶{number}号" for number in range(3))
NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)


@pytest.fixture
def shelf(world: World) -> World:
    """Eight quilts, the first of which sells best, three teas and an operator."""
    for place, title in enumerate(QUILTS):
        add_product(world, title, brand="云川", sold=100 - place)
    for place, title in enumerate(TEAS):
        add_product(world, title, category="tea.green-tea", brand="青禾", sold=50 - place)
    index(world)
    return world


@pytest.fixture
def operator(shelf: World) -> Actor:
    with write_transaction():
        return build_operator()


def a_rule(world: World, title: str, query: str = "蚕丝被", **fields: Any) -> RuleInput:
    given: dict[str, Any] = {
        "query": query,
        "category": "",
        "product_id": world.public(title),
        "action": Action.PIN,
        "amount": 1,
        "valid_from": None,
        "valid_until": None,
        "publish": True,
    }
    return RuleInput(**(given | fields))


def add(actor: Actor, data: RuleInput) -> RuleView:
    with write_transaction():
        return add_rule(actor=actor, data=data)


def bury(world: World, title: str, query: str = "蚕丝被", **fields: Any) -> RuleInput:
    return a_rule(world, title, query, action=Action.BURY, amount=0, **fields)


def find(text: str = "蚕丝被", who: Viewer | None = None, **fields: Any) -> SearchResult:
    request = dataclasses.replace(SearchRequest(text, limit=100), **fields)
    return search(viewer=who or viewer(), request=request)


def titles(result: SearchResult) -> list[str]:
    return [item.title for item in result.items]


def all_pages(text: str, limit: int, **fields: Any) -> tuple[list[str], set[int]]:
    """The titles of all pages, and every total that they told."""
    found, totals, cursor = [], set(), ""
    while True:
        page = find(text, limit=limit, cursor=cursor, **fields)
        found += titles(page)
        totals.add(page.total)
        if page.next_cursor is None:
            return found, totals
        cursor = page.next_cursor


def counts(result: SearchResult, facet: str) -> dict[str, int]:
    return {value.label: value.count for value in result.facets[facet]}


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that is sent meanwhile."""
    sent: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(db.engines["read"], "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(db.engines["read"], "before_cursor_execute", hear)


# --- live without a rebuild ----------------------------------------------------------------


def test_rules_order_a_list_at_once_and_leave_its_numbers_alone(
    shelf: World, operator: Actor
) -> None:
    before = find()
    assert titles(before) == list(QUILTS)
    state = get_engine().state()

    pinned = add(operator, a_rule(shelf, QUILTS[6], amount=2))
    add(operator, bury(shelf, QUILTS[0]))
    add(operator, a_rule(shelf, QUILTS[7], action=Action.BOOST, amount=50))

    result = find()
    assert titles(result) == [
        QUILTS[1], QUILTS[6], QUILTS[2], QUILTS[7], QUILTS[3], QUILTS[4], QUILTS[5], QUILTS[0],
    ]  # fmt: skip
    assert (result.total, result.facets) == (before.total, before.facets)
    assert get_engine().state() == state

    with write_transaction():
        delete_rule(actor=operator, rule_id=pinned.public_id)
    assert titles(find())[1] != QUILTS[6]


def test_other_words_and_other_orders_are_left_alone(shelf: World, operator: Actor) -> None:
    add(operator, a_rule(shelf, QUILTS[6]))
    assert titles(find("云川蚕丝被")) == list(QUILTS)
    assert titles(find(sort=SortBy.SALES)) == list(QUILTS)
    assert titles(find("  蚕丝被 "))[0] == QUILTS[6]


def test_a_pin_that_the_words_do_not_find_is_counted_like_those_they_do(
    shelf: World, operator: Actor
) -> None:
    add(operator, a_rule(shelf, TEAS[0], amount=3))

    result = find()

    assert titles(result) == [*QUILTS[:2], TEAS[0], *QUILTS[2:]]
    assert result.total == 9
    assert counts(result, "brand") == {"云川": 8, "青禾": 1}
    assert sum(value.count for value in result.facets["price"]) == 9
    green = next(value for value in result.facets["category"] if value.label == "绿茶")
    # Each facet's count is what the click finds, the pin included (E3).
    clicked = find(categories=(green.value,))
    assert (green.count, titles(clicked), clicked.total) == (1, [TEAS[0]], 1)
    assert counts(clicked, "brand") == {"青禾": 1}
    brand = next(value for value in result.facets["brand"] if value.label == "云川")
    narrowed = find(brands=(brand.value,))
    assert (titles(narrowed), narrowed.total) == (list(QUILTS), 8)
    assert counts(narrowed, "brand") == {"云川": 8, "青禾": 1}


def test_a_query_that_found_nothing_finds_its_pin(shelf: World, operator: Actor) -> None:
    assert find("zzqqxx").total == 0
    add(operator, a_rule(shelf, TEAS[1], "zzqqxx", amount=4))
    result = find("zzqqxx")
    assert (titles(result), result.total) == ([TEAS[1]], 1)


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
def test_the_total_is_the_number_of_goods_over_all_pages(
    shelf: World, operator: Actor, limit: int
) -> None:
    add(operator, a_rule(shelf, TEAS[0], amount=2))
    add(operator, a_rule(shelf, QUILTS[5], amount=3))
    add(operator, bury(shelf, QUILTS[1]))

    found, totals = all_pages("蚕丝被", limit)

    assert totals == {9}
    assert len(found) == len(set(found)) == 9
    assert found[:3] == [QUILTS[0], TEAS[0], QUILTS[5]]
    assert found[-1] == QUILTS[1]


def few(monkeypatch: pytest.MonkeyPatch, candidates: int, end: int = 1_000) -> Weights:
    """Only the head of a list is ranked, so that a small catalogue has long lists."""
    weights = dataclasses.replace(get_weights(), candidates=candidates)
    for module in ("search.services", "search.merchandising"):
        monkeypatch.setattr(f"{module}.get_weights", lambda: weights)
    monkeypatch.setattr(queries, "LIST_END", end)
    return weights


def test_a_list_of_which_only_the_head_was_ranked_is_arranged_as_a_whole(
    shelf: World, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, candidates=3)
    add(operator, bury(shelf, QUILTS[0]))
    found, totals = all_pages("蚕丝被", 2)
    assert (sorted(found), totals) == (sorted(QUILTS), {8})
    assert found[-1] == QUILTS[0]

    add(operator, a_rule(shelf, QUILTS[7]))
    add(operator, a_rule(shelf, TEAS[2], amount=2))
    found, totals = all_pages("蚕丝被", 2)
    assert (sorted(found), totals) == (sorted((*QUILTS, TEAS[2])), {9})
    assert (found[:2], found[-1]) == ([QUILTS[7], TEAS[2]], QUILTS[0])


def test_a_pin_from_beyond_the_end_of_a_list_is_found(
    shelf: World, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, candidates=3, end=4)
    last = titles(find())[-1]
    beyond = next(title for title in QUILTS if title not in titles(find()) and title != last)
    add(operator, a_rule(shelf, beyond))
    add(operator, a_rule(shelf, TEAS[0], amount=2))

    result = find()

    assert titles(result)[:2] == [beyond, TEAS[0]]
    assert (len(result.items), result.total) == (4, 9)


# --- who may see what ----------------------------------------------------------------------


def test_a_pinned_product_that_is_hidden_from_somebody_never_appears(
    shelf: World, operator: Actor
) -> None:
    add(operator, a_rule(shelf, TEAS[0]))
    add(operator, a_rule(shelf, QUILTS[3], amount=2))
    hides = {
        "categories": shelf.categories["tea.green-tea"],
        "brands": shelf.brands["青禾"],
    }
    for what, number in hides.items():
        rule = GoodsRule(exclude={what: frozenset({number})})
        result = find(who=viewer(rule))
        assert titles(result)[:2] == [QUILTS[0], QUILTS[3]]
        assert result.total == 8
        assert TEAS[0] not in titles(result)
        assert "青禾" not in counts(result, "brand")
    pot = GoodsRule(include={"categories": frozenset({shelf.categories["bedding.quilt"]})})
    payable = find(who=viewer(pots=[("pot_quilt", pot)]), pot="pot_quilt")
    assert (payable.total, TEAS[0] in titles(payable)) == (8, False)


def test_a_pin_that_is_not_for_sale_does_not_appear(shelf: World, operator: Actor) -> None:
    add(operator, a_rule(shelf, TEAS[0]))
    change_product(shelf.products[TEAS[0]], state="hidden")
    index(shelf)
    result = find()
    assert (titles(result), result.total) == (list(QUILTS), 8)


def test_chosen_facets_hold_for_pins(shelf: World, operator: Actor) -> None:
    add(operator, a_rule(shelf, TEAS[0]))
    assert titles(find(price_min=20_000)) == []
    assert titles(find(price_max=20_000))[0] == TEAS[0]


# --- dates ---------------------------------------------------------------------------------


def test_rules_hold_from_their_first_moment_until_before_their_last(
    shelf: World, operator: Actor
) -> None:
    begins, ends = NOW, NOW + timedelta(days=1)
    with clock.frozen(NOW - timedelta(days=1)):
        add(operator, a_rule(shelf, QUILTS[6], valid_from=begins, valid_until=ends))
    for at, first in (
        (begins - timedelta(seconds=1), QUILTS[0]),
        (begins, QUILTS[6]),
        (ends - timedelta(seconds=1), QUILTS[6]),
        (ends, QUILTS[0]),
    ):
        with clock.frozen(at):
            assert titles(find())[0] == first, at


# --- categories ----------------------------------------------------------------------------


def test_rules_of_a_category_order_its_page(shelf: World, operator: Actor) -> None:
    category = shelf.category_public("bedding.quilt")
    in_quilts = {"query": "", "category": category}
    assert titles(find("", categories=(category,))) == list(QUILTS)
    add(operator, a_rule(shelf, QUILTS[5], **in_quilts))
    add(operator, bury(shelf, QUILTS[0], **in_quilts))

    found, totals = all_pages("", 3, categories=(category,))

    assert found == [QUILTS[5], *QUILTS[1:5], *QUILTS[6:], QUILTS[0]]
    assert totals == {8}
    page = find("", categories=(category,))
    assert counts(page, "brand") == {"云川": 8}
    # Another order, other words and another list are a person's own choice.
    assert titles(find("", categories=(category,), sort=SortBy.SALES)) == list(QUILTS)
    assert titles(find("蚕丝被", categories=(category,))) == list(QUILTS)
    tea = shelf.category_public("tea.green-tea")
    assert titles(find("", categories=(category, tea)))[0] == QUILTS[0]


def test_a_category_takes_no_products_of_others(shelf: World, operator: Actor) -> None:
    category = shelf.category_public("bedding.quilt")
    with pytest.raises(InvalidInput, match="规则有误") as refused:
        add(operator, a_rule(shelf, TEAS[0], query="", category=category))
    assert refused.value.errors == [{"field": "product_id", "message": "这件商品不在这个类目里"}]


# --- drafts, previews, publishing ----------------------------------------------------------


def test_drafts_are_seen_in_the_preview_alone_until_they_are_published(
    shelf: World, operator: Actor
) -> None:
    add(operator, a_rule(shelf, QUILTS[4], amount=1))
    add(operator, a_rule(shelf, QUILTS[4], amount=3, publish=False))
    add(operator, bury(shelf, QUILTS[0], publish=False))
    live = [QUILTS[4], *QUILTS[:4], *QUILTS[5:]]
    drafted = [QUILTS[1], QUILTS[2], QUILTS[4], QUILTS[3], *QUILTS[5:], QUILTS[0]]
    target = Target(query="蚕丝被")
    assert titles(find()) == live

    shown = preview(viewer=viewer(), target=target)

    assert titles(shown.present.result) == live
    assert titles(shown.draft.result) == drafted
    assert shown.drafts == 2
    pinned, buried = shelf.public(QUILTS[4]), shelf.public(QUILTS[0])
    assert shown.present.actions == {pinned: Action.PIN}
    assert shown.draft.actions == {pinned: Action.PIN, buried: Action.BURY}

    with write_transaction():
        assert publish_rules(actor=operator, target=target) == 2
    assert titles(find()) == drafted
    states = [
        (view.state, view.rule.amount)
        for _, view in list_rules(target=target, state=None, before=None, limit=9)
    ]
    assert states == [(RuleState.PUBLISHED, 0), (RuleState.PUBLISHED, 3)]
    assert list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.number))) == [
        *["search.rule_added"] * 3,
        "search.rule_deleted",
        *["search.rule_published"] * 2,
    ]


def test_what_is_in_force_is_withdrawn_before_it_is_changed(shelf: World, operator: Actor) -> None:
    rule = add(operator, a_rule(shelf, QUILTS[4]))
    changed = a_rule(shelf, QUILTS[4], amount=5)
    with pytest.raises(RulePublished), write_transaction():
        change_rule(actor=operator, rule_id=rule.public_id, data=changed)
    assert titles(find())[0] == QUILTS[4]

    with write_transaction():
        withdraw_rule(actor=operator, rule_id=rule.public_id)
    assert titles(find()) == list(QUILTS)
    with write_transaction():
        changed_view = change_rule(actor=operator, rule_id=rule.public_id, data=changed)
    assert (changed_view.rule.amount, changed_view.state) == (5, RuleState.DRAFT)


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 101}, "amount"),
        ({"action": Action.BOOST, "amount": 100}, "amount"),
        ({"action": Action.BURY, "amount": 1}, "amount"),
        ({"product_id": "prd_none"}, "product_id"),
        ({"query": "？！"}, "query"),
        ({"query": ""}, "query"),
        ({"query": "", "category": "cat_none"}, "category"),
        ({"valid_from": NOW, "valid_until": NOW}, "valid_until"),
    ],
)
def test_rules_that_say_nothing_are_refused(
    shelf: World, operator: Actor, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        add(operator, a_rule(shelf, QUILTS[0], **fields))
    assert [error["field"] for error in refused.value.errors] == [field]
    assert db.session.scalar(select(func.count()).select_from(SearchRule)) == 0
    assert db.session.scalar(select(func.count()).select_from(AuditEntry)) == 0


def test_a_product_has_one_rule_in_a_list(shelf: World, operator: Actor) -> None:
    add(operator, a_rule(shelf, QUILTS[0]))
    with pytest.raises(RuleExists):
        add(operator, bury(shelf, QUILTS[0], " 蚕丝被"))
    add(operator, bury(shelf, QUILTS[0], "羽绒被"))
    draft = add(operator, bury(shelf, QUILTS[0], publish=False))
    [(_, live)] = list_rules(
        target=find_target(query="蚕丝被", category=""),
        state=RuleState.PUBLISHED,
        before=None,
        limit=9,
    )
    with pytest.raises(RuleExists), write_transaction():
        withdraw_rule(actor=operator, rule_id=live.public_id)
    with write_transaction():
        delete_rule(actor=operator, rule_id=draft.public_id)
        withdraw_rule(actor=operator, rule_id=live.public_id)


def test_there_is_an_end_to_their_number(
    shelf: World, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_RULES_OF_LIST", 1)
    add(operator, a_rule(shelf, QUILTS[0]))
    with pytest.raises(TooManyRules):
        add(operator, a_rule(shelf, QUILTS[1]))
    monkeypatch.setattr(rules, "MAX_RULES", 1)
    with pytest.raises(TooManyRules):
        add(operator, a_rule(shelf, QUILTS[1], "羽绒被"))


def test_what_is_not_there_is_not_found(shelf: World, operator: Actor) -> None:
    for refuse in (
        lambda: delete_rule(actor=operator, rule_id="srl_none"),
        lambda: withdraw_rule(actor=operator, rule_id="srl_none"),
        lambda: change_rule(actor=operator, rule_id="srl_none", data=a_rule(shelf, QUILTS[0])),
    ):
        with pytest.raises(NotFound), write_transaction():
            refuse()


# --- what it costs -------------------------------------------------------------------------


def test_a_search_asks_the_database_about_rules_once_in_five_seconds(
    shelf: World, operator: Actor
) -> None:
    rules._remembered.forget()
    with statements() as sent:
        find()
        first = [text for text in sent if "search_rule" in text]
        for text in ("蚕丝被", "绿茶", "zzqqxx"):
            find(text)
    assert len(first) == 1
    assert [text for text in sent if "search_rule" in text] == first


def test_without_rules_the_engine_is_asked_as_before(
    shelf: World, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = type(get_engine().view())
    asked: list[object] = []
    plain = view.search

    def hear(self: Any, query: Any) -> Any:
        asked.append(query)
        return plain(self, query)

    monkeypatch.setattr(view, "search", hear)
    find()
    without = len(asked)
    add(operator, bury(shelf, QUILTS[0]))
    find()
    assert len(asked) == 2 * without
    add(operator, a_rule(shelf, QUILTS[3]))
    find()
    assert len(asked) == 3 * without + 1
