"""Append-only triggers and the auditors' views

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("ledger_transaction", "ledger_posting", "audit_entry")
KEYS = {
    "ledger_transaction": ("id",),
    "ledger_posting": ("transaction_id", "line"),
    "audit_entry": ("number",),
}

VIEWS = {
    "v_ledger_postings": """
        SELECT t.id AS transaction_id, t.posted_at, p.account, p.asset, p.amount_minor,
               t.reason, t.order_id
        FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id""",
    "v_ledger_balances": """
        SELECT account, asset, SUM(amount_minor) AS balance_minor
        FROM ledger_posting GROUP BY account, asset""",
    "v_stock": """
        SELECT o.public_id AS offer_id, s.on_hand, s.held, s.sold
        FROM stock s JOIN offer o ON o.id = s.offer_id""",
    "v_orders": """
        SELECT o.public_id AS order_id, t.public_id AS enterprise_id, o.state,
               o.payable_minor, o.credit_minor, o.points_minor, o.cash_minor
        FROM orders o JOIN tenant t ON t.id = o.enterprise_id""",
    "v_invoices": """
        SELECT number, order_id, kind, net_minor, tax_minor, gross_minor FROM invoice""",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            name = f"{table}_no_{verb.lower()}"
            if dialect == "sqlite":
                op.execute(
                    f"CREATE TRIGGER {name} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
            else:
                op.execute(
                    f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW "
                    f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{table} is append-only'"
                )
    if dialect == "sqlite":
        # REPLACE deletes without a DELETE trigger unless the connection asks for it, so a row
        # that is there already is refused on the way in as well.
        for table, key in KEYS.items():
            same = " AND ".join(f"{column} = NEW.{column}" for column in key)
            op.execute(
                f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
    for table in APPEND_ONLY:
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{verb}")
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {table}_no_replace")
