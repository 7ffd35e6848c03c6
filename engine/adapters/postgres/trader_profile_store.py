"""Profiles of traders: reads only, every list bounded and continued by key."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import attrs
import msgspec

from engine.adapters.postgres import trader_head_statements as head_sql
from engine.adapters.postgres import trader_list_statements as list_sql
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.feed_rows import EPOCH, feed_row, position_of
from engine.adapters.postgres.trader_head_rows import copied_rows, head_of, records_of, windows_of
from protocols.clock import WallClock
from protocols.feed import FeedPosition
from protocols.timestamps import LATEST_MS, utc_datetime
from protocols.trader_lists import ActivityDay, ClosedPositionRow, DayPnl, MarketResult, OpenPosition, SortPlace
from protocols.traders import OpenTotals, PartSizes, TradeList, TraderParts

R = TypeVar("R", bound=msgspec.Struct)
COPIED_BY_MAX = 50
_MICROSECOND = timedelta(microseconds=1)
_NEWER_THAN_ALL = FeedPosition(trade_us=LATEST_MS * 1000, trade_id="")


@attrs.define(eq=False, kw_only=True)
class PostgresTraderReports:
    """`TraderReports`, over a connection or a pool. Every method raises `TransientError`."""

    connection: RunsWork
    clock: WallClock

    async def is_known(self, wallet: str) -> bool:
        """Returns whether anything is known of a wallet."""
        return bool((await self._rows(head_sql.KNOWN, wallet))[0][0])

    async def profile(self, user_id: str, wallet: str, sizes: PartSizes) -> TraderParts | None:
        """Reads all parts with one crossing; None when nothing is known of the wallet."""
        now = utc_datetime(self.clock.now_ms())

        async def work(raw: asyncpg.Connection) -> TraderParts | None:
            if not await raw.fetchval(head_sql.KNOWN, wallet):
                return None
            [row] = await raw.fetch(head_sql.HEAD, wallet, user_id)
            stats = await raw.fetchrow(head_sql.RECORDS, wallet)
            ranked = await raw.fetch(head_sql.RANKED, wallet)
            copied = await raw.fetch(head_sql.COPIED_BY, wallet, user_id, now, COPIED_BY_MAX)
            [totals] = await raw.fetch(head_sql.OPEN_TOTALS, wallet)
            held = await raw.fetch(list_sql.OPEN, wallet, "value", None, None, sizes.positions + 1)
            trades = await raw.fetch(list_sql.TRADES, *_trades_asked(wallet, None, sizes.trades))
            days = await raw.fetch(list_sql.NEWEST_DAYS, wallet, sizes.days)
            head = head_of(
                wallet,
                row,
                records=records_of(stats),
                records_at=None if stats is None else stats["updated_at"],
                windows=windows_of(ranked),
                copied=copied_rows(copied),
                totals=OpenTotals(**totals),
            )
            return TraderParts(
                head=head,
                open_positions=[_open(one, now) for one in held],
                trades=_trade_list(trades, sizes.trades),
                days=_rows_of(DayPnl, days),
            )

        return await self.connection.run(work)

    async def open(self, wallet: str, sort: str, after: SortPlace | None, rows_max: int) -> list[OpenPosition]:
        """Returns open positions by value or by when they were opened, highest first."""
        figure, token_id = after or (None, None)
        now = utc_datetime(self.clock.now_ms())
        return [_open(row, now) for row in await self._rows(list_sql.OPEN, wallet, sort, figure, token_id, rows_max)]

    async def closed(self, wallet: str, after: tuple[datetime, str] | None, rows_max: int) -> list[ClosedPositionRow]:
        """Returns closed positions, the last closed first."""
        closed_at, token_id = after or (None, None)
        return _rows_of(
            ClosedPositionRow, await self._rows(list_sql.CLOSED, wallet, closed_at, token_id or "", rows_max)
        )

    async def trades(self, wallet: str, after: FeedPosition | None, limit: int) -> TradeList:
        """Returns a page of stored trades, newest first."""
        return _trade_list(await self._rows(list_sql.TRADES, *_trades_asked(wallet, after, limit)), limit)

    async def days(self, wallet: str, since: date, after: date | None, rows_max: int) -> list[DayPnl]:
        """Returns days on which he closed something, rising."""
        return _rows_of(DayPnl, await self._rows(list_sql.DAYS, wallet, since, after, rows_max))

    async def markets(self, wallet: str, sort: str, after: SortPlace | None, rows_max: int) -> list[MarketResult]:
        """Returns his markets by a figure, highest first."""
        figure, condition_id = after or (None, None)
        rows = await self._rows(list_sql.MARKETS, wallet, sort, figure, condition_id, rows_max)
        return _rows_of(MarketResult, rows)

    async def activity(self, wallet: str, before: date | None, rows_max: int) -> list[ActivityDay]:
        """Returns days on which he did something, newest first."""
        return _rows_of(ActivityDay, await self._rows(list_sql.ACTIVITY, wallet, before, rows_max))

    async def _rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return await self.connection.run(work)


def _rows_of(kind: type[R], rows: Sequence[asyncpg.Record]) -> list[R]:
    return [kind(**row) for row in rows]


def _open(row: asyncpg.Record, now: datetime) -> OpenPosition:
    age_s = max(0, (now - row["last_seen_at"]) // timedelta(seconds=1))
    return OpenPosition(**row, age_s=age_s)


def _trades_asked(wallet: str, after: FeedPosition | None, limit: int) -> tuple[Any, ...]:
    place = after or _NEWER_THAN_ALL
    return wallet, EPOCH + place.trade_us * _MICROSECOND, place.trade_id, limit + 1


def _trade_list(rows: Sequence[asyncpg.Record], limit: int) -> TradeList:
    last = rows[limit - 1] if len(rows) > limit else None
    return TradeList(rows=[feed_row(row) for row in rows[:limit]], next=None if last is None else position_of(last))
