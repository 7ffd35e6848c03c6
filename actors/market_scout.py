"""Learns the newest markets before anybody trades in them."""

import logging

import attrs
import trio

from actors.rules.log_limit import LogLimit
from config.markets import MarketsConfig
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.ingest import MarketStore, NewestMarkets

_log = logging.getLogger(__name__)
MARKETS_MAX = 100


@attrs.define(eq=False, kw_only=True)
class MarketScout:
    """newest markets of the venue → stored markets: one call in `markets.newest_interval_s`.

    Most markets that become known by a trade are minutes old. A trade in one of them does not have to wait for it then, and a
    call for each of them is saved. What this misses is learned when it is traded, as ever.
    """

    newest: NewestMarkets
    store: MarketStore
    config: MarketsConfig
    rng: Random
    calls: int = attrs.field(init=False, default=0)
    learned: int = attrs.field(init=False, default=0)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Looks until cancelled."""
        task_status.started()
        while True:
            interval_s = self.config.newest_interval_s
            if interval_s > 0:
                await self._look()
            # Not in step with other engines at the same allowance.
            await trio.sleep((interval_s or 60.0) * self.rng.uniform(0.9, 1.1))

    async def _look(self) -> None:
        self.calls += 1
        try:
            found = {market.condition_id: market for market in await self.newest.newest(MARKETS_MAX)}
            missing = await self.store.missing(list(found))
            if missing:
                await self.store.upsert([found[condition_id] for condition_id in missing])
                self.learned += len(missing)
        except (TransientError, RejectedError) as error:
            if self._log_limit.allows("look", trio.current_time()) is not None:
                _log.warning("newest markets not learned", extra={"error": str(error)})
