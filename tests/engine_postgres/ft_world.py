"""Strategies of users that trade on paper, through the stores that do it in the engine, and markets to price them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
from engine_adapters.paper_worlds import NOON_MS, PaperWorld, close, decided, order, paying, postgres_world, traded

from engine.adapters.postgres.database import Connection, DatabaseOptions
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.decisions import PaperOrder
from protocols.strategies import Strategy, StrategySettings
from protocols.trades import LanedTrade

ADD_USER = "INSERT INTO profiles (user_name) VALUES ($1) RETURNING id::text"
ADD_MARKET = """
INSERT INTO markets (condition_id, title, category, outcomes, outcome_prices, closed, end_time)
VALUES ($1, $2, $3, '["Yes", "No"]', $4::jsonb, $5, to_timestamp($6 / 1000.0))
ON CONFLICT (condition_id) DO UPDATE SET outcome_prices = excluded.outcome_prices, closed = excluded.closed
"""
ADD_TOKEN = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ($1, $2, 'Yes', $3) ON CONFLICT DO NOTHING
"""
SETTLED_ORDERS = """
WITH filled AS (
    INSERT INTO ft_orders (order_id, wallet_id, config_version, condition_id, token_id, source_trade_id, trader_address,
        signal_price, entry_price, size, shares, fee_usd, entry_model, fill_inputs, trader_win_rate, trader_resolved_count,
        edge_pct, conviction, outcome, shares_open, cost_open, pnl, order_time, decided_at, resolved_time)
    SELECT gen_random_uuid(), $1, 1, 'c' || n % 500, 't' || n % 500, 'old ' || n, '0x1', 0.5, 0.5, 1, 2, 0, 'slip', '{}',
        0.5, 10, 0, 1, CASE WHEN n % 2 = 0 THEN 'WON' ELSE 'LOST' END, 0, 0, CASE WHEN n % 2 = 0 THEN 1 ELSE -1 END,
        now(), now(), now()
    FROM generate_series(1, $2) AS n RETURNING pnl
)
UPDATE ft_balances SET orders = orders + $2, won = won + $2 / 2, lost = lost + $2 - $2 / 2,
    realized_pnl = realized_pnl + (SELECT sum(pnl) FROM filled), cash = cash + (SELECT sum(pnl) FROM filled),
    stakes = stakes + $2, final_pnl_sum = final_pnl_sum + (SELECT sum(pnl) FROM filled),
    final_pnl_squares = final_pnl_squares + $2
WHERE wallet_id = $1
"""


@attrs.define(eq=False)
class FtWorld:
    connection: Connection
    paper: PaperWorld
    numbers: int = 0

    async def run(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def user(self, name: str) -> str:
        [row] = await self.run(ADD_USER, name)
        return str(row["id"])

    async def strategy(self, wallet_id: str, owner_id: str, **changes: Any) -> Strategy:
        [made] = await StrategyStore(self.connection).create(
            [(wallet_id, StrategySettings(**changes))], owner_id, "test"
        )
        return made

    async def buy(self, wallet_id: str, **changes: Any) -> tuple[LanedTrade, PaperOrder]:
        """A trade and its order: 20 shares for 10 USD at 0.5 and a fee of 0.1."""
        self.numbers += 1
        trade = traded(self.numbers, token_id=f"token-{self.numbers}", condition_id=f"0x{self.numbers:064x}")
        made = order(trade, wallet_id, **changes)
        await self.paper.trades.write([decided(trade, made)])
        return trade, made

    async def sell(self, bought: PaperOrder, shares: str, price: str = "0.6") -> None:
        self.numbers += 1
        source = traded(self.numbers, side="SELL", token_id=bought.token_id, condition_id=bought.condition_id)
        await self.paper.trades.write([decided(source, closes=[close(bought, source, shares, price)])])

    async def market(self, trade: LanedTrade, prices: str | None, *, index: int = 0, closed: bool = False) -> None:
        one = trade.trade
        await self.run(ADD_MARKET, one.condition_id, "Lakers vs. Bulls", "Sports", prices, closed, NOON_MS + 3_600_000)
        await self.run(ADD_TOKEN, one.token_id, one.condition_id, index)

    async def settle(self, trade: LanedTrade, payout: str) -> None:
        await self.paper.settlement.settle([paying(trade, payout)])

    async def settled_orders(self, wallet_id: str, count: int) -> None:
        await self.run(SETTLED_ORDERS, wallet_id, count)


@asynccontextmanager
async def ft_world(database: DatabaseOptions) -> AsyncIterator[FtWorld]:
    async with postgres_world(database) as paper:
        assert paper.connection is not None
        yield FtWorld(paper.connection, paper)
