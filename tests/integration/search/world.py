"""A small catalogue for search tests: tables written directly, indexed by the room's own code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from enterprises.services.eligibility import Viewer, ViewerPot
from kernel.auth.policy import TenantKind
from kernel.auth.services import create_tenant
from kernel.db import db, write_transaction
from kernel.ids import public_id
from points.services.pots import PotView
from search import indexing
from search.engines.choice import get_engine
from shop.models import Brand, Offer, Product, Seller, Sku, Stock
from shop.rules import GoodsRule
from shop.services.attributes import keep_attributes
from shop.services.catalogue import touch_products
from shop.services.categories import category_tree, load_categories

_START = datetime(2026, 1, 1, tzinfo=UTC)
_CATEGORY_KEYS = ("bedding.quilt", "bedding.pillow", "kitchen.pots", "tea.green-tea", "tea.coffee")


@dataclass
class World:
    """Inside ids by the names that tests use."""

    merchants: dict[str, int] = field(default_factory=dict)
    brands: dict[str, int] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)

    def category_public(self, key: str) -> str:
        return category_tree().by_key[key].public_id

    def public(self, title: str) -> str:
        product = db.session.get(Product, self.products[title])
        assert product is not None
        return product.public_id


def found_world(merchants: Iterable[str] = ("north", "south", "east")) -> World:
    """Categories and merchants, and no goods yet."""
    world = World()
    with write_transaction():
        load_categories()
        for name in merchants:
            tenant = create_tenant(kind=TenantKind.MERCHANT, name=name, prefix="mer")
            db.session.add(Seller(merchant_id=tenant.id, open=True))
            world.merchants[name] = tenant.id
    world.categories = {key: category_tree().by_key[key].id for key in _CATEGORY_KEYS}
    return world


def add_product(
    world: World,
    title: str,
    *,
    category: str = "bedding.quilt",
    brand: str = "",
    offers: Sequence[tuple[str, int, int]] = (("north", 10_000, 5),),
    sold: int = 0,
    keywords: str = "",
    attributes: Sequence[tuple[str, str]] = (),
) -> int:
    """A product with one SKU and ``offers`` of (merchant, price in fen, units). Not indexed."""
    number = len(world.products) + 1
    with write_transaction():
        keep_attributes(attributes)
        brand_id = _brand(world, brand) if brand else None
        product = Product(
            public_id=public_id("prd"),
            title=title,
            keywords=keywords,
            category_id=world.categories[category],
            brand_id=brand_id,
            sold_count=sold,
            attributes=[{"name": name, "value": value} for name, value in attributes],
            created_at=_START + timedelta(minutes=number),
            updated_at=_START,
        )
        db.session.add(product)
        db.session.flush()
        sku = Sku(
            public_id=public_id("sku"), product_id=product.id, name="", unit="件", tax_code="1" * 19
        )
        db.session.add(sku)
        db.session.flush()
        for merchant, price, units in offers:
            _add_offer(sku.id, world.merchants[merchant], f"{merchant}-{number}", price, units)
    world.products[title] = product.id
    return product.id


def _brand(world: World, name: str) -> int:
    if name not in world.brands:
        brand = Brand(public_id=public_id("brd"), name=name)
        db.session.add(brand)
        db.session.flush()
        world.brands[name] = brand.id
    return world.brands[name]


def _add_offer(sku_id: int, merchant_id: int, code: str, price: int, units: int) -> None:
    offer = Offer(
        public_id=public_id("ofr"),
        sku_id=sku_id,
        merchant_id=merchant_id,
        product_code=code,
        sku_code=code,
        price_minor=price,
        list_price_minor=price,
        updated_at=_START,
    )
    db.session.add(offer)
    db.session.flush()
    db.session.add(Stock(offer_id=offer.id, on_hand=units))


def change_product(product_id: int, **values: object) -> None:
    """Change columns and raise the version, as shop does, without indexing."""
    with write_transaction():
        product = db.session.get(Product, product_id)
        assert product is not None
        for name, value in values.items():
            setattr(product, name, value)
        db.session.flush()
        touch_products([product_id])


def set_offers(product_id: int, **values: object) -> None:
    """Change all offers of a product behind the index's back."""
    with write_transaction():
        for offer in (
            db.session.query(Offer)
            .join(Sku, Sku.id == Offer.sku_id)
            .filter(Sku.product_id == product_id)
        ):
            for name, value in values.items():
                setattr(offer, name, value)


def index(world: World) -> None:
    """Write all products to the live index."""
    indexing.index_products(get_engine(), list(world.products.values()))


def viewer(
    rule: GoodsRule | None = None,
    *,
    pots: Sequence[tuple[str, GoodsRule]] = (),
    membership_id: int = 1,
    version: int = 1,
) -> Viewer:
    """A viewer with a programme and pots, without an enterprise in the database."""
    return Viewer(
        membership_id=membership_id,
        person_id=membership_id,
        enterprise_id=1,
        programme=rule or GoodsRule(),
        programme_version=version,
        pots=tuple(ViewerPot(_pot(name, pot_rule), pot_rule, ()) for name, pot_rule in pots),
    )


def _pot(name: str, rule: GoodsRule) -> PotView:
    return PotView(
        id=len(name),
        public_id=name,
        enterprise_id=1,
        billing_entity_id="ben_1",
        name=name,
        rule=rule.to_json(),
        rule_text="",
        pays_freight=False,
        fund_source="welfare",
        on_expiry="budget",
        refund_after_expiry="restore",
        grace_days=0,
    )
