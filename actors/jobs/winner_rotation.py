"""Fills the target lists of rotating strategies with those who earned most (domain.md §7.4, D52, D78)."""

from collections.abc import Sequence

import attrs

from actors.rules.rotation import new_targets, refusal, window_of
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.jobs import RunningJob
from protocols.wallet_results import RotatingList, RotationStore

LISTS_MAX = 200


@attrs.define(eq=False, kw_only=True)
class RotatePnlWinners:
    """Days of traders → `target_traders` of strategies that rotate, each as a new version.

    Only when the days are complete up to yesterday; a list is never emptied, and one that stays the same makes no version.
    """

    store: RotationStore
    clock: WallClock
    incomplete_max_ratio: float
    name: str = "rotate-pnl-winners"
    after: Sequence[str] = ("backfill-wallet-pnl",)

    async def run(self, running: RunningJob) -> None:
        """Rotates what there is. Raises `TransientError` when the rankings are not complete, and `FencedError`."""
        running.report(lists=0, changed=0, without_winners=0)
        now_ms = self.clock.now_ms()
        page = await self.store.lists(after="", lists_max=LISTS_MAX)
        if not page:
            return
        reason = refusal(await self.store.rankings(), now_ms=now_ms, incomplete_max_ratio=self.incomplete_max_ratio)
        if reason is not None:
            raise TransientError(f"lists stay as they are: {reason}")
        while page:
            for rotating in page:
                await self._rotate(rotating, running, now_ms)
            page = await self.store.lists(after=page[-1].wallet_id, lists_max=LISTS_MAX)

    async def _rotate(self, rotating: RotatingList, running: RunningJob, now_ms: int) -> None:
        first, last = window_of(rotating.days, now_ms=now_ms)
        winners = await self.store.winners(first, last, without=rotating.excluded, wallets_max=rotating.size)
        targets = new_targets(winners, rotating.targets)
        changed = targets is not None and await self.store.write(
            running.lease, rotating.wallet_id, targets, by=self.name
        )
        figures = running.figures
        running.report(
            lists=int(figures["lists"] or 0) + 1,
            changed=int(figures["changed"] or 0) + changed,
            without_winners=int(figures["without_winners"] or 0) + (not winners),
        )
