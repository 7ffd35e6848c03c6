"""`polycopy login-url`: a way into the pages of the engine on this machine without a password."""

import json

import click

from engine.cli.engine_api import EngineApi, token_option, with_engine
from engine.cli.main import Settings
from engine.cli.terminal import plain
from protocols.users import ADMIN_NAME


@click.command("login-url")
@click.option("--user", "user_name", default=ADMIN_NAME, show_default=True, help="For whom.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@token_option
@click.pass_obj
def login_url(settings: Settings, user_name: str, as_json: bool, token_file: str | None) -> None:
    """Ask the running engine for a URL that lets somebody in once, within 15 minutes.

    Only an engine that listens on loopback and does not trade live makes one. Needs a token with the scope admin.
    """

    async def ask(api: EngineApi) -> tuple[str, int]:
        _, answer = await api.post("/api/admin/login-url", {"userName": user_name})
        return api.url + answer["path"], int(answer["validS"])

    url, valid_s = with_engine(settings.load(), token_file, ask)
    click.echo(json.dumps({"url": url, "valid_s": valid_s}) if as_json else plain(url))
