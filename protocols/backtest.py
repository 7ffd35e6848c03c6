"""Stored trades, as strategies, models and scores are tried on them; and the port that reads them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs

from protocols.decisions import MarketInput

ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class DayRow:
    """What a trader did on a UTC day: a row of `trader_stats_daily`. USD; `wins` is the sum of payouts of a share each."""

    wallet: str
    day: date
    """Of trades for `trades` and `usd`, of the resolution for the others."""
    niche: str
    structure: str
    bracket: str
    trades: int = 0
    usd: Decimal = ZERO
    resolved_trades: int = 0
    wins: Decimal = ZERO
    resolved_usd: Decimal = ZERO
    payout_usd: Decimal = ZERO


@attrs.frozen(kw_only=True)
class PastTrade:
    """A stored trade. Its id is the one that it gets again when it is played."""

    trade_id: str
    lane: int
    wallet: str
    transaction_hash: str
    token_id: str
    condition_id: str
    side: str
    price: Decimal
    size: Decimal
    """Shares."""
    trade_ms: int
    ingested_ms: int
    """When it was stored: later than the trade, much later where history brought it."""
    outcome: str | None
    outcome_index: int | None
    title: str | None
    slug: str | None
    event_slug: str | None
    name: str | None
    """Of the trader."""


@attrs.frozen(kw_only=True)
class StoredMarket:
    """A market as its row has it now, and when it ended."""

    market: MarketInput
    ended_ms: int | None
    """When it was resolved, epoch ms; None: it is not, or nobody says when."""


@attrs.frozen(kw_only=True)
class BacktestQuery:
    """Which stored trades."""

    since_ms: int
    until_ms: int
    """Trades before it."""
    wallets: Sequence[str] | None = None
    """Of these traders; None: of all."""
    lane_max: int = 2
    """2: every stored trade, 0: of copied traders only."""


@attrs.frozen
class PagePlace:
    """Where a page ended."""

    trade_time: datetime
    ingest_seq: int


@attrs.frozen(kw_only=True)
class TradePage:
    """Some trades, maybe none although more follow."""

    trades: Sequence[PastTrade]
    after: PagePlace | None
    """Where the next page goes on; None: this was the last."""


class BacktestStore(Protocol):
    """What is read for a backtest. All methods raise `TransientError`."""

    async def trades(self, query: BacktestQuery, after: PagePlace | None = None) -> TradePage:
        """Returns the next trades in the order of their time; of one time in the order in which they were stored."""
        ...

    async def markets(self, condition_ids: Sequence[str]) -> dict[str, StoredMarket]:
        """Returns the markets that have a row, by condition id."""
        ...

    async def day_rows(self, wallets: Sequence[str] | None, *, before: date) -> list[DayRow]:
        """Returns all that traders did before a day."""
        ...
