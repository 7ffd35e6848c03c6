"""What becomes of matched trades: MATCHED, MINED, CONFIRMED; RETRYING and FAILED on demand (venue.md §2.2, §7.2)."""

import heapq
from collections.abc import Callable

from engine.simulator.exchange.clearing import Clearing
from engine.simulator.exchange.events import TradeChanged
from engine.simulator.exchange.order_faults import OrderFaults
from engine.simulator.exchange.trades import TradeStatus, VenueTrade
from engine.simulator.seeds import digest, fraction

_MINED_MS = (1_000, 3_000)
_RETRY_MS = 2_000
_CONFIRMED_MS = 4_000


class Settlement:
    """The trades that are not settled yet, by when they go on."""

    def __init__(
        self, clearing: Clearing, faults: OrderFaults, tell: Callable[[TradeChanged], None], *, lag_scale: float
    ) -> None:
        self._clearing = clearing
        self._faults = faults
        self._tell = tell
        self._lag_scale = lag_scale
        self._due: list[tuple[int, int, VenueTrade]] = []
        self._entries = 0

    def begin(self, trade: VenueTrade) -> None:
        """Books what a new trade costs everybody, and decides how it will end."""
        trade.retries_left = 1 if self._faults.take("trade_retrying") is not None else 0
        trade.fails = self._faults.take("trade_failed") is not None
        self._clearing.give_up(trade)
        low, high = _MINED_MS
        self._schedule(trade, trade.matched_ms, low + (high - low) * fraction("mined", trade.trade_id))
        self._announce(trade, trade.matched_ms)

    def tick(self, now_ms: int) -> None:
        """Lets every trade go on whose time has come."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, _, trade = heapq.heappop(self._due)
            self._advance(trade, due_ms)
            self._announce(trade, now_ms)

    def next_ms(self) -> int | None:
        """Returns when a trade goes on next."""
        return self._due[0][0] if self._due else None

    def _advance(self, trade: VenueTrade, due_ms: int) -> None:
        if trade.status in (TradeStatus.MATCHED, TradeStatus.RETRYING):
            if trade.retries_left:
                trade.retries_left -= 1
                trade.status = TradeStatus.RETRYING
                trade.transaction_hash = transaction_hash(trade.trade_id, 0)
                self._schedule(trade, due_ms, _RETRY_MS)
            elif trade.fails:
                trade.status = TradeStatus.FAILED
                self._clearing.give_back(trade)
            else:
                trade.transaction_hash = final_hash(trade)
                trade.status = TradeStatus.MINED
                self._clearing.settle(trade)
                self._schedule(trade, due_ms, _CONFIRMED_MS)
        else:
            trade.status = TradeStatus.CONFIRMED

    def _schedule(self, trade: VenueTrade, from_ms: int, delay_ms: float) -> None:
        trade.due_ms = from_ms + round(delay_ms * self._lag_scale)
        self._entries += 1
        heapq.heappush(self._due, (trade.due_ms, self._entries, trade))

    def _announce(self, trade: VenueTrade, at_ms: int) -> None:
        trade.updated_ms = at_ms
        self._tell(TradeChanged(trade=trade, status=trade.status, transaction_hash=trade.transaction_hash, at_ms=at_ms))


def transaction_hash(trade_id: str, attempt: int) -> str:
    """Returns the hash of an attempt at mining a trade."""
    return "0x" + digest("transaction", trade_id, attempt).hex()


def final_hash(trade: VenueTrade) -> str:
    """Returns the hash under which a trade is mined: another one when it had to be sent again."""
    tried = trade.status is TradeStatus.RETRYING or trade.retries_left > 0
    return transaction_hash(trade.trade_id, 1 if tried else 0)
