"""Pictures and fonts of the demo world, made locally at seed time."""

from __future__ import annotations

from collections.abc import Mapping

from app.demo.catalogue.definitions import load_products
from app.demo.pictures import category_picture, compose_object_icons, compose_product_pictures
from billing.documents.fonts import FontFolders, prepare_fonts
from kernel.settings import get_settings
from shop.services.categories import category_tree


def make_media() -> Mapping[str, str]:
    """Compose what is missing; returns the picture's file name of every SKU key."""
    settings = get_settings()
    media, objects = settings.media_dir, settings.objects_dir
    nodes = category_tree().nodes
    compose_object_icons(sorted({node.object for node in nodes}), objects, media)
    (media / "categories").mkdir(parents=True, exist_ok=True)
    for node in nodes:
        out = media / "categories" / f"{node.key}.webp"
        if not out.exists():
            category_picture(node.object, node.tint, out, objects)
    folders = FontFolders.from_settings()
    if folders.whole_files.exist:
        prepare_fonts(folders)
    return compose_product_pictures(load_products(), objects, media / "products")
