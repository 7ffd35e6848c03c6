"""How the venue is asked about the orders of one account: pages first, single look-ups only for what they do not show."""

from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal

import attrs
import trio

from actors.live.live_book import LiveBook
from protocols.channels import Outbox
from protocols.clock import WallClock
from protocols.live.events import NotFound, OrderEvent
from protocols.live.orders import LiveOrder, OrderStatus
from protocols.live.ports import ClobAccount
from protocols.live.watching import WatchTimes, filled_of, seen_of
from protocols.venue.clob_account import VenueFill, VenueOrder

ZERO = Decimal(0)
MICRO_SHARE = Decimal("0.000001")
TOLERANCE = Decimal("0.01")
"""Shares: the venue fills up to that much less or more than was ordered (venue.md §7.2)."""
NOT_FOUND_KEPT_MAX = 20_000
LOOKED_THROUGH_AT_ONCE = 100


@attrs.frozen(kw_only=True)
class Overview:
    """What pages of the venue said."""

    orders: Sequence[VenueOrder]
    """All that are open."""
    fills: Sequence[VenueFill]
    """Of the account since a time."""


@attrs.define(eq=False, kw_only=True)
class OrderAsking:
    """working orders → news of each. News may be old: whoever books it takes each fact once.

    Raises `TransientError`, and `RejectedError` when the venue refuses; what was said until then stays said.
    """

    account: str
    venue: ClobAccount
    events: Outbox[OrderEvent]
    book: LiveBook
    clock: WallClock
    times: WatchTimes
    doubt: Callable[[str, float], None] = lambda _order_hash, _at_s: None
    """Told an order that was not found, and from when on another not-found of it counts."""
    says_not_found: bool = True
    """Only one of those who ask counts not-founds."""
    asked: int = attrs.field(init=False, default=0)
    """Single look-ups."""
    not_found: int = attrs.field(init=False, default=0)
    _asked_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _not_found_s: dict[str, float] = attrs.field(init=False, factory=dict)
    """When a not-found was last said of an order."""
    _next_s: float = attrs.field(init=False, default=float("-inf"))
    _began_ms: int | None = attrs.field(init=False, default=None)

    def begin(self) -> None:
        """Says that from now on orders may be signed by this run of the program."""
        if self._began_ms is None:
            self._began_ms = self.clock.now_ms()

    async def overview(self, since_ms: int) -> Overview:
        """Says how every working order stands that the pages of open orders and trades tell of, and returns the pages."""
        orders = await self.venue.open_orders()
        now_ms = self.clock.now_ms()
        working = {hash_of(order) for order in self.book.working_orders(self.account)}
        await self._say(seen_of(order, now_ms) for order in orders if order.order_hash in working)
        fills = await self.venue.trades(after_s=self._after_s(since_ms))
        return Overview(orders=orders, fills=fills)

    async def say_fills(self, fills: Iterable[VenueFill], ours: Collection[str]) -> None:
        """Says fills of our orders."""
        now_ms = self.clock.now_ms()
        await self._say(filled_of(fill, now_ms) for fill in fills if fill.order_hash in ours)

    async def ask_others(self, shown: Iterable[VenueOrder]) -> None:
        """Asks one by one about the working orders that are not among those shown, but for what is just being sent.

        Of those that are shown only where more was matched than is booked.
        """
        known = {order.order_hash for order in shown if not self._is_short(order)}
        now_ms = self.clock.now_ms()
        wanted = [
            hash_of(order)
            for order in self.book.working_orders(self.account)
            if hash_of(order) not in known and not self._is_on_its_way(order, now_ms)
        ]
        # Who has waited longest comes first: a venue that fails half-way every time must not starve the others.
        self._asked_s = {one: self._asked_s[one] for one in wanted if one in self._asked_s}
        await self.ask(sorted(wanted, key=lambda one: self._asked_s.get(one, float("-inf"))))

    async def ask(self, order_hashes: Iterable[str]) -> None:
        """Asks about orders one by one, slowly enough.

        Trades are looked through for what the venue does not know, and for what it has matched and nobody has booked.
        """
        missing, short = list[str](), list[str]()
        for order_hash in order_hashes:
            # It may have ended while others were asked.
            if self.book.order(order_hash) is None:
                continue
            await self.pace()
            self.asked += 1
            self._asked_s[order_hash] = trio.current_time()
            found = await self.venue.order(order_hash)
            if found is None:
                missing.append(order_hash)
            else:
                self._not_found_s.pop(order_hash, None)
                await self._say([seen_of(found, self.clock.now_ms())])
                if self._is_short(found):
                    short.append(order_hash)
            if len(missing) + len(short) >= LOOKED_THROUGH_AT_ONCE:
                await self._look_through_trades(missing, short)
                missing, short = [], []
        await self._look_through_trades(missing, short)

    async def pace(self) -> None:
        """Waits until one more single call may be made."""
        now_s = trio.current_time()
        at_s = max(now_s, self._next_s)
        self._next_s = at_s + 1 / self.times.lookups_per_s
        await trio.sleep(at_s - now_s)

    def first_signed_ms(self) -> int | None:
        """Returns when the oldest working order was signed."""
        orders = self.book.working_orders(self.account)
        return min((order.signed.signed_ms for order in orders if order.signed is not None), default=None)

    def _is_short(self, shown: VenueOrder) -> bool:
        """Returns whether the venue has matched more of an order than is booked."""
        order = self.book.order(shown.order_hash)
        return order is not None and (shown.matched_shares or ZERO) > order.filled_shares + TOLERANCE

    async def _look_through_trades(self, missing: Sequence[str], short: Sequence[str]) -> None:
        orders = {one: order for one in (*missing, *short) if (order := self.book.order(one)) is not None}
        if not orders:
            return
        since_ms = min(order.signed.signed_ms for order in orders.values() if order.signed is not None)
        # After the look-ups: what was matched in between is not missed.
        fills = await self.venue.trades(after_s=self._after_s(since_ms))
        await self.say_fills(fills, orders)
        filled = dict.fromkeys(orders, ZERO)
        for fill in fills:
            if fill.order_hash in filled and fill.status != "FAILED":
                filled[fill.order_hash] += fill.shares
        for order_hash in missing:
            # A fill that is not booked yet is news; one that is does not make the order any more alive.
            if order_hash in orders and filled[order_hash] <= orders[order_hash].filled_shares + MICRO_SHARE:
                await self._say_not_found(order_hash)

    async def _say_not_found(self, order_hash: str) -> None:
        now_s = trio.current_time()
        last_s = self._not_found_s.get(order_hash)
        if (
            order_hash in self.book.in_hand
            or not self.says_not_found
            or (last_s is not None and now_s - last_s < self.times.not_found_interval_s)
        ):
            return
        self.not_found += 1
        if len(self._not_found_s) >= NOT_FOUND_KEPT_MAX:
            kept_from_s = now_s - self.times.not_found_interval_s
            self._not_found_s = {one: at_s for one, at_s in self._not_found_s.items() if at_s > kept_from_s}
        # Before it is said: a crash in between costs an interval, and never counts one not-found twice.
        self._not_found_s[order_hash] = now_s
        self.doubt(order_hash, now_s + self.times.not_found_interval_s)
        await self._say([NotFound(order_hash=order_hash, at_ms=self.clock.now_ms())])

    async def _say(self, events: Iterable[OrderEvent]) -> None:
        said = list(events)
        if said:
            await self.events.send_many(said)

    def _after_s(self, since_ms: int) -> int:
        return max(0, int(since_ms / 1000 - self.times.overlap_s))

    def _is_on_its_way(self, order: LiveOrder, now_ms: int) -> bool:
        """Returns whether the venue may not have heard of an order yet. What an earlier run signed it has, or never will."""
        if order.status is not OrderStatus.PLACED or order.signed is None:
            return False
        if order.signed.order_hash in self.book.in_hand:
            return True
        if self._began_ms is None or order.signed.signed_ms < self._began_ms:
            return False
        return 0 <= now_ms - order.signed.signed_ms < self.times.in_flight_s * 1000


def hash_of(order: LiveOrder) -> str:
    """Returns the hash of a working order."""
    return "" if order.signed is None else order.signed.order_hash
