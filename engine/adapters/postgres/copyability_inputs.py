"""What copyability is computed from besides the trades of a trader: prices of his markets, and how fast this engine is."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.amounts import size_micro
from protocols.copyability import MeasuredDelay, SeenBook, SeenPage, SeenPlace, SeenTrade
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


# Real books that decisions looked at, best first on both sides as they are kept. $1 since when, $2 rows.
BOOKS = """
SELECT snapshot ->> 'token_id' AS token_id, (snapshot #>> '{book,bids,0,0}')::numeric AS best_bid,
    (snapshot #>> '{book,asks,0,0}')::numeric AS best_ask, (snapshot #>> '{book,asks,0,1}')::numeric AS ask_shares
FROM decisions
WHERE trade_day >= ($1::timestamptz AT TIME ZONE 'UTC')::date AND decided_at >= $1
    AND snapshot #>> '{book,bids,0,0}' IS NOT NULL AND snapshot #>> '{book,asks,0,0}' IS NOT NULL
ORDER BY seq DESC LIMIT $2
"""


@attrs.define(eq=False)
class PostgresCopyabilityInputs:
    """`CopyabilityInputs`. A page is one query; between pages nothing is held open."""

    reads: RunsWork
    page_rows: int = PAGE_ROWS

    async def prices(
        self, condition_ids: Sequence[str], since_ms: int, until_ms: int, after: SeenPlace | None = None
    ) -> SeenPage:
        """Returns the next trades of everybody in markets, of each market in the order of time. Raises `TransientError`."""
        wanted, until = sorted(set(condition_ids)), utc_datetime(until_ms)
        place = after or SeenPlace(market=0, at=utc_datetime(since_ms), ingest_seq=-1)
        some = wanted[place.market : place.market + MARKETS_PER_QUERY]
        values = (some, place.at, until, place.ingest_seq, self.page_rows)
        rows = await self.reads.run(lambda raw: raw.fetch(PRICES, *values))
        return SeenPage(trades=[_seen(row) for row in rows], after=self._next(rows, place, since_ms, len(wanted)))

    def _next(self, rows: Sequence[asyncpg.Record], place: SeenPlace, since_ms: int, markets: int) -> SeenPlace | None:
        if len(rows) == self.page_rows:
            last = rows[-1]
            return SeenPlace(market=place.market, at=last["trade_timestamp"], ingest_seq=last["ingest_seq"])
        following = place.market + MARKETS_PER_QUERY
        return SeenPlace(market=following, at=utc_datetime(since_ms), ingest_seq=-1) if following < markets else None

    async def books(self, now_ms: int) -> list[SeenBook]:
        """Returns the newest real books that had both sides. Raises `TransientError`."""
        since = utc_datetime(now_ms) - timedelta(days=MEASURED_DAYS)
        return [SeenBook(**row) for row in await self.reads.run(lambda raw: raw.fetch(BOOKS, since, SAMPLES_MAX))]

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
