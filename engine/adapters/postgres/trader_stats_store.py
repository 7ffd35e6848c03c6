"""Records of traders and reasons of decisions in PostgreSQL, counted incrementally and once."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from actors.rules.market_kind import niche_of, structure_of
from engine.adapters.postgres import trader_stats_statements as sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.job_fence import fenced
from protocols.ft_statistics import Counted, SettledBuys
from protocols.jobs import JobLease
from protocols.timestamps import utc_datetime

MARKETS_MAX = 200
TAGS_MAX = 50
_WON_FROM, _LOST_TO = Decimal("0.99"), Decimal("0.01")
_MICRO = Decimal("0.000001")
_Paid = tuple[str, str, Decimal, date, str, str]


@attrs.define(eq=False)
class PostgresTraderStatsStore:
    """`TraderStatsStore` and `ReasonCountStore`. Not over the connection that extends the leases of jobs."""

    connection: RunsWork
    markets_max: int = MARKETS_MAX

    async def count_trades(self, lease: JobLease, *, rows_max: int) -> Counted:
        """Adds the next trades to open buys and to their days. Raises `TransientError` or `FencedError`."""
        return await self._count(sql.COUNT_TRADES, lease, rows_max)

    async def count_reasons(self, lease: JobLease, *, rows_max: int) -> Counted:
        """Adds the next decisions to the counts of reasons. Raises `TransientError` or `FencedError`."""
        return await self._count(sql.COUNT_REASONS, lease, rows_max)

    async def settle_buys(self, lease: JobLease, *, now_ms: int, market_after: str, rows_max: int) -> SettledBuys:
        """Moves open buys of some resolved markets. Raises `TransientError` or `FencedError`.

        What a trader bought counts on the day when its market closed, or now where nobody says when. A token whose payout is
        not known stays open.
        """
        now = utc_datetime(now_ms)

        async def work(raw: asyncpg.Connection) -> SettledBuys:
            async with fenced(raw, lease):
                markets = await raw.fetch(sql.RESOLVED_MARKETS, market_after, self.markets_max)
                paid = [row for market in markets for row in _paid(market, now)]
                columns = [list(column) for column in zip(*paid, strict=True)] if paid else [[] for _ in range(6)]
                moved = await raw.fetchrow(sql.SETTLE_BUYS, *columns, rows_max)
            assert moved is not None
            if moved["rows"] >= rows_max:
                return SettledBuys(trades=moved["trades"], market_after=market_after)
            more = len(markets) == self.markets_max
            return SettledBuys(trades=moved["trades"], market_after=markets[-1]["condition_id"] if more else None)

        return await self.connection.run(work)

    async def move_windows(self, lease: JobLease, *, now_ms: int) -> int:
        """Lets the windows end today, and returns who lost a day by it. Raises `TransientError` or `FencedError`."""
        today = utc_datetime(now_ms).date()

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                before: date | None = await raw.fetchval(sql.WINDOW_DAY)
                if before is not None and before >= today:
                    return 0
                return int(await raw.fetchval(sql.MOVE_WINDOWS, today, today if before is None else before))

        return await self.connection.run(work)

    async def refresh(self, lease: JobLease, *, wallets_max: int) -> int:
        """Computes the figures of traders that are due. Raises `TransientError` or `FencedError`."""

        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                wallets = [row["wallet_address"] for row in await raw.fetch(sql.TAKE_STALE, wallets_max)]
                if wallets:
                    await raw.execute(sql.REFRESH_GLOBAL, wallets, await raw.fetchval(sql.WINDOW_DAY))
                    await raw.execute(sql.REFRESH_PROFILES, wallets)
                return len(wallets)

        return await self.connection.run(work)

    async def _count(self, statement: str, lease: JobLease, rows_max: int) -> Counted:
        async def work(raw: asyncpg.Connection) -> int:
            async with fenced(raw, lease):
                return int(await raw.fetchval(statement, rows_max))

        rows = await self.connection.run(work)
        return Counted(rows=rows, at_end=rows < rows_max)


def _paid(market: asyncpg.Record, now: datetime) -> list[_Paid]:
    closed_at: datetime = market["close_time"] or now
    day = min(closed_at, now).astimezone(UTC).date()
    title, category = market["title"] or "", market["category"]
    outcomes = tuple(str(name) for name in _list(market["outcomes"]))
    niche, structure = niche_of(title, category, _labels(market["tags"])), structure_of(title, outcomes)
    condition_id = market["condition_id"]
    return [
        (token_id, condition_id, _payout(value), day, niche, structure)
        for token_id, value in market["payouts"]
        if value is not None
    ]


def _payout(value: Decimal) -> Decimal:
    """Prices of a resolved market are payouts, but some end a little off 1 and 0."""
    if value >= _WON_FROM:
        return Decimal(1)
    return Decimal(0) if value <= _LOST_TO else value.quantize(_MICRO)


def _labels(text: str | None) -> tuple[str, ...]:
    """Tags come as texts and as objects with a label."""
    labels = [tag.get("label") if isinstance(tag, dict) else tag for tag in _list(text)[:TAGS_MAX]]
    return tuple(label for label in labels if isinstance(label, str))


def _list(text: str | None) -> list[Any]:
    listed = None if text is None else json.loads(text)
    return listed if isinstance(listed, list) else []
