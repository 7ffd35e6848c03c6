"""What an open position is worth: a fresh quote, else `orders.current_price`, else `markets.outcome_prices`, each with its age.

Nothing older takes their place, and a token without any of them is unmarked, never 0 or a half (D56, I8).
"""

import enum
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from actors.rules.exact import EXACT
from actors.rules.paper.marking import fresh_prices
from protocols.ft_statistics import OpenToken
from protocols.portfolio import TokenFacts
from protocols.prices import Quote

QUOTE_AGE_MAX_MS = 3_000
_E18 = 10**18
_HALF = _E18 // 2


class PriceSource(enum.StrEnum):
    """Where a price comes from."""

    QUOTE = "quote"
    """The price cache, at most 3 s old."""
    CURRENT_PRICE = "current_price"
    """`orders.current_price` and `copy_marks`: what the job refresh-copy-pnl kept."""
    MARKET = "market"
    """`markets.outcome_prices`."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """USD a share, whence and of when."""

    usd: Decimal
    source: PriceSource
    at_us: int | None
    """None: nobody knows."""

    def age_ms(self, now_us: int) -> int | None:
        """Returns its age."""
        return None if self.at_us is None else max(0, (now_us - self.at_us) // 1000)


def quoted_prices(facts: Iterable[TokenFacts], quotes: Mapping[str, Quote | None], now_us: int) -> dict[str, Price]:
    """Returns the price of each token whose market has a quote that is fresh enough."""
    young = {id_: quote for id_, quote in quotes.items() if quote is not None and _is_young(quote, now_us)}
    tokens = [
        OpenToken(condition_id=one.condition_id, token_id=one.token_id, outcome_index=one.outcome_index)
        for one in facts
        if one.condition_id in young
    ]
    found: dict[str, Price] = {}
    prices = fresh_prices(tokens, young)
    for token in tokens:
        usd = prices.get(token.token_id)
        if usd is not None:
            as_of_ms = young[token.condition_id].as_of_ms
            found[token.token_id] = Price(
                usd=usd, source=PriceSource.QUOTE, at_us=None if as_of_ms is None else as_of_ms * 1000
            )
    return found


def price_of(facts: TokenFacts | None, quoted: Price | None) -> Price | None:
    """Returns the price that an open position is valued with, or None."""
    if quoted is not None:
        return quoted
    if facts is None:
        return None
    if facts.mark is not None:
        return Price(usd=facts.mark, source=PriceSource.CURRENT_PRICE, at_us=facts.mark_us)
    if facts.market_price is not None:
        return Price(usd=facts.market_price, source=PriceSource.MARKET, at_us=facts.market_us)
    return None


def value_of(shares: int, price: Decimal) -> int:
    """Returns what micro-shares are worth at USD a share: micro-USD, to the nearest."""
    return (shares * int(price.scaleb(18, EXACT)) + _HALF) // _E18


def _is_young(quote: Quote, now_us: int) -> bool:
    """Payouts never grow old. A clock that was put back makes nothing young: the cache itself measures by another one."""
    if quote.resolved:
        return True
    return not quote.stale and quote.as_of_ms is not None and now_us // 1000 - quote.as_of_ms <= QUOTE_AGE_MAX_MS
