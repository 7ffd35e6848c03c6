"""Finds out every day what copying traders would have made: followed and copied ones first, then hot ones and leaders."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import attrs
import trio

from config.copyability import CopyabilityConfig
from protocols.clock import WallClock
from protocols.copyability import Copyability, CopyabilityStore
from protocols.errors import RejectedError, TransientError
from protocols.jobs import RunningJob
from protocols.timestamps import utc_datetime

ScoreWallets = Callable[[Sequence[str]], Awaitable[Sequence[Copyability]]]
"""Scores traders beside the engine. Raises `TransientError` while it is busy, `RejectedError` when they are too much for it."""
AGE_MAX = timedelta(hours=20)
"""A result that is younger is not computed again, so that a second run of a day goes on where the first one ended."""
KEPT = timedelta(days=30)
PRUNED_ROWS = 1_000
BUSY_S, BUSY_TRIES_MAX = 10.0, 30


@attrs.define(eq=False, kw_only=True)
class ScoreTraders:
    """Wallets whose result is old → batches → results, each batch in one transaction under the lease."""

    store: CopyabilityStore
    score: ScoreWallets
    config: CopyabilityConfig
    clock: WallClock
    name: str = "score-traders"
    after: Sequence[str] = ("backfill-wallet-pnl",)

    async def run(self, running: RunningJob) -> None:
        """Scores until all are scored or time is up. Raises `TransientError` and `FencedError`."""
        now = utc_datetime(self.clock.now_ms())
        running.report(scored=0, enough=0, failed=0, time_is_up=False)
        with trio.move_on_after(self.config.run_max_s) as patience:
            await self._score_due(running)
        running.report(
            time_is_up=patience.cancelled_caught,
            dropped=await self.store.drop_stale(running.lease, now - KEPT, PRUNED_ROWS),
        )

    async def _score_due(self, running: RunningJob) -> None:
        before = utc_datetime(self.clock.now_ms()) - AGE_MAX
        after: tuple[int, str] | None = None
        while True:
            page = await self.store.due(
                top=self.config.leaders, computed_before=before, after=after, wallets_max=self.config.batch
            )
            if page.wallets:
                await self._batch(running, page.wallets)
            after = page.after
            if after is None:
                return

    async def _batch(self, running: RunningJob, wallets: Sequence[str]) -> None:
        """A batch that is too much is tried one by one: one trader must not cost the others their result."""
        try:
            results = await self._patiently(wallets)
        except RejectedError as error:
            if len(wallets) == 1:
                running.report(failed=_more(running, "failed", 1), last_error=str(error)[:200])
                return
            for wallet in wallets:
                await self._batch(running, [wallet])
            return
        await self.store.put(running.lease, results)
        running.report(
            scored=_more(running, "scored", len(results)),
            enough=_more(running, "enough", sum(one.net_return is not None for one in results)),
        )

    async def _patiently(self, wallets: Sequence[str]) -> Sequence[Copyability]:
        for _ in range(BUSY_TRIES_MAX):
            try:
                return await self.score(wallets)
            except TransientError:
                await trio.sleep(BUSY_S)
        return await self.score(wallets)


def _more(running: RunningJob, name: str, count: int) -> int:
    return int(running.figures[name] or 0) + count
