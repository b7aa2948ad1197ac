"""Alembic migrations: tables, then what only SQL can say (triggers, auditors' views)."""
