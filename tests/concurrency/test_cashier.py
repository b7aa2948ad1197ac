"""Four hundred buyers for fifty items, in several processes, on real commits (A6)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import cast

from flask import Flask, current_app, g

from checkout.services.orders import place_order
from checkout.services.quotes import QuoteRequest, create_quote
from kernel.auth.policy import Actor
from kernel.db import db, write_transaction
from kernel.errors import Problem
from kernel.retrying import with_retries
from shop.services.catalogue import OfferView
from tests.concurrency.processes import run_together
from tests.factories.cashier import assert_books_are_clean, give_address, rows, stock
from tests.factories.catalogue import build_categories, build_merchant, build_offer
from tests.factories.enterprises import build_company, build_pot, grant, hire
from tests.factories.people import actor_of

BUYERS, ITEMS, PROCESSES = 400, 50, 8
WEB_PROCESSES, CONNECTIONS = 2, 16
PRICE, CREDIT = 9_900, 15_000


@dataclass(frozen=True)
class Wish:
    membership_id: int
    address_id: str
    offer_id: str


def _quote(actor: Actor, wish: Wish) -> str:
    """A quote's id, or the code of the refusal."""
    try:
        request = QuoteRequest(wish.address_id, ((wish.offer_id, 1),))
        return str(create_quote(actor=actor, request=request)["quote_id"])
    except Problem as refused:
        return refused.code


def _order(actor: Actor, quote_id: str) -> str:
    """The order's state, or the code of the refusal."""
    try:
        with write_transaction():
            return place_order(actor=actor, quote_id=quote_id).state
    except Problem as refused:
        return refused.code


def _crowd(wishes: list[Wish]) -> list[str]:
    """One process of buyers: all look first, so that most of them still see the goods."""
    actors = [actor_of(wish.membership_id) for wish in wishes]
    db.session.rollback()
    quotes = [_quote(actor, wish) for actor, wish in zip(actors, wishes, strict=True)]
    return [
        _order(actor, found) if found.startswith("quo_") else found
        for actor, found in zip(actors, quotes, strict=True)
    ]


def _web_process(wishes: list[Wish]) -> list[str]:
    """What a web process is: threads with a connection each, and the retries of every view."""
    app = cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]
    threads = CONNECTIONS // WEB_PROCESSES
    together = Barrier(threads)

    def serve(part: list[Wish]) -> list[str]:
        with app.app_context():
            actors = [actor_of(wish.membership_id) for wish in part]
            db.session.rollback()
            quotes = [_quote(actor, wish) for actor, wish in zip(actors, part, strict=True)]
            together.wait(60)
            return [
                with_retries(lambda actor=actor, found=found: _order(actor, found))  # type: ignore[misc]
                if found.startswith("quo_")
                else found
                for actor, found in zip(actors, quotes, strict=True)
            ]

    with ThreadPoolExecutor(threads) as pool:
        parts = [wishes[number::threads] for number in range(threads)]
        return [told for answers in pool.map(serve, parts) for told in answers]


def _wishes() -> tuple[list[Wish], OfferView]:
    g.pop("shop_categories", None)
    with write_transaction():
        build_categories()
        offer = build_offer(build_merchant(), price_minor=PRICE, stock=ITEMS)
        company = build_company()
        pot = build_pot(company)
        buyers = [hire(company.id) for _ in range(BUYERS)]
        grant(company, pot, dict.fromkeys(buyers, CREDIT))
        wishes = [Wish(b.membership_id, give_address(b), offer.public_id) for b in buyers]
    db.session.rollback()
    return wishes, offer


def test_four_hundred_buyers_for_fifty_items_in_eight_processes(app: Flask) -> None:
    wishes, offer = _wishes()
    told = run_together(_crowd, [wishes[n::PROCESSES] for n in range(PROCESSES)])
    _assert_fifty_were_sold(told, offer)


def test_four_hundred_buyers_on_sixteen_connections_of_two_web_processes(app: Flask) -> None:
    wishes, offer = _wishes()
    told = run_together(_web_process, [wishes[n::WEB_PROCESSES] for n in range(WEB_PROCESSES)])
    _assert_fifty_were_sold(told, offer)


def _assert_fifty_were_sold(told: list[list[str]], offer: OfferView) -> None:
    outcomes = Counter(code for crowd in told for code in crowd)
    assert outcomes == {"paid": ITEMS, "out_of_stock": BUYERS - ITEMS}
    # Far more held a good quote than there were goods.
    assert rows("SELECT count(*) FROM quote")[0][0] >= 2 * ITEMS
    assert stock(offer) == (0, 0, ITEMS)
    assert rows("SELECT state, count(*), sum(credit_minor) FROM v_orders GROUP BY state") == [
        ("paid", ITEMS, ITEMS * PRICE)
    ]
    # Nobody paid twice, and nobody who got nothing paid.
    assert rows("SELECT available, held, count(*) FROM lot GROUP BY available, held") == [
        (CREDIT - PRICE, 0, ITEMS),
        (CREDIT, 0, BUYERS - ITEMS),
    ]
    assert rows("SELECT count(*), sum(gross_minor) FROM v_invoices") == [(ITEMS, ITEMS * PRICE)]
    assert rows("SELECT count(*) FROM ledger_transaction WHERE reason = 'sale'") == [(ITEMS,)]
    assert_books_are_clean()
