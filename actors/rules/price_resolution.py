"""Which markets have their final prices."""

from decimal import Decimal

from protocols.prices import MarketFacts

WINNER_MIN = Decimal("0.99")
_SUM_MIN, _SUM_MAX = Decimal("0.99"), Decimal("1.01")
_FINAL = frozenset({"resolved", "settled"})


def is_resolved(facts: MarketFacts) -> bool:
    """Returns whether prices are payouts; the function `market_is_resolved` of the database says the same.

    Closed, with prices that add up to one, and the source says resolved (a void market pays 0.5 and 0.5); or it says
    nothing and one outcome has all but won. A price near 1 in an open or disputed market is no resolution (D61).
    """
    prices = facts.outcome_prices
    if not facts.closed or not prices or not _SUM_MIN <= sum(prices) <= _SUM_MAX:
        return False
    if facts.resolution_status is None:
        return max(prices) >= WINNER_MIN
    return facts.resolution_status in _FINAL
