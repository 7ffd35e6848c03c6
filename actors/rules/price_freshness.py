"""How old a price may be for whom, and when it is asked for again."""

import attrs

from protocols.prices import PriceSource, Quote

MAX_AGE_MS = 600_000
TIERS_MS = {"T1": 30_000, "T2a": 250, "T2b": 15_000, "T3": 120_000, "T4": MAX_AGE_MS}
"""The old names of ages (domain.md §5.1)."""
AHEAD = 0.875
"""Part of its life after which a price that is asked for is renewed while it is still served: an asker each 250 ms meets the
last eighth of 2 s, so that he never waits; 1 / (0.875 × 2 s) is 0.57 calls a second."""


@attrs.frozen
class Freshness:
    """Ages in seconds."""

    ttl_s: float

    @property
    def ahead_s(self) -> float:
        """Age from which a price that somebody wants is asked for again."""
        return self.ttl_s * AHEAD

    def limit_s(self, max_age_ms: int) -> float:
        """Returns the age up to which a price is served to an asker: below the TTL it is the TTL."""
        return max(self.ttl_s, min(max_age_ms, MAX_AGE_MS) / 1000)

    def serves(self, quote: Quote, limit_s: float, now_s: float) -> bool:
        """Returns whether a quote may be served without a call; a stored row only when it is resolved."""
        if quote.resolved:
            return True
        return now_s - quote.observed_s < limit_s and quote.source is not PriceSource.DATABASE
