"""Stored trades of one trader, with markets that pay, in a database or in lists; the truth is planted by a seed."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs

from protocols.backtest import BacktestQuery, DayRow, PagePlace, PastTrade, StoredMarket, TradePage
from protocols.decisions import MarketInput

TRADER = "0x" + "7" * 40
DAY_MS = 86_400_000
ADD_TRADES = """
INSERT INTO trades_public (trade_id, lane, trader_wallet, transaction_hash, asset, condition_id, side, size, price,
    trade_timestamp, outcome, outcome_index, market_title, raw)
SELECT one ->> 'trade_id', 0, one ->> 'wallet', one ->> 'transaction_hash', one ->> 'token_id', one ->> 'condition_id', 'BUY',
    (one ->> 'size')::numeric, (one ->> 'price')::numeric, to_timestamp((one ->> 'trade_ms')::bigint / 1000.0), 'Yes', 0,
    one ->> 'title', '{}'
FROM jsonb_array_elements($1::text::jsonb) AS one
"""
ADD_MARKETS = """
INSERT INTO markets (condition_id, title, category, outcomes, outcome_prices, closed, resolution_status, close_time)
SELECT one ->> 0, one ->> 1, 'Sports', '["Yes", "No"]', jsonb_build_array((one ->> 2)::int, 1 - (one ->> 2)::int), true,
    'resolved', to_timestamp((one ->> 3)::bigint / 1000.0)
FROM jsonb_array_elements($1::text::jsonb) AS one
"""
ADD_TOKENS = """
INSERT INTO market_tokens (token_id, condition_id, outcome, outcome_index, payout)
SELECT one ->> 0, one ->> 1, one ->> 2, (one ->> 3)::int, (one ->> 4)::int FROM jsonb_array_elements($1::text::jsonb) AS one
"""


@attrs.frozen
class PlantedMarket:
    number: int
    pays: bool
    ended_ms: int

    @property
    def condition_id(self) -> str:
        return f"0x{self.number:064x}"

    @property
    def token_id(self) -> str:
        return f"{1_000 + 2 * self.number}"

    @property
    def other_token(self) -> str:
        return f"{1_001 + 2 * self.number}"


@attrs.define(eq=False)
class PlantedRows:
    """`BacktestStore` over lists."""

    trades_: list[PastTrade]
    markets_: dict[str, PlantedMarket]

    async def trades(self, query: BacktestQuery, after: PagePlace | None = None) -> TradePage:
        return TradePage(
            trades=[
                one
                for one in self.trades_
                if query.since_ms <= one.trade_ms < query.until_ms
                and (query.wallets is None or one.wallet in query.wallets)
            ],
            after=None,
        )

    async def markets(self, condition_ids: Sequence[str]) -> dict[str, StoredMarket]:
        return {id_: _stored(self.markets_[id_]) for id_ in condition_ids}

    async def day_rows(self, wallets: Sequence[str] | None, *, before: date) -> list[DayRow]:
        return []

    async def insert(self, fetch) -> None:
        rows = [{**attrs.asdict(one), "price": str(one.price), "size": str(one.size)} for one in self.trades_]
        for first in range(0, len(rows), 5_000):
            await fetch(ADD_TRADES, json.dumps(rows[first : first + 5_000]))
        markets = list(self.markets_.values())
        await fetch(ADD_MARKETS, json.dumps([[m.condition_id, "Lakers?", int(m.pays), m.ended_ms] for m in markets]))
        tokens = [
            (token, m.condition_id, label, index, int(m.pays == (index == 0)))
            for m in markets
            for index, (token, label) in enumerate(((m.token_id, "Yes"), (m.other_token, "No")))
        ]
        await fetch(ADD_TOKENS, json.dumps(tokens))


def planted_rows(
    seed: int,
    *,
    until_ms: int,
    days: int = 30,
    a_day: int = 60,
    hours: tuple[float, float] = (0.5, 40),
    good: float = 0.3,
) -> PlantedRows:
    """Trades below 0.5 win by `good` more than they cost, those above lose by as much; each market has one."""
    rng, trades, markets = random.Random(seed), list[PastTrade](), dict[str, PlantedMarket]()
    for number in range(days * a_day):
        trade_ms = until_ms - days * DAY_MS + number * DAY_MS // a_day
        price = round(rng.uniform(0.1, 0.9), 2)
        won = rng.random() < price + (good if price < 0.5 else -good)
        market = PlantedMarket(number, won, trade_ms + round(rng.uniform(*hours) * 3_600_000))
        markets[market.condition_id] = market
        trades.append(_trade(number, market, Decimal(str(price)), trade_ms // 1000 * 1000))
    return PlantedRows(trades, markets)


def _trade(number: int, market: PlantedMarket, price: Decimal, trade_ms: int) -> PastTrade:
    hash_ = f"0x{number:064x}"
    return PastTrade(
        trade_id=f"planted {number}", lane=0, wallet=TRADER, transaction_hash=hash_, token_id=market.token_id,
        condition_id=market.condition_id, side="BUY", price=price, size=Decimal(100), trade_ms=trade_ms,
        ingested_ms=trade_ms, outcome="Yes", outcome_index=0, title="Lakers?", slug=None, event_slug=None, name=None,
    )  # fmt: skip


def _stored(market: PlantedMarket) -> StoredMarket:
    paid = (Decimal(int(market.pays)), Decimal(int(not market.pays)))
    return StoredMarket(
        market=MarketInput(
            condition_id=market.condition_id, title="Lakers?", category="Sports", outcomes=("Yes", "No"),
            token_ids=(market.token_id, market.other_token), closed=True, resolved=True, outcome_prices=paid,
        ),
        ended_ms=market.ended_ms,
    )  # fmt: skip


def midnight_ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000) // DAY_MS * DAY_MS
