"""A store that folds events by the real rules, a real order_keeper, and a venue that both sides look at."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import attrs
import trio
from actors_live_flow.watched_venue import ACCOUNT, NO_CRASH, STRATEGY, TOKEN, Sockets, Venue, hash_for
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
from protocols.live.events import OrderEvent
from protocols.live.exits import LiveExit, Lot
from protocols.live.orders import Fill, LiveOrder
from protocols.live.ports import Applied, Journaled, LiveSnapshot
from protocols.live.settings import LiveSettings, LiveStrategy
from protocols.live.watching import ReconciliationReport, UnsettledFill
from protocols.strategies import StrategySettings


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
