"""A made-up platform in PostgreSQL: traders of whom some know more than the price, markets that end, and records by day.

Each market has a true probability; the price is that with an error. Who knows it buys the side that is too cheap, the
others buy any side. So a trader's results above the price say whether his next trade is worth copying, and nothing else does.
"""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import attrs

from actors.rules.backtest.record_book import Bought, day_rows
from actors.rules.market_kind import niche_of, structure_of
from engine.adapters.postgres.database import Connection

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TITLES = (
    "Lakers vs. Bulls",
    "Will it rain in Paris?",
    "Arsenal spread (-1.5)",
    "Bitcoin above 100k?",
    "Total goals O/U 2.5",
)
TRADE_COLUMNS = [
    "trade_id", "lane", "trader_wallet", "transaction_hash", "asset", "condition_id", "side", "size", "price",
    "trade_timestamp", "outcome", "raw",
]  # fmt: skip
MARKET_COLUMNS = [
    "condition_id", "title", "category", "outcomes", "outcome_prices", "closed", "resolution_status", "end_time",
    "close_time",
]  # fmt: skip
DAY_COLUMNS = [
    "wallet_address", "day", "niche", "structure", "bracket", "trades", "usd", "resolved_trades", "wins",
    "resolved_usd", "payout_usd",
]  # fmt: skip


@attrs.frozen(kw_only=True)
class Plan:
    """What to make up."""

    trades: int
    traders: int = 60
    days: int = 60
    skilled: float = 0.5
    """Share of traders who know the truth."""
    error: float = 0.2
    """Standard error of prices."""
    shuffled: bool = False
    """Who won is dealt out to the markets anew, after everybody has bought."""
    trades_a_market: int = 2
    seed: int = 1

    @property
    def until_ms(self) -> int:
        """When all has ended."""
        return round((BEGIN + timedelta(days=self.days + 5)).timestamp() * 1000)


@attrs.frozen
class _Market:
    number: int
    truth: float
    shown: float
    opens_h: float
    ends_h: float

    @property
    def condition_id(self) -> str:
        return f"0xm{self.number:07d}"

    @property
    def title(self) -> str:
        return TITLES[self.number % len(TITLES)]


@attrs.define(eq=False)
class PlantedWorld:
    """Rows, made of a plan and nothing else."""

    plan: Plan
    markets: list[_Market] = attrs.field(init=False, factory=list)
    winners: list[int] = attrs.field(init=False, factory=list)
    rng: random.Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        plan = self.plan
        self.rng = rng = random.Random(plan.seed)
        for number in range(max(1, plan.trades // plan.trades_a_market)):
            truth = rng.uniform(0.1, 0.9)
            shown = min(0.97, max(0.03, truth + rng.gauss(0, plan.error)))
            opens_h = rng.uniform(0, plan.days * 24)
            self.markets.append(_Market(number, truth, shown, opens_h, opens_h + rng.uniform(6, 72)))
        self.winners = [0 if rng.random() < one.truth else 1 for one in self.markets]
        if plan.shuffled:
            rng.shuffle(self.winners)

    def trades(self) -> list[tuple[Any, ...]]:
        """Rows of trades_public, in TRADE_COLUMNS."""
        plan, rng, rows = self.plan, random.Random(self.plan.seed + 1), []
        for number in range(plan.trades):
            market = self.markets[rng.randrange(len(self.markets))]
            trader = rng.randrange(plan.traders)
            knows = trader < plan.skilled * plan.traders
            outcome = int(market.truth <= market.shown) if knows else rng.randrange(2)
            price = market.shown if outcome == 0 else 1 - market.shown
            at_h = market.opens_h + rng.random() * (market.ends_h - market.opens_h) * 0.95
            rows.append(
                (
                    f"t{number:08d}", 2, wallet(trader), f"0x{number:x}", f"{market.number}{outcome}", market.condition_id,
                    "BUY", Decimal(rng.randrange(5, 500)), Decimal(f"{price:.4f}"), BEGIN + timedelta(hours=at_h),
                    ("Yes", "No")[outcome], "{}",
                )
            )  # fmt: skip
        return rows

    def market_rows(self) -> list[tuple[Any, ...]]:
        """Rows of markets, in MARKET_COLUMNS."""
        return [
            (
                one.condition_id, one.title, "", '["Yes", "No"]', ('["1", "0"]', '["0", "1"]')[winner], True, "resolved",
                BEGIN + timedelta(hours=one.ends_h), BEGIN + timedelta(hours=one.ends_h),
            )
            for one, winner in zip(self.markets, self.winners, strict=True)
        ]  # fmt: skip

    def token_rows(self) -> list[tuple[Any, ...]]:
        return [
            (f"{one.number}{outcome}", one.condition_id, ("Yes", "No")[outcome], outcome)
            for one in self.markets
            for outcome in range(2)
        ]

    def day_rows(self, trades: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows of trader_stats_daily as the job would have them, in DAY_COLUMNS."""
        kinds = [(niche_of(title, "", ()), structure_of(title, ("Yes", "No"))) for title in TITLES]
        by_wallet: dict[str, list[Bought]] = defaultdict(list)
        for row in trades:
            market = self.markets[int(row[5][3:])]
            niche, structure = kinds[market.number % len(TITLES)]
            ended: date = (BEGIN + timedelta(hours=market.ends_h)).date()
            won = self.winners[market.number] == int(row[4][-1])
            by_wallet[row[2]].append(
                Bought(wallet=row[2], day=row[9].date(), price=row[8], shares=row[7], niche=niche, structure=structure,
                       ended_on=ended, payout=Decimal(int(won)))
            )  # fmt: skip
        return [attrs.astuple(row) for wallet_ in sorted(by_wallet) for row in day_rows(by_wallet[wallet_])]

    async def write(self, connection: Connection, *, pages: int = 100_000) -> None:
        """Writes everything."""
        trades = self.trades()
        tables = (
            ("markets", MARKET_COLUMNS, self.market_rows()),
            ("market_tokens", ["token_id", "condition_id", "outcome", "outcome_index"], self.token_rows()),
            ("trades_public", TRADE_COLUMNS, trades),
            ("trader_stats_daily", DAY_COLUMNS, self.day_rows(trades)),
        )
        for name, columns, rows in tables:
            for first in range(0, len(rows), pages):
                await connection.run(partial(_copied, name, columns, rows[first : first + pages]))


async def _copied(name: str, columns: list[str], rows: list[tuple[Any, ...]], raw: Any) -> None:
    await raw.copy_records_to_table(name, columns=columns, records=rows)


def wallet(number: int) -> str:
    return f"0x{number:040x}"
