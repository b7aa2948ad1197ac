"""The test cards: numbers and tokens are Stripe's own, so a test written here also runs there.

===================  ===========================================  ================================
Number               Token                                        What happens
===================  ===========================================  ================================
4242 4242 4242 4242  pm_card_visa                                 succeeds
4000 0566 5566 5556  pm_card_visa_debit                           succeeds
5555 5555 5555 4444  pm_card_mastercard                           succeeds
3782 8224 6310 005   pm_card_amex                                 succeeds
6200 0000 0000 0005  pm_card_unionpay                             succeeds
4000 0000 0000 0077  pm_card_bypassPending                        processing, then succeeds
4000 0000 0000 0341  pm_card_chargeCustomerFail                   processing, then declined
4000 0025 0000 3155  pm_card_authenticationRequiredOnSetup        3-D Secure, then succeeds
4000 0027 6000 3184  pm_card_authenticationRequired               3-D Secure, then succeeds
4000 0000 0000 3220  pm_card_threeDSecure2Required                3-D Secure, then succeeds
4000 0000 0000 3063  pm_card_threeDSecureRequired                 3-D Secure, then succeeds
4000 0084 0000 1629  pm_card_threeDSecureRequiredChargeDeclined   3-D Secure, then declined
4000 0000 0000 0002  pm_card_visa_chargeDeclined                  declined
4000 0000 0000 9995  pm_card_visa_chargeDeclinedInsufficientFunds insufficient funds
4000 0000 0000 9987  pm_card_visa_chargeDeclinedLostCard          lost card
4000 0000 0000 9979  pm_card_visa_chargeDeclinedStolenCard        stolen card
4000 0000 0000 0069  pm_card_chargeDeclinedExpiredCard            expired card
4000 0000 0000 0127  pm_card_chargeDeclinedIncorrectCvc           wrong security code
4000 0000 0000 0119  pm_card_chargeDeclinedProcessingError        processing error
4000 0000 0000 7726  pm_card_pendingRefund                        succeeds; refunds wait first
4000 0000 0000 5126  pm_card_refundFail                           succeeds; refunds fail later
===================  ===========================================  ================================

"Processing" is the one liberty: at Stripe cards 0077 and 0341 answer without it. It lasts
``GatewayConfig.settle_seconds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Refunding(StrEnum):
    """How a refund to a card goes."""

    AT_ONCE = "at_once"
    PENDING_FIRST = "pending_first"
    FAILS_LATER = "fails_later"


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bank says no: Stripe's ``code``, ``decline_code`` and English sentence."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """One test card: first a challenge or a wait, if any, then its decline or success."""

    number: str
    token: str
    brand: str = "visa"
    country: str = "US"
    challenge: bool = False
    slow: bool = False
    decline: Decline | None = None
    refunding: Refunding = Refunding.AT_ONCE

    @property
    def last4(self) -> str:
        return self.number[-4:]


DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card. For a list "
    "of valid test cards, visit: https://stripe.com/docs/testing.",
)

CARDS = (
    Card("4242424242424242", "pm_card_visa"),
    Card("4000056655665556", "pm_card_visa_debit"),
    Card("378282246310005", "pm_card_amex", brand="amex"),
    Card("5555555555554444", "pm_card_mastercard", brand="mastercard"),
    Card("6200000000000005", "pm_card_unionpay", brand="unionpay", country="CN"),
    Card("4000000000000077", "pm_card_bypassPending", slow=True),
    Card("4000000000000341", "pm_card_chargeCustomerFail", slow=True, decline=DECLINED),
    Card("4000002500003155", "pm_card_authenticationRequiredOnSetup", challenge=True),
    Card("4000000000003220", "pm_card_threeDSecure2Required", challenge=True),
    Card("4000000000003063", "pm_card_threeDSecureRequired", challenge=True),
    Card("4000002760003184", "pm_card_authenticationRequired", challenge=True),
    Card(
        "4000008400001629",
        "pm_card_threeDSecureRequiredChargeDeclined",
        challenge=True,
        decline=DECLINED,
    ),
    Card("4000000000000002", "pm_card_visa_chargeDeclined", decline=DECLINED),
    Card(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        decline=INSUFFICIENT,
    ),
    Card("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", decline=STOLEN),
    Card("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", decline=LOST),
    Card("4000000000000069", "pm_card_chargeDeclinedExpiredCard", decline=EXPIRED),
    Card("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", decline=WRONG_CVC),
    Card("4000000000000119", "pm_card_chargeDeclinedProcessingError", decline=ERROR),
    Card("4000000000007726", "pm_card_pendingRefund", refunding=Refunding.PENDING_FIRST),
    Card("4000000000005126", "pm_card_refundFail", refunding=Refunding.FAILS_LATER),
)
BY_NUMBER = {card.number: card for card in CARDS}
BY_TOKEN = {card.token: card for card in CARDS} | {
    # Stripe's documents use both names for the plain decline.
    "pm_card_chargeDeclined": BY_NUMBER["4000000000000002"],
    "pm_card_chargeDeclinedInsufficientFunds": BY_NUMBER["4000000000009995"],
    "pm_card_chargeDeclinedStolenCard": BY_NUMBER["4000000000009979"],
    "pm_card_chargeDeclinedLostCard": BY_NUMBER["4000000000009987"],
}


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
