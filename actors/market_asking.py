"""How the venue's catalogue is asked for many markets: as few calls as it allows, and no id costs another."""

from collections.abc import Callable, Sequence

from protocols.errors import RejectedError
from protocols.ingest import MarketCatalog
from protocols.markets import Market
from protocols.venue.gamma import spellings_of

CALL_VALUES_MAX = 100
"""Of one call, every spelling of an id counted."""


async def ask_markets(
    catalog: MarketCatalog, condition_ids: Sequence[str], on_call: Callable[[], None]
) -> list[Market]:
    """Returns the markets that the venue has among these ids. Raises `TransientError`.

    One call; a second one only for ids that may be hidden because they are closed (venue.md §3.1). An id that the venue
    refuses is found by halves and left out.
    """
    try:
        on_call()
        found = await catalog.markets(condition_ids, closed=None)
        rest = sorted(set(condition_ids) - {market.condition_id for market in found})
        if rest:
            on_call()
            found = [*found, *await catalog.markets(rest, closed=True)]
    except RejectedError:
        if len(condition_ids) == 1:
            return []
        middle = len(condition_ids) // 2
        first = await ask_markets(catalog, condition_ids[:middle], on_call)
        return first + await ask_markets(catalog, condition_ids[middle:], on_call)
    return found


def call_spans(condition_ids: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the begin and end of the ids of each call: one call for a hundred ids of today's usual kind."""
    spans, start, values = list[tuple[int, int]](), 0, 0
    for index, condition_id in enumerate(condition_ids):
        cost = len(spellings_of(condition_id))
        if values + cost > CALL_VALUES_MAX:
            spans.append((start, index))
            start, values = index, 0
        values += cost
    return [*spans, (start, len(condition_ids))] if condition_ids else []
