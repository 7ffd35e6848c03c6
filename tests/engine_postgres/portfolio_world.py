"""A user with copies of every kind in a real database, and what his portfolio says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
from actors_live.live_cases import T0
from engine_adapters.live_worlds import LiveWorld, postgres_live

from actors.jobs.copy_prices import RefreshCopyPnl
from actors.portfolio_desk import Portfolio, PortfolioDesk
from engine.adapters.postgres.copy_mark_store import PostgresCopyMarkStore
from engine.adapters.postgres.copy_record_store import PostgresCopyRecords
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.portfolio_store import PostgresPortfolios
from protocols.jobs import JobLease, RunningJob
from protocols.portfolio import PortfolioQuery
from protocols.timestamps import utc_datetime

D = Decimal
MARKET = "0x" + "c0" * 32
TRADER, OTHER_TRADER = "0x" + "11" * 20, "0x" + "22" * 20
WALLET = "0x" + "99" * 20
NOW_MS = T0 + 100_000
ADD_MARKET = """
INSERT INTO markets (condition_id, title, market_slug, outcomes, outcome_prices, last_price_updated_at)
VALUES ($1, 'Will it?', 'will-it', '["Yes", "No"]', $2::jsonb, $3)
ON CONFLICT (condition_id) DO UPDATE SET outcome_prices = excluded.outcome_prices,
    last_price_updated_at = excluded.last_price_updated_at
"""
ADD_TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index)
SELECT $2::text || place, $1, CASE place WHEN 0 THEN 'Yes' ELSE 'No' END, place FROM generate_series(0, 1) AS place
ON CONFLICT DO NOTHING
"""
RESOLVE = """
UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = $2::jsonb, close_time = $3
WHERE condition_id = $1
"""
SAY = """
INSERT INTO official_position_results (wallet_address, token_id, condition_id, realized_pnl, bought_shares, is_held, synced_at)
VALUES ($1, $2, 'm', $3, $4, false, to_timestamp(1))
"""


@attrs.define
class Clock:
    ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.ms


@attrs.define(eq=False)
class CopyWorld:
    live: LiveWorld
    clock: Clock = attrs.field(factory=Clock)
    quotes: Any = None
    copies: int = 0
    lease: JobLease | None = None

    @property
    def connection(self) -> Any:
        return self.live.connection

    @property
    def store(self) -> PostgresPortfolios:
        return PostgresPortfolios(self.connection, portion=2)

    @property
    def records(self) -> PostgresCopyRecords:
        return PostgresCopyRecords(self.connection)

    @property
    def query(self) -> PortfolioQuery:
        assert self.live.user_id is not None
        return PortfolioQuery(user_id=self.live.user_id, accounts={"main": WALLET})

    async def run(self, statement: str, *values: Any) -> Any:
        return await self.live.fetch(statement, *values)

    async def market(self, condition_id: str = MARKET, token: str = "7", prices: str | None = '["0.4", "0.6"]') -> None:
        await self.run(ADD_MARKET, condition_id, prices, utc_datetime(NOW_MS - 10_000))
        await self.run(ADD_TOKENS, condition_id, token)

    async def resolve(self, prices: str = '["1", "0"]', condition_id: str = MARKET, at_ms: int = T0 + 90_000) -> None:
        await self.run(RESOLVE, condition_id, prices, utc_datetime(at_ms))

    async def copy(self, side: str = "BUY", shares: str = "10", price: str = "0.4", **changes: Any) -> str:
        """A row of `orders`, ten seconds after the one before."""
        self.copies += 1
        at = utc_datetime(T0 + self.copies * 10_000)
        row: dict[str, Any] = {
            "order_id": f"copy-{self.copies:05}", "copy_user_id": self.live.user_id, "copied_trader_wallet": TRADER,
            "market_id": MARKET, "token_id": "70", "outcome": "Yes", "side": side, "price": price and D(price),
            "size": D(shares), "filled_size": D(shares), "status": "filled", "created_at": at, "updated_at": at, **changes,
        }  # fmt: skip
        names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.run(f"INSERT INTO orders ({names}) VALUES ({places})", *row.values())
        return str(row["order_id"])

    async def portfolio(self, *, official: bool = False, **changes: Any) -> Portfolio:
        desk = PortfolioDesk(store=self.store, quotes=self.quotes, clock=self.clock)
        return await desk.portfolio(attrs.evolve(self.query, **changes), official=official)

    async def refresh(self, **limits: int) -> RunningJob:
        """One run of the job."""
        jobs = PostgresJobStore(self.connection)
        if self.lease is None:
            lease = await jobs.claim("refresh-copy-pnl", slot_ms=0, owner="me", holder="test", ttl_s=600)
            assert isinstance(lease, JobLease)
            self.lease = lease
        running = RunningJob(lease=self.lease)
        await RefreshCopyPnl(store=PostgresCopyMarkStore(self.connection), clock=self.clock, **limits).run(running)
        return running


@asynccontextmanager
async def copy_world(database: DatabaseOptions) -> AsyncIterator[CopyWorld]:
    async with postgres_live(database) as live:
        yield CopyWorld(live)
