"""One Idempotency-Key sent fifty times at once: one order, one set of postings, equal answers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest
import requests

from tests.functional import books
from tests.functional.running import Mall
from tests.functional.shopper import (
    COLLEAGUE,
    EMPLOYEE,
    GATEWAY_KEY,
    Client,
    Wallet,
    body,
    new_key,
    problem,
)

AT_ONCE = 50


@dataclass(frozen=True)
class Burst:
    """What fifty equal requests left behind."""

    key: str
    quote: dict[str, Any]
    answers: list[tuple[int, bytes]]
    orders_made: int
    spent: dict[str, int]

    @property
    def order_id(self) -> str:
        return str(json.loads(self.answers[0][1])["order_id"])


def _send_at_once(client: Client, quote_id: str, key: str) -> list[tuple[int, bytes]]:
    """Fifty connections of one signed-in person, let go together."""
    gate = Barrier(AT_ONCE)
    headers = {
        "X-CSRF-Token": client.me["csrf_token"],
        "Cookie": f"mall_session={client.session.cookies['mall_session']}",
        "Idempotency-Key": key,
    }

    def send(_: int) -> tuple[int, bytes]:
        with requests.Session() as session:
            session.trust_env = False
            gate.wait(30)
            answer = session.post(
                f"{client.origin}/api/v1/checkout/orders",
                json={"quote_id": quote_id},
                headers=headers,
                timeout=60,
            )
            return answer.status_code, answer.content

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(AT_ONCE)))


def _burst(mall: Mall, client: Client, **asked: Any) -> Burst:
    offer = client.offer_of(client.find("毛巾", sort="price_asc", in_stock="true")[0]["product_id"])
    quote = client.quote({offer["offer_id"]: 1}, **asked)
    orders, wallet, key = len(books.orders(mall.database)), Wallet.of(client), new_key()
    answers = _send_at_once(client, quote["quote_id"], key)
    after = Wallet.of(client)
    spent = {name: wallet.available[name] - left for name, left in after.available.items()}
    made = len(books.orders(mall.database)) - orders
    return Burst(key, quote, answers, made, spent | {"points": wallet.points - after.points})


@pytest.fixture(scope="module")
def paid_burst(real_mall: Mall) -> Burst:
    """All credit and points: captured in the one transaction of the order."""
    with Client(real_mall.origin, COLLEAGUE) as client:
        return _burst(real_mall, client, credit_minor="max", points=0)


@pytest.fixture(scope="module")
def card_burst(real_mall: Mall) -> Burst:
    """With a card part: two more steps after the first commit, one of them at the gateway."""
    with Client(real_mall.origin, COLLEAGUE) as client:
        return _burst(real_mall, client, credit_minor=100, points=50)


def test_fifty_equal_answers_one_order(paid_burst: Burst) -> None:
    assert len(paid_burst.answers) == AT_ONCE
    assert set(paid_burst.answers) == {paid_burst.answers[0]}
    assert paid_burst.answers[0][0] == 201
    assert paid_burst.orders_made == 1


def test_paid_once(real_mall: Mall, paid_burst: Burst) -> None:
    tender = paid_burst.quote["tenders"]["credit"][0]["amount_minor"]
    assert tender == paid_burst.quote["payable_minor"] > 0
    assert sum(paid_burst.spent.values()) == tender
    counts = books.transactions(real_mall.database, paid_burst.order_id)
    assert set(counts.values()) == {1}
    assert "sale" in counts
    posted = books.postings(real_mall.database, paid_burst.order_id)
    receivable = [n for (_, _, name), n in posted.items() if name.endswith("/receivable")]
    assert receivable == [tender]
    assert len(books.invoices(real_mall.database, paid_burst.order_id)) == 1
    books.check_books(real_mall.database)


def test_fifty_equal_answers_one_intent(real_mall: Mall, card_burst: Burst) -> None:
    assert set(card_burst.answers) == {card_burst.answers[0]}
    assert card_burst.answers[0][0] == 201
    assert card_burst.orders_made == 1
    assert card_burst.spent["points"] == 50
    with Client(real_mall.origin) as program:
        listed = program.send(
            "GET",
            "/gateway/v1/payment_intents",
            params={"limit": 100},
            headers={"Authorization": f"Bearer {GATEWAY_KEY}"},
        )
    mine = [i for i in body(listed)["data"] if i["metadata"]["order_id"] == card_burst.order_id]
    assert [intent["amount"] for intent in mine] == [card_burst.quote["tenders"]["cash_minor"]]


def test_another_body_under_the_same_key_is_refused(real_mall: Mall, paid_burst: Burst) -> None:
    before = len(books.orders(real_mall.database))
    with Client(real_mall.origin, COLLEAGUE) as client:
        other = client.quote({paid_burst.quote["lines"][0]["offer_id"]: 1})
        answer = client.place(other["quote_id"], key=paid_burst.key)
        problem(answer, 422, "idempotency_key_reused")
        # The quote was not used up by the refusal.
        problem(client.place(other["quote_id"], key=""), 400, "idempotency_key_required")
    assert len(books.orders(real_mall.database)) == before


def test_the_same_quote_under_another_key_is_refused(real_mall: Mall, paid_burst: Burst) -> None:
    before = len(books.orders(real_mall.database))
    with Client(real_mall.origin, COLLEAGUE) as client:
        problem(client.place(paid_burst.quote["quote_id"], key=new_key()), 409, "quote_used")
    assert len(books.orders(real_mall.database)) == before


def test_a_key_is_its_senders_own(real_mall: Mall, paid_burst: Burst) -> None:
    """Another person who happens on the key gets neither the answer nor a conflict."""
    with Client(real_mall.origin, EMPLOYEE) as client:
        problem(client.place(paid_burst.quote["quote_id"], key=paid_burst.key), 404, "not_found")


def test_answers_survive_a_restart(real_mall: Mall, paid_burst: Burst, card_burst: Burst) -> None:
    before = len(books.orders(real_mall.database))
    real_mall.restart()
    with Client(real_mall.origin, COLLEAGUE) as client:
        for burst in (paid_burst, card_burst):
            answer = client.place(burst.quote["quote_id"], key=burst.key)
            assert (answer.status_code, answer.content) == burst.answers[0]
        body(client.post(f"/orders/{card_burst.order_id}/cancel", key=new_key()))
    assert len(books.orders(real_mall.database)) == before
    books.check_books(real_mall.database)
