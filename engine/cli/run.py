"""`polycopy run`."""

import sys

import click

from engine.cli.hosting import host_engine
from engine.cli.main import Settings


@click.command()
@click.pass_obj
def run(settings: Settings) -> None:
    """Run the engine until SIGTERM or SIGINT; a second signal exits at once.

    Exit codes: 0 stopped, 1 failed, 2 configuration, 70 the supervisor gave up.
    """
    sys.exit(host_engine(settings.read, settings.load()))
