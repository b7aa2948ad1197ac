"""Measures of relevance, and the filler that they are taken beside."""

import math
from pathlib import Path

import pytest

from search.engines.embedded import EmbeddedEngine
from search.evaluate import (
    BadLabels,
    Labels,
    bootstrap_interval,
    fill_scratch,
    measure,
    percentile,
    scratch_finder,
)
from search.filler import AnswersUnknown, recombine
from search.weights import get_weights

_TITLES = ["云川双层保温杯大容量", "山岚蚕丝被春秋被芯", "北屿挂耳咖啡深度烘焙", "青禾龙井绿茶礼盒"]
_LABELS = Labels.from_json(
    {
        "queries": [
            {"query": "蚕丝被", "relevant": ["山岚蚕丝被春秋被芯"], "set": "a"},
            {"query": "咖啡", "relevant": ["北屿挂耳咖啡深度烘焙", "没有这一件"], "set": "b"},
            {"query": "不存在的", "relevant": ["没有这一件"], "set": "b"},
        ],
        "titles": _TITLES,
    }
)


def test_measures_by_hand() -> None:
    answers = {
        "蚕丝被": ["x", "山岚蚕丝被春秋被芯"],
        "咖啡": ["北屿挂耳咖啡深度烘焙"],
        "不存在的": [],
    }

    report = measure(_LABELS, answers.__getitem__)

    assert report["a"]["queries"] == 1
    assert report["a"]["mrr_at_10"] == 0.5
    assert report["a"]["ndcg_at_10"] == round(1 / math.log2(3), 4)
    assert report["b"]["mrr_at_10"] == 0.5
    assert report["b"]["recall_at_100"] == 0.25
    assert report["b"]["ndcg_at_10"] == round(1 / (1 + 1 / math.log2(3)) / 2, 4)
    assert report["b"]["failed"] == ["不存在的"]
    assert set(report["a"]) == {
        "queries",
        "mrr_at_10",
        "mrr_at_10_interval",
        "ndcg_at_10",
        "recall_at_100",
        "p50_ms",
        "p99_ms",
        "failed",
    }


def test_an_answer_below_the_tenth_place_does_not_count() -> None:
    late = ["x"] * 10 + ["山岚蚕丝被春秋被芯"]

    report = measure(_LABELS, lambda _query: late)

    assert report["a"]["mrr_at_10"] == 0
    assert report["a"]["recall_at_100"] == 1


def test_percentiles_and_intervals() -> None:
    assert percentile([5.0, 1.0, 3.0], 50) == 3.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert percentile([], 50) == 0.0
    assert bootstrap_interval([0.5] * 10) == (0.5, 0.5)
    low, high = bootstrap_interval([0.0, 1.0] * 50)
    assert 0.38 < low < 0.45
    assert 0.55 < high < 0.62


@pytest.mark.parametrize("value", [None, [], {}, {"queries": [{}]}, {"queries": []}])
def test_other_files_are_refused(value: object) -> None:
    with pytest.raises(BadLabels):
        Labels.from_json(value)


def test_recombined_titles_are_reproducible_and_real_pieces() -> None:
    first = list(recombine(_TITLES, count=50, seed=7))

    assert first == list(recombine(_TITLES, count=50, seed=7))
    assert first != list(recombine(_TITLES, count=50, seed=8))
    assert len(first) == 50
    assert all(any(title[:2] == real[:2] for real in _TITLES) for title in first)


def test_a_title_with_every_word_of_a_query_has_an_unknown_answer() -> None:
    unknown = AnswersUnknown(["保温杯 大容量", "！"], sample=_TITLES)

    assert "大容量学生保温杯" in unknown
    assert "保温壶大容量" not in unknown
    assert "" not in unknown


def test_a_scratch_index_leaves_unknown_answers_out_and_finds_the_labelled(tmp_path: Path) -> None:
    engine = EmbeddedEngine(tmp_path / "scratch")
    scratch = fill_scratch(engine, _LABELS, filler=200, real_titles=_TITLES)

    report = measure(_LABELS, scratch_finder(engine.view(), scratch, get_weights()))

    left = [t for t in recombine(_TITLES, count=200) if "蚕丝被" in t or "咖啡" in t]
    assert scratch.left_out == len(left) > 0
    assert report["a"]["mrr_at_10"] == 1.0
    assert report["b"]["mrr_at_10"] == 0.5
    engine.close()
