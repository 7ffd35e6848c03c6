"""A market with its structure and niche, which follow from what the venue says of it."""

import msgspec

from actors.rules.market_kind import niche_of, structure_of
from protocols.decisions import MarketInput


def with_kind(market: MarketInput) -> MarketInput:
    """Returns the market with structure and niche filled in."""
    return msgspec.structs.replace(
        market,
        structure=structure_of(market.title, market.outcomes),
        niche=niche_of(market.title, market.category, market.tags),
    )
