"""The invoice's arithmetic: golden cases first, then thousands of random orders."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoicing import (
    MAX_LINES,
    DetailMode,
    InvoiceLine,
    InvoiceSource,
    LineKind,
    Party,
    RedBeyondBlue,
    SourceLine,
    TaxClass,
    TaxTreatment,
    TooManyInvoiceLines,
    apportion,
    build_lines,
    invoice_number,
    reverse,
    split_freight,
    tax_of,
    totals_of,
)
from kernel.money import round_half_up

BEDDING = TaxClass("1040105020000000000", 1300, short_name="纺织产品")
TEA = TaxClass("1030307010000000000", 900, short_name="茶叶")
SERVICE = TaxClass("3040801010000000000", 600, short_name="经纪代理服务")
BOOKS = TaxClass("1060105010000000000", 0, TaxTreatment.EXEMPT, short_name="印刷品")
CARDS = TaxClass("6010000000000000000", 0, TaxTreatment.NON_TAXABLE)
CLASSES = [BEDDING, TEA, SERVICE, BOOKS, CARDS]


def line(
    line_id: str,
    *,
    tax: TaxClass = BEDDING,
    quantity: int = 1,
    price: int = 10_000,
    payable: int | None = None,
    credit: int | None = None,
) -> SourceLine:
    payable = quantity * price if payable is None else payable
    return SourceLine(
        line_id=line_id,
        name=f"商品{line_id}",
        tax=tax,
        quantity=quantity,
        unit_price_minor=price,
        payable_minor=payable,
        credit_minor=payable if credit is None else credit,
        spec="1.8m",
    )


def source(*lines: SourceLine, detail: DetailMode = DetailMode.ITEMS) -> InvoiceSource:
    return InvoiceSource(
        order_id="ord_1",
        buyer=Party("阿尔法科技有限公司", "91330100ALPHA00001"),
        seller=Party("福满福利商城有限公司", "91330100MA2FUMAN0X"),
        drawn_at=datetime(2026, 11, 24, 10, tzinfo=UTC),
        detail=detail,
        lines=lines,
    )


def test_a_line_paid_by_credit_alone_keeps_its_whole_quantity() -> None:
    (printed,) = build_lines(source(line("a", quantity=3, price=9_990)))
    assert printed.quantity == 3
    assert printed.unit_price_minor == 9_990
    assert (printed.gross_minor, printed.tax_minor, printed.net_minor) == (29_970, 3_448, 26_522)
    assert printed.full_name == "*纺织产品*商品a"
    assert printed.net_unit_price == Decimal("88.40707965")


def test_a_line_paid_in_part_keeps_its_price_and_shows_the_quantity_in_proportion() -> None:
    (printed,) = build_lines(source(line("a", price=30_000, credit=10_000)))
    assert printed.unit_price_minor == 30_000
    assert printed.quantity == Decimal("0.33333333")
    assert printed.gross_minor == 10_000


def test_lines_without_credit_do_not_appear_and_no_credit_means_no_line() -> None:
    lines = build_lines(source(line("a", credit=0), line("b", credit=1)))
    assert [printed.name for printed in lines] == ["商品b"]
    assert build_lines(source(line("a", credit=0))) == ()


def test_a_discount_is_a_negative_line_directly_after_its_item() -> None:
    lines = build_lines(
        source(line("a", quantity=2, price=10_000, payable=15_000, credit=7_500), line("b"))
    )
    assert [(x.kind.value, x.name, x.gross_minor, x.tax_minor) for x in lines] == [
        ("item", "商品a", 10_000, 1_150),
        ("discount", "商品a", -2_500, -288),
        ("item", "商品b", 10_000, 1_150),
    ]
    assert lines[0].quantity == 1
    assert lines[1].quantity is None
    assert lines[1].unit_price_minor is None


def test_points_and_cash_are_never_a_discount_line() -> None:
    lines = build_lines(source(line("a", price=10_000, credit=4_000)))
    assert [x.kind for x in lines] == [LineKind.ITEM]


def test_zero_exempt_and_outside_the_tax_are_three_different_words() -> None:
    zero = TaxClass("1010000000000000000", 0, TaxTreatment.ZERO)
    assert [x.rate_text for x in (BEDDING, zero, BOOKS, CARDS)] == ["13%", "0%", "免税", "不征税"]
    assert TaxClass("1", 150).rate_text == "1.5%"
    with pytest.raises(ValueError, match="does not fit"):
        TaxClass("1", 1300, TaxTreatment.EXEMPT)
    with pytest.raises(ValueError, match="does not fit"):
        TaxClass("1", 0)


def test_category_detail_has_one_line_for_each_code_and_rate_and_names_nothing() -> None:
    lines = build_lines(
        source(
            line("a", price=10_000, payable=8_000),
            line("b", tax=TEA, price=5_000),
            line("c", price=3_333),
            line("d", tax=TEA, price=4_000, credit=0),
            detail=DetailMode.CATEGORY,
        )
    )
    assert [(x.full_name, x.tax.rate_text, x.gross_minor, x.quantity, x.unit) for x in lines] == [
        ("*纺织产品*福利商品", "13%", 11_333, Decimal(1), "批"),
        ("*茶叶*福利商品", "9%", 5_000, Decimal(1), "批"),
    ]
    assert lines[0].parts == (("a", 8_000), ("c", 3_333))
    assert "商品a" not in repr([(x.name, x.spec) for x in lines])


def test_the_2001st_line_is_refused_and_not_merged() -> None:
    full = [line(str(i)) for i in range(MAX_LINES)]
    assert len(build_lines(source(*full))) == MAX_LINES
    with pytest.raises(TooManyInvoiceLines) as caught:
        build_lines(source(*full, line("x")))
    assert caught.value.code == "too_many_invoice_lines"
    assert caught.value.extra == {"lines": 2001, "limit": 2000}
    assert len(build_lines(source(*full, line("x"), detail=DetailMode.CATEGORY))) == 1


def test_freight_follows_the_goods_of_its_sub_order_over_their_rates() -> None:
    freight = line("f", price=1_001, credit=500)
    goods = [
        line("a", payable=2_000),
        line("b", tax=TEA, payable=4_000),
        line("c", tax=TEA, payable=1_000),
    ]
    parts = split_freight(freight, goods)
    assert [(p.tax, p.payable_minor, p.credit_minor, p.kind.value) for p in parts] == [
        (BEDDING, 286, 143, "freight"),
        (TEA, 715, 357, "freight"),
    ]
    assert split_freight(freight, [line("a", payable=0)]) == [freight]


def test_free_freight_splits_without_a_division_by_nothing() -> None:
    parts = split_freight(line("f", price=1_000, payable=0), [line("a"), line("b", tax=TEA)])
    assert [(p.unit_price_minor, p.payable_minor, p.credit_minor) for p in parts] == [
        (500, 0, 0),
        (500, 0, 0),
    ]


def test_a_red_invoice_ends_at_the_same_fen_in_three_steps_as_in_one() -> None:
    blue = build_lines(source(line("a", quantity=3, price=3_333, payable=8_000, credit=5_000)))
    steps = [0, 1_667, 3_333, 5_000]
    reds = [reverse(blue, before={"a": low}, after={"a": high}) for low, high in pairwise(steps)]
    assert [totals_of(red).gross_minor for red in reds] == [-1_667, -1_666, -1_667]
    whole = reverse(blue, before={}, after={"a": 5_000})
    assert [x.gross_minor for x in whole] == [-x.gross_minor for x in blue]
    assert [x.tax_minor for x in whole] == [-x.tax_minor for x in blue]
    assert whole[0].quantity is not None
    assert whole[0].quantity == -(blue[0].quantity or 0)
    for index in range(2):
        assert sum(red[index].tax_minor for red in reds) == -blue[index].tax_minor
        assert sum(red[index].gross_minor for red in reds) == -blue[index].gross_minor
    assert sum((red[0].quantity or Decimal(0) for red in reds), Decimal(0)) == whole[0].quantity


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"a": 10_001}), ({"a": 500}, {"a": 400}), ({}, {"z": 1}), ({"a": -1}, {"a": 0})],
)
def test_a_red_invoice_never_goes_beyond_the_blue(
    before: dict[str, int], after: dict[str, int]
) -> None:
    blue = build_lines(source(line("a")))
    with pytest.raises(RedBeyondBlue):
        reverse(blue, before=before, after=after)


def test_nothing_more_returned_gives_no_red_line() -> None:
    blue = build_lines(source(line("a"), line("b")))
    assert reverse(blue, before={"a": 7}, after={"a": 7}) == ()


def test_impossible_source_lines_are_refused() -> None:
    for make in (
        partial(line, "a", quantity=0),
        partial(line, "a", payable=10_001),
        partial(line, "a", credit=10_001),
        partial(line, "a", credit=-1),
    ):
        with pytest.raises(ValueError, match="does not hold"):
            make()


def test_the_number_has_twenty_digits_and_follows_from_the_sequence() -> None:
    assert invoice_number(year=2026, sequence=1) == "26009000000000000001"
    assert invoice_number(year=2126, sequence=10**15 - 1, region="33", channel="2") == (
        "26332999999999999999"
    )
    for wrong in ({"sequence": 0}, {"sequence": 10**15}, {"region": "1"}, {"region": "ab"}):
        with pytest.raises(ValueError, match="digit"):
            invoice_number(**{"year": 2026, "sequence": 1} | wrong)


@st.composite
def source_lines(draw: st.DrawFn, line_id: str, tax: TaxClass | None = None) -> SourceLine:
    quantity = draw(st.integers(1, 99)) if tax is None else 1
    price = draw(st.integers(1, 99_999_999))
    gross = quantity * price
    payable = draw(st.one_of(st.just(gross), st.integers(0, gross)))
    credit = draw(st.one_of(st.just(payable), st.just(0), st.integers(0, payable)))
    return line(
        line_id,
        tax=tax or draw(st.sampled_from(CLASSES)),
        quantity=quantity,
        price=price,
        payable=payable,
        credit=credit,
    )


@st.composite
def sources(draw: st.DrawFn) -> InvoiceSource:
    """An order of up to three sub-orders, each with its freight split over its rates."""
    lines: list[SourceLine] = []
    for sub in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, 4))
        goods = [draw(source_lines(f"{sub}.{i}")) for i in range(count)]
        freight = draw(source_lines(f"{sub}.f", BEDDING))
        lines += [*goods, *split_freight(freight, goods)]
    return source(*lines, detail=draw(st.sampled_from(DetailMode)))


def check_tax_identity(lines: tuple[InvoiceLine, ...]) -> None:
    for printed in lines:
        rate = printed.tax.rate_bp
        assert printed.tax_minor == round_half_up(printed.gross_minor * rate, 10_000 + rate)
        assert printed.net_minor + printed.tax_minor == printed.gross_minor
        assert abs(printed.tax_minor) <= abs(printed.gross_minor)


@settings(max_examples=800, deadline=None)
@given(sources())
def test_of_any_order_the_invoice_is_the_credit_used_to_the_fen(order: InvoiceSource) -> None:
    lines = build_lines(order)
    totals = totals_of(lines)
    assert totals.gross_minor == order.credit_minor
    assert totals.net_minor + totals.tax_minor == totals.gross_minor
    assert totals.tax_minor == sum(x.tax_minor for x in lines)
    check_tax_identity(lines)
    for x in lines:
        assert sum(amount for _, amount in x.parts) == x.gross_minor
        if x.quantity is not None and x.unit_price_minor is not None:
            # The printed quantity times the printed price is the printed amount, to the fen.
            exact = x.quantity * x.unit_price_minor
            assert abs(exact - x.gross_minor) <= Decimal("0.5")
            assert x.gross_minor > 0
        else:
            assert x.kind is LineKind.DISCOUNT
            assert x.gross_minor < 0
    for item, discount in pairwise(lines):
        if discount.kind is LineKind.DISCOUNT:
            assert item.kind in (LineKind.ITEM, LineKind.FREIGHT)
            assert item.parts[0][0] == discount.parts[0][0]
            assert item.gross_minor + discount.gross_minor >= 0


@settings(max_examples=500, deadline=None)
@given(sources(), st.data())
def test_of_any_order_partial_reversals_end_where_one_of_all_ends(
    order: InvoiceSource, data: st.DataObject
) -> None:
    blue = build_lines(order)
    credit: dict[str, int] = {}
    for paid in order.lines:
        credit[paid.line_id] = credit.get(paid.line_id, 0) + paid.credit_minor
    states = [dict.fromkeys(credit, 0)]
    for _ in range(data.draw(st.integers(0, 3))):
        last = states[-1]
        states.append({k: data.draw(st.integers(last[k], v)) for k, v in credit.items()})
    states.append(credit)
    gross = dict.fromkeys(range(len(blue)), 0)
    tax = dict.fromkeys(range(len(blue)), 0)
    quantity = dict.fromkeys(range(len(blue)), Decimal(0))
    position = {(x.kind, x.name, x.tax): i for i, x in enumerate(blue)}
    assert len(position) == len(blue)
    for before, after in pairwise(states):
        red = reverse(blue, before=before, after=after)
        assert totals_of(red).gross_minor == sum(before.values()) - sum(after.values())
        for x in red:
            index = position[x.kind, x.name, x.tax]
            # Each red line goes against its blue one and stays within it.
            assert x.gross_minor * blue[index].gross_minor < 0
            gross[index] -= x.gross_minor
            tax[index] -= x.tax_minor
            quantity[index] -= x.quantity or Decimal(0)
            assert abs(gross[index]) <= abs(blue[index].gross_minor)
            assert abs(tax[index]) <= abs(blue[index].tax_minor)
            assert tax[index] == tax_of(gross[index], x.tax.rate_bp)
    for index, x in enumerate(blue):
        assert gross[index] == x.gross_minor
        assert tax[index] == x.tax_minor
        assert quantity[index] == (x.quantity or 0)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8), st.data())
def test_apportioned_parts_sum_and_only_grow(weights: list[int], data: st.DataObject) -> None:
    whole = sum(weights)
    if whole == 0:
        weights, whole = [*weights, 5], 5
    amount = data.draw(st.integers(0, whole))
    parts = apportion(amount, weights)
    assert sum(parts) == amount
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    assert apportion(whole, weights) == weights
    if amount < whole:
        more = apportion(amount + 1, weights)
        assert sum(b - a for a, b in zip(parts, more, strict=True)) == 1
        assert all(b >= a for a, b in zip(parts, more, strict=True))
