"""A token bucket on trio's clock, shared by everybody who uses one API."""

import attrs
import trio


@attrs.define(eq=False, kw_only=True)
class TokenBucket:
    """Lets `rate_per_s` calls a second pass on average and `burst` at once; waiters are served in order."""

    rate_per_s: float
    burst: int
    _tokens: float = attrs.field(init=False)
    _refilled_s: float | None = attrs.field(init=False, default=None)
    _turn: trio.StrictFIFOLock = attrs.field(init=False, factory=trio.StrictFIFOLock)
    _blocked_until_s: float = attrs.field(init=False, default=float("-inf"))

    def __attrs_post_init__(self) -> None:
        self._tokens = float(self.burst)

    async def take(self) -> None:
        """Waits for one token."""
        async with self._turn:
            self._refill()
            wait_s = max(self._blocked_until_s - trio.current_time(), (1 - self._tokens) / self.rate_per_s)
            if wait_s > 0:
                await trio.sleep(wait_s)
                self._refill()
            self._tokens -= 1

    def block_for(self, seconds: float) -> None:
        """Lets nobody pass for a while: the other side said Retry-After."""
        self._blocked_until_s = max(self._blocked_until_s, trio.current_time() + seconds)

    def _refill(self) -> None:
        now_s = trio.current_time()
        if self._refilled_s is not None:
            self._tokens = min(self.burst, self._tokens + (now_s - self._refilled_s) * self.rate_per_s)
        self._refilled_s = now_s
