"""One account at the venue against ours: orders, fills, cash and positions. Part of the reconciler."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from actors.live.live_book import LiveBook
from actors.live.order_asking import OrderAsking, Overview, hash_of
from protocols.clock import WallClock
from protocols.errors import RejectedError
from protocols.live.ports import ClobAccount
from protocols.live.watching import (
    ForeignOrder,
    ReconciliationReport,
    ReconciliationStore,
    TokenDrift,
    UnsettledFill,
)

ZERO = Decimal(0)
MICRO = Decimal(1_000_000)
UNSETTLED_MAX = 500
POSITIONS_PASSES = 15
"""Each position is a call: all of them are compared within so many passes, a quarter of an hour."""
POSITIONS_AT_ONCE = 3
"""So many are compared in the first pass, and so many that did not agree are looked at again in each."""
FOREIGN_SHOWN_MAX = 100
DRIFT_TOLERANCE = Decimal("0.01")
"""Shares: the venue fills up to that much less or more than was ordered (venue.md §7.2)."""


@attrs.define(eq=False, kw_only=True)
class AccountComparing:
    """orders, fills, positions → news of our orders, and a report. Nothing of anybody else is touched."""

    account: str
    venue: ClobAccount
    asking: OrderAsking
    store: ReconciliationStore
    book: LiveBook
    clock: WallClock
    drifts: dict[str, TokenDrift] = attrs.field(init=False, factory=dict)
    """By token, of the last time that each was looked at."""
    _since_ms: int | None = attrs.field(init=False, default=None)
    """When the last complete comparison began."""
    _last_token: str = attrs.field(init=False, default="")
    _one_at_a_time: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def compare(self, known: Callable[[], None] = lambda: None) -> ReconciliationReport:
        """Compares once; `known` is told as soon as every working order and the cash are. What follows is settlement and drift,
        which may take as many calls as there are positions.

        Raises `TransientError` and `RejectedError`; what was said until then stays said.
        """
        async with self._one_at_a_time:
            began_ms, asked, not_found = self.clock.now_ms(), self.asking.asked, self.asking.not_found
            overview = await self.asking.overview(await self._trades_since_ms(began_ms))
            ours = await self._ours(overview)
            await self.asking.say_fills(overview.fills, ours)
            await self.asking.ask_others(overview.orders)
            collateral_usd = await self._read_cash()
            known()
            unsettled = await self._ask_unsettled(overview)
            await self._compare_positions({fill.token_id for fill in unsettled})
            self._since_ms = began_ms
            return ReconciliationReport(
                at_ms=began_ms,
                collateral_usd=collateral_usd,
                cash_short_usd=max(ZERO, -(self.book.spendable(self.account) or ZERO)),
                working=len(self.book.working_orders(self.account)),
                open_orders=len(overview.orders),
                asked=self.asking.asked - asked,
                not_found=self.asking.not_found - not_found,
                unsettled=len(unsettled),
                foreign_orders=_foreign_orders(overview, ours),
                foreign_fills=_foreign_fills(overview, ours),
                drifts=tuple(self.drifts.values()),
            )

    async def _trades_since_ms(self, now_ms: int) -> int:
        """Returns from when on trades are read: the last comparison, or the oldest order that may have been filled since."""
        since_ms = self._since_ms
        if since_ms is not None:
            return since_ms
        known = [await self.store.last_ms(self.account), self.asking.first_signed_ms()]
        return min((at_ms for at_ms in known if at_ms is not None), default=now_ms)

    async def _ours(self, overview: Overview) -> frozenset[str]:
        working = {hash_of(order) for order in self.book.working_orders(self.account)}
        told = {order.order_hash for order in overview.orders} | {fill.order_hash for fill in overview.fills}
        others = sorted(told - working)
        return frozenset(told & working) | (await self.store.ours(others) if others else frozenset())

    async def _ask_unsettled(self, overview: Overview) -> Sequence[UnsettledFill]:
        """Asks how fills stand that are booked and not final, where the pages have not told."""
        unsettled = await self.store.unsettled(self.account, UNSETTLED_MAX)
        told = {(fill.trade_id, fill.order_hash) for fill in overview.fills}
        asked = set[str]()
        for fill in unsettled:
            if (fill.trade_id, fill.order_hash) in told or fill.trade_id in asked:
                continue
            asked.add(fill.trade_id)
            await self.asking.pace()
            found = await self.venue.trades(trade_id=fill.trade_id)
            await self.asking.say_fills(found, {one.order_hash for one in unsettled if one.trade_id == fill.trade_id})
        return unsettled

    async def _read_cash(self) -> Decimal:
        observed_s = trio.current_time()
        collateral = await self.venue.collateral()
        self.book.note_cash(self.account, collateral, observed_s)
        return Decimal(collateral.balance_micro) / MICRO

    async def _compare_positions(self, unsettled_tokens: set[str]) -> None:
        """Compares some positions, the next ones in the next pass: each is a call."""
        ours = self.book.positions(self.account)
        for token_id in self.drifts.keys() - ours.keys():
            del self.drifts[token_id]
        for token_id in self._next_tokens(ours):
            await self.asking.pace()
            try:
                held = await self.venue.conditional(token_id)
            except RejectedError:
                # The venue's word on one token must not cost the word on the others.
                continue
            self._last_token = token_id
            mine = self.book.positions(self.account).get(token_id)
            # A trade that is on its way to the chain counts with us and not yet there.
            if mine is None or mine != ours[token_id] or token_id in unsettled_tokens:
                self.drifts.pop(token_id, None)
                continue
            theirs = Decimal(held.balance_micro) / MICRO
            if abs(theirs - mine) > DRIFT_TOLERANCE:
                self.drifts[token_id] = TokenDrift(token_id=token_id, ours=mine, venue=theirs)
            else:
                self.drifts.pop(token_id, None)

    def _next_tokens(self, ours: Mapping[str, Decimal]) -> list[str]:
        tokens = sorted(ours)
        turned = [one for one in tokens if one > self._last_token] + [one for one in tokens if one <= self._last_token]
        count = max(-(-len(turned) // POSITIONS_PASSES), POSITIONS_AT_ONCE if self._since_ms is None else 0)
        again = [one for one in turned[count:] if one in self.drifts][:POSITIONS_AT_ONCE]
        # Those last whose turn it is: the next pass goes on after them.
        return [*again, *turned[:count]]


def _foreign_orders(overview: Overview, ours: frozenset[str]) -> tuple[ForeignOrder, ...]:
    foreign = [order for order in overview.orders if order.order_hash not in ours]
    return tuple(
        ForeignOrder(
            order_hash=order.order_hash,
            token_id=order.token_id,
            side=order.side,
            price=order.price,
            shares=order.original_shares - (order.matched_shares or ZERO),
        )
        for order in foreign[:FOREIGN_SHOWN_MAX]
    )


def _foreign_fills(overview: Overview, ours: frozenset[str]) -> tuple[str, ...]:
    trade_ids = dict.fromkeys(fill.trade_id for fill in overview.fills if fill.order_hash not in ours)
    return tuple(trade_ids)[:FOREIGN_SHOWN_MAX]
