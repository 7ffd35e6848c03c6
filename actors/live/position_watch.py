"""Positions that have to be sold by themselves: stop-loss, take-profit, greatest age. Part of exit_keeper."""

import logging
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

import attrs
import trio

from actors.live.book_reader import BookReader
from actors.live.live_book import LiveBook
from actors.rules.exact import EXACT, ONE
from actors.rules.live.exits import due_exit, needs_bid
from actors.rules.live.signals import exit_id_of
from actors.rules.log_limit import LogLimit
from protocols.clock import WallClock
from protocols.errors import TransientError
from protocols.live.exits import ExitKind, LiveExit, Lot
from protocols.live.market import OrderBook
from protocols.live.ports import LiveOrderStore
from protocols.live.settings import LiveSettings

_log = logging.getLogger(__name__)
INTERVAL_S = 2.0
TOKENS_AT_ONCE = 500
MADE_KEPT = 10_000
ZERO = Decimal(0)
SHARE_QUANTUM = Decimal(1).scaleb(-18)
Place = tuple[str, str]
"""Strategy and token."""


@attrs.define(eq=False, kw_only=True)
class PositionWatch:
    """lots, books → obligations to sell. A token is looked at once in two seconds, whoever holds it and how often.

    What a strategy holds of a token is one position: its mean cost is compared with the best bid, twice in a row, so that no
    single quote sells anything. Of the greatest age only what is that old is sold. While something of a position is being sold
    no other obligation is made.
    """

    store: LiveOrderStore
    book: LiveBook
    reader: BookReader
    clock: WallClock
    opened: Callable[[Sequence[LiveExit]], None]
    """Told obligations that are new; never waits."""
    failures: int = attrs.field(init=False, default=0)
    _made: dict[str, None] = attrs.field(init=False, factory=dict)
    """Ids of obligations that were made: one that ended as dust is not made again for the same position."""
    _seen: frozenset[tuple[str, str, ExitKind]] = attrs.field(init=False, default=frozenset())
    """Strategies, tokens and reasons that the last look found."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.look_once()
            except TransientError as error:
                self._failed("obligations to sell were not made", error)
            await trio.sleep(INTERVAL_S)

    async def look_once(self) -> None:
        """Makes the obligations that are due now. Raises `TransientError` when they cannot be kept."""
        watched = self._watched()
        wanted = {token_id for (_, token_id), (settings, _) in watched.items() if needs_bid(settings)}
        books = await self._books(sorted(wanted))
        now_ms = self.clock.now_ms()
        due = [
            one
            for (strategy_id, token_id), (settings, lots) in watched.items()
            if (one := _exit_of(strategy_id, settings, lots, books.get(token_id), now_ms)) is not None
            and one.exit_id not in self._made
        ]
        seen, self._seen = self._seen, frozenset((one.strategy_id, one.token_id, one.kind) for one in due)
        due = [one for one in due if one.kind is ExitKind.MAX_HOLD or (one.strategy_id, one.token_id, one.kind) in seen]
        if not due:
            return
        made = await self.store.open_exits(due)
        self._made |= dict.fromkeys(one.exit_id for one in due)
        while len(self._made) > MADE_KEPT:
            del self._made[next(iter(self._made))]
        if made:
            self.book.take_exits(made)
            self.opened(made)

    def _watched(self) -> Mapping[Place, tuple[LiveSettings, list[Lot]]]:
        being_sold = {(one.strategy_id, one.token_id) for one in self.book.exits()}
        found: dict[Place, tuple[LiveSettings, list[Lot]]] = {}
        for lot in self.book.lots():
            place, strategy = (lot.strategy_id, lot.token_id), self.book.strategies.get(lot.strategy_id)
            if strategy is None or place in being_sold:
                continue
            settings = strategy.settings
            if needs_bid(settings) or settings.max_hold_hours is not None:
                found.setdefault(place, (settings, []))[1].append(lot)
        return found

    async def _books(self, token_ids: Sequence[str]) -> Mapping[str, OrderBook]:
        """Returns the books that can be had: without one only the age of a position counts."""
        books: dict[str, OrderBook] = {}
        for start in range(0, len(token_ids), TOKENS_AT_ONCE):
            try:
                books |= await self.reader.books(token_ids[start : start + TOKENS_AT_ONCE])
            except TransientError as error:
                self._failed("positions not compared with the market", error)
        return books

    def _failed(self, message: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})


def _exit_of(
    strategy_id: str, settings: LiveSettings, lots: Sequence[Lot], order_book: OrderBook | None, now_ms: int
) -> LiveExit | None:
    """Returns the obligation that a position has to be sold by, or None."""
    lots = sorted(lots, key=lambda lot: (lot.signal_ms, lot.order_id))
    shares = sum((lot.shares for lot in lots), ZERO)
    best_bid = order_book.bids[0][0] if order_book is not None and order_book.bids else None
    cost = sum((lot.cost for lot in lots), ZERO)
    whole = attrs.evolve(lots[0], shares=shares, cost=cost, bought_ms=now_ms)
    # By the newest: what is left of an old one that was sold for the same reason must not hide what was bought since.
    kind, share, marker = due_exit(whole, settings, best_bid, now_ms), ONE, lots[-1]
    aged = [lot for lot in lots if due_exit(lot, settings, None, now_ms) is ExitKind.MAX_HOLD]
    if kind is None or kind is ExitKind.MAX_HOLD:
        if not aged:
            return None
        kind, marker = ExitKind.MAX_HOLD, aged[-1]
        # Lots are sold oldest first: so much of all of them is just the old ones.
        aged_shares = sum((lot.shares for lot in aged), ZERO)
        share = min(ONE, EXACT.divide(aged_shares, shares).quantize(SHARE_QUANTUM, ROUND_CEILING, EXACT))
    cause = f"{kind.value}:{marker.order_id}"
    return LiveExit(
        exit_id=exit_id_of(strategy_id, cause, marker.token_id),
        strategy_id=strategy_id,
        cause=cause,
        kind=kind,
        condition_id=marker.condition_id,
        token_id=marker.token_id,
        trader=None,
        share=share,
        signal_price=best_bid or ZERO,
        signal_ms=now_ms,
        created_ms=now_ms,
        deadline_ms=now_ms + settings.exit_deadline_s * 1000,
        next_try_ms=now_ms,
    )
