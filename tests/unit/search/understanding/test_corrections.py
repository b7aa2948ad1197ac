"""What may have been meant: which words, in which order, and what is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.understanding.corrections import MOST, Reason, corrections, spell_out
from search.understanding.lexicon import Lexicon, Word

WORDS = {
    "手机": 900, "手机壳": 300, "保温杯": 200, "蚕丝被": 120, "衣服": 500, "一副": 5,
    "华为": 800, "阿里巴巴": 50, "huawei": 80, "枕头": 90, "壳": 40, "机": 300, "杯": 400,
}  # fmt: skip


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(Word(text, weight) for text, weight in WORDS.items())


def first(text: str, lexicon: Lexicon) -> tuple[str, Reason] | None:
    found = corrections(text, lexicon)
    return (found[0].text, found[0].reason) if found else None


@pytest.mark.parametrize(
    ("typed", "meant", "reason"),
    [
        ("蚕司被", "蚕丝被", Reason.LETTER),
        ("保温怀", "保温杯", Reason.LETTER),
        ("保杯", "保温杯", Reason.LETTER),
        ("忱头", "枕头", Reason.LETTER),
        ("shoujike", "手机壳", Reason.PINYIN),
        ("yifu", "衣服", Reason.PINYIN),
        ("hw", "华为", Reason.INITIALS),
        ("huawie", "huawei", Reason.LETTER),
        ("huwei", "huawei", Reason.LETTER),
        ("红色 shouji", "红色 手机", Reason.PINYIN),
    ],
)
def test_the_likeliest_correction(typed: str, meant: str, reason: Reason, lexicon: Lexicon) -> None:
    assert first(typed, lexicon) == (meant, reason)


@pytest.mark.parametrize("typed", ["手机壳", "保温杯 手机", "huawei", "", "123", "椅子", "a"])
def test_what_is_right_or_strange_is_left_alone(typed: str, lexicon: Lexicon) -> None:
    assert corrections(typed, lexicon) == []


def test_the_more_used_homophone_comes_first(lexicon: Lexicon) -> None:
    assert spell_out("yifu", lexicon) == [("衣服",), ("一副",)]
    assert spell_out("xyz", lexicon) == []


@given(st.text(alphabet="手机壳保温杯蚕丝被司怀hwuaei 1", max_size=60))
def test_corrections_are_few_and_never_what_was_typed(text: str) -> None:
    lexicon = Lexicon(Word(word, weight) for word, weight in WORDS.items())
    found = corrections(text, lexicon)
    assert len(found) <= MOST
    assert text not in {each.text for each in found}
    assert [each.cost for each in found] == sorted(each.cost for each in found)
