"""Which markets have their final prices."""

from protocols.prices import MarketFacts
from protocols.venue.market_input import is_final


def is_resolved(facts: MarketFacts) -> bool:
    """Returns whether prices are payouts; the function `market_is_resolved` of the database says the same."""
    return is_final(facts.closed, facts.resolution_status, facts.outcome_prices)
