"""What the cashier's calls give: dump schemas, so that nothing leaves that is not named here."""

from __future__ import annotations

from marshmallow import Schema, fields


class NamedAnswer(Schema):
    id = fields.String()
    name = fields.String()


class PotAnswerOut(Schema):
    pot_id = fields.String()
    name = fields.String()
    eligible = fields.Boolean()
    reason = fields.String(allow_none=True)


class OfferOut(Schema):
    offer_id = fields.String()
    merchant = fields.Nested(NamedAnswer)
    price_minor = fields.Integer()
    list_price_minor = fields.Integer()
    available = fields.Integer()
    pots = fields.List(fields.Nested(PotAnswerOut))


class SkuOut(Schema):
    sku_id = fields.String()
    name = fields.String()
    image = fields.String()
    offers = fields.List(fields.Nested(OfferOut))


class ProductCategoryOut(NamedAnswer):
    tint = fields.String()
    path = fields.List(fields.Nested(NamedAnswer))


class AttributeOut(Schema):
    name = fields.String()
    value = fields.String()


class ProductOut(Schema):
    product_id = fields.String()
    title = fields.String()
    subtitle = fields.String()
    description = fields.String()
    brand = fields.Nested(NamedAnswer, allow_none=True)
    category = fields.Nested(ProductCategoryOut)
    images = fields.List(fields.String())
    sold = fields.Integer()
    attributes = fields.List(fields.Nested(AttributeOut))
    no_reason_return = fields.Boolean()
    skus = fields.List(fields.Nested(SkuOut))


class CodeDetailOut(Schema):
    code = fields.String()
    detail = fields.String()


class CartItemOut(Schema):
    offer_id = fields.String()
    product_id = fields.String()
    title = fields.String()
    sku_name = fields.String()
    image = fields.String()
    price_minor = fields.Integer()
    quantity = fields.Integer()
    available = fields.Integer()
    chosen = fields.Boolean()
    problem = fields.Nested(CodeDetailOut, allow_none=True)
    pots = fields.List(fields.Nested(PotAnswerOut))


class CartGroupOut(Schema):
    merchant = fields.Nested(NamedAnswer)
    freight_minor = fields.Integer()
    free_from_minor = fields.Integer(allow_none=True)
    items = fields.List(fields.Nested(CartItemOut), attribute="items")


class CartOut(Schema):
    groups = fields.List(fields.Nested(CartGroupOut))
    count = fields.Integer()
    chosen_total_minor = fields.Integer()


class LineOut(Schema):
    line_id = fields.String()
    kind = fields.String()
    merchant = fields.Nested(NamedAnswer)
    offer_id = fields.String(allow_none=True)
    product_id = fields.String(allow_none=True)
    title = fields.String()
    sku_name = fields.String()
    image = fields.String()
    unit = fields.String()
    tax_code = fields.String()
    rate_bp = fields.Integer()
    quantity = fields.Integer()
    unit_price_minor = fields.Integer()
    gross_minor = fields.Integer()
    discount_minor = fields.Integer()
    payable_minor = fields.Integer()


class PotAmountOut(Schema):
    pot_id = fields.String()
    name = fields.String()
    amount_minor = fields.Integer()


class PointsAmountOut(Schema):
    points = fields.Integer()
    amount_minor = fields.Integer()


class TendersOut(Schema):
    credit = fields.List(fields.Nested(PotAmountOut))
    points = fields.Nested(PointsAmountOut)
    cash_minor = fields.Integer()


class FundingOut(Schema):
    line_id = fields.String()
    source = fields.String()
    source_name = fields.String()
    pot_id = fields.String(allow_none=True)
    amount_minor = fields.Integer()


class DiscountLineOut(Schema):
    line_id = fields.String()
    amount_minor = fields.Integer()


class DiscountOut(Schema):
    name = fields.String()
    funder = fields.String()
    amount_minor = fields.Integer()
    lines = fields.List(fields.Nested(DiscountLineOut))


class RefusalOut(CodeDetailOut):
    line_id = fields.String()
    pot_id = fields.String(allow_none=True)


class PotAvailableOut(Schema):
    pot_id = fields.String()
    name = fields.String()
    available_minor = fields.Integer()


class AvailableOut(Schema):
    credit = fields.List(fields.Nested(PotAvailableOut))
    points = fields.Integer()


class QuoteOut(Schema):
    quote_id = fields.String()
    expires_at = fields.String()
    lines = fields.List(fields.Nested(LineOut))
    discounts = fields.List(fields.Nested(DiscountOut))
    saved_minor = fields.Integer()
    freight_minor = fields.Integer()
    payable_minor = fields.Integer()
    tenders = fields.Nested(TendersOut)
    funding = fields.List(fields.Nested(FundingOut))
    refusals = fields.List(fields.Nested(RefusalOut))
    available = fields.Nested(AvailableOut)
    billing_entity = fields.Nested(NamedAnswer, allow_none=True)


class PaymentOut(Schema):
    intent_id = fields.String()
    amount_minor = fields.Integer()
    client_secret = fields.String()
    gateway_url = fields.String()
    card_page_url = fields.String()


class PlacedOrderOut(Schema):
    order_id = fields.String()
    state = fields.String()
    payment = fields.Nested(PaymentOut, allow_none=True)


class OrderSummaryOut(Schema):
    order_id = fields.String()
    state = fields.String()
    created_at = fields.String()
    title = fields.String()
    images = fields.List(fields.String())
    line_count = fields.Integer()
    merchants = fields.List(fields.String())
    payable_minor = fields.Integer()
    credit_minor = fields.Integer()
    points = fields.Integer()
    points_minor = fields.Integer()
    cash_minor = fields.Integer()
    refunded_minor = fields.Integer()


class OrdersOut(Schema):
    items = fields.List(fields.Nested(OrderSummaryOut), attribute="items")
    next_cursor = fields.String(allow_none=True)


class OrderAddressOut(Schema):
    name = fields.String()
    phone = fields.String()
    region_name = fields.String()
    detail = fields.String()


class OrderLineOut(LineOut):
    refunded_quantity = fields.Integer()
    refunded_minor = fields.Integer()


class OrderFundingOut(FundingOut):
    refunded_minor = fields.Integer()


class ParcelOut(Schema):
    parcel_id = fields.String()
    carrier = fields.String()
    tracking_number = fields.String()
    state = fields.String()
    shipped_at = fields.String()


class SubOrderOut(Schema):
    sub_order_id = fields.String()
    merchant = fields.Nested(NamedAnswer)
    state = fields.String()
    line_ids = fields.List(fields.String())
    goods_minor = fields.Integer()
    freight_minor = fields.Integer()
    parcels = fields.List(fields.Nested(ParcelOut))


class RefundPotOut(PotAmountOut):
    to = fields.String()


class RefundTendersOut(Schema):
    credit = fields.List(fields.Nested(RefundPotOut))
    points = fields.Nested(PointsAmountOut)
    cash_minor = fields.Integer()


class RefundPreviewOut(Schema):
    refund_minor = fields.Integer()
    tenders = fields.Nested(RefundTendersOut)
    funding = fields.List(fields.Nested(FundingOut))


class RefundOut(RefundPreviewOut):
    refund_id = fields.String()
    state = fields.String()
    created_at = fields.String()
    amount_minor = fields.Integer()
    reason = fields.String()


class InvoiceBriefOut(Schema):
    number = fields.String()
    kind = fields.String()
    state = fields.String()
    gross_minor = fields.Integer()
    red_minor = fields.Integer()


class OrderOut(OrderSummaryOut):
    address = fields.Nested(OrderAddressOut)
    lines = fields.List(fields.Nested(OrderLineOut))
    discounts = fields.List(fields.Nested(DiscountOut))
    goods_minor = fields.Integer()
    saved_minor = fields.Integer()
    freight_minor = fields.Integer()
    tenders = fields.Nested(TendersOut)
    funding = fields.List(fields.Nested(OrderFundingOut))
    sub_orders = fields.List(fields.Nested(SubOrderOut))
    refunds = fields.List(fields.Nested(RefundOut))
    payment = fields.Nested(PaymentOut, allow_none=True)
    pay_before_at = fields.String(allow_none=True)
    paid_at = fields.String(allow_none=True)
    actions = fields.List(fields.String())
    invoice = fields.Nested(InvoiceBriefOut, allow_none=True)


class PartyOut(Schema):
    name = fields.String()
    tax_number = fields.String()
    address = fields.String()
    phone = fields.String()
    bank = fields.String()


class InvoiceLineOut(Schema):
    kind = fields.String()
    name = fields.String()
    tax_code = fields.String()
    spec = fields.String()
    unit = fields.String()
    quantity = fields.String()
    unit_price_minor = fields.Integer(allow_none=True)
    unit_price = fields.String()
    rate = fields.String()
    rate_bp = fields.Integer()
    treatment = fields.String()
    net_minor = fields.Integer()
    tax_minor = fields.Integer()
    gross_minor = fields.Integer()


class RedInvoiceOut(Schema):
    number = fields.String()
    gross_minor = fields.Integer()


class InvoiceOut(Schema):
    number = fields.String()
    kind = fields.String()
    state = fields.String()
    drawn_at = fields.String()
    order_id = fields.String()
    red_of = fields.String(allow_none=True)
    buyer = fields.Nested(PartyOut)
    seller = fields.Nested(PartyOut)
    lines = fields.List(fields.Nested(InvoiceLineOut))
    net_minor = fields.Integer()
    tax_minor = fields.Integer()
    gross_minor = fields.Integer()
    gross_capitals = fields.String()
    remark = fields.String()
    notice = fields.String()
    red = fields.List(fields.Nested(RedInvoiceOut))


class EnterpriseOrderOut(Schema):
    order_id = fields.String()
    created_at = fields.String()
    state = fields.String()
    merchant_count = fields.Integer()
    rates = fields.List(fields.String())
    credit_minor = fields.Integer()
    invoice = fields.Nested(InvoiceBriefOut, allow_none=True)


class EnterpriseOrdersOut(Schema):
    items = fields.List(fields.Nested(EnterpriseOrderOut), attribute="items")
    total = fields.Integer()
    next_cursor = fields.String(allow_none=True)
