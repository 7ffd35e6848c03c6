"""`polycopy export`: stored trades as a file."""

from pathlib import Path

import click

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.export_store import COLUMNS, ExportStore
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.export_files import FORMATS, written_whole
from engine.cli.figures import count_text
from engine.cli.main import Settings
from engine.cli.terminal import plain, progress, show_passing
from engine.cli.wallet_forms import WalletFormError, parse_trader
from protocols.errors import MalformedError
from protocols.timestamps import epoch_ms


@click.group()
def export() -> None:
    """Write what is stored into a file. Works while the engine runs and while it does not."""


@export.command()
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write or replace.")
@click.option("--since", help="Earliest time: seconds since the epoch or ISO 8601, UTC unless it says otherwise.")
@click.option("--wallet", "wallets", multiple=True, help="Only this trader; repeatable.")
@click.pass_obj
def trades(settings: Settings, file_format: str, out: Path, since: str | None, wallets: tuple[str, ...]) -> None:
    """Export trades from the oldest to the newest, in constant memory. The file appears only when it is complete.

    In CSV, text that a spreadsheet would take for a formula begins with an apostrophe; jsonl and parquet hold it as it is.
    """
    config = settings.load()
    since_ms = None if since is None else _since_ms(since)
    chosen = [_wallet(text) for text in wallets]

    async def write(database: OpenDatabase) -> int:
        connection = Connection(database.options, "export")
        count = 0
        try:
            with written_whole(out, file_format, COLUMNS) as writer:
                async for page in ExportStore(connection).pages(since_ms=since_ms, wallets=chosen):
                    writer.write(page)
                    count += len(page)
                    show_passing(f"{count_text(count)} trades …")
        finally:
            await connection.aclose()
        return count

    with progress("reading trades"):
        count = run_command(lambda: with_database(config, write, prepare=True))
    click.echo(f"{count_text(count)} trades in {plain(out)}")


def _since_ms(text: str) -> int:
    try:
        return epoch_ms(text)
    except MalformedError:
        raise click.BadParameter("give seconds since the epoch or a time in ISO 8601", param_hint="--since") from None


def _wallet(text: str) -> str:
    try:
        wallet = parse_trader(text).wallet
    except WalletFormError as error:
        raise click.BadParameter(f"{plain(text, 80)}: {error}", param_hint="--wallet") from None
    if wallet is None:
        raise click.BadParameter(f"{plain(text, 80)}: give the wallet, names are not looked up", param_hint="--wallet")
    return wallet
