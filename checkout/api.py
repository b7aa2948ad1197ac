"""The cashier: quote, order, cancel, refund. Parse, authorise, call, dump."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from checkout.answers import (
    OrderOut,
    OrdersOut,
    PlacedOrderOut,
    QuoteOut,
    RefundOut,
    RefundPreviewOut,
)
from checkout.models import Order
from checkout.schemas import AfterSaleIn, OrderIn, OrdersIn, QuoteIn, position
from checkout.services import card_refunds, orders, payments, quotes, refunds
from checkout.services.gateway_link import GatewayDown
from checkout.services.views import find_order, list_orders, order_view, payment_view, refund_view
from checkout.states import BadOrderMove, OrderState
from kernel import cursors, faults, idempotency
from kernel.idempotency import Answer, Pending, Scope
from kernel.web import answer_response, api_blueprint, command_scope, current_actor, run_command

blueprint = api_blueprint("checkout", __name__)


@blueprint.route("/checkout/quotes", methods=["POST"])
@blueprint.arguments(QuoteIn)
@blueprint.response(201, QuoteOut)
def create_quote(data: dict[str, Any]) -> dict[str, Any]:
    """Price the chosen lines and say which pot, how many points and how much card pay which."""
    items = data["items"]
    asked = quotes.QuoteRequest(
        address_id=data["address_id"],
        items=tuple((i["offer_id"], i["quantity"]) for i in items) if items else None,
        credit_minor=data["credit_minor"],
        points=data["points"],
        coupons=tuple(data["coupons"]),
    )
    return quotes.create_quote(actor=current_actor(), request=asked)


@blueprint.route("/checkout/orders", methods=["POST"])
@blueprint.arguments(OrderIn)
@blueprint.alt_response(201, schema=PlacedOrderOut)
def place_order(data: dict[str, Any]) -> Response:
    """Order by a quote: hold, ask the gateway, answer; each step committed and resumable."""
    actor = current_actor()
    scope = command_scope(data)

    def first_step() -> Answer | Pending:
        order = orders.place_order(actor=actor, quote_id=data["quote_id"])
        if order.state == OrderState.PAID:
            return _order_answer(order)
        return Pending(order.public_id)

    try:
        outcome = idempotency.begin(scope, first_step)
    except orders.PriceChanged:
        raise orders.PriceChanged(
            extra={"quote": QuoteOut().dump(_fresh_quote(data["quote_id"]))}
        ) from None
    if isinstance(outcome, Pending):
        faults.point("order_after_hold")
        outcome = _open_payment(scope, outcome.reference)
    faults.point("order_before_answer")
    return answer_response(outcome)


def _order_answer(order: Order) -> Answer:
    payment = payment_view(order=order, origin=_origin())
    view = {"order_id": order.public_id, "state": order.state, "payment": payment}
    return Answer.json(201, PlacedOrderOut().dump(view))


def _order(order: Order) -> Any:
    return OrderOut().dump(order_view(order=order, gateway_origin=_origin()))


def _origin() -> str:
    return request.host_url.rstrip("/")


def _open_payment(scope: Scope, order_public_id: str) -> Answer:
    """Steps 2 and 3: the intent at the gateway, then intent and answer in one commit."""
    actor = current_actor()
    # The number is kept: a transaction that ends forgets the row.
    number = find_order(actor=actor, order_id=order_public_id).id
    try:
        intent = payments.ask_intent(order_id=number)
    except (GatewayDown, payments.CardPaymentRefused):
        idempotency.release(scope)
        raise

    def last_step() -> Answer:
        if intent is not None:
            payments.keep_intent(order_id=number, intent=intent)
        return _order_answer(find_order(actor=actor, order_id=order_public_id))

    return idempotency.finish(scope, last_step)


def _fresh_quote(quote_id: str) -> dict[str, Any]:
    quote = quotes.find_quote(actor=current_actor(), quote_id=quote_id)
    asked = quotes.QuoteRequest.from_json(quote.request)
    if asked.items is None:
        # The cart may have changed since; what was quoted is what is quoted again.
        lines = [line for line in quote.snapshot["lines"] if line["offer_id"]]
        items = tuple((line["offer_id"], line["quantity"]) for line in lines)
        asked = quotes.QuoteRequest(
            asked.address_id, items, asked.credit_minor, asked.points, asked.coupons
        )
    return quotes.create_quote(actor=current_actor(), request=asked)


@blueprint.route("/orders")
@blueprint.arguments(OrdersIn, location="query")
@blueprint.response(200, OrdersOut)
def own_orders(query: dict[str, Any]) -> dict[str, Any]:
    """One's orders, newest first."""
    rows = list_orders(
        actor=current_actor(),
        state=query["state"],
        before=position(query["cursor"]),
        limit=query["limit"] + 1,
    )
    page = rows[: query["limit"]]
    more = len(rows) > len(page)
    return {
        "items": [view for _, view in page],
        "next_cursor": cursors.pack(page[-1][0]) if more else None,
    }


@blueprint.route("/orders/<order_id>")
@blueprint.response(200, OrderOut)
def own_order(order_id: str) -> dict[str, Any]:
    """One order with its funding receipt, sub-orders and invoice."""
    order = find_order(actor=current_actor(), order_id=order_id)
    return order_view(order=order, gateway_origin=_origin())


@blueprint.route("/orders/<order_id>/cancel", methods=["POST"])
@blueprint.alt_response(200, schema=OrderOut)
def cancel_order(order_id: str) -> Response:
    """Give up an unpaid order, or get everything back of one that has not been shipped."""
    actor = current_actor()
    scope = command_scope({})

    def first_step() -> Answer | Pending:
        order = find_order(actor=actor, order_id=order_id)
        if order.state == OrderState.PENDING_PAYMENT:
            return Pending(order.public_id)
        if order.state != OrderState.PAID:
            raise BadOrderMove(extra={"state": order.state})
        locked = orders.lock_order(order_id=order.id)
        refunds.refund(
            order=locked,
            items=refunds.everything(locked),
            kind="refund",
            reason="取消订单",
            actor=actor.person_public_id,
        )
        return Pending(order.public_id)

    outcome = idempotency.begin(scope, first_step)
    if isinstance(outcome, Answer):
        return answer_response(outcome)
    order = find_order(actor=actor, order_id=order_id)
    if order.state == OrderState.PENDING_PAYMENT:
        try:
            payments.cancel_unpaid(order_id=order.id, actor=actor.person_public_id)
        except (GatewayDown, payments.PaymentProcessing):
            idempotency.release(scope)
            raise
    else:
        _send_card_refunds(order)
    order = find_order(actor=actor, order_id=order_id)
    return answer_response(idempotency.finish(scope, Answer.json(200, _order(order))))


def _send_card_refunds(order: Order) -> None:
    """Ask the gateway now; what it does not confirm the sweep asks for again."""
    faults.point("refund_after_commit")
    for refund_key in refunds.in_transit(order_id=order.id):
        card_refunds.send_refund(refund_key=refund_key)


@blueprint.route("/orders/<order_id>/confirm-receipt", methods=["POST"])
@blueprint.alt_response(200, schema=OrderOut)
def confirm_receipt(order_id: str) -> Response:
    """The goods have arrived."""
    actor = current_actor()

    def work() -> Any:
        order = find_order(actor=actor, order_id=order_id)
        locked = orders.lock_order(order_id=order.id)
        orders.confirm_receipt(order=locked, actor=actor.person_public_id)
        return _order(locked)

    return run_command({}, work)


def _quantities(data: dict[str, Any]) -> dict[str, int]:
    items: dict[str, int] = {}
    for item in data["items"]:
        items[item["line_id"]] = items.get(item["line_id"], 0) + item["quantity"]
    return items


@blueprint.route("/orders/<order_id>/after-sales/preview", methods=["POST"])
@blueprint.arguments(AfterSaleIn)
@blueprint.response(200, RefundPreviewOut)
def preview_after_sale(data: dict[str, Any], order_id: str) -> dict[str, Any]:
    """What would go back, by tender and lot, before it is asked for."""
    order = find_order(actor=current_actor(), order_id=order_id)
    return refunds.plan(order=order, items=_quantities(data), kind=data["kind"]).view


@blueprint.route("/orders/<order_id>/after-sales", methods=["POST"])
@blueprint.arguments(AfterSaleIn)
@blueprint.alt_response(201, schema=RefundOut)
def ask_after_sale(data: dict[str, Any], order_id: str) -> Response:
    """Get back part or all of a paid order, to the lots and tenders that paid it."""
    actor = current_actor()
    scope = command_scope(data)

    def first_step() -> Answer | Pending:
        order = orders.lock_order(order_id=find_order(actor=actor, order_id=order_id).id)
        row = refunds.refund(
            order=order,
            items=_quantities(data),
            kind=data["kind"],
            reason=data["reason"],
            actor=actor.person_public_id,
        )
        if row.cash_state == "none":
            return Answer.json(201, RefundOut().dump(refund_view(row)))
        return Pending(row.public_id)

    outcome = idempotency.begin(scope, first_step)
    if isinstance(outcome, Pending):
        order = find_order(actor=actor, order_id=order_id)
        _send_card_refunds(order)
        row = refunds.find_refund(order_id=order.id, refund_id=outcome.reference)
        outcome = idempotency.finish(scope, Answer.json(201, RefundOut().dump(refund_view(row))))
    return answer_response(outcome)
