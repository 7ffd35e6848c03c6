"""Order books: levels, the two mirrored views of one market, and the true checksum (venue.md §2.1)."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal

import attrs

from engine.simulator.market import ONE, Market, MarketState
from engine.simulator.seeds import digest
from engine.simulator.wire_numbers import decimal_text

_LEVELS = 12


@attrs.frozen(kw_only=True)
class BookView:
    """The book of one token. Bids ascend, asks descend: the best level is the last of both."""

    market: Market
    outcome_index: int
    timestamp_ms: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]

    @property
    def best_bid(self) -> Decimal | None:
        """Highest price somebody pays."""
        return self.bids[-1][0] if self.bids else None

    @property
    def best_ask(self) -> Decimal | None:
        """Lowest price somebody takes."""
        return self.asks[-1][0] if self.asks else None

    def rendered(self) -> dict[str, object]:
        """Returns the object of `GET /book`, keys in the order over which the checksum is made."""
        market = self.market
        last = market.last_trade_price
        fields: dict[str, object] = {
            "market": market.condition_id,
            "asset_id": market.token_ids[self.outcome_index],
            "timestamp": str(self.timestamp_ms),
            "hash": "",
            "bids": [{"price": decimal_text(price), "size": decimal_text(size)} for price, size in self.bids],
            "asks": [{"price": decimal_text(price), "size": decimal_text(size)} for price, size in self.asks],
            "min_order_size": str(market.order_size_min),
            "tick_size": decimal_text(market.tick_size),
            "neg_risk": market.negative_risk,
            "last_trade_price": str(last.quantize(Decimal("0.001"))) if last is not None else "",
        }
        return fields | {"hash": book_hash(fields)}


def book_hash(fields: Mapping[str, object]) -> str:
    """Returns the SHA-1 over the compact JSON of a book with an empty hash."""
    text = json.dumps({**fields, "hash": ""}, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def synthetic_levels(market: Market) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Returns bids and asks of the first outcome made up around the market's price; none unless it is open."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    if market.state is not MarketState.OPEN:
        return bids, asks
    tick = market.tick_size
    centre = (market.price / tick).to_integral_value() * tick
    for step in range(1, _LEVELS + 1):
        for levels, price in ((bids, centre - step * tick), (asks, centre + step * tick)):
            if tick <= price <= ONE - tick:
                levels[price] = _size(market.condition_id, price, step)
    return bids, asks


def _size(condition_id: str, price: Decimal, step: int) -> Decimal:
    draw = int.from_bytes(digest("level", condition_id, price)[:4], "big")
    shares = (draw % 40_000 + 500) * step
    # Most levels are round, some are what is left of an order.
    return Decimal(shares).scaleb(-2) if draw % 3 == 0 else Decimal(shares // 100 + 5)
