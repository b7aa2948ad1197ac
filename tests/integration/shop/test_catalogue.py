"""Offers as they are sold, product pages, categories and taxes."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask, g
from sqlalchemy import func, select, text, update

from kernel import outbox
from kernel.db import db, write_transaction
from kernel.errors import NotFound
from merchants.services import MerchantView, approve_merchant
from shop.models import Category, Offer, Product, TaxRate
from shop.services import catalogue
from shop.services.catalogue import (
    OfferView,
    UnknownOffer,
    count_sales,
    create_assortment,
    find_brands,
    find_offers,
    image_url,
    offers_of_ids,
    open_seller,
    product_page,
    products_of_merchant,
    set_price,
)
from shop.services.categories import (
    NoTaxRate,
    Rate,
    category_tree,
    load_categories,
    tax_rates,
)
from shop.services.stock import capture_stock, hold_stock
from tests.factories.catalogue import build_merchant, build_offer, category


@pytest.fixture
def quilt(north: MerchantView) -> OfferView:
    with write_transaction():
        return build_offer(
            north, title="桑蚕丝夏被", price_minor=39_900, list_price_minor=59_900, brand="眠山"
        )


def _version(offer: OfferView) -> int:
    found = db.session.scalar(select(Product.version).where(Product.public_id == offer.product_id))
    db.session.rollback()
    assert found is not None
    return found


def test_an_offer_has_all_that_a_quote_needs(quilt: OfferView, north: MerchantView) -> None:
    assert find_offers([quilt.public_id, "ofr_none"]) == {quilt.public_id: quilt}
    assert offers_of_ids([quilt.id, 999_999]) == {quilt.id: quilt}
    leaf = category("bedding.quilt")
    assert (quilt.price_minor, quilt.list_price_minor, quilt.available) == (39_900, 59_900, 100)
    assert (quilt.merchant_public_id, quilt.merchant_name) == (north.public_id, "north 商户")
    assert (quilt.freight_minor, quilt.free_from_minor) == (800, 9_900)
    assert (quilt.title, quilt.sku_name, quilt.unit) == ("桑蚕丝夏被", "200×230cm", "条")
    assert (quilt.tax_code, quilt.category_name) == (leaf.tax_code, leaf.name)
    assert quilt.for_sale
    assert quilt.image == "/media/categories/bedding.quilt.webp"
    facts = quilt.facts
    assert facts.categories == {leaf.id, leaf.parent_id}
    assert facts.merchants == {north.id}
    assert facts.brands == set(find_brands(["眠山"]).values())
    assert facts.assortments == frozenset()


def test_no_offers_are_asked_for(north: MerchantView) -> None:
    assert find_offers([]) == {}
    assert offers_of_ids([]) == {}


def test_a_picture_of_its_own_goes_before_the_categorys() -> None:
    assert image_url("a.webp", "bedding.quilt") == "/media/products/a.webp"
    assert image_url("", "bedding.quilt") == "/media/categories/bedding.quilt.webp"


@pytest.mark.parametrize("what", ["offer", "product", "seller"])
def test_what_is_not_for_sale_is_still_found_and_says_so(quilt: OfferView, what: str) -> None:
    with write_transaction():
        if what == "offer":
            db.session.execute(update(Offer).values(state="off"))
        elif what == "product":
            db.session.execute(update(Product).values(state="hidden"))
        else:
            open_seller(
                merchant_id=quilt.merchant_id, open_=False, freight_minor=0, free_from_minor=None
            )
    assert find_offers([quilt.public_id])[quilt.public_id].for_sale is False
    with pytest.raises(NotFound):
        product_page(quilt.product_id)


def test_goods_of_a_merchant_sell_only_after_approval(north: MerchantView) -> None:
    with write_transaction():
        late = build_merchant("late", approved=False)
        offer = build_offer(late)
    assert not offer.for_sale
    with write_transaction():
        approve_merchant(merchant_id=late.id, freight_minor=500, free_from_minor=None)
    approved = find_offers([offer.public_id])[offer.public_id]
    assert (approved.for_sale, approved.freight_minor, approved.free_from_minor) == (
        True,
        500,
        None,
    )


def test_a_page_lists_skus_with_their_offers_cheapest_in_stock_first(north: MerchantView) -> None:
    with write_transaction():
        south = build_merchant("south")
        first = build_offer(north, product_code="P", barcode="6901234567892", price_minor=9_900)
        second = build_offer(north, product_code="P", spec="150×200cm", price_minor=7_900)
        cheaper = build_offer(south, barcode="6901234567892", price_minor=8_900)
        empty = build_offer(
            build_merchant("east"), barcode="6901234567892", price_minor=1_000, stock=0
        )
    assert {o.product_id for o in (second, cheaper, empty)} == {first.product_id}
    page = product_page(first.product_id)
    assert [(name, [o.public_id for o in offers]) for _, name, _, offers in page.skus] == [
        ("200×230cm", [cheaper.public_id, first.public_id, empty.public_id]),
        ("150×200cm", [second.public_id]),
    ]
    assert [node.key for node in page.category_path] == ["bedding", "bedding.quilt"]
    assert page.brand is None
    assert page.no_reason_return is True
    assert page.sold_count == 0


def test_a_page_names_its_brand(quilt: OfferView) -> None:
    page = product_page(quilt.product_id)
    assert page.brand is not None
    assert page.brand[1] == "眠山"
    assert page.title == "桑蚕丝夏被"


@pytest.mark.parametrize("public", ["prd_none", ""])
def test_an_unknown_product_has_no_page(quilt: OfferView, public: str) -> None:
    with pytest.raises(NotFound):
        product_page(public)


def test_a_new_price_is_told_to_search(quilt: OfferView) -> None:
    before = _version(quilt)
    with write_transaction():
        set_price(offer_id=quilt.public_id, price_minor=35_000)
    assert find_offers([quilt.public_id])[quilt.public_id].price_minor == 35_000
    assert _version(quilt) == before + 1
    with pytest.raises(UnknownOffer), write_transaction():
        set_price(offer_id="ofr_none", price_minor=1)
    assert _version(quilt) == before + 1


def test_sales_are_added_up_from_stock_without_telling_search(
    quilt: OfferView, north: MerchantView
) -> None:
    with write_transaction():
        second = build_offer(north, title="枕头", category_key="bedding.pillow")
    before = _version(quilt)
    for order_id, units in (("ord_1", 3), ("ord_2", 2)):
        with write_transaction():
            hold_stock(order_id=order_id, quantities={quilt.id: units, second.id: 1})
            capture_stock(order_id=order_id)
    for _ in range(2):  # running it twice is harmless
        with write_transaction():
            count_sales(product_ids=[quilt.product_id, "prd_none"])
        assert product_page(quilt.product_id).sold_count == 5
        assert product_page(second.product_id).sold_count == 0
    assert _version(quilt) == before


def test_search_hears_once_when_a_seller_opens_or_closes(
    north: MerchantView, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, int]]] = []
    monkeypatch.setattr(outbox, "emit", lambda event, **ids: told.append((event, ids)))
    with write_transaction():
        for open_ in (True, False, False, True):
            open_seller(merchant_id=north.id, open_=open_, freight_minor=100, free_from_minor=None)
    assert told == [("shop.seller_changed", {"merchant_id": north.id})] * 2


def test_an_assortment_is_a_fact_of_its_products(quilt: OfferView, north: MerchantView) -> None:
    with write_transaction():
        other = build_offer(north, title="枕头", category_key="bedding.pillow")
        made = create_assortment(
            name="中秋", product_ids=[quilt.facts.product_id, quilt.facts.product_id]
        )
    found = find_offers([quilt.public_id, other.public_id])
    assert found[quilt.public_id].facts.assortments == {made.id}
    assert found[other.public_id].facts.assortments == frozenset()


def test_touching_nothing_tells_nothing(quilt: OfferView) -> None:
    before = _version(quilt)
    with write_transaction():
        catalogue.touch_products([])
    assert _version(quilt) == before


def test_a_merchants_products_come_in_pages(north: MerchantView) -> None:
    with write_transaction():
        made = [build_offer(north, title=f"商品 {n}").facts.product_id for n in range(5)]
        build_offer(build_merchant("south"), title="别家")
    first = products_of_merchant(merchant_id=north.id, after=0, limit=3)
    assert first == made[:3]
    assert products_of_merchant(merchant_id=north.id, after=first[-1], limit=3) == made[3:]
    assert products_of_merchant(merchant_id=north.id, after=made[-1], limit=3) == []


def test_the_tree_is_loaded_once(north: MerchantView) -> None:
    before = db.session.scalar(select(func.count()).select_from(Category))
    rates = db.session.scalar(select(func.count()).select_from(TaxRate))
    with write_transaction():
        assert load_categories() == 0
    assert db.session.scalar(select(func.count()).select_from(Category)) == before
    assert db.session.scalar(select(func.count()).select_from(TaxRate)) == rates
    assert before is not None
    assert before > 40


def test_a_category_that_is_missing_comes_back(north: MerchantView) -> None:
    with write_transaction():
        db.session.execute(text("DELETE FROM category WHERE `key` = 'tea.coffee'"))
    with write_transaction():
        assert load_categories() == 1
    assert category("tea.coffee").parent_id == category("tea").id


def test_categories_are_found_by_their_names_and_ways(north: MerchantView) -> None:
    tree = category_tree()
    leaf = tree.by_key["bedding.quilt"]
    assert tree.by_public_id[leaf.public_id] is leaf
    assert [node.key for node in tree.path(leaf.id)] == ["bedding", "bedding.quilt"]
    assert tree.with_ancestors(leaf.id) == {leaf.id, leaf.parent_id}
    assert tree.by_id[leaf.id] is leaf
    assert len(tree.by_public_id) == len(tree.nodes)
    assert category_tree() is tree  # once for each request
    g.pop("shop_categories")
    assert category_tree() is not tree


def test_rates_depend_on_the_taxpayer(north: MerchantView) -> None:
    code = category("bedding.quilt").tax_code
    day = date(2026, 1, 1)
    assert tax_rates(codes=[code], taxpayer="general", on=day) == {code: Rate(1300, "taxable")}
    assert tax_rates(codes=[code], taxpayer="small_scale", on=day) == {code: Rate(100, "taxable")}
    assert tax_rates(codes=[], taxpayer="general", on=day) == {}


def test_rates_depend_on_the_day(north: MerchantView) -> None:
    code = category("bedding.quilt").tax_code
    with write_transaction():
        db.session.add(
            TaxRate(
                tax_code=code,
                taxpayer="general",
                valid_from=date(2026, 7, 1),
                rate_bp=1200,
                treatment="taxable",
            )
        )
    for day, rate in ((date(2026, 6, 30), 1300), (date(2026, 7, 1), 1200)):
        assert tax_rates(codes=[code], taxpayer="general", on=day)[code].rate_bp == rate


@pytest.mark.parametrize(
    ("code", "taxpayer", "on"),
    [
        ("9" * 19, "general", date(2026, 1, 1)),
        ("1040110000000000000", "nobody", date(2026, 1, 1)),
        ("1040110000000000000", "general", date(2019, 3, 31)),
    ],
)
def test_goods_without_a_rate_are_refused_by_code(
    north: MerchantView, code: str, taxpayer: str, on: date
) -> None:
    with pytest.raises(NoTaxRate, match=code):
        tax_rates(codes=[code], taxpayer=taxpayer, on=on)


def test_without_categories_there_is_an_empty_tree(app: Flask) -> None:
    assert category_tree().nodes == ()
