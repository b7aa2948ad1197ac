"""A merchant's feed: reading it, importing it, and making realistic ones for measurements."""
