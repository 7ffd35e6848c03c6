"""What the exchange tells its listeners as it happens: the input of the user and market sockets."""

from decimal import Decimal

import attrs

from engine.simulator.exchange.orders import VenueOrder
from engine.simulator.exchange.trades import VenueTrade
from engine.simulator.market import Market


@attrs.frozen(kw_only=True)
class OrderChanged:
    """An order was placed, matched or ended. The order is as it is after the change, and goes on changing."""

    order: VenueOrder
    kind: str
    """PLACEMENT, UPDATE or CANCELLATION."""
    status_text: str
    """A word, or free text such as that of a killed FOK (venue.md §2.2)."""
    at_ms: int
    killed: bool = False
    """A FOK or FAK that matched nothing: size_matched, created_at and outcome are empty, a BUY's size is in pUSD."""


@attrs.frozen(kw_only=True)
class TradeChanged:
    """A trade happened or its settlement went on."""

    trade: VenueTrade
    status: str
    """At this moment; the trade itself goes on changing."""
    transaction_hash: str
    at_ms: int


@attrs.frozen
class LevelChange:
    """The new total of one level of one token's book; 0: the level is gone."""

    outcome_index: int
    side: str
    """BUY or SELL."""
    price: Decimal
    size_micro: int


@attrs.frozen(kw_only=True)
class BookChanged:
    """Levels of one market changed. Each change is told for both tokens, one after the other."""

    market: Market
    changes: tuple[LevelChange, ...]
    at_ms: int


@attrs.frozen(kw_only=True)
class Traded:
    """Somebody took: what `last_trade_price` tells. A `BookChanged` follows."""

    market: Market
    outcome_index: int
    side: str
    """The taker's."""
    price: Decimal
    size_micro: int
    transaction_hash: str
    at_ms: int


@attrs.frozen(kw_only=True)
class TickSizeChanged:
    """A market's tick became finer (venue.md §2.1)."""

    market: Market
    old: Decimal
    new: Decimal
    at_ms: int


ExchangeEvent = OrderChanged | TradeChanged | BookChanged | Traded | TickSizeChanged
