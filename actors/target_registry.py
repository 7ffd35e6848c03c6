"""Keeps the last good sets of wallets that matter."""

import logging

import attrs
import trio

from actors.following import keep_current
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.shared_texts import SharedTexts
from config.schema import FilterConfig
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.ingest import TargetSets, TargetStore
from protocols.trades import Lane

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class TargetRegistry:
    """follows, traders → sets. One reader, so never more than one refresh at a time (D68); a failure keeps the last set."""

    store: TargetStore
    config: FilterConfig
    rng: Random
    refreshes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _sets: TargetSets = attrs.field(init=False, factory=lambda: TargetSets(lanes={}, version=-1))
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def current(self) -> TargetSets:
        """Returns the sets as last read; never waits."""
        return self._sets

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads the sets, says that it started, and follows their version until cancelled."""
        backoff = Backoff(first_s=self.config.targets_poll_s / 2, max_s=30.0, rng=self.rng)
        await keep_current(
            self._refresh_if_changed,
            pause=lambda: self.store.wait_changed(self.config.targets_poll_s),
            backoff=backoff,
            failed=self._failed,
            task_status=task_status,
        )

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows("refresh", trio.current_time()) is not None:
            _log.warning("wallet sets not refreshed, the last good ones stay", extra={"error": str(error)})

    async def _refresh_if_changed(self) -> None:
        version = await self.store.version()
        if version == self._sets.version:
            return
        lanes: dict[str, Lane] = {}
        texts = SharedTexts(self._sets.lanes)
        async for chunk in self.store.wallets():
            for wallet, lane in chunk:
                if lane < lanes.get(wallet, Lane.KNOWN + 1):
                    lanes[texts.shared(wallet)] = lane
        self._sets = TargetSets(lanes=lanes, version=version, everyone=await self.store.everyone())
        self.refreshes += 1
        counts = {str(lane.value): 0 for lane in Lane}
        for lane in lanes.values():
            counts[str(lane.value)] += 1
        _log.info("wallet sets read", extra={"version": version, "wallets_by_lane": counts})
