"""An engine that kills itself at a named point of the order path: `python killed_engine.py POINT PASSES`.

`POINT` is a key of `POINTS`; the process dies at its `PASSES`-th passing. With `resend` as the third argument, an engine that
finds a journaled order of which it has heard nothing signs it anew and sends that: the mistake that the test has to see.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from actors.live.executor import Executor
from actors.live.order_keeper import OrderKeeper
from actors.live.order_sender import OrderSender
from config.loader import load_config
from engine.adapters.clob_account_api import ClobAccountApi
from engine.adapters.postgres.live_order_store import PostgresLiveOrderStore
from engine.adapters.postgres.trade_store import PostgresTradeStore
from engine.cli.hosting import host_engine
from protocols.live.orders import OrderStatus
from protocols.live.ports import OrderPlan
from protocols.receipts import decisions_of

Method = Callable[..., Awaitable[Any]]
BEFORE, AFTER, DURING = "before", "after", "during"


def _claims(arguments: tuple[Any, ...]) -> bool:
    return any(decision.intents or decision.exit_signal for laned in arguments[0] for decision in decisions_of(laned))


# Name: class, method, where the process dies, and which calls count.
POINTS: dict[str, tuple[type, str, str, Callable[[tuple[Any, ...]], bool]]] = {
    "claim-before-commit": (PostgresTradeStore, "write", BEFORE, _claims),
    "claim-after-commit": (PostgresTradeStore, "write", AFTER, _claims),
    "start-after-snapshot": (PostgresLiveOrderStore, "snapshot", AFTER, lambda _: True),
    "journal-before-commit": (PostgresLiveOrderStore, "journal", BEFORE, lambda _: True),
    "journal-during-commit": (PostgresLiveOrderStore, "journal", DURING, lambda _: True),
    "journal-after-commit": (PostgresLiveOrderStore, "journal", AFTER, lambda _: True),
    "post-before-send": (ClobAccountApi, "post_order", BEFORE, lambda _: True),
    "post-during-send": (ClobAccountApi, "post_order", DURING, lambda _: True),
    "post-after-answer": (ClobAccountApi, "post_order", AFTER, lambda _: True),
    "answer-before-event": (OrderSender, "_conclude", BEFORE, lambda _: True),
    "answer-after-event": (OrderSender, "_conclude", AFTER, lambda _: True),
    "event-before-booking": (OrderKeeper, "_keep", BEFORE, lambda _: True),
    "booking-during-commit": (PostgresLiveOrderStore, "apply", DURING, lambda _: True),
    "booking-after-commit": (PostgresLiveOrderStore, "apply", AFTER, lambda _: True),
    "exit-before-claim": (PostgresLiveOrderStore, "claim", BEFORE, lambda arguments: bool(arguments[0])),
    "exit-after-claim": (PostgresLiveOrderStore, "claim", AFTER, lambda arguments: bool(arguments[0])),
    "exit-target-fixed": (PostgresLiveOrderStore, "fixed_target", AFTER, lambda _: True),
    "settlement-during-commit": (PostgresLiveOrderStore, "settle", DURING, lambda arguments: bool(arguments[0])),
    "settlement-after-commit": (PostgresLiveOrderStore, "settle", AFTER, lambda arguments: bool(arguments[0])),
    "release-after-commit": (PostgresLiveOrderStore, "release", AFTER, lambda _: True),
    "decline-before-commit": (PostgresLiveOrderStore, "decline", BEFORE, lambda _: True),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, passes: int) -> None:
    """Has the process die at the passes-th passing of a point."""
    cls, name, where, counts = POINTS[point]
    original: Method = getattr(cls, name)
    seen = 0

    async def armed(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal seen
        seen += counts(arguments)
        now = counts(arguments) and seen >= passes
        if now and where == BEFORE:
            die()
        if now and where == DURING:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_die_soon, passes)
                result = await original(self, *arguments, **named)
                nursery.cancel_scope.cancel()
            return result
        result = await original(self, *arguments, **named)
        if now:
            die()
        return result

    setattr(cls, name, armed)


async def _die_soon(passes: int) -> None:
    await trio.sleep(0.0002 * (passes % 12))
    die()


def resend_blindly() -> None:
    """Signs anew and sends what was journaled and never answered."""
    load = Executor._load

    async def loaded(self: Executor) -> None:
        await load(self)
        await self.reconciled.wait()
        for order in self.book.working_orders():
            if order.status is not OrderStatus.PLACED or order.signed is None:
                continue
            account = self.sender.accounts[order.signed.account]
            cash, shares = order.signed.spend_usd or order.signed.size_shares, order.signed.size_shares
            plan = OrderPlan(
                intent=order.intent, account=order.signed.account, order_type=order.signed.order_type,
                limit_price=order.signed.limit_price, maker_amount=int(cash * 10**6),
                taker_amount=int(shares * 10**6), size_shares=shares, spend_usd=order.signed.spend_usd,
                lock_usd=order.signed.lock_usd, fee_rate=order.signed.fee_rate,
                fee_exponent=order.signed.fee_exponent, negative_risk=order.signed.negative_risk,
            )  # fmt: skip
            await account.venue.post_order(account.maker.sign(plan, self.clock.now_ms()).body)

    Executor._load = loaded  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1] != "none":
        arm(sys.argv[1], int(sys.argv[2]))
    if "resend" in sys.argv[3:]:
        resend_blindly()
    sys.exit(host_engine(load_config, load_config(), live_switch=True))
