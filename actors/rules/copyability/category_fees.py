"""The fee rate of a market that does not say its own (venue.md §7.1)."""

from decimal import Decimal

import msgspec

from actors.rules.market_kind import niche_of
from protocols.decisions import MarketInput

OTHER_RATE = Decimal("0.05")
RATES = {"CRYPTO": Decimal("0.07"), "POLITICS": Decimal("0.04"), "TECH": Decimal("0.04"), "GEOPOLITICS": Decimal(0)}
"""By niche. FINANCE stays at the rate of Economics, and CULTURE at that of Culture: the niches hold both."""
FREE = frozenset(niche for niche, rate in RATES.items() if not rate)


def with_fee(market: MarketInput) -> MarketInput:
    """Returns the market with a fee rate: its own, else the one of its category.

    That a market charges nothing is believed only when its category or tags put it there; its title alone does not.
    """
    if market.fee_rate is not None:
        return market
    niche = market.niche
    if niche in FREE and niche_of(None, market.category, market.tags) not in FREE:
        return msgspec.structs.replace(market, fee_rate=OTHER_RATE, fee_exponent=1)
    return msgspec.structs.replace(market, fee_rate=RATES.get(niche, OTHER_RATE), fee_exponent=1)
