"""What copied traders hold of the tokens that were copied from them, so that their sales are copied in proportion (D41)."""

import enum
import heapq
import logging
from collections.abc import Sequence
from decimal import Decimal

import attrs
import trio

from actors.price_memory import Forgetful
from actors.rules.log_limit import LogLimit
from actors.rules.paper.holding import (
    VENUE_LAG_MS,
    KnownFill,
    baseline_for,
    holding_before,
    may_have_more,
    observed_as_of_ms,
    recalled,
    remembered,
    since_of_ms,
)
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError
from protocols.paper import Holding, PaperStore, TraderHoldings
from protocols.positions import PositionEvent
from protocols.trades import Trade

_log = logging.getLogger(__name__)
PAIRS_MAX = 50_000
SETTLE_S = 5.0
"""What was seen before a pair was tracked is committed by then."""
ASK_VENUE_S = 12.0
"""So long after the first copy the venue's positions have the copied trade."""
ASK_PAUSE_S = 60.0
"""Between two questions to the venue, whoever they are about. Where wallets are polled hardly any is asked; where they are not,
what nobody has asked yet is told by the fills that were seen."""
RETRY_S = 30.0
TRIES_MAX = 5
BATCH_MAX = 200
PORTFOLIO_S = 600.0
PATIENCE_S = 2.0
Pair = tuple[str, str]
"""(wallet, token id)"""


class _Due(enum.IntEnum):
    LOAD = 0
    ASK = 1


@attrs.define(eq=False, kw_only=True)
class _Tracked:
    condition_id: str
    baselines: list[Holding] = attrs.field(factory=list)
    """What the venue said, oldest first. A sale that is decided late needs the one from before it."""
    fills: dict[str, KnownFill] = attrs.field(factory=dict)
    loaded: trio.Event = attrs.field(factory=trio.Event)
    tries: int = 0

    def learn(self, holding: Holding) -> None:
        """Adds what the venue says now."""
        self.baselines = remembered(self.baselines, holding)


@attrs.define(eq=False, kw_only=True)
class HoldingDesk:
    """copied trades → holdings. Noting and asking never wait; `run` reads stored fills and asks the venue once a pair."""

    store: PaperStore
    venue: TraderHoldings
    clock: WallClock
    failures: int = attrs.field(init=False, default=0)
    observed: int = attrs.field(init=False, default=0)
    """Changes of positions that were of use."""
    _pairs: dict[Pair, _Tracked] = attrs.field(init=False, factory=dict)
    _queues: dict[_Due, list[tuple[float, Pair]]] = attrs.field(init=False, factory=lambda: {due: [] for due in _Due})
    """What is to be done and when; heaps."""
    _ask_from_s: float = attrs.field(init=False, default=float("-inf"))
    _portfolios: dict[str, "_Portfolio"] = attrs.field(init=False, factory=dict)
    _no_portfolio: Forgetful[str] = attrs.field(init=False, factory=lambda: Forgetful(30.0))
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def track(self, wallet: str, condition_id: str, token_id: str) -> None:
        """Follows what a trader holds of a token from now on."""
        pair = (wallet, token_id)
        if pair in self._pairs or len(self._pairs) >= PAIRS_MAX:
            return
        self._pairs[pair] = _Tracked(condition_id=condition_id)
        self._schedule(SETTLE_S, _Due.LOAD, pair)
        self._schedule(ASK_VENUE_S, _Due.ASK, pair)

    def keep_only(self, pairs: Sequence[Pair]) -> None:
        """Forgets pairs of which nothing is open any more."""
        kept = set(pairs)
        self._pairs = {pair: tracked for pair, tracked in self._pairs.items() if pair in kept}

    def note(self, trade: Trade) -> None:
        """Takes a trade into account, if its pair is followed."""
        tracked = self._pairs.get((trade.wallet, trade.token_id))
        if tracked is not None:
            tracked.fills[trade.trade_id] = _known(trade.trade_id, trade.trade_ms, trade.side, trade.size_micro)

    def knows(self, wallet: str, token_id: str) -> bool:
        """Returns whether stored fills of a pair are at hand, or nobody follows it."""
        tracked = self._pairs.get((wallet, token_id))
        return tracked is None or tracked.loaded.is_set()

    def before(self, trade: Trade) -> int | None:
        """Returns the micro-shares that the trader held before a sale; None when nothing is known."""
        tracked = self._pairs.get((trade.wallet, trade.token_id))
        if tracked is None:
            return None
        return holding_before(
            baseline_for(tracked.baselines, trade.trade_ms),
            tracked.fills.values(),
            trade_id=trade.trade_id,
            trade_ms=trade.trade_ms,
        )

    async def observe(self, event: PositionEvent) -> None:
        """Takes a change of a position into account that a poller has seen: the venue need not be asked for it."""
        tracked = self._pairs.get((event.wallet, event.token_id))
        if tracked is None:
            return
        as_of_ms = observed_as_of_ms(
            tracked.fills.values(),
            before_micro=event.before_micro,
            after_micro=event.after_micro,
            seen_ms=event.seen_ms,
            since_ms=since_of_ms(tracked.baselines, event.before_micro),
        )
        if as_of_ms is None:
            return
        holding = Holding(wallet=event.wallet, token_id=event.token_id, micro=event.after_micro, as_of_ms=as_of_ms)
        tracked.learn(holding)
        self.observed += 1
        try:
            await self.store.keep_holding(holding)
        except TransientError as error:
            self._failed("keeping a holding", error)

    async def fetch(self, wallet: str, token_id: str, *, deadline_s: float) -> None:
        """Returns when stored fills of a pair are at hand, at the latest at `deadline_s`."""
        tracked = self._pairs.get((wallet, token_id))
        if tracked is not None and not tracked.loaded.is_set():
            self._schedule(0.0, _Due.LOAD, (wallet, token_id))
            with trio.move_on_at(deadline_s):
                await tracked.loaded.wait()

    def portfolio_at_hand(self, wallet: str) -> bool:
        """Returns whether `portfolio_usd` answers without asking the venue."""
        now_s, known = trio.current_time(), self._portfolios.get(wallet)
        is_fresh = known is not None and now_s - known.asked_s < PORTFOLIO_S
        return is_fresh or self._no_portfolio.holds(wallet, now_s)

    def last_portfolio_usd(self, wallet: str) -> Decimal | None:
        """Returns what the venue said last; None when it has not said."""
        known = self._portfolios.get(wallet)
        return None if known is None else known.usd

    async def portfolio_usd(self, wallet: str) -> Decimal | None:
        """Returns the value of a trader's open positions, at most ten minutes old; None when the venue does not say."""
        last_usd = self.last_portfolio_usd(wallet)
        if self.portfolio_at_hand(wallet):
            return last_usd
        now_s = trio.current_time()
        try:
            with trio.fail_after(PATIENCE_S):
                usd = await self.venue.portfolio_usd(wallet)
        except (TransientError, RejectedError, trio.TooSlowError) as error:
            self._failed("portfolio", error)
            self._no_portfolio.add(wallet, now_s)
            return last_usd
        if len(self._portfolios) >= PAIRS_MAX:
            self._portfolios.clear()
        self._portfolios[wallet] = _Portfolio(usd=usd, asked_s=now_s)
        return usd

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads and asks what is due until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                await self._load(self._due(_Due.LOAD, BATCH_MAX))
                if trio.current_time() >= self._ask_from_s:
                    for pair in self._due(_Due.ASK, 1):
                        self._ask_from_s = trio.current_time() + ASK_PAUSE_S
                        # A venue that hangs must not keep fills from being read that a sale waits for.
                        nursery.start_soon(self._ask, pair)
                with trio.move_on_at(min(self._next_s(_Due.LOAD), max(self._next_s(_Due.ASK), self._ask_from_s))):
                    await self._wake.wait()

    def _schedule(self, after_s: float, what: _Due, pair: Pair) -> None:
        due = (trio.current_time() + after_s, pair)
        heapq.heappush(self._queues[what], due)
        if self._queues[what][0] == due:
            self._wake.set()

    def _next_s(self, what: _Due) -> float:
        return self._queues[what][0][0] if self._queues[what] else float("inf")

    def _due(self, what: _Due, pairs_max: int) -> list[Pair]:
        """Takes the pairs whose fills are to be read, or that the venue is to be asked for, and for which nobody did so yet."""
        due: dict[Pair, None] = {}
        while len(due) < pairs_max and self._next_s(what) <= trio.current_time():
            _, pair = heapq.heappop(self._queues[what])
            tracked = self._pairs.get(pair)
            if tracked is not None and (not tracked.baselines if what is _Due.ASK else not tracked.loaded.is_set()):
                due[pair] = None
        return list(due)

    async def _load(self, pairs: Sequence[Pair]) -> None:
        if not pairs:
            return
        try:
            holdings, fills = await self.store.holdings(pairs)
        except TransientError as error:
            self._failed("fills", error)
            for pair in pairs:
                self._schedule(1.0, _Due.LOAD, pair)
            return
        for fill in fills:
            if (tracked := self._pairs.get((fill.wallet, fill.token_id))) is not None:
                known = _known(fill.trade_id, fill.trade_ms, fill.side, fill.size_micro)
                tracked.fills.setdefault(fill.trade_id, known)
        for holding in holdings:
            if (tracked := self._pairs.get((holding.wallet, holding.token_id))) is not None:
                tracked.baselines = recalled(tracked.baselines, holding, tracked.fills.values())
        for pair in pairs:
            if (tracked := self._pairs.get(pair)) is not None:
                tracked.loaded.set()

    async def _ask(self, pair: Pair) -> None:
        """Asks the venue what one trader holds, and keeps the answer for the next start."""
        tracked = self._pairs.get(pair)
        if tracked is None:
            return
        asked_ms = self.clock.now_ms()
        try:
            micro = await self.venue.holding_micro(pair[0], tracked.condition_id, pair[1])
            holding = Holding(wallet=pair[0], token_id=pair[1], micro=micro, as_of_ms=asked_ms - VENUE_LAG_MS)
            if may_have_more(holding, tracked.fills.values()) and self._tries_again(pair, tracked):
                return
            await self.store.keep_holding(holding)
        except RejectedError as error:
            self._failed("holding", error)
        except TransientError as error:
            self._failed("holding", error)
            self._tries_again(pair, tracked)
        else:
            tracked.learn(holding)

    def _tries_again(self, pair: Pair, tracked: _Tracked) -> bool:
        tracked.tries += 1
        if tracked.tries < TRIES_MAX:
            self._schedule(RETRY_S, _Due.ASK, pair)
        return tracked.tries < TRIES_MAX

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(what, trio.current_time()) is not None:
            fields = {"what": what, "error": str(error) or type(error).__name__}
            _log.warning("what a trader holds is not known, net buys are taken", extra=fields)


@attrs.frozen(kw_only=True)
class _Portfolio:
    usd: Decimal
    asked_s: float


def _known(trade_id: str, trade_ms: int, side: str, size_micro: int) -> KnownFill:
    return KnownFill(trade_id, trade_ms, size_micro if side == "BUY" else -size_micro)
