"""`polycopy run`."""

import sys

import click

from engine.cli.hosting import host_engine
from engine.cli.main import Settings


@click.command()
@click.option(
    "--live",
    is_flag=True,
    envvar="POLYCOPY_LIVE",
    help="Second switch of live trading, beside live.enabled: orders cost real money.",
)
@click.pass_obj
def run(settings: Settings, live: bool) -> None:
    """Run the engine until SIGTERM or SIGINT; a second signal exits at once.

    Exit codes: 0 stopped, 1 failed, 2 configuration, 70 the supervisor gave up.
    """
    sys.exit(host_engine(settings.read, settings.load(), live_switch=live))
