"""Prices of tokens from fresh quotes."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from protocols.ft_statistics import OpenToken
from protocols.prices import Quote


def fresh_prices(tokens: Iterable[OpenToken], quotes: Mapping[str, Quote | None]) -> dict[str, Decimal]:
    """Returns the price of each token that has a fresh one, in USD a share; a stale quote is none.

    An outcome is told by its token; only where a source does not name tokens, by the place that is stored for the token.
    """
    prices: dict[str, Decimal] = {}
    for token in tokens:
        quote = quotes.get(token.condition_id)
        if quote is None or (quote.stale and not quote.resolved) or quote.facts.outcome_prices is None:
            continue
        facts, listed = quote.facts, quote.facts.outcome_prices
        if facts.token_ids:
            index = facts.token_ids.index(token.token_id) if token.token_id in facts.token_ids else None
        else:
            index = token.outcome_index
        if index is not None and index < len(listed):
            prices[token.token_id] = listed[index]
    return prices
