"""`polycopy live`: strategies that copy with real money."""

import json
import re
from decimal import Decimal
from typing import Any

import click

from config.live_settings import live_document_of, live_settings_from
from engine.adapters.postgres.live_report_store import plain_row
from engine.cli.bot_access import bad_settings, named, owner_of
from engine.cli.live_access import (
    BY,
    LiveDatabase,
    active_named,
    ask,
    live_in_database,
    live_named,
    said,
    usd_amount,
    warn_if_off,
    yes_option,
)
from engine.cli.live_lists import exits, logs, positions, redeemable
from engine.cli.live_stops import flatten, halt, unhalt
from engine.cli.live_views import strategy_row
from engine.cli.main import Settings
from engine.cli.terminal import echo_table
from protocols.live.settings import LIVE_ID_ALLOWED, LIVE_ID_PATTERN, LiveStrategy
from protocols.users import ADMIN_NAME

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_set = click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="One setting; repeatable.")


@click.group()
def live() -> None:
    """Make, watch and stop strategies that copy with real money. A running engine notices changes within seconds.

    Nothing is ever ordered unless `live.enabled` is true in the configuration and the engine was started with --live.
    """


live.add_command(positions)
live.add_command(exits)
live.add_command(redeemable)
live.add_command(logs)
live.add_command(halt)
live.add_command(unhalt)
live.add_command(flatten)


@live.command("list")
@_json
@click.pass_obj
def list_live(settings: Settings, as_json: bool) -> None:
    """List live strategies with their money, and the halt if there is one."""

    async def read(database: LiveDatabase) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        return await database.reports.strategies(), await database.reports.halt()

    rows, halt = live_in_database(settings.load(), read)
    if as_json:
        document = {"halt": None if halt is None else plain_row(halt), "strategies": [plain_row(row) for row in rows]}
        click.echo(json.dumps(document))
        return
    if halt is not None:
        click.echo(f"All entries are halted by {halt['halted_by']}: {halt['halted_reason']}", err=True)
    if not rows:
        click.echo("There are no live strategies; `polycopy live create BOT --account NAME --capital USD`.", err=True)
        return
    heads = ("strategy", "", "account", "available", "locked", "cooling", "realised", "drift", "positions", "orders")
    echo_table(heads, [strategy_row(row) for row in rows], right=set(range(3, 10)))


@live.command()
@click.argument("name")
@_json
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show a live strategy: settings, money, figures."""

    async def read(database: LiveDatabase) -> tuple[LiveStrategy, dict[str, Any]]:
        strategy = await live_named(database, name)
        return strategy, (await database.reports.strategies(strategy_id=strategy.strategy_id))[0]

    strategy, row = live_in_database(settings.load(), read)
    document = live_document_of(strategy.settings)
    if as_json:
        click.echo(json.dumps({**plain_row(row), "settings": document}))
        return
    for title, value in plain_row(row).items():
        click.echo(f"{title:<22} {'' if value is None else value}")
    click.echo("")
    for title, value in document.items():
        click.echo(f"{title:<26} {'off' if value is None else value}")


@live.command()
@click.argument("bot")
@click.option("--account", required=True, help="Name in live.accounts of the configuration.")
@click.option("--capital", required=True, help="USD that it may use.")
@click.option("--name", help="Its id; LT_<bot> without it.")
@click.option("--owner", default=ADMIN_NAME, show_default=True, help="User whose strategy it is.")
@_set
@_json
@click.pass_obj
def create(
    settings: Settings,
    bot: str,
    account: str,
    capital: str,
    name: str | None,
    owner: str,
    pairs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a live strategy that mirrors the paper strategy BOT. It begins paused: `polycopy live resume` starts it."""
    config = settings.load()
    if account not in config.live.accounts:
        known = ", ".join(config.live.accounts) or "none is configured"
        raise click.BadParameter(f"there is no account {account!r} in live.accounts ({known})", param_hint="--account")
    if config.live.accounts[account].user != owner:
        text = f"{account} is for the strategies of {config.live.accounts[account].user}, not of {owner}"
        raise click.BadParameter(text, param_hint="--account")
    if name is not None and not re.fullmatch(LIVE_ID_PATTERN, name, re.ASCII):
        raise click.BadParameter(f"may have {LIVE_ID_ALLOWED}", param_hint="--name")
    usd = usd_amount(capital)
    if usd <= 0:
        raise click.BadParameter("has to be more than 0", param_hint="--capital")
    with bad_settings():
        wanted = live_settings_from(_document(pairs))

    async def write(database: LiveDatabase) -> LiveStrategy:
        paper = await named(database.paper, bot)
        user_id = await owner_of(database.paper, owner)
        return await database.strategies.create(
            name or f"LT_{paper.wallet_id}",
            user_id=user_id,
            ft_wallet_id=paper.wallet_id,
            account=account,
            capital_usd=usd,
            settings=wanted,
            by=BY,
        )

    made = live_in_database(config, write)
    warn_if_off(config, account)
    if as_json:
        click.echo(json.dumps({"strategy_id": made.strategy_id, **live_document_of(made.settings)}))
        return
    click.echo(
        f"{made.strategy_id} made, paused, with {usd} USD of {account}; `polycopy live resume {made.strategy_id}`"
    )


@live.command("set")
@click.argument("name")
@click.argument("pairs", nargs=-1, required=True, metavar="FIELD=VALUE...")
@_json
@click.pass_obj
def set_live(settings: Settings, name: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Change settings; FIELD= turns a rule off that may be off."""

    async def write(database: LiveDatabase) -> None:
        strategy = await live_named(database, name)
        with bad_settings():
            wanted = live_settings_from(_document(pairs), strategy.settings)
        await database.strategies.update(strategy.strategy_id, wanted, version=strategy.version, by=BY)

    live_in_database(settings.load(), write)
    said(as_json, name, True, f"{name} changed")


@live.command()
@click.argument("name")
@_json
@click.pass_obj
def pause(settings: Settings, name: str, as_json: bool) -> None:
    """Stop entries of a strategy; what it holds is still sold and settled."""
    _paused(settings, name, True, as_json)


@live.command()
@click.argument("name")
@_json
@click.pass_obj
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Let a strategy make entries."""
    _paused(settings, name, False, as_json)


@live.command()
@click.argument("name")
@yes_option
@_json
@click.pass_obj
def archive(settings: Settings, name: str, yes: bool, as_json: bool) -> None:
    """End a strategy for good; what it holds is followed to its end."""
    ask(yes, f"Archive {name} for good?")

    async def write(database: LiveDatabase) -> bool:
        return await database.strategies.archive((await live_named(database, name)).strategy_id, by=BY)

    done = live_in_database(settings.load(), write)
    said(as_json, name, done, f"{name} archived" if done else f"{name} was archived before")


@live.command()
@click.argument("name")
@click.argument("delta", metavar="+USD|-USD")
@click.option("--reason", default="", help="Kept with the change.")
@_json
@click.pass_obj
def capital(settings: Settings, name: str, delta: str, reason: str, as_json: bool) -> None:
    """Give capital to a strategy, or take what is available of it. After a minus sign: `-- -50`."""
    usd = usd_amount(delta)

    async def write(database: LiveDatabase) -> Decimal:
        if usd > 0:
            await active_named(database, name)
        balance = await database.strategies.change_capital(name, usd, by=BY, reason=reason)
        return balance.available

    available = live_in_database(settings.load(), write)
    if as_json:
        click.echo(json.dumps({"strategy_id": name, "available": str(available)}))
        return
    click.echo(f"{name} has {available} USD available")


@live.command("clear-breaker")
@click.argument("name")
@_json
@click.pass_obj
def clear_breaker(settings: Settings, name: str, as_json: bool) -> None:
    """Let a strategy trade again whose breaker was latched."""

    async def write(database: LiveDatabase) -> bool:
        return await database.strategies.clear_breaker((await live_named(database, name)).strategy_id, by=BY)

    done = live_in_database(settings.load(), write)
    said(as_json, name, done, "Cleared." if done else "It was not latched.")


def _paused(settings: Settings, name: str, paused: bool, as_json: bool) -> None:
    async def write(database: LiveDatabase) -> tuple[bool, str, list[str]]:
        strategy = await active_named(database, name)
        done = await database.strategies.set_paused(strategy.strategy_id, paused, by=BY)
        return done, strategy.account, [] if paused else await _what_stops(database, name)

    config = settings.load()
    done, account, stops = live_in_database(config, write)
    state = "paused" if paused else "not paused any more" if stops else "trading, once an engine runs with --live"
    if not paused:
        warn_if_off(config, account)
    for text in stops:
        click.echo(f"Warning: it enters nothing yet. {text}", err=True)
    said(
        as_json, name, done, f"{name} is {state}" if done else f"{name} was {'paused' if paused else 'running'} before"
    )


async def _what_stops(database: LiveDatabase, name: str) -> list[str]:
    """Returns what stops entries of a strategy that is not paused."""
    halt, row = await database.reports.halt(), (await database.reports.strategies(strategy_id=name))[0]
    stops = []
    if halt is not None:
        stops.append(f"All entries are halted by {halt['halted_by']}: {halt['halted_reason']}; `polycopy live unhalt`.")
    if row["breaker_reason"] is not None:
        stops.append(f"Its breaker is latched: {row['breaker_reason']}; `polycopy live clear-breaker {name}`.")
    return stops


def _document(pairs: tuple[str, ...]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for pair in pairs:
        field, separator, value = pair.partition("=")
        if not separator:
            raise click.UsageError(f"a setting is FIELD=VALUE, got {pair!r}")
        document[field.strip()] = value.strip()
    return document
