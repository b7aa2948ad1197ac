"""Personal data at rest: rotation of keys, and values that somebody changed."""

from __future__ import annotations

import base64

import pytest

from kernel.crypto import WrongKey, blind_index, decrypt, derived_key, encrypt, mask_phone
from tests.factories.surroundings import settings_of

K1 = "k1:" + base64.b64encode(b"1" * 32).decode()
K2 = "k2:" + base64.b64encode(b"2" * 32).decode()
SECRET = "杭州市西湖区文三路 1 号 13812345566"


def test_a_text_comes_back_and_is_not_seen_in_between() -> None:
    sealed = encrypt(SECRET)
    assert decrypt(sealed) == SECRET
    assert sealed.startswith("k1:")
    assert SECRET.encode() not in base64.b64decode(sealed.partition(":")[2])


def test_equal_texts_are_sealed_differently() -> None:
    assert encrypt(SECRET) != encrypt(SECRET)


def test_keys_rotate() -> None:
    with settings_of(pii_keys=K1):
        old = encrypt(SECRET)
    with settings_of(pii_keys=f"{K2},{K1}"):
        new = encrypt(SECRET)
        assert decrypt(old) == SECRET
        assert decrypt(new) == SECRET
    assert (old[:3], new[:3]) == ("k1:", "k2:")
    with settings_of(pii_keys=K2):
        assert decrypt(new) == SECRET
        with pytest.raises(WrongKey, match="'k1'"):
            decrypt(old)


def test_the_right_name_with_another_key_is_refused() -> None:
    with settings_of(pii_keys=K1):
        sealed = encrypt(SECRET)
    with (
        settings_of(pii_keys="k1:" + base64.b64encode(b"9" * 32).decode()),
        pytest.raises(WrongKey),
    ):
        decrypt(sealed)


def test_the_key_id_is_sealed_too() -> None:
    same = base64.b64encode(b"1" * 32).decode()
    with settings_of(pii_keys=f"a:{same},b:{same}"):
        sealed = encrypt(SECRET)
        with pytest.raises(WrongKey):
            decrypt("b:" + sealed.removeprefix("a:"))


def test_every_changed_byte_is_noticed() -> None:
    key_id, _, body = encrypt("138").partition(":")
    raw = base64.b64decode(body)
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(WrongKey):
            decrypt(f"{key_id}:{base64.b64encode(bytes(changed)).decode()}")


@pytest.mark.parametrize("value", ["k1:", "k1:AAAA", "k1:A", "k1:***", "", "no key id", "k1:é"])
def test_what_is_no_sealed_value_is_refused(value: str) -> None:
    with pytest.raises(WrongKey):
        decrypt(value)


def test_derived_keys_differ_by_purpose_and_secret() -> None:
    here = derived_key("cursor"), derived_key("csrf")
    with settings_of(secret_key="another secret"):
        there = derived_key("cursor")
    assert len({*here, there}) == 3
    assert {len(key) for key in here} == {32}


def test_a_blind_index_finds_equals_and_tells_nothing() -> None:
    assert blind_index("13812345566") == blind_index("13812345566")
    assert blind_index("13812345566") != blind_index("13812345567")
    assert "138" not in blind_index("13812345566")[:3]
    with settings_of(secret_key="another secret"):
        other = blind_index("13812345566")
    assert other != blind_index("13812345566")


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("13812345566", "138****5566"),
        ("0571-88", "****"),
        ("", "****"),
        ("12345678", "123****5678"),
    ],
)
def test_phones_are_masked(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked
