"""Reports of forward testing: reads only, every list bounded and continued by key."""

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import attrs
import msgspec

from actors.rules.paper.position_state import position_state
from engine.adapters.postgres import ft_report_statements as sql
from engine.adapters.postgres.balance_rows import balance_of
from engine.adapters.postgres.database import RunsWork
from engine.adapters.postgres.strategy_rows import strategy_of
from protocols.clock import WallClock
from protocols.ft_reports import (
    DayRow,
    EndedInMarket,
    OrderQuery,
    OrderRow,
    PublicRow,
    RankRow,
    SignalRow,
    StrategyStanding,
    StreamStatus,
)
from protocols.timestamps import utc_datetime

SEQ_END = 2**63 - 1

TAGS_MAX = 50
_ORDER_FIELDS = tuple(field.name for field in msgspec.structs.fields(OrderRow) if field.name != "state")


@attrs.define(eq=False, kw_only=True)
class PostgresFtReports:
    """`FtReports`, over a connection or a pool. Every method raises `TransientError`."""

    connection: RunsWork
    clock: WallClock

    async def standings(self, *, after: str, owner_id: str | None, rows_max: int) -> list[StrategyStanding]:
        """Returns strategies that are not archived, in the order of their names."""
        return [_standing(row) for row in await self._rows(sql.STANDINGS, after, owner_id, rows_max)]

    async def standing(self, wallet_id: str) -> StrategyStanding | None:
        """Returns one of them, or None."""
        rows = await self._rows(sql.STANDING_OF, wallet_id)
        return _standing(rows[0]) if rows else None

    async def public(self, *, after: str, rows_max: int) -> list[PublicRow]:
        """Returns what everybody may know, in the order of names."""
        return [PublicRow(**row) for row in await self._rows(sql.PUBLIC, after, rows_max)]

    async def orders(self, query: OrderQuery) -> list[OrderRow]:
        """Returns orders of a strategy, newest first."""
        statement = sql.ENDED_ORDERS if query.ended else sql.OPEN_ORDERS if query.outcome == "OPEN" else sql.ORDERS
        time_us, order_id = query.before or (None, None)
        rows = await self._rows(statement, query.wallet_id, time_us, order_id, query.outcome, query.rows_max)
        now_ms = self.clock.now_ms()
        return [_order(row, now_ms) for row in rows]

    async def days(self, wallet_id: str, *, from_day: date, after: date, rows_max: int) -> list[DayRow]:
        """Returns days on which something ended, rising."""
        return [DayRow(**row) for row in await self._rows(sql.DAYS, wallet_id, from_day, after, rows_max)]

    async def ended_by_market(self, wallet_id: str, orders_max: int) -> Sequence[EndedInMarket]:
        """Returns the last orders that ended, by market."""
        rows = await self._rows(sql.ENDED_BY_MARKET, wallet_id, orders_max)
        return [EndedInMarket(**{**row, "tags": _labels(row["tags"])}) for row in rows]

    async def signals(self, number: int, decisions_max: int, rows_max: int) -> list[SignalRow]:
        """Returns what a strategy decided among the last decisions, newest first."""
        return (await self.signal_page(number, None, decisions_max, rows_max))[0]

    async def signal_page(
        self, number: int, before: int | None, decisions_max: int, rows_max: int
    ) -> tuple[list[SignalRow], int | None]:
        """Returns what a strategy decided among so many decisions, and where the next page begins."""
        before = SEQ_END if before is None else before
        rows = [dict(row) for row in await self._rows(sql.SIGNALS, number, decisions_max, rows_max + 1, before)]
        places = [row.pop("seq") for row in rows]
        if len(rows) > rows_max:
            after = places[rows_max - 1]
        else:
            [end] = await self._rows(sql.SIGNALS_END, decisions_max, before)
            after = end["seq"] if end["looked_at"] == decisions_max else None
        return [SignalRow(**row) for row in rows[:rows_max]], after

    async def ranks(self, by: str, *, after: tuple[Decimal, str] | None, rows_max: int) -> list[RankRow]:
        """Returns strategies by a figure, highest first."""
        value, wallet_id = after or (None, None)
        return [RankRow(**row) for row in await self._rows(sql.RANKS, by, value, wallet_id, rows_max)]

    async def target_traders(
        self, *, after: str, owner_id: str | None, now_ms: int, rows_max: int
    ) -> tuple[Collection[str], int, bool]:
        """Returns wallets that running strategies copy, how many there are, and whether the leaderboard is among them."""
        [row] = await self._rows(sql.TARGETS, utc_datetime(now_ms), owner_id, after, rows_max)
        return row["wallets"], row["count"], row["has_leaderboard"]

    async def stream_status(self, now_ms: int) -> StreamStatus:
        """Returns counts."""
        [row] = await self._rows(sql.STREAM_STATUS, utc_datetime(now_ms), None)
        return StreamStatus(**row)

    async def _rows(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(statement, *values)

        return await self.connection.run(work)


def _standing(row: asyncpg.Record) -> StrategyStanding:
    return StrategyStanding(
        strategy=strategy_of(row),
        owner_name=row["owner_name"],
        created_at=row["created_at"],
        balance=balance_of(row),
        unrealized_pnl=row["unrealized_pnl"],
        unmarked_positions=row["unmarked_positions"],
        trades_seen=row["trades_seen"],
        trades_taken=row["trades_taken"],
    )


def _order(row: asyncpg.Record, now_ms: int) -> OrderRow:
    end: datetime | None = row["market_end_time"]
    state = position_state(
        row["outcome"],
        resolved=bool(row["is_resolved"]),
        closed=bool(row["closed"]),
        end_ms=None if end is None else round(end.timestamp() * 1000),
        game_start=row["game_start"],
        now_ms=now_ms,
    )
    return OrderRow(**{name: row[name] for name in _ORDER_FIELDS}, state=state)


def _labels(text: str | None) -> tuple[str, ...]:
    """Tags come as texts and as objects with a label."""
    listed = None if text is None else json.loads(text)
    tags = listed[:TAGS_MAX] if isinstance(listed, list) else []
    labels = [tag.get("label") if isinstance(tag, dict) else tag for tag in tags]
    return tuple(label for label in labels if isinstance(label, str))
