"""Trades of targets by market, in the order in which they came, for strategies that ask how their targets stand."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.strategy.crowds import STANCE_MS, fill_of_trade
from protocols.clock import Random, WallClock
from protocols.conflicts import Circle, MarketFill, MarketFills
from protocols.errors import TransientError
from protocols.trades import Trade

_log = logging.getLogger(__name__)
MARKET_FILLS_MAX = 5_000
"""Of one market; the latest ones count."""
FILLS_MAX = 100_000
"""Of all markets; those of which nothing came for the longest time are forgotten, and read again when they are asked for."""
MARKETS_MAX = 20_000
BATCH_MAX = 50


@attrs.define(eq=False)
class _Market:
    fills: dict[str, MarketFill] = attrs.field(factory=dict)
    """By trade id, in the order in which they were stored or came."""
    is_loaded: bool = False


@attrs.define(eq=False, kw_only=True)
class SidesDesk:
    """trades → fills by market. Noting and asking never wait; `run` reads what was stored before, once a market.

    How targets stand when a trade is decided is what came before it, whenever it is decided: after a restart as well.
    """

    store: MarketFills
    clock: WallClock
    rng: Random
    failures: int = attrs.field(init=False, default=0)
    queries: int = attrs.field(init=False, default=0)
    _circles: Sequence[Circle] = attrs.field(init=False, default=())
    _wallets: frozenset[str] | None = attrs.field(init=False, default=frozenset())
    _markets: OrderedDict[str, _Market] = attrs.field(init=False, factory=OrderedDict)
    _count: int = attrs.field(init=False, default=0)
    _wanted: dict[str, trio.Event] = attrs.field(init=False, factory=dict)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __len__(self) -> int:
        return self._count

    def follow(self, circles: Iterable[Circle]) -> None:
        """Counts the trades of these from now on. Other circles than before: what is known is read again."""
        distinct = list({id(circle): circle for circle in circles}.values())
        if distinct == list(self._circles):
            return
        self._circles, self._wallets = distinct, _union(distinct)
        for market in self._markets.values():
            market.is_loaded = False

    @property
    def is_idle(self) -> bool:
        """Returns whether nobody asks how targets stand."""
        return not self._circles

    def note(self, trade: Trade) -> None:
        """Takes a trade into account, if it is of somebody who counts."""
        if self._wallets is None or trade.wallet in self._wallets:
            self._keep(self._market(trade.condition_id), [fill_of_trade(trade)])

    def knows(self, condition_id: str) -> bool:
        """Returns whether what was stored of a market is at hand."""
        market = self._markets.get(condition_id)
        return market is not None and market.is_loaded

    def fills_up_to(self, condition_id: str, trade_ids: Collection[str]) -> list[MarketFill] | None:
        """Returns a market's fills up to the last of some trades; None when what was stored of it is not at hand."""
        market = self._markets.get(condition_id)
        if market is None or not market.is_loaded:
            return None
        fills = list(market.fills.values())
        while fills and fills[-1].trade_id not in trade_ids:
            fills.pop()
        return fills or list(market.fills.values())

    async def fetch(self, condition_id: str, *, deadline_s: float) -> None:
        """Returns when what was stored of a market is at hand, at the latest at `deadline_s` (monotonic)."""
        if self.knows(condition_id):
            return
        event = self._wanted.setdefault(condition_id, trio.Event())
        self._wake.set()
        with trio.move_on_at(deadline_s):
            await event.wait()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads what is asked for until cancelled."""
        task_status.started()
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            if not self._wanted:
                self._wake = trio.Event()
                await self._wake.wait()
            try:
                await self._load(list(self._wanted)[:BATCH_MAX])
                backoff.reset()
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("sides", trio.current_time()) is not None:
                    _log.warning("trades of markets not read", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())

    async def _load(self, condition_ids: Sequence[str]) -> None:
        circles = self._circles
        stored = await self.store.market_fills(
            condition_ids,
            since_ms=self.clock.now_ms() - STANCE_MS,
            wallets=self._wallets,
            fills_max=MARKET_FILLS_MAX,
        )
        self.queries += 1
        if circles is not self._circles:
            return
        by_market: dict[str, list[MarketFill]] = {}
        for fill in stored:
            by_market.setdefault(fill.condition_id, []).append(fill)
        for condition_id in condition_ids:
            market = self._market(condition_id)
            came, market.fills = market.fills, {}
            self._count -= len(came)
            # What came in the meantime and is not stored yet comes after what is.
            self._keep(market, by_market.get(condition_id, ()))
            self._keep(market, came.values())
            market.is_loaded = True
            self._wanted.pop(condition_id).set()

    def _market(self, condition_id: str) -> _Market:
        market = self._markets.get(condition_id)
        if market is None:
            market = self._markets[condition_id] = _Market()
            if len(self._markets) > MARKETS_MAX:
                self._forget_oldest()
        self._markets.move_to_end(condition_id)
        return market

    def _keep(self, market: _Market, fills: Iterable[MarketFill]) -> None:
        for fill in fills:
            if fill.trade_id in market.fills:
                continue
            market.fills[fill.trade_id] = fill
            self._count += 1
            if len(market.fills) > MARKET_FILLS_MAX:
                del market.fills[next(iter(market.fills))]
                self._count -= 1
        while self._count > FILLS_MAX and len(self._markets) > 1:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, market = self._markets.popitem(last=False)
        self._count -= len(market.fills)


def _union(circles: Sequence[Circle]) -> frozenset[str] | None:
    """Whose trades may count for one of the circles; None: everyone's."""
    wallets: set[str] = set()
    for circle in circles:
        if circle.wallets is None:
            return None
        wallets.update(circle.wallets)
    return frozenset(wallets)
