"""Wallets: welfare-credit pots and points, lots, holds, captures, expiry."""
