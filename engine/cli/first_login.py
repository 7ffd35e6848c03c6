"""The login URL that a person who starts an engine gets, so that the first visit needs no password."""

import sys

import click
import trio

from config.schema import HttpConfig
from engine.api.session_routes import login_path
from engine.lifecycle import Running
from protocols.users import ADMIN_NAME

LOOK_S = 0.1


def first_login_url(running: Running, http: HttpConfig) -> str | None:
    """Returns a new login URL for the user admin; None where there are none, and before the database was reached."""
    services = running.engine.services
    key = None if services is None else services.login_urls.make(ADMIN_NAME)
    if key is None:
        return None
    host = f"[{http.host}]" if ":" in http.host else http.host
    return f"http://{host}:{running.http_port}{login_path(key)}"


async def show_first_login(running: Running, http: HttpConfig) -> None:
    """Prints a login URL once there are users, for somebody who looks on: a key has no place in a journal."""
    if not sys.stdout.isatty():
        return
    while running.engine.services is None:  # noqa: ASYNC110 - set once, after the database has been reached
        await trio.sleep(LOOK_S)
    url = first_login_url(running, http)
    if url is not None:
        click.echo(f"Open {url} to log in; it works once, within 15 minutes.")
