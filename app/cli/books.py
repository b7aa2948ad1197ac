"""Ledger, audit log, invoices, and what the gateway's file says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from app.cli import mall
from app.cli.context import in_app, json_option, say_json, say_table
from billing.documents.pdf import render_pdf
from billing.documents.xml import render_xml
from billing.services.invoices import find_invoice, verify_invoices
from enterprises.services.budgets import verify_budgets
from kernel.audit import services as audit_log
from kernel.db import read_only
from kernel.ledger import services as ledger
from points.services.holds import verify_lots
from shop.services.stock import verify_stock

# Every derived figure that is stored somewhere, recomputed from what it derives from.
CHECKS: dict[str, Callable[[], list[str]]] = {
    "lots": verify_lots,
    "budgets": verify_budgets,
    "stock": verify_stock,
    "invoices": verify_invoices,
}


@mall.group("ledger")
def ledger_group() -> None:
    """The books."""


@ledger_group.command("verify")
@json_option
@in_app
def verify_command(as_json: bool) -> None:
    """Trial balance by asset, and every derived balance recomputed and compared."""
    with read_only():
        books = ledger.verify()
        faults = books.faults + [fault for check in CHECKS.values() for fault in check()]
    answer = {
        "ok": not faults,
        "transactions": books.transactions,
        "postings": books.postings,
        "trial_balance": books.trial_balance,
        "faults": faults,
    }
    if as_json:
        say_json(answer)
    else:
        say_table(("asset", "trial balance"), books.trial_balance.items())
        click.echo(f"{books.transactions} transactions, {books.postings} postings")
        for fault in faults:
            click.echo(f"✗ {fault}", err=True)
    if faults:
        sys.exit(1)


@ledger_group.command("balances")
@click.option("--prefix", default="", help="Only accounts whose names begin so.")
@json_option
@in_app
def balances_command(prefix: str, as_json: bool) -> None:
    """The balance of every account, in its asset's smallest unit."""
    with read_only():
        rows = sorted(ledger.balances(prefix).items())
    if as_json:
        say_json(
            {"balances": [{"account": a, "asset": s, "balance_minor": b} for (a, s), b in rows]}
        )
    else:
        say_table(("account", "asset", "balance"), ((a, s, b) for (a, s), b in rows))


@mall.group("audit")
def audit_group() -> None:
    """The audit log."""


@audit_group.command("verify")
@json_option
@in_app
def audit_verify_command(as_json: bool) -> None:
    """Names the first row that was changed, removed, moved or cut off."""
    with read_only():
        fault = audit_log.verify()
    if as_json:
        say_json({"ok": fault is None, "fault": fault})
    else:
        click.echo(fault or "the audit log is whole")
    if fault:
        sys.exit(1)


@mall.group("invoice")
def invoice_group() -> None:
    """Invoices."""


@invoice_group.command("export")
@click.argument("order")
@click.option("--format", "kind", type=click.Choice(["pdf", "xml"]), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@in_app
def export_command(order: str, kind: str, out: Path) -> None:
    """Write the invoice of ORDER to a file."""
    with read_only():
        document = find_invoice(order_id=order)
    out.write_bytes(render_pdf(document) if kind == "pdf" else render_xml(document))
    click.echo(f"{document.number} → {out}")
