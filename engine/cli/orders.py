"""`polycopy orders`: live orders and their fills, from the database; with `order_commands` orders by hand."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from engine.adapters.postgres.live_report_store import plain_row
from engine.cli.figures import moment_text
from engine.cli.live_access import LiveDatabase, live_in_database, live_named
from engine.cli.main import Settings
from engine.cli.order_commands import COMMANDS
from engine.cli.terminal import echo_table, plain
from protocols.live.orders import MANUAL, OrderStatus

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ORDER_HEADS = ("time", "order", "strategy", "side", "market", "status", "limit", "shares", "filled", "USD", "why")
FILL_HEADS = ("time", "trade", "role", "status", "shares", "price", "fee USD")


@click.group()
def orders() -> None:
    """Look at live orders: what was ordered, what came of it, and why not. Place and cancel orders by hand.

    A status that ends in … is not the last one: the order was signed, and is followed to its end.
    """


for _command in COMMANDS:
    orders.add_command(_command)


@orders.command("list")
@click.argument("strategy", required=False)
@click.option("--status", type=click.Choice([one.value for one in OrderStatus]), help="Only these.")
@click.option("--account", help="Only orders of this account.")
@click.option("--trade", "cause", help="Only orders for this trade, or other cause.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many of the newest.")
@_json
@click.pass_obj
def list_orders(
    settings: Settings,
    strategy: str | None,
    status: str | None,
    account: str | None,
    cause: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List orders, newest first; those by hand have the strategy manual:ACCOUNT."""

    async def read(database: LiveDatabase) -> list[dict[str, Any]]:
        if strategy is not None and not strategy.startswith(f"{MANUAL}:"):
            await live_named(database, strategy)
        return await database.reports.orders(
            strategy_id=strategy, status=status, account=account, cause=cause, rows_max=limit
        )

    rows = live_in_database(settings.load(), read)
    if as_json:
        click.echo(json.dumps([plain_row(row) for row in rows]))
        return
    echo_table(ORDER_HEADS, [_order_row(row) for row in rows], right={6, 7, 8, 9})


@orders.command()
@click.argument("order_id")
@_json
@click.pass_obj
def show(settings: Settings, order_id: str, as_json: bool) -> None:
    """Show all that is kept of an order, with its fills; also while no engine runs."""
    wanted = _order_id(order_id)
    found = live_in_database(settings.load(), lambda database: database.reports.order(wanted))
    if found is None:
        raise click.ClickException(f"there is no order {wanted}; `polycopy orders list` shows them")
    document = plain_row({name: value for name, value in found.items() if name not in ("fills", "lot_sales")})
    if as_json:
        rows = {name: [plain_row(row) for row in found[name]] for name in ("fills", "lot_sales")}
        click.echo(json.dumps({**document, **rows}))
        return
    for title, value in document.items():
        click.echo(f"{title:<22} {'' if value is None else plain(value)}")
    _echo_fills(found["fills"])


@orders.command()
@click.argument("order_id")
@_json
@click.pass_obj
def fills(settings: Settings, order_id: str, as_json: bool) -> None:
    """List the fills of an order, the oldest first."""
    wanted = _order_id(order_id)
    rows = live_in_database(settings.load(), lambda database: database.reports.fills(wanted))
    if as_json:
        click.echo(json.dumps([plain_row(row) for row in rows]))
        return
    _echo_fills(rows)


def _order_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise click.BadParameter(
            "is the id of an order as `polycopy orders list` shows it", param_hint="ORDER_ID"
        ) from None


def _echo_fills(rows: Sequence[dict[str, Any]]) -> None:
    cells = [
        (moment_text(row["matched_at"]), row["trade_id"], row["role"], row["status"], _number(row["shares"]),
         _number(row["price"]), _number(row["fee_usd"]))
        for row in rows
    ]  # fmt: skip
    echo_table(FILL_HEADS, cells, right={4, 5, 6})


def _order_row(row: dict[str, Any]) -> tuple[Any, ...]:
    status = row["status"] if row["ended"] or row["order_hash"] is None else f"{row['status']} …"
    return (
        moment_text(row["created_at"]), row["order_id"], row["strategy_id"], row["side"],
        (row["market_title"] or row["condition_id"])[:30], status, _number(row["limit_price"]),
        _number(row["size_shares"]), _number(row["filled_shares"]), f"{row['filled_usd']:.2f}", row["reason"] or "",
    )  # fmt: skip


def _number(value: Any) -> str:
    return "" if value is None else format(value.normalize(), "f")
