"""`polycopy follow hot`: whose positions are watched closely without following them."""

import json
from typing import Any

import click

from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.live_report_store import plain_row
from engine.adapters.postgres.position_report_store import PositionReports
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import count_text, moment_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from engine.cli.wallet_forms import parse_arguments


@click.command()
@click.argument("wallets", nargs=-1, metavar="[WALLET...]")
@click.option("--off", is_flag=True, help="Take the mark away.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def hot(settings: Settings, wallets: tuple[str, ...], off: bool, as_json: bool) -> None:
    """Mark traders hot: polled as closely as those that somebody follows. Without a wallet, list who is marked.

    A running engine notices within seconds. Their trades are kept, too; they are in nobody's feed.
    """
    chosen = _wallets(wallets)
    config = settings.load()

    async def inside(database: OpenDatabase) -> tuple[list[str], list[dict[str, Any]]]:
        connection = Connection(database.options, "follow hot")
        try:
            reports = PositionReports(connection)
            if not chosen:
                return [], await reports.hot()
            return await reports.mark(chosen, hot=not off), []
        finally:
            await connection.aclose()

    changed, marked = run_command(lambda: with_database(config, inside, prepare=True))
    if not chosen:
        _list(marked, as_json)
    elif as_json:
        click.echo(json.dumps({"changed": changed, "hot": not off}))
    else:
        rest = len(set(chosen)) - len(changed)
        others = f", {count_text(rest)} {'were not' if off else 'were before'}" if rest else ""
        click.echo(f"{count_text(len(changed))} {'not hot any more' if off else 'now hot'}{others}.")


def _wallets(texts: tuple[str, ...]) -> list[str]:
    entries, problems = parse_arguments(texts)
    problems += [f"{one.origin}: a wallet is needed here, not a name" for one in entries if one.trader.wallet is None]
    if problems:
        raise click.UsageError("; ".join(plain(problem, 200) for problem in problems))
    return [one.trader.wallet for one in entries if one.trader.wallet is not None]


def _list(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([plain_row(row) for row in rows]))
        return
    if not rows:
        click.echo("Nobody is marked hot; `polycopy follow hot WALLET` changes that.", err=True)
        return
    table = [
        (
            row["wallet_address"],
            moment_text(row["last_position_check_at"]),
            row["failures"] or "",
            plain(row["last_error"] or "", 80),
        )
        for row in rows
    ]
    echo_table(("wallet", "positions known at", "failures", "last error"), table, right={2})
