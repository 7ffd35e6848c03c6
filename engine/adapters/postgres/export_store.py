"""Stored trades from the oldest to the newest, a page at a time: memory for one page, no session state between pages."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import asyncpg
import attrs

from engine.adapters.postgres.database import RunsWork
from protocols.timestamps import EARLIEST_MS, utc_datetime

COLUMNS = ("trade_id", "trade_timestamp", "lane", "trader_wallet", "trader_name", "transaction_hash", "asset", "condition_id",
           "side", "price", "size", "outcome", "market_title", "market_slug", "event_slug")  # fmt: skip
PAGE = """
SELECT trade_id, trade_timestamp, lane, trader_wallet, trader_name, transaction_hash, asset, condition_id, side,
    trim_scale(price) AS price, trim_scale(size) AS size, outcome, market_title, market_slug, event_slug
FROM trades_public
WHERE (trade_timestamp, trade_id) > ($1, $2) AND ($3::text[] IS NULL OR trader_wallet = ANY ($3))
ORDER BY trade_timestamp, trade_id
LIMIT $4
"""
PAGE_ROWS = 5_000


@attrs.define(eq=False)
class ExportStore:
    """Trades for export, over one connection."""

    connection: RunsWork

    async def pages(
        self, *, since_ms: int | None, wallets: Sequence[str], rows_max: int = PAGE_ROWS
    ) -> AsyncIterator[list[asyncpg.Record]]:
        """Yields pages of records with `COLUMNS`, of some wallets or of all. Raises `TransientError`."""
        # The empty text is before every id: the earliest time itself is included.
        moment, trade_id = utc_datetime(EARLIEST_MS if since_ms is None else since_ms), ""
        while page := await self._page(moment, trade_id, wallets, rows_max):
            yield page
            moment, trade_id = page[-1]["trade_timestamp"], page[-1]["trade_id"]

    async def _page(
        self, moment: datetime, trade_id: str, wallets: Sequence[str], rows_max: int
    ) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(PAGE, moment, trade_id, list(wallets) or None, rows_max)

        return await self.connection.run(work)
