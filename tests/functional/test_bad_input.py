"""Bad input over HTTP and on the command line: a clear error by its code, and nothing moved."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.functional import books
from tests.functional.running import Mall
from tests.functional.shopper import Client, body, new_key, problem

HEADER = ("商品编码", "SKU编码", "商品名称", "类目", "品牌", "规格", "售价", "库存", "单位")
ROW = ("BAD-1", "BAD-1", "坏输入测试用杯", "厨具 > 杯", "山野", "标准", "59.00", "9", "只")
SINGLE = ("BAD-2", "BAD-2", "只剩一件的杯", "厨具 > 杯", "山野", "标准", "19.00", "1", "只")


@contextmanager
def nothing_moves(mall: Mall) -> Iterator[None]:
    """No balance, no unit of stock and no order is another one afterwards."""

    def state() -> tuple[Any, ...]:
        stock = books.rows(mall.database, "SELECT * FROM v_stock ORDER BY offer_id")
        return books.balances(mall.database), stock, books.orders(mall.database)

    before = state()
    yield
    assert state() == before


def _write(path: Path, *rows: Sequence[str], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def cups(real_mall: Mall, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed of two cups, imported for the south."""
    path = _write(tmp_path_factory.mktemp("cups") / "cups.csv", ROW, SINGLE)
    done = real_mall.cli("feed", "import", "--merchant", "south", str(path), "--json")
    assert (done.code, done.json["bad"]) == (0, 0), done
    return path


def _offer(client: Client, title: str) -> str:
    [item] = [item for item in client.find(title) if item["title"] == title]
    return str(client.offer_of(item["product_id"])["offer_id"])


@pytest.fixture
def towel(employee: Client) -> str:
    found = employee.find("毛巾", sort="price_asc", in_stock="true")[0]
    return str(employee.offer_of(found["product_id"])["offer_id"])


# Quotes -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("quantity", [0, -1, 10**12, 1.5, "2", True, None])
def test_impossible_quantities(
    real_mall: Mall, employee: Client, towel: str, quantity: object
) -> None:
    items = [{"offer_id": towel, "quantity": quantity}]
    with nothing_moves(real_mall):
        asked = {"address_id": employee.address_id(), "items": items}
        quoted = problem(employee.post("/checkout/quotes", asked), 422, "invalid_input")
        assert [error["field"] for error in quoted["errors"]] == ["items.0.quantity"]
        put = employee.put(f"/cart/items/{towel}", {"quantity": quantity})
        assert problem(put, 422, "invalid_input")["errors"][0]["field"] == "quantity"


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"items": [{"offer_id": "off_none", "quantity": 1}]}, 404, "unknown_offer"),
        ({"items": []}, 422, "invalid_input"),
        ({"points": 10**7}, 409, "insufficient_points"),
        ({"points": -1}, 422, "invalid_input"),
        ({"points": "all"}, 422, "invalid_input"),
        ({"points": 1.5}, 422, "invalid_input"),
        ({"credit_minor": "99"}, 422, "invalid_input"),
        ({"credit_minor": 10**18}, 422, "invalid_input"),
        ({"coupons": ["cpn_none"]}, 404, "unknown_coupon"),
        ({"address_id": "adr_none"}, 404, "not_found"),
        ({"address_id": None}, 422, "invalid_input"),
        ({"surprise": 1}, 422, "invalid_input"),
    ],
)
def test_quotes_that_cannot_be(
    real_mall: Mall, employee: Client, towel: str, asked: dict[str, Any], status: int, code: str
) -> None:
    good = {
        "address_id": employee.address_id(),
        "items": [{"offer_id": towel, "quantity": 1}],
    }
    with nothing_moves(real_mall):
        problem(employee.post("/checkout/quotes", good | asked), status, code)


def test_credit_beyond_what_the_pots_may_pay(real_mall: Mall, employee: Client) -> None:
    """Liquor: the general pot leaves it out and the other is for food, so credit pays nothing."""
    item = employee.find("白酒")[0]
    offer = employee.offer_of(item["product_id"])
    assert [pot["eligible"] for pot in offer["pots"]] == [False, False]
    asked = {
        "address_id": employee.address_id(),
        "items": [{"offer_id": offer["offer_id"], "quantity": 1}],
    }
    with nothing_moves(real_mall):
        most = body(employee.post("/checkout/quotes", asked), 201)
        goods = most["lines"][0]["line_id"]
        codes = {r["code"] for r in most["refusals"] if r["line_id"] == goods}
        assert codes == {"pot_not_eligible"}
        assert goods not in {f["line_id"] for f in most["funding"] if f["pot_id"]}
        wanted = asked | {"credit_minor": most["payable_minor"]}
        problem(employee.post("/checkout/quotes", wanted), 409, "insufficient_credit")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"address_id": ', 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"[]", 422, "invalid_input"),
        (b'"text"', 422, "invalid_input"),
        (b'{"address_id": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
    ],
    ids=["cut off", "no text", "array", "string", "too large"],
)
def test_bodies_that_are_none(
    real_mall: Mall, employee: Client, content: bytes, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    with nothing_moves(real_mall):
        answer = employee.send("POST", "/checkout/quotes", data=content, headers=headers)
        problem(answer, status, code)


def test_another_kind_of_body(employee: Client) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = employee.send("POST", "/checkout/quotes", data=b"{}", headers=headers)
    assert answer.status_code in (415, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


# Orders -------------------------------------------------------------------------------------------
def test_orders_that_cannot_be(
    real_mall: Mall, employee: Client, stranger: Client, towel: str
) -> None:
    quote = employee.quote({towel: 1})
    with nothing_moves(real_mall):
        problem(employee.place("quo_none", key=new_key()), 404, "not_found")
        problem(stranger.place(quote["quote_id"], key=new_key()), 404, "not_found")
        problem(employee.place(quote["quote_id"], key="k" * 256), 400, "idempotency_key_required")
        answer = employee.post("/checkout/orders", {"quote_id": quote["quote_id"]})
        problem(answer, 400, "idempotency_key_required")


def test_empty_cart(real_mall: Mall, stranger: Client) -> None:
    asked = {"address_id": stranger.address_id()}
    with nothing_moves(real_mall):
        problem(stranger.post("/checkout/quotes", asked), 422, "empty_order")


def test_price_changed_since_the_quote(
    real_mall: Mall, employee: Client, cups: Path, tmp_path: Path
) -> None:
    """409 with the new quote, which then goes through; nothing was charged before."""
    quote = employee.quote({_offer(employee, ROW[2]): 1})
    dearer = _write(tmp_path / "dearer.csv", (*ROW[:6], "61.00", *ROW[7:]))
    done = real_mall.cli("feed", "import", "--merchant", "south", str(dearer), "--json")
    assert (done.code, done.json["changed"]) == (0, 1)
    key = new_key()
    with nothing_moves(real_mall):
        told = problem(employee.place(quote["quote_id"], key=key), 409, "price_changed")
    fresh = told["quote"]
    assert fresh["payable_minor"] == quote["payable_minor"] + 200
    # A refusal is not kept under its key, and another body there would be another request.
    placed = body(employee.place(fresh["quote_id"], key=new_key()), 201)
    assert placed["state"] == "paid"
    assert employee.order(placed["order_id"])["payable_minor"] == fresh["payable_minor"]


def test_the_last_piece_is_sold_once(
    real_mall: Mall, employee: Client, colleague: Client, cups: Path
) -> None:
    offer_id = _offer(employee, SINGLE[2])
    mine, theirs = employee.quote({offer_id: 1}), colleague.quote({offer_id: 1})
    body(employee.place(mine["quote_id"], key=new_key()), 201)
    with nothing_moves(real_mall):
        refused = colleague.place(theirs["quote_id"], key=new_key())
        assert problem(refused, 409, "out_of_stock")["offer_id"] == offer_id
    assert books.stock(real_mall.database, offer_id) == (0, 0, 1)


def test_stale_quote(real_mall: Mall, employee: Client, towel: str) -> None:
    quote = employee.quote({towel: 1})
    assert real_mall.cli("clock", "advance", "15m").code == 0
    with nothing_moves(real_mall):
        problem(employee.place(quote["quote_id"], key=new_key()), 409, "quote_expired")


def test_returns_that_cannot_be(real_mall: Mall, colleague: Client, towel: str) -> None:
    order_ids = []
    for _ in range(2):
        quote = colleague.quote({towel: 1})
        placed = body(colleague.place(quote["quote_id"], key=new_key()), 201)
        order_ids.append(placed["order_id"])
    mine, other = (colleague.order(order_id)["lines"][0]["line_id"] for order_id in order_ids)
    path = f"/orders/{order_ids[0]}/after-sales"
    with nothing_moves(real_mall):
        for item, kind, status, code in (
            ({"line_id": mine, "quantity": 2}, "refund", 409, "return_too_much"),
            ({"line_id": mine, "quantity": 0}, "refund", 422, "invalid_input"),
            ({"line_id": other, "quantity": 1}, "refund", 404, "not_found"),
            ({"line_id": mine, "quantity": 1}, "return", 409, "not_shipped_yet"),
            ({"line_id": mine, "quantity": 1}, "gift", 422, "invalid_input"),
        ):
            asked = {"items": [item], "kind": kind, "reason": ""}
            problem(colleague.post(f"{path}/preview", asked), status, code)
            problem(colleague.post(path, asked, key=new_key()), status, code)


# Search -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"cursor": "nonsense"}, 400, "bad_cursor"),
        ({"limit": 0}, 422, "invalid_input"),
        ({"limit": 10_000}, 422, "invalid_input"),
        ({"sort": "colour"}, 422, "invalid_input"),
        ({"price_min": -1}, 422, "invalid_input"),
        ({"price_min": 500, "price_max": 100}, 422, "invalid_input"),
        ({"pot": "pot_none"}, 404, "not_found"),
    ],
)
def test_searches_that_cannot_be(
    employee: Client, asked: dict[str, Any], status: int, code: str
) -> None:
    problem(employee.get("/search", **asked), status, code)


@pytest.mark.parametrize("text", ["\x00", "' OR 1=1 --", "%", "🍵", '()"*:~^', "茶" * 900, "   "])
def test_odd_texts_are_searched_for(employee: Client, text: str) -> None:
    assert body(employee.get("/search", q=text))["total"] >= 0
    assert "suggestions" in body(employee.get("/suggest", q=text))


# What a programme hides ---------------------------------------------------------------------------
def test_what_a_programme_hides_is_nowhere(
    real_mall: Mall, employee: Client, stranger: Client
) -> None:
    """Beta's people see no liquor: not in search, not by its address, not in cart or quote."""
    item = employee.find("白酒")[0]
    offer_id = employee.offer_of(item["product_id"])["offer_id"]
    assert item["product_id"] not in [found["product_id"] for found in stranger.find("白酒")]
    with nothing_moves(real_mall):
        problem(stranger.get(f"/products/{item['product_id']}"), 404, "not_found")
        problem(stranger.put(f"/cart/items/{offer_id}", {"quantity": 1}), 404, "unknown_offer")
        asked = {
            "address_id": stranger.address_id(),
            "items": [{"offer_id": offer_id, "quantity": 1}],
        }
        problem(stranger.post("/checkout/quotes", asked), 404, "unknown_offer")


# Files --------------------------------------------------------------------------------------------
def test_files_that_are_no_feed(real_mall: Mall, tmp_path: Path) -> None:
    broken = (*ROW[:6], "free", *ROW[7:])
    files = {
        "broken row": _write(tmp_path / "row.csv", ("OK-1", "OK-1", *ROW[2:]), broken),
        "no header": _write(tmp_path / "header.csv", ROW[2:4], header=("名字", "数量")),
        "wrong encoding": tmp_path / "encoding.csv",
        "a picture": tmp_path / "picture.csv",
        "empty": tmp_path / "empty.csv",
        "not there": tmp_path / "none.csv",
    }
    text = files["broken row"].read_text(encoding="utf-8-sig")
    files["wrong encoding"].write_bytes(text.encode("utf-16"))
    files["a picture"].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    files["empty"].write_bytes(b"")
    errors = tmp_path / "errors.csv"
    command = ("feed", "import", "--merchant", "north", "--dry-run", "--json")
    with nothing_moves(real_mall), ThreadPoolExecutor(3) as pool:
        ended = dict(
            zip(
                files,
                pool.map(
                    lambda name: real_mall.cli(
                        *command,
                        str(files[name]),
                        *(("--errors", str(errors)) if name == "broken row" else ()),
                    ),
                    files,
                ),
                strict=True,
            )
        )
    assert {name: done.code for name, done in ended.items()} == dict.fromkeys(files, 1)
    counts = ended.pop("broken row").json
    assert (counts["new"], counts["bad"]) == (1, 1)
    with errors.open(encoding="utf-8-sig", newline="") as file:
        [told] = list(csv.DictReader(file))
    assert told["SKU编码"] == "BAD-1"
    assert told["错误"].startswith("第 2 行：")
    assert {name: done.json["code"] for name, done in ended.items()} == {
        "no header": "feed_headers_missing",
        "wrong encoding": "feed_encoding_unknown",
        "a picture": "feed_not_a_table",
        "empty": "feed_empty",
        "not there": "feed_not_found",
    }
