"""Cancels buys that rest: of what has to be sold, and those that may not rest any longer. Part of exit_keeper."""

from collections.abc import Callable, Mapping, Sequence

import attrs
import trio

from actors.live.live_book import LiveBook
from actors.live.order_asking import hash_of
from protocols.clock import WallClock
from protocols.live.exits import ExitKind, LiveExit
from protocols.live.orders import LiveOrder, OrderOrigin, Side
from protocols.live.ports import ClobAccount

CANCEL_AGAIN_S = 5.0


@attrs.define(eq=False, kw_only=True)
class BuyEnding:
    """Working buys → cancellations, each again after five seconds while it still works."""

    book: LiveBook
    accounts: Mapping[str, ClobAccount]
    clock: WallClock
    doubt: Callable[[str], None]
    """Told a buy that was cancelled, so that its end is heard of soon; never waits."""
    cancelled: int = attrs.field(init=False, default=0)
    """Cancellations asked for."""
    _cancelled_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """By order hash."""

    async def end(self, one: LiveExit) -> bool:
        """Returns whether a buy of what has to be sold is still working. Raises `TransientError` and `RejectedError`."""
        buys = [order for order in self.book.working_orders() if _brings(order, one)]
        await self._cancel(buys)
        return bool(buys)

    async def end_rested(self) -> None:
        """Cancels entries after `resting_s` (the venue itself ends only GTD), and all of strategies that may not enter now.

        Raises as `end` does.
        """
        now_ms = self.clock.now_ms()
        await self._cancel([order for order in self.book.working_orders() if self._has_rested(order, now_ms)])

    def _has_rested(self, order: LiveOrder, now_ms: int) -> bool:
        strategy = self.book.strategies.get(order.strategy_id)
        if strategy is None or order.signed is None or order.intent.origin is not OrderOrigin.COPY:
            return False
        table = self.book.registry.table
        if table.halt is not None or not strategy.enters or order.strategy_id in table.breakers:
            return True
        return now_ms - order.signed.signed_ms >= strategy.settings.resting_s * 1000

    async def _cancel(self, buys: Sequence[LiveOrder]) -> None:
        resting = [order for order in buys if order.signed is not None and order.signed.order_type.rests]
        now_s = trio.current_time()
        by_account: dict[str, list[str]] = {}
        for order in resting:
            order_hash = hash_of(order)
            if order.signed is not None and self._cancelled_s.get(order_hash, float("-inf")) <= now_s - CANCEL_AGAIN_S:
                by_account.setdefault(order.signed.account, []).append(order_hash)
        working = {hash_of(order) for order in self.book.working_orders()}
        self._cancelled_s = {one: at_s for one, at_s in self._cancelled_s.items() if one in working}
        for account, order_hashes in by_account.items():
            if account in self.accounts:
                await self.accounts[account].cancel(order_hashes)
                self._cancelled_s |= dict.fromkeys(order_hashes, now_s)
                self.cancelled += len(order_hashes)
                for order_hash in order_hashes:
                    self.doubt(order_hash)


def _brings(order: LiveOrder, one: LiveExit) -> bool:
    """Returns whether a working buy brings shares that an obligation sells."""
    intent = order.intent
    if intent.side is not Side.BUY or (intent.strategy_id, intent.token_id) != (one.strategy_id, one.token_id):
        return False
    is_his = one.trader is None or one.trader == intent.trader
    return is_his and (one.kind is not ExitKind.TRADER_SELL or intent.signal_ms <= one.signal_ms)
