"""The quote: what an order would cost and who would pay which line, kept for some minutes.

It asks shop for prices and stock, enterprises for the programme and the pots, wallets for the
lots, and keeps their answers as a snapshot that becomes the order's (Domain rules 5, 25, 26).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, insert, select

from checkout.funding import Funding, FundingLot, fund
from checkout.models import Order, Quote
from checkout.pricing import (
    FREIGHT,
    GOODS,
    FreightRule,
    PricedItem,
    commission,
    freight_by_merchant,
    is_sane_total,
)
from enterprises.services.companies import find_billing_entity
from enterprises.services.eligibility import Viewer, ViewerPot, viewer_of
from kernel import clock
from kernel.auth.policy import Actor
from kernel.clock import rfc3339
from kernel.db import db, run, write_transaction
from kernel.errors import InvalidInput, NotFound, Problem
from kernel.ids import public_id
from kernel.money import minor_to_points, points_to_minor
from kernel.settings import get_settings
from merchants.services import commission_rates
from points.services.holds import InsufficientCredit, InsufficientPoints
from points.services.pots import LotView, PotView, point_lots
from shop.services.addresses import find_address
from shop.services.cart import list_cart
from shop.services.catalogue import OfferView, UnknownOffer, find_offers
from shop.services.categories import Rate, tax_rates
from shop.services.stock import OutOfStock

MAX_LINES = 100

# Statements of the hot path are made once: building one costs more than running it.
_INSERT = insert(cast("Table", Quote.__table__))
_FIND = select(Quote).where(
    Quote.public_id == bindparam("the_quote"), Quote.membership_id == bindparam("the_owner")
)


class EmptyOrder(Problem):
    code = "empty_order"
    status = 422
    title = "没有要结算的商品"


class UnknownCoupon(Problem):
    code = "unknown_coupon"
    status = 404
    title = "没有这张优惠券"


class AmountTooLarge(Problem):
    code = "amount_too_large"
    status = 422
    title = "订单金额太大"


@dataclass(frozen=True)
class QuoteRequest:
    """``items`` None takes the cart's chosen lines; ``credit_minor`` None and ``points`` None
    mean as much as possible."""

    address_id: str
    items: tuple[tuple[str, int], ...] | None
    credit_minor: int | None = None
    points: int | None = 0
    coupons: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "address_id": self.address_id,
            "items": [list(item) for item in self.items] if self.items is not None else None,
            "credit_minor": self.credit_minor,
            "points": self.points,
            "coupons": list(self.coupons),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> QuoteRequest:
        items = value["items"]
        return cls(
            address_id=value["address_id"],
            items=tuple((o, q) for o, q in items) if items is not None else None,
            credit_minor=value["credit_minor"],
            points=value["points"],
            coupons=tuple(value["coupons"]),
        )


def create_quote(*, actor: Actor, request: QuoteRequest) -> dict[str, Any]:
    """Price and fund an order, and keep the result. Opens its own transactions.

    Everything is read outside of the writer's lock; only the finished quote is written. Raises
    :class:`UnknownOffer`, :class:`OutOfStock`, :class:`EmptyOrder`, NotFound for somebody else's
    address, :class:`InsufficientCredit`, :class:`InsufficientPoints`.
    """
    try:
        snapshot = _price(actor, request)
    finally:
        db.session.rollback()
    at = clock.now()
    snapshot["quote_id"] = public_id("quo")
    expires_at = at + timedelta(minutes=get_settings().quote_minutes)
    snapshot["expires_at"] = rfc3339(expires_at)
    with write_transaction():
        run(
            _INSERT,
            [
                {
                    "public_id": snapshot["quote_id"],
                    "membership_id": actor.membership_id,
                    "request": request.to_json(),
                    "snapshot": snapshot,
                    "created_at": at,
                    "expires_at": expires_at,
                }
            ],
        )
    return snapshot


def purge_quotes(*, limit: int = 5000) -> int:
    """Forget quotes that ran out a day ago and that nobody ordered by; the caller commits."""
    ids = db.session.scalars(
        select(Quote.id)
        .outerjoin(Order, Order.quote_id == Quote.id)
        .where(Quote.expires_at < clock.now() - timedelta(days=1), Order.id.is_(None))
        .limit(limit)
    ).all()
    if ids:
        db.session.execute(delete(Quote).where(Quote.id.in_(ids)))
    return len(ids)


def find_quote(*, actor: Actor, quote_id: str) -> Quote:
    """One's own quote. Raises NotFound."""
    quote = db.session.scalar(_FIND, {"the_quote": quote_id, "the_owner": actor.membership_id})
    if quote is None:
        raise NotFound("没有这份报价")
    return quote


@dataclass
class _Basket:
    """What is being priced, step by step: offers with quantities, then payables in line order."""

    viewer: Viewer
    wanted: list[tuple[OfferView, int]]
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def payables(self) -> list[int]:
        return [line["payable_minor"] for line in self.lines]


def _price(actor: Actor, request: QuoteRequest) -> dict[str, Any]:
    if request.coupons:
        raise UnknownCoupon
    address = find_address(person_id=actor.person_id, address_id=request.address_id)
    viewer = viewer_of(actor)
    basket = _Basket(viewer, _wanted(actor, viewer, request))
    _add_goods(basket, clock.now())
    _add_freight(basket)
    if not is_sane_total(sum(basket.payables)):
        raise AmountTooLarge
    points = point_lots(person_id=actor.person_id, at=clock.now())
    funding = _fund(basket, request, points)
    return _snapshot(basket, funding, points) | {
        "address": {"sealed": address.sealed, "region_code": address.region_code}
    }


def _wanted(actor: Actor, viewer: Viewer, request: QuoteRequest) -> list[tuple[OfferView, int]]:
    if request.items is None:
        cart = list_cart(membership_id=actor.membership_id, chosen_only=True)
        wanted = [(line.offer, line.quantity) for line in cart]
    else:
        quantities: dict[str, int] = {}
        for offer_id, quantity in request.items:
            quantities[offer_id] = quantities.get(offer_id, 0) + quantity
        offers = find_offers(quantities)
        for offer_id in quantities:
            if offer_id not in offers:
                raise UnknownOffer(extra={"offer_id": offer_id})
        wanted = [(offers[offer_id], quantity) for offer_id, quantity in quantities.items()]
    if not wanted:
        raise EmptyOrder
    if len(wanted) > MAX_LINES:
        raise InvalidInput(f"一张订单最多 {MAX_LINES} 种商品")
    for offer, quantity in wanted:
        check_for_sale(viewer, offer)
        if offer.available < quantity:
            raise OutOfStock(
                f"{offer.title} 只剩 {max(offer.available, 0)} 件",
                extra={"offer_id": offer.public_id, "available": max(offer.available, 0)},
            )
    return _by_merchant(wanted)


def _by_merchant(wanted: Sequence[tuple[OfferView, int]]) -> list[tuple[OfferView, int]]:
    """Lines of one merchant together, merchants in order of first appearance."""
    order = {m: i for i, m in enumerate(dict.fromkeys(offer.merchant_id for offer, _ in wanted))}
    return sorted(wanted, key=lambda pair: order[pair[0].merchant_id])


def check_for_sale(viewer: Viewer, offer: OfferView) -> None:
    """What is off, closed or hidden by the programme does not exist for this viewer (N10)."""
    if not offer.for_sale or not viewer.sees(offer.facts):
        raise UnknownOffer(extra={"offer_id": offer.public_id})


def _add_goods(basket: _Basket, at: datetime) -> None:
    offers = [offer for offer, _ in basket.wanted]
    rates = tax_rates(
        codes={offer.tax_code for offer in offers},
        taxpayer=get_settings().seller_taxpayer,
        on=at.date(),
    )
    commissions = commission_rates(merchant_ids={offer.merchant_id for offer in offers})
    for offer, quantity in basket.wanted:
        item = PricedItem(offer.merchant_id, offer.price_minor, quantity)
        basket.lines.append(
            _line(offer, rates[offer.tax_code])
            | {
                "kind": GOODS,
                "offer_pk": offer.id,
                "offer_id": offer.public_id,
                "product_id": offer.product_id,
                "title": offer.title,
                "sku_name": offer.sku_name,
                "image": offer.image,
                "unit": offer.unit,
                "quantity": quantity,
                "unit_price_minor": offer.price_minor,
                "gross_minor": item.gross_minor,
                "discount_minor": item.discount_minor,
                "payable_minor": item.payable_minor,
                "commission_minor": commission(
                    item.payable_minor, commissions.get(offer.merchant_id, 0)
                ),
            }
        )


def _line(offer: OfferView, rate: Rate) -> dict[str, Any]:
    return {
        "line_id": public_id("ln"),
        "merchant_pk": offer.merchant_id,
        "merchant": {"id": offer.merchant_public_id, "name": offer.merchant_name},
        "tax_code": offer.tax_code,
        "category_name": offer.category_name,
        "rate_bp": rate.rate_bp,
        "treatment": rate.treatment,
    }


def _add_freight(basket: _Basket) -> None:
    """One payable for each sub-order that pays freight; its tax is that of its dearest goods."""
    rules = {
        offer.merchant_id: FreightRule(offer.freight_minor, offer.free_from_minor)
        for offer, _ in basket.wanted
    }
    items = [
        PricedItem(
            line["merchant_pk"],
            line["unit_price_minor"],
            line["quantity"],
            line["discount_minor"],
        )
        for line in basket.lines
    ]
    for merchant_id, amount in freight_by_merchant(items, rules).items():
        goods = [line for line in basket.lines if line["merchant_pk"] == merchant_id]
        dearest = max(goods, key=lambda line: line["payable_minor"])
        basket.lines.append(
            dearest
            | {
                "line_id": public_id("ln"),
                "kind": FREIGHT,
                "offer_pk": None,
                "offer_id": None,
                "product_id": "",
                "title": "运费",
                "sku_name": "",
                "image": "",
                "unit": "次",
                "quantity": 1,
                "unit_price_minor": amount,
                "gross_minor": amount,
                "discount_minor": 0,
                "payable_minor": amount,
                "commission_minor": 0,
            }
        )


def _fund(basket: _Basket, request: QuoteRequest, points: Sequence[LotView]) -> Funding:
    payables = basket.payables
    lots = _funding_lots(basket)
    whole = fund(lots, payables, credit_minor=None, points_minor=0)
    credit = request.credit_minor
    if credit is not None:
        credit = min(credit, sum(payables))
        if credit > whole.credit_minor:
            raise InsufficientCredit(
                "福利额度不够付这么多",
                extra={"available_minor": whole.credit_minor},
            )
    balance = sum(lot.available for lot in points)
    if request.points is not None and request.points > balance:
        raise InsufficientPoints(extra={"available": balance})
    spend = balance if request.points is None else request.points
    return fund(lots, payables, credit_minor=credit, points_minor=points_to_minor(spend))


def _funding_lots(basket: _Basket) -> list[FundingLot]:
    return [
        FundingLot(
            id=lot.id,
            entity_id=entry.pot.billing_entity_id,
            expires_at=lot.expires_at,
            available_minor=lot.available,
            lines=lines,
        )
        for entry, lines in _payable_lines(basket)
        for lot in entry.lots
    ]


def _payable_lines(basket: _Basket) -> list[tuple[ViewerPot, frozenset[int]]]:
    """For each pot the numbers of the lines that it may pay."""
    facts = {offer.public_id: offer.facts for offer, _ in basket.wanted}
    return [
        (
            entry,
            frozenset(
                number
                for number, line in enumerate(basket.lines)
                if (
                    entry.pot.pays_freight
                    if line["kind"] == FREIGHT
                    else entry.rule.allows(facts[line["offer_id"]])
                )
            ),
        )
        for entry in basket.viewer.pots
    ]


def _refusals(basket: _Basket, entity_id: str | None) -> list[dict[str, Any]]:
    """For each line and pot that may not pay it, why (in words that name the rule)."""
    facts = {offer.public_id: offer.facts for offer, _ in basket.wanted}
    found = []
    for line in basket.lines:
        for entry in basket.viewer.pots:
            name = entry.pot.name
            if entity_id and entry.pot.billing_entity_id != entity_id:
                code, detail = "other_billing_entity", f"{name}不能付：开票主体不同"
            elif line["kind"] == FREIGHT:
                if entry.pot.pays_freight:
                    continue
                code, detail = "pot_not_for_freight", f"{name}不能付：运费不在范围内"
            else:
                reason = entry.rule.refusal(facts[line["offer_id"]])
                if reason is None:
                    continue
                code, detail = "pot_not_eligible", f"{name}不能付：{reason}"
            found.append(
                {
                    "line_id": line["line_id"],
                    "pot_id": entry.pot.public_id,
                    "code": code,
                    "detail": detail,
                }
            )
    return found


def _snapshot(basket: _Basket, funding: Funding, points: Sequence[LotView]) -> dict[str, Any]:
    pots = {entry.pot.id: entry.pot for entry in basket.viewer.pots}
    lots = {lot.id: lot for entry in basket.viewer.pots for lot in entry.lots}
    rows = _funding_rows(basket, funding, lots, pots)
    points_minor = sum(funding.points)
    by_pot: dict[str, int] = {}
    by_lot: dict[str, int] = {}
    for row in rows:
        if row["kind"] == "credit":
            by_pot[row["pot_id"]] = by_pot.get(row["pot_id"], 0) + row["amount_minor"]
            by_lot[row["lot_id"]] = by_lot.get(row["lot_id"], 0) + row["amount_minor"]
    names = {pot.public_id: pot.name for pot in pots.values()}
    goods = [line for line in basket.lines if line["kind"] == GOODS]
    return {
        "lines": basket.lines,
        "discounts": [],
        "goods_minor": sum(line["gross_minor"] for line in goods),
        "saved_minor": sum(line["discount_minor"] for line in goods),
        "freight_minor": sum(basket.payables) - sum(line["payable_minor"] for line in goods),
        "payable_minor": sum(basket.payables),
        "tenders": {
            "credit": [
                {"pot_id": pot_id, "name": names[pot_id], "amount_minor": amount}
                for pot_id, amount in by_pot.items()
            ],
            "points": {"points": minor_to_points(points_minor), "amount_minor": points_minor},
            "cash_minor": sum(funding.cash),
        },
        "funding": rows,
        "lots": by_lot | _points_by_lot(minor_to_points(points_minor), points),
        "refusals": _refusals(basket, funding.entity_id),
        "available": {
            "credit": [
                {
                    "pot_id": entry.pot.public_id,
                    "name": entry.pot.name,
                    "available_minor": entry.available_minor,
                }
                for entry in basket.viewer.pots
            ],
            "points": sum(lot.available for lot in points),
        },
        "billing_entity": _entity(funding.entity_id),
    }


def _entity(entity_id: str | None) -> dict[str, str] | None:
    if entity_id is None:
        return None
    return {"id": entity_id, "name": find_billing_entity(entity_id=entity_id).name}


def _funding_rows(
    basket: _Basket, funding: Funding, lots: Mapping[int, LotView], pots: Mapping[int, PotView]
) -> list[dict[str, Any]]:
    """The funding receipt: by line its lots (soonest expiry first), then points, then card."""
    ordered = sorted(lots.values(), key=lambda lot: (lot.expires_at, lot.id))
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(basket.lines):
        base = {"line": number, "line_id": line["line_id"], "lot_id": None, "pot_id": None}
        for lot in ordered:
            amount = funding.credit.get((lot.id, number), 0)
            if amount and lot.pot_id:
                pot = pots[lot.pot_id]
                rows.append(
                    base
                    | {
                        "kind": "credit",
                        "source": f"lot:{lot.public_id}",
                        "source_name": pot.name,
                        "lot_id": lot.public_id,
                        "pot_id": pot.public_id,
                        "amount_minor": amount,
                    }
                )
        for kind, name, amounts in (
            ("points", "积分", funding.points),
            ("cash", "银行卡", funding.cash),
        ):
            if amounts[number]:
                rows.append(
                    base
                    | {
                        "kind": kind,
                        "source": kind,
                        "source_name": name,
                        "amount_minor": amounts[number],
                    }
                )
    return rows


def _points_by_lot(points: int, lots: Sequence[LotView]) -> dict[str, int]:
    """Points out of lots, soonest expiry first (X2)."""
    taken = {}
    for lot in lots:
        amount = min(points, lot.available)
        if amount:
            taken[lot.public_id] = amount
            points -= amount
    return taken
