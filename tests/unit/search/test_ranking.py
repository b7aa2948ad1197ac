"""The second stage, and the weights that it takes."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.engines.base import Candidate
from search.ranking import FEATURES, Among, RankedQuery, feature_rows, features, order
from search.weights import Weights, get_weights


def query(text: str = "保温杯", **fields: Any) -> RankedQuery:
    units = tuple(text)
    values: dict[str, Any] = {
        "units": dict.fromkeys(units, 1.0),
        "grams": {left + right: 1.0 for left, right in pairwise(units)},
        "words": {text: 1.0},
        "latin": frozenset(),
        "head": text[-1],
        "joined": text,
    }
    values.update(fields)
    return RankedQuery(**values)


NOW = 1_800_000_000
AMONG = Among(best_score=2.0, usual_price=10_000, now=NOW)


def candidate(title: str, **fields: Any) -> Candidate:
    plain = Candidate(
        title=" ".join(title),
        extra=" ".join(fields.pop("extra", "")),
        sales=0,
        in_stock=True,
        category_id=0,
        merchant_id=1,
        price_minor=10_000,
        created_at=NOW,
    )
    return plain._replace(**fields)


def named(title: str, **fields: Any) -> dict[str, float]:
    found = features(query(), candidate(title, **fields), 1.0, AMONG)
    return dict(zip(FEATURES, found, strict=True))


def test_a_whole_match_has_full_marks() -> None:
    found = named("双层保温杯")

    assert (found["chars"], found["grams"], found["words"], found["close"]) == (1, 1, 1, 1)
    assert (found["exact"], found["head"], found["engine"], found["stock"]) == (1, 1, 0.5, 1)


def test_scattered_characters_are_worth_less_than_neighbours() -> None:
    found = named("杯子保暖恒温")

    assert found["chars"] == 1
    assert (found["grams"], found["words"], found["exact"]) == (0, 0, 0)
    assert found["close"] == pytest.approx(3 / 6)


def test_the_shortest_stretch_counts() -> None:
    assert named("保xxxxx温保杯")["close"] == 1
    assert named("保")["close"] == pytest.approx(1 / 3)
    assert named("碗")["close"] == 0


def test_rare_characters_weigh_more() -> None:
    rare = query(units={"保": 1.0, "温": 1.0, "杯": 8.0})
    with_rare = features(rare, candidate("杯"), 0.0, AMONG)[0]
    without = features(rare, candidate("保温"), 0.0, AMONG)[0]

    assert (with_rare, without) == (0.8, 0.2)


def test_extra_text_counts_only_what_the_title_lacks() -> None:
    assert named("保温壶", extra="杯保")["extra"] == pytest.approx(1 / 3)
    assert named("保温杯", extra="杯保")["extra"] == 0


def test_sales_saturate() -> None:
    assert named("x")["sales"] == 0
    assert named("x", sales=200)["sales"] == 0.5
    assert named("x", sales=10**9)["sales"] < 1


def test_what_is_new_is_fresh_for_some_months() -> None:
    assert named("x")["fresh"] == 1
    assert named("x", created_at=NOW + 60)["fresh"] == 1
    assert named("x", created_at=NOW - 30 * 86_400)["fresh"] == 0.5
    assert named("x", created_at=0)["fresh"] < 0.002


def test_a_price_far_from_all_others_is_doubted() -> None:
    assert named("x")["price"] == 1
    assert named("x", price_minor=100_000)["price"] == named("x", price_minor=1_000)["price"] == 1
    assert named("x", price_minor=316_228)["price"] == pytest.approx(0.5, abs=1e-5)
    assert named("x", price_minor=100)["price"] == named("x", price_minor=1_000_000)["price"] == 0
    assert named("x", price_minor=1)["price"] == named("x", price_minor=10**9)["price"] == 0
    # What else was found decides what is usual.
    rows = feature_rows(
        query(),
        [candidate("保温杯", price_minor=each) for each in (100, 90, 9_000)],
        [1.0] * 3,
        NOW,
    )
    assert rows[0][FEATURES.index("price")] == 1


def test_close_ranks_of_several_merchants_take_turns_on_the_first_page() -> None:
    weights = get_weights().second_stage
    goods = [candidate("保温杯", merchant_id=each) for each in (1, 1, 1, 2)]
    far = [*goods[:3], candidate("茶碗", merchant_id=2)]

    def ordered(candidates: list[Candidate], variety: float) -> list[int]:
        scores = [1.0] * len(candidates)
        return order([query()], candidates, scores, weights, now=NOW, variety=variety)

    assert ordered(goods, 0.0) == [0, 1, 2, 3]
    assert ordered(goods, 0.05) == [0, 3, 1, 2]
    # Who sells something else is not shown for the sake of variety.
    assert ordered(far, 0.05) == [0, 1, 2, 3]
    assert ordered(goods[:3], 0.05) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=60))
def test_variety_loses_and_repeats_nothing(goods: list[tuple[int, int]]) -> None:
    titles = ("茶碗", "杯子", "温杯", "保温杯")
    candidates = [candidate(titles[kind], merchant_id=merchant) for merchant, kind in goods]
    scores = [1.0] * len(candidates)
    found = order([query()], candidates, scores, get_weights().second_stage, now=NOW, variety=0.05)

    assert sorted(found) == list(range(len(goods)))


def test_order_is_by_rank_and_keeps_the_engines_order_among_equals() -> None:
    weights = get_weights().second_stage
    found = order(
        [query()],
        [candidate("茶碗"), candidate("保温杯"), candidate("茶碗"), candidate("杯子")],
        [1.0, 1.0, 1.0, 1.0],
        weights,
        now=NOW,
    )

    assert found == [1, 3, 0, 2]
    assert order([query()], [], [], weights, now=NOW) == []


def test_weights_are_checked() -> None:
    good: dict[str, Any] = {
        "strict_enough": 1,
        "candidates": 10,
        "first_stage": {"chars": 1, "grams": 1, "words": 1, "pinyin": 1},
        "second_stage": dict.fromkeys(FEATURES, 1),
        "variety": 0.5,
    }
    assert Weights.from_json(good).second_stage == (1.0,) * len(FEATURES)

    with pytest.raises(ValueError, match="colour"):
        Weights.from_json({**good, "second_stage": {**good["second_stage"], "colour": 1}})
    with pytest.raises(KeyError):
        Weights.from_json({**good, "second_stage": {}})


def test_goods_of_the_category_that_is_named_come_before_its_accessories() -> None:
    phone = query("手机", intent=frozenset({7}))
    weights = get_weights().second_stage
    found = order(
        [phone],
        [candidate("手机壳", category_id=8), candidate("智能手机", category_id=7)],
        [1.0, 1.0],
        weights,
        now=NOW,
    )

    assert found == [1, 0]
