"""The steps from what was typed to what is searched for, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.tokens import normalise, tokenise, tokenise_query
from search.understanding.measures import write_measures
from search.understanding.prices import PriceWords, price_words
from search.understanding.script import simplify
from search.understanding.similar_letters import mixed_up


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("500毫升", "500ml"),
        ("500 ml 保温杯", "500ml 保温杯"),
        ("1.5升 热水壶", "1.5l 热水壶"),
        ("2公斤大米", "2kg大米"),
        ("10000毫安时", "10000mah"),
        ("3升级版", "3升级版"),
        ("5克拉钻戒", "5克拉钻戒"),
        ("毫升", "毫升"),
        ("4 kgs", "4 kgs"),
    ],
)
def test_sizes_are_written_alike(typed: str, meant: str) -> None:
    assert write_measures(typed) == meant


def test_a_size_is_one_token_in_titles_and_queries() -> None:
    assert "500ml" in tokenise("富光保温杯500毫升").chars.split()
    assert tokenise_query("500 ML").units == ("500ml",)


def test_traditional_letters_are_read_as_simplified_ones() -> None:
    assert simplify("華為手機殼") == "华为手机壳"
    assert normalise("ＨＵＡＷＥＩ 華為") == "huawei 华为"


@given(st.text())
def test_simplifying_keeps_the_length(text: str) -> None:
    assert len(simplify(text)) == len(text)
    assert simplify(simplify(text)) == simplify(text)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("100元以内的保温杯", PriceWords("100元以内", None, 10_000, "保温杯")),
        ("保温杯 50-100元", PriceWords("50-100元", 5_000, 10_000, "保温杯")),
        ("50元到99.9元 茶叶", PriceWords("50元到99.9元", 5_000, 9_990, "茶叶")),
        ("不超过200块的枕头", PriceWords("不超过200块", None, 20_000, "枕头")),
        ("茶叶 300元以上", PriceWords("300元以上", 30_000, None, "茶叶")),
        ("100元以内", None),
        ("100-50元 茶叶", None),
        ("尺寸 50-100 厘米", None),
        ("1000片以上拼图", None),
        ("保温杯", None),
    ],
)
def test_words_about_a_price(typed: str, found: PriceWords | None) -> None:
    assert price_words(typed) == found


def test_letters_that_are_easily_mixed_up() -> None:
    assert mixed_up("司", "丝")  # one sound
    assert mixed_up("山", "三")  # sh and s
    assert mixed_up("未", "末")  # one look
    assert not mixed_up("杯", "茶")
