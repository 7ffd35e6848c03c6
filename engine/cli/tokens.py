"""`polycopy tokens`: what lets programs act for a user."""

import json
import re
from random import SystemRandom
from typing import Any

import attrs
import click

from engine.adapters.postgres.user_store import TokenRow, TooManyTokensError, UserStore
from engine.adapters.system_clock import SystemClock
from engine.cli.command import run_command
from engine.cli.figures import moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.cli.users import with_user_store
from protocols.users import TOKEN_NAME_PATTERN, Scope, new_token, token_digest

DAY_MS = 86_400_000
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def tokens() -> None:
    """List tokens, make them, revoke them. A running engine notices within two seconds.

    A program sends its token with every request: `Authorization: Bearer pcy_…`.
    """


@tokens.command("list")
@click.option("--user", "user_name", help="Only his; otherwise everybody's.")
@_json
@click.pass_obj
def list_tokens(settings: Settings, user_name: str | None, as_json: bool) -> None:
    """List the tokens that are not revoked."""
    config = settings.load()

    async def read(store: UserStore) -> list[TokenRow]:
        if user_name is not None and await store.user(user_name) is None:
            raise _no_user(user_name)
        return await store.tokens(user_name)

    rows = run_command(lambda: with_user_store(config, read))
    if as_json:
        click.echo(json.dumps([_document(row) for row in rows]))
    elif rows:
        table = [
            (
                row.token_id,
                row.user_name,
                row.name,
                " ".join(row.scopes),
                moment_text(row.created_at),
                moment_text(row.expires_at),
            )
            for row in rows
        ]
        echo_table(("token", "user", "name", "scopes", "made", "ends"), table)
    else:
        click.echo("There are no tokens yet; `polycopy tokens add NAME` makes one.", err=True)


@tokens.command()
@click.argument("name")
@click.option("--user", "user_name", default="admin", show_default=True, help="For whom.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]), default=("read",),
              show_default=True, help="What it allows; repeatable.")  # fmt: skip
@click.option("--expires-in-days", "days", type=click.IntRange(1, 3_650), help="When it ends; never by default.")
@_json
@click.pass_obj
def add(
    settings: Settings, name: str, user_name: str, scopes: tuple[str, ...], days: int | None, as_json: bool
) -> None:
    """Make a token and print it. This is the only time that it is shown: the database keeps its SHA-256."""
    if not re.fullmatch(TOKEN_NAME_PATTERN, name):
        raise click.BadParameter("1 to 80 characters, none that moves a cursor", param_hint="NAME")
    config = settings.load()
    text = new_token(SystemRandom())
    expires_at_ms = None if days is None else SystemClock().now_ms() + days * DAY_MS

    async def insert(store: UserStore) -> TokenRow:
        try:
            row = await store.add_token(
                user_name,
                name=name,
                digest=token_digest(text.encode()),
                scopes=[Scope(scope) for scope in scopes],
                expires_at_ms=expires_at_ms,
            )
        except TooManyTokensError as error:
            raise click.ClickException(plain(error)) from None
        if row is None:
            raise _no_user(user_name, ", or he is disabled")
        return row

    row = run_command(lambda: with_user_store(config, insert, create=True))
    if as_json:
        click.echo(json.dumps({"token": text, **_document(row)}))
    else:
        click.echo(text)
        click.echo("Keep it: it is not shown again.", err=True)


@tokens.command()
@click.argument("token_ids", nargs=-1, required=True, metavar="TOKEN_ID...")
@_json
@click.pass_obj
def revoke(settings: Settings, token_ids: tuple[str, ...], as_json: bool) -> None:
    """Revoke tokens by their ids, which `polycopy tokens list` shows."""
    config = settings.load()

    async def update(store: UserStore) -> dict[str, bool]:
        return {token_id: await store.revoke_token(token_id) for token_id in token_ids}

    done = run_command(lambda: with_user_store(config, update))
    unknown = [token_id for token_id, was_there in done.items() if not was_there]
    revoked = [token_id for token_id in done if token_id not in unknown]
    if as_json:
        click.echo(json.dumps({"revoked": revoked, "unknown": unknown}))
    elif revoked:
        click.echo("\n".join(f"{token_id} revoked" for token_id in revoked))
    if unknown:
        names = ", ".join(plain(token_id, 60) for token_id in unknown)
        raise click.ClickException(f"no such token, or revoked already: {names}")


def _no_user(user_name: str, more: str = "") -> click.BadParameter:
    return click.BadParameter(f"there is no user {plain(user_name)!r}{more}", param_hint="--user")


def _document(row: TokenRow) -> dict[str, Any]:
    times = {
        "created_at": row.created_at.isoformat(),
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
    }
    document = attrs.asdict(row, filter=lambda field, _: field.name != "revoked_at")
    return {**document, "scopes": [scope.value for scope in row.scopes], **times}
