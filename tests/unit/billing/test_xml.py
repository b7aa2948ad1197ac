"""The XML says what the invoice says, and keeps to the schema that is published with it."""

from __future__ import annotations

from decimal import Decimal
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from billing.documents.invoice import InvoiceDocument, InvoiceKind, to_json
from billing.documents.xml import NAMESPACE, SCHEMA_PATH, render_xml, yuan
from tests.unit.billing.samples import BEDDING, TEA, blue, mixed, red_of, source_line

SCHEMA = etree.XMLSchema(etree.parse(str(SCHEMA_PATH)))


def parsed(document: InvoiceDocument) -> Element:
    """The root, after the schema has found nothing wrong."""
    data = render_xml(document)
    SCHEMA.assertValid(etree.fromstring(data))
    root: Element = ElementTree.fromstring(data)
    return root


def text(root: Element, path: str) -> str:
    found = root.find("/".join(f"{{{NAMESPACE}}}{tag}" for tag in path.split("/")))
    assert found is not None, path
    return found.text or ""


def lines(root: Element) -> list[Element]:
    return root.findall(f"{{{NAMESPACE}}}Lines/{{{NAMESPACE}}}Line")


def test_a_mixed_invoice_to_the_fen() -> None:
    root = parsed(mixed())
    assert root.attrib == {"version": "1", "kind": "blue"}
    assert text(root, "Number") == "26009000000000001234"
    assert text(root, "DrawnAt") == "2026-11-24T17:30:00Z"
    assert text(root, "Buyer/TaxNumber") == "81330100MC1234567X"
    assert text(root, "Buyer/Bank") == "招商银行杭州分行 571900000010001"
    assert root.find(f"{{{NAMESPACE}}}Seller/{{{NAMESPACE}}}Bank") is None
    assert [(x.get("no"), x.get("kind")) for x in lines(root)] == [
        ("1", "item"),
        ("2", "discount"),
        ("3", "item"),
        ("4", "item"),
    ]
    first = lines(root)[0]
    assert text(first, "Quantity") == "0.74738197"
    assert text(first, "UnitPrice") == "699.00"
    assert text(first, "NetUnitPrice") == "618.5840708"
    assert text(first, "RatePercent") == "13"
    assert (text(first, "Net"), text(first, "Tax"), text(first, "Gross")) == (
        "462.32",
        "60.10",
        "522.42",
    )
    assert text(lines(root)[1], "Gross") == "-22.42"
    assert text(lines(root)[3], "TaxTreatment") == "exempt"
    assert text(root, "Totals/Gross") == "800.00"
    assert text(root, "Totals/GrossInCapitals") == "捌佰元整"
    for field in ("Net", "Tax", "Gross"):
        whole = sum(Decimal(text(line, field)) for line in lines(root))
        assert whole == Decimal(text(root, f"Totals/{field}"))
    assert text(root, "Notice").startswith("账单凭证，非税务发票")


def test_a_red_invoice_names_what_it_reverses() -> None:
    root = parsed(red_of(mixed(), {"a": 50_000}))
    assert root.get("kind") == "red"
    assert text(root, "Reverses") == "26009000000000001234"
    assert text(root, "Totals/Gross") == "-500.00"
    assert text(lines(root)[0], "Quantity") == "-0.74738197"
    assert text(root, "Remark").endswith("退货")


def test_what_xml_cannot_hold_is_left_out_and_the_rest_is_escaped() -> None:
    root = parsed(blue(source_line("a", "<b>&\x00\x0b\ud800茶\ufffe", TEA, 100, spec="]]>\x1f")))
    assert text(lines(root)[0], "Name") == "<b>&茶"
    assert text(lines(root)[0], "Specification") == "]]>"


@given(st.text(alphabet=st.characters(codec=None, categories=None), min_size=1, max_size=30))
def test_any_name_at_all_gives_valid_xml(name: str) -> None:
    parsed(blue(source_line("a", name, BEDDING, 12_345, spec=name)))


@given(st.integers(-(10**15), 10**15))
def test_yuan_is_the_amount_with_two_places(minor: int) -> None:
    assert Decimal(yuan(minor)) * 100 == minor
    assert yuan(minor)[-3] == "."


def test_the_schema_refuses_what_is_not_an_invoice() -> None:
    good = render_xml(mixed()).decode()
    for old, new in (
        ("<Gross>522.42</Gross>", "<Gross>522.4</Gross>"),
        ("<Number>26009000000000001234</Number>", "<Number>1</Number>"),
        ("<TaxTreatment>exempt</TaxTreatment>", "<TaxTreatment>none</TaxTreatment>"),
        ('no="2"', 'no="1"'),
    ):
        assert old in good
        assert not SCHEMA.validate(etree.fromstring(good.replace(old, new).encode()))


def test_the_api_gets_the_same_invoice() -> None:
    document = mixed()
    dumped = to_json(document)
    assert (dumped["net_minor"], dumped["tax_minor"], dumped["gross_minor"]) == (
        72_134,
        7_866,
        80_000,
    )
    assert dumped["gross_capitals"] == "捌佰元整"
    assert dumped["red_of"] is None
    assert dumped["lines"][0] == {
        "kind": "item",
        "name": (
            "*纺织产品*云栖长绒棉四件套 60支贡缎床单被套 简约北欧风 星空蓝 适用1.8米床 附收纳袋"
        ),
        "tax_code": "1040105020000000000",
        "spec": "1.8m床",
        "unit": "套",
        "quantity": "0.74738197",
        "unit_price_minor": 69_900,
        "unit_price": "618.5840708",
        "rate": "13%",
        "rate_bp": 1300,
        "treatment": "taxable",
        "net_minor": 46_232,
        "tax_minor": 6_010,
        "gross_minor": 52_242,
    }
    assert dumped["lines"][1]["quantity"] == ""
    assert dumped["buyer"]["name"] == "阿尔法科技（杭州）有限公司工会委员会"


def test_a_document_without_a_zone_or_with_a_wrong_reference_is_refused() -> None:
    document = mixed()
    fields = {name: getattr(document, name) for name in document.__slots__}
    with pytest.raises(ValueError, match="aware"):
        InvoiceDocument(**{**fields, "drawn_at": document.drawn_at.replace(tzinfo=None)})
    with pytest.raises(ValueError, match="names the blue one"):
        InvoiceDocument(**{**fields, "kind": InvoiceKind.RED})
    with pytest.raises(ValueError, match="names the blue one"):
        InvoiceDocument(**{**fields, "red_of": "26009000000000001234"})
