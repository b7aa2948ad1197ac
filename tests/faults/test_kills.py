"""The power goes out at every point that matters: afterwards the customer can go on, what was
ordered was ordered once, and the books, the shelf and the lots add up.

The processes end at a fault point (``os._exit``) or by ``kill -9``, are started again, and the
customer's client does what clients do: the same request with the same Idempotency-Key. A start
costs seconds, so one order goes through the fault points one after another.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import requests

from kernel.faults import FAULT_EXIT
from tests.functional import books
from tests.functional.running import Mall, wait_for
from tests.functional.shopper import (
    COLLEAGUE,
    EMPLOYEE,
    FINANCE,
    GATEWAY_KEY,
    Client,
    Wallet,
    body,
    new_key,
    problem,
)

CREDIT, POINTS = 3_000, 500


def _cut_off(mall: Mall, ask: Callable[[], object]) -> None:
    """``ask`` gets no answer, or one of the last moment, and the mall ends at its fault point."""
    with suppress(requests.ConnectionError):  # the web process died with the request
        ask()
    assert mall.wait_end() == FAULT_EXIT
    books.check_books(mall.database)


def _start_and_verify(mall: Mall, *, fault: str = "") -> None:
    """The command line verifies what the crash left behind while the processes start on it."""
    mall.begin(fault=fault)
    done = mall.cli("ledger", "verify", "--json")
    assert (done.code, done.json["faults"]) == (0, [])
    mall.wait_ready()


def _orders(mall: Mall) -> list[tuple[str, str]]:
    query = "SELECT public_id AS order_id, state FROM orders ORDER BY id"
    found = books.rows(mall.database, query)
    return [(row["order_id"], row["state"]) for row in found]


def _intents(mall: Mall) -> list[tuple[str, int, str]]:
    """(order, amount, status) of everything the gateway has on its own file."""
    query = "SELECT json_extract(metadata, '$.order_id'), amount, status FROM payment_intents"
    with closing(sqlite3.connect(mall.folder / "gateway.db")) as connection:
        return list(connection.execute(f"{query} ORDER BY seq"))


def _held(mall: Mall) -> int:
    [row] = books.rows(mall.database, "SELECT COALESCE(SUM(held), 0) AS held FROM v_stock")
    return int(row["held"])


def _quote(client: Client, quantity: int = 1) -> dict[str, Any]:
    """Three merchants, three tenders."""
    offers = {offer["offer_id"]: quantity for offer in client.three_merchants()}
    quote = client.quote(offers, credit_minor=CREDIT, points=POINTS)
    assert quote["tenders"]["cash_minor"] > 0
    return quote


def test_one_order_through_every_power_cut(mall: Mall) -> None:
    # Killed when the holds are committed and the gateway knows nothing.
    mall.start(fault="order_after_hold")
    buyer, other = Client(mall.origin, EMPLOYEE), Client(mall.origin, COLLEAGUE)
    with buyer, other:
        rich, others = Wallet.of(buyer), Wallet.of(other)
        shelf = {o["offer_id"]: books.stock(mall.database, o["offer_id"])
                 for o in buyer.three_merchants()}  # fmt: skip
        quote, key = _quote(buyer), new_key()
        cash = quote["tenders"]["cash_minor"]
        _cut_off(mall, lambda: buyer.place(quote["quote_id"], key=key))
        [(order_id, state)] = _orders(mall)
        assert (state, _intents(mall), _held(mall)) == ("pending_payment", [], 3)

        # Another customer, killed when the gateway has made an intent that we do not know of.
        _start_and_verify(mall, fault="order_after_intent")
        assert Wallet.of(buyer).points_held == POINTS
        lost_quote = _quote(other, quantity=2)
        _cut_off(mall, lambda: other.place(lost_quote["quote_id"], key=new_key()))
        lost_id = _orders(mall)[1][0]
        lost_cash = lost_quote["tenders"]["cash_minor"]
        lost_intent = (lost_id, lost_cash, "requires_payment_method")
        assert _intents(mall) == [lost_intent]
        assert _held(mall) == 3 + 6

        # The first one tries again with the same key and is killed before the answer leaves.
        _start_and_verify(mall, fault="order_before_answer")
        _cut_off(mall, lambda: buyer.place(quote["quote_id"], key=key))
        assert [order for order, _ in _orders(mall)] == [order_id, lost_id]
        intent = (order_id, cash, "requires_payment_method")
        assert _intents(mall) == [lost_intent, intent]

        # The third try gets its answer; the card pays, and the capture is cut off half-way.
        _start_and_verify(mall, fault="capture_before_commit")
        placed = buyer.place(quote["quote_id"], key=key)
        payment = body(placed, 201)["payment"]
        assert body(placed, 201)["order_id"] == order_id
        assert payment["amount_minor"] == cash
        assert buyer.place(quote["quote_id"], key=key).content == placed.content
        _cut_off(mall, lambda: buyer.pay(payment))
        assert dict(_orders(mall))[order_id] == "pending_payment"
        assert (order_id, cash, "succeeded") in _intents(mall)
        assert books.invoices(mall.database, order_id) == []

        # The gateway says it again; this time the capture is committed, and nothing more.
        mall.begin(fault="capture_after_commit")
        assert mall.wait_end() == FAULT_EXIT
        assert dict(_orders(mall))[order_id] == "paid"
        _check_paid_once(mall, order_id, quote)

        # And again: it counts once. A refund is committed, and the gateway is not asked.
        _start_and_verify(mall, fault="refund_after_commit")
        order = buyer.order(order_id)
        assert order["state"] == "paid"
        path = f"/orders/{order_id}/after-sales"
        item = {"line_id": order["lines"][0]["line_id"], "quantity": 1}
        asked = {"items": [item], "kind": "refund", "reason": "坏了"}
        preview, refund_key = body(buyer.post(f"{path}/preview", asked)), new_key()
        assert preview["tenders"]["cash_minor"] > 0
        _cut_off(mall, lambda: buyer.post(path, asked, key=refund_key))

        # The same request again gives the one refund. A task of the worker is cut off when its
        # work is done and its row is not marked: it will run a second time.
        _start_and_verify(mall, fault="outbox_before_done")
        refund = body(buyer.post(path, asked, key=refund_key), 201)
        assert (refund["state"], refund["amount_minor"]) == ("done", preview["refund_minor"])
        assert len(buyer.order(order_id)["refunds"]) == 1
        cheap = buyer.find("毛巾", sort="price_asc", in_stock="true")[0]
        sold = cheap["sold"]
        bought = buyer.quote({buyer.offer_of(cheap["product_id"])["offer_id"]: 1})
        _cut_off(mall, lambda: buyer.place(bought["quote_id"], key=new_key()))

        # All is well again; what was held for the customer who never came back is let go in time.
        _start_and_verify(mall)
        wait_for(
            "the sale is counted once",
            lambda: buyer.find("毛巾", sort="price_asc")[0]["sold"] == sold + 1,
        )
        assert mall.cli("clock", "advance", "31m").code == 0
        other.wait_for_state(lost_id, "closed")
        assert (lost_id, lost_cash, "canceled") in _intents(mall)
        assert Wallet.of(other) == others
        assert (_held(mall), len(_orders(mall))) == (0, 3)
        _check_wallet_and_shelf(mall, buyer, rich, shelf, quote, refund, bought)
        done = mall.cli("ledger", "verify", "--json")
        assert (done.code, done.json["faults"]) == (0, [])


def _check_paid_once(mall: Mall, order_id: str, quote: dict[str, Any]) -> None:
    counts = books.transactions(mall.database, order_id)
    assert counts["sale"] == 1
    assert set(counts.values()) == {1}
    posted = books.postings(mall.database, order_id)
    assert posted["sale", "CNY", "gateway/sandbox/clearing"] == quote["tenders"]["cash_minor"]
    assert posted["sale", "CNY", "bank/receivable/points"] == POINTS
    [invoice] = books.invoices(mall.database, order_id)
    assert invoice["gross_minor"] == CREDIT


def _check_wallet_and_shelf(
    mall: Mall,
    buyer: Client,
    before: Wallet,
    shelf: dict[str, tuple[int, int, int]],
    quote: dict[str, Any],
    refund: dict[str, Any],
    bought: dict[str, Any],
) -> None:
    """The buyer has what is left after one order, less one piece, and one more order."""
    after = Wallet.of(buyer)
    spent = CREDIT + bought["payable_minor"]
    back = sum(entry["amount_minor"] for entry in refund["tenders"]["credit"])
    assert sum(after.available.values()) == sum(before.available.values()) - spent + back
    assert after.points == before.points - POINTS + refund["tenders"]["points"]["points"]
    assert (after.points_held, set(after.held.values())) == (0, {0})
    returned = next(line["offer_id"] for line in quote["lines"] if line["offer_id"])
    more = {line["offer_id"] for line in bought["lines"]}
    for offer_id, (on_hand, held, sold) in shelf.items():
        gone = 1 - (offer_id == returned) + (offer_id in more)
        assert books.stock(mall.database, offer_id) == (on_hand - gone, held, sold + gone)


def test_gateway_killed_between_order_and_payment(mall: Mall) -> None:
    """While it is away an order waits for its customer's next try; nothing is lost or doubled."""
    mall.start()
    with Client(mall.origin, EMPLOYEE) as buyer, Client(mall.origin, FINANCE) as finance:
        quote = _quote(buyer)
        placed = body(buyer.place(quote["quote_id"], key=new_key()), 201)
        second, key = _quote(buyer), new_key()
        mall.kill("gateway")
        refused = buyer.place(second["quote_id"], key=key)
        problem(refused, 503, "gateway_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        wait_for("the gateway is back", mall.is_ready)

        again = body(buyer.place(second["quote_id"], key=key), 201)
        assert len(_orders(mall)) == 2
        for answer in (placed, again):
            assert buyer.pay(answer["payment"])["status"] == "succeeded"
        for answer in (placed, again):
            buyer.wait_for_state(answer["order_id"], "paid")
            invoice = body(finance.get(f"/orders/{answer['order_id']}/invoice"))
            assert invoice["gross_minor"] == CREDIT
        assert [status for _, _, status in _intents(mall)] == ["succeeded", "succeeded"]

        # The web process dies between the card's payment and the gateway's notice of it.
        third = body(buyer.place(_quote(buyer)["quote_id"], key=new_key()), 201)
        headers = {"Authorization": f"Bearer {GATEWAY_KEY}"}
        direct = (mall.folder / "gateway.url").read_text(encoding="utf-8")
        mall.kill("web")
        paid = requests.post(
            f"{direct}/v1/payment_intents/{third['payment']['intent_id']}/confirm",
            data={"payment_method": "pm_card_visa"},
            headers=headers,
            timeout=10,
        )
        assert paid.json()["status"] == "succeeded"
        wait_for("the web process is back", mall.is_ready)
        buyer.wait_for_state(third["order_id"], "paid")
        assert books.transactions(mall.database, third["order_id"])["sale"] == 1
        books.check_books(mall.database)

        # The worker is started again too.
        before = mall.kill("worker")
        wait_for("another worker", lambda: _pid(mall, "worker") not in (0, before))
        wait_for("the mall is whole", mall.is_ready)


def _pid(mall: Mall, name: str) -> int:
    try:
        return mall.pid_of(name)
    except (AssertionError, FileNotFoundError):
        return 0  # between two of them
