"""Rate limits of clients: a token bucket a minute for each key, in bounded memory."""

import attrs
import trio

MINUTE_S = 60.0


@attrs.define(eq=False, kw_only=True)
class RateLimit:
    """Lets each key pass `per_minute` times at once, and as often a minute on average.

    A bucket is one number: the time at which it is full again (the generic cell rate algorithm). A full bucket is no bucket,
    so memory holds only the keys of the last minute; when these are more than `keys_max`, all others share one bucket.
    """

    per_minute: int
    keys_max: int = 10_000
    _full_at_s: dict[str | None, float] = attrs.field(init=False, factory=dict)
    _sweep_at_s: float = attrs.field(init=False, default=0.0)

    def take(self, key: str) -> float:
        """Takes one from the bucket and returns 0.0, or how many seconds to wait for the next one when it is empty."""
        now_s = trio.current_time()
        buckets = self._full_at_s
        full_at_s = buckets.get(key)
        if full_at_s is None:
            full_at_s = now_s
            if len(buckets) >= self.keys_max:
                self._sweep(now_s)
                if len(buckets) >= self.keys_max:
                    return self._take(None, buckets.get(None, now_s), now_s)
        return self._take(key, full_at_s, now_s)

    def _take(self, key: str | None, full_at_s: float, now_s: float) -> float:
        step_s = MINUTE_S / self.per_minute
        full_at_s = (full_at_s if full_at_s > now_s else now_s) + step_s
        wait_s = full_at_s - now_s - MINUTE_S
        if wait_s > step_s * 1e-6:  # sums of steps are not exact
            return wait_s
        self._full_at_s[key] = full_at_s
        return 0.0

    def _sweep(self, now_s: float) -> None:
        """Drops full buckets; at most once a second, since a flood of keys must not buy a walk over all of them each."""
        if now_s >= self._sweep_at_s:
            self._sweep_at_s = now_s + 1
            self._full_at_s = {key: at_s for key, at_s in self._full_at_s.items() if at_s > now_s}
