"""`polycopy follow`: whose trades are kept."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO, TypeVar

import click

from config.schema import EngineConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.follow_store import FollowStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import count_text, moment_text
from engine.cli.follow_changes import FollowChanges, add_follows, remove_follows
from engine.cli.follow_hot import hot
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.cli.trader_lookup import wallets_of
from engine.cli.wallet_forms import parse_arguments, parse_lines

T = TypeVar("T")
WALLETS_LISTED_MAX = 20
_user = click.option("--user", "user_name", default="admin", show_default=True, help="Whose follows.")
_file = click.option(
    "--file", "file", type=click.File("rb"), help="One trader a line, # comments; - for standard input."
)
_traders = click.argument("traders", nargs=-1, metavar="WALLET...")


@click.group()
def follow() -> None:
    """Follow traders, stop following them, list them. A running engine notices within seconds.

    A trader is a wallet (0x and 40 hex digits), a profile address (https://polymarket.com/profile/… or /@name) or an
    @name, which is looked up at the venue.
    """


@follow.command()
@_traders
@_file
@click.option("--target/--no-target", default=None, help="Make them copy targets (lane 0), or no targets any more.")
@_user
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with what changed.")
@click.pass_obj
def add(
    settings: Settings,
    traders: tuple[str, ...],
    file: BinaryIO | None,
    target: bool | None,
    user_name: str,
    as_json: bool,
) -> None:
    """Follow traders. Whoever is followed already stays as he is, unless --target or --no-target says otherwise."""

    async def change(connection: Connection, wallets: list[str]) -> FollowChanges:
        return await add_follows(connection, user_name, wallets, target=target)

    _change(settings, traders, file, user_name, change, as_json=as_json, create=True)


@follow.command()
@_traders
@_file
@_user
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with what changed.")
@click.pass_obj
def rm(settings: Settings, traders: tuple[str, ...], file: BinaryIO | None, user_name: str, as_json: bool) -> None:
    """Stop following traders. What they traded until now stays."""

    async def change(connection: Connection, wallets: list[str]) -> FollowChanges:
        return await remove_follows(connection, user_name, wallets)

    _change(settings, traders, file, user_name, change, as_json=as_json, create=False)


@follow.command("list")
@_user
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array, one object a follow.")
@click.pass_obj
def list_follows(settings: Settings, user_name: str, as_json: bool) -> None:
    """List the traders whom a user follows, with what is stored of them."""
    config = settings.load()

    async def read(connection: Connection) -> list[dict[str, Any]]:
        store = FollowStore(connection, user_name)
        rows: list[dict[str, Any]] = []
        while page := await store.page(rows[-1]["wallet"] if rows else ""):
            rows += page
        return rows

    rows = run_command(lambda: _with_follows(config, user_name, read))
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows]))
        return
    table = [
        (
            row["wallet"],
            "target" if row["target"] else "",
            count_text(row["trades"]),
            moment_text(row["last_trade"]),
            moment_text(row["since"]),
        )
        for row in rows
    ]
    if table:
        echo_table(("wallet", "", "trades", "last trade", "since"), table, right={2})
    else:
        click.echo(f"{plain(user_name)} follows nobody yet; `polycopy follow add WALLET` changes that.", err=True)


follow.add_command(hot)


def _change(
    settings: Settings,
    traders: tuple[str, ...],
    file: BinaryIO | None,
    user_name: str,
    change: Callable[[Connection, list[str]], Awaitable[FollowChanges]],
    *,
    as_json: bool,
    create: bool,
) -> None:
    if not traders and file is None:
        raise click.UsageError("name at least one trader, or a --file with traders")
    config = settings.load()
    entries, problems = parse_arguments(traders)
    if file is not None:
        more_entries, more_problems = parse_lines(file.read(), plain(getattr(file, "name", "-")))
        entries, problems = entries + more_entries, problems + more_problems

    async def work() -> FollowChanges:
        wallets = await wallets_of(config, entries, problems)
        return await _with_follows(config, user_name, lambda connection: change(connection, wallets), create=create)

    changes = run_command(work)
    if as_json:
        click.echo(json.dumps(changes.document()))
    else:
        _echo_changes(changes)


async def _with_follows(
    config: EngineConfig, user_name: str, work: Callable[[Connection], Awaitable[T]], *, create: bool = False
) -> T:
    """Runs `work` with a connection to a migrated database that knows the user."""

    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "follow")
        try:
            if not await FollowStore(connection, user_name).user_exists():
                raise click.BadParameter(f"there is no user {plain(user_name)!r}", param_hint="--user")
            return await work(connection)
        finally:
            await connection.aclose()

    return await with_database(config, inside, create=create, prepare=True)


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: row[name].isoformat() if row[name] else None for name in ("since", "last_trade")}
    return {**row, **times}


def _echo_changes(changes: FollowChanges) -> None:
    for sentence, wallets in changes.sentences():
        if not wallets:
            continue
        click.echo(f"{count_text(len(wallets))} {sentence}{':' if len(wallets) <= WALLETS_LISTED_MAX else '.'}")
        if len(wallets) <= WALLETS_LISTED_MAX:
            for wallet in wallets:
                click.echo(f"  {wallet}")
