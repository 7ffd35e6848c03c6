"""A token bucket on trio's clock, shared by everybody who uses one API."""

from collections.abc import Sequence

import attrs
import trio

from engine.runtime.allowance import Allowance


@attrs.define(eq=False, kw_only=True)
class TokenBucket:
    """Lets `rate_per_s` calls a second pass on average and `burst` at once; waiters are served in order."""

    rate_per_s: float
    burst: int
    _allowance: Allowance = attrs.field(init=False)
    _turn: trio.StrictFIFOLock = attrs.field(init=False, factory=trio.StrictFIFOLock)
    _blocked_until_s: float = attrs.field(init=False, default=float("-inf"))
    _granted: trio.Event = attrs.field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._allowance = Allowance(rate_per_s=self.rate_per_s, burst=self.burst)

    async def take(self) -> None:
        """Waits for one token."""
        async with self._turn:
            while True:
                now_s = trio.current_time()
                wait_s = max(self._blocked_until_s - now_s, self._allowance.wait_s(now_s))
                if wait_s <= 0:
                    break
                with trio.move_on_after(wait_s):
                    await self._granted.wait()
            self._allowance.take()

    def grant(self, share: float, later: Sequence[tuple[float, float]] = ()) -> None:
        """Lets through that part of the whole, and smaller ones from later (monotonic) times on; whoever waits is told."""
        self._allowance.grant(trio.current_time(), share, later)
        self._granted.set()
        self._granted = trio.Event()

    def block_for(self, seconds: float) -> None:
        """Lets nobody pass for a while: the other side said Retry-After."""
        self._blocked_until_s = max(self._blocked_until_s, trio.current_time() + seconds)
