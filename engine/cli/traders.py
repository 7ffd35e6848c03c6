"""`polycopy traders`: what is known of a trader, and lists in which traders are found."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from config.schema import EngineConfig
from engine.adapters.postgres.database import Connection, open_connection
from engine.adapters.postgres.discover_store import PostgresDiscoverLists
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.adapters.postgres.trader_profile_store import PostgresTraderReports
from engine.adapters.system_clock import SystemClock
from engine.api.answer import encode
from engine.api.discover_routes import discover_routes
from engine.api.errors import ApiError
from engine.api.fire_routes import fire_routes
from engine.api.params import parsed
from engine.api.route import ApiRoute, Call
from engine.api.trader_bodies import PROFILE_SIZES, TraderProfile, profile_body
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.cli.trader_lookup import wallets_of
from engine.cli.trader_score import score
from engine.cli.trader_views import LIST_TABLES, profile_lines
from engine.cli.wallet_forms import parse_arguments
from protocols.users import ADMIN_NAME, Principal, Scope

T = TypeVar("T")
FIRE = "fire"
ROWS_MAX = 10_000
PAGE_ROWS = 200
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_user = click.option("--user", "user_name", default=ADMIN_NAME, show_default=True, help="Who looks.")


@click.group()
def traders() -> None:
    """Show what is known of a trader, and lists in which traders are found. Nothing is changed or asked of the venue.

    Only a trader's @name is looked up there. The engine need not run.
    """


traders.add_command(score)


@traders.command()
@click.argument("trader", metavar="WALLET")
@_user
@_json
@click.pass_obj
def show(settings: Settings, trader: str, user_name: str, as_json: bool) -> None:
    """Show a trader: profit by window, win rates, positions, trades, and how old each of that is.

    WALLET is a wallet, a profile address or an @name, as `polycopy follow add` takes it. With --json the document of
    GET /api/traders/{wallet}.
    """
    config = settings.load()
    entries, problems = parse_arguments((trader,))

    async def read(connection: Connection, user_id: str) -> TraderProfile:
        [wallet] = await wallets_of(config, entries, problems, so="nothing was shown")
        reports = PostgresTraderReports(connection=connection, clock=SystemClock())
        parts = await reports.profile(user_id, wallet, PROFILE_SIZES)
        if parts is None:
            raise click.ClickException(
                f"nothing is known of {wallet}: no trade of it has been stored, it is on no leaderboard and nobody follows it; "
                f"`polycopy follow add {wallet}` makes the engine look at it"
            )
        return profile_body(parts)

    profile = _looking(config, user_name, read)
    click.echo(encode(profile).decode() if as_json else "\n".join(profile_lines(profile)))


@traders.command()
@click.argument("name", metavar="LIST", type=click.Choice([*LIST_TABLES]))
@click.option(
    "--sort",
    help="leaderboard: pnl, volume, roi, winRate; most-copied: followers, strategies; most-copyable: low, net, capacity.",
)
@click.option("--window", help="biggest-winners: 1D, 7D, 30D, 3M, 6M, ALL.")
@click.option("--min-trades", "minTrades", type=int, help="Only traders with so many trades.")
@click.option("--min-days", "minDays", type=int, help="most-consistent: only traders with so many days.")
@click.option("--category", help="Only traders with resolved trades in such markets, as NBA.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=20, show_default=True, help="Rows at most.")
@_user
@_json
@click.pass_obj
def discover(settings: Settings, /, name: str, limit: int, user_name: str, as_json: bool, **given: object) -> None:
    """List traders, or trades: LIST is one of those of GET /api/discover, or fire."""
    asked = {key: str(value) for key, value in given.items() if value is not None}

    async def read(connection: Connection, user_id: str) -> list[Any]:
        lists, clock = PostgresDiscoverLists(connection=connection, clock=SystemClock()), SystemClock()
        routes = [*discover_routes(lists, clock), *fire_routes(lists, clock)]
        [route] = [one for one in routes if one.path in (f"/api/discover/{name}", f"/api/{name}-feed")]
        principal = Principal(user_id=user_id, user_name=user_name, token_id="", scopes=frozenset({Scope.READ}))
        return await _rows(route, principal, asked, limit)

    rows = _looking(settings.load(), user_name, read)
    if as_json:
        click.echo(encode(rows).decode())
    elif rows:
        table = LIST_TABLES[name]
        echo_table(table.headings, [table.cells(row) for row in rows], right=table.right)
    else:
        click.echo("There is nobody in this list yet.", err=True)


async def _rows(route: ApiRoute, principal: Principal, asked: dict[str, str], limit: int) -> list[Any]:
    """Returns the first rows of a list of the API, page after page. Raises the error of a command for a bad option."""
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while len(rows) < limit:
        texts = {**asked, **cursor, "limit": str(min(PAGE_ROWS, limit - len(rows)))}
        try:
            params = parsed(route.params, {key: (text,) for key, text in texts.items()})
        except ApiError as error:
            raise click.UsageError(f"this list: {plain(error.message)}") from None
        answer = await route.handler(Call(principal=principal, params=params, body=None, headers={}))
        rows += answer.traders if hasattr(answer, "traders") else answer.trades
        if answer.next_cursor is None:
            break
        cursor = {"cursor": answer.next_cursor}
    return rows


def _looking(config: EngineConfig, user_name: str, read: Callable[[Connection, str], Awaitable[T]]) -> T:
    """Runs `read` with a migrated database and the id of the user who looks."""

    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "traders") as connection:
            user_id = await StrategyStore(connection).user_id(user_name)
            if user_id is None:
                raise click.BadParameter(f"there is no user {plain(user_name)!r}", param_hint="--user")
            return await read(connection, user_id)

    return run_command(lambda: with_database(config, inside, prepare=True))
