"""How old a price may be for whom, and when it is asked for again."""

import attrs

from protocols.prices import PriceSource, Quote

MAX_AGE_MS = 600_000
TIERS_MS = {"T1": 30_000, "T2a": 250, "T2b": 15_000, "T3": 120_000, "T4": MAX_AGE_MS}
"""The old names of ages (domain.md §5.1)."""
GRACE = 1.125
"""A price is renewed from its TTL on, and served for an eighth of it longer: an asker each 250 ms meets that eighth of 2 s, so
that he never waits, and one call in 2 s is enough."""
SHARED_PART = 0.875
SERVED_MAX_S = 3.0
"""Nobody gets an older one of a market that trades while an upstream answers."""
CLOSED_SERVED_S = 15.0
"""The same of a market whose trading has ended: its price changes once more, by the resolution. The venue's catalogue wants a
call of its own for such markets."""


@attrs.frozen
class Freshness:
    """Ages in seconds."""

    ttl_s: float

    @property
    def served_s(self) -> float:
        """Age up to which the price of a market that trades is served without waiting for its renewal."""
        return min(self.ttl_s * GRACE, SERVED_MAX_S)

    @property
    def ahead_s(self) -> float:
        """Age from which such a price is asked for again if somebody wants it: the TTL, or less where it is the longest."""
        return self.served_s / GRACE

    def due_s(self, quote: Quote) -> float:
        """Returns the age from which a quote that somebody wants is asked for again."""
        return max(self.ahead_s, CLOSED_SERVED_S / GRACE) if has_ended(quote) else self.ahead_s

    def limit_s(self, max_age_ms: int) -> float:
        """Returns the age up to which a price is served to an asker, whatever he says not less than to others."""
        return max(self.served_s, min(max_age_ms, MAX_AGE_MS) / 1000)

    def shared_s(self, limit_s: float) -> float:
        """Returns the age below which a price that another replica has fetched is good enough for an asker with this limit.

        For one that is due soon somebody's call is due as well, and it comes for all.
        """
        return limit_s if limit_s > self.served_s else self.ahead_s * SHARED_PART

    def serves(self, quote: Quote, limit_s: float, now_s: float) -> bool:
        """Returns whether a quote may be served without a call; a stored row only when it is resolved."""
        if quote.resolved:
            return True
        if has_ended(quote):
            limit_s = max(limit_s, CLOSED_SERVED_S)
        return now_s - quote.observed_s < limit_s and quote.source is not PriceSource.DATABASE


def has_ended(quote: Quote) -> bool:
    """Returns whether nobody can trade any more, though what the shares pay is not known yet."""
    return quote.facts.closed and not quote.resolved
