"""Positions, obligations to sell them, and a market that buys: what exit_keeper works with. The executor is the test's."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import trio
from actors_live_flow.watched_venue import ACCOUNT, MARKET, STRATEGY, TOKEN, TRADER, hash_for, signed_order
from actors_live_flow.watched_world import Store, Watched
from property.supervised import CrashPlan, FlakyOutbox

from actors.live.book_reader import BookReader
from actors.live.exit_keeper import ExitKeeper
from actors.rules.live.exits import covers, target_shares
from actors.rules.live.signals import exit_id_of
from engine.runtime.channel import Channel
from engine.runtime.supervisor import Child
from protocols.errors import TransientError
from protocols.live.exits import ExitKind, ExitStatus, LiveExit, Lot
from protocols.live.market import MarketTerms, OrderBook
from protocols.live.orders import LiveIntent, LiveOrder, OrderStatus, OrderType, Side
from protocols.live.ports import Applied

ZERO = Decimal(0)


def lot(number: int, shares: str = "20", *, cost: str | None = None, signal_ms: int, **changed: Any) -> Lot:
    fields: dict[str, Any] = {
        "order_id": f"lot-{number}", "strategy_id": STRATEGY, "trader": TRADER, "condition_id": MARKET, "token_id": TOKEN,
        "signal_ms": signal_ms, "bought_ms": signal_ms, "shares": Decimal(shares),
        "cost": Decimal(shares) / 2 if cost is None else Decimal(cost),
    }  # fmt: skip
    return Lot(**fields | changed)


def obligation(now_ms: int, *, share: str = "1", cause: str = "sale", **changed: Any) -> LiveExit:
    fields: dict[str, Any] = {
        "exit_id": exit_id_of(STRATEGY, cause, TOKEN), "strategy_id": STRATEGY, "cause": cause,
        "kind": ExitKind.TRADER_SELL, "condition_id": MARKET, "token_id": TOKEN, "trader": TRADER, "share": Decimal(share),
        "signal_price": Decimal("0.5"), "signal_ms": now_ms, "created_ms": now_ms, "deadline_ms": now_ms + 300_000,
        "next_try_ms": now_ms,
    }  # fmt: skip
    return LiveExit(**fields | changed)


@attrs.define(eq=False)
class SellStore(Store):
    """The part of `LiveOrderStore` that selling needs, and `ExitRows`; crashes before or after each commit."""

    plan: CrashPlan = attrs.field(factory=lambda: CrashPlan(frozenset()))
    claims: dict[str, LiveIntent] = attrs.field(factory=dict)
    lots: dict[str, Lot] = attrs.field(factory=dict)
    exits: dict[str, LiveExit] = attrs.field(factory=dict)
    buys_working: int = 0
    fails: int = 0
    lost_answers: int = 0
    """Claims that are committed though the answer says that the database is down."""

    async def _step(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.plan.due():
            self.plan.crash()
        if self.fails:
            self.fails -= 1
            raise TransientError("database down")

    async def _committed(self) -> None:
        if self.plan.due():
            self.plan.crash()

    def alive(self, cause: str) -> bool:
        ids = {one.order_id for one in self.orders.values() if one.ended}
        return any(one.cause == cause and one.order_id not in ids for one in self.claims.values())

    async def claim(self, intents: Sequence[LiveIntent]) -> tuple[LiveIntent, ...]:
        await self._step()
        new = [one for one in intents if one.order_id not in self.claims and not self.alive(one.cause)]
        self.claims |= {one.order_id: one for one in new}
        await self._committed()
        if self.lost_answers:
            self.lost_answers -= 1
            raise TransientError("connection lost")
        return tuple(new)

    async def open_exits(self, exits: Sequence[LiveExit]) -> tuple[LiveExit, ...]:
        await self._step()
        new = [one for one in exits if one.exit_id not in self.exits]
        self.exits |= {one.exit_id: one for one in new}
        await self._committed()
        return tuple(new)

    async def save_exits(self, exits: Sequence[LiveExit]) -> None:
        await self._step()
        for one in exits:
            self.exits[one.exit_id] = attrs.evolve(one, sold_shares=self.exits[one.exit_id].sold_shares)
        await self._committed()

    async def fixed_target(self, exit_id: str) -> LiveExit | None:
        await self._step()
        one = self.exits[exit_id]
        if one.target_shares is None:
            if self.buys_working:
                return None
            held = sum((lot.shares for lot in self.lots.values() if covers(one, lot)), ZERO)
            one = self.exits[exit_id] = attrs.evolve(one, target_shares=target_shares(one.share, held))
        return one

    async def open_rows(self) -> list[LiveExit]:
        await self._step()
        return [one for one in self.exits.values() if one.status is ExitStatus.OPEN]


@attrs.define(eq=False)
class Books:
    """`OrderBooks` with one bid for each token."""

    bid: Decimal | None = Decimal("0.5")
    depth: Decimal = Decimal(1_000)
    calls: list[tuple[float, tuple[str, ...]]] = attrs.field(factory=list)

    async def books(self, token_ids: tuple[str, ...]) -> dict[str, OrderBook]:
        self.calls.append((trio.current_time(), token_ids))
        await trio.sleep(0.01)
        bids = () if self.bid is None else ((self.bid, self.depth),)
        return {
            token: OrderBook(
                token_id=token, condition_id=MARKET, bids=bids, asks=(), tick=Decimal("0.01"), min_shares=Decimal(5),
                negative_risk=False, last_trade_price=None, observed_s=trio.current_time(),
            )
            for token in token_ids
        }  # fmt: skip

    async def terms(self, condition_id: str) -> MarketTerms | None:
        raise AssertionError("selling asks for no terms")


@attrs.define(eq=False)
class Selling(Watched):
    books: Books = attrs.field(factory=Books)
    refuses: int = 0
    """So many sales come to nothing."""
    is_short: bool = False
    """The venue refuses who sells more than `venue.held_micro` says."""
    intents: Channel[LiveIntent] = attrs.field(init=False)
    exits: ExitKeeper = attrs.field(init=False)
    reader: BookReader = attrs.field(init=False)
    sales: list[tuple[float, Decimal, Decimal]] = attrs.field(factory=list)
    """When, how many shares were offered, at what limit."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.store = SellStore(plan=self.plan)
        self.intents = Channel[LiveIntent]("intents", 10)
        self.reader = BookReader(upstream=self.books)
        self.exits = ExitKeeper(
            store=self.store, rows=self.store, book=self.book, reader=self.reader, accounts={ACCOUNT: self.venue},
            intents=FlakyOutbox(self.intents.outbox(), self.plan), clock=self.clock,
        )  # fmt: skip

    def hold(self, *lots: Lot, exits: Sequence[LiveExit] = ()) -> None:
        self.store.lots = {one.order_id: one for one in lots}
        self.store.exits = {one.exit_id: one for one in exits}
        self.load(lots=lots, exits=exits)

    def run(self, main: Callable[[], Awaitable[None]], jumping: Callable[[Any], None]) -> "Selling":
        children = (
            Child(name="book_reader", run=self.reader.run),
            Child(name="exit_keeper", run=self.exits.run),
            Child(name="executor", run=self._execute, reads=(self.intents,)),
        )
        jumping(lambda: self.during(*children, main=main))
        return self

    async def _execute(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sells what is claimed, also what was claimed and never handed over."""
        task_status.started()
        while True:
            with trio.move_on_after(1):
                await self.intents.inbox.batch(10)
            for intent in list(self.store.claims.values()):
                if not any(one.order_id == intent.order_id for one in self.store.orders.values()):
                    self.book.claimed([intent])
                    await self._sell(intent)

    async def _sell(self, intent: LiveIntent) -> None:
        number = len(self.store.orders) + 100
        shares, limit = intent.wanted_shares or ZERO, intent.limit_price or ZERO
        order = signed_order(intent, number, type_=OrderType.FAK, shares=shares, signed_ms=self.clock.now_ms())
        self.journal(order)
        await trio.sleep(0.1)
        self.sales.append((trio.current_time(), shares, limit))
        if self.is_short and shares > Decimal(self.venue.held_micro.get(intent.token_id, 0)) / 1_000_000:
            self.end(order, status=OrderStatus.REJECTED, reason="not_enough_balance")
            return
        sold = min(shares, self.books.depth) if self.books.bid is not None and self.books.bid >= limit else ZERO
        if self.refuses:
            self.refuses -= 1
            sold = ZERO
        if self.is_short:
            self.venue.held_micro[intent.token_id] -= int(sold * 1_000_000)
        self.fill(order, sold)

    def fill(self, order: LiveOrder, sold: Decimal) -> None:
        """Books a sale as the database does: lots first in first out, the obligation, the order."""
        left, changed = sold, []
        exit_id = order.intent.cause
        for one in sorted(self.store.lots.values(), key=lambda one: one.signal_ms):
            if covers(self.store.exits[exit_id], one):
                part = min(left, one.shares)
                left -= part
                changed.append(attrs.evolve(one, shares=one.shares - part))
        self.store.lots = {
            id_: one
            for id_, one in (self.store.lots | {one.order_id: one for one in changed}).items()
            if one.shares > 0
        }
        before = self.store.exits[exit_id]
        total = before.sold_shares + sold
        done = total >= (before.target_shares or ZERO) - Decimal("0.005")
        after = self.store.exits[exit_id] = attrs.evolve(
            before, sold_shares=total, status=ExitStatus.DONE if done else before.status
        )
        status = OrderStatus.FILLED if sold else OrderStatus.CANCELLED
        self.end(order, lots=changed, exits=(after,), status=status, filled_shares=sold)

    def end(self, order: LiveOrder, lots: Sequence[Lot] = (), exits: Sequence[LiveExit] = (), **what: Any) -> None:
        ended = msgspec.structs.replace(order, ended=True, ended_ms=self.clock.now_ms(), **what)
        assert ended.signed is not None
        self.store.orders[ended.signed.order_hash] = ended
        applied = Applied(orders=(ended,), balances=(), days={}, lots=tuple(lots), exits=tuple(exits), unknown=())
        self.book.applied(applied, self.clock.now_ms())
        self.exits.changed(applied.orders, applied.exits)


__all__ = ["ACCOUNT", "Books", "SellStore", "Selling", "Side", "hash_for", "lot", "obligation"]
