"""The login URL that a person who starts an engine gets, so that the first visit needs no password."""

import os
import secrets
import sys

import attrs
import click
import trio

from actors.rules.passwords import password_problem
from config.http import HttpConfig
from engine.adapters.password_hashing import Argon2Hasher
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.session_store import PostgresPasswords
from engine.api.session_routes import login_path
from engine.lifecycle import Running
from protocols.users import ADMIN_NAME

LOOK_S = 0.1
PASSWORD_RANDOM_BYTES = 9


def first_login_url(running: Running, http: HttpConfig) -> str | None:
    """Returns a new login URL for the user admin; None where there are none, and before the database was reached."""
    services = running.engine.services
    key = None if services is None else services.login_urls.make(ADMIN_NAME)
    if key is None:
        return None
    return f"http://{_host(http)}:{running.http_port}{login_path(key)}"


@attrs.frozen(kw_only=True)
class WayIn:
    """How somebody gets to the pages."""

    url: str = attrs.field(repr=False)
    said: str = attrs.field(repr=False)
    """A sentence for people."""

    def open_on_desktop(self) -> None:
        """Opens the pages in a browser where somebody looks on and there is a desktop."""
        if sys.stdout.isatty() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            click.launch(self.url)


async def way_in(options: DatabaseOptions, running: Running, http: HttpConfig, password: str | None) -> WayIn:
    """Returns how to see the pages of a demo. Raises `click.ClickException` for a password that is too weak.

    Where orders are placed, simulated or not, nobody gets in without a password: one is made if none is given.
    """
    url = first_login_url(running, http) if password is None else None
    if url is not None:
        said = f"Open {url} to look around as the user {ADMIN_NAME}; it works once, within 15 minutes.\n"
        return WayIn(url=url, said=said)
    text = password or secrets.token_urlsafe(PASSWORD_RANDOM_BYTES)
    if (problem := password_problem(text, ADMIN_NAME)) is not None:
        raise click.ClickException(f"--password: {problem}")
    async with open_connection(options, "demo password") as connection:
        passwords = PostgresPasswords(connection)
        row = await passwords.password(ADMIN_NAME)
        assert row is not None
        await passwords.set_password(row.user_id, await Argon2Hasher().hash(text), revision=row.revision)
    home, which = f"http://{_host(http)}:{running.http_port}/", "that you gave" if password else text
    return WayIn(url=home, said=f"Open {home} and log in as {ADMIN_NAME} with the password {which}.\n")


def _host(http: HttpConfig) -> str:
    return f"[{http.host}]" if ":" in http.host else http.host


async def show_first_login(running: Running, http: HttpConfig) -> None:
    """Prints a login URL once there are users, for somebody who looks on: a key has no place in a journal."""
    if not sys.stdout.isatty():
        return
    while running.engine.services is None:  # noqa: ASYNC110 - set once, after the database has been reached
        await trio.sleep(LOOK_S)
    url = first_login_url(running, http)
    if url is not None:
        click.echo(f"Open {url} to log in; it works once, within 15 minutes.")
