"""`polycopy live halt`, `unhalt`, `flatten`: stop everything, go on, sell everything."""

import json

import click

from engine.cli.live_access import BY, LiveDatabase, ask, live_in_database, live_named, said, yes_option
from engine.cli.main import Settings

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("reason")
@click.option("--by", default="operator", show_default=True, help="Who stops.")
@_json
@click.pass_obj
def halt(settings: Settings, reason: str, by: str, as_json: bool) -> None:
    """Stop all entries of all strategies at once. Exits go on; a restart changes nothing."""
    done = live_in_database(settings.load(), lambda database: database.strategies.halt(by=by, reason=reason))
    said(as_json, None, done, "All entries are halted." if done else "All entries were halted before.")


@click.command()
@click.option("--reason", default="", help="Kept with the change.")
@click.option("--by", default="operator", show_default=True, help="Who ends it.")
@yes_option
@_json
@click.pass_obj
def unhalt(settings: Settings, reason: str, by: str, yes: bool, as_json: bool) -> None:
    """Let entries go on after a halt."""
    ask(yes, "Let all strategies trade again?")
    done = live_in_database(settings.load(), lambda database: database.strategies.end_halt(by=by, reason=reason))
    said(as_json, None, done, "Entries go on." if done else "Nothing was halted.")


@click.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every strategy.")
@yes_option
@_json
@click.pass_obj
def flatten(settings: Settings, name: str | None, everything: bool, yes: bool, as_json: bool) -> None:
    """Sell everything that a strategy holds, at falling prices and at last at any price. Pauses it first."""
    if (name is None) == (not everything):
        raise click.UsageError("name a strategy, or say --all")
    ask(yes, f"Sell everything of {name or 'ALL strategies'}?")

    async def write(database: LiveDatabase) -> int:
        chosen = [name] if name is not None else [one.strategy_id for one in await database.strategies.list()]
        for one in chosen:
            strategy = await live_named(database, one)
            await database.strategies.set_paused(strategy.strategy_id, True, by=BY)
        made = 0
        for one in chosen:
            made += len(await database.strategies.flatten(one))
        return made

    count = live_in_database(settings.load(), write)
    if as_json:
        click.echo(json.dumps({"exits": count}))
        return
    click.echo(f"{count} positions are to be sold; `polycopy live exits` shows how far that is.")
