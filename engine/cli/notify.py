"""`polycopy notify`: how notices stand, a test of one's channels, what users want."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, time
from typing import Any, TypeVar

import attrs
import click

from actors.rules.notices.quiet_hours import zone_of
from config.notify import channel_rules
from config.schema import EngineConfig
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.notification_user_store import (
    COLUMNS,
    NotificationUserStore,
    PreferenceRow,
    TooOftenError,
)
from engine.adapters.postgres.user_store import UserStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.engine_api import token_option, with_engine
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain

T = TypeVar("T")
STATUS_DAYS = 7
EXIT_FAILED = 1
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_SWITCHES = [name for name in COLUMNS if isinstance(getattr(PreferenceRow(), name), bool)]


@click.group()
def notify() -> None:
    """Notices to users: how channels stand, a test, who wants what."""


@notify.command()
@_json
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Show what was sent, waits and was given up in the last seven days, by channel."""
    config = settings.load()
    rows = _in_database(config, lambda store, _users: store.channels(days=STATUS_DAYS))
    found = {row["channel"]: dict(row) for row in rows}
    for rule in channel_rules(config.notify):
        found.setdefault(rule.name, {"channel": rule.name, "pending": 0, "sent": 0, "failed": 0, "suppressed": 0})
    if as_json:
        document = {"enabled": config.notify.enabled, "channels": [_plain(found[name]) for name in sorted(found)]}
        click.echo(json.dumps(document))
        return
    if not config.notify.enabled:
        click.echo("Nothing is sent: notify.enabled is false. Notices are kept for the API.", err=True)
    heads = ("channel", "sent", "waiting", "since", "given up", "not wanted", "last sent", "last error")
    table = [
        (
            name, one["sent"], one["pending"], moment_text(one.get("oldest_pending")), one["failed"], one["suppressed"],
            moment_text(one.get("last_sent")), one.get("error") or "",
        )
        for name, one in sorted(found.items())
    ]  # fmt: skip
    echo_table(heads, table)


@notify.command()
@token_option
@_json
@click.pass_obj
def test(settings: Settings, token_file: str | None, as_json: bool) -> None:
    """Send a test to one's own channels, through the running engine, and say what became of it."""
    answer = with_engine(settings.load(), token_file, lambda api: api.post(_TEST, None))[1]
    deliveries = answer["deliveries"]
    if as_json:
        click.echo(json.dumps(answer))
    elif not deliveries:
        click.echo("No channel is meant for you: set notify.mail_url and an address, or a channel of notify.channels.")
    else:
        echo_table(("channel", "", "why"), [(one["channel"], one["status"], one["error"] or "") for one in deliveries])
    if not answer["isOver"] or any(one["status"] != "sent" for one in deliveries) or not deliveries:
        raise click.exceptions.Exit(EXIT_FAILED)


@notify.command()
@click.argument("user")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change one; repeatable.")
@_json
@click.pass_obj
def preferences(settings: Settings, user: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Show or change what a user wants: switches (true, false), quiet_from, quiet_to (22:00 or none), timezone."""
    wanted = _changes_of(changes)

    async def work(store: NotificationUserStore, users: UserStore) -> PreferenceRow:
        found = await users.user(user)
        if found is None:
            raise click.BadParameter(f"there is no user {plain(user)!r}", param_hint="USER")
        try:
            return await (store.change(found.user_id, wanted) if wanted else store.preferences(found.user_id))
        except TooOftenError:
            raise click.ClickException("preferences may be changed 20 times an hour") from None

    row = attrs.asdict(_in_database(settings.load(), work))
    if as_json:
        click.echo(json.dumps(_plain(row)))
    else:
        echo_table(("name", "value"), [(name, _shown(value)) for name, value in row.items()])


@notify.command()
@click.argument("channel", required=False)
@_json
@click.pass_obj
def retry(settings: Settings, channel: str | None, as_json: bool) -> None:
    """Try again what was given up, on one channel or on all."""
    count = _in_database(settings.load(), lambda store, _users: store.retry(channel))
    click.echo(json.dumps({"retried": count}) if as_json else f"{count} deliveries are tried again")


_TEST = "/api/notifications/test"


def _in_database(config: EngineConfig, work: Callable[[NotificationUserStore, UserStore], Awaitable[T]]) -> T:
    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "notify")
        try:
            return await work(NotificationUserStore(connection), UserStore(connection))
        finally:
            await connection.aclose()

    return run_command(lambda: with_database(config, inside, prepare=True))


def _changes_of(texts: tuple[str, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or name not in COLUMNS:
            raise click.BadParameter(f"NAME=VALUE with one of {', '.join(COLUMNS)}", param_hint="--set")
        changes[name] = _value(name, value)
    begin, end = changes.get("quiet_from"), changes.get("quiet_to")
    if (
        ("quiet_from" in changes) != ("quiet_to" in changes)
        or (begin is None) != (end is None)
        or (begin and begin == end)
    ):
        raise click.BadParameter("quiet_from and quiet_to go together and differ, or both are none", param_hint="--set")
    return changes


def _value(name: str, text: str) -> Any:
    if name in _SWITCHES:
        if text not in ("true", "false"):
            raise click.BadParameter(f"{name} is true or false", param_hint="--set")
        return text == "true"
    if name in ("quiet_from", "quiet_to"):
        try:
            return None if text == "none" else time.fromisoformat(text)
        except ValueError:
            raise click.BadParameter(f"{name} is a time of day such as 22:00, or none", param_hint="--set") from None
    if name == "timezone":
        if zone_of(text) is None:
            raise click.BadParameter(f"this machine knows no time zone {plain(text)!r}", param_hint="--set")
        return text
    raise click.BadParameter(f"{name} is set over the API", param_hint="--set")


def _shown(value: object) -> str:
    return "-" if value is None else value.strftime("%H:%M") if isinstance(value, time) else str(value)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    def text(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat()
        return value if isinstance(value, str | int | bool) or value is None else _shown(value)

    return {name: text(value) for name, value in row.items()}
