"""Each server of the full stack, and the worker, is killed under load and started again.

Buyers go on ordering all the time, each order tried with the same key until it has its answer, and
a seller goes on changing prices. At the end every order that was answered is there once and paid
once, nothing else is, the ledger verifies, and the index says what the database says.
"""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import requests

from merchants.feeds.generator import write_feed
from tests.faults.servers import kill_server, servers_to_kill, start_server
from tests.functional import books
from tests.functional.running import Mall, wait_for
from tests.functional.shopper import COLLEAGUE, EMPLOYEE, STRANGER, Client, Refused, body, new_key

DOWN_SECONDS = 4.0
BETWEEN_SECONDS = 3.0
PAUSE_SECONDS = 0.25
LEAST_AVAILABLE = 60
ROWS = 30
# What a shopper's program may be told while something is away: try again.
RETRIED = {"service_unavailable", "gateway_unavailable", "idempotency_key_in_progress"}


@dataclass
class Buyer:
    """One person with a program that never gives up."""

    origin: str
    login: str
    stop: threading.Event
    placed: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def run(self) -> None:
        try:
            self._buy()
        except (AssertionError, requests.RequestException) as error:
            self.strange.append(repr(error)[:600])

    def _buy(self) -> None:
        with Client(self.origin, self.login) as client:
            address = client.address_id()
            for offer in cycle(_plenty(client)):
                if self.stop.is_set():
                    return
                items = [{"offer_id": offer, "quantity": 1}]
                asked = {"address_id": address, "items": items}
                quote = self._until_answered(partial(client.post, "/checkout/quotes", asked))
                order = self._until_answered(
                    partial(client.place, quote["quote_id"], key=new_key())
                )
                self.placed.append(order["order_id"])
                if order["payment"] is not None:
                    self._pay(client, order)
                time.sleep(PAUSE_SECONDS)

    def _until_answered(self, ask: Callable[[], requests.Response]) -> Any:
        while True:
            answer = ask()
            if answer.status_code == 201:
                return answer.json()
            if answer.json().get("code") not in RETRIED:
                raise Refused(f"{answer.status_code} {answer.text[:300]}")
            time.sleep(0.2)

    def _pay(self, client: Client, order: dict[str, Any]) -> None:
        """The card page tries again, too; the gateway takes an intent's money once."""
        while True:
            try:
                client.pay(order["payment"])
            except Refused as refused:
                if "service_unavailable" not in str(refused):
                    raise
                time.sleep(0.2)
            else:
                return


def _plenty(client: Client) -> list[str]:
    """Offers with enough on the shelf for all who order here."""
    offers = []
    for item in client.find("", sort="price_asc", in_stock="true", limit=60):
        offer = client.offer_of(item["product_id"])
        if offer["available"] >= LEAST_AVAILABLE:
            offers.append(str(offer["offer_id"]))
    assert len(offers) >= 20
    return offers


@dataclass
class Seller:
    """Changes the price of every product, again and again, by importing the feed."""

    mall: Mall
    path: Path
    stop: threading.Event
    version: int = 0
    products: int = 0

    def run(self) -> None:
        write_feed(self.path, ROWS, 11)
        while not self.stop.is_set():
            self.version += 1
            self._reprice()
            # Interrupted, it is the same file again: the import resumes.
            while self._import() != 0:
                time.sleep(0.5)

    def price_minor(self, product: int) -> int:
        """One that no other product and no other version has."""
        return 900_000 + self.version * 1_000 + product

    def _reprice(self) -> None:
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        products = list(dict.fromkeys(row["商品编码"] for row in rows))
        self.products = len(products)
        for row in rows:
            price = self.price_minor(products.index(row["商品编码"]))
            row["售价"] = row["市场价"] = f"{price // 100}.{price % 100:02d}"
        with self.path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def _import(self) -> int:
        command = ("feed", "import", "--merchant", "south", str(self.path), "--no-wait", "--json")
        return self.mall.cli(*command).code


@contextmanager
def _under_load(mall: Mall, tmp_path: Path) -> Iterator[tuple[list[Buyer], Seller]]:
    stop = threading.Event()
    buyers = [Buyer(mall.origin, login, stop) for login in (EMPLOYEE, COLLEAGUE, STRANGER)]
    seller = Seller(mall, tmp_path / "prices.csv", stop)
    runs = [*(buyer.run for buyer in buyers), seller.run]
    threads = [threading.Thread(target=run) for run in runs]
    for thread in threads:
        thread.start()
    try:
        yield buyers, seller
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads)


def _placed(buyers: list[Buyer]) -> int:
    return sum(len(buyer.placed) for buyer in buyers)


def _more_orders(buyers: list[Buyer], what: str) -> None:
    before = _placed(buyers)

    def more() -> bool:
        strange = [text for buyer in buyers for text in buyer.strange]
        assert strange == []
        return _placed(buyers) >= before + 3

    wait_for(f"orders {what}", more, seconds=60)


def test_every_server_and_the_worker_killed_under_load(mall: Mall, tmp_path: Path) -> None:
    victims = servers_to_kill()
    mall.start()
    with _under_load(mall, tmp_path) as (buyers, seller):
        _more_orders(buyers, "before anything happens")
        for name in victims:
            kill_server(name)
            try:
                if name != "mariadb":
                    _more_orders(buyers, f"without {name}")
                time.sleep(DOWN_SECONDS)
            finally:
                start_server(name)
            wait_for(f"the mall is whole after {name}", mall.is_ready, seconds=90)
            _more_orders(buyers, f"after {name}")
            time.sleep(BETWEEN_SECONDS)
        mall.kill("worker")
        _more_orders(buyers, "without a worker")
        wait_for("the mall is whole again", mall.is_ready, seconds=60)
        _more_orders(buyers, "after all of it")
    for buyer in buyers:
        assert buyer.strange == []
    _check_orders(mall, [order_id for buyer in buyers for order_id in buyer.placed])
    _check_index(mall, seller)
    done = mall.cli("ledger", "verify", "--json")
    assert (done.code, done.json["faults"]) == (0, [])
    assert mall.cli("audit", "verify").code == 0


def _check_orders(mall: Mall, placed: list[str]) -> None:
    """Each answered order once, and no other; each paid, and its sale posted once."""
    assert len(placed) == len(set(placed))

    def open_orders() -> list[str]:
        return [o["order_id"] for o in books.orders(mall.database) if o["state"] != "paid"]

    wait_for("every order is paid", lambda: not open_orders(), seconds=60)
    assert sorted(o["order_id"] for o in books.orders(mall.database)) == sorted(placed)
    sales = books.rows(
        mall.database,
        "SELECT order_id, COUNT(DISTINCT transaction_id) AS n FROM v_ledger_postings "
        "WHERE reason = 'sale' GROUP BY order_id",
    )
    assert {row["order_id"]: row["n"] for row in sales} == dict.fromkeys(placed, 1)
    books.check_books(mall.database)


def _check_index(mall: Mall, seller: Seller) -> None:
    """The backlog drains by itself; then each of the last prices finds its one product."""

    def backlog() -> dict[str, Any]:
        found: dict[str, Any] = mall.cli("outbox", "backlog", "--json").json["lanes"]
        return found

    wait_for("nothing waits", lambda: not backlog(), seconds=120)
    done = mall.cli("doctor", "--json")
    assert done.code == 0, done.out
    assert done.json["parts"]["search"]["in_step"] is True
    with Client(mall.origin, EMPLOYEE) as client:
        for product in range(seller.products):
            price = seller.price_minor(product)
            # The newest version is what the engine's own filter finds; older ones are gone.
            found = body(client.get("/search", q="", price_min=price, price_max=price))
            assert (found["total"], [i["price_minor"] for i in found["items"]]) == (1, [price])
        older = body(
            client.get("/search", q="", price_min=900_000, price_max=seller.price_minor(0) - 1)
        )
        assert older["total"] == 0
