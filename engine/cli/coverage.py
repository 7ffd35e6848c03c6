"""`polycopy coverage`: how much of the venue's history the stream had, and what it missed."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import click

from engine.adapters.postgres.coverage_store import PostgresCoverageStore
from engine.adapters.postgres.database import Connection
from engine.adapters.system_clock import SystemClock
from engine.cli.command import run_command
from engine.cli.database_access import OpenDatabase, with_database
from engine.cli.figures import count_text, moment_text, percent_text
from engine.cli.main import Settings
from engine.cli.terminal import echo_table, plain
from protocols.coverage import CoverageCounts, RecordedMiss, WalletCoverage
from protocols.timestamps import utc_datetime

T = TypeVar("T")
DAY_MS = 86_400_000
PAGE_ROWS = 500
WALLET_HEADS = ("wallet", "lane", "coverage", "expected", "stream", "gap", "poller", "missed", "audited until", "")
MISS_HEADS = ("trade", "wallet", "traded", "found", "history", "recorded", "by")


@click.command()
@click.option("--misses", is_flag=True, help="List the trades that nobody but the audit had, newest found first.")
@click.option("--open", "only_open", is_flag=True, help="With --misses: only those that are not recorded yet.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1_000, show_default=True, help="Rows listed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def coverage(settings: Settings, misses: bool, only_open: bool, limit: int, as_json: bool) -> None:
    """Show what the job coverage-audit found within 24 hours, wallet by wallet. Works while no engine runs."""
    config = settings.load()
    if misses or only_open:
        rows = run_command(lambda: with_database(config, _with_store(lambda store: _misses(store, only_open, limit))))
        _echo_misses(rows, as_json, only_open)
        return
    since_ms = SystemClock().now_ms() - DAY_MS
    lanes, wallets = run_command(
        lambda: with_database(config, _with_store(lambda store: _wallets(store, since_ms, limit)), prepare=True)
    )
    if as_json:
        document = {"lanes": lanes, "wallets": [_wallet_document(row) for row in wallets]}
        click.echo(json.dumps(document))
        return
    for lane in lanes:
        share = percent_text(lane["ratio"])
        click.echo(f"lane {lane['lane']}: {share} of {count_text(lane['expected'])} trades, {lane['missed']} missed")
    if wallets:
        echo_table(WALLET_HEADS, [_wallet_row(row) for row in wallets], right=range(2, 8))
    else:
        click.echo("Nothing has been compared yet: the job coverage-audit runs in an engine that ingests.", err=True)


def _with_store(read: Callable[[PostgresCoverageStore], Awaitable[T]]) -> Callable[[OpenDatabase], Awaitable[T]]:
    async def inside(database: OpenDatabase) -> T:
        connection = Connection(database.options, "coverage command")
        try:
            return await read(PostgresCoverageStore(connection))
        finally:
            await connection.aclose()

    return inside


async def _wallets(
    store: PostgresCoverageStore, since_ms: int, limit: int
) -> tuple[list[dict[str, Any]], list[WalletCoverage]]:
    lanes = await store.summary(since_ms=since_ms)
    rows: list[WalletCoverage] = []
    page = None
    while len(rows) < limit and (page is None or len(page) == PAGE_ROWS):
        after = rows[-1].wallet if rows else ""
        page = await store.wallets(since_ms=since_ms, after=after, rows_max=PAGE_ROWS)
        rows += page
    found = [
        {
            "lane": lane.value,
            "wallets": one.wallets,
            "last_audit": _iso(one.closed_ms),
            **_counts_document(one.counts),
        }
        for lane, one in sorted(lanes.items())
    ]
    return found, rows[:limit]


async def _misses(store: PostgresCoverageStore, only_open: bool, limit: int) -> list[RecordedMiss]:
    rows: list[RecordedMiss] = []
    page = None
    while len(rows) < limit and (page is None or len(page) == PAGE_ROWS):
        before = rows[-1].miss_id if rows else None
        page = await store.misses(wallet=None, only_open=only_open, before=before, rows_max=PAGE_ROWS)
        rows += page
    return rows[:limit]


def _echo_misses(rows: list[RecordedMiss], as_json: bool, only_open: bool) -> None:
    if as_json:
        click.echo(json.dumps([_miss_document(row) for row in rows]))
    elif rows:
        echo_table(MISS_HEADS, [_miss_row(row) for row in rows])
    else:
        what = "missed trade that is not recorded is" if only_open else "missed trade is"
        click.echo(f"No {what} known; `polycopy coverage` says what was compared.", err=True)


def _wallet_row(row: WalletCoverage) -> tuple[object, ...]:
    counts = row.counts
    problem = f"failed {row.failures} times: {plain(row.last_error or '', 80)}" if row.failures else ""
    return (
        row.wallet,
        row.lane.value,
        percent_text(counts.ratio),
        count_text(counts.expected),
        count_text(counts.by_stream),
        count_text(counts.by_gap),
        count_text(counts.by_poller),
        count_text(counts.missed),
        moment_text(utc_datetime(row.audited_until_s * 1000)),
        problem,
    )


def _wallet_document(row: WalletCoverage) -> dict[str, Any]:
    return {
        "wallet": row.wallet,
        "lane": row.lane.value,
        "audited_until": _iso(row.audited_until_s * 1000),
        "tried": _iso(row.tried_ms),
        "failures": row.failures,
        "last_error": row.last_error,
        **_counts_document(row.counts),
    }


def _counts_document(counts: CoverageCounts) -> dict[str, Any]:
    return {"ratio": counts.ratio, **attrs.asdict(counts)}


def _miss_row(row: RecordedMiss) -> tuple[object, ...]:
    recorded = moment_text(utc_datetime(row.recorded_ms)) if row.recorded_ms is not None else "NOT YET"
    times = (moment_text(utc_datetime(ms)) for ms in (row.miss.trade_ms, row.found_ms))
    return row.miss.trade_id, row.miss.wallet, *times, row.miss.source, recorded, row.recorded_source or ""


def _miss_document(row: RecordedMiss) -> dict[str, Any]:
    return {
        "id": row.miss_id,
        "trade_id": row.miss.trade_id,
        "wallet": row.miss.wallet,
        "source": row.miss.source,
        "trade_time": _iso(row.miss.trade_ms),
        "found": _iso(row.found_ms),
        "recorded": _iso(row.recorded_ms),
        "recorded_source": row.recorded_source,
    }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else utc_datetime(ms).isoformat()
