"""`polycopy users`: who may use the engine."""

import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import click

from actors.rules.notices.delivery_plan import is_address
from actors.rules.passwords import password_problem
from config.schema import EngineConfig
from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.session_store import PostgresPasswords
from engine.adapters.postgres.user_store import UserRow, UserStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from protocols.users import ADMIN_NAME, USER_NAME_PATTERN

T = TypeVar("T")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def users() -> None:
    """List users, add them, shut them out. A running engine notices within two seconds."""


@users.command("list")
@_json
@click.pass_obj
def list_users(settings: Settings, as_json: bool) -> None:
    """List all users."""
    config = settings.load()

    async def read(store: UserStore) -> list[UserRow]:
        rows: list[UserRow] = []
        while page := await store.users(after=rows[-1].user_name if rows else ""):
            rows += page
        return rows

    rows = run_command(lambda: with_user_store(config, read))
    if as_json:
        click.echo(json.dumps([_document(row) for row in rows]))
        return
    table = [
        (row.user_name, "admin" if row.is_admin else "", moment_text(row.created_at), moment_text(row.disabled_at))
        for row in rows
    ]
    echo_table(("user", "", "since", "disabled"), table)


@users.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="An administrator.")
@_json
@click.pass_obj
def add(settings: Settings, name: str, admin: bool, as_json: bool) -> None:
    """Add a user. `polycopy tokens add` then lets programs act for him."""
    if not re.fullmatch(USER_NAME_PATTERN, name, re.ASCII):
        raise click.BadParameter(
            "1 to 64 letters, digits and _ . @ -, beginning with a letter or digit", param_hint="NAME"
        )
    config = settings.load()

    async def insert(store: UserStore) -> UserRow:
        row = await store.add_user(name, is_admin=admin)
        if row is None:
            raise click.ClickException(f"there is a user {name!r} already")
        return row

    _show(run_command(lambda: with_user_store(config, insert, create=True)), "added", as_json=as_json)


@users.command()
@click.argument("name")
@_json
@click.pass_obj
def disable(settings: Settings, name: str, as_json: bool) -> None:
    """Shut a user out: his tokens hold no longer. What he has stored stays."""
    if name == ADMIN_NAME:
        raise click.BadParameter("the user admin stays: the bootstrap token is his", param_hint="NAME")
    config = settings.load()

    async def update(store: UserStore) -> UserRow:
        row = await store.disable_user(name)
        if row is None:
            raise click.BadParameter(f"there is no user {plain(name)!r}", param_hint="NAME")
        return row

    _show(run_command(lambda: with_user_store(config, update)), "disabled", as_json=as_json)


@users.command()
@click.argument("name")
@click.option("--on/--off", "is_admin", required=True, help="An administrator from now on, or no longer.")
@_json
@click.pass_obj
def admin(settings: Settings, name: str, is_admin: bool, as_json: bool) -> None:
    """Make a user an administrator, or not. His tokens stay as they are; his sessions follow within two seconds."""
    if name == ADMIN_NAME and not is_admin:
        raise click.BadParameter("the user admin stays one: the bootstrap token is his", param_hint="NAME")
    config = settings.load()

    async def update(store: UserStore) -> UserRow:
        row = await store.set_admin(name, is_admin=is_admin)
        if row is None:
            raise click.BadParameter(f"there is no user {plain(name)!r}", param_hint="NAME")
        return row

    what = "is an administrator" if is_admin else "is no administrator"
    _show(run_command(lambda: with_user_store(config, update)), what, as_json=as_json)


@users.command()
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from the first line of standard input.")
@_json
@click.pass_obj
def password(settings: Settings, name: str, from_stdin: bool, as_json: bool) -> None:
    """Set the password with which a user logs in on the pages. His sessions end, everywhere within two seconds."""
    config = settings.load()
    text = _password_of_stdin() if from_stdin else click.prompt("password", hide_input=True, confirmation_prompt=True)
    problem = password_problem(text, name)
    if problem is not None:
        raise click.ClickException(problem)

    async def update(store: UserStore) -> int:
        passwords = PostgresPasswords(store.database)
        row = await passwords.password(name)
        if row is None or row.is_disabled:
            raise click.BadParameter(f"there is no user {plain(name)!r}, or he is disabled", param_hint="NAME")
        ended = await passwords.set_password(row.user_id, await Argon2Hasher().hash(text), revision=row.revision)
        if ended is None:
            raise click.ClickException("somebody has changed this password meanwhile; nothing was done")
        return len(ended)

    ended = run_command(lambda: with_user_store(config, update, create=True))
    if as_json:
        click.echo(json.dumps({"user_name": name, "sessions_ended": ended}))
    else:
        click.echo(f"password of {plain(name)} set" + (f", {ended} sessions ended" if ended else ""))


def _password_of_stdin() -> str:
    return sys.stdin.readline().rstrip("\r\n")


@users.command()
@click.argument("name")
@click.argument("address", required=False)
@click.option("--clear", is_flag=True, help="Take the address away.")
@_json
@click.pass_obj
def email(settings: Settings, name: str, address: str | None, clear: bool, as_json: bool) -> None:
    """Set the address that notices of a user are mailed to."""
    if clear == (address is not None):
        raise click.UsageError("give either an address or --clear")
    if address is not None and not is_address(address):
        raise click.BadParameter(f"{plain(address)!r} is no plain mail address", param_hint="ADDRESS")
    config = settings.load()

    async def update(store: UserStore) -> None:
        if not await store.set_email(name, address):
            raise click.BadParameter(f"there is no user {plain(name)!r}", param_hint="NAME")

    run_command(lambda: with_user_store(config, update))
    text = f"notices of {plain(name)} are mailed to {address}" if address else f"{plain(name)} gets no mail"
    click.echo(json.dumps({"user_name": name, "email": address}) if as_json else text)


async def with_user_store(
    config: EngineConfig, work: Callable[[UserStore], Awaitable[T]], *, create: bool = False
) -> T:
    """Runs `work` with the users of a migrated database. Raises as `with_database`."""

    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "users")
        try:
            return await work(UserStore(connection))
        finally:
            await connection.aclose()

    return await with_database(config, inside, create=create, prepare=True)


def _show(row: UserRow, what: str, *, as_json: bool) -> None:
    click.echo(json.dumps(_document(row)) if as_json else f"{plain(row.user_name)} {what}")


def _document(row: UserRow) -> dict[str, Any]:
    disabled_at = row.disabled_at.isoformat() if row.disabled_at else None
    return {**attrs.asdict(row), "created_at": row.created_at.isoformat(), "disabled_at": disabled_at}
