"""Keeps what open copies are worth, from what the price cache left in the rows of markets. It asks nobody."""

from collections.abc import Sequence

import attrs

from protocols.clock import WallClock
from protocols.jobs import RunningJob
from protocols.portfolio import CopyMarkStore

ROWS_MAX = 1_000
TOKENS_MAX = 500


@attrs.define(eq=False, kw_only=True)
class RefreshCopyPnl:
    """Open copied tokens → marks, and the current price, resolution and gain of recorded copies; a short transaction at a time.

    Whatever dies in between is done again by the next run; what has not changed is not written.
    """

    store: CopyMarkStore
    clock: WallClock
    rows_max: int = ROWS_MAX
    tokens_max: int = TOKENS_MAX
    name: str = "refresh-copy-pnl"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Refreshes what is open now. Raises `TransientError` and `FencedError`."""
        found = tokens = marked = orders = 0
        running.report(found_tokens=0, tokens=0, marked=0, orders=0)
        named = self.rows_max
        while named == self.rows_max:
            named = await self.store.find_tokens(running.lease, rows_max=self.rows_max)
            found += named
            running.report(found_tokens=found)
        token_after: str | None = ""
        while token_after is not None:
            done = await self.store.refresh(
                running.lease, token_after=token_after, tokens_max=self.tokens_max, now_ms=self.clock.now_ms()
            )
            token_after = done.token_after
            tokens, marked, orders = tokens + done.tokens, marked + done.marked, orders + done.orders
            running.report(tokens=tokens, marked=marked, orders=orders)
