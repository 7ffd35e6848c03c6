"""Strategies of the configured database, for the time of one command."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

from config.schema import EngineConfig
from config.strategy_settings import SettingsError
from engine.adapters.postgres.database import open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.main import EXIT_USAGE
from engine.cli.terminal import plain
from protocols.strategies import Strategy

T = TypeVar("T")


class BadSettingsError(click.ClickException):
    """Some settings make no sense; nothing was changed."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Sequence[str]) -> None:
        count = len(problems)
        head = f"{count} setting{'s' if count > 1 else ''} cannot be used; nothing was changed:"
        super().__init__("\n".join([head, *(f"  {plain(problem, 300)}" for problem in problems)]))


@contextmanager
def bad_settings() -> Iterator[None]:
    """Turns settings that make no sense into an error of the command that lists all of them."""
    try:
        yield
    except SettingsError as error:
        raise BadSettingsError([f"{one.field}: {one.message}" for one in error.problems]) from None


def bots_in_database(config: EngineConfig, work: Callable[[StrategyStore], Awaitable[T]], *, create: bool = False) -> T:
    """Runs `work` with the strategies of a migrated database and returns what it returns."""

    async def inside(database: OpenDatabase) -> T:
        async with open_connection(database.options, "bots") as connection:
            return await work(StrategyStore(connection))

    return run_command(lambda: with_database(config, inside, create=create, prepare=True))


async def named(store: StrategyStore, name: str) -> Strategy:
    """Returns a strategy. Raises the error of a command that named one which is not there."""
    strategy = await store.get(name)
    if strategy is None:
        raise click.BadParameter(
            f"there is no strategy {plain(name)!r}; `polycopy bots list` shows them", param_hint="NAME"
        )
    return strategy


async def owner_of(store: StrategyStore, user_name: str) -> str:
    """Returns the id of a user. Raises the error of a command that named one who is not there."""
    owner_id = await store.user_id(user_name)
    if owner_id is None:
        raise click.BadParameter(f"there is no user {plain(user_name)!r}", param_hint="--owner")
    return owner_id


def shown_warnings(name: str, warnings: Sequence[str]) -> None:
    """Prints what is allowed and probably not meant."""
    for warning in warnings:
        click.echo(f"warning: {plain(name)}: {warning}", err=True)
