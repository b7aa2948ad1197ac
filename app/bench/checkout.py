"""Checkouts beside their own statements, sent one by one by the bare driver.

The floor is what one whole checkout sends on the write engine (quote saved, order, capture with
invoice), recorded with its parameters and sent again, commits included, to a copy of the database
as it was before: the same rows, keys and file settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle

from sqlalchemy import Engine, create_engine, text

from app.bench.bare import bare_lap, recording
from app.bench.figures import Figure, Lap, Say, lap, median_rate, operations, rounds
from app.bench.parts import Parts, bare_connection
from app.bench.processes import BenchFailed, Client, free_port, listens, running
from app.bench.scratch import Scratch, scratch_mall
from app.bench.till import (
    CREDIT_USED_MINOR,
    PASSPHRASE,
    POINTS_USED,
    Buyer,
    Till,
    build_till,
    check_out,
)
from checkout.services.payments import WEBHOOK_EVENTS
from kernel.db import db
from kernel.settings import get_settings

# Its last orders are paid after it, so a lap must be long beside that.
_HTTP_SECONDS = 2.0
_CLIENTS = 8
_COMPANIES = 8
_HOT_THREADS = 4
_PAID_SECONDS = 60.0


def measure_checkout(parts: Parts, *, seconds: float, say: Say) -> list[Figure]:
    """``checkout_service_rate``, ``checkout_http_rate`` and ``hot_account_rate``."""
    with scratch_mall(parts) as mall:
        with mall.app.app_context():
            say(f"checkout: {_COMPANIES} companies with {_CLIENTS} buyers each")
            till = build_till(companies=_COMPANIES, buyers=_CLIENTS)
        return [*_rates(mall, till, seconds, say), _hot_accounts(mall, till, seconds, say)]


def _rates(mall: Scratch, till: Till, seconds: float, say: Say) -> list[Figure]:
    """In process, through HTTP and bare, in turn."""
    say(f"checkout: in process, by {_CLIENTS} clients through HTTP, and bare")
    buyers = cycle(till.companies[0])
    one_by_one = _checkouts(mall, till, buyers)
    lap(one_by_one)  # warm
    service: list[Lap] = []
    through_http: list[Lap] = []
    floor: list[Lap] = []
    with (
        _shop_processes(mall, till) as shop,
        recording(_write_engine(mall)) as recorder,
        mall.copy_database("bare") as copy,
        bare_connection(copy) as bare,
    ):
        _http_lap(shop, till, _HTTP_SECONDS)  # warm
        for _ in range(rounds(seconds, of=_HTTP_SECONDS)):
            for _ in range(rounds(_HTTP_SECONDS)):
                service.append(lap(one_by_one))
                floor.append(bare_lap(recorder, bare, service[-1].count))
            through_http.append(_http_lap(shop, till, _HTTP_SECONDS))
    bare_rate = median_rate(floor)
    return [
        Figure(
            f"checkout_{name}_rate{mall.parts.suffix}",
            median_rate(laps),
            bare_rate,
            "orders/s",
            operations(laps),
        )
        for name, laps in (("service", service), ("http", through_http))
    ]


def _checkouts(mall: Scratch, till: Till, buyers: Iterator[Buyer]) -> Callable[[], None]:
    def one() -> None:
        check_out(mall.app, next(buyers), till.basket())

    return one


def _write_engine(mall: Scratch) -> Engine:
    with mall.app.app_context():
        return db.engines[None]


# --- through HTTP ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shop:
    """Web and sandbox gateway on a copy of the data, with signed-in clients."""

    database: Engine
    clients: list[tuple[Client, Client, Buyer]]


@contextmanager
def _shop_processes(mall: Scratch, till: Till) -> Iterator[_Shop]:
    folder = mall.folder / "http"
    folder.mkdir()
    web, gateway = free_port(), free_port()
    hook = f"http://127.0.0.1:{web}/api/v1/webhooks/gateway"
    sandbox = ["checkout.gateways.sandbox.server", "--port", str(gateway), "--webhook-url", hook]
    sandbox += [f"--webhook-event={kind}" for kind in WEBHOOK_EVENTS]
    log = folder / "log"
    with ExitStack() as stack:
        copy = stack.enter_context(mall.copy_database("http"))
        database = create_engine(copy)
        stack.callback(database.dispose)
        environment = mall.environment | {
            "MALL_DATA_DIR": str(folder),
            "MALL_DATABASE_URL": copy,
            "MALL_GATEWAY_URL": f"http://127.0.0.1:{gateway}",
        }
        stack.enter_context(running(sandbox, environment, log, is_ready=listens(gateway)))
        server = ["app.cli", "web", "--port", str(web)]
        stack.enter_context(running(server, environment, log, is_ready=listens(web)))
        key = {"Authorization": f"Bearer {get_settings().gateway_api_key}"}
        clients = []
        for buyer in till.companies[0][:_CLIENTS]:
            person, card = Client(web), Client(gateway, key)
            stack.callback(person.close)
            stack.callback(card.close)
            person.sign_in(buyer.actor.login, PASSPHRASE)
            clients.append((person, card, buyer))
        yield _Shop(database, clients)


def _http_lap(shop: _Shop, till: Till, seconds: float) -> Lap:
    """All clients at once; the lap ends when the last order that they placed is paid."""
    paid_before = _paid(shop)
    started = time.perf_counter()
    deadline = started + seconds

    def shop_on(client: tuple[Client, Client, Buyer]) -> int:
        placed = 0
        while time.perf_counter() < deadline:
            _check_out_by_http(*client, till)
            placed += 1
        return placed

    with ThreadPoolExecutor(len(shop.clients)) as pool:
        placed = sum(pool.map(shop_on, shop.clients))
    give_up = time.perf_counter() + _PAID_SECONDS
    while _paid(shop) - paid_before < placed:
        if time.perf_counter() > give_up:
            raise BenchFailed(f"{placed} orders placed, {_paid(shop) - paid_before} paid")
        time.sleep(0.01)
    return Lap(placed, time.perf_counter() - started)


def _check_out_by_http(person: Client, card: Client, buyer: Buyer, till: Till) -> None:
    """Quote, order, card: as the mall's pages do, without looking at pages in between."""
    quote = person.post(
        "/api/v1/checkout/quotes",
        {
            "address_id": buyer.address_id,
            "items": [{"offer_id": o, "quantity": q} for o, q in till.basket()],
            "credit_minor": CREDIT_USED_MINOR,
            "points": POINTS_USED,
        },
    )
    order = person.post(
        "/api/v1/checkout/orders", {"quote_id": quote["quote_id"]}, key=quote["quote_id"]
    )
    intent = order["payment"]["intent_id"]
    card.post_form(
        f"/v1/payment_intents/{intent}/confirm",
        {"payment_method": "pm_card_visa", "return_url": "http://127.0.0.1/"},
    )


def _paid(shop: _Shop) -> int:
    with shop.database.connect() as connection:
        counted = connection.scalar(text("SELECT count(*) FROM orders WHERE state = 'paid'"))
    return int(counted or 0)


# --- hot accounts ---------------------------------------------------------------------------


def _hot_accounts(mall: Scratch, till: Till, seconds: float, say: Say) -> Figure:
    """Buyers of one company, beside the same number of as many companies."""
    say("checkout: one company's hot accounts, and accounts spread over companies")
    hot = till.companies[0]
    spread = [company[0] for company in till.companies]
    laps: dict[str, list[Lap]] = {"hot": [], "spread": []}
    for number in range(rounds(seconds) + 1):
        for name, buyers in (("hot", hot), ("spread", spread)):
            found = _threads_lap(mall, till, buyers)
            if number:  # the first is for warmth
                laps[name].append(found)
    return Figure(
        f"hot_account_rate{mall.parts.suffix}",
        median_rate(laps["hot"]),
        median_rate(laps["spread"]),
        "orders/s",
        operations(laps["hot"]),
    )


def _threads_lap(mall: Scratch, till: Till, buyers: Sequence[Buyer]) -> Lap:
    groups = [buyers[place::_HOT_THREADS] for place in range(_HOT_THREADS)]

    def shop_on(group: Sequence[Buyer]) -> int:
        return lap(_checkouts(mall, till, cycle(group))).count

    started = time.perf_counter()
    with ThreadPoolExecutor(_HOT_THREADS) as pool:
        done = sum(pool.map(shop_on, groups))
    return Lap(done, time.perf_counter() - started)
