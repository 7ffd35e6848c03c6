"""When the venue is not open for everything: restarts, cancel-only, blocked regions (venue.md §7.3)."""

import attrs

from engine.simulator.exchange import refusals
from engine.simulator.exchange.refusals import Refusal

POST_ONLY_MS = 120_000


@attrs.define
class TradingModes:
    """Switches of the whole venue."""

    geoblocked: bool = False
    """No orders at all: before anything else is looked at."""
    close_only: bool = False
    """A region from which positions may only be closed: no BUY."""
    cancel_only: bool = False
    restarting_until_ms: int = 0
    post_only_until_ms: int = 0

    def restart(self, seconds: float, now_ms: int) -> None:
        """Stops the matching engine for so long; two minutes of post-only follow."""
        self.restarting_until_ms = now_ms + round(seconds * 1000)
        self.post_only_until_ms = self.restarting_until_ms + POST_ONLY_MS

    def refusal_of_restart(self, now_ms: int) -> Refusal | None:
        """Returns 425 while the engine restarts: orders and cancels alike."""
        if now_ms < self.restarting_until_ms:
            return refusals.restarting(_seconds(self.restarting_until_ms - now_ms))
        return None

    def refusal_of_order(self, now_ms: int, *, post_only: bool) -> Refusal | None:
        """Returns the refusal of an order by a mode."""
        restarting = self.refusal_of_restart(now_ms)
        if restarting is not None:
            return restarting
        if self.cancel_only:
            return refusals.CANCEL_ONLY
        if not post_only and now_ms < self.post_only_until_ms:
            return refusals.post_only_mode(_seconds(self.post_only_until_ms - now_ms))
        return None


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
