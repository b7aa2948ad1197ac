from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checkout.gateways.sandbox.cards import BY_NUMBER, BY_TOKEN, CARDS, passes_luhn
from checkout.gateways.sandbox.errors import ApiError
from checkout.gateways.sandbox.methods import read_card
from checkout.gateways.sandbox.wording import DECLINES, OFFERED, WORDS, decline_words

YEAR = datetime.now(UTC).year + 1


def test_every_card_is_named_once_and_has_a_check_digit() -> None:
    assert len(BY_NUMBER) == len(CARDS) == 21
    assert len({card.token for card in CARDS}) == 21
    assert all(passes_luhn(card.number) for card in CARDS)
    assert BY_TOKEN["pm_card_chargeDeclined"].number == "4000000000000002"


@pytest.mark.parametrize(
    ("number", "good"),
    [("4242424242424242", True), ("4242424242424241", False), ("79927398713", True), ("0", True)],
)
def test_luhn(number: str, good: bool) -> None:
    assert passes_luhn(number) is good


@pytest.mark.parametrize(
    ("number", "month", "year", "cvc", "code", "param"),
    [
        ("4242", 12, YEAR, "123", "invalid_number", "number"),
        ("4242 4242 4242 424x", 12, YEAR, "123", "invalid_number", "number"),
        ("４２４２４２４２４２４２４２４２", 12, YEAR, "123", "invalid_number", "number"),
        ("4242424242424241", 12, YEAR, "123", "incorrect_number", "number"),
        ("4242424242424242", 13, YEAR, "123", "invalid_expiry_month", "exp_month"),
        ("4242424242424242", 0, YEAR, "123", "invalid_expiry_month", "exp_month"),
        ("4242424242424242", 12, 2020, "123", "invalid_expiry_year", "exp_year"),
        ("4242424242424242", 12, YEAR + 60, "123", "invalid_expiry_year", "exp_year"),
        ("4242424242424242", 12, YEAR, "12", "invalid_cvc", "cvc"),
        ("4111111111111111", 12, YEAR, "123", "card_declined", "number"),
    ],
)
def test_bad_details(number: str, month: int, year: int, cvc: str, code: str, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_card(number=number, month=month, year=year, cvc=cvc)
    assert (caught.value.status, caught.value.code, caught.value.param) == (402, code, param)


def test_good_details_and_this_very_month() -> None:
    now = datetime.now(UTC)
    card = read_card(number="4000-0000 0000 9995", month=now.month, year=now.year, cvc=None)
    assert card.decline is not None
    assert card.decline.decline_code == "insufficient_funds"


def test_wording_says_the_same_in_both_languages() -> None:
    assert WORDS["zh"].keys() == WORDS["en"].keys()
    assert DECLINES["zh"].keys() == DECLINES["en"].keys()
    assert all(f"card_{number[-4:]}" in WORDS["zh"] for number in OFFERED)
    assert decline_words("zh", "lost_card") == decline_words("zh", "generic_decline")
