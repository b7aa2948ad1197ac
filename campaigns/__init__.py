"""The bank's marketing: what reduces a price, and who pays for it."""
