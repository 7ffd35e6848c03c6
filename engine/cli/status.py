"""`polycopy status`: what a running engine says of itself, and what its database says."""

import json
import sys
from typing import Any

import click
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.embedded_server import EmbeddedServerError
from engine.cli.command import failure_text, run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.database_facts import DatabaseFacts, database_facts
from engine.cli.engine_client import EngineUnreachableError, open_engine_client
from engine.cli.main import EXIT_FAILED, Settings
from engine.cli.status_document import database_document, engine_document
from engine.cli.status_text import echo_database, echo_engine
from protocols.errors import EngineError

Outcome = tuple[Any, str | None]
"""What was read, or None and why not."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Show what the engine is doing: readiness, memory, channels, actors, trades, and what the database holds.

    The engine is asked over HTTP at http.host and http.port. Without one the database is shown all the same.

    Exit codes: 0 the engine is ready, 1 it is not or does not answer.
    """
    config = settings.load()
    (view, engine_error), (database, database_error) = run_command(lambda: _both(config))
    if as_json:
        document = {
            "engine": engine_document(view, engine_error),
            "database": database_document(database, database_error),
        }
        click.echo(json.dumps(document))
    else:
        echo_engine(view, engine_error)
        click.echo()
        echo_database(database, database_error)
    sys.exit(0 if view is not None and view.ready else EXIT_FAILED)


async def _both(config: EngineConfig) -> tuple[Outcome, Outcome]:
    outcomes: dict[str, Outcome] = {}

    async def engine() -> None:
        try:
            async with open_engine_client(config.http) as client:
                outcomes["engine"] = await client.read(), None
        except EngineUnreachableError as error:
            outcomes["engine"] = None, str(error)

    async def database() -> None:
        try:
            outcomes["database"] = await with_database(config, _facts), None
        except (EngineError, EmbeddedServerError, OSError) as error:
            outcomes["database"] = None, failure_text(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine)
        nursery.start_soon(database)
    return outcomes["engine"], outcomes["database"]


async def _facts(database: OpenDatabase) -> tuple[str, DatabaseFacts]:
    return database.place, await database_facts(database.options)
