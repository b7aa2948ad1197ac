from __future__ import annotations

import base64
from typing import Any

import pytest

from kernel.cursors import BadCursor, pack, unpack
from tests.factories.surroundings import settings_of

VALUE = [1234, "被子", None]


@pytest.mark.parametrize("value", [VALUE, {"a": 1}, 0, "", [], None])
def test_a_cursor_gives_back_its_value(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_no_cursor_is_no_value() -> None:
    assert unpack(None) is None


def test_a_cursor_is_safe_in_a_url() -> None:
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in pack(list(range(100))))


def _with_raw(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_every_changed_bit_is_noticed() -> None:
    cursor = pack(VALUE)
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    for place in range(len(raw)):
        for bit in range(8):
            forged = bytearray(raw)
            forged[place] ^= 1 << bit
            with pytest.raises(BadCursor):
                unpack(_with_raw(bytes(forged)))


@pytest.mark.parametrize(
    "text", ["", "x", "abc", "é", "被子", "====", "A" * 500, _with_raw(b"0123456789" + b"[1]")]
)
def test_what_we_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        unpack(text)


def test_a_cursor_cut_short_or_made_longer_is_refused() -> None:
    cursor = pack(VALUE)
    for text in (cursor[:-4], cursor[4:], cursor + "AAAA"):
        with pytest.raises(BadCursor):
            unpack(text)


def test_a_cursor_of_another_key_is_refused() -> None:
    with settings_of(secret_key="another key"):
        cursor = pack(VALUE)
    with pytest.raises(BadCursor) as caught:
        unpack(cursor)
    assert (caught.value.status, caught.value.code) == (400, "bad_cursor")
