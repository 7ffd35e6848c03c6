"""`polycopy db backup` and `polycopy db restore`."""

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.backup import ArchiveFacts, read_archive, write_backup
from engine.adapters.postgres.client_programs import (
    BackupError,
    ClientPrograms,
    ServerAddress,
    programs_for,
    server_address,
)
from engine.adapters.postgres.migrate import MigrationError, migration_status
from engine.adapters.postgres.restore import (
    DatabaseContents,
    RestoreUnknownError,
    analyze,
    check_known_migrations,
    contents_of,
    restore_archive,
)
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, open_for_command
from engine.cli.main import Settings
from engine.cli.terminal import progress, show_passing

EXIT_UNKNOWN = 3
T = TypeVar("T")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--overwrite", is_flag=True, help="Replace FILE once the new backup is complete.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def backup(settings: Settings, file: Path, overwrite: bool, as_json: bool) -> None:
    """Write everything in the database to FILE (pg_dump's custom format); the engine may go on running.

    FILE appears when it is complete and was read back. The journal of trades that were not committed yet is not in it.
    """
    config = settings.load()

    async def work() -> tuple[OpenDatabase, ArchiveFacts, int]:
        async with open_for_command(config, create=False) as database:
            programs, address, _ = await _tools(config, database)
            facts, size = await write_backup(
                programs,
                address,
                Path(await trio.Path(file).absolute()),
                overwrite=overwrite,
                on_bytes=lambda size: show_passing(f"backup: {megabytes(size)} written …"),
            )
            return database, facts, size

    database, facts, size = _run(work)
    if as_json:
        document = {
            "file": str(file),
            "bytes": size,
            "tables": list(facts.tables),
            "migrations": list(facts.migrations),
        }
        click.echo(json.dumps(document | {"server_version": facts.server_version}))
        return
    click.echo(f"{file}: {len(facts.tables)} tables of {database.place}, {megabytes(size)}, complete and read back")


@click.command()
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace what the database holds, and do so beside a running engine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def restore(settings: Settings, file: Path, force: bool, as_json: bool) -> None:
    """Put the backup FILE into the configured database, in one transaction: all of it or nothing.

    A database that holds data, or that a running engine works with, is refused without --force.
    """
    config = settings.load()

    async def work() -> tuple[OpenDatabase, ArchiveFacts, DatabaseContents, str]:
        # Before a server is started or made: a file that is no good shall change nothing at all.
        if not await trio.Path(file).is_file():
            raise BackupError(f"there is no file {file}")
        async with open_for_command(config, create=True) as database:
            return await _restored(config, database, Path(await trio.Path(file).absolute()), force=force)

    database, facts, after, note = _run(work)
    if as_json:
        document: dict[str, Any] = {"file": str(file), "place": database.place, "rows": after.row_counts, "note": note}
        click.echo(json.dumps(document | {"migrations": list(facts.migrations), "created_at": facts.created_at}))
        return
    rows = sum(after.row_counts.values())
    click.echo(f"{database.place} holds {file} of {facts.created_at}: {len(after.row_counts)} tables, {rows} rows")
    if note:
        click.echo(note)


async def _restored(
    config: EngineConfig, database: OpenDatabase, file: Path, *, force: bool
) -> tuple[OpenDatabase, ArchiveFacts, DatabaseContents, str]:
    programs, address, server_major = await _tools(config, database)
    with progress("reading the backup"):
        facts = await read_archive(programs, file)
    if "engine_meta" not in facts.tables:
        raise BackupError(f"{file} is a backup of something else: it holds no tables of Polycopy")
    check_known_migrations(facts.migrations)
    with progress("looking at the database"):
        before = await contents_of(database.options)
    refuse_unless_forced(before, database.place, force=force)
    await restore_archive(
        programs,
        address,
        file,
        server_major=server_major,
        beside_engine=force,
        on_bytes=lambda done: show_passing(f"restore: {megabytes(done)} put in …"),
    )
    with progress("gathering figures for the planner"):
        await analyze(database.options)
        after = await contents_of(database.options)
    return database, facts, after, await _note(database)


def refuse_unless_forced(found: DatabaseContents, place: str, *, force: bool) -> None:
    """Raises `BackupError` that says what a restore would replace, or disturb."""
    if not found.is_ours:
        tables = ", ".join(sorted(found.row_counts)[:5])
        raise BackupError(f"{place} holds tables that are not Polycopy's ({tables}): give it a database of its own")
    if force:
        return
    if found.lease_holder is not None:
        raise BackupError(
            f"a running engine ({found.lease_holder}) works with {place}: stop it first. With --force everything is "
            "replaced below it, and what it commits meanwhile is lost"
        )
    if found.data:
        rows = ", ".join(f"{count} in {name}" for name, count in found.data.items())
        raise BackupError(
            f"{place} holds rows ({rows}). With --force they are replaced by the backup's, in one transaction; "
            "`polycopy db backup` first keeps them"
        )


async def _tools(config: EngineConfig, database: OpenDatabase) -> tuple[ClientPrograms, ServerAddress, int]:
    """The programs for this server and how they reach it: past a pooler, which swaps sessions below them."""
    server_major = (await migration_status(database.options)).server_version // 10_000
    programs = await trio.to_thread.run_sync(programs_for, server_major)
    direct = config.database.direct_url
    dsn = database.options.dsn if direct is None else direct.reveal()
    return programs, server_address(dsn, embedded=database.embedded), server_major


async def _note(database: OpenDatabase) -> str:
    try:
        pending = (await migration_status(database.options)).pending
    except MigrationError as error:
        return str(error)
    names = ", ".join(f"{migration.version} {migration.name}" for migration in pending)
    return f"pending migrations: {names}; `polycopy db migrate` or `run` applies them" if names else ""


def _run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs the command; a commit whose fate nobody knows has an exit code of its own."""

    async def told() -> T | RestoreUnknownError:
        try:
            return await work()
        except RestoreUnknownError as unknown:
            return unknown

    try:
        result = run_command(told)
    finally:
        show_passing("")
    if isinstance(result, RestoreUnknownError):
        click.echo(f"Error: {result}", err=True)
        sys.exit(EXIT_UNKNOWN)
    return result


def megabytes(size: int) -> str:
    """Returns a size for people."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size} bytes"
