"""What has to be known of a market and its book before an order: read from the CLOB, never from the display cache."""

from decimal import Decimal
from typing import Protocol

import attrs

Level = tuple[Decimal, Decimal]
"""Price in USD a share, and shares."""


@attrs.frozen(kw_only=True)
class OrderBook:
    """`GET /book` of one token (venue.md §4.8), best level first on both sides."""

    token_id: str
    condition_id: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    tick: Decimal
    min_shares: Decimal
    """Of resting orders."""
    negative_risk: bool
    last_trade_price: Decimal | None
    observed_s: float
    """Monotonic time at which it was asked for: its age counts from there."""

    @property
    def middle(self) -> Decimal | None:
        """Returns the middle of best bid and ask, or None where a side is empty."""
        return (self.bids[0][0] + self.asks[0][0]) / 2 if self.bids and self.asks else None


@attrs.frozen(kw_only=True)
class MarketTerms:
    """What a market charges and allows: `GET /clob-markets/{condition_id}` (venue.md §4.8)."""

    condition_id: str
    token_ids: tuple[str, ...]
    accepting_orders: bool
    fee_rate: Decimal
    fee_exponent: int
    negative_risk: bool
    taker_delay: bool
    """`itode`: a taker waits 250 ms inside the call."""


class OrderBooks(Protocol):
    """Books and terms as the venue has them now. Raises `TransientError`."""

    async def books(self, token_ids: tuple[str, ...]) -> dict[str, OrderBook]:
        """Returns the books of tokens that have one."""
        ...

    async def terms(self, condition_id: str) -> MarketTerms | None:
        """Returns the terms of a market, or None when the venue does not know it."""
        ...
