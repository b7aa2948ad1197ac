"""Catalogue: categories, products, SKUs, offers, prices, stock, freight, cart."""
