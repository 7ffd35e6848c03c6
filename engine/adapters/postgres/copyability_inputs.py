"""What copyability is computed from besides the trades of a trader: prices of his markets, and how fast this engine is."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.amounts import size_micro
from protocols.copyability import MeasuredDelay, SeenTrade
from protocols.timestamps import utc_datetime

PAGE_ROWS = 20_000
MARKETS_PER_QUERY = 500
MEASURED_DAYS = 7
SAMPLES_MIN, SAMPLES_MAX = 50, 5_000
ORDER_MS = 500
"""Assumed from a decision to an order in the book, where no order has been sent for real."""
DELAY_MS_MAX = 60_000
# $1 markets, $2 the time that the last page ended with, $3 the end, $4 the number that it ended with, $5 rows.
PRICES = """
SELECT asset, condition_id, price, size, trade_timestamp, ingest_seq FROM trades_public
WHERE condition_id = ANY ($1::text[]) AND trade_timestamp >= $2 AND trade_timestamp < $3
    AND (trade_timestamp, ingest_seq) > ($2, $4)
ORDER BY trade_timestamp, ingest_seq LIMIT $5
"""
# From the trade to the venue's answer. $1 since when, $2 rows.
LIVE_DELAY = """
SELECT count(*) AS samples, percentile_cont(0.5) WITHIN GROUP (ORDER BY delay_ms) AS delay_ms FROM (
    SELECT extract(epoch FROM placed_at - signal_at) * 1000 AS delay_ms FROM lt_orders
    WHERE placed_at >= $1 AND ft_trader_wallet IS NOT NULL ORDER BY placed_at DESC LIMIT $2
) AS sent
"""
# From the trade to the decision, of strategies that wait for nothing.
DECIDED_DELAY = """
SELECT count(*) AS samples, percentile_cont(0.5) WITHIN GROUP (ORDER BY delay_ms) AS delay_ms FROM (
    SELECT extract(epoch FROM decided_at - trade_time) * 1000 AS delay_ms FROM decisions
    WHERE trade_day >= ($1::timestamptz AT TIME ZONE 'UTC')::date AND decided_at >= $1 AND part = 'now'
    ORDER BY seq DESC LIMIT $2
) AS made
"""


@attrs.define(eq=False)
class PostgresCopyabilityInputs:
    """`CopyabilityInputs`. A page is one query; between pages nothing is held open."""

    reads: RunsWork
    page_rows: int = PAGE_ROWS

    async def prices(
        self, condition_ids: Sequence[str], since_ms: int, until_ms: int
    ) -> AsyncIterator[list[SeenTrade]]:
        """Yields the trades of everybody in markets, of each market in the order of time. Raises `TransientError`."""
        wanted = sorted(set(condition_ids))
        for first in range(0, len(wanted), MARKETS_PER_QUERY):
            some = wanted[first : first + MARKETS_PER_QUERY]
            since, until, after = utc_datetime(since_ms), utc_datetime(until_ms), -1
            while rows := await self._page(some, since, until, after):
                yield [_seen(row) for row in rows]
                if len(rows) < self.page_rows:
                    break
                since, after = rows[-1]["trade_timestamp"], rows[-1]["ingest_seq"]

    async def _page(self, ids: list[str], since: datetime, until: datetime, after: int) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(PRICES, ids, since, until, after, self.page_rows)

        return await self.reads.run(work)

    async def delay(self, now_ms: int) -> MeasuredDelay | None:
        """Returns the median of live orders of the last days, else of decisions; None for too few. Raises `TransientError`."""
        since = utc_datetime(now_ms) - timedelta(days=MEASURED_DAYS)

        async def work(raw: asyncpg.Connection) -> MeasuredDelay | None:
            samples, delay_ms = await _median(raw, LIVE_DELAY, since)
            if samples >= SAMPLES_MIN:
                return _measured(delay_ms, f"measured: median of {samples} live orders")
            samples, delay_ms = await _median(raw, DECIDED_DELAY, since)
            if samples < SAMPLES_MIN:
                return None
            source = f"measured: median of {samples} decisions, and {ORDER_MS} ms for an order"
            return _measured(delay_ms + ORDER_MS, source)

        return await self.reads.run(work)


async def _median(raw: asyncpg.Connection, statement: str, since: datetime) -> tuple[int, float]:
    [row] = await raw.fetch(statement, since, SAMPLES_MAX)
    return row["samples"], float(row["delay_ms"] or 0)


def _measured(delay_ms: float, source: str) -> MeasuredDelay:
    return MeasuredDelay(delay_ms=round(min(max(delay_ms, 0), DELAY_MS_MAX)), source=source)


def _seen(row: asyncpg.Record) -> SeenTrade:
    return SeenTrade(
        at_ms=round(row["trade_timestamp"].timestamp() * 1000),
        token_id=row["asset"],
        condition_id=row["condition_id"],
        price=row["price"],
        size_micro=size_micro(row["size"]),
    )
