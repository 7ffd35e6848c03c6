"""What the forward tester reads of PostgreSQL, and what traders held."""

import math
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import attrs

from actors.rules.paper.holding import VENUE_LAG_MS
from actors.rules.strategy.crowds import market_fill
from engine.adapters.postgres.balance_rows import BALANCES, OPEN_ORDER_COLUMNS, balance_of, open_order
from engine.adapters.postgres.database import RunsWork
from protocols.amounts import MICRO, size_from_micro
from protocols.conflicts import MarketFill
from protocols.paper import Account, Holding, OpenOrder, SeenFill, UndecidedTrade
from protocols.timestamps import utc_datetime
from protocols.trades import Trade

OPEN_ORDERS = f"""
SELECT {OPEN_ORDER_COLUMNS} FROM ft_orders WHERE wallet_id = ANY ($1::text[]) AND outcome = 'OPEN'
ORDER BY wallet_id, order_time, order_id
"""  # noqa: S608
TRADE_COLUMNS = """
    trade_id, trader_wallet, transaction_hash, asset, condition_id, side, size, trim_scale(price) AS price,
    (extract(epoch FROM trade_timestamp) * 1000)::bigint AS trade_ms, outcome, outcome_index, market_slug, event_slug,
    market_title, trader_name, trader_image, market_image, source, raw::text AS raw
"""
RECENT_TRADES = (
    f"SELECT {TRADE_COLUMNS} FROM trades_public WHERE lane = 0 AND trade_timestamp >= $1 ORDER BY ingest_seq"  # noqa: S608
)
# A day earlier: the day of an aggregate is that of its first member.
RECENT_PARTS = """
SELECT trade_id, part FROM decisions WHERE trade_day >= ($1::timestamptz AT TIME ZONE 'UTC')::date - 1
UNION
SELECT trade_id, part FROM decision_members WHERE trade_day >= ($1::timestamptz AT TIME ZONE 'UTC')::date - 1
"""
# What was asked for, and what a poller's latest complete snapshot says: a token that is not in it is not held. One that it
# lacks for the first time may be either.
HOLDINGS = """
WITH pair AS (SELECT * FROM unnest($1::text[], $2::text[]) AS pair (wallet, token_id))
SELECT held.trader_wallet, held.token_id, held.shares, (extract(epoch FROM held.as_of) * 1000)::bigint AS as_of_ms
FROM pair JOIN ft_holdings AS held ON held.trader_wallet = pair.wallet AND held.token_id = pair.token_id
UNION ALL
SELECT pair.wallet, pair.token_id, coalesce(position.size, 0),
    (extract(epoch FROM polled.last_position_check_at) * 1000)::bigint - $3::bigint
FROM pair
JOIN wallet_poll_state AS polled
    ON polled.wallet_address = pair.wallet AND polled.last_position_check_at > now() - interval '10 minutes'
LEFT JOIN positions_current AS position
    ON position.wallet_address = pair.wallet AND position.token_id = pair.token_id
WHERE position.missing_since IS NULL
"""
# One index range for each trader, however the planner estimates.
SEEN_FILLS = """
SELECT fill.* FROM unnest($1::text[], $2::text[]) AS pair (wallet, token_id) CROSS JOIN LATERAL (
    SELECT trade_id, trader_wallet, asset, side, size, (extract(epoch FROM trade_timestamp) * 1000)::bigint AS trade_ms,
        ingest_seq
    FROM trades_public WHERE trader_wallet = pair.wallet AND asset = pair.token_id
    ORDER BY trade_timestamp DESC OFFSET 0
) AS fill ORDER BY fill.ingest_seq
"""
# The index of a market's trades by time finds the latest ones of each.
MARKET_FILLS = """
SELECT fill.* FROM unnest($1::text[]) AS market (condition_id) CROSS JOIN LATERAL (
    SELECT trade_id, trader_wallet AS wallet, trades.condition_id, asset AS token_id, side, size, price,
        (extract(epoch FROM trade_timestamp) * 1000)::bigint AS trade_ms, ingest_seq
    FROM trades_public AS trades
    WHERE trades.condition_id = market.condition_id AND lane = 0 AND trade_timestamp >= $2
        AND ($3::text[] IS NULL OR trader_wallet = ANY ($3))
    ORDER BY trade_timestamp DESC, trade_id DESC LIMIT $4
) AS fill ORDER BY fill.ingest_seq
"""
# What the venue said later counts, whoever writes first.
KEEP_HOLDING = """
INSERT INTO ft_holdings AS old (trader_wallet, token_id, shares, as_of) VALUES ($1, $2, $3, $4)
ON CONFLICT (trader_wallet, token_id) DO UPDATE SET shares = excluded.shares, as_of = excluded.as_of
WHERE old.as_of <= excluded.as_of
"""


@attrs.define(eq=False)
class PostgresPaperStore:
    """`PaperStore`."""

    connection: RunsWork

    async def accounts(self, wallet_ids: Sequence[str]) -> list[Account]:
        """Returns balances and open orders of strategies, in one snapshot. Raises `TransientError`."""
        wanted = list(wallet_ids)

        async def work(raw: asyncpg.Connection) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                return await raw.fetch(BALANCES, wanted), await raw.fetch(OPEN_ORDERS, wanted)

        balances, orders = await self.connection.run(work)
        by_wallet: dict[str, list[OpenOrder]] = {row["wallet_id"]: [] for row in balances}
        for row in orders:
            by_wallet[row["wallet_id"]].append(open_order(row))
        return [
            Account(wallet_id=row["wallet_id"], balance=balance_of(row), open_orders=tuple(by_wallet[row["wallet_id"]]))
            for row in balances
        ]

    async def recent_decisions(self, since_ms: int) -> list[UndecidedTrade]:
        """Returns trades of lane 0 and the parts decided about each, in the order of commits. Raises `TransientError`."""
        since = utc_datetime(since_ms)

        async def work(raw: asyncpg.Connection) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                return await raw.fetch(RECENT_TRADES, since), await raw.fetch(RECENT_PARTS, since)

        trades, decided = await self.connection.run(work)
        parts: dict[str, set[str]] = {}
        for row in decided:
            parts.setdefault(row["trade_id"], set()).add(row["part"])
        return [
            UndecidedTrade(trade=stored_trade(row), parts=frozenset(parts.get(row["trade_id"], ()))) for row in trades
        ]

    async def holdings(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Holding], list[SeenFill]]:
        """Returns what the venue said of pairs of wallet and token, and every stored fill. Raises `TransientError`."""
        distinct = list(dict.fromkeys(pairs))
        columns = [wallet for wallet, _ in distinct], [token_id for _, token_id in distinct]

        async def work(raw: asyncpg.Connection) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                return await raw.fetch(HOLDINGS, *columns, VENUE_LAG_MS), await raw.fetch(SEEN_FILLS, *columns)

        held, fills = await self.connection.run(work)
        return [_holding(row) for row in held], [_fill(row) for row in fills]

    async def market_fills(
        self, condition_ids: Sequence[str], *, since_ms: int, wallets: Collection[str] | None, fills_max: int
    ) -> list[MarketFill]:
        """Returns the latest trades of lane 0 of each market, in the order of their commits. Raises `TransientError`."""
        since = utc_datetime(since_ms)
        counted = None if wallets is None else sorted(wallets)

        async def work(raw: asyncpg.Connection) -> list[asyncpg.Record]:
            return await raw.fetch(MARKET_FILLS, list(dict.fromkeys(condition_ids)), since, counted, fills_max)

        return [_market_fill(row) for row in await self.connection.run(work)]

    async def keep_holding(self, holding: Holding) -> None:
        """Keeps what the venue said, unless a later word is there. Raises `TransientError`."""
        values = (holding.wallet, holding.token_id, size_from_micro(holding.micro), utc_datetime(holding.as_of_ms))

        async def work(raw: asyncpg.Connection) -> Any:
            return await raw.execute(KEEP_HOLDING, *values)

        await self.connection.run(work)


def _micro(shares: Decimal) -> int:
    """The columns have six decimals, so nothing is rounded."""
    return int(shares * MICRO)


def _holding(row: asyncpg.Record) -> Holding:
    return Holding(
        wallet=row["trader_wallet"], token_id=row["token_id"], micro=_micro(row["shares"]), as_of_ms=row["as_of_ms"]
    )


def _fill(row: asyncpg.Record) -> SeenFill:
    return SeenFill(
        trade_id=row["trade_id"],
        wallet=row["trader_wallet"],
        token_id=row["asset"],
        side=row["side"],
        size_micro=_micro(row["size"]),
        trade_ms=row["trade_ms"],
    )


def _market_fill(row: asyncpg.Record) -> MarketFill:
    return market_fill(
        trade_id=row["trade_id"],
        wallet=row["wallet"],
        condition_id=row["condition_id"],
        token_id=row["token_id"],
        side=row["side"],
        size_micro=_micro(row["size"]),
        price=row["price"],
        trade_ms=row["trade_ms"],
    )


def stored_trade(row: asyncpg.Record) -> Trade:
    """Returns the trade of a row of `TRADE_COLUMNS`, as it came, but for its arrival: that was counted on another clock."""
    return Trade(
        trade_id=row["trade_id"],
        wallet=row["trader_wallet"],
        transaction_hash=row["transaction_hash"],
        token_id=row["asset"],
        condition_id=row["condition_id"],
        side=row["side"],
        size_micro=_micro(row["size"]),
        price=row["price"],
        trade_ms=row["trade_ms"],
        outcome=row["outcome"],
        outcome_index=row["outcome_index"],
        market_slug=row["market_slug"],
        event_slug=row["event_slug"],
        market_title=row["market_title"],
        trader_name=row["trader_name"],
        trader_image=row["trader_image"],
        market_image=row["market_image"],
        source=row["source"],
        raw=row["raw"],
        seen_s=math.nan,
    )
