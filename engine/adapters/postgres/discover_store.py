"""Lists in which users find traders, and what the fire feed is made of: one statement a page."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg
import attrs
import msgspec

from actors.rules.exact import EXACT
from engine.adapters.postgres import discover_statements as sql
from engine.adapters.postgres.copyability_statements import COPYABLE
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.feed_rows import EPOCH, feed_row, position_of
from protocols.clock import WallClock
from protocols.discover import (
    ActiveRow,
    BigTrade,
    ConsistentRow,
    CopiedRow,
    CopyableRow,
    FireCandidate,
    LeaderList,
    LeaderRow,
    ListQuery,
    WinnerRow,
)
from protocols.feed import FeedPosition
from protocols.timestamps import LATEST_MS, utc_datetime

R = TypeVar("R", bound=msgspec.Struct)
_MICROSECOND = timedelta(microseconds=1)
_NEWER_THAN_ALL = FeedPosition(trade_us=LATEST_MS * 1000, trade_id="")


@attrs.define(eq=False, kw_only=True)
class PostgresDiscoverLists:
    """`DiscoverLists`, over a connection or a pool. Every method raises `TransientError`."""

    connection: RunsWork
    clock: WallClock

    async def leaderboard(self, query: ListQuery, sort: str, after: tuple[Decimal, str] | None) -> LeaderList:
        """Returns active traders by a figure, each with its sparkline."""
        today = self._now().date()
        figure, wallet = after or (None, None)

        async def work(raw: asyncpg.Connection) -> LeaderList:
            rows = await raw.fetch(sql.LEADERS[sort], *_asked(query), today, figure, wallet)
            anchor = await raw.fetchval(sql.ANCHOR)
            return LeaderList(rows=_rows_of(LeaderRow, rows), sparkline_to=anchor or today)

        return await self.connection.run(work)

    async def winners(self, query: ListQuery, window: str, after: tuple[int, str] | None) -> list[WinnerRow]:
        """Returns traders with a profit in a window of the rankings."""
        rank, wallet = after or (None, None)
        return _rows_of(WinnerRow, await self._rows(sql.WINNERS, *_asked(query), window, rank, wallet))

    async def active(self, query: ListQuery, until: datetime, after: tuple[int, str] | None) -> list[ActiveRow]:
        """Returns traders by stored trades of 24 hours; `min_trades` has to be given."""
        trades, wallet = after or (None, None)
        return _rows_of(ActiveRow, await self._rows(sql.ACTIVE, *_asked(query), until, trades, wallet))

    async def consistent(
        self, query: ListQuery, days_min: int, after: tuple[Decimal, int, str] | None
    ) -> list[ConsistentRow]:
        """Returns traders with a profit by their share of winning days."""
        place = after or (None, None, None)
        today = self._now().date()
        return _rows_of(ConsistentRow, await self._rows(sql.CONSISTENT, *_asked(query), today, days_min, *place))

    async def copied(self, query: ListQuery, sort: str, after: tuple[int, int, str] | None) -> list[CopiedRow]:
        """Returns traders by followers or by strategies."""
        place = after or (None, None, None)
        return _rows_of(CopiedRow, await self._rows(sql.COPIED, *_asked(query), self._now(), sort, *place))

    async def copyable(self, query: ListQuery, sort: str, after: tuple[Decimal, str] | None) -> list[CopyableRow]:
        """Returns traders with enough evidence by what copying them would have made."""
        place = after or (None, None)
        today = self._now().date()
        return _rows_of(CopyableRow, await self._rows(COPYABLE[sort], *_asked(query), today, *place))

    async def big_trades(self, query: ListQuery, until: datetime, after: tuple[Decimal, str] | None) -> list[BigTrade]:
        """Returns large trades of an hour."""
        notional, trade_id = after or (None, None)
        rows = await self._rows(sql.BIG_TRADES, query.rows_max, query.category, until, notional, trade_id)
        return [BigTrade(**msgspec.structs.asdict(feed_row(row)), notional=row["notional"]) for row in rows]

    async def fire_candidates(self, since: datetime, after: FeedPosition | None, rows_max: int) -> list[FireCandidate]:
        """Returns the newest BUY trades of the best records, newest first."""
        place = after or _NEWER_THAN_ALL
        moment = EPOCH + place.trade_us * _MICROSECOND
        return [_candidate(row) for row in await self._rows(sql.FIRE, since, moment, place.trade_id, rows_max)]

    def _now(self) -> datetime:
        return utc_datetime(self.clock.now_ms())

    async def _rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return await self.connection.run(work)


def _asked(query: ListQuery) -> tuple[Any, ...]:
    return query.user_id, query.rows_max, query.min_trades, query.category


def _rows_of(kind: type[R], rows: Sequence[asyncpg.Record]) -> list[R]:
    return [kind(**row) for row in rows]


def _candidate(row: asyncpg.Record) -> FireCandidate:
    roi_pct: Decimal | None = row["roi_pct"]
    return FireCandidate(
        row=feed_row(row),
        position=position_of(row),
        trade_usd=row["trade_usd"],
        win_rate=row["d30_win_rate"],
        resolved_count=row["d30_resolved_count"],
        roi=None if roi_pct is None else EXACT.divide(roi_pct, Decimal(100)),
        average_usd=row["average_usd"],
    )
