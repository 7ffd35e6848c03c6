"""Live strategies of the configured database, for the time of one command."""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar

import attrs
import click

from config.schema import EngineConfig
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.live_report_store import LiveReportStore
from engine.adapters.postgres.live_strategy_store import LiveStrategyStore
from engine.adapters.postgres.strategy_store import StrategyConflictError, StrategyStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.terminal import plain
from protocols.live.settings import LiveStrategy

T = TypeVar("T")
BY = "command line"
"""Who changes something from here."""
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@attrs.frozen
class LiveDatabase:
    """What a command of live trading reads and writes."""

    strategies: LiveStrategyStore
    reports: LiveReportStore
    paper: StrategyStore


def live_in_database(config: EngineConfig, work: Callable[[LiveDatabase], Awaitable[T]]) -> T:
    """Runs `work` with a migrated database and returns what it returns; a conflict is an error of the command."""

    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "live") as connection:
            stores = LiveDatabase(LiveStrategyStore(connection), LiveReportStore(connection), StrategyStore(connection))
            try:
                return await work(stores)
            except StrategyConflictError as error:
                raise click.ClickException(str(error)) from None

    return run_command(lambda: with_database(config, inside, prepare=True))


async def live_named(database: LiveDatabase, name: str) -> LiveStrategy:
    """Returns a live strategy. Raises the error of a command that named one which is not there."""
    strategy = await database.strategies.get(name)
    if strategy is None:
        raise click.BadParameter(
            f"there is no live strategy {plain(name)!r}; `polycopy live list` shows them", param_hint="NAME"
        )
    return strategy


async def active_named(database: LiveDatabase, name: str) -> LiveStrategy:
    """Returns a live strategy that is not archived. Raises the error of a command for any other."""
    strategy = await live_named(database, name)
    if not strategy.is_active:
        raise click.ClickException(
            f"{name} is archived for good; `polycopy live create` makes another mirror of its bot"
        )
    return strategy


def warn_if_off(config: EngineConfig, account: str) -> None:
    """Says on standard error what is still missing before a strategy of this account trades; nothing while nothing is."""
    missing = []
    if not config.live.enabled:
        missing.append("live.enabled = true in the configuration, and an engine started with `polycopy run --live`")
    known = config.live.accounts.get(account)
    if known is None:
        missing.append(f"the account {plain(account)} in live.accounts")
    elif known.key_file and not Path(known.key_file).is_file():
        missing.append(f"the key file {plain(known.key_file)}")
    if missing:
        text = "; ".join(missing)
        click.echo(f"Warning: it does not trade yet. Missing: {text}. `polycopy doctor` checks the rest.", err=True)


def usd_amount(text: str) -> Decimal:
    """Returns an amount of USD with at most two decimals. Raises the error of a command for anything else."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{plain(text)!r} is no amount of USD") from None
    if not amount.is_finite() or abs(amount) > 10**9 or amount != round(amount, 2):
        raise click.BadParameter(f"{plain(text)!r} is no amount of USD: at most two decimals")
    return amount


def said(as_json: bool, name: str | None, changed: bool, text: str) -> None:
    """Prints what became of a change."""
    document = {"changed": changed} if name is None else {"strategy_id": name, "changed": changed}
    click.echo(json.dumps(document) if as_json else text)


def ask(yes: bool, question: str) -> None:
    """Ends the command unless somebody says yes."""
    if not yes:
        click.confirm(question, abort=True)
