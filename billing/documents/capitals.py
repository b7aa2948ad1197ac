"""Amounts in Chinese capitals, as invoices and cheques must write them."""

from __future__ import annotations

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
SECTIONS = ("", "万", "亿")
LIMIT_MINOR = 100_000_000_000_000


def capitals(minor: int) -> str:
    """Fen as capitals: ``12345`` → ``壹佰贰拾叁元肆角伍分``.

    Whole yuan and whole jiao end with 整; a gap of zeros inside the number is one 零; a negative
    amount begins with 负. Where the bank's rule lets one choose (a zero just before 元 or 万), the
    零 is left out. Raises ValueError from a million million yuan on (beyond 亿).
    """
    if abs(minor) >= LIMIT_MINOR:
        raise ValueError("amounts in capitals go up to 仟亿")
    yuan, fen = divmod(abs(minor), 100)
    text = "负" if minor < 0 else ""
    if yuan:
        text += _integer(yuan) + "元"
    if fen == 0:
        return text + ("整" if yuan else "零元整")
    jiao, fen = divmod(fen, 10)
    if jiao:
        text += DIGITS[jiao] + "角"
    elif yuan:
        text += "零"
    return text + (DIGITS[fen] + "分" if fen else "整")


def _integer(number: int) -> str:
    """A positive whole number, in sections of four digits."""
    text = ""
    for power in reversed(range(len(SECTIONS))):
        section = number // 10_000**power % 10_000
        if section == 0:
            continue
        if text and section < 1000:
            text += "零"
        elif text and number // 10_000 ** (power + 1) % 10_000 == 0:
            # A whole section of zeros lies between, such as the 万 of 壹亿零壹仟.
            text += "零"
        text += _section(section) + SECTIONS[power]
    return text


def _section(number: int) -> str:
    """One to 9,999, without leading zeros; 10 is 壹拾, as nothing may be put in front of it."""
    text, gap = "", False
    for place in reversed(range(len(PLACES))):
        digit = number // 10**place % 10
        if digit == 0:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + DIGITS[digit] + PLACES[place]
        gap = False
    return text
