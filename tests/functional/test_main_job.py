"""The main job on real input over real HTTP, and every fen of it compared (issue: the spine).

A merchant's real feed goes into the demo world, an employee finds goods of three merchants, pays
one order by two pots, points and card, and the enterprise's finance gets one invoice for it.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from pypdf import PdfReader

from billing.documents.xml import NAMESPACE, SCHEMA_PATH
from tests.functional import books
from tests.functional.running import Ended, Mall
from tests.functional.shopper import EMPLOYEE, FINANCE, Client, Wallet, body, new_key

FEED_ROWS, FEED_PRODUCTS = 244, 239
# Of the real feed, with its price.
QUILT, QUILT_MINOR = "双宫茧桑蚕丝被 空调被", 69_900
COMMISSION_BP = {"北岸生活": 500, "南风家居": 600, "东篱优选": 450}
FREIGHT = {"北岸生活": (800, 9_900), "南风家居": (1_000, 19_900), "东篱优选": (600, 6_900)}
CREDIT_ASKED, POINTS_ASKED = 45_678, 1_234


@dataclass(frozen=True)
class Bought:
    """An order before and after, as its buyer, the gateway and the auditors see it."""

    quote: dict[str, Any]
    order: dict[str, Any]
    intent: dict[str, Any]
    wallet_before: Wallet
    wallet_after: Wallet
    stock_before: dict[str, tuple[int, int, int]]
    balances_before: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def imports(real_mall: Mall, test_data: Path) -> tuple[Ended, Ended]:
    """The real feed, imported twice by the command line while the mall runs."""
    feed = str(test_data / "yanxuan_feed.csv")
    command = ("feed", "import", "--merchant", "north", feed, "--json")
    return real_mall.cli(*command), real_mall.cli(*command)


@pytest.fixture(scope="module")
def buyer(real_mall: Mall, imports: tuple[Ended, Ended]) -> Iterator[Client]:
    with Client(real_mall.origin, EMPLOYEE) as client:
        yield client


@pytest.fixture(scope="module")
def bought(real_mall: Mall, buyer: Client) -> Bought:
    """One order: a quilt of the real feed, tea of the east, something of the south."""
    offers = _three_offers(buyer)
    for offer_id, quantity in offers.items():
        body(buyer.put(f"/cart/items/{offer_id}", {"quantity": quantity, "chosen": True}))
    before = Wallet.of(buyer)
    stock = {offer_id: books.stock(real_mall.database, offer_id) for offer_id in offers}
    balances = books.balances(real_mall.database)
    quote = buyer.quote(credit_minor=CREDIT_ASKED, points=POINTS_ASKED)
    placed = body(buyer.place(quote["quote_id"], key=new_key()), 201)
    assert placed["state"] == "pending_payment"
    intent = buyer.pay(placed["payment"])
    order = buyer.wait_for_state(placed["order_id"], "paid")
    return Bought(quote, order, intent, before, Wallet.of(buyer), stock, balances)


def _three_offers(client: Client) -> dict[str, int]:
    """Offer → quantity: north's by what the real feed says, the others' by the demo's goods."""
    merchants = {
        facet["label"]: facet["value"]
        for facet in body(client.get("/search", q=""))["facets"]["merchant"]
    }
    found = client.find("蚕丝被", merchant=merchants["北岸生活"], limit=50)
    [quilt] = [item for item in found if item["title"] == QUILT]
    assert quilt["price_minor"] == QUILT_MINOR
    tea = client.find("茶", merchant=merchants["东篱优选"], sort="price_asc")[0]
    sheets = client.find("毛巾", merchant=merchants["南风家居"], sort="price_asc")[0]
    wanted = {}
    for item, name, quantity in (
        (quilt, "北岸生活", 1),
        (tea, "东篱优选", 3),
        (sheets, "南风家居", 2),
    ):
        wanted[client.offer_of(item["product_id"], merchants[name])["offer_id"]] = quantity
    return wanted


# The feed -----------------------------------------------------------------------------------------
def test_real_feed_is_imported_whole_and_once(imports: tuple[Ended, Ended]) -> None:
    first, second = imports
    assert (first.code, second.code) == (0, 0), first.err + second.err
    counts = {name: first.json[name] for name in ("new", "changed", "unchanged", "bad")}
    assert counts == {"new": FEED_ROWS, "changed": 0, "unchanged": 0, "bad": 0}
    counts = {name: second.json[name] for name in ("new", "changed", "unchanged", "bad")}
    assert counts == {"new": 0, "changed": 0, "unchanged": FEED_ROWS, "bad": 0}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("安睡组合", "母亲节礼物-舒适安睡组合"),
        ("母亲节 礼物", "母亲节礼物-舒适安睡组合"),
        ("桑蚕丝空调被", QUILT),
    ],
)
def test_imported_goods_are_found_in_chinese(buyer: Client, text: str, title: str) -> None:
    """Searchable the moment the import has returned, by the title's words in any order."""
    assert title in [item["title"] for item in buyer.find(text)[:3]]


def test_imported_price_is_the_feeds(buyer: Client) -> None:
    [item] = [i for i in buyer.find("舒适安睡组合") if i["title"] == "母亲节礼物-舒适安睡组合"]
    assert (item["price_minor"], item["list_price_minor"]) == (99_900, 261_800)
    page = body(buyer.get(f"/products/{item['product_id']}"))
    prices = {sku["name"]: sku["offers"][0]["price_minor"] for sku in page["skus"]}
    assert prices["1.5m床垫*1+枕头*2/浅杏粉"] == 99_900
    assert prices["1.5m床垫*1+枕头*2/玛瑙红"] == 150_000


# The quote ----------------------------------------------------------------------------------------
def _by_line(rows: list[dict[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["line_id"]] += row["amount_minor"]
    return dict(sums)


def _by_source(rows: list[dict[str, Any]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["source"]] += row["amount_minor"]
    return dict(sums)


def _largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Written down a second time here, so that the product's own is checked and not trusted."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in rest[: total - sum(parts)]:
        parts[i] += 1
    return parts


def test_quote_adds_up(bought: Bought) -> None:
    quote = bought.quote
    for line in quote["lines"]:
        assert line["gross_minor"] == line["unit_price_minor"] * line["quantity"]
        assert line["payable_minor"] == line["gross_minor"] - line["discount_minor"]
    assert quote["payable_minor"] == sum(line["payable_minor"] for line in quote["lines"])
    assert _by_line(quote["funding"]) == {
        line["line_id"]: line["payable_minor"] for line in quote["lines"]
    }
    sources = _by_source(quote["funding"])
    credit = sum(amount for source, amount in sources.items() if source.startswith("lot:"))
    tenders = quote["tenders"]
    assert credit == sum(entry["amount_minor"] for entry in tenders["credit"]) == CREDIT_ASKED
    assert sources["points"] == tenders["points"]["amount_minor"] == POINTS_ASKED
    assert tenders["points"]["points"] == POINTS_ASKED
    assert sources["cash"] == tenders["cash_minor"] > 0
    assert credit + sources["points"] + sources["cash"] == quote["payable_minor"]


def test_freight_is_each_merchants_own(bought: Bought) -> None:
    goods: dict[str, int] = defaultdict(int)
    freight: dict[str, int] = {}
    for line in bought.quote["lines"]:
        name = line["merchant"]["name"]
        if line["kind"] == "freight":
            assert name not in freight
            freight[name] = line["payable_minor"]
        else:
            goods[name] += line["payable_minor"]
    assert set(goods) == set(FREIGHT)
    expected = {
        name: amount for name, (amount, free_from) in FREIGHT.items() if goods[name] < free_from
    }
    assert freight == expected
    assert bought.quote["freight_minor"] == sum(expected.values())


def test_points_and_card_are_split_by_largest_remainder(bought: Bought) -> None:
    lines = [line["line_id"] for line in bought.quote["lines"]]
    paid: dict[str, dict[str, int]] = {line_id: defaultdict(int) for line_id in lines}
    for row in bought.quote["funding"]:
        kind = "credit" if row["source"].startswith("lot:") else row["source"]
        paid[row["line_id"]][kind] += row["amount_minor"]
    left = [
        line["payable_minor"] - paid[line["line_id"]]["credit"] for line in bought.quote["lines"]
    ]
    points = [paid[line_id]["points"] for line_id in lines]
    assert points == _largest_remainder(POINTS_ASKED, left)
    cash = [paid[line_id]["cash"] for line_id in lines]
    assert cash == [rest - point for rest, point in zip(left, points, strict=True)]


def test_no_pot_pays_what_it_was_refused_for(bought: Bought) -> None:
    refused = {(r["line_id"], r["pot_id"]) for r in bought.quote["refusals"]}
    paid = {(f["line_id"], f["pot_id"]) for f in bought.quote["funding"] if f["pot_id"]}
    assert refused
    assert paid
    assert not refused & paid
    assert {r["code"] for r in bought.quote["refusals"]} == {
        "pot_not_eligible",
        "pot_not_for_freight",
    }


def test_soonest_expiring_credit_goes_first(bought: Bought) -> None:
    """The festival pot expires first and may pay the tea only: it pays all of it that it can."""
    tea = next(x for x in bought.quote["lines"] if x["merchant"]["name"] == "东篱优选")
    festival = next(t for t in bought.quote["tenders"]["credit"] if t["name"] == "节日食品")
    assert festival["amount_minor"] == min(tea["payable_minor"], 40_000)


# The order ----------------------------------------------------------------------------------------
def test_gateway_took_the_card_part_and_nothing_else(bought: Bought) -> None:
    cash = bought.quote["tenders"]["cash_minor"]
    assert bought.intent["status"] == "succeeded"
    assert (bought.intent["amount"], bought.intent["amount_received"]) == (cash, cash)
    assert bought.intent["currency"] == "cny"


def test_order_is_the_quote(bought: Bought) -> None:
    order, quote = bought.order, bought.quote
    assert order["state"] == "paid"
    assert order["paid_at"]
    for name in ("payable_minor", "freight_minor", "tenders"):
        assert order[name] == quote[name]
    shared = ("line_id", "kind", "title", "quantity", "unit_price_minor", "payable_minor")
    assert [{n: line[n] for n in shared} for line in order["lines"]] == [
        {n: line[n] for n in shared} for line in quote["lines"]
    ]
    assert [{n: f[n] for n in ("line_id", "source", "amount_minor")} for f in order["funding"]] == [
        {n: f[n] for n in ("line_id", "source", "amount_minor")} for f in quote["funding"]
    ]


def test_order_has_a_sub_order_of_each_merchant(bought: Bought) -> None:
    subs = bought.order["sub_orders"]
    assert {sub["merchant"]["name"] for sub in subs} == set(FREIGHT)
    assert len(subs) == 3
    assert {sub["state"] for sub in subs} == {"to_ship"}
    lines = {line["line_id"]: line for line in bought.order["lines"]}
    assert sorted(i for sub in subs for i in sub["line_ids"]) == sorted(lines)
    for sub in subs:
        own = [lines[line_id] for line_id in sub["line_ids"]]
        assert {line["merchant"]["id"] for line in own} == {sub["merchant"]["id"]}
        assert sub["goods_minor"] + sub["freight_minor"] == sum(x["payable_minor"] for x in own)


def test_wallet_paid_what_the_receipt_says(bought: Bought) -> None:
    before, after = bought.wallet_before, bought.wallet_after
    for tender in bought.quote["tenders"]["credit"]:
        spent = before.available[tender["name"]] - after.available[tender["name"]]
        assert spent == tender["amount_minor"]
    assert before.points - after.points == POINTS_ASKED
    assert set(after.held.values()) == {0}
    assert after.points_held == 0


# The books ----------------------------------------------------------------------------------------
def _commission(payable: int, basis_points: int) -> int:
    return (payable * basis_points * 2 + 10_000) // 20_000


def test_postings_of_the_order(real_mall: Mall, bought: Bought) -> None:
    """Every posting of the order, account by account: nothing more, nothing less."""
    order, order_id = bought.order, bought.order["order_id"]
    found = books.postings(real_mall.database, order_id)
    money = {account: n for (_, asset, account), n in found.items() if asset == "CNY"}
    enterprise = order_enterprise(real_mall, order_id)
    expected: dict[str, int] = defaultdict(int)
    expected[f"enterprise/{enterprise}/receivable"] = CREDIT_ASKED
    expected["bank/receivable/points"] = POINTS_ASKED
    expected["gateway/sandbox/clearing"] = order["cash_minor"]
    for line in order["lines"]:
        taken = 0
        if line["kind"] == "goods":
            taken = _commission(line["payable_minor"], COMMISSION_BP[line["merchant"]["name"]])
        expected[f"merchant/{line['merchant']['id']}/payable"] -= line["payable_minor"] - taken
        expected["platform/commission"] -= taken
    assert money == dict(expected)

    credit: dict[str, int] = defaultdict(int)
    points: dict[str, int] = defaultdict(int)
    for (_, asset, account), amount in found.items():
        if asset != "CNY":
            (credit if asset == "CREDIT" else points)[account] += amount
    lots = {s: n for s, n in _by_source(order["funding"]).items() if s.startswith("lot:")}
    spent = {f"lot/{source[4:]}/available": -amount for source, amount in lots.items()}
    held = dict.fromkeys((f"lot/{source[4:]}/held" for source in lots), 0)
    assert credit == spent | held | {f"enterprise/{enterprise}/consumed": CREDIT_ASKED}
    assert sum(points.values()) == 0
    assert points["bank/redeemed"] == POINTS_ASKED


def order_enterprise(mall: Mall, order_id: str) -> str:
    query = "SELECT enterprise_id FROM v_orders WHERE order_id = :id"
    [row] = books.rows(mall.database, query, id=order_id)
    return str(row["enterprise_id"])


def test_balances_moved_by_exactly_the_postings(real_mall: Mall, bought: Bought) -> None:
    moved: dict[tuple[str, str], int] = defaultdict(int)
    order_id = bought.order["order_id"]
    for (_, asset, account), amount in books.postings(real_mall.database, order_id).items():
        moved[account, asset] += amount
    after = books.balances(real_mall.database)
    before = bought.balances_before
    changed = {
        place: after.get(place, 0) - before.get(place, 0)
        for place in before.keys() | after.keys()
        if after.get(place, 0) != before.get(place, 0)
    }
    assert changed == {place: amount for place, amount in moved.items() if amount}


def test_stock_left_the_shelf(real_mall: Mall, bought: Bought) -> None:
    quantities = {x["offer_id"]: x["quantity"] for x in bought.quote["lines"] if x["offer_id"]}
    assert quantities.keys() == bought.stock_before.keys()
    for offer_id, (on_hand, held, sold) in bought.stock_before.items():
        units = quantities[offer_id]
        assert books.stock(real_mall.database, offer_id) == (on_hand - units, held, sold + units)


def test_orders_view_is_the_order(real_mall: Mall, bought: Bought) -> None:
    order = bought.order
    query = "SELECT * FROM v_orders WHERE order_id = :id"
    [row] = books.rows(real_mall.database, query, id=order["order_id"])
    del row["enterprise_id"]
    assert row == {
        "order_id": order["order_id"],
        "state": "paid",
        "payable_minor": bought.quote["payable_minor"],
        "credit_minor": CREDIT_ASKED,
        "points_minor": POINTS_ASKED,
        "cash_minor": bought.quote["tenders"]["cash_minor"],
    }


def test_ledger_verifies(real_mall: Mall, bought: Bought) -> None:
    books.check_books(real_mall.database)
    done = real_mall.cli("ledger", "verify", "--json")
    assert (done.code, done.json["ok"], done.json["faults"]) == (0, True, [])
    assert done.json["trial_balance"] == {"CREDIT": 0, "POINT": 0, "CNY": 0}


# The invoice --------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def accountant(real_mall: Mall) -> Iterator[Client]:
    with Client(real_mall.origin, FINANCE) as client:
        yield client


@pytest.fixture(scope="module")
def invoice(accountant: Client, bought: Bought) -> dict[str, Any]:
    found: dict[str, Any] = body(accountant.get(f"/orders/{bought.order['order_id']}/invoice"))
    return found


def test_invoice_is_what_credit_paid(bought: Bought, invoice: dict[str, Any]) -> None:
    credit = _by_line([f for f in bought.order["funding"] if f["source"].startswith("lot:")])
    lines = {line["line_id"]: line for line in bought.order["lines"]}
    expected = [
        (lines[line_id]["tax_code"], lines[line_id]["rate_bp"], amount)
        for line_id, amount in credit.items()
    ]
    found = [(x["tax_code"], x["rate_bp"], x["gross_minor"]) for x in invoice["lines"]]
    assert sorted(found) == sorted(expected)
    assert invoice["gross_minor"] == CREDIT_ASKED
    assert invoice["buyer"]["name"] == "阿尔法科技（杭州）有限公司"
    assert invoice["buyer"]["tax_number"] == "91330106MA2ALPHA8K"
    assert re.fullmatch(r"\d{20}", invoice["number"])
    assert "林晓" not in str(invoice)  # no invoice names an employee


def test_invoice_tax_is_by_line(invoice: dict[str, Any]) -> None:
    for line in invoice["lines"]:
        base = 10_000 + line["rate_bp"]
        tax = (2 * line["gross_minor"] * line["rate_bp"] + base) // (2 * base)
        assert line["tax_minor"] == tax
        assert line["net_minor"] == line["gross_minor"] - tax
    for name in ("net_minor", "tax_minor", "gross_minor"):
        assert invoice[name] == sum(line[name] for line in invoice["lines"])


def test_finance_sees_the_order_with_its_invoice(
    accountant: Client, bought: Bought, invoice: dict[str, Any]
) -> None:
    listed = body(accountant.get("/enterprise/orders"))["items"]
    [row] = [x for x in listed if x["order_id"] == bought.order["order_id"]]
    assert row["invoice"]["number"] == invoice["number"]
    assert row["credit_minor"] == row["invoice"]["gross_minor"] == CREDIT_ASKED
    assert row["merchant_count"] == 3


def _yuan(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def test_xml_is_valid_and_equal(
    accountant: Client, bought: Bought, invoice: dict[str, Any]
) -> None:
    answer = accountant.get(f"/orders/{bought.order['order_id']}/invoice.xml")
    assert answer.headers["Content-Type"].startswith("application/xml")
    root = etree.fromstring(answer.content)
    etree.XMLSchema(etree.parse(SCHEMA_PATH)).assertValid(root)

    def text(element: etree._Element, path: str) -> str:
        return element.findtext(path, "", {"i": NAMESPACE}) or ""

    assert text(root, "i:Number") == invoice["number"]
    assert text(root, "i:OrderId") == bought.order["order_id"]
    assert text(root, "i:Buyer/i:Name") == invoice["buyer"]["name"]
    assert text(root, "i:Totals/i:GrossInCapitals") == invoice["gross_capitals"]
    for tag in ("Net", "Tax", "Gross"):
        assert text(root, f"i:Totals/i:{tag}") == _yuan(invoice[f"{tag.lower()}_minor"])
    lines = root.findall("i:Lines/i:Line", {"i": NAMESPACE})
    assert [
        (
            text(line, "i:TaxCode"),
            text(line, "i:Quantity"),
            text(line, "i:UnitPrice"),
            Decimal(text(line, "i:RatePercent")) * 100,
            text(line, "i:Net"),
            text(line, "i:Tax"),
            text(line, "i:Gross"),
        )
        for line in lines
    ] == [
        (
            line["tax_code"],
            line["quantity"],
            _yuan(line["unit_price_minor"]),
            line["rate_bp"],
            _yuan(line["net_minor"]),
            _yuan(line["tax_minor"]),
            _yuan(line["gross_minor"]),
        )
        for line in invoice["lines"]
    ]


def test_pdf_says_the_same(accountant: Client, bought: Bought, invoice: dict[str, Any]) -> None:
    answer = accountant.get(f"/orders/{bought.order['order_id']}/invoice.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages]
    text = "\n".join(pages).replace(",", "")
    assert invoice["number"] in text
    assert invoice["buyer"]["name"] in text
    assert invoice["gross_capitals"] in text
    assert bought.order["order_id"] in text
    assert "非税务发票" in text
    # A line ends with its amount without tax, its rate and its tax.
    found = re.findall(r"(\S+) (\d+(?:\.\d+)?) (\d+\.\d{2}) (\d+%) (\d+\.\d{2})$", text, re.M)
    assert [(quantity, net, rate, tax) for quantity, _, net, rate, tax in found] == [
        (x["quantity"], _yuan(x["net_minor"]), x["rate"], _yuan(x["tax_minor"]))
        for x in invoice["lines"]
    ]
    [(net, tax)] = re.findall(r"合\s*计\s*¥(\d+\.\d{2})\s*¥(\d+\.\d{2})", text)
    assert (net, tax) == (_yuan(invoice["net_minor"]), _yuan(invoice["tax_minor"]))
    assert f"¥{_yuan(invoice['gross_minor'])}" in text


def test_invoice_view_and_export_are_the_same_invoice(
    real_mall: Mall, bought: Bought, invoice: dict[str, Any], tmp_path: Path
) -> None:
    order_id = bought.order["order_id"]
    assert books.invoices(real_mall.database, order_id) == [
        {
            "number": invoice["number"],
            "order_id": order_id,
            "kind": "blue",
            "net_minor": invoice["net_minor"],
            "tax_minor": invoice["tax_minor"],
            "gross_minor": invoice["gross_minor"],
        }
    ]
    out = tmp_path / "invoice.xml"
    done = real_mall.cli("invoice", "export", order_id, "--format", "xml", "--out", str(out))
    assert done.code == 0, done.err
    assert invoice["number"] in out.read_text(encoding="utf-8")
