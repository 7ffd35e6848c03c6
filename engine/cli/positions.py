"""`polycopy positions`: what a trader holds and has closed."""

import json
from datetime import date, datetime
from typing import Any

import attrs
import click

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.live_report_store import plain_row
from engine.adapters.postgres.position_report_store import PositionReports
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.cli.wallet_forms import WalletFormError, parse_trader

CURRENT_HEADS = ("market", "outcome", "shares", "average", "price", "value USD", "since", "")
CLOSED_HEADS = ("market", "outcome", "shares", "average", "how", "closed")


@attrs.frozen(kw_only=True)
class _Found:
    state: dict[str, Any] | None
    rows: list[dict[str, Any]]


@click.command()
@click.argument("wallet")
@click.option("--closed", is_flag=True, help="What was closed, newest first, and how.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Of closed ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: wallet, how polling stands, positions.")
@click.pass_obj
def positions(settings: Settings, wallet: str, closed: bool, limit: int, as_json: bool) -> None:
    """Show what a trader holds, as of his last poll. Only traders that are polled have positions here."""
    address = _address(wallet)
    config = settings.load()

    async def inside(database: OpenDatabase) -> _Found:
        connection = Connection(database.options, "positions")
        try:
            reports = PositionReports(connection)
            rows = await reports.closed(address, rows_max=limit) if closed else await reports.current(address)
            return _Found(state=await reports.state(address), rows=rows)
        finally:
            await connection.aclose()

    found = run_command(lambda: with_database(config, inside, prepare=True))
    if as_json:
        rows = [_document(row) for row in found.rows]
        state = None if found.state is None else _document(found.state)
        click.echo(json.dumps({"wallet": address, "poll": state, "closed" if closed else "positions": rows}))
        return
    _say_state(found.state)
    if closed:
        echo_table(CLOSED_HEADS, [_closed_row(row) for row in found.rows], right={2, 3})
    else:
        echo_table(CURRENT_HEADS, [_current_row(row) for row in found.rows], right={2, 3, 4, 5})


def _address(text: str) -> str:
    try:
        trader = parse_trader(text)
    except WalletFormError as error:
        raise click.UsageError(f"{plain(text, 80)} {error}") from None
    if trader.wallet is None:
        raise click.UsageError("a wallet is needed here, not a name")
    return trader.wallet


def _say_state(state: dict[str, Any] | None) -> None:
    if state is None or state["last_position_check_at"] is None:
        click.echo("This trader has not been polled yet.", err=True)
    else:
        click.echo(f"known at {moment_text(state['last_position_check_at'])}", err=True)
    if state is not None and state["failures"]:
        error = plain(state["last_error"] or "", 200)
        click.echo(f"{state['failures']} polls in a row have failed since, the last one: {error}", err=True)


def _current_row(row: dict[str, Any]) -> tuple[Any, ...]:
    note = "redeemable" if row["redeemable"] else "missing" if row["missing_since"] else ""
    return (
        _title(row), row["outcome"] or "?", _number(row["size"]), _number(row["avg_price"]), _number(row["current_price"]),
        _number(row["value_usd"]), moment_text(row["opened_at"]), note,
    )  # fmt: skip


def _closed_row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        _title(row), row["outcome"] or "?", _number(row["size"]), _number(row["avg_price"]),
        row["closed_reason"].replace("_", " "), moment_text(row["closed_at"]),
    )  # fmt: skip


def _title(row: dict[str, Any]) -> str:
    return str(row["market_title"] or row["condition_id"])[:50]


def _number(value: Any) -> str:
    return "-" if value is None else format(round(value, 4).normalize(), "f")


def _document(row: dict[str, Any]) -> dict[str, Any]:
    days = {
        name: value.isoformat()
        for name, value in row.items()
        if isinstance(value, date) and not isinstance(value, datetime)
    }
    return plain_row({**row, **days})
