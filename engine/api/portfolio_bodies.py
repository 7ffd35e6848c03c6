"""What the portfolio answers. Money is USD, prices USD a share, `roi` per cent, `winRate` 0 to 1; null is what nobody knows."""

from datetime import date, datetime
from decimal import Decimal

from actors.rules.portfolio.pricing import PriceSource
from engine.api.route import Struct


class Freshness(Struct):
    """With what open positions were valued, and how old the oldest of it is."""

    quote: int
    """Open positions by a quote of the price cache, at most 3 s old."""
    current_price: int
    """By `orders.current_price`, which the job refresh-copy-pnl keeps."""
    market: int
    """By `markets.outcome_prices`."""
    unmarked: int
    """By nothing: they are in no gain."""
    oldest_age_ms: int | None


class OfficialTotals(Struct):
    """What the venue says of the tokens that it and we know, each once, beside ours."""

    tokens: int
    official_realized_pnl: Decimal
    our_realized_pnl: Decimal
    difference: Decimal
    """Ours less the venue's."""
    differing_tokens: int
    reasons: dict[str, int]
    """How many differing tokens each reason may explain."""
    unknown_tokens: int
    """Ours of which the venue has said nothing."""


class StatsAnswer(Struct):
    """A portfolio, computed now."""

    total_pnl: Decimal | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    """Of positions that have a price; null when there are open ones and none of them has."""
    total_volume: Decimal
    """Cost of all purchases, with fees."""
    roi: Decimal | None
    win_rate: Decimal | None
    """Of closed positions."""
    total_trades: int
    total_buy_trades: int
    total_sell_trades: int
    open_trades: int
    """Purchases of which something is left."""
    closed_trades: int
    open_positions: int
    closed_positions: int
    winning_positions: int
    losing_positions: int
    fees_usd: Decimal
    open_cost_usd: Decimal
    open_value_usd: Decimal
    unmarked_positions: int
    unmarked_cost_usd: Decimal
    unmatched_sells: int
    """Positions in which more was sold than had been bought; what that brought is in no other figure."""
    unmatched_usd: Decimal
    freshness: Freshness
    official: OfficialTotals | None
    """Null with a filter: the venue speaks of whole accounts."""
    as_of: datetime
    cached: bool = False


class OfficialAnswer(Struct):
    """What the venue says of one token, beside ours over all positions in it."""

    official_realized_pnl: Decimal
    our_realized_pnl: Decimal
    difference: Decimal
    reasons: list[str]
    positions: int
    """Of ours that this one number is about."""
    synced_at: datetime


class PositionAnswer(Struct):
    """One token within one strategy, account by hand, or the recorded copies of one trader."""

    scope: str
    state: str
    condition_id: str | None
    token_id: str | None
    """Null where nobody knows it yet."""
    outcome: str | None
    market_title: str | None
    market_slug: str | None
    event_slug: str | None
    shares: Decimal
    cost_usd: Decimal
    average_price: Decimal | None
    """Cost of an open share."""
    bought_shares: Decimal
    invested_usd: Decimal
    fees_usd: Decimal
    realized_pnl: Decimal
    settled_pnl: Decimal
    """The part of it that comes from payouts."""
    unrealized_pnl: Decimal | None
    value_usd: Decimal | None
    price: Decimal | None
    price_source: PriceSource | None
    price_at: datetime | None
    price_age_ms: int | None
    orders: int
    traders: list[str]
    unmatched_shares: Decimal
    open_orders: list[str]
    """Purchases of which something is left, the first 20."""
    opened_at: datetime
    last_at: datetime
    """Last fill, or the resolution."""
    official: OfficialAnswer | None


class PositionPage(Struct):
    """Positions, those that changed last first."""

    positions: list[PositionAnswer]
    next_cursor: str | None
    as_of: datetime


class TradeAnswer(Struct):
    """One copied order that was filled."""

    order_id: str
    kind: str
    """live, manual or recorded."""
    strategy_id: str | None
    account: str | None
    status: str
    trader: str | None
    condition_id: str
    token_id: str | None
    outcome: str | None
    market_title: str | None
    market_slug: str | None
    side: str
    shares: Decimal
    entry_price: Decimal
    invested_usd: Decimal
    """With fee; of a sale: what it brought less its fee."""
    fee_usd: Decimal
    shares_open: Decimal
    exit_price: Decimal | None
    """For how much the user closed it elsewhere."""
    realized_pnl: Decimal
    unrealized_pnl: Decimal | None
    pnl_pct: Decimal | None
    current_price: Decimal | None
    price_source: PriceSource | None
    price_at: datetime | None
    price_age_ms: int | None
    trader_still_has_position: bool | None
    at: datetime


class TradePage(Struct):
    """Copied orders, newest first."""

    trades: list[TradeAnswer]
    next_cursor: str | None
    as_of: datetime


class DayAnswer(Struct):
    """A UTC day on which something was bought, sold or settled."""

    date: date
    realized_pnl: Decimal
    pnl_to_date: Decimal
    volume: Decimal


class WindowAnswer(Struct):
    """Days that end today."""

    realized_pnl: Decimal
    volume: Decimal


class RealizedAnswer(Struct):
    """Realised gains by UTC day; a resolved market counts on the day of its resolution."""

    daily: list[DayAnswer]
    summaries: dict[str, WindowAnswer]
    volume: Decimal
    as_of: datetime


class TopTrader(Struct):
    """What copying one trader came to."""

    wallet: str | None
    """Null: copies that name nobody."""
    name: str | None
    copy_count: int
    total_invested: Decimal
    pnl: Decimal
    """Realised, and unrealised of what has a price."""
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    unmarked_cost_usd: Decimal
    roi: Decimal | None
    win_rate: Decimal | None
    closed_positions: int
    last_at: datetime


class TopTraders(Struct):
    """Everybody who was copied, the most profitable first."""

    traders: list[TopTrader]
    as_of: datetime
