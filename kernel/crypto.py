"""Personal data at rest: AES-GCM with a key id, and a blind index for look-up (Domain rule 21)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.settings import get_settings


class WrongKey(Exception):
    """The value was made with a key that is not configured, or was changed."""


def _key(key_id: str) -> bytes:
    keys = get_settings().pii_keys
    if key_id not in keys:
        raise WrongKey(f"no key {key_id!r} in MALL_PII_KEYS")
    # Hashing to 32 bytes lets an operator give any length; the entropy is what he gave.
    return hashlib.sha256(base64.b64decode(keys[key_id])).digest()


def encrypt(text: str) -> str:
    """``key id:base64(nonce + ciphertext)`` by the first configured key."""
    key_id = next(iter(get_settings().pii_keys))
    nonce = os.urandom(12)
    sealed = AESGCM(_key(key_id)).encrypt(nonce, text.encode(), key_id.encode())
    return f"{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(value: str) -> str:
    """The text. Raises :class:`WrongKey` where the key is missing or the value was changed."""
    key_id, _, body = value.partition(":")
    cipher = AESGCM(_key(key_id))
    try:
        raw = base64.b64decode(body, validate=True)
        return cipher.decrypt(raw[:12], raw[12:], key_id.encode()).decode()
    except (InvalidTag, ValueError):  # ValueError: not base64, or too short for a nonce
        raise WrongKey("the value was changed or made with another key") from None


def derived_key(purpose: str) -> bytes:
    """A key for one purpose (cursors, audit chain, blind index), derived from the secret key."""
    return hmac.digest(get_settings().secret_key.encode(), purpose.encode(), "sha256")


def blind_index(text: str) -> str:
    """Equal texts give equal values that tell nothing without the key."""
    return hmac.new(derived_key("blind-index"), text.encode(), "sha256").hexdigest()


def mask_phone(phone: str) -> str:
    """``13812345566`` → ``138****5566``."""
    return phone[:3] + "****" + phone[-4:] if len(phone) >= 8 else "****"
