"""What stands on an enterprise's invoice: pure rules, without database or Flask.

An order arrives as a plain snapshot (:class:`InvoiceSource`). Only what the employer's credit paid
is invoiced (Domain rules 12 and 27); red invoices reverse it by cumulative amounts (rule 7).

All amounts are fen with tax included unless a name says ``net``; rates are basis points
(13% = 1300); quantities on an invoice are decimals with at most eight places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from kernel.errors import Problem
from kernel.money import round_half_up, split_by_largest_remainder

MAX_LINES = 2000
QUANTITY_STEP = Decimal("0.00000001")
CATEGORY_UNIT = "批"
CATEGORY_NAME = "福利商品"


class TooManyInvoiceLines(Problem):
    """A fully digital invoice holds 2,000 lines (Domain rule 13); nothing is merged silently."""

    code = "too_many_invoice_lines"
    status = 422
    title = "发票明细超过 2000 行"


class RedBeyondBlue(Problem):
    """More would be reversed than was invoiced, or less than already is."""

    code = "red_beyond_blue"
    status = 409
    title = "红字金额超出蓝字发票可冲销的余额"


class TaxTreatment(StrEnum):
    """Zero rate, exemption and "outside the tax" are three things, each with its own word."""

    TAXABLE = "taxable"
    ZERO = "zero"
    EXEMPT = "exempt"
    NON_TAXABLE = "non_taxable"


class DetailMode(StrEnum):
    """What the enterprise's programme lets finance see (Domain rule 22)."""

    ITEMS = "items"
    CATEGORY = "category"


class LineKind(StrEnum):
    ITEM = "item"
    FREIGHT = "freight"
    DISCOUNT = "discount"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Party:
    """A buyer or a seller; what is unknown is an empty string."""

    name: str
    tax_number: str
    address: str = ""
    phone: str = ""
    bank: str = ""


@dataclass(frozen=True, slots=True)
class TaxClass:
    """How a thing is taxed.

    ``code`` is the 19-digit tax classification; ``short_name`` the category's short name, printed
    between asterisks before the item's name; ``rate_bp`` is zero unless the treatment is taxable.
    """

    code: str
    rate_bp: int
    treatment: TaxTreatment = TaxTreatment.TAXABLE
    short_name: str = ""

    def __post_init__(self) -> None:
        if (self.rate_bp > 0) != (self.treatment is TaxTreatment.TAXABLE):
            raise ValueError(f"rate {self.rate_bp} does not fit {self.treatment.value}")

    @property
    def rate_text(self) -> str:
        """The rate as the invoice prints it: ``13%``, ``0%``, ``免税``, ``不征税``."""
        if self.treatment is TaxTreatment.EXEMPT:
            return "免税"
        if self.treatment is TaxTreatment.NON_TAXABLE:
            return "不征税"
        return f"{Decimal(self.rate_bp) / 100:f}%"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One payable of an order: ``quantity`` pieces at ``unit_price_minor`` (tax included).

    ``payable_minor`` is what was left after campaigns' discounts; ``credit_minor`` is the part of
    it that the employer's credit paid.
    """

    line_id: str
    name: str
    tax: TaxClass
    quantity: int
    unit_price_minor: int
    payable_minor: int
    credit_minor: int
    spec: str = ""
    unit: str = "件"
    kind: LineKind = LineKind.ITEM

    def __post_init__(self) -> None:
        gross = self.quantity * self.unit_price_minor
        if not (self.quantity > 0 and 0 <= self.credit_minor <= self.payable_minor <= gross):
            raise ValueError(
                f"line {self.line_id}: 0 ≤ credit {self.credit_minor} ≤ payable "
                f"{self.payable_minor} ≤ gross {gross} does not hold"
            )


@dataclass(frozen=True, slots=True)
class InvoiceSource:
    """The snapshot of a paid order that an invoice is drawn from; ``drawn_at`` is aware UTC."""

    order_id: str
    buyer: Party
    seller: Party
    drawn_at: datetime
    detail: DetailMode
    lines: tuple[SourceLine, ...]

    @property
    def credit_minor(self) -> int:
        return sum(line.credit_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line as it is printed and stored.

    ``quantity`` and ``unit_price_minor`` (tax included) are None on a discount line. ``parts`` says
    which order lines the gross comes from: ``(line_id, fen)`` pairs that sum to ``gross_minor``.
    """

    kind: LineKind
    name: str
    tax: TaxClass
    gross_minor: int
    tax_minor: int
    quantity: Decimal | None = None
    unit_price_minor: int | None = None
    spec: str = ""
    unit: str = ""
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def net_minor(self) -> int:
        return self.gross_minor - self.tax_minor

    @property
    def full_name(self) -> str:
        """The name with its tax category, as invoices print it: ``*纺织产品*四件套``."""
        return f"*{self.tax.short_name}*{self.name}" if self.tax.short_name else self.name

    @property
    def net_unit_price(self) -> Decimal | None:
        """Yuan a piece without tax, as printed beside the net amount; at most eight decimals."""
        if self.unit_price_minor is None:
            return None
        exact = Decimal(self.unit_price_minor) * 100 / (10_000 + self.tax.rate_bp)
        return exact.quantize(QUANTITY_STEP, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class InvoiceTotals:
    """Sums of lines, never computed any other way (Domain rule 14)."""

    net_minor: int
    tax_minor: int
    gross_minor: int


def tax_of(gross_minor: int, rate_bp: int) -> int:
    """The tax inside a gross amount: gross × r / (1 + r), rounded half away from zero."""
    return round_half_up(gross_minor * rate_bp, 10_000 + rate_bp)


def totals_of(lines: Iterable[InvoiceLine]) -> InvoiceTotals:
    """Net, tax and gross of some lines."""
    gross = tax = 0
    for line in lines:
        gross += line.gross_minor
        tax += line.tax_minor
    return InvoiceTotals(net_minor=gross - tax, tax_minor=tax, gross_minor=gross)


def build_lines(source: InvoiceSource) -> tuple[InvoiceLine, ...]:
    """The lines of the order's blue invoice; empty where no credit was used.

    Their gross amounts sum to the credit used, to the fen. Raises TooManyInvoiceLines.
    """
    paid = [line for line in source.lines if line.credit_minor > 0]
    if source.detail is DetailMode.CATEGORY:
        lines = _lines_by_category(paid)
    else:
        lines = [printed for line in paid for printed in _lines_of_item(line)]
    if len(lines) > MAX_LINES:
        raise TooManyInvoiceLines(
            f"这张订单的发票有 {len(lines)} 行，最多 {MAX_LINES} 行；请改用按类别开票",
            extra={"lines": len(lines), "limit": MAX_LINES},
        )
    return tuple(lines)


def _lines_of_item(line: SourceLine) -> list[InvoiceLine]:
    """The item, and its discount right behind it where a campaign lowered the price.

    Both are scaled by the share that credit paid; the discount takes the rounding, so that the two
    sum to the credit exactly.
    """
    full_gross = line.quantity * line.unit_price_minor
    gross = round_half_up(full_gross * line.credit_minor, line.payable_minor)
    whole = line.credit_minor == line.payable_minor
    quantity = Decimal(line.quantity) if whole else _ratio(gross, line.unit_price_minor)
    item = InvoiceLine(
        kind=line.kind,
        name=line.name,
        tax=line.tax,
        gross_minor=gross,
        tax_minor=tax_of(gross, line.tax.rate_bp),
        quantity=quantity,
        unit_price_minor=line.unit_price_minor,
        spec=line.spec,
        unit=line.unit,
        parts=((line.line_id, gross),),
    )
    discount = line.credit_minor - gross
    if discount == 0:
        return [item]
    return [
        item,
        replace(
            item,
            kind=LineKind.DISCOUNT,
            gross_minor=discount,
            tax_minor=tax_of(discount, line.tax.rate_bp),
            quantity=None,
            unit_price_minor=None,
            spec="",
            unit="",
            parts=((line.line_id, discount),),
        ),
    ]


def _lines_by_category(paid: Sequence[SourceLine]) -> list[InvoiceLine]:
    """One line for each tax code and rate, naming nothing that was bought (Domain rule 22)."""
    groups: dict[tuple[str, int, TaxTreatment], list[SourceLine]] = {}
    for line in paid:
        key = (line.tax.code, line.tax.rate_bp, line.tax.treatment)
        groups.setdefault(key, []).append(line)
    lines = []
    for members in groups.values():
        tax = members[0].tax
        gross = sum(line.credit_minor for line in members)
        lines.append(
            InvoiceLine(
                kind=LineKind.CATEGORY,
                name=CATEGORY_NAME,
                tax=tax,
                gross_minor=gross,
                tax_minor=tax_of(gross, tax.rate_bp),
                quantity=Decimal(1),
                unit_price_minor=gross,
                unit=CATEGORY_UNIT,
                parts=tuple((line.line_id, line.credit_minor) for line in members),
            )
        )
    return lines


def split_freight(freight: SourceLine, goods: Sequence[SourceLine]) -> list[SourceLine]:
    """A sub-order's freight as one line for each tax rate of its goods (Domain rule 26).

    The weights are the goods' payables; payable, price before discount and credit are each split by
    largest remainder. A rate's tax code is that of its dearest goods. Without any payable goods the
    freight keeps its own tax class.
    """
    weights: dict[tuple[int, TaxTreatment], int] = {}
    dearest: dict[tuple[int, TaxTreatment], SourceLine] = {}
    for line in goods:
        key = (line.tax.rate_bp, line.tax.treatment)
        weights[key] = weights.get(key, 0) + line.payable_minor
        if key not in dearest or line.payable_minor > dearest[key].payable_minor:
            dearest[key] = line
    if not any(weights.values()):
        return [freight]
    share = list(weights.values())
    payables = split_by_largest_remainder(freight.payable_minor, share)
    discount = freight.quantity * freight.unit_price_minor - freight.payable_minor
    discounts = split_by_largest_remainder(discount, share)
    credits_ = (
        split_by_largest_remainder(freight.credit_minor, payables)
        if freight.payable_minor
        else payables
    )
    return [
        replace(
            freight,
            kind=LineKind.FREIGHT,
            tax=dearest[key].tax,
            quantity=1,
            unit_price_minor=payable + off,
            payable_minor=payable,
            credit_minor=credit,
        )
        for key, payable, off, credit in zip(weights, payables, discounts, credits_, strict=True)
    ]


def reverse(
    blue: Sequence[InvoiceLine], *, before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[InvoiceLine, ...]:
    """The lines of a red invoice.

    ``before`` and ``after`` give, for each order line, the credit refunded in all (fen), before and
    with this refund; a line not named has 0. Each red line is f(after) − f(before), negated, so
    that any number of partial reversals ends at the same fen as one of everything (Domain rule 7),
    and the red invoice's total is exactly the credit refunded. Lines that don't move are left out.
    Raises RedBeyondBlue.
    """
    invoiced = _invoiced_by_line(blue)
    for line_id in {*before, *after}:
        low, high = before.get(line_id, 0), after.get(line_id, 0)
        if not 0 <= low <= high <= invoiced.get(line_id, 0):
            raise RedBeyondBlue(
                extra={"line_id": line_id, "invoiced_minor": invoiced.get(line_id, 0)}
            )
    old = _reversed_gross(blue, before)
    new = _reversed_gross(blue, after)
    red = []
    for line, old_parts, new_parts in zip(blue, old, new, strict=True):
        printed = _red_line(line, old_parts, new_parts)
        if printed is not None:
            red.append(printed)
    return tuple(red)


def _red_line(
    blue: InvoiceLine, old: Mapping[str, int], new: Mapping[str, int]
) -> InvoiceLine | None:
    was, now = sum(old.values()), sum(new.values())
    if was == now:
        return None
    quantity = None
    if blue.quantity is not None:
        quantity = _reversed_quantity(blue, was) - _reversed_quantity(blue, now)
    rate_bp = blue.tax.rate_bp
    return replace(
        blue,
        gross_minor=was - now,
        tax_minor=tax_of(was, rate_bp) - tax_of(now, rate_bp),
        quantity=quantity,
        parts=tuple((id_, old[id_] - new[id_]) for id_ in new if old[id_] != new[id_]),
    )


def _reversed_quantity(blue: InvoiceLine, gross_minor: int) -> Decimal:
    """The cumulative quantity that goes with a cumulative reversed amount."""
    whole = blue.quantity or Decimal(0)
    if gross_minor == blue.gross_minor:
        return whole
    exact = whole * gross_minor / blue.gross_minor
    return exact.quantize(QUANTITY_STEP, ROUND_HALF_UP).normalize()


@dataclass(slots=True)
class _Unit:
    """An item with its discount, or one part of a freight or category line: reversed together."""

    item: int
    gross_minor: int
    discount: int | None = None
    net_minor: int = field(default=0)


def _reversed_gross(
    blue: Sequence[InvoiceLine], refunded: Mapping[str, int]
) -> list[dict[str, int]]:
    """For each blue line, its reversed gross by order line, when ``refunded`` is back in all."""
    result: list[dict[str, int]] = [dict.fromkeys((id_ for id_, _ in b.parts), 0) for b in blue]
    for line_id, units in _units_by_line(blue).items():
        shares = apportion(refunded.get(line_id, 0), [unit.net_minor for unit in units])
        for unit, share in zip(units, shares, strict=True):
            gross = round_half_up(unit.gross_minor * share, unit.net_minor)
            result[unit.item][line_id] = gross
            if unit.discount is not None:
                result[unit.discount][line_id] = share - gross
    return result


def _units_by_line(blue: Sequence[InvoiceLine]) -> dict[str, list[_Unit]]:
    units: dict[str, list[_Unit]] = {}
    for index, line in enumerate(blue):
        for line_id, amount in line.parts:
            if line.kind is LineKind.DISCOUNT:
                last = units[line_id][-1]
                last.discount = index
                last.net_minor += amount
            else:
                unit = _Unit(item=index, gross_minor=amount, net_minor=amount)
                units.setdefault(line_id, []).append(unit)
    return units


def _invoiced_by_line(blue: Sequence[InvoiceLine]) -> dict[str, int]:
    invoiced: dict[str, int] = {}
    for line in blue:
        for line_id, amount in line.parts:
            invoiced[line_id] = invoiced.get(line_id, 0) + amount
    return invoiced


def apportion(amount: int, weights: Sequence[int]) -> list[int]:
    """Parts of ``amount`` over ``weights`` that only grow as the amount grows.

    Largest remainder lacks that property (a larger total may take a fen from a part), so cumulative
    reversals use the highest-averages method. It keeps at least the rounded-down share, gives
    each part its whole weight when ``amount == sum(weights)``, and always sums to ``amount``.
    """
    whole = sum(weights)
    parts = [amount * weight // whole for weight in weights]
    for _ in range(amount - sum(parts)):
        # The largest weight / (part + 1) is found without fractions; ties go to the earlier one.
        best = 0
        for i in range(1, len(parts)):
            if weights[i] * (parts[best] + 1) > weights[best] * (parts[i] + 1):
                best = i
        parts[best] += 1
    return parts


def _ratio(numerator: int, denominator: int) -> Decimal:
    exact = Decimal(numerator) / Decimal(denominator)
    return exact.quantize(QUANTITY_STEP, ROUND_HALF_UP).normalize()


def invoice_number(*, year: int, sequence: int, region: str = "00", channel: str = "9") -> str:
    """The 20-digit number: two digits of the year, two of the region, one of the channel, and the
    sequence in fifteen.

    The layout is that of fully digital invoices. Region ``00`` is no province, so a billing
    document never bears a number that the tax bureau could give to somebody else; an issuer's
    number replaces it once one is connected. Raises ValueError for what doesn't fit.
    """
    if not (1 <= sequence < 10**15 and len(region) == 2 and len(channel) == 1):
        raise ValueError("the sequence has 15 digits, the region two, the channel one")
    number = f"{year % 100:02d}{region}{channel}{sequence:015d}"
    if not (number.isascii() and number.isdigit()):
        raise ValueError("an invoice number is digits only")
    return number
