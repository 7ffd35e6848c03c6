"""One market from two sources."""

from protocols.prices import MarketFacts


def merged(known: MarketFacts | None, seen: MarketFacts) -> MarketFacts | None:
    """Returns what a poorer source sees now, with what it does not say taken from before; prices are never mixed.

    Outcomes are told by token and keep the order they had (D64). None when the tokens differ: that is another market (D59).
    """
    if known is None:
        return seen
    if known.condition_id != seen.condition_id:
        return None
    prices = seen.outcome_prices
    if known.token_ids and seen.token_ids and known.token_ids != seen.token_ids:
        if sorted(known.token_ids) != sorted(seen.token_ids):
            return None
        if prices is not None:
            prices = tuple(prices[seen.token_ids.index(token)] for token in known.token_ids)
    fields = {
        name: old if (old := getattr(known, name)) not in (None, ()) else getattr(seen, name)
        for name in MarketFacts.__struct_fields__
    }
    fields |= {
        "outcome_prices": prices,
        "closed": seen.closed,
        "resolution_status": seen.resolution_status if seen.resolution_status else known.resolution_status,
    }
    for name in ("active", "accepting_orders", "enable_order_book", "tick_size", "order_size_min"):
        if getattr(seen, name) is not None:
            fields[name] = getattr(seen, name)
    return MarketFacts(**fields)
