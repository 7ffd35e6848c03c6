"""Markets and their tokens, as far as the engine reads them."""

from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True)
class MarketToken:
    """One outcome of a market. Outcomes are told by token, never by position (venue.md §3.2)."""

    token_id: str
    outcome: str
    outcome_index: int


@attrs.frozen(kw_only=True)
class Market:
    """One market of Gamma. Absent values are None, never a default price."""

    condition_id: str
    gamma_market_id: str
    slug: str | None
    event_slug: str | None
    title: str | None
    category: str | None
    outcomes: tuple[str, ...]
    outcome_prices: tuple[Decimal, ...] | None
    tokens: tuple[MarketToken, ...]
    active: bool | None
    closed: bool
    accepting_orders: bool | None
    resolution_status: str | None
    """`umaResolutionStatus`, or `resolutionStatus` of a protocol V2 market; lower case."""
    negative_risk: bool | None
    version: str | None
    tick_size: Decimal | None
    order_size_min: Decimal | None
    start_ms: int | None
    end_ms: int | None
    close_ms: int | None
    image: str | None
    raw: str
    """The market object as storable JSON."""
