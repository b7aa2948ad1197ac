"""What may have been meant: which words, in which order, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.understanding.corrections import (
    MOST,
    Correction,
    Reason,
    choose,
    corrections,
    other_readings,
)
from search.understanding.everyday import everyday, shopping_words
from search.understanding.lexicon import Lexicon, Word

WORDS = {
    "手机": 900, "手机壳": 300, "保温杯": 200, "蚕丝被": 120, "衣服": 500, "一副": 5,
    "华为": 800, "阿里巴巴": 50, "huawei": 80, "ugreen": 60, "枕头": 90,
    "壳": 40, "机": 300, "杯": 400,
}  # fmt: skip


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon((Word(text, weight) for text, weight in WORDS.items()), everyday())


def first(text: str, lexicon: Lexicon) -> tuple[str, tuple[Reason, ...]] | None:
    found = corrections(text, lexicon)
    return (found[0].text, found[0].reasons) if found else None


@pytest.mark.parametrize(
    ("typed", "meant", "reason"),
    [
        ("蚕司被", "蚕丝被", Reason.LETTER),
        ("保温怀", "保温杯", Reason.LETTER),
        ("保杯", "保温杯", Reason.MISSING),
        ("忱头", "枕头", Reason.LETTER),
        ("shoujike", "手机壳", Reason.PINYIN),
        ("yifu", "衣服", Reason.PINYIN),
        ("hw", "华为", Reason.INITIALS),
        ("huawie", "huawei", Reason.LETTER),
        ("huwei", "huawei", Reason.LETTER),
        ("ugreenshouji", "ugreen手机", Reason.PINYIN),
        ("红色 shouji", "红色 手机", Reason.PINYIN),
        ("羽毛球pai", "羽毛球拍", Reason.MIXED),
        ("羽毛qp", "羽毛球拍", Reason.MIXED),
        ("victoryshouji", "victory手机", Reason.PINYIN),
        ("shoujivictory", "手机victory", Reason.PINYIN),
    ],
)
def test_the_likeliest_correction(typed: str, meant: str, reason: Reason, lexicon: Lexicon) -> None:
    assert first(typed, lexicon) == (meant, (reason,))


def test_letters_may_be_spelling_all_over_a_query_but_slips_stand_alone(lexicon: Lexicon) -> None:
    assert first("hongse shoujike", lexicon) == ("红色 手机壳", (Reason.PINYIN,) * 2)
    assert all(len(each.reasons) == 1 for each in corrections("保温怀 蚕司被", lexicon))


@pytest.mark.parametrize("typed", ["手机壳", "保温杯 手机", "huawei", "", "123", "椅子", "a"])
def test_what_is_right_or_strange_is_hardly_doubted(typed: str, lexicon: Lexicon) -> None:
    assert all(each.gain < 0 for each in corrections(typed, lexicon))


def test_a_letter_that_stands_beside_neither_neighbour_is_a_slip_or_the_rest_of_a_word() -> None:
    words = [Word("卡套", 5), Word("睫毛", 9), Word("增长", 4), Word("眉睫", 12)]
    titled = Lexicon(words, titles=["三通卡套针形阀", "睫毛增长液"])

    assert first("卡套诊形阀", titled) == ("卡套针形阀", (Reason.ALONE,))
    # Both words of two have the letter; only one of them stands beside what follows.
    assert first("睫增长液", titled) == ("睫毛增长液", (Reason.ALONE,))
    assert corrections("卡套针形阀", titled) == []


def test_without_words_nothing_is_corrected() -> None:
    assert corrections("保温怀", Lexicon(())) == []


@given(st.text(alphabet="手机壳保温杯蚕丝被司怀hwuaei 1", max_size=60))
def test_corrections_are_few_ordered_and_never_what_was_typed(text: str) -> None:
    lexicon = Lexicon(Word(word, weight) for word, weight in WORDS.items())
    found = corrections(text, lexicon)
    assert len(found) <= MOST
    assert text not in {each.text for each in found}
    assert [each.gain for each in found] == sorted((each.gain for each in found), reverse=True)


def spelling(text: str, gain: float, *, is_common: bool = True) -> Correction:
    return Correction(text, (Reason.PINYIN,), gain, is_common)


def slip(text: str, gain: float, *, reason: Reason = Reason.LETTER) -> Correction:
    return Correction(text, (reason,), gain, is_common=True)


def test_the_goods_decide_between_what_is_about_as_likely() -> None:
    possible = [spelling("据多", 7.0), spelling("橘朵", 6.5), spelling("聚多", 0.5)]

    assert choose(possible, [0, 2, 9], 0) == "橘朵"
    # So much less likely that the goods' word for it is not enough.
    assert choose(possible, [0, 0, 9], 0) == "据多"


def test_what_finds_goods_is_only_corrected_where_it_is_evidently_spelling() -> None:
    assert choose([spelling("打印机", 13.0)], [3], 5) == "打印机"
    assert choose([spelling("打印机", 13.0)], [0], 5) == ""
    assert choose([spelling("华为", 1.0)], [3], 5) == ""
    assert choose([slip("保温杯", 13.0)], [3], 5) == ""


def test_letters_alone_that_stand_for_a_name_mean_it(lexicon: Lexicon) -> None:
    named = Lexicon([Word("华为", 800, is_name=True), Word("户外", 900)], everyday())
    [brand] = [each for each in corrections("hw", named) if each.text == "华为"]

    assert brand.is_name
    assert choose([brand], [3], 5) == "华为"
    assert choose([brand], [0], 5) == ""
    # Of a longer query it is a word like any other.
    assert not any(each.is_name for each in corrections("hw 手机", named))
    assert not any(each.is_name for each in corrections("hw", lexicon))


def test_what_no_goods_bear_out_must_be_sure_and_of_common_words() -> None:
    assert choose([spelling("红薯", 0.5)], [0], 0) == "红薯"
    assert choose([spelling("红薯", -0.5)], [0], 0) == ""
    assert choose([spelling("红薯", 9.0, is_common=False)], [0], 0) == ""
    # A slip of Han may well be a name.
    assert choose([slip("美孚宁", 5.9)], [0], 0) == ""
    assert choose([slip("美孚宁", 6.0)], [0], 0) == "美孚宁"
    assert choose([slip("美孚宁", 9.0, reason=Reason.ALONE)], [0], 0) == ""
    assert choose([], [], 0) == ""


def test_a_slip_that_goods_bear_out_must_be_likelier_than_the_text_itself() -> None:
    assert choose([slip("茶水盘", 1.9)], [9], 0) == ""
    assert choose([slip("茶水盘", 2.0)], [9], 0) == "茶水盘"
    # What comes after one that is not likely enough may be.
    assert choose([slip("茶水盘", 1.9), spelling("接水盘", 1.5)], [9, 1], 0) == "接水盘"


def test_other_readings_are_the_text_itself_and_the_likeliest() -> None:
    possible = [slip("甲", 7.0), slip("乙", 1.0), slip("丙", -5.0), slip("丁", -5.1)]

    assert other_readings("申", possible, "") == ["甲", "乙", "丙"]
    assert other_readings("申", possible, "甲") == ["申", "乙", "丙"]
    assert other_readings("申", [slip("丁", -5.1)], "") == []


def test_our_own_vocabulary_is_of_han_and_names_each_word_once() -> None:
    words = shopping_words()

    assert len(words) == len(set(words)) > 10_000
    assert all(2 <= len(word) <= 6 and "一" <= word[0] <= "龥" for word in words)
