"""The house: anonymous liquidity around the price of a market, taken by accounts and taking from them.

Without it an account would be alone in its book. Levels follow the price of the tape or of the synthetic platform, shrink as
they are taken, and are new when the market has moved; or they are set by hand and stay.
"""

from collections.abc import Mapping
from decimal import Decimal

from engine.simulator.book import synthetic_levels
from engine.simulator.exchange.matching import HouseLevel, MatchingBook
from engine.simulator.market import MarketState
from engine.simulator.seeds import digest, fraction
from engine.simulator.wire_numbers import micro_from

_WALLETS = 12
_CROSSES = {"BUY": 0.69, "SELL": 0.25}
"""Part of the matches of a taker in which the maker trades the other outcome: they mint or merge. Recorded shares."""


class House:
    """The house's part of one book."""

    def __init__(self, book: MatchingBook) -> None:
        self._book = book
        self._place: tuple[Decimal, Decimal, MarketState] | None = None
        self.fixed = False
        """Whether levels were set by hand and follow nothing."""

    def moved(self) -> bool:
        """Returns whether the levels are to be made anew."""
        if self.fixed and self._book.market.state is MarketState.OPEN:
            return False
        return self._place != self._now()

    def release(self) -> None:
        """Lets fixed levels follow the market again, from the next look on."""
        self.fixed, self._place = False, None

    def stay(self) -> None:
        """Takes the market's present price for where the levels are: it was an account that moved it."""
        self._place = self._now()

    def follow(self, place: int) -> None:
        """Makes the levels anew around the market's price; `place` is their priority."""
        self._place = self._now()
        bids, asks = synthetic_levels(self._book.market)
        self._set(bids, asks, place)

    def set_levels(self, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal], place: int) -> None:
        """Fixes the levels: shares by price of the first outcome."""
        self.fixed = True
        self._set(bids, asks, place)

    def _set(self, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal], place: int) -> None:
        for is_bid, levels in ((True, bids), (False, asks)):
            mine = self._book.house_levels(bids=is_bid)
            mine.clear()
            for price, shares in levels.items():
                if shares > 0:
                    mine[price] = HouseLevel(micro_from(shares), place)

    def _now(self) -> tuple[Decimal, Decimal, MarketState]:
        market = self._book.market
        return market.price, market.tick_size, market.state


def house_wallet(condition_id: str, price: Decimal) -> str:
    """Returns the wallet that stands at a level of the house; each market has a dozen."""
    number = digest("house level", condition_id, price)[0] % _WALLETS
    return "0x" + digest("house wallet", condition_id, number)[:20].hex()


def house_crosses(taker_order_id: str, taker_side: str, price: Decimal) -> bool:
    """Returns whether the house takes part with the other outcome, so that shares are minted or merged."""
    return fraction("house crosses", taker_order_id, price) < _CROSSES[taker_side]
