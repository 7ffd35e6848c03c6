"""Keeps the records of traders up to date with their trades and with the resolutions of markets."""

from collections.abc import Sequence

import attrs

from protocols.clock import WallClock
from protocols.ft_statistics import TraderStatsStore
from protocols.jobs import RunningJob

ROWS_MAX = 5_000
WALLETS_MAX = 500


@attrs.define(eq=False, kw_only=True)
class TraderStatistics:
    """New trades → counts → figures, a short transaction at a time.

    Each transaction keeps how far it came and which figures are due, so a run that dies anywhere is continued by the next
    one: nothing is counted twice or lost.
    """

    store: TraderStatsStore
    clock: WallClock
    rows_max: int = ROWS_MAX
    wallets_max: int = WALLETS_MAX
    name: str = "trader-stats"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Counts what there is now. Raises `TransientError` and `FencedError`."""
        now_ms = self.clock.now_ms()
        running.report(trades=0, resolved=0, traders=0)
        await self._count(running)
        await self._settle(running, now_ms)
        await self.store.move_windows(running.lease, now_ms=now_ms)
        await self._refresh(running)

    async def _count(self, running: RunningJob) -> None:
        at_end = False
        while not at_end:
            counted = await self.store.count_trades(running.lease, rows_max=self.rows_max)
            at_end = counted.at_end
            _add(running, "trades", counted.rows)

    async def _settle(self, running: RunningJob, now_ms: int) -> None:
        market_after: str | None = ""
        while market_after is not None:
            settled = await self.store.settle_buys(
                running.lease, now_ms=now_ms, market_after=market_after, rows_max=self.rows_max
            )
            market_after = settled.market_after
            _add(running, "resolved", settled.trades)

    async def _refresh(self, running: RunningJob) -> None:
        refreshed = self.wallets_max
        while refreshed == self.wallets_max:
            refreshed = await self.store.refresh(running.lease, wallets_max=self.wallets_max)
            _add(running, "traders", refreshed)


def _add(running: RunningJob, figure: str, count: int) -> None:
    running.report(**{figure: int(running.figures[figure] or 0) + count})
