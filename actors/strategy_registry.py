"""Keeps the last good index of strategies."""

import logging

import attrs
import trio

from actors.following import keep_current
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.strategy.eligibility import Chain
from actors.rules.strategy_index import StrategyIndex, index_of
from config.schema import FilterConfig
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.strategies import StrategySettings, StrategyTableStore

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class StrategyRegistry:
    """strategies, follows, traders → an index by wallet. A failure keeps the last good one; reading is all or nothing."""

    store: StrategyTableStore
    config: FilterConfig
    rng: Random
    shards: frozenset[int] | None = None
    """Those of this process; None: it decides for all strategies."""
    refreshes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    changed: trio.Event = attrs.field(init=False, factory=trio.Event)
    """Set, and replaced by a new one, when there is another index."""
    _index: StrategyIndex = attrs.field(init=False, factory=StrategyIndex)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def current(self) -> StrategyIndex:
        """Returns the index as last read; never waits."""
        return self._index

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads the strategies, says that it started, and follows their version until cancelled."""
        backoff = Backoff(first_s=self.config.targets_poll_s / 2, max_s=30.0, rng=self.rng)
        await keep_current(
            self._refresh_if_changed,
            pause=self._pause,
            backoff=backoff,
            failed=self._failed,
            task_status=task_status,
        )

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        if self._log_limit.allows("refresh", trio.current_time()) is not None:
            _log.warning("strategies not refreshed, the last good ones stay", extra={"error": str(error)})

    async def _pause(self) -> None:
        await trio.sleep(self.config.targets_poll_s)

    async def _refresh_if_changed(self) -> None:
        if await self.store.version() == self._index.version:
            return
        table = await self.store.table()
        self._index = index_of(table, self._index, _compiled, self.shards)
        self.refreshes += 1
        self.changed.set()
        self.changed = trio.Event()
        _log.info("strategies read", extra={"version": table.version, "strategies": len(table.strategies)})


def _compiled(settings: StrategySettings) -> Chain:
    # Whom a strategy copies is told by the index; the chain is left with whom it never copies.
    return Chain.of(settings, None)
