"""Meets obligations to sell: one attempt after the other, at falling prices, until nothing is left or nothing can be done."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from actors.live.book_reader import BookReader
from actors.live.buy_ending import BuyEnding
from actors.live.exit_records import ExitRecords
from actors.live.exit_times import ExitTimes
from actors.live.live_book import LiveBook
from actors.live.position_watch import PositionWatch
from actors.live.short_positions import ShortPositions
from actors.rules.exact import EXACT
from actors.rules.live.exits import DUST_SHARES, Dust, Try, covers, next_try
from actors.rules.live.signals import order_id_of
from actors.rules.log_limit import LogLimit
from protocols.channels import Outbox
from protocols.clock import WallClock
from protocols.errors import RejectedError, TransientError
from protocols.live.exits import ExitStatus, LiveExit
from protocols.live.market import OrderBook
from protocols.live.orders import LiveIntent, LiveOrder, OrderOrigin, Side
from protocols.live.ports import ClobAccount, LiveOrderStore
from protocols.live.watching import ExitRows

_log = logging.getLogger(__name__)
ZERO = Decimal(0)
TICK_S = 0.5
FIND_S = 5.0
"""How often rows that an operator made are looked for."""
BUY_PAUSE_S = 1.0
"""How often it is looked whether a buy has ended whose shares are to be sold."""
NO_BOOK_PAUSE_S = 30.0
NO_BID_PAUSE_S = 3.0
SHORT_PAUSE_S = 30.0
"""How often it is looked whether shares have come that the account should have."""
TROUBLE_PAUSE_S = 2.0
UNCLEAR_S = 10.0
"""Twice the time in which the executor reads claims that it was not handed."""


@attrs.define(eq=False, kw_only=True)
class ExitKeeper:
    """open obligations → claims to sell → executor. Durable: what was begun is found again in the database.

    One attempt of a strategy and token is on its way at a time. How many attempts there were is written before each of them, so
    that a crash may leave a number out and never uses one twice. No halt, no pause and no budget stops this.
    """

    store: LiveOrderStore
    rows: ExitRows
    book: LiveBook
    reader: BookReader
    accounts: Mapping[str, ClobAccount]
    intents: Outbox[LiveIntent]
    clock: WallClock
    doubt: Callable[[str], None] = lambda _order_hash: None
    """Told a buy that was cancelled, so that its end is heard of soon; never waits."""
    missed: Callable[[], None] = lambda: None
    """Told that the channel had no room for a claim, which the database has; never waits."""
    attempts: int = attrs.field(init=False, default=0)
    results: Counter[str] = attrs.field(init=False, factory=Counter)
    """Looks at obligations, by what came of each."""
    failures: int = attrs.field(init=False, default=0)
    positions: PositionWatch = attrs.field(init=False)
    _times: ExitTimes = attrs.field(init=False)
    _records: ExitRecords = attrs.field(init=False)
    _unclear_s: dict[tuple[str, str], float] = attrs.field(init=False, factory=dict)
    """By strategy and token: until when a claim may exist that memory does not have."""
    _buys: BuyEnding = attrs.field(init=False)
    _short: ShortPositions = attrs.field(init=False)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _look: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._buys = BuyEnding(book=self.book, accounts=self.accounts, clock=self.clock, doubt=self.doubt)
        self._times = ExitTimes(clock=self.clock)
        self._records = ExitRecords(store=self.store, book=self.book, times=self._times, clock=self.clock)
        self._short = ShortPositions(book=self.book, accounts=self.accounts)
        self.positions = PositionWatch(
            store=self.store,
            book=self.book,
            reader=self.reader,
            clock=self.clock,
            opened=lambda exits: self.changed((), exits),
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sells what has to be sold until cancelled."""
        task_status.started()
        await self.book.wait_loaded()
        self._reread_claims()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._find_rows)
            nursery.start_soon(self.positions.run)
            await self._pursue_all()

    def changed(self, orders: Sequence[LiveOrder], exits: Sequence[LiveExit]) -> None:
        """Told what was committed: an attempt or a buy that ended lets an obligation go on; never waits."""
        self._short.note(orders)
        ended = {(order.strategy_id, order.intent.token_id) for order in orders if order.ended}
        for one in self.book.exits():
            if (one.strategy_id, one.token_id) in ended:
                self._times.came(one.exit_id)
        if ended or exits:
            self._wake.set()

    def look(self) -> None:
        """Says that there are new rows of obligations, such as a commit made; never waits."""
        self._look.set()

    @property
    def overdue(self) -> list[LiveExit]:
        """Returns the open obligations whose deadline has passed: they sell at any price, and people should know."""
        return [one for one in self.book.exits() if self._times.is_late(one.exit_id)]

    async def _find_rows(self) -> None:
        """Takes over obligations that somebody else made."""
        while True:
            self._look = trio.Event()
            try:
                rows = await self.rows.open_rows()
            except TransientError as error:
                self._failed("obligations to sell not read", error)
            else:
                known = {one.exit_id for one in self.book.exits()}
                # One that was closed since is seen to be so before anything is sold of it.
                found = [row for row in rows if row.exit_id not in known]
                if found:
                    self.book.take_exits(found)
                    self._wake.set()
            try:
                await self._buys.end_rested()
            except (TransientError, RejectedError) as error:
                self._failed("entries that have rested long enough not cancelled", error)
            with trio.move_on_after(FIND_S):
                await self._look.wait()

    async def _pursue_all(self) -> None:
        while True:
            self._wake = trio.Event()
            due = self._due()
            for one in due:
                self.reader.warm(one.token_id)
            # Side by side: a book that does not come holds up no other position.
            async with trio.open_nursery() as nursery:
                for one in due:
                    nursery.start_soon(self._pursue_safely, one)
            with trio.move_on_after(TICK_S if self.book.exits() else FIND_S):
                await self._wake.wait()

    def _due(self) -> list[LiveExit]:
        """Returns the obligations whose turn it is, the oldest first, one for each strategy and token."""
        busy, due, open_now = self._being_sold(), [], self.book.exits()
        self._times.follow(open_now)
        for one in sorted(open_now, key=lambda one: (one.created_ms, one.exit_id)):
            place = (one.strategy_id, one.token_id)
            if place not in busy and self._times.is_due(one.exit_id):
                busy.add(place)
                due.append(one)
        return due

    def _being_sold(self) -> set[tuple[str, str]]:
        under_way = [*self.book.claims(), *(order.intent for order in self.book.working_orders())]
        now_s = trio.current_time()
        self._unclear_s = {place: at_s for place, at_s in self._unclear_s.items() if at_s > now_s}
        return {(one.strategy_id, one.token_id) for one in under_way if one.side is Side.SELL} | self._unclear_s.keys()

    async def _pursue_safely(self, one: LiveExit) -> None:
        try:
            await self._pursue(one)
        except (TransientError, RejectedError) as error:
            self._failed("an obligation to sell waits", error)
            self._put_off(one, TROUBLE_PAUSE_S)

    async def _pursue(self, one: LiveExit) -> None:
        """Takes the next step with one obligation. Raises `TransientError` and `RejectedError`."""
        settings = self.book.registry.exit_settings(one.strategy_id)
        if settings is None:
            self._put_off(one, TROUBLE_PAUSE_S, "no_strategy")
            return
        if one.target_shares is None and await self._buys.end(one):
            self._put_off(one, BUY_PAUSE_S, "buy_working")
            return
        fixed = await self.store.fixed_target(one.exit_id)
        if fixed is None:
            self._put_off(one, BUY_PAUSE_S, "buy_working")
            return
        self.book.take_exits([fixed])
        if fixed.status is not ExitStatus.OPEN:
            self.results[fixed.status.value] += 1
            return
        lots = [lot for lot in self.book.lots() if covers(fixed, lot)]
        held = sum((lot.shares for lot in lots), ZERO)
        left = min(fixed.left_shares, held)
        if left <= 0:
            status = ExitStatus.DONE if fixed.sold_shares > 0 else ExitStatus.VOID
            await self._close(fixed, status, "nothing of it is left", ZERO)
            return
        if left < DUST_SHARES:
            await self._close(fixed, ExitStatus.DUST, f"{left} shares are left", left)
            return
        sellable = await self._short.sellable(fixed.strategy_id, fixed.token_id, left)
        order_book = await self.reader.book(fixed.token_id)
        if order_book is None:
            # A market that is closed or being resolved has none: settling ends the obligation then.
            self._put_off(fixed, NO_BOOK_PAUSE_S, "no_book")
            return
        paid_price = EXACT.divide(sum((lot.cost for lot in lots), ZERO), held)
        is_late = self._times.is_late(fixed.exit_id)
        step = next_try(fixed, settings, order_book, sellable, paid_price=paid_price, is_late=is_late)
        if isinstance(step, Dust) and sellable < left:
            await self._lack(fixed, left, sellable)
        elif isinstance(step, Dust):
            await self._close(fixed, ExitStatus.DUST, step.why, left)
        elif isinstance(step, Try):
            await self._try(fixed, step)
        else:
            await self._wait(fixed, step.why, order_book)

    def _reread_claims(self) -> None:
        """Has the executor read what is claimed, and gives it the time to do so."""
        until_s = trio.current_time() + UNCLEAR_S
        self._unclear_s = {place: min(at_s, until_s) for place, at_s in self._unclear_s.items()}
        self.missed()

    async def _wait(self, one: LiveExit, why: str, order_book: OrderBook) -> None:
        """Nobody bids enough: the next limit is lower, as after an attempt. Where nobody bids at all it stays."""
        if order_book.bids:
            await self._records.attempt(one, one.attempts + 1, why)
        else:
            await self._records.say(one, why)
            self._put_off(one, NO_BID_PAUSE_S)
        self.results["waits"] += 1

    async def _lack(self, one: LiveExit, left: Decimal, held: Decimal) -> None:
        """The shares may come late; people should know."""
        await self._records.say(one, f"the account holds {held} of the {left} shares")
        self._put_off(one, SHORT_PAUSE_S, "not_held")

    async def _try(self, one: LiveExit, step: Try) -> None:
        attempt = one.attempts + 1
        now_ms = self.clock.now_ms()
        intent = LiveIntent(
            order_id=order_id_of(one.strategy_id, one.exit_id, attempt),
            strategy_id=one.strategy_id,
            cause=one.exit_id,
            attempt=attempt,
            origin=OrderOrigin.EXIT,
            side=Side.SELL,
            condition_id=one.condition_id,
            token_id=one.token_id,
            trader=one.trader,
            signal_price=one.signal_price,
            signal_ms=one.signal_ms,
            decided_ms=now_ms,
            wanted_shares=step.shares,
            limit_price=step.limit_price,
        )
        await self._records.attempt(
            one, attempt, f"attempt {attempt}: {step.shares} shares at {step.limit_price} or better"
        )
        place = (one.strategy_id, one.token_id)
        # Until it is known what the claim came to nothing else of the position is sold: memory may lack an attempt.
        self._unclear_s[place] = float("inf")
        try:
            claimed = await self.store.claim([intent])
        except (TransientError, RejectedError):
            self._reread_claims()
            raise
        del self._unclear_s[place]
        if not claimed:
            # An attempt is alive of which memory does not know: it is heard of when it ends.
            self._put_off(one, TROUBLE_PAUSE_S, "attempt_alive")
            return
        self.attempts += 1
        self.results["attempts"] += 1
        self.book.claimed(claimed)
        if not self.intents.send_nowait(claimed[0]):
            self.missed()

    async def _close(self, one: LiveExit, status: ExitStatus, detail: str, left: Decimal) -> None:
        await self._records.close(one, status, detail, left)
        self.results[status.value] += 1

    def _put_off(self, one: LiveExit, seconds: float, result: str | None = None) -> None:
        self._times.put_off(one.exit_id, seconds)
        if result is not None:
            self.results[result] += 1

    def _failed(self, message: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})
