"""What the card pages say, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("zh", "en")

WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "html_lang": "zh-CN",
        "title": "银行卡付款",
        "test": "测试环境",
        "other_language": "English",
        "back": "返回订单",
        "due": "应付",
        "card": "银行卡",
        "purpose": "付款内容",
        "choose": "测试卡，点一下就填好",
        "number": "卡号",
        "expiry": "有效期",
        "expiry_hint": "月 / 年",
        "cvc": "安全码",
        "cvc_hint": "卡背面末三位",
        "pay": "支付",
        "paying": "正在付款…",
        "promise": "卡号只交给支付网关，商城看不到。",
        "bad_number": "卡号不对，请核对。",
        "bad_expiry": "有效期不对，请按“月/年”填写，并且没有过期。",
        "bad_cvc": "安全码是 3 位或 4 位数字。",
        "not_charged": "没有扣款。",
        "challenge_title": "发卡行验证",
        "challenge_lead": "为了您的资金安全，银行请您确认这笔付款。",
        "merchant": "商户",
        "amount": "金额",
        "ending": "尾号",
        "approve": "确认付款",
        "deny": "不是我，拒绝",
        "challenge_note": "这是测试用的 3-D Secure 页面，没有真实的银行参与。",
        "waiting_title": "银行正在处理",
        "waiting_text": "通常只要几秒钟，请不要重复付款。这一页会自己更新。",
        "paid_title": "付款成功",
        "paid_text": "可以关闭这一页，回到商城查看订单。",
        "canceled_title": "这笔付款已取消",
        "canceled_text": "没有扣款。需要的话，请回到商城重新下单。",
        "wrong_link_title": "付款链接不对",
        "wrong_link_text": "链接可能不完整。没有扣款，请回到订单重新打开付款页。",
        "card_4242": "付款成功",
        "card_3155": "需要银行验证",
        "card_0002": "银行拒绝",
        "card_9995": "余额不足",
        "card_0077": "处理后成功",
        "card_0341": "处理后失败",
    },
    "en": {
        "html_lang": "en",
        "title": "Pay by card",
        "test": "Test mode",
        "other_language": "中文",
        "back": "Back to the order",
        "due": "To pay",
        "card": "Card",
        "purpose": "For",
        "choose": "Test cards: tap one to fill it in",
        "number": "Card number",
        "expiry": "Expiry",
        "expiry_hint": "MM / YY",
        "cvc": "Security code",
        "cvc_hint": "3 digits on the back",
        "pay": "Pay",
        "paying": "Paying…",
        "promise": "The shop never sees your card number.",
        "bad_number": "The card number is not right. Please check it.",
        "bad_expiry": "Give the expiry as month/year; it must not have passed.",
        "bad_cvc": "The security code has 3 or 4 digits.",
        "not_charged": "Nothing was charged.",
        "challenge_title": "Your bank asks",
        "challenge_lead": "To keep your money safe, your bank asks you to confirm this payment.",
        "merchant": "Shop",
        "amount": "Amount",
        "ending": "ending in",
        "approve": "Confirm the payment",
        "deny": "Not me, refuse",
        "challenge_note": "A 3-D Secure page for tests; no real bank takes part.",
        "waiting_title": "Your bank is working on it",
        "waiting_text": "It takes a few seconds. Please don't pay again; this page updates itself.",
        "paid_title": "Paid",
        "paid_text": "You can close this page and look at your order in the shop.",
        "canceled_title": "This payment was cancelled",
        "canceled_text": "Nothing was charged. Please order again in the shop if you need to.",
        "wrong_link_title": "This link is not right",
        "wrong_link_text": "Nothing was charged. Please open this page from the order again.",
        "card_4242": "Succeeds",
        "card_3155": "Asks the bank",
        "card_0002": "Declined",
        "card_9995": "No funds",
        "card_0077": "Slow, then paid",
        "card_0341": "Slow, then declined",
    },
}

# By decline_code, or by code where a refusal has none. Lost and stolen cards read like a plain
# refusal, as Stripe asks: the person at the till may be the thief.
DECLINES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "zh": {
        "generic_decline": ("银行拒绝了这张卡", "请换一张卡，或联系发卡行。"),
        "insufficient_funds": ("这张卡余额不足", "请换一张卡。"),
        "expired_card": ("这张卡已过期", "请换一张卡。"),
        "incorrect_cvc": ("安全码不对", "请核对卡背面的数字再试。"),
        "processing_error": ("银行处理时出错", "请稍等一会儿再试。"),
        "test_mode_live_card": ("测试环境只收测试卡", "请点选下面的一张测试卡。"),
        "payment_intent_authentication_failure": ("没有通过银行验证", "请再试一次，或换一张卡。"),
    },
    "en": {
        "generic_decline": ("Your bank refused this card.", "Try another, or call your bank."),
        "insufficient_funds": ("This card has too little on it.", "Try another card."),
        "expired_card": ("This card has expired.", "Try another card."),
        "incorrect_cvc": ("The security code is wrong.", "Check the back of the card."),
        "processing_error": ("Your bank had a problem.", "Try again in a moment."),
        "test_mode_live_card": ("Only test cards work here.", "Choose one of those below."),
        "payment_intent_authentication_failure": (
            "Your bank did not confirm it.",
            "Try again, or use another card.",
        ),
    },
}

# The cards offered as one tap, by number.
OFFERED = (
    "4242424242424242",
    "4000002500003155",
    "4000000000000002",
    "4000000000009995",
    "4000000000000077",
    "4000000000000341",
)


def decline_words(language: str, code: str) -> tuple[str, str]:
    """What happened, and what to do; an unknown code reads like a plain refusal."""
    table = DECLINES[language]
    return table.get(code, table["generic_decline"])
