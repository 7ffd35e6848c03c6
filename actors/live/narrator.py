"""Tells in the log of live trading what became of orders, obligations and positions: words for what was committed."""

from collections.abc import Iterable

import attrs

from protocols.channels import Outbox
from protocols.clock import WallClock
from protocols.live.exits import ExitStatus, LiveExit
from protocols.live.orders import LiveOrder, OrderOrigin, OrderStatus, Side
from protocols.live.ports import Applied, LogLine, Settled

SAID_KEPT = 10_000
_BAD = frozenset({OrderStatus.LOST, OrderStatus.REJECTED})


@attrs.define(eq=False, kw_only=True)
class Narrator:
    """commits → log lines. What happened is said once, however many settlement messages follow; never waits."""

    log: Outbox[LogLine]
    clock: WallClock
    _said: dict[tuple[str, str], None] = attrs.field(init=False, factory=dict)
    """Ids with the state that was told."""

    def applied(self, result: Applied) -> None:
        """Says which orders ended, and what became of obligations."""
        for order in result.orders:
            if order.ended and self._is_news(order.order_id, f"{order.status.value} {order.filled_shares}"):
                self._say_order(order)
        self._say_exits(result.exits)

    def settled(self, result: Settled) -> None:
        """Says what resolutions paid."""
        for lot in result.lots:
            message = f"CASH {lot.outcome}: worth {lot.value} USD, {lot.pnl:+} USD; waits for its redemption"
            if not lot.value:
                message = f"CASH {lot.outcome}: {lot.pnl:+} USD"
            self._say("info", "RESOLVE", message, lot.order_id, lot.strategy_id, order_id=lot.order_id)
        self._say_exits(result.exits)

    def _say_order(self, order: LiveOrder) -> None:
        intent, sells = order.intent, order.intent.side is Side.SELL
        is_bad = order.status in _BAD
        prefix = "ERROR" if order.status is OrderStatus.LOST else "SELL" if sells else "POLL"
        fee = f", {order.fee_usd} USD fee" if order.fee_usd else ""
        what = (
            f"{order.filled_shares} shares for {order.filled_usd} USD{fee}" if order.filled_shares else "nothing filled"
        )
        why = " ".join(text for text in (order.reason, order.detail) if text)
        self._say(
            "warn" if is_bad else "info",
            "SELL" if sells else "ORDER_POLL",
            f"{prefix} {intent.side} {order.status.value}: {what}{f' ({why})' if why else ''}"[:500],
            intent.cause,
            order.strategy_id,
            order_id=order.order_id,
            order_hash=None if order.signed is None else order.signed.order_hash,
            source_trade_id=intent.cause if intent.origin is OrderOrigin.COPY else None,
        )

    def _say_exits(self, exits: Iterable[LiveExit]) -> None:
        for one in exits:
            if one.status is not ExitStatus.OPEN and self._is_news(one.exit_id, one.status.value):
                target = "" if one.target_shares is None else f" of {one.target_shares}"
                detail = f" ({one.detail})" if one.detail else ""
                message = f"SELL {one.kind.value} {one.status.value}: {one.sold_shares}{target} shares sold{detail}"
                self._say("info", "SELL", message[:500], one.cause, one.strategy_id)

    def _is_news(self, id_: str, state: str) -> bool:
        if (id_, state) in self._said:
            return False
        self._said[id_, state] = None
        while len(self._said) > SAID_KEPT:
            del self._said[next(iter(self._said))]
        return True

    def _say(
        self,
        level: str,
        stage: str,
        message: str,
        trace_id: str,
        strategy_id: str,
        *,
        order_id: str | None = None,
        order_hash: str | None = None,
        source_trade_id: str | None = None,
    ) -> None:
        line = LogLine(
            at_ms=self.clock.now_ms(), level=level, stage=stage, message=message, trace_id=trace_id,
            execution_id=order_id or trace_id, strategy_id=strategy_id, order_id=order_id, order_hash=order_hash,
            source_trade_id=source_trade_id,
        )  # fmt: skip
        self.log.send_nowait(line)
