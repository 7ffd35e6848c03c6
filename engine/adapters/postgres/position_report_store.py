"""What is stored of traders' positions, for people: pages in the order of a key, however many there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import attrs

from engine.adapters.postgres import poll_statements as sql
from engine.adapters.postgres.database import RunsWork

Row = dict[str, Any]
PAGE_ROWS = 500
STATE = """
SELECT wallet_address, is_hot, last_trade_time_seen, last_history_time_seen, last_polled_at, last_position_check_at, failures,
    last_error
FROM wallet_poll_state WHERE wallet_address = $1
"""
CURRENT = """
SELECT token_id, condition_id, outcome, size, avg_price, cost_usd, current_price, value_usd, realized_pnl, redeemable,
    mergeable, market_title, market_slug, event_slug, end_date, opened_at, last_seen_at, missing_since
FROM positions_current WHERE wallet_address = $1 AND token_id > $2 ORDER BY token_id LIMIT $3
"""
CLOSED = """
SELECT id, token_id, condition_id, outcome, closed_reason, size, avg_price, current_price, realized_pnl, market_title,
    market_slug, event_slug, opened_at, last_seen_at, closed_at
FROM positions_closed
WHERE wallet_address = $1 AND (closed_at, id) < (coalesce($2, 'infinity'::timestamptz), coalesce($3, 9223372036854775807))
ORDER BY closed_at DESC, id DESC LIMIT $4
"""
HOT = """
SELECT wallet_address, last_polled_at, last_position_check_at, failures, last_error
FROM wallet_poll_state WHERE is_hot AND wallet_address > $1 ORDER BY wallet_address LIMIT $2
"""


@attrs.define(eq=False)
class PositionReports:
    """Reads of `positions_current`, `positions_closed` and `wallet_poll_state`. All methods raise `TransientError`."""

    connection: RunsWork
    page_rows: int = PAGE_ROWS

    async def state(self, wallet: str) -> Row | None:
        """Returns how polling a wallet stands; None when it was never polled."""

        async def work(raw: asyncpg.Connection) -> asyncpg.Record | None:
            return await raw.fetchrow(STATE, wallet)

        row = await self.connection.run(work)
        return None if row is None else dict(row)

    async def current(self, wallet: str) -> list[Row]:
        """Returns all that a wallet holds, the most valuable first."""
        rows: list[Row] = []
        while page := await self._page(CURRENT, wallet, rows[-1]["token_id"] if rows else "", self.page_rows):
            rows += page
        return sorted(rows, key=lambda row: -(row["value_usd"] or 0))

    async def closed(self, wallet: str, *, rows_max: int) -> list[Row]:
        """Returns what a wallet has closed, newest first."""
        rows: list[Row] = []
        at: datetime | None = None
        id_: int | None = None
        while len(rows) < rows_max:
            page = await self._page(CLOSED, wallet, at, id_, min(self.page_rows, rows_max - len(rows)))
            if not page:
                break
            rows += page
            at, id_ = page[-1]["closed_at"], page[-1]["id"]
        return rows

    async def hot(self) -> list[Row]:
        """Returns the wallets that are marked hot."""
        rows: list[Row] = []
        while page := await self._page(HOT, rows[-1]["wallet_address"] if rows else "", self.page_rows):
            rows += page
        return rows

    async def mark(self, wallets: Sequence[str], *, hot: bool) -> list[str]:
        """Marks wallets hot, which makes them active traders, or takes the mark away; returns those that changed."""
        statement = sql.MARK_HOT if hot else sql.MARK_COLD

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, sorted(set(wallets)))

        return [row["wallet_address"] for row in await self.connection.run(work)]

    async def _page(self, statement: str, *values: object) -> list[Row]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return [dict(row) for row in await self.connection.run(work)]
