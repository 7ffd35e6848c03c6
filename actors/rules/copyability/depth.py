"""An order book made up from a price, where nobody kept the real one.

Half spread around the price, then levels a tick apart, each some times as deep as the one before. Every parameter has its
source and its bounds in engine/copyability/README.md; where nothing is known the worse assumption is made.
"""

from decimal import ROUND_FLOOR, Decimal

import attrs

from actors.rules.exact import EXACT, ONE
from protocols.decisions import Book

COARSE_TICK, FINE_TICK = Decimal("0.01"), Decimal("0.001")
FINE_BELOW, FINE_ABOVE = Decimal("0.04"), Decimal("0.96")
"""Where the venue changes the tick of a market (venue.md §4)."""
LEAST_PRICE, GREATEST_PRICE = Decimal("0.001"), Decimal("0.999")
_SHARE_QUANTUM = Decimal("0.01")
_LEAST_HALF = Decimal("0.0005")


@attrs.frozen(kw_only=True)
class DepthModel:
    """Parameters of made-up books. USD, prices in USD a share."""

    half_spread: Decimal = Decimal("0.005")
    """Between the price and the best order on each side."""
    tail_share: Decimal = Decimal("0.04")
    """The half spread is at most this part of what the cheaper outcome costs: books of long shots are narrower."""
    touch_usd: Decimal = Decimal(35)
    """Behind the best price, at an activity of 1."""
    growth: Decimal = Decimal("1.8")
    """How many times deeper each level is than the one before."""
    levels: int = 10
    reference_usd: Decimal = Decimal(10_000)
    """Trades of 24 hours, as far as they are stored, at which the activity of a market is 1."""
    activity_min: Decimal = Decimal("0.5")
    """Also of a market of which nothing else is stored."""
    activity_max: Decimal = Decimal(2)

    def activity(self, day_usd: Decimal) -> Decimal:
        """Returns the factor of depth of a market with so much traded within 24 hours: its square root, within bounds."""
        ratio = EXACT.divide(max(day_usd, Decimal(0)), self.reference_usd)
        return min(max(ratio.sqrt(), self.activity_min), self.activity_max)

    def half_spread_at(self, price: Decimal) -> Decimal:
        """Returns the half spread around a price: at least half of the finest tick."""
        cheaper = min(price, EXACT.subtract(ONE, price))
        return max(min(self.half_spread, EXACT.multiply(self.tail_share, cheaper)), _LEAST_HALF)

    def book(self, price: Decimal, day_usd: Decimal, observed_ms: int) -> Book:
        """Returns a book around a price; levels out of range are left out.

        Levels are a tick apart, but need not lie on the ticks: on average over trades that makes no difference.
        """
        middle = min(max(price, LEAST_PRICE), GREATEST_PRICE)
        tick, half, activity = tick_at(middle), self.half_spread_at(middle), self.activity(day_usd)
        ask = EXACT.add(middle, half)
        bid = EXACT.subtract(middle, half)
        asks, bids = list[tuple[Decimal, Decimal]](), list[tuple[Decimal, Decimal]]()
        usd = EXACT.multiply(self.touch_usd, activity)
        for _ in range(self.levels):
            if ask <= GREATEST_PRICE:
                asks.append((ask, shares_for(usd, ask)))
            if bid >= LEAST_PRICE:
                bids.append((bid, shares_for(usd, bid)))
            ask, bid = EXACT.add(ask, tick), EXACT.subtract(bid, tick)
            usd = EXACT.multiply(usd, self.growth)
        return Book(bids=tuple(bids), asks=tuple(asks), observed_ms=observed_ms)


def tick_at(price: Decimal) -> Decimal:
    """Returns the tick of a market at a price."""
    return FINE_TICK if price < FINE_BELOW or price > FINE_ABOVE else COARSE_TICK


def shares_for(usd: Decimal, price: Decimal) -> Decimal:
    """Returns how many shares an amount of USD is at a price, to hundredths."""
    return EXACT.divide(usd, price).quantize(_SHARE_QUANTUM, ROUND_FLOOR, EXACT)
