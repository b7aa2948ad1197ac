"""The statements that every card payment sends.

They are made once: building a statement costs more than running it.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update

from checkout.models import GatewayEventRow, Order, Payment

_PAYMENT = cast("Table", Payment.__table__)
FIND_PAYMENT = (
    select(
        Order.public_id,
        Order.state,
        Payment.intent_id,
        Payment.client_secret,
        Payment.amount_minor,
    )
    .join(Payment, Payment.order_id == Order.id)
    .where(Order.id == bindparam("the_order"))
)
KEEP_INTENT = (
    update(_PAYMENT)
    .where(_PAYMENT.c.order_id == bindparam("the_order"))
    .values(intent_id=bindparam("new_intent"), client_secret=bindparam("new_secret"))
)
ORDER_ID = select(Order.id).where(Order.public_id == bindparam("the_order"))
INSERT_EVENT = insert(cast("Table", GatewayEventRow.__table__))
