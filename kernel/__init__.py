"""Knows no business: money, ids, clock, errors, database, web, outbox, auth, audit, ledger."""
