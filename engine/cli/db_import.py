"""`polycopy db import`: users, follows, traders, markets, trades and copied orders from a database of the reference's shape."""

import json
import os
from pathlib import Path
from typing import Any

import attrs
import click

from config.schema import EngineConfig
from config.secrets import read_secret_file
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.migrate import migration_status
from engine.adapters.postgres.reference_import import ImportReport, ReferenceImport, TableReport
from engine.adapters.postgres.reference_source import SourceError, open_reference
from engine.adapters.postgres.reference_target import ImportTarget
from engine.adapters.postgres.restore import lease_holder
from engine.cli.command import run_command
from engine.cli.database_access import NoDatabaseYetError, OpenDatabase, with_database
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain, show_passing

_SCHEMES = ("postgresql://", "postgres://")


@click.command("import")
@click.option(
    "--from",
    "source",
    required=True,
    metavar="NAME|FILE|URL",
    help="Where the address stands: an environment variable, a private file, or an address without a password.",
)
@click.option("--dry-run", is_flag=True, help="Read and report; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def import_command(settings: Settings, source: str, dry_run: bool, as_json: bool) -> None:
    """Copy users, follows, traders, markets, trades and copied orders from a database of the reference's shape.

    The source is only read, at one moment in time. What is here already stays as it is, so an import that was cut short is
    simply run again. Trades are kept of wallets that somebody follows or that are in `traders`. Stop the engine first.
    """
    config = settings.load()
    dsn = source_address(source)
    report = _run(config, dsn, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(document_of(report)))
        return
    _show(report)


def source_address(source: str) -> str:
    """Returns the address that `--from` leads to. Raises a usage error that shows nothing of it."""
    if source.startswith(_SCHEMES):
        if ":" in source.partition("://")[2].rpartition("@")[0] or "password=" in source:
            raise click.UsageError(
                "--from: an address with a password stands in the list of processes for everybody to read; "
                "put it into an environment variable or a private file and name that"
            )
        return source
    address = os.environ.get(source)
    if address is None:
        try:
            address = read_secret_file(Path(source).expanduser()).reveal()
        except ValueError as error:
            raise click.UsageError(f"--from: no environment variable is called so, and as a file it {error}") from None
    if not address.startswith(_SCHEMES):
        raise click.UsageError("--from: what is there is no address that begins with postgresql://")
    return address


def _run(config: EngineConfig, dsn: str, *, dry_run: bool) -> ImportReport:
    async def copy(target: ImportTarget | None) -> ImportReport:
        async with open_reference(dsn) as reference:
            return await ReferenceImport(source=reference, target=target, dry_run=dry_run, on_rows=_tell).run()

    async def work_with(database: OpenDatabase) -> ImportReport:
        holder = await lease_holder(database.options)
        if holder is not None and not dry_run:
            raise SourceError(f"a running engine ({holder}) works with {database.place}: stop it for the import")
        if dry_run and (await migration_status(database.options)).pending:
            return await copy(None)
        connection = Connection(database.options, "import")
        try:
            return await copy(ImportTarget(connection))
        finally:
            await connection.aclose()

    async def work() -> ImportReport:
        try:
            return await with_database(config, work_with, create=not dry_run, prepare=not dry_run)
        except NoDatabaseYetError:
            return await copy(None)

    try:
        return run_command(work)
    finally:
        show_passing("")


def _tell(table: str, read: int) -> None:
    show_passing(f"import: {table}, {read} rows read …")


def document_of(report: ImportReport) -> dict[str, Any]:
    """Returns the report as a JSON document."""
    return attrs.asdict(report)


def _show(report: ImportReport) -> None:
    done = ("understood", "") if report.dry_run else ("inserted", "already there")
    headings = ["table", "read", *filter(None, done), "skipped", "refused"]
    rows = [[table.table, table.read, *_done(report, table), table.skipped.total(), table.refused.total()]
            for table in report.tables]  # fmt: skip
    echo_table(headings, rows, right=range(1, len(headings)))
    for table in report.tables:
        for what, count in sorted(table.skipped.items()):
            click.echo(f"{table.table}: {count} rows skipped: {what}")
        for reason, count in sorted(table.refused.items()):
            click.echo(
                plain(f"{table.table}: {count} rows refused, {reason}; the first: {table.examples[reason]}", 300)
            )
        for what, count in sorted(table.notes.items()):
            click.echo(f"{table.table}: {count} values left out: {what}")
    if report.absent:
        click.echo(f"tables that the source does not have: {', '.join(report.absent)}")
    if report.skipped_tables:
        names = ", ".join(f"{plain(name, 60)} (about {about})" for name, about in report.skipped_tables.items())
        click.echo(f"tables that this version has no place for: {names}")
    if report.dry_run:
        click.echo("Nothing was written.")


def _done(report: ImportReport, table: TableReport) -> list[int]:
    return [table.understood] if report.dry_run else [table.inserted, table.repeated]
