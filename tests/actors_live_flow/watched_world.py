"""One account at a scripted venue, a store that folds events by the real rules, and a real order_keeper between them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import trio
from property.fake_prices import TrioClock
from property.supervised import CrashPlan, FlakyOutbox, supervisor

from actors.live.live_book import LiveBook
from actors.live.live_registry import LiveRegistry
from actors.live.order_keeper import OrderKeeper
from actors.rules.live.order_life import advance
from config.schema import FilterConfig
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.live.events import OrderEvent
from protocols.live.exits import LiveExit, Lot
from protocols.live.orders import Fill, LiveIntent, LiveOrder, OrderType, Side, SignedOrder
from protocols.live.ports import Applied, Journaled, LiveSnapshot
from protocols.live.settings import LiveSettings, LiveStrategy
from protocols.live.watching import ReconciliationReport, UnsettledFill
from protocols.strategies import StrategySettings
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


def venue_fill(number: int, trade: int = 1, *, shares: str = "10", status: str = "MATCHED", match_ms: int) -> VenueFill:
    return VenueFill(
        trade_id=f"t-{number}-{trade}", order_hash=hash_for(number), condition_id=MARKET, token_id=TOKEN, side="BUY",
        shares=Decimal(shares), price=Decimal("0.5"), role="TAKER", status=status, transaction_hash=None, match_ms=match_ms,
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
    held_micro: dict[str, int] = attrs.field(factory=dict)
    calls: Counter[str] = attrs.field(factory=Counter)
    asked: list[tuple[float, str]] = attrs.field(factory=list)
    cancelled: list[str] = attrs.field(factory=list)
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


@attrs.define(eq=False)
class Store:
    """Orders folded by `order_life`, as the database would: what was booked outlives every crash."""

    orders: dict[str, LiveOrder] = attrs.field(factory=dict)
    fills: dict[str, dict[str, Fill]] = attrs.field(factory=dict)
    events: list[tuple[float, OrderEvent]] = attrs.field(factory=list)
    reports: list[tuple[float, ReconciliationReport]] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    before_ms: int | None = None

    async def apply(self, events: Sequence[OrderEvent]) -> Applied:
        await trio.lowlevel.checkpoint()
        changed: dict[str, LiveOrder] = {}
        for event in events:
            self.events.append((trio.current_time(), event))
            order = self.orders.get(event.order_hash)
            if order is None:
                self.unknown.append(event.order_hash)
                continue
            fills = self.fills.setdefault(event.order_hash, {})
            step = advance(order, event, fills, not_found_interval_ms=20_000)
            if step.fill is not None:
                fills[step.fill.trade_id] = step.fill
            if step.changed:
                self.orders[event.order_hash] = changed[event.order_hash] = step.order
        return Applied(orders=tuple(changed.values()), balances=(), days={}, lots=(), exits=(), unknown=())

    async def last_ms(self, account: str) -> int | None:
        return self.before_ms

    async def unsettled(self, account: str, fills_max: int) -> list[UnsettledFill]:
        await trio.lowlevel.checkpoint()
        return [
            UnsettledFill(trade_id=one.trade_id, order_hash=hash_, token_id=TOKEN, match_ms=one.match_ms)
            for hash_, fills in self.fills.items()
            for one in fills.values()
            if one.status not in ("CONFIRMED", "FAILED")
        ]

    async def ours(self, order_hashes: Sequence[str]) -> frozenset[str]:
        return frozenset(order_hashes) & self.orders.keys()

    async def save(self, account: str, report: ReconciliationReport) -> None:
        await trio.lowlevel.checkpoint()
        self.reports.append((trio.current_time(), report))

    def of(self, kind: type) -> list[tuple[float, Any]]:
        return [(at_s, event) for at_s, event in self.events if isinstance(event, kind)]

    def status(self, number: int) -> str:
        return self.orders[hash_for(number)].status.value


class NoTable:
    """`LiveTableStore` that is never read: the test says what there is."""

    async def version(self) -> int:
        return 0

    async def table(self) -> Any:
        raise AssertionError


def strategy(settings: LiveSettings) -> LiveStrategy:
    return LiveStrategy(
        strategy_id=STRATEGY, user_id="u", ft_wallet_id="A", account=ACCOUNT, is_active=True, is_paused=False, version=1,
        settings=settings, ft_settings=StrategySettings(), ft_version=1,
    )  # fmt: skip


@attrs.define(eq=False)
class Watched:
    """The channel of events, its keeper, and what both sides look at."""

    crash_at: Iterable[int] = NO_CRASH
    settings: LiveSettings = attrs.field(factory=LiveSettings)
    venue_type: type[Venue] = Venue
    clock: TrioClock = attrs.field(factory=TrioClock)
    store: Store = attrs.field(factory=Store)
    sockets: Sockets = attrs.field(factory=Sockets)
    plan: CrashPlan = attrs.field(init=False)
    venue: Venue = attrs.field(init=False)
    book: LiveBook = attrs.field(init=False)
    channel: Channel[OrderEvent] = attrs.field(init=False)
    keeper: OrderKeeper = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.plan = CrashPlan(frozenset(self.crash_at))
        self.venue = self.venue_type(self.plan)
        registry = LiveRegistry(store=NoTable(), config=FilterConfig(), rng=Random(1))
        registry.strategies = {STRATEGY: strategy(self.settings)}
        self.book = LiveBook(registry=registry)
        self.channel = Channel[OrderEvent]("order_events", 500)
        self.keeper = OrderKeeper(
            events=self.channel.inbox, store=self.store, book=self.book, clock=self.clock, rng=Random(2)
        )

    def outbox(self) -> Any:
        return FlakyOutbox(self.channel.outbox(), self.plan)

    def load(self, *orders: LiveOrder, lots: Sequence[Lot] = (), exits: Sequence[LiveExit] = ()) -> None:
        """The start of an engine that finds these."""
        self.store.orders |= {one.signed.order_hash: one for one in orders if one.signed is not None}
        snapshot = LiveSnapshot(
            balances=(), claims=(), working=orders, lots=tuple(lots), exits=tuple(exits), days={}, entries_ms={}
        )
        self.book.load(snapshot, self.clock.now_ms())

    def journal(self, order: LiveOrder) -> None:
        """The executor's commit 2."""
        assert order.signed is not None
        self.store.orders[order.signed.order_hash] = order
        self.book.journaled(Journaled(orders=(order,), refused={}, balances=()))

    async def during(self, *children: Child, main: Callable[[], Awaitable[None]]) -> None:
        keeper = supervisor()
        async with trio.open_nursery() as nursery:
            everyone = [Child(name="order_keeper", run=self.keeper.run, reads=(self.channel,)), *children]
            for child in everyone:
                await nursery.start(keeper.keep_alive, child, keeper.policy)
            await main()
            nursery.cancel_scope.cancel()
