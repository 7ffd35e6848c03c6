"""What users read about strategies: rows as they are stored and as they are shown, and the port where they come from.

Money is USD, prices are USD a share, rates and shares of something are 0 to 1 unless a name says per cent.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import attrs
import msgspec

from protocols.paper import Balance
from protocols.strategies import Strategy


@attrs.frozen(kw_only=True)
class StrategyStanding:
    """A strategy with its running account."""

    strategy: Strategy
    owner_name: str
    created_at: datetime
    balance: Balance
    unrealized_pnl: Decimal | None
    """Of open positions that have a price; None when there are open ones and none of them has one."""
    unmarked_positions: int
    trades_seen: int
    """BUY trades that it decided about, as far as they are counted: within a minute."""
    trades_taken: int


class OrderRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One paper order."""

    order_id: str
    wallet_id: str
    version: int
    """Of the strategy's settings."""
    source_trade_id: str
    members: list[str]
    """Trades of the aggregate that it copies; empty for one trade."""
    trader: str
    condition_id: str
    token_id: str
    token_label: str | None
    market_slug: str | None
    market_title: str | None
    market_end_time: datetime | None
    outcome: str
    """OPEN, WON, LOST, SOLD or VOID."""
    signal_price: Decimal
    entry_price: Decimal
    stake: Decimal
    shares: Decimal
    fee: Decimal
    entry_model: str
    edge: Decimal
    conviction: Decimal
    trader_win_rate: Decimal
    model_probability: Decimal | None
    shares_open: Decimal
    cost_open: Decimal
    pnl: Decimal
    """Of what was sold or settled so far."""
    exit_price: Decimal | None
    close_reason: str | None
    winning_label: str | None
    order_time: datetime
    decided_at: datetime
    resolved_time: datetime | None
    current_price: Decimal | None
    """Last stored price of its token, or its payout; None when there is none."""
    unrealized_pnl: Decimal | None
    """Of the open shares; None without a price and once nothing is open."""
    state: str
    """ENDED, RESOLVED (its market is, it settles soon), AWAITING_RESOLUTION, LIVE (the game has begun) or OPEN."""


class DayRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What ended on one UTC day."""

    day: date
    trades: int
    """Orders that ended: won, lost, sold, void."""
    won: int
    lost: int
    sold: int
    void: int
    pnl: Decimal
    """Of everything sold or settled on that day, also of orders that stayed open in part."""
    cumulative_pnl: Decimal
    win_rate: Decimal | None
    """won / (won + lost)."""
    avg_pnl: Decimal | None
    """pnl / trades."""


class PublicRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What everybody may know of a strategy."""

    wallet_id: str
    display_name: str
    description: str
    is_active: bool
    total_orders: int
    open: int
    won: int
    lost: int
    sold: int
    void: int


class RankRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A place of the leaderboard."""

    wallet_id: str
    display_name: str
    value: Decimal
    """What it is ranked by."""
    return_pct: Decimal
    """Realised profit in per cent of the starting balance."""
    win_rate: Decimal | None
    realized_pnl: Decimal
    sharpe: Decimal | None
    orders: int


class SignalRow(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a strategy decided about a trade."""

    trade_id: str
    part: str
    decided_at: datetime
    reason: str
    title: str | None
    side: str
    price: Decimal
    trader: str


class StreamStatus(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How much there is to copy, and how much was."""

    target_traders: int
    leaderboard_wallets: int
    """Active rows of `traders`, where a strategy copies these."""
    trader_rows: int
    ft_orders_last_24h: int
    open_ft_orders: int
    decisions_last_24h: int
    last_decision_at: datetime | None


class NichePnl(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How orders that ended did in markets of one kind."""

    niche: str
    trades: int
    won: int
    lost: int
    pnl: Decimal
    win_rate: Decimal | None


@attrs.frozen(kw_only=True)
class EndedInMarket:
    """Orders of one strategy that ended in one market."""

    title: str | None
    category: str | None
    tags: tuple[str, ...]
    trades: int
    won: int
    lost: int
    pnl: Decimal


@attrs.frozen(kw_only=True)
class OrderQuery:
    """A page of orders, newest first; `before` is (time in microseconds, order id)."""

    wallet_id: str
    outcome: str | None = None
    ended: bool = False
    """Only orders that are no longer open, the last one that ended first."""
    before: tuple[int, str] | None = None
    rows_max: int = 50


class FtReports(Protocol):
    """Where reports come from. All methods raise `TransientError`; none of them writes (D21)."""

    async def standings(self, *, after: str, owner_id: str | None, rows_max: int) -> list[StrategyStanding]:
        """Returns strategies that are not archived, in the order of their names."""
        ...

    async def standing(self, wallet_id: str) -> StrategyStanding | None:
        """Returns one of them."""
        ...

    async def public(self, *, after: str, rows_max: int) -> list[PublicRow]:
        """Returns what everybody may know, in the order of names."""
        ...

    async def orders(self, query: OrderQuery) -> list[OrderRow]:
        """Returns orders of a strategy."""
        ...

    async def days(self, wallet_id: str, *, from_day: date, after: date, rows_max: int) -> list[DayRow]:
        """Returns days after `after`, rising; what went before counts in the sum."""
        ...

    async def ended_by_market(self, wallet_id: str, orders_max: int) -> Sequence[EndedInMarket]:
        """Returns the last orders that ended, by market."""
        ...

    async def signals(self, number: int, decisions_max: int, rows_max: int) -> list[SignalRow]:
        """Returns what a strategy decided among the last decisions, newest first."""
        ...

    async def signal_page(
        self, number: int, before: int | None, decisions_max: int, rows_max: int
    ) -> tuple[list[SignalRow], int | None]:
        """Returns what it decided among `decisions_max` decisions of all strategies before a place, newest first, and the
        place before which the next page begins; None: there are no more decisions. A page may be empty and not the last.
        """
        ...

    async def ranks(self, by: str, *, after: tuple[Decimal, str] | None, rows_max: int) -> list[RankRow]:
        """Returns strategies by `return`, `winRate`, `pnl` or `sharpe`, highest first; those without the figure not."""
        ...

    async def target_traders(
        self, *, after: str, owner_id: str | None, now_ms: int, rows_max: int
    ) -> tuple[Collection[str], int, bool]:
        """Returns wallets that running strategies copy, how many there are, and whether the leaderboard is among them."""
        ...

    async def stream_status(self, now_ms: int) -> StreamStatus:
        """Returns counts."""
        ...
