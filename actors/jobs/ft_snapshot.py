"""Writes the hourly snapshots of strategies."""

from collections.abc import Sequence

import attrs

from protocols.clock import WallClock
from protocols.ft_statistics import SnapshotStore
from protocols.jobs import RunningJob

WALLETS_MAX = 200
HOUR_MS = 3_600_000


@attrs.define(eq=False, kw_only=True)
class FtSnapshot:
    """Running balances and open positions → one row a strategy for the hour that has begun; running again adds none."""

    store: SnapshotStore
    clock: WallClock
    wallets_max: int = WALLETS_MAX
    name: str = "ft-snapshot"
    after: Sequence[str] = ()

    async def run(self, running: RunningJob) -> None:
        """Writes what is missing of this hour. Raises `TransientError` and `FencedError`."""
        # Never the hour of a slot that is made up for: the prices are those of now.
        hour_ms = self.clock.now_ms() // HOUR_MS * HOUR_MS
        written, wallet_after = 0, ""
        running.report(snapshots=0)
        while True:
            batch = await self.store.write_hour(
                running.lease, hour_ms=hour_ms, wallet_after=wallet_after, wallets_max=self.wallets_max
            )
            written += batch.written
            running.report(snapshots=written)
            if batch.wallet_after is None:
                return
            wallet_after = batch.wallet_after
