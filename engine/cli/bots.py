"""`polycopy bots`: strategies that copy traders with virtual money."""

import json
import re
from collections.abc import Sequence

import click

from config.strategy_settings import document_of, settings_from, warnings_of
from config.strategy_template import template, templates
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.cli.bot_access import (
    BadSettingsError,
    bad_settings,
    bots_in_database,
    named,
    owner_of,
    shown_warnings,
)
from engine.cli.bot_files import export_bots, import_bots
from engine.cli.bot_views import bot_document, bot_rows, changed_lines, setting_rows, settings_lines, version_document
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from protocols.strategies import WALLET_ID_PATTERN, Strategy, StrategySettings
from protocols.users import ADMIN_NAME

_NAME = re.compile(WALLET_ID_PATTERN, re.ASCII)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_owner = click.option("--owner", default=ADMIN_NAME, show_default=True, help="User whose strategy it is.")
_set = click.option("--set", "pairs", multiple=True, metavar="FIELD=VALUE", help="One setting; repeatable.")
CHANGED_BY = "command line"


@click.group()
def bots() -> None:
    """Make, change, list strategies that copy traders with virtual money. A running engine notices within seconds.

    `polycopy bots settings` explains every setting, `polycopy bots templates` lists families that are ready to be made.
    """


bots.add_command(import_bots)
bots.add_command(export_bots)


@bots.command("list")
@click.option("--owner", help="Only the strategies of this user.")
@_json
@click.pass_obj
def list_bots(settings: Settings, owner: str | None, as_json: bool) -> None:
    """List all strategies with what they have."""

    async def read(store: StrategyStore) -> list[tuple[Strategy, dict[str, object]]]:
        owner_id = None if owner is None else await owner_of(store, owner)
        return await bot_rows(store, await store.all(owner_id=owner_id))

    rows = bots_in_database(settings.load(), read)
    if as_json:
        click.echo(json.dumps([bot_document(strategy, balance) for strategy, balance in rows]))
        return
    if not rows:
        click.echo("There are no strategies yet; `polycopy bots create --template single-factor` makes some.", err=True)
        return
    table = [
        (
            strategy.wallet_id,
            f"v{strategy.version}",
            "" if strategy.settings.is_active else "paused",
            strategy.settings.target_mode.value,
            balance["cash"],
            balance["realized_pnl"],
            balance["orders"],
            balance["open_orders"],
            f"{balance['won']}/{balance['lost']}",
        )
        for strategy, balance in rows
    ]
    heads = ("bot", "", "", "copies", "cash USD", "realised", "orders", "open", "won/lost")
    echo_table(heads, table, right={4, 5, 6, 7, 8})


@bots.command()
@click.argument("name")
@_json
@click.pass_obj
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show every setting of a strategy, what differs from the defaults marked with a star."""

    async def read(store: StrategyStore) -> tuple[Strategy, dict[str, object]]:
        return (await bot_rows(store, [await named(store, name)]))[0]

    strategy, balance = bots_in_database(settings.load(), read)
    if as_json:
        click.echo(json.dumps(bot_document(strategy, balance)))
        return
    click.echo(f"{strategy.wallet_id}, version {strategy.version}")
    for line in settings_lines(strategy.settings):
        click.echo(line)
    shown_warnings(strategy.wallet_id, warnings_of(strategy.settings))


@bots.command()
@click.argument("name", required=False)
@click.option("--template", "family", help="A family; without NAME all of its strategies are made.")
@click.option("--prefix", default="", help="In front of the names of a family.")
@_set
@_owner
@_json
@click.pass_obj
def create(
    settings: Settings,
    name: str | None,
    family: str | None,
    prefix: str,
    pairs: tuple[str, ...],
    owner: str,
    as_json: bool,
) -> None:
    """Make one strategy NAME, or all strategies of a template: all of them or none."""
    made = _to_make(name, family, prefix, pairs)

    async def write(store: StrategyStore) -> list[Strategy]:
        return await store.create(made, await owner_of(store, owner), CHANGED_BY)

    created = bots_in_database(settings.load(), write, create=True)
    if as_json:
        documents = [{"bot": one.wallet_id, "version": one.version, **document_of(one.settings)} for one in created]
        click.echo(json.dumps(documents))
        return
    for strategy in created:
        click.echo(f"{strategy.wallet_id} made")
        shown_warnings(strategy.wallet_id, warnings_of(strategy.settings))


@bots.command("set")
@click.argument("name")
@click.argument("pairs", nargs=-1, required=True, metavar="FIELD=VALUE...")
@_json
@click.pass_obj
def set_settings(settings: Settings, name: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Change settings of a strategy; an empty VALUE switches a gate off. Every change makes a new version."""
    _change(settings, name, _document(pairs), as_json=as_json)


@bots.command()
@click.argument("name")
@_json
@click.pass_obj
def pause(settings: Settings, name: str, as_json: bool) -> None:
    """Stop copying. What is open is sold with its traders and settled as ever."""
    _change(settings, name, {"is_active": False}, as_json=as_json)


@bots.command()
@click.argument("name")
@_json
@click.pass_obj
def resume(settings: Settings, name: str, as_json: bool) -> None:
    """Copy again."""
    _change(settings, name, {"is_active": True}, as_json=as_json)


@bots.command()
@click.argument("name")
@_json
@click.pass_obj
def archive(settings: Settings, name: str, as_json: bool) -> None:
    """Put a strategy away for good. Its orders, decisions and versions stay; its name is not free again."""

    async def write(store: StrategyStore) -> Strategy:
        await named(store, name)
        archived = await store.archive(name)
        assert archived is not None
        return archived

    strategy = bots_in_database(settings.load(), write)
    click.echo(
        json.dumps({"bot": strategy.wallet_id, "archived": True}) if as_json else f"{strategy.wallet_id} put away"
    )


@bots.command()
@click.argument("name")
@_json
@click.pass_obj
def history(settings: Settings, name: str, as_json: bool) -> None:
    """List every version of a strategy: who changed what, newest first."""

    async def read(store: StrategyStore) -> list[dict[str, object]]:
        await named(store, name)
        versions = await store.versions(name)
        while more := await store.versions(name, before=versions[-1].version):
            versions += more
        return [version_document(one, before) for one, before in zip(versions, [*versions[1:], None], strict=True)]

    documents = bots_in_database(settings.load(), read)
    if as_json:
        click.echo(json.dumps(documents, default=str))
        return
    for document in documents:
        at = document["changed_at"]
        click.echo(f"version {document['version']}, {moment_text(at)}, by {plain(document['changed_by'])}")  # type: ignore[arg-type]
        for line in changed_lines(document["changes"]):  # type: ignore[arg-type]
            click.echo(f"  {line}")


@bots.command("templates")
@_json
def list_templates(as_json: bool) -> None:
    """List the families of strategies that come with the program."""
    found = templates()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {"template": one.name, "description": one.description, "bots": [name for name, _ in one.bots]}
                    for one in found
                ]
            )
        )
        return
    echo_table(
        ("template", "bots", "what for"), [(one.name, len(one.bots), one.description) for one in found], right={1}
    )


@bots.command("settings")
@_json
def explain_settings(as_json: bool) -> None:
    """Explain every setting of a strategy: default, what is allowed, meaning."""
    rows = setting_rows()
    if as_json:
        names = ("setting", "default", "allowed", "meaning")
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))
        return
    echo_table(("setting", "default", "allowed", "meaning"), rows)


def _to_make(
    name: str | None, family: str | None, prefix: str, pairs: Sequence[str]
) -> list[tuple[str, StrategySettings]]:
    if name is None and family is None:
        raise click.UsageError("name the strategy, or a --template")
    chosen = None if family is None else template(family)
    if family is not None and chosen is None:
        known = ", ".join(one.name for one in templates())
        raise click.BadParameter(f"there is no template {plain(family)!r}; there are: {known}", param_hint="--template")
    document = _document(pairs)
    if chosen is None or name is not None:
        bases = [(str(name), chosen.bots[0][1] if chosen is not None else StrategySettings())]
    else:
        bases = [(prefix + bot, settings) for bot, settings in chosen.bots]
    wrong = [bot for bot, _ in bases if not _NAME.fullmatch(bot)]
    if wrong:
        raise BadSettingsError([f"{plain(wrong[0])}: a name has 1 to 64 letters, digits and _ . -"])
    with bad_settings():
        return [(bot, settings_from(document, base)) for bot, base in bases]


def _change(settings: Settings, name: str, document: dict[str, object], *, as_json: bool) -> None:
    async def write(store: StrategyStore) -> tuple[Strategy, Strategy]:
        before = await named(store, name)
        with bad_settings():
            wanted = settings_from(document, before.settings)
        return before, await store.update(name, wanted, version=before.version, by=CHANGED_BY)

    before, after = bots_in_database(settings.load(), write)
    old, new = document_of(before.settings), document_of(after.settings)
    changes = {field: [old[field], new[field]] for field in new if old[field] != new[field]}
    if as_json:
        click.echo(json.dumps({"bot": after.wallet_id, "version": after.version, "changes": changes}))
        return
    if not changes:
        click.echo(f"{after.wallet_id} is like that already (version {after.version})")
        return
    click.echo(f"{after.wallet_id} has version {after.version} now")
    for line in changed_lines(changes):
        click.echo(f"  {line}")
    shown_warnings(after.wallet_id, warnings_of(after.settings))


def _document(pairs: Sequence[str]) -> dict[str, object]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise click.UsageError(f"settings are given as FIELD=VALUE, got: {', '.join(map(plain, wrong))}")
    return {name.strip(): value for name, _, value in (pair.partition("=") for pair in pairs)}
