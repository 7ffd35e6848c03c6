"""`polycopy portfolio`: what a user copied, and what it came to and is worth, with stored prices."""

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

import click
import msgspec

from config.live_trading import accounts_of
from config.schema import EngineConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.portfolio_store import PostgresPortfolios
from engine.adapters.system_clock import SystemClock
from engine.api.portfolio_bodies import PositionAnswer, StatsAnswer, TopTrader, TradeAnswer
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import moment_text, seconds_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.portfolio_reading import PortfolioReading
from protocols.portfolio import PortfolioQuery
from protocols.users import ADMIN_NAME

T = TypeVar("T")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_user = click.option("--user", default=ADMIN_NAME, show_default=True, help="Whose portfolio.")
_strategy = click.option("--strategy", help="Only copies of this live strategy.")
_limit = click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")


@click.group()
def portfolio() -> None:
    """What a user copied: fills of live strategies and of orders by hand, and copies that he recorded or imported.

    Open positions are valued with the prices that are stored, and say how old these are; the API asks for fresh ones.
    """


@portfolio.command()
@_user
@_strategy
@_json
@click.pass_obj
def stats(settings: Settings, user: str, strategy: str | None, as_json: bool) -> None:
    """Show gains, volume, return, rates, and with what open positions are valued."""
    found = _read(settings.load(), user, strategy, lambda reading, query: reading.stats(query))
    if as_json:
        click.echo(json.dumps(document_of(found)))
        return
    for name, value in _stats_lines(found):
        click.echo(f"{name:<12} {value}")


@portfolio.command()
@_user
@_strategy
@click.option("--state", type=click.Choice(["open", "closed"]), help="Only open or only closed ones.")
@_limit
@_json
@click.pass_obj
def positions(
    settings: Settings, user: str, strategy: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List positions, those that changed last first, with the venue's own result where it is known."""
    rows = _read(settings.load(), user, strategy, lambda reading, query: reading.positions(query, state, limit))
    heads = ("market", "outcome", "of", "shares", "cost", "realised", "open gain", "price", "from", "age", "venue says")
    _table(rows, as_json, heads, _position_cells, right={3, 4, 5, 6, 7, 9, 10})


@portfolio.command()
@_user
@_strategy
@_limit
@_json
@click.pass_obj
def trades(settings: Settings, user: str, strategy: str | None, limit: int, as_json: bool) -> None:
    """List copied orders that were filled, newest first, with what became of each."""
    rows = _read(settings.load(), user, strategy, lambda reading, query: reading.trades(query, limit))
    heads = ("time", "kind", "side", "market", "outcome", "shares", "price", "open", "realised", "open gain")
    _table(rows, as_json, heads, _trade_cells, right={5, 6, 7, 8, 9})


@portfolio.command()
@_user
@_strategy
@_json
@click.pass_obj
def traders(settings: Settings, user: str, strategy: str | None, as_json: bool) -> None:
    """List everybody who was copied, the most profitable first."""
    rows = _read(settings.load(), user, strategy, lambda reading, query: reading.traders(query)).traders
    heads = ("trader", "name", "copies", "invested", "gain", "return %", "won")
    _table(rows, as_json, heads, _trader_cells, right={2, 3, 4, 5, 6})


def _read(
    config: EngineConfig,
    user: str,
    strategy: str | None,
    read: Callable[[PortfolioReading, PortfolioQuery], Awaitable[T]],
) -> T:
    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "portfolio") as connection:
            store = PostgresPortfolios(connection)
            user_id = await store.user_id_of(user)
            if user_id is None:
                raise click.BadParameter(
                    f"there is no user {plain(user)!r}; `polycopy users list` shows them", param_hint="--user"
                )
            query = PortfolioQuery(user_id=user_id, accounts=accounts_of(config.live, user), strategy_id=strategy)
            return await read(PortfolioReading(store, SystemClock()), query)

    return run_command(lambda: with_database(config, inside, prepare=True))


def document_of(value: Any) -> Any:
    """Returns an answer as JSON has it in listings: snake_case, decimals as texts, times in ISO 8601."""
    if isinstance(value, msgspec.Struct):
        return {name: document_of(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list):
        return [document_of(one) for one in value]
    if isinstance(value, dict):
        return {name: document_of(one) for name, one in value.items()}
    if isinstance(value, Decimal):
        return _number(value)
    return value.isoformat() if isinstance(value, datetime | date) else value


def _table(rows: list[Any], as_json: bool, heads: tuple[str, ...], cells: Any, *, right: set[int]) -> None:
    if as_json:
        click.echo(json.dumps(document_of(rows)))
        return
    echo_table(heads, [cells(row) for row in rows], right=right)


def _stats_lines(found: StatsAnswer) -> list[tuple[str, str]]:
    fresh, official = found.freshness, found.official
    prices = {"quotes": fresh.quote, "current prices": fresh.current_price, "prices of markets": fresh.market}
    used = ", ".join(f"{count} by {name}" for name, count in prices.items() if count)
    oldest = "" if fresh.oldest_age_ms is None else f", the oldest {seconds_text(fresh.oldest_age_ms / 1000)} old"
    lines = [
        ("gain", f"{_usd(found.total_pnl)} USD: {_usd(found.realized_pnl)} realised, {_usd(found.unrealized_pnl)} open"),
        ("volume", f"{_usd(found.total_volume)} USD, return {_usd(found.roi)} %, fees {_usd(found.fees_usd)} USD"),
        ("orders", f"{found.total_buy_trades} purchases ({found.open_trades} open), {found.total_sell_trades} sales"),
        ("positions", f"{found.open_positions} open, {found.closed_positions} closed: {found.winning_positions} won, "
                      f"{found.losing_positions} lost"),
        ("valued", (used or "nothing") + oldest),
    ]  # fmt: skip
    if found.unmarked_positions:
        lines.append(("no price", f"{found.unmarked_positions} positions, cost {_usd(found.unmarked_cost_usd)} USD"))
    if found.unmatched_sells:
        lines.append(("no purchase", f"{found.unmatched_sells} sales, {_usd(found.unmatched_usd)} USD, in no gain"))
    if official is not None and official.tokens:
        reasons = ", ".join(official.reasons) or "they agree"
        lines.append(
            ("the venue", f"says {_usd(official.official_realized_pnl)} USD where we say "
                          f"{_usd(official.our_realized_pnl)}, of {official.tokens} tokens ({reasons})")
        )  # fmt: skip
    return lines


def _position_cells(row: PositionAnswer) -> tuple[object, ...]:
    official = row.official
    venue = "" if official is None else _usd(official.official_realized_pnl)
    age = "" if row.price_age_ms is None else seconds_text(row.price_age_ms / 1000)
    return (
        plain(row.market_title or row.condition_id or "", 40), plain(row.outcome or "", 16), row.scope, _number(row.shares),
        _usd(row.cost_usd), _usd(row.realized_pnl), _usd(row.unrealized_pnl), "" if row.price is None else _number(row.price),
        row.price_source or "", age, venue,
    )  # fmt: skip


def _trade_cells(row: TradeAnswer) -> tuple[object, ...]:
    return (
        moment_text(row.at), row.kind, row.side, plain(row.market_title or row.condition_id, 40), plain(row.outcome or "", 16),
        _number(row.shares), _number(row.entry_price), _number(row.shares_open), _usd(row.realized_pnl),
        _usd(row.unrealized_pnl),
    )  # fmt: skip


def _trader_cells(row: TopTrader) -> tuple[object, ...]:
    won = "" if row.win_rate is None else f"{row.win_rate:.0%}"
    return (
        row.wallet or "-", plain(row.name or "", 30), row.copy_count, _usd(row.total_invested), _usd(row.pnl),
        _usd(row.roi), won,
    )  # fmt: skip


def _usd(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _number(amount: Decimal) -> str:
    return format(amount.normalize(), "f") if amount else "0"
