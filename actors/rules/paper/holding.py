"""What a trader held before he sold: the venue's word plus trades since, else his net buys as far as they were seen."""

from collections.abc import Iterable
from typing import NamedTuple

from protocols.paper import Holding

VENUE_LAG_MS = 10_000
"""The venue's positions are this far behind at most: 5 s of cache and about 5 s of its own (venue.md §5.1)."""


class KnownFill(NamedTuple):
    """One fill of a trader in a token: signed micro-shares, negative for a sale."""

    trade_id: str
    trade_ms: int
    signed_micro: int


def holding_before(baseline: Holding | None, fills: Iterable[KnownFill], *, trade_id: str, trade_ms: int) -> int | None:
    """Returns the micro-shares that a trader held before one of his sales; None when nothing is known.

    `baseline` counts from its own time on; a sale from before it is measured by net buys alone. Equal times count as before,
    since a source gives seconds and hands out trades in order.
    """
    before = [fill for fill in fills if fill.trade_id != trade_id and fill.trade_ms <= trade_ms]
    if baseline is not None and baseline.as_of_ms < trade_ms:
        held = baseline.micro + sum(fill.signed_micro for fill in before if fill.trade_ms > baseline.as_of_ms)
        return max(0, held)
    if not before:
        return None
    return max(0, sum(fill.signed_micro for fill in before))
