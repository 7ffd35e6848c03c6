"""What this process asks of the venue's APIs: counted, and below the published limits in total (venue.md §6).

The limits hold for an address and windows of 10 s: whoever uses an API here takes from the same buckets, whatever pace its own
bucket sets. With a rate and a burst, a window lets `burst + 10 × rate` calls through; that is what is published. Engines of a
cluster divide them (`grant`): they may stand behind one address.
"""

from collections import Counter
from collections.abc import Sequence

import attrs

from engine.runtime.market_rides import MarketRides
from engine.runtime.rate_limit import TokenBucket
from protocols.cluster import Api, Shares

WHOLE = 1_000


@attrs.frozen(kw_only=True)
class PublishedLimit:
    """Calls of some paths of one API. Paths are prefixes."""

    paths: tuple[str, ...]
    rate_per_s: float
    burst: int


# The first that a path belongs to; the general one is taken from as well.
PUBLISHED: dict[str, tuple[PublishedLimit, ...]] = {
    "data": (
        PublishedLimit(paths=("/v2/trades", "/trades"), rate_per_s=18, burst=20),
        PublishedLimit(paths=("/v2/positions", "/positions"), rate_per_s=13, burst=20),
        PublishedLimit(paths=("/closed-positions",), rate_per_s=13, burst=20),
        PublishedLimit(paths=("",), rate_per_s=90, burst=100),
    ),
    "gamma": (
        PublishedLimit(paths=("/markets",), rate_per_s=28, burst=20),
        PublishedLimit(paths=("/events",), rate_per_s=45, burst=50),
        PublishedLimit(paths=("",), rate_per_s=380, burst=200),
    ),
    "clob": (
        PublishedLimit(paths=("/books", "/prices", "/midpoints"), rate_per_s=45, burst=50),
        PublishedLimit(paths=("/book", "/price", "/midpoint"), rate_per_s=135, burst=150),
        PublishedLimit(paths=("",), rate_per_s=850, burst=500),
    ),
}
"""`/prices-history`, which nothing here asks for, would count as `/prices`; it has a larger limit of its own."""


@attrs.define(eq=False)
class Traffic:
    """One for each process."""

    requests: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)
    """By (API, part of the engine that asks, status code or kind of failure)."""
    market_rides: MarketRides = attrs.field(init=False, factory=MarketRides)
    """Free places in calls to the catalogue."""
    _buckets: dict[tuple[str, tuple[str, ...]], TokenBucket] = attrs.field(init=False, factory=dict)
    _grants: dict[str, tuple[float, Sequence[tuple[float, float]]]] = attrs.field(init=False, factory=dict)
    """By API: the share, and what it becomes later."""

    async def admit(self, api: str, path: str) -> None:
        """Waits until one more call fits into the limits of its path and of the API as a whole."""
        for bucket in self._buckets_of(api, path):
            await bucket.take()

    def block_for(self, api: str, path: str, seconds: float) -> None:
        """Lets nobody ask for such paths for a while: the other side said Retry-After.

        Of a path without a limit of its own only whoever asked waits, by his own bucket: all others would stand still for it.
        """
        for bucket in self._buckets_of(api, path)[:-1]:
            bucket.block_for(seconds)

    def grant(self, shares: Shares, *, until_s: float, cut_off: Shares, cut_off_until_s: float) -> None:
        """Lets this process use shares of each limit until a monotonic time, then `cut_off`, then nothing."""
        for api in Api:
            share, left = shares.get(api, 0) / WHOLE, cut_off.get(api, 0) / WHOLE
            self._grants[api] = granted = (share, ((until_s, left), (cut_off_until_s, 0.0)))
            # All of them now, so that tokens gather before the first call: one of live trading must not wait.
            for limit in PUBLISHED[api]:
                self._bucket(api, limit).grant(*granted)

    def share_ratio(self, api: str) -> float:
        """Returns which part of an API's limits this process was granted last."""
        return self._grants[api][0] if api in self._grants else 1.0

    def _buckets_of(self, api: str, path: str) -> Sequence[TokenBucket]:
        limits = PUBLISHED.get(api, ())
        special = [one for one in limits[:-1] if path.startswith(one.paths)]
        return [self._bucket(api, one) for one in (*special[:1], *limits[-1:])]

    def _bucket(self, api: str, limit: PublishedLimit) -> TokenBucket:
        key = (api, limit.paths)
        if key not in self._buckets:
            self._buckets[key] = bucket = TokenBucket(rate_per_s=limit.rate_per_s, burst=limit.burst)
            if granted := self._grants.get(api):
                bucket.grant(*granted)
        return self._buckets[key]
