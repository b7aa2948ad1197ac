"""The one tokeniser."""

import time

import pytest

from search.tokens import (
    MAX_UNITS_OF_QUERY,
    MAX_UNITS_OF_TEXT,
    LatinRun,
    latin_parts,
    normalise,
    pinyin_tokens,
    spellings,
    tokenise,
    tokenise_query,
    with_parts,
)


def test_units_pairs_words_and_parts() -> None:
    fields = tokenise("Ｔ恤 K203X 4.99kg")

    assert fields.title == "t 恤 k203x 4.99kg"
    assert fields.chars == "t 恤 k203x 4.99kg k 203 x 4.99 kg"
    assert fields.grams == "t恤 恤k203x k203x4.99kg"
    assert "k203x" in fields.words.split()


def test_extra_text_is_searched_but_makes_no_pair_with_the_title() -> None:
    fields = tokenise("保温杯", "云川 杯壶", names=["云川", "杯壶"])

    assert (fields.title, fields.extra) == ("保 温 杯", "云 川 杯 壶")
    assert fields.chars == "保 温 杯 云 川 杯 壶"
    assert "杯云" not in fields.grams.split()
    assert {"yunchuan", "yc"} <= set(fields.pinyin.split())


@pytest.mark.parametrize(
    ("word", "whole", "initials"),
    [
        ("重庆", "chongqing", "cq"),
        ("长沙", "changsha", "cs"),
        ("乐高", "legao", "lg"),
        ("音乐", "yinyue", "yy"),
        ("银行", "yinhang", "yh"),
        ("阿里巴巴", "alibaba", "albb"),
    ],
)
def test_polyphones_are_read_by_the_word(word: str, whole: str, initials: str) -> None:
    assert spellings(word) == (whole, initials)


def test_mixed_spellings_have_tokens_for_what_may_follow_and_stand_before() -> None:
    tokens = pinyin_tokens("阿里巴巴", affixes=True)

    assert {"alibaba", "albb", "~bb", "~baba", "al~", "ali~"} <= set(tokens)
    assert pinyin_tokens("茶", affixes=True) == []


def test_a_query_knows_which_letters_touch_characters() -> None:
    query = tokenise_query("阿里bb u-2底板")

    assert query.units == ("阿", "里", "bb", "u", "2", "底", "板")
    assert query.latin == (LatinRun("bb", True, False), LatinRun("u", False, False))
    assert query.segments == (("阿", "里"), ("bb",), ("u",), ("2",), ("底", "板"))


def test_endings_of_nouns_are_light_unless_they_are_words_too() -> None:
    assert tokenise_query("枕头 杯子").light == {"头", "子"}
    assert tokenise_query("骰子").light == {"子"}
    assert tokenise_query("头灯").light == frozenset()
    assert tokenise_query("枕头 头灯").light == frozenset()


def test_control_and_direction_marks_separate() -> None:
    assert normalise("被\u202e丝\u200b\x00A") == "被 丝  a"


def test_every_length_is_bounded() -> None:
    letters = dict.fromkeys(normalise(chr(0x4E00 + number)) for number in range(2_000))
    long_query = tokenise_query("".join(letters))

    assert len(long_query.units) == MAX_UNITS_OF_QUERY
    assert len(tokenise_query("a" * 10_000).units[0]) == 48
    assert len(tokenise("被" * 5_000).title.split()) == MAX_UNITS_OF_TEXT


def test_parts_of_runs() -> None:
    assert latin_parts("k203x") == ["k", "203", "x"]
    assert latin_parts("kindle") == []


def test_it_is_fast_enough_for_a_large_catalogue() -> None:
    titles = [
        f"云川加厚双层不锈钢保温杯大容量便携水杯学生男女士车载定制{n}ml" for n in range(2_000)
    ]
    tokenise(titles[0])

    started = time.process_time()
    for title in titles:
        tokenise(title, "云川 厨具 杯壶", names=("云川", "厨具", "杯壶"))

    # About 15,000 a second on the machine that it was written on; the rest is margin.
    assert len(titles) / (time.process_time() - started) > 3_000


def test_parts_of_mixed_runs_are_further_units() -> None:
    assert with_parts(tokenise_query("x13thinkpad 电池")).units == (
        "x13thinkpad", "电", "池", "13", "thinkpad",
    )  # fmt: skip
    assert with_parts(tokenise_query("thinkpad")) == tokenise_query("thinkpad")
