"""Prices and turnover of tokens by time, of everybody's stored trades: what could be known at a moment, and nothing later."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from actors.rules.exact import ONE
from protocols.copyability import SeenTrade

DAY_MS = 86_400_000
_NANO = Decimal("1e-9")
_MICRO = Decimal("1e-6")


@attrs.define(eq=False)
class _Prices:
    times: "array[int]" = attrs.field(factory=lambda: array("q"))
    nano: "array[int]" = attrs.field(factory=lambda: array("q"))


@attrs.define(eq=False)
class _Turnover:
    times: "array[int]" = attrs.field(factory=lambda: array("q"))
    micro: "array[int]" = attrs.field(factory=lambda: array("q"))
    """USD of all trades up to each time."""


@attrs.define(eq=False)
class PriceTape:
    """40 bytes a trade, however long the tape is."""

    _prices: dict[str, _Prices] = attrs.field(init=False, factory=dict)
    _turnover: dict[str, _Turnover] = attrs.field(init=False, factory=dict)
    _market: dict[str, str] = attrs.field(init=False, factory=dict)
    _opposite: dict[str, str] = attrs.field(init=False, factory=dict)
    trades: int = attrs.field(init=False, default=0)

    def add(self, trades: Iterable[SeenTrade]) -> None:
        """Adds trades, which have to come in the order of time."""
        for trade in trades:
            prices = self._prices.setdefault(trade.token_id, _Prices())
            prices.times.append(trade.at_ms)
            prices.nano.append(int(trade.price.scaleb(9)))
            turnover = self._turnover.setdefault(trade.condition_id, _Turnover())
            turnover.times.append(trade.at_ms)
            usd_micro = int(trade.price * trade.size_micro)
            turnover.micro.append((turnover.micro[-1] if turnover.micro else 0) + usd_micro)
            self._market.setdefault(trade.token_id, trade.condition_id)
            self.trades += 1

    def pair(self, tokens: Mapping[str, tuple[str, ...]]) -> None:
        """Says which tokens a market has; a price of one of two says what the other is worth."""
        for of_market in tokens.values():
            if len(of_market) == 2:
                one, other = of_market
                self._opposite[one], self._opposite[other] = other, one

    def price_at(self, token_id: str, at_ms: int) -> Decimal | None:
        """Returns the last price of a token by then, also out of a later trade of its opposite; None before the first."""
        own = self._last(token_id, at_ms)
        other = self._last(self._opposite.get(token_id, ""), at_ms)
        if other is not None and (own is None or other[0] > own[0]):
            return ONE - other[1]
        return None if own is None else own[1]

    def day_usd(self, token_id: str, at_ms: int) -> Decimal:
        """Returns what was traded in the token's market within the 24 hours up to then, USD, both sides of each match."""
        turnover = self._turnover.get(self._market.get(token_id, ""))
        if turnover is None:
            return Decimal(0)
        end, begin = bisect_right(turnover.times, at_ms), bisect_right(turnover.times, at_ms - DAY_MS)
        until = turnover.micro[end - 1] if end else 0
        return (until - (turnover.micro[begin - 1] if begin else 0)) * _MICRO

    def _last(self, token_id: str, at_ms: int) -> tuple[int, Decimal] | None:
        prices = self._prices.get(token_id)
        if prices is None:
            return None
        place = bisect_right(prices.times, at_ms) - 1
        return None if place < 0 else (prices.times[place], prices.nano[place] * _NANO)
