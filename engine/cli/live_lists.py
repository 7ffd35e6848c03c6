"""`polycopy live positions`, `exits`, `redeemable`, `logs`: what live strategies hold, have to sell, wait for, and did."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import click

from engine.adapters.postgres.live_report_store import LiveReportStore, plain_row
from engine.cli.figures import moment_text
from engine.cli.live_access import LiveDatabase, live_in_database, live_named
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
    rows = _read(settings, name, lambda reports: reports.positions(strategy_id=name))
    _table(rows, as_json, POSITION_HEADS, position_row)


@click.command()
@click.argument("name", required=False)
@click.option("--all", "ended", is_flag=True, help="Also those that are done.")
@_json
@click.pass_obj
def exits(settings: Settings, name: str | None, ended: bool, as_json: bool) -> None:
    """List obligations to sell; overdue ones sell at any price."""
    rows = _read(settings, name, lambda reports: reports.exits(strategy_id=name, ended=ended))
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


@click.command()
@click.argument("name", required=False)
@click.option("--level", type=click.Choice(["info", "warn", "error"]), help="Only lines of this level.")
@click.option("--stage", help="Only lines of this stage, such as RISK_CHECK.")
@click.option("--trace", help="Only lines of one cause: a trade, an exit.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="How many of the newest.")
@_json
@click.pass_obj
def logs(
    settings: Settings,
    name: str | None,
    level: str | None,
    stage: str | None,
    trace: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was done and why, newest first."""
    rows = _read(
        settings,
        name,
        lambda reports: reports.logs(strategy_id=name, level=level, stage=stage, trace_id=trace, rows_max=limit),
    )
    heads = ("time", "level", "stage", "strategy", "trace", "message")
    _table(
        rows, as_json, heads,
        lambda row: (
            moment_text(row["created_at"]), row["level"], row["stage"], row["strategy_id"] or "", row["trace_id"][:40],
            row["message"],
        ),
    )  # fmt: skip


def _read(
    settings: Settings, name: str | None, read: Callable[[LiveReportStore], Awaitable[list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    """Returns rows of one strategy, which has to exist, or of all."""

    async def work(database: LiveDatabase) -> list[dict[str, Any]]:
        if name is not None:
            await live_named(database, name)
        return await read(database.reports)

    return live_in_database(settings.load(), work)


def _table(rows: list[dict[str, Any]], as_json: bool, heads: tuple[str, ...], cells: Any) -> None:
    if as_json:
        click.echo(json.dumps([plain_row(row) for row in rows]))
        return
    echo_table(heads, [cells(row) for row in rows])
