"""Trades, markets and job runs, and the records of traders as naive Python over all trades computes them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import attrs

from actors.jobs.trader_statistics import TraderStatistics
from actors.rules.market_kind import niche_of, structure_of
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.job_store import PostgresJobStore
from engine.adapters.postgres.trader_record_store import PostgresTraderRecords
from engine.adapters.postgres.trader_stats_store import PostgresTraderStatsStore
from protocols.decisions import ProfileRecord, TraderRecord, WindowRecord
from protocols.jobs import JobLease, RunningJob

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MICRO = Decimal("0.000001")
CLEAR = """
TRUNCATE trades_public, markets, market_tokens, trader_open_buys, trader_stats_daily, trader_stats_stale, ft_cursors,
    trader_global_stats, trader_profile_stats, engine_leases, job_runs, job_requests
"""
ADD_TRADE = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, raw) VALUES ($1, 1, $2, '0x', $3, $4, $5, $6, $7, $8, '{}')
"""
ADD_MARKET = """
INSERT INTO markets (condition_id, title, category, outcomes, raw_gamma)
VALUES ($1, $2, 'Sports', '["Yes", "No"]', '{"tags": [{"label": "NBA"}, "x"]}')
"""
ADD_TOKEN = "INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index) VALUES ($1, $2, $3, $4)"
RESOLVE = """
UPDATE markets SET closed = true, resolution_status = 'resolved', outcome_prices = $2::jsonb, close_time = $3
WHERE condition_id = $1
"""


@attrs.frozen(kw_only=True)
class Bought:
    """One trade."""

    wallet: str
    market: int
    outcome: int
    side: str
    shares: Decimal
    price: Decimal
    day: int
    """Days after NOON's, negative before."""

    @property
    def token(self) -> str:
        return f"{self.market}{self.outcome}"


class Stopped(Exception):
    """The engine died between two transactions."""


@attrs.define(eq=False)
class DyingStore:
    """The real store, which fails before a chosen transaction."""

    store: PostgresTraderStatsStore
    left: int

    def __getattr__(self, name: str) -> Any:
        if self.left == 0:
            raise Stopped
        self.left -= 1
        return getattr(self.store, name)


@attrs.define(eq=False)
class TraderWorld:
    connection: Connection
    now: datetime = NOON
    trades: list[Bought] = attrs.field(factory=list)
    resolved: dict[int, tuple[Sequence[str], date]] = attrs.field(factory=dict)
    """By market: payouts as written, and the day that counts."""
    _lease: JobLease | None = None

    def now_ms(self) -> int:
        return round(self.now.timestamp() * 1000)

    async def run(self, statement: str, *arguments: Any) -> Any:
        return await self.connection.run(lambda raw: raw.fetch(statement, *arguments))

    async def begin(self, markets: int) -> None:
        await self.run(CLEAR)
        for market in range(markets):
            await self.run(ADD_MARKET, f"m{market}", title_of(market))
            for outcome in range(2):
                await self.run(ADD_TOKEN, f"{market}{outcome}", f"m{market}", ("Yes", "No")[outcome], outcome)
        lease = await PostgresJobStore(self.connection).claim(
            "trader-stats", slot_ms=0, owner="me", holder="test", ttl_s=600
        )
        assert isinstance(lease, JobLease)
        self._lease = lease

    @property
    def lease(self) -> JobLease:
        assert self._lease is not None
        return self._lease

    async def trade(self, one: Bought) -> None:
        at = NOON + timedelta(days=one.day)
        values = (one.wallet, one.token, f"m{one.market}", one.side, one.shares, one.price, at)
        await self.run(ADD_TRADE, f"t{len(self.trades)}", *values)
        self.trades.append(one)

    async def resolve(self, market: int, payouts: Sequence[str], day: int) -> None:
        if market in self.resolved:
            return
        at = NOON + timedelta(days=day)
        await self.run(RESOLVE, f"m{market}", str(list(payouts)).replace("'", '"'), at)
        self.resolved[market] = (payouts, at.date())

    async def job(self, transactions: int | None = None, rows_max: int = 3, wallets_max: int = 2) -> None:
        """Runs it to its end, or until it dies before a transaction."""
        store: Any = PostgresTraderStatsStore(self.connection, markets_max=2)
        if transactions is not None:
            store = DyingStore(store, transactions)
        job = TraderStatistics(store=store, clock=self, rows_max=rows_max, wallets_max=wallets_max)
        try:
            await job.run(RunningJob(lease=self.lease))
        except Stopped:
            assert transactions is not None

    async def records(self) -> dict[str, TraderRecord]:
        wallets = {one.wallet for one in self.trades}
        return dict(await PostgresTraderRecords(self.connection).find(sorted(wallets)))

    def expected(self) -> dict[str, TraderRecord]:
        buys = [one for one in self.trades if one.side == "BUY"]
        return {
            wallet: TraderRecord(
                lifetime=self._window([one for one in buys if one.wallet == wallet], None),
                d30=self._window([one for one in buys if one.wallet == wallet], 30),
                d7=self._window([one for one in buys if one.wallet == wallet], 7),
                profiles=self._profiles([one for one in buys if one.wallet == wallet]),
            )
            for wallet in {one.wallet for one in buys}
        }

    def _window(self, buys: Sequence[Bought], days: int | None) -> WindowRecord:
        def within(day: date) -> bool:
            return days is None or day > self.now.date() - timedelta(days=days)

        made = [one for one in buys if within((NOON + timedelta(days=one.day)).date())]
        ended = [one for one in buys if one.market in self.resolved and within(self.resolved[one.market][1])]
        cost, paid = sum(map(usd, ended)), sum(self.payout(one) * one.shares for one in ended)
        return WindowRecord(
            resolved_count=len(ended),
            win_rate=rounded(sum(map(self.payout, ended)), len(ended)),
            trade_count=len(made),
            avg_trade_usd=rounded(sum(map(usd, made)), len(made)),
            roi=None if not cost else (100 * (paid - cost) / cost).quantize(MICRO, ROUND_HALF_UP) / 100,
        )

    def _profiles(self, buys: Sequence[Bought]) -> tuple[ProfileRecord, ...]:
        groups: dict[tuple[str, str, str], list[Bought]] = {}
        for one in buys:
            if one.market in self.resolved:
                title = title_of(one.market)
                key = (niche_of(title, "Sports", ["NBA", "x"]), structure_of(title, ["Yes", "No"]), bracket(one.price))
                groups.setdefault(key, []).append(one)
        return tuple(
            ProfileRecord(
                niche=niche, structure=structure, bracket=name, resolved_count=len(group),
                win_rate=rounded(sum(map(self.payout, group)), len(group)) or Decimal(0),
            )
            for (niche, structure, name), group in sorted(groups.items())
        )  # fmt: skip

    def payout(self, one: Bought) -> Decimal:
        return Decimal(self.resolved[one.market][0][one.outcome])


def title_of(market: int) -> str:
    return ("Lakers vs. Bulls", "Lakers spread (-3.5)", "Total points O/U 200")[market % 3]


def usd(one: Bought) -> Decimal:
    return (one.shares * one.price).quantize(MICRO, ROUND_HALF_UP)


def rounded(total: Decimal | int, count: int) -> Decimal | None:
    return (Decimal(total) / count).quantize(MICRO, ROUND_HALF_UP) if count else None


def bracket(price: Decimal) -> str:
    return "LOW" if price < Decimal("0.30") else "MID" if price <= Decimal("0.70") else "HIGH"
