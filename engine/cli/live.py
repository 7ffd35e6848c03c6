"""`polycopy live`: strategies that copy with real money."""

import json
from decimal import Decimal
from typing import Any

import click

from config.live_settings import live_document_of, live_settings_from
from engine.adapters.postgres.live_report_store import plain_row
from engine.cli.bot_access import bad_settings, named, owner_of
from engine.cli.live_access import LiveDatabase, live_in_database, live_named, usd_amount
from engine.cli.live_lists import exits, positions, redeemable
from engine.cli.live_views import strategy_row
from engine.cli.main import Settings
from engine.cli.terminal import echo_table
from protocols.live.settings import LiveStrategy
from protocols.users import ADMIN_NAME

BY = "command line"
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_set = click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="One setting; repeatable.")


@click.group()
def live() -> None:
    """Make, watch and stop strategies that copy with real money. A running engine notices changes within seconds.

    Nothing is ever ordered unless `live.enabled` is true in the configuration and the engine was started with --live.
    """


live.add_command(positions)
live.add_command(exits)
live.add_command(redeemable)


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
    if as_json:
        click.echo(json.dumps({"strategy_id": made.strategy_id, **live_document_of(made.settings)}))
        return
    click.echo(
        f"{made.strategy_id} made, paused, with {usd} USD of {account}; `polycopy live resume {made.strategy_id}`"
    )


@live.command("set")
@click.argument("name")
@click.argument("pairs", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.pass_obj
def set_live(settings: Settings, name: str, pairs: tuple[str, ...]) -> None:
    """Change settings; FIELD= turns a rule off that may be off."""

    async def write(database: LiveDatabase) -> None:
        strategy = await live_named(database, name)
        with bad_settings():
            wanted = live_settings_from(_document(pairs), strategy.settings)
        await database.strategies.update(strategy.strategy_id, wanted, version=strategy.version, by=BY)

    live_in_database(settings.load(), write)
    click.echo(f"{name} changed")


@live.command()
@click.argument("name")
@click.pass_obj
def pause(settings: Settings, name: str) -> None:
    """Stop entries of a strategy; what it holds is still sold and settled."""
    _paused(settings, name, True)


@live.command()
@click.argument("name")
@click.pass_obj
def resume(settings: Settings, name: str) -> None:
    """Let a strategy make entries."""
    _paused(settings, name, False)


@live.command()
@click.argument("name")
@_yes
@click.pass_obj
def archive(settings: Settings, name: str, yes: bool) -> None:
    """End a strategy for good; what it holds is followed to its end."""
    _ask(yes, f"Archive {name} for good?")

    async def write(database: LiveDatabase) -> bool:
        return await database.strategies.archive((await live_named(database, name)).strategy_id, by=BY)

    click.echo(f"{name} archived" if live_in_database(settings.load(), write) else f"{name} was archived before")


@live.command()
@click.argument("name")
@click.argument("delta", metavar="+USD|-USD")
@click.option("--reason", default="", help="Kept with the change.")
@click.pass_obj
def capital(settings: Settings, name: str, delta: str, reason: str) -> None:
    """Give capital to a strategy, or take what is available of it. After a minus sign: `-- -50`."""
    usd = usd_amount(delta)

    async def write(database: LiveDatabase) -> Decimal:
        balance = await database.strategies.change_capital(name, usd, by=BY, reason=reason)
        return balance.available

    click.echo(f"{name} has {live_in_database(settings.load(), write)} USD available")


@live.command()
@click.argument("reason")
@click.option("--by", default="operator", show_default=True, help="Who stops.")
@click.pass_obj
def halt(settings: Settings, reason: str, by: str) -> None:
    """Stop all entries of all strategies at once. Exits go on; a restart changes nothing."""
    done = live_in_database(settings.load(), lambda database: database.strategies.halt(by=by, reason=reason))
    click.echo("All entries are halted." if done else "All entries were halted before.")


@live.command()
@click.option("--reason", default="", help="Kept with the change.")
@click.option("--by", default="operator", show_default=True, help="Who ends it.")
@_yes
@click.pass_obj
def unhalt(settings: Settings, reason: str, by: str, yes: bool) -> None:
    """Let entries go on after a halt."""
    _ask(yes, "Let all strategies trade again?")
    done = live_in_database(settings.load(), lambda database: database.strategies.end_halt(by=by, reason=reason))
    click.echo("Entries go on." if done else "Nothing was halted.")


@live.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every strategy.")
@_yes
@click.pass_obj
def flatten(settings: Settings, name: str | None, everything: bool, yes: bool) -> None:
    """Sell everything that a strategy holds, at falling prices and at last at any price. Pauses it first."""
    if (name is None) == (not everything):
        raise click.UsageError("name a strategy, or say --all")
    _ask(yes, f"Sell everything of {name or 'ALL strategies'}?")

    async def write(database: LiveDatabase) -> int:
        chosen = [name] if name is not None else [one.strategy_id for one in await database.strategies.list()]
        for one in chosen:
            strategy = await live_named(database, one)
            await database.strategies.set_paused(strategy.strategy_id, True, by=BY)
        made = 0
        for one in chosen:
            row = (await database.reports.strategies(strategy_id=one))[0]
            made += len(await database.strategies.flatten(one, cause=f"flatten:{row['version']}"))
        return made

    count = live_in_database(settings.load(), write)
    click.echo(f"{count} positions are to be sold; `polycopy live exits` shows how far that is.")


@live.command("clear-breaker")
@click.argument("name")
@click.pass_obj
def clear_breaker(settings: Settings, name: str) -> None:
    """Let a strategy trade again whose breaker was latched."""

    async def write(database: LiveDatabase) -> bool:
        return await database.strategies.clear_breaker((await live_named(database, name)).strategy_id, by=BY)

    click.echo("Cleared." if live_in_database(settings.load(), write) else "It was not latched.")


def _paused(settings: Settings, name: str, paused: bool) -> None:
    async def write(database: LiveDatabase) -> bool:
        strategy = await live_named(database, name)
        return await database.strategies.set_paused(strategy.strategy_id, paused, by=BY)

    state = "paused" if paused else "trading, once an engine runs with --live"
    click.echo(f"{name} is {state}" if live_in_database(settings.load(), write) else f"{name} was so before")


def _document(pairs: tuple[str, ...]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for pair in pairs:
        field, separator, value = pair.partition("=")
        if not separator:
            raise click.UsageError(f"a setting is FIELD=VALUE, got {pair!r}")
        document[field.strip()] = value.strip()
    return document


def _ask(yes: bool, question: str) -> None:
    if not yes:
        click.confirm(question, abort=True)
