"""Merchants: who may sell, their feeds, moderation."""
