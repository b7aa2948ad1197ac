"""Builders for tests, made of the product's own services.

They work like services: call them inside ``write_transaction()``; they never commit.
"""
