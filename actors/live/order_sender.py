"""Sends a journaled order once, and says what its answer proves."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping

import attrs
import trio

from actors.live.breaker import Breaker
from actors.live.live_book import LiveBook
from actors.rules.live.post_outcome import RESTARTING, UNAUTHORIZED, Outcome, OutcomeKind, outcome_of
from config.live_trading import LiveTradingConfig
from protocols.channels import Outbox
from protocols.clock import WallClock
from protocols.instruments import Observer
from protocols.live.events import OrderEvent, Refused, Unknown
from protocols.live.orders import LiveOrder, OrderOrigin, SignedOrder
from protocols.live.ports import LogLine, TradingAccount

_log = logging.getLogger(__name__)
SAFE_POLL_S = 0.05


@attrs.define(eq=False, kw_only=True)
class OrderSender:
    """Journaled orders → venue → order events. The same bytes go out again only while it is proved that the venue never took
    them: the connection was never made, or the venue said that it is too busy. Anything else is asked about, not repeated (I7).
    """

    accounts: Mapping[str, TradingAccount]
    events: Outbox[OrderEvent]
    book: LiveBook
    breaker: Breaker
    config: LiveTradingConfig
    clock: WallClock
    log: Outbox[LogLine]
    trade_to_order: Observer
    """Seconds from a trade's arrival to its order's first byte on the wire."""
    is_safe: Callable[[], bool] = lambda: True
    """Whether nobody else can have taken these accounts over; while that is not sure nothing is sent."""
    sent: Callable[[str, str], None] = lambda _account, _order_hash: None
    """Told account and hash of what may be at the venue now, so that somebody watches it; never waits."""
    doubt: Callable[[str], None] = lambda _order_hash: None
    """Told an order whose fate is open; never waits."""
    _turns: dict[str, trio.CapacityLimiter] = attrs.field(init=False, factory=dict)
    """By account: as many at once as there are connections for orders."""
    outcomes: Counter[str] = attrs.field(init=False, factory=Counter)
    """Answers by what they prove."""
    posts: int = attrs.field(init=False, default=0)

    async def send(self, order: LiveOrder) -> None:
        """Returns when the answer has been handed on, or that there is none."""
        assert order.signed is not None
        self.book.in_hand.add(order.signed.order_hash)
        try:
            await self._send(order, order.signed)
        finally:
            self.book.in_hand.discard(order.signed.order_hash)

    async def _send(self, order: LiveOrder, signed: SignedOrder) -> None:
        account = self.accounts[signed.account]
        turns = self._turns.setdefault(signed.account, trio.CapacityLimiter(self.config.lanes))
        tries, stale_keys, is_proved = 0, 0, True
        while True:
            await account.gate.take()
            # Judged when a connection is free, not when it began to wait for one.
            async with turns:
                # One that was stopped and goes on finds its time over, and is told soon whether others have taken over.
                while not self.is_safe():  # noqa: ASYNC110 - by a clock, not by an event
                    await trio.sleep(SAFE_POLL_S)
                if self.book.order(signed.order_hash) is None:
                    return
                if self._is_stale(order):
                    await self._end(order, "expired", "too old when its turn came", is_proved)
                    return
                outcome = await self._post(order, signed, tries)
            if outcome.kind is not OutcomeKind.NOT_SENT_RETRY:
                await self._conclude(order, signed, outcome, is_proved)
                return
            tries += 1
            stale_keys += outcome.reason == UNAUTHORIZED
            is_proved = is_proved and outcome.reason != RESTARTING
            if stale_keys > 1 or tries > self.config.unsent_retry_max:
                if outcome.reason == UNAUTHORIZED:
                    self.breaker.refused(order, outcome)
                await self._end(order, "unsent", f"{outcome.reason}; tried {tries} times", is_proved)
                return
            await self._pause(account, outcome, tries)

    async def _post(self, order: LiveOrder, signed: SignedOrder, tries: int) -> Outcome:
        began_s = trio.current_time()
        if tries == 0 and order.intent.seen_s is not None:
            self.trade_to_order.observe(began_s - order.intent.seen_s)
        self.posts += 1
        self.sent(signed.account, signed.order_hash)
        reply = await self.accounts[signed.account].venue.post_order(signed.body)
        outcome = outcome_of(reply, signed, order.intent.side, self.clock.now_ms())
        self.outcomes[outcome.kind.value] += 1
        self._say(order, outcome, trio.current_time() - began_s)
        return outcome

    async def _pause(self, account: TradingAccount, outcome: Outcome, tries: int) -> None:
        pause_s = outcome.retry_after_s if outcome.retry_after_s is not None else 0.05 * 2**tries
        if outcome.retry_after_s:
            account.gate.block_for(outcome.retry_after_s)
        await trio.sleep(min(pause_s, self.config.retry_pause_max_s))

    async def _conclude(self, order: LiveOrder, signed: SignedOrder, outcome: Outcome, is_proved: bool) -> None:
        assert outcome.event is not None
        if isinstance(outcome.event, Refused) and not is_proved:
            # The try before may have been taken, and be the reason of this refusal.
            await self._end(order, outcome.reason, outcome.detail, is_proved)
            return
        await self.events.send(outcome.event)
        if isinstance(outcome.event, Unknown):
            self.doubt(signed.order_hash)
        elif isinstance(outcome.event, Refused):
            self.breaker.refused(order, outcome)
        else:
            self.breaker.accepted(order)

    async def _end(self, order: LiveOrder, reason: str, detail: str, is_proved: bool) -> None:
        """An order that is not sent any more: its lock is given back where it is proved that it never was."""
        assert order.signed is not None
        self.outcomes[reason] += 1
        at_ms, order_hash = self.clock.now_ms(), order.signed.order_hash
        if is_proved:
            await self.events.send(Refused(order_hash=order_hash, reason=reason, detail=detail, at_ms=at_ms))
            return
        await self.events.send(Unknown(order_hash=order_hash, why=f"{reason}: {detail}", at_ms=at_ms))
        self.doubt(order_hash)

    def _is_stale(self, order: LiveOrder) -> bool:
        """An entry waits for its turn no longer than its signal is worth; what sells waits."""
        if order.intent.origin is not OrderOrigin.COPY:
            return False
        strategy = self.book.strategies.get(order.strategy_id)
        limit_s = 0 if strategy is None else strategy.settings.max_signal_age_s
        return self.clock.now_ms() - order.intent.signal_ms > limit_s * 1000

    def _say(self, order: LiveOrder, outcome: Outcome, elapsed_s: float) -> None:
        signed, intent = order.signed, order.intent
        assert signed is not None
        self.log.send_nowait(
            LogLine(
                at_ms=self.clock.now_ms(),
                level="info" if outcome.kind is OutcomeKind.PROVED_ACCEPTED else "warn",
                stage="ORDER_RESULT",
                message=f"TRADE {intent.side} {outcome.kind.value} {outcome.reason}".rstrip(),
                trace_id=intent.cause,
                execution_id=order.order_id,
                strategy_id=order.strategy_id,
                order_id=order.order_id,
                order_hash=signed.order_hash,
                source_trade_id=intent.cause if intent.origin is OrderOrigin.COPY else None,
                elapsed_ms=elapsed_s * 1000,
            )
        )
