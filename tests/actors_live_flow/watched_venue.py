"""One account at a scripted venue: its orders, trades, balances and user sockets."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import trio
from property.supervised import CrashPlan

from protocols.errors import RejectedError, TransientError
from protocols.live.orders import LiveIntent, LiveOrder, OrderType, Side, SignedOrder
from protocols.venue.clob_account import BalanceAllowance, VenueFill, VenueOrder
from protocols.venue.clob_orders import CancelAnswer
from protocols.venue.clob_user import OrderUpdate

ACCOUNT, STRATEGY, TRADER, MARKET, TOKEN = "main", "LT_A", "0x" + "7" * 40, "0x" + "a" * 64, "111"
NO_CRASH = frozenset[int]()


def hash_for(number: int) -> str:
    return f"0x{number:064x}"


def bought(
    number: int, *, type_: OrderType = OrderType.FAK, shares: str = "10", signed_ms: int, **changed: Any
) -> LiveOrder:
    """A journaled BUY at 0.50."""
    intent = LiveIntent(
        order_id=f"order-{number}", strategy_id=STRATEGY, cause=f"trade-{number}", side=Side.BUY, condition_id=MARKET,
        token_id=TOKEN, trader=TRADER, signal_price=Decimal("0.5"), signal_ms=signed_ms, decided_ms=signed_ms,
    )  # fmt: skip
    intent = msgspec.structs.replace(intent, **changed)
    return signed_order(intent, number, type_=type_, shares=Decimal(shares), signed_ms=signed_ms)


def signed_order(intent: LiveIntent, number: int, *, type_: OrderType, shares: Decimal, signed_ms: int) -> LiveOrder:
    signed = SignedOrder(
        order_hash=hash_for(number), body=b"{}", account=ACCOUNT, order_type=type_, limit_price=Decimal("0.5"),
        size_shares=shares, spend_usd=None, lock_usd=shares / 2, fee_rate=Decimal(0), fee_exponent=1,
        negative_risk=False, signed_ms=signed_ms,
    )  # fmt: skip
    return LiveOrder(intent=intent, signed=signed, version=2)


def venue_order(number: int, *, matched: str | None = "0", status: str = "LIVE", shares: str = "10") -> VenueOrder:
    return VenueOrder(
        order_hash=hash_for(number), status=status, condition_id=MARKET, token_id=TOKEN, side="BUY", price=Decimal("0.5"),
        original_shares=Decimal(shares), matched_shares=None if matched is None else Decimal(matched), order_type="GTC",
        created_ms=0,
    )  # fmt: skip


def venue_fill(
    number: int, trade: int = 1, *, shares: str = "10", status: str = "MATCHED", match_ms: int,
    transaction_hash: str | None = None,
) -> VenueFill:  # fmt: skip
    return VenueFill(
        trade_id=f"t-{number}-{trade}", order_hash=hash_for(number), condition_id=MARKET, token_id=TOKEN, side="BUY",
        shares=Decimal(shares), price=Decimal("0.5"), role="TAKER", status=status, match_ms=match_ms,
        transaction_hash=transaction_hash,
    )  # fmt: skip


def update(number: int, *, status: str = "LIVE", matched: str = "0", kind: str = "PLACEMENT") -> OrderUpdate:
    return OrderUpdate(
        order_hash=hash_for(number), kind=kind, status=status, matched_shares=Decimal(matched), trade_ids=(), at_ms=0
    )


@attrs.define(eq=False)
class Venue:
    """`ClobAccount`: shows what a test put there; fails by script and crashes by plan."""

    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(NO_CRASH))
    weather: list[str] = attrs.field(factory=list)
    shown: dict[str, VenueOrder] = attrs.field(factory=dict)
    fills: list[VenueFill] = attrs.field(factory=list)
    cash_micro: int = 100_000_000
    balances: list[str] = attrs.field(factory=list)
    """Tokens whose balance was asked for."""
    held_micro: dict[str, int] = attrs.field(factory=dict)
    calls: Counter[str] = attrs.field(factory=Counter)
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    cancelled: list[str] = attrs.field(factory=list)
    read_since_s: list[int] = attrs.field(factory=list)
    """From when on trades were read."""
    down: bool = False

    async def _step(self, name: str) -> None:
        self.calls[name] += 1
        if self.plan.due():
            self.plan.crash()
        await trio.sleep(0.01)
        what = self.weather.pop() if self.weather else "ok"
        if self.down or what == "down":
            raise TransientError("502")
        if what == "refused":
            raise RejectedError("401")

    async def post_order(self, body: bytes) -> Any:
        raise AssertionError("nobody here sends orders")

    async def cancel(self, order_hashes: Sequence[str]) -> CancelAnswer:
        await self._step("cancel")
        self.cancelled += order_hashes
        for one in order_hashes:
            if one in self.shown:
                self.shown[one] = attrs.evolve(self.shown[one], status="CANCELED")
        return CancelAnswer(canceled=tuple(order_hashes), not_canceled={})

    async def order(self, order_hash: str) -> VenueOrder | None:
        self.asked.append((trio.current_time(), order_hash))
        await self._step("order")
        return self.shown.get(order_hash)

    async def open_orders(self) -> Sequence[VenueOrder]:
        await self._step("open_orders")
        return [one for one in self.shown.values() if one.status == "LIVE"]

    async def trades(self, *, after_s: int | None = None, trade_id: str | None = None) -> Sequence[VenueFill]:
        if after_s is not None:
            self.read_since_s.append(after_s)
        await self._step("trade" if trade_id else "trades")
        return [
            one
            for one in self.fills
            if (after_s is None or one.match_ms >= after_s * 1000) and trade_id in (None, one.trade_id)
        ]

    async def collateral(self) -> BalanceAllowance:
        await self._step("collateral")
        return BalanceAllowance(balance_micro=self.cash_micro, allowances_micro={})

    async def conditional(self, token_id: str) -> BalanceAllowance:
        await self._step("conditional")
        self.balances.append(token_id)
        return BalanceAllowance(balance_micro=self.held_micro.get(token_id, 0), allowances_micro={})


@attrs.define(eq=False)
class Socket:
    news: trio.MemoryReceiveChannel[Any]
    feed: trio.MemorySendChannel[Any]
    pongs: bool = True
    pings: int = 0
    closed: bool = False

    async def receive(self, news_max: int) -> Sequence[Any]:
        try:
            one = await self.news.receive()
        except trio.EndOfChannel:
            raise TransientError("closed 1006") from None
        return [] if one is None else [one]

    async def ping(self) -> None:
        await trio.lowlevel.checkpoint()
        self.pings += 1
        if self.pongs:
            self.say(None)

    def say(self, one: Any) -> None:
        if not self.closed:
            self.feed.send_nowait(one)

    async def aclose(self) -> None:
        self.closed = True
        self.feed.close()


@attrs.define(eq=False)
class Sockets:
    """`UserSocketDialer`. What is said while no socket is open is said to nobody."""

    opened: list[Socket] = attrs.field(factory=list)
    dials_s: list[float] = attrs.field(factory=list)
    refusals: int = 0
    pongs: bool = True
    deaf: bool = False
    """Sockets open and say nothing."""

    async def dial(self) -> Socket:
        self.dials_s.append(trio.current_time())
        await trio.sleep(0.05)
        if self.refusals:
            self.refusals -= 1
            raise TransientError("refused")
        feed, news = trio.open_memory_channel[Any](10_000)
        self.opened.append(Socket(news, feed, pongs=self.pongs))
        return self.opened[-1]

    def say(self, one: Any) -> None:
        if self.opened and not self.deaf:
            self.opened[-1].say(one)

    def lose(self) -> None:
        if self.opened and not self.opened[-1].closed:
            self.opened[-1].closed = True
            self.opened[-1].feed.close()
