"""`polycopy live positions`, `exits`, `redeemable`: what live strategies hold, have to sell, and wait for."""

import json
from typing import Any

import click

from engine.adapters.postgres.live_report_store import plain_row
from engine.cli.live_access import live_in_database
from engine.cli.live_views import EXIT_HEADS, POSITION_HEADS, exit_row, position_row
from engine.cli.main import Settings
from engine.cli.terminal import echo_table

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("name", required=False)
@_json
@click.pass_obj
def positions(settings: Settings, name: str | None, as_json: bool) -> None:
    """List open positions."""
    rows = live_in_database(settings.load(), lambda database: database.reports.positions(strategy_id=name))
    _table(rows, as_json, POSITION_HEADS, position_row)


@click.command()
@click.argument("name", required=False)
@click.option("--all", "ended", is_flag=True, help="Also those that are done.")
@_json
@click.pass_obj
def exits(settings: Settings, name: str | None, ended: bool, as_json: bool) -> None:
    """List obligations to sell; overdue ones sell at any price."""
    rows = live_in_database(settings.load(), lambda database: database.reports.exits(strategy_id=name, ended=ended))
    _table(rows, as_json, EXIT_HEADS, exit_row)


@click.command()
@_json
@click.pass_obj
def redeemable(settings: Settings, as_json: bool) -> None:
    """List resolved positions whose value waits to be redeemed. Redeem them at the venue; the engine notices."""
    rows = live_in_database(settings.load(), lambda database: database.reports.redeemable())
    heads = ("strategy", "account", "market", "shares", "USD")
    _table(
        rows, as_json, heads,
        lambda row: (row["strategy_id"], row["account"], row["condition_id"], row["shares"], row["amount"]),
    )  # fmt: skip


def _table(rows: list[dict[str, Any]], as_json: bool, heads: tuple[str, ...], cells: Any) -> None:
    if as_json:
        click.echo(json.dumps([plain_row(row) for row in rows]))
        return
    echo_table(heads, [cells(row) for row in rows])
