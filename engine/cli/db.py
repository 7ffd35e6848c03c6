"""`polycopy db`: migrations, where the data is, backups, and data from elsewhere."""

import json
from typing import Any

import click

from config.schema import EngineConfig
from engine.adapters.postgres.migrate import Migration, MigrationStatus, migrate, migration_status
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.db_backup import backup, restore
from engine.cli.db_import import import_command
from engine.cli.main import Settings


@click.group()
def db() -> None:
    """Migrate the database, show its state, back it up. Works while the engine runs and while it does not."""


db.add_command(backup)
db.add_command(restore)
db.add_command(import_command)


@db.command("migrate")
@click.pass_obj
def migrate_command(settings: Settings) -> None:
    """Apply pending migrations; `run` does the same at its start."""
    config = settings.load()

    async def apply(database: OpenDatabase) -> tuple[str, list[Migration]]:
        return database.place, await migrate(database.options)

    async def work() -> tuple[str, list[Migration]]:
        return await with_database(config, apply, create=True)

    place, applied = run_command(work)
    for migration in applied:
        click.echo(f"applied {migration.version:04d} {migration.name}")
    if not applied:
        click.echo(f"Nothing to do: {place} is up to date.")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def status(settings: Settings, as_json: bool) -> None:
    """Show where the database is, its version, and which migrations are applied and pending."""
    config = settings.load()
    place, found = run_command(lambda: _status(config))
    version = server_version_text(found.server_version)
    if as_json:
        pending = [{"version": migration.version, "name": migration.name} for migration in found.pending]
        document: dict[str, Any] = {
            "place": place,
            "server_version": version,
            "applied": list(found.applied),
            "pending": pending,
        }
        click.echo(json.dumps(document))
        return
    click.echo(f"PostgreSQL {version}, {place}")
    click.echo(f"applied: {', '.join(map(str, found.applied)) or 'nothing'}")
    names = [f"{migration.version} {migration.name}" for migration in found.pending]
    click.echo(
        f"pending: {', '.join(names)}; `polycopy db migrate` or `run` applies them" if names else "pending: none"
    )


async def _status(config: EngineConfig) -> tuple[str, MigrationStatus]:
    async def look(database: OpenDatabase) -> tuple[str, MigrationStatus]:
        return database.place, await migration_status(database.options)

    return await with_database(config, look)


def server_version_text(number: int) -> str:
    """Returns the text of a server version number: 180001 is 18.1."""
    return f"{number // 10_000}.{number % 10_000}"
