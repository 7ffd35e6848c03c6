"""Settles open paper orders once their markets are resolved."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.payout_finding import PassFigures, PayoutFinder
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random, WallClock
from protocols.errors import FencedError, TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.paper import Payouts, Resolutions, SettledOrder, SettlementStore

_log = logging.getLogger(__name__)
FIRST_PAUSE_S = 1.0
Settled = Callable[[Sequence[SettledOrder]], None]


@attrs.define(eq=False, kw_only=True)
class Settler:
    """open orders, resolutions → settled orders. Each market once a pass, however many orders it has.

    Running twice or at once settles nothing twice: an order leaves OPEN once. What a crash interrupts the next pass does.
    """

    store: SettlementStore
    markets: MarketStore
    catalog: MarketCatalog
    resolutions: Resolutions
    clock: WallClock
    rng: Random
    interval_s: float
    settled: Settled
    passes: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    settled_by_outcome: Counter[str] = attrs.field(init=False, factory=Counter)
    _finder: PayoutFinder = attrs.field(init=False)
    _one_at_a_time: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._finder = PayoutFinder(
            open_markets=self.store.open_markets,
            settle=self._settle,
            markets=self.markets,
            catalog=self.catalog,
            resolutions=self.resolutions,
            clock=self.clock,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Makes passes until cancelled."""
        task_status.started()
        backoff = Backoff(first_s=min(FIRST_PAUSE_S, self.interval_s), max_s=self.interval_s, rng=self.rng)
        while True:
            try:
                await self.pass_once()
            except (TransientError, FencedError) as error:
                self.failures += 1
                if self._log_limit.allows("pass", trio.current_time()) is not None:
                    _log.warning("open orders not settled, trying again", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
            else:
                backoff.reset()
                await trio.sleep(self.interval_s * (0.9 + 0.2 * self.rng.random()))

    async def pass_once(self) -> PassFigures:
        """Settles what can be settled now. Raises `TransientError` and `FencedError`; what was settled until then stays so."""
        async with self._one_at_a_time:
            figures = await self._finder.pass_once()
            self.passes += 1
        return figures

    @property
    def totals(self) -> Counter[str]:
        """Returns `PassFigures` of all passes; of one that failed what it came to."""
        return self._finder.totals

    async def _settle(self, payouts: Sequence[Payouts]) -> int:
        orders = await self.store.settle(payouts)
        if orders:
            self.settled_by_outcome.update(order.outcome for order in orders)
            self.settled(orders)
        return len(orders)
