"""GTIN-13 barcodes for goods that do not exist, so that merchants' equal goods can be matched."""

import zlib


def check_digit(body: str) -> int:
    """The GTIN-13 check digit of the twelve digits before it (GS1 General Specifications 7.9)."""
    if len(body) != 12 or not body.isdigit():
        raise ValueError(f"a GTIN-13 has twelve digits before its check digit, not {body!r}")
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return -total % 10


def is_gtin13(code: str) -> bool:
    """Whether the code has thirteen digits, the last of which checks the others."""
    return len(code) == 13 and code.isdigit() and check_digit(code[:12]) == int(code[12])


def gtin_of(sku_key: str) -> str:
    """A barcode with China's prefix 690–699, always the same for the same SKU key."""
    number = zlib.crc32(sku_key.encode())
    body = f"69{number % 10}{number // 10 % 10**9:09d}"
    return f"{body}{check_digit(body)}"
