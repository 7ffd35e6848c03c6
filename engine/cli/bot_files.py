"""`polycopy bots import` and `export`: strategies as TOML files."""

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

import attrs
import click

from config.strategy_files import BYTES_MAX, bots_to_toml, entries_from_toml, settings_of_entries
from config.strategy_settings import document_of, warnings_of
from engine.adapters.postgres.strategy_store import StrategyStore
from engine.cli.bot_access import BadSettingsError, bad_settings, bots_in_database, named, owner_of, shown_warnings
from engine.cli.bot_views import changed_lines
from engine.cli.main import Settings
from engine.cli.terminal import plain
from protocols.strategies import Strategy, StrategySettings
from protocols.users import ADMIN_NAME


@attrs.frozen
class _Plan:
    made: list[tuple[str, StrategySettings]]
    changed: list[tuple[Strategy, StrategySettings]]
    same: list[str]


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--owner", default=ADMIN_NAME, show_default=True, help="User whose strategies new ones are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with what changed.")
@click.pass_obj
def import_bots(settings: Settings, file: BinaryIO, dry_run: bool, owner: str, as_json: bool) -> None:
    """Make and change strategies as FILE says (TOML, tables [bots.NAME]; - for standard input): all of it or nothing.

    A setting that the file does not name is left as it is, in a new strategy at its default. Strategies that the file does not
    name are not touched.
    """
    data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise BadSettingsError([f"the file has more than {BYTES_MAX} bytes"])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadSettingsError([f"the file is no UTF-8 text: {error}"]) from None
    with bad_settings():
        entries = entries_from_toml(text)

    async def work(store: StrategyStore) -> _Plan:
        owner_id = await owner_of(store, owner)
        known = {one.wallet_id: one for entry in entries if (one := await store.get(entry.wallet_id)) is not None}
        with bad_settings():
            wanted = settings_of_entries(entries, {name: one.settings for name, one in known.items()})
        plan = _Plan(
            made=[(name, one) for name, one in wanted if name not in known],
            changed=[(known[name], one) for name, one in wanted if name in known and known[name].settings != one],
            same=[name for name, one in wanted if name in known and known[name].settings == one],
        )
        if not dry_run:
            changed = [attrs.evolve(before, settings=after) for before, after in plan.changed]
            await store.apply(plan.made, changed, owner_id, "import")
        return plan

    _tell(bots_in_database(settings.load(), work, create=not dry_run), dry_run=dry_run, as_json=as_json)


@click.command("export")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else standard output.")
@click.pass_obj
def export_bots(settings: Settings, names: tuple[str, ...], out: Path | None) -> None:
    """Write strategies as TOML, all without NAME. What is at its default is left out; `import` reads it back."""

    async def read(store: StrategyStore) -> list[Strategy]:
        return [await named(store, name) for name in names] if names else await store.all()

    found = bots_in_database(settings.load(), read)
    text = bots_to_toml([(one.wallet_id, one.settings) for one in found])
    if out is None:
        click.echo(text, nl=False)
        return
    partial = out.with_name(f".{out.name}.part")
    partial.write_text(text, "utf-8")
    os.replace(partial, out)
    click.echo(f"{len(found)} strategies in {plain(out)}", err=True)


def _tell(plan: _Plan, *, dry_run: bool, as_json: bool) -> None:
    changes = {
        before.wallet_id: {
            name: [old, new]
            for (name, old), new in zip(document_of(before.settings).items(), document_of(after).values(), strict=True)
            if old != new
        }
        for before, after in plan.changed
    }
    if as_json:
        made = [name for name, _ in plan.made]
        click.echo(json.dumps({"dry_run": dry_run, "made": made, "changed": changes, "same": plan.same}))
        return
    verb = "would be" if dry_run else "was"
    for name, made_settings in plan.made:
        click.echo(f"{plain(name)} {verb} made")
        shown_warnings(name, warnings_of(made_settings))
    for name, fields in changes.items():
        click.echo(f"{plain(name)} {verb} changed:")
        for line in changed_lines(fields):
            click.echo(f"  {line}")
    if plan.same:
        click.echo(f"{len(plan.same)} strategies are like that already")
    sys.stdout.flush()
