"""Double-entry ledger: append-only, balanced by asset, idempotent by key."""
