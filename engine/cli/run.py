"""`polycopy run`."""

import sys
from functools import partial

import click

from config.cluster import WORDS
from config.schema import EngineConfig
from engine.adapters.live_adapters import account_signer
from engine.adapters.signer import KeyFileError
from engine.cli.hosting import host_engine
from engine.cli.main import Settings


@click.command()
@click.option(
    "--live",
    is_flag=True,
    envvar="POLYCOPY_LIVE",
    help="Second switch of live trading, beside live.enabled: orders cost real money.",
)
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(WORDS),
    help="What this engine does; repeatable, all by default. Other engines on the same database do the rest.",
)
@click.pass_obj
def run(settings: Settings, live: bool, roles: tuple[str, ...]) -> None:
    """Run the engine until SIGTERM or SIGINT; a second signal exits at once.

    Exit codes: 0 stopped, 1 failed, 2 configuration, 70 the supervisor gave up.
    """
    extra = {"cluster.roles": ", ".join(roles)} if roles else {}
    config = settings.load(extra)
    if live and config.live.enabled:
        _try_keys(config)
    read = partial(settings.read, extra)
    sys.exit(host_engine(read, config, live_switch=live, inputs=settings.inputs(extra)))


def _try_keys(config: EngineConfig) -> None:
    """Ends the command before anything starts when a key file cannot be used."""
    for name, account in config.live.accounts.items():
        try:
            account_signer(name, account)
        except KeyFileError as error:
            raise click.UsageError(f"{error}; `polycopy doctor` tells all that is missing") from None
