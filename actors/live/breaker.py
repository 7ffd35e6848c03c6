"""Stops entries of strategies that the venue refuses again and again, and of accounts that it says have no money."""

import logging
from collections import Counter, deque

import attrs
import trio

from actors.live.live_registry import LiveRegistry
from actors.rules.backoff import Backoff
from actors.rules.live.post_outcome import Outcome
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.live.orders import LiveOrder, OrderOrigin, Side
from protocols.live.ports import LiveOrderStore

_log = logging.getLogger(__name__)
PAUSE_FIRST_S, PAUSE_MAX_S = 30.0, 3_600.0
# What a market says and nothing of ours caused: nobody was there to trade with.
_MARKET_SAYS = frozenset({"no_match", "fok_killed", "fak_no_match", "post_only_crosses", "expired"})


@attrs.define(eq=False, kw_only=True)
class Breaker:
    """refusals → latched strategies, paused accounts. A latch stays until an operator clears it; a pause ends by itself, and
    doubles while the venue says the same again.
    """

    registry: LiveRegistry
    store: LiveOrderStore
    clock: WallClock
    rng: Random
    latched: dict[str, str] = attrs.field(init=False, factory=dict)
    """By strategy: latched here, perhaps not in the table of strategies yet."""
    _in_a_row: Counter[str] = attrs.field(init=False, factory=Counter)
    _paused_until_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _pauses: Counter[str] = attrs.field(init=False, factory=Counter)
    """Pauses of an account in a row."""
    _recorded: set[str] = attrs.field(init=False, factory=set)
    """Latches that the table of strategies had when it was read last."""
    _unwritten: deque[str] = attrs.field(init=False, factory=deque)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps latches in the database, and forgets those that an operator cleared."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_clearings)
            backoff = Backoff(first_s=0.2, max_s=10.0, rng=self.rng)
            while True:
                self._wake = trio.Event()
                while self._unwritten:
                    strategy_id = self._unwritten[0]
                    try:
                        await self.store.latch(strategy_id, self.latched.get(strategy_id), self.clock.now_ms())
                    except TransientError as error:
                        _log.warning("a latched breaker is not recorded yet", extra={"error": str(error)})
                        await trio.sleep(backoff.next_s())
                        continue
                    backoff.reset()
                    self._unwritten.popleft()
                await self._wake.wait()

    def stops(self, strategy_id: str, account: str, now_s: float) -> str | None:
        """Returns why a strategy may not enter at monotonic time `now_s`, or None."""
        latched = self.latched.get(strategy_id) or self.registry.table.breakers.get(strategy_id)
        if latched is not None:
            return latched
        until_s = self._paused_until_s.get(account, 0.0)
        return f"not enough balance, tried again in {until_s - now_s:.0f} s" if now_s < until_s else None

    def paused_s(self, account: str) -> float | None:
        """Returns for how many seconds entries of an account pause, or None."""
        left_s = self._paused_until_s.get(account, 0.0) - trio.current_time()
        return left_s if left_s > 0 else None

    def accepted(self, order: LiveOrder) -> None:
        """Says that the venue took an order."""
        self._in_a_row.pop(order.strategy_id, None)
        if order.signed is not None:
            self._pauses.pop(order.signed.account, None)

    def refused(self, order: LiveOrder, outcome: Outcome) -> None:
        """Says that the venue refused an order; never waits."""
        if outcome.reason in _MARKET_SAYS or order.signed is None:
            return
        # A sale lacks shares, or leave to move them: that says nothing of cash.
        if outcome.latch and order.intent.side is Side.BUY:
            self._pause(order.signed.account)
        strategy = self.registry.strategies.get(order.strategy_id)
        if strategy is None or order.intent.origin is not OrderOrigin.COPY:
            return
        self._in_a_row[order.strategy_id] += 1
        limit = strategy.settings.max_consecutive_failures
        if limit is not None and self._in_a_row[order.strategy_id] >= limit and order.strategy_id not in self.latched:
            reason = f"refused {self._in_a_row[order.strategy_id]} times in a row, last: {outcome.reason}"
            self.latched[order.strategy_id] = reason
            self._unwritten.append(order.strategy_id)
            self._wake.set()
            _log.error("breaker latched, no more entries", extra={"strategy": order.strategy_id, "reason": reason})

    def _pause(self, account: str) -> None:
        pause_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2.0 ** self._pauses[account])
        self._pauses[account] += 1
        self._paused_until_s[account] = trio.current_time() + pause_s
        _log.warning("not enough balance, entries of the account pause", extra={"account": account, "pause_s": pause_s})

    async def _follow_clearings(self) -> None:
        while True:
            await self.registry.changed.wait()
            recorded = set(self.registry.table.breakers)
            # One that is not recorded yet was not cleared either.
            for strategy_id in self._recorded - recorded:
                self.latched.pop(strategy_id, None)
                self._in_a_row.pop(strategy_id, None)
            self._recorded = recorded
