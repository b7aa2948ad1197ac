"""Golden amounts in capitals, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents.capitals import LIMIT_MINOR, capitals

GOLDEN = [
    (0, "零元整"),
    (5, "伍分"),
    (50, "伍角整"),
    (57, "伍角柒分"),
    (100, "壹元整"),
    (105, "壹元零伍分"),
    (150, "壹元伍角整"),
    (12345, "壹佰贰拾叁元肆角伍分"),
    (1000, "壹拾元整"),
    (1050, "壹拾元伍角整"),
    (1005, "壹拾元零伍分"),
    (10100, "壹佰零壹元整"),
    (100100, "壹仟零壹元整"),
    (101000, "壹仟零壹拾元整"),
    (168032, "壹仟陆佰捌拾元叁角贰分"),
    (1_000_000, "壹万元整"),
    (1_000_100, "壹万零壹元整"),
    (1_010_000, "壹万零壹佰元整"),
    (1_200_000, "壹万贰仟元整"),
    (10_700_053, "壹拾万柒仟元伍角叁分"),
    (10_070_000, "壹拾万零柒佰元整"),
    (100_100_101, "壹佰万壹仟零壹元零壹分"),
    (10_000_000_000, "壹亿元整"),
    (10_000_000_100, "壹亿零壹元整"),
    (10_000_100_000, "壹亿零壹仟元整"),
    (10_010_000_000, "壹亿零壹拾万元整"),
    (20_345_067_809, "贰亿零叁佰肆拾伍万零陆佰柒拾捌元零玖分"),
    (123_456_789_012, "壹拾贰亿叁仟肆佰伍拾陆万柒仟捌佰玖拾元壹角贰分"),
    (99_999_999_999_999, "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    (-8900, "负捌拾玖元整"),
]


@pytest.mark.parametrize(("minor", "text"), GOLDEN)
def test_golden_amounts(minor: int, text: str) -> None:
    assert capitals(minor) == text


def test_beyond_the_largest_section_is_refused() -> None:
    with pytest.raises(ValueError, match="仟亿"):
        capitals(LIMIT_MINOR)


def read_back(text: str) -> int:
    """The amount that capitals mean, read by a method that shares nothing with the writer."""
    sign = -1 if text.startswith("负") else 1
    total = section = digit = 0
    for character in text.removeprefix("负"):
        if character in "零壹贰叁肆伍陆柒捌玖":
            digit = "零壹贰叁肆伍陆柒捌玖".index(character)
        elif character in "拾佰仟":
            section += digit * {"拾": 10, "佰": 100, "仟": 1000}[character]
            digit = 0
        elif character in "万亿":
            total += (section + digit) * {"万": 10**6, "亿": 10**10}[character]
            section = digit = 0
        elif character == "元":
            total += (section + digit) * 100
            section = digit = 0
        elif character in "角分":
            total += digit * {"角": 10, "分": 1}[character]
            digit = 0
    return sign * total


@given(st.integers(min_value=1 - LIMIT_MINOR, max_value=LIMIT_MINOR - 1))
def test_capitals_say_the_amount_and_no_zero_stands_twice(minor: int) -> None:
    text = capitals(minor)
    assert read_back(text) == minor
    assert "零零" not in text
    assert ("整" in text) == (minor % 10 == 0)
