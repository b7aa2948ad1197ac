"""The second stage, and the weights that it takes."""

from itertools import pairwise
from typing import Any

import pytest

from search.engines.base import Candidate
from search.ranking import FEATURES, RankedQuery, features, order
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


def candidate(
    title: str, *, extra: str = "", sales: int = 0, in_stock: bool = True, category_id: int = 0
) -> Candidate:
    return Candidate(" ".join(title), " ".join(extra), sales, in_stock, category_id)


def named(title: str, **fields: Any) -> dict[str, float]:
    found = features(query(), candidate(title, **fields), engine_share=0.5)
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
    with_rare = features(rare, candidate("杯"), engine_share=0)[0]
    without = features(rare, candidate("保温"), engine_share=0)[0]

    assert (with_rare, without) == (0.8, 0.2)


def test_extra_text_counts_only_what_the_title_lacks() -> None:
    assert named("保温壶", extra="杯保")["extra"] == pytest.approx(1 / 3)
    assert named("保温杯", extra="杯保")["extra"] == 0


def test_sales_saturate() -> None:
    assert named("x")["sales"] == 0
    assert named("x", sales=200)["sales"] == 0.5
    assert named("x", sales=10**9)["sales"] < 1


def test_order_is_by_rank_and_keeps_the_engines_order_among_equals() -> None:
    weights = get_weights().second_stage
    found = order(
        [query()],
        [candidate("茶碗"), candidate("保温杯"), candidate("茶碗"), candidate("杯子")],
        [1.0, 1.0, 1.0, 1.0],
        weights,
    )

    assert found == [1, 3, 0, 2]
    assert order([query()], [], [], weights) == []


def test_weights_are_checked() -> None:
    good: dict[str, Any] = {
        "strict_enough": 1,
        "candidates": 10,
        "first_stage": {"chars": 1, "grams": 1, "words": 1, "pinyin": 1},
        "second_stage": dict.fromkeys(FEATURES, 1),
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
    )

    assert found == [1, 0]
