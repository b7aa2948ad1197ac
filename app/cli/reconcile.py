"""``mall reconcile``: what the gateway's balance file says against what our books say.

The file is a CSV with the columns of :data:`COLUMNS`, one line for each movement of the gateway's
account of us, amounts in fen and signed: charges positive, refunds negative. A charge is known by
``order_id``, a refund by ``refund_id``, as we wrote them into the gateway's metadata. Fees are not
part of an amount and are not compared.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from app.cli import mall
from app.cli.context import in_app, json_option, say_json
from kernel.db import read_only
from kernel.errors import Problem
from kernel.ledger.chart import Asset, gateway_clearing
from kernel.ledger.services import account_lines
from kernel.money import format_yuan
from kernel.settings import get_settings

COLUMNS = (
    "id", "type", "source", "amount", "fee", "currency", "created", "order_id", "refund_id",
)  # fmt: skip
CHARGE, REFUND = "charge", "refund"
# The gateway's types of movements; a refund that failed brings its money back.
_TYPES = {"charge": CHARGE, "refund": REFUND, "refund_failure": REFUND}
# What moves the gateway's account in our books, by the reason of the transaction.
_REASONS = {
    "sale": CHARGE,
    "paid_after_closing": CHARGE,
    "refund_card": REFUND,
    "late_payment_returned": REFUND,
}
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_CURRENCY = "cny"

# (charge or refund, what names it) → fen
Movements = dict[tuple[str, str], int]


class GatewayFileRefused(Problem):
    code = "gateway_file_refused"
    status = 422
    title = "网关对账文件无法读取"


@dataclass(frozen=True, slots=True)
class Difference:
    """One movement on which the gateway and we disagree; amounts are fen, None where it is not."""

    kind: str  # missing_here, missing_there, amount_differs
    movement: str
    name: str
    here_minor: int | None
    there_minor: int | None

    def __str__(self) -> str:
        here, there = (
            "—" if amount is None else f"¥{format_yuan(amount)}"
            for amount in (self.here_minor, self.there_minor)
        )
        return f"{self.kind} {self.movement} {self.name}: here {here}, there {there}"


def read_gateway_file(path: Path) -> Movements:
    """Movements of a balance file. Raises :class:`GatewayFileRefused` naming the line."""
    found: Movements = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for place, amount in _file_lines(csv.DictReader(file, strict=True)):
                found[place] = found.get(place, 0) + amount
    except (UnicodeDecodeError, csv.Error) as error:
        raise GatewayFileRefused(f"{path.name} 不是 UTF-8 的 CSV：{error}") from None
    return found


def _file_lines(reader: csv.DictReader[str]) -> Iterator[tuple[tuple[str, str], int]]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise GatewayFileRefused(f"缺少列：{', '.join(missing)}")
    for row in reader:
        where = f"第 {reader.line_num} 行"
        movement = _TYPES.get(row["type"] or "")
        if movement is None:
            raise GatewayFileRefused(f"{where}：不认识的类型 {row['type']!r}")
        if not _WHOLE.fullmatch(row["amount"] or ""):
            raise GatewayFileRefused(f"{where}：金额 {row['amount']!r} 不是整数（分）")
        if (row["currency"] or "").lower() != _CURRENCY:
            raise GatewayFileRefused(f"{where}：币种 {row['currency']!r} 不是 CNY")
        # What the gateway took for no order of ours still has to show, so it keeps its own name.
        name = row["order_id"] if movement == CHARGE else row["refund_id"]
        yield (movement, name or row["source"] or row["id"] or where), int(row["amount"])


def movements_in_books(gateway: str) -> Movements:
    """What our ledger says that the gateway took and gave back."""
    found: Movements = {}
    for line in account_lines(gateway_clearing(gateway), Asset.CNY):
        movement = _REASONS.get(line.reason, line.reason)
        # The key is ``reason:id`` with the id that the gateway was told, but for late payments.
        name = line.key.partition(":")[2]
        if line.reason == "late_payment_returned":
            name = f"late-{name}"
        place = (movement, name)
        found[place] = found.get(place, 0) + line.amount_minor
    return found


def compare(
    here: Mapping[tuple[str, str], int], there: Mapping[tuple[str, str], int]
) -> list[Difference]:
    """Every movement that only one side has, or that the sides have with another amount."""
    found = []
    for movement, name in sorted(here.keys() | there.keys()):
        ours, theirs = here.get((movement, name)), there.get((movement, name))
        if ours == theirs:
            continue
        kind = "amount_differs"
        if ours is None:
            kind = "missing_here"
        elif theirs is None:
            kind = "missing_there"
        found.append(Difference(kind, movement, name, ours, theirs))
    return found


@mall.command("reconcile")
@click.option(
    "--gateway-file",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=f"The gateway's balance as CSV with the columns {', '.join(COLUMNS)}; amounts in fen.",
)
@json_option
@in_app
def reconcile_command(path: Path, as_json: bool) -> None:
    """Differences between the gateway's balance file and our books, one a line."""
    there = read_gateway_file(path)
    with read_only():
        here = movements_in_books(get_settings().gateway.value)
    differences = compare(here, there)
    if as_json:
        say_json(
            {
                "ok": not differences,
                "here": len(here),
                "there": len(there),
                "differences": [asdict(difference) for difference in differences],
            }
        )
    else:
        for difference in differences:
            click.echo(str(difference))
        click.echo(f"{len(here)} here, {len(there)} there", err=True)
    if differences:
        sys.exit(1)
