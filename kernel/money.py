"""Money, points, and the two pieces of arithmetic that every split and tax is made of.

Amounts are whole numbers: fen for money, units for points (Domain rule 1). No floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

# The largest amount accepted from outside: ten thousand million yuan, far inside a BIGINT.
MAX_MINOR = 10**12
POINTS_PER_YUAN = 100


class MixedAssets(TypeError):
    """Two different currencies or assets met in one sum: a programming error, never input."""


@dataclass(frozen=True, slots=True, order=False)
class _Quantity:
    minor: int
    asset: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"amounts are whole numbers, not {type(self.minor).__name__}")

    def _check(self, other: _Quantity) -> None:
        if type(other) is not type(self) or other.asset != self.asset:
            raise MixedAssets(f"{self!r} and {other!r}")


class Money(_Quantity):
    """``minor`` fen of ``currency``."""

    def __init__(self, minor: int, currency: str = "CNY") -> None:
        super().__init__(minor, currency)

    @property
    def currency(self) -> str:
        return self.asset

    def __add__(self, other: Money) -> Money:
        self._check(other)
        return Money(self.minor + other.minor, self.asset)

    def __sub__(self, other: Money) -> Money:
        self._check(other)
        return Money(self.minor - other.minor, self.asset)

    def __lt__(self, other: Money) -> bool:
        self._check(other)
        return self.minor < other.minor

    def __str__(self) -> str:
        return f"{self.asset} {format_yuan(self.minor)}"


class Points(_Quantity):
    """A number of points: an asset of its own, which never adds to money."""

    def __init__(self, minor: int) -> None:
        super().__init__(minor, "POINT")

    def __add__(self, other: Points) -> Points:
        self._check(other)
        return Points(self.minor + other.minor)

    def __sub__(self, other: Points) -> Points:
        self._check(other)
        return Points(self.minor - other.minor)

    def worth(self) -> Money:
        """What they pay for, in fen; only whole fen can be paid (100 points = ¥1)."""
        return Money(points_to_minor(self.minor))


def points_to_minor(points: int) -> int:
    """Fen that ``points`` are worth, rounded down."""
    return points * 100 // POINTS_PER_YUAN


def minor_to_points(minor: int) -> int:
    """The fewest points that pay ``minor`` fen."""
    return -(-minor * POINTS_PER_YUAN // 100)


def round_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` rounded half away from zero, in whole numbers."""
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def split_by_largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of ``total`` in proportion to ``weights`` that sum to ``total`` (Domain rule 6).

    Ties go to the earlier line. With ``0 <= total <= sum(weights)`` no part exceeds its weight.
    Raises ValueError for a negative weight, or for a total other than 0 over no weight at all.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError("nothing to split over")
        return [0] * len(weights)
    sign = -1 if total < 0 else 1
    shares = [divmod(abs(total) * weight, whole) for weight in weights]
    left = abs(total) - sum(share for share, _ in shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-shares[i][1], i))
    bonus = set(by_remainder[:left])
    return [sign * (share + (i in bonus)) for i, (share, _) in enumerate(shares)]


def format_yuan(minor: int) -> str:
    """Fen as yuan with two decimals and thousands separators: ``123450`` → ``1,234.50``."""
    sign = "-" if minor < 0 else ""
    yuan, fen = divmod(abs(minor), 100)
    return f"{sign}{yuan:,}.{fen:02d}"


def parse_yuan(text: str) -> int:
    """Yuan as people write it to fen. Raises ValueError for anything but at most two decimals."""
    try:
        amount = Decimal(text.strip().replace(",", "").removeprefix("¥"))
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount") from None
    fen = amount * 100
    if not amount.is_finite() or fen != fen.to_integral_value() or abs(fen) > MAX_MINOR:
        raise ValueError(f"{text!r} is not an amount in yuan and fen")
    return int(fen)
