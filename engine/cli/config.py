"""`polycopy config`: the values in force, whether they are allowed, and what can be set at all."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from config.describe import settings as known_settings
from config.describe import toml_template, values
from config.loader import ConfigError
from config.reference import KINDS, reference_page
from config.schema import EngineConfig
from engine.cli.config_set import set_settings
from engine.cli.main import EXIT_USAGE, Settings
from engine.cli.terminal import echo_table, fits_terminal, plain, table_lines


@click.group()
def config() -> None:
    """Show, check, explain and change the configuration."""


config.add_command(set_settings)


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: setting to value.")
@click.pass_obj
def show(settings: Settings, as_json: bool) -> None:
    """Show the values in force, from the command line, environment, file and defaults together.

    Secrets show only whether they are set. Values that differ from the default carry a star.
    """
    in_force = values(settings.load())
    if as_json:
        click.echo(json.dumps(in_force))
        return
    defaults = values(EngineConfig())
    echo_table(
        ("setting", "value", ""),
        [(path, _shown(value), "*" if value != defaults.get(path) else "") for path, value in in_force.items()],
    )


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok and the list of problems.")
@click.pass_obj
def check(settings: Settings, as_json: bool) -> None:
    """Say whether the configuration can be used; every problem at once.

    Exit codes: 0 it can, 2 it cannot.
    """
    try:
        settings.read()
    except ConfigError as error:
        if not as_json:
            settings.load()
        click.echo(json.dumps({"ok": False, "problems": error.problems}))
        sys.exit(EXIT_USAGE)
    click.echo(json.dumps({"ok": True, "problems": []}) if as_json else "The configuration is fine.")


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array, one object a setting.")
@click.option("--toml", "as_toml", is_flag=True, help="Print the commented file that `init` writes.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the page config/REFERENCE.md.")
def schema(as_json: bool, as_toml: bool, as_markdown: bool) -> None:
    """List every setting with its default, allowed values, environment variable and meaning."""
    if as_json + as_toml + as_markdown > 1:
        raise click.UsageError("--json, --toml and --markdown exclude each other")
    if as_markdown:
        click.echo(reference_page(), nl=False)
    elif as_toml:
        click.echo(toml_template(), nl=False)
    elif as_json:
        click.echo(json.dumps(_schema_objects()))
    else:
        headings = ("setting", "default", "allowed", "environment", "meaning")
        rows = [(i.path, _shown(i.default), i.allowed, i.environment, i.doc) for i in known_settings()]
        lines = table_lines(headings, rows)
        click.echo("\n".join(lines if fits_terminal(lines) else _blocks(rows)))


def _schema_objects() -> list[dict[str, Any]]:
    return [
        {
            "path": info.path,
            "default": info.default,
            "allowed": info.allowed,
            "environment": info.environment,
            "meaning": info.doc,
            "secret": info.is_secret,
            "type": KINDS[info.kind],
            "change": "restart" if info.restart else "live",
        }
        for info in known_settings()
    ]


def _blocks(rows: Sequence[tuple[str, str, str, str, str]]) -> Iterator[str]:
    """The same for a terminal that is too narrow for a table."""
    for path, default, allowed, environment, meaning in rows:
        yield f"{path} = {default}"
        yield f"    {meaning}"
        yield f"    allowed: {allowed}"
        yield f"    {environment}"


def _shown(value: object) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return plain(value) if value != "" else '""'
