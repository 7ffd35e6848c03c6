"""Hears what happens to the orders of one account: by its user socket, and by polls while that is too young to be believed."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

import attrs
import trio

from actors.live.live_book import LiveBook
from actors.live.order_asking import OrderAsking
from actors.live.order_polls import SentOrders
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from protocols.channels import Outbox
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.live.events import Filled, OrderEvent, Seen
from protocols.live.ports import ClobAccount
from protocols.live.watching import UserNews, UserSocket, UserSocketDialer, WatchTimes, event_of, filled_of, seen_of

_log = logging.getLogger(__name__)
NEWS_MAX = 256
LOOKUPS_A_POLL = 10
SECOND_LOOK_S = 5.0
"""After a gap was refilled trades are read once more: the venue's reads may lag behind its socket."""
RECONNECT_FIRST_S = 0.5
RECONNECT_MAX_S = 30.0
TOLD_KEPT = 5_000
NUDGE_PATIENCE_S = 5.0
"""So long the socket may take to tell of a transaction that the public feed shows: it names it once it is mined."""
NUDGES_MAX = 1_000


@attrs.define(eq=False, kw_only=True)
class FillWatcher:
    """user socket, polls → order events of one account.

    A socket lives while anything at all arrives, and while it says what polls find out without it. What a lost one may have
    missed is read again. News may come twice; none is lost, since reading goes back behind the last that was passed on.
    """

    account: str
    sockets: UserSocketDialer
    venue: ClobAccount
    events: Outbox[OrderEvent]
    book: LiveBook
    clock: WallClock
    rng: Random
    times: WatchTimes = attrs.field(factory=WatchTimes)
    connected: bool = attrs.field(init=False, default=False)
    last_event_s: float | None = attrs.field(init=False, default=None)
    """Monotonic time of the last news of an order."""
    reconnects: Counter[str] = attrs.field(init=False, factory=Counter)
    """New sockets by reason: `start`, `lost`, `stall` or `silent`."""
    events_by_source: Counter[str] = attrs.field(init=False, factory=Counter)
    """News passed on, by `socket`, `poll` and `refill`."""
    polls: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _sent: SentOrders = attrs.field(init=False)
    _nudges: dict[str, float] = attrs.field(init=False, factory=dict)
    """Transactions of the public feed of which nothing was told yet, and from when on fills are read for them."""
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _asking: OrderAsking = attrs.field(init=False)
    _told: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(TOLD_KEPT))
    """Fills that were passed on, with their status."""
    _told_transactions: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(TOLD_KEPT))
    _heard_ms: int | None = attrs.field(init=False, default=None)
    """Wall-clock time of the last traffic; what came before it was passed on, but for what `_gap_ms` says."""
    _gap_ms: int | None = attrs.field(init=False, default=None)
    """Since when something may be missing; None: nothing is."""
    _news_due_s: float = attrs.field(init=False, default=float("inf"))
    """A poll brought news: until then the socket has to say something too."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._sent = SentOrders(poll_max_s=self.times.poll_max_s)
        self._asking = OrderAsking(
            account=self.account,
            venue=self.venue,
            events=self.events,
            book=self.book,
            clock=self.clock,
            times=self.times,
            says_not_found=False,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watches until cancelled."""
        self._asking.begin()
        task_status.started()
        await self.book.wait_loaded()
        self._open_gap()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._poll)
            await self._hold_socket()

    def sent(self, order_hash: str) -> None:
        """Has an order polled that was sent just now, until there is news of it; never waits."""
        self._sent.add(order_hash, trio.current_time())
        self._wake.set()

    def nudge(self, transaction_hashes: Iterable[str]) -> None:
        """Has fills read once if nobody tells of these transactions soon: the public feed shows trades of this account in them.
        Never waits."""
        due_s = trio.current_time() + NUDGE_PATIENCE_S
        for transaction_hash in transaction_hashes:
            if transaction_hash not in self._told_transactions and len(self._nudges) < NUDGES_MAX:
                self._nudges.setdefault(transaction_hash, due_s)
        self._wake.set()

    @property
    def polled(self) -> int:
        """Returns how many orders are being polled for."""
        return len(self._sent)

    async def _hold_socket(self) -> None:
        """Opens one socket after the other, one attempt a back-off step."""
        backoff = Backoff(first_s=RECONNECT_FIRST_S, max_s=RECONNECT_MAX_S, rng=self.rng)
        reason = "start"
        while True:
            try:
                socket = await self.sockets.dial()
            except (TransientError, RejectedError) as error:
                self._failed("user stream not reached", error)
                await trio.sleep(backoff.next_s())
                continue
            opened_s = trio.current_time()
            self.reconnects[reason] += 1
            reason = await self._serve(socket)
            self._open_gap()
            # A server that accepts and drops at once must not be hammered.
            if trio.current_time() - opened_s > self.times.ping_s:
                backoff.reset()
            await trio.sleep(backoff.next_s())

    async def _serve(self, socket: UserSocket) -> str:
        """Reads a socket until it is of no use any more, and says why."""
        self.connected, self._news_due_s = True, float("inf")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ping, socket)
                nursery.start_soon(self._refill)
                reason = await self._read(socket)
                nursery.cancel_scope.cancel()
            return reason
        finally:
            self.connected = False
            with trio.CancelScope(shield=True):
                await socket.aclose()

    async def _read(self, socket: UserSocket) -> str:
        last_s = trio.current_time()
        while True:
            news: Sequence[UserNews] | None = None
            until_s = min(last_s + self.times.stall_s, self._news_due_s)
            with trio.move_on_at(until_s):
                try:
                    news = await socket.receive(NEWS_MAX)
                except TransientError as error:
                    self._failed("user stream lost", error)
                    return "lost"
            if news is None:
                reason = "silent" if trio.current_time() >= self._news_due_s else "stall"
                self._failed(f"user stream replaced: {reason}", TransientError("nothing came"))
                return reason
            heard_ms = self.clock.now_ms()
            if news:
                self._news_due_s = float("inf")
                await self._say([event_of(one, heard_ms) for one in news], "socket")
            # Only when it was passed on: a crash before that is a gap. Time spent waiting for room is no silence.
            self._heard_ms, last_s = heard_ms, trio.current_time()

    async def _ping(self, socket: UserSocket) -> None:
        try:
            while True:
                await trio.sleep(self.times.ping_s)
                await socket.ping()
        except TransientError:
            # The reader finds out by itself.
            return

    async def _refill(self) -> None:
        """Reads what the time without a socket may have missed, however often that takes."""
        backoff = Backoff(first_s=RECONNECT_FIRST_S, max_s=RECONNECT_MAX_S, rng=self.rng)
        while True:
            since_ms = self._gap_ms if self._gap_ms is not None else self.clock.now_ms()
            try:
                overview = await self._asking.overview(since_ms)
                await self._say([filled_of(fill, self.clock.now_ms()) for fill in overview.fills], "refill")
                if self.reconnects.total() > 1:
                    # At the start the reconciler does so.
                    await self._asking.ask_others(overview.orders)
                await trio.sleep(SECOND_LOOK_S)
                later = await self.venue.trades(after_s=self._after_s(since_ms))
                await self._say_new([filled_of(fill, self.clock.now_ms()) for fill in later], "refill")
            except (TransientError, RejectedError) as error:
                self._failed("gap of the user stream not refilled yet", error)
                await trio.sleep(backoff.next_s())
            else:
                self._gap_ms = None
                return

    async def _poll(self) -> None:
        """One task for all orders that were sent: asks about them each half second while there are any."""
        while True:
            if not self._nudges and not len(self._sent):
                self._wake = trio.Event()
                await self._wake.wait()
            await trio.sleep(self.times.poll_s)
            order_hashes = self._sent.take(LOOKUPS_A_POLL, trio.current_time())
            if not self._take_nudge() and not order_hashes:
                continue
            self.polls += 1
            try:
                # A venue that hangs must not cost the others their turn.
                with trio.fail_after(self.times.poll_max_s):
                    await self._poll_once(order_hashes)
            except (TransientError, RejectedError, trio.TooSlowError) as error:
                self._failed("orders not polled", error)

    def _take_nudge(self) -> bool:
        """Returns whether fills have to be read for a transaction that nobody has told of; all are read at once then."""
        now_s = trio.current_time()
        self._nudges = {one: due_s for one, due_s in self._nudges.items() if one not in self._told_transactions}
        due = min(self._nudges.values(), default=float("inf")) <= now_s
        if due:
            self._nudges.clear()
        return due

    async def _poll_once(self, order_hashes: Sequence[str]) -> None:
        since_ms = self.clock.now_ms() - round(self.times.poll_max_s * 1000)
        fills = await self.venue.trades(after_s=self._after_s(since_ms))
        await self._say_new([filled_of(fill, self.clock.now_ms()) for fill in fills], "poll")
        for order_hash in order_hashes:
            # The socket may have spoken of it meanwhile.
            if order_hash not in self._sent:
                continue
            found = await self.venue.order(order_hash)
            if found is not None:
                await self._say([seen_of(found, self.clock.now_ms())], "poll")

    async def _say_new(self, fills: Sequence[Filled], source: str) -> None:
        await self._say([fill for fill in fills if _key(fill) not in self._told], source)

    async def _say(self, news: Sequence[OrderEvent], source: str) -> None:
        if not news:
            return
        await self.events.send_many(news)
        # Not before: what a crash kept from being passed on is told again.
        now_s = self.last_event_s = trio.current_time()
        self.events_by_source[source] += len(news)
        for one in news:
            if isinstance(one, Filled):
                self._told.add(_key(one))
                if one.transaction_hash is not None:
                    self._told_transactions.add(one.transaction_hash.lower())
            if source == "socket" or _is_enough(one):
                self._sent.heard(one.order_hash)
        if source == "poll":
            self._news_due_s = min(self._news_due_s, now_s + self.times.silence_s)

    def _open_gap(self) -> None:
        if self._gap_ms is None:
            first_ms = self._asking.first_signed_ms()
            now_ms = self.clock.now_ms()
            self._gap_ms = self._heard_ms if self._heard_ms is not None else min(now_ms, first_ms or now_ms)

    def _after_s(self, since_ms: int) -> int:
        return max(0, int(since_ms / 1000 - self.times.overlap_s))

    def _failed(self, message: str, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows(message, trio.current_time()) is not None:
            fields = {"account": self.account, "error": str(error) or type(error).__name__}
            _log.warning(message, extra=fields)


def _key(fill: Filled) -> str:
    return f"{fill.trade_id} {fill.order_hash} {fill.status}"


def _is_enough(news: OrderEvent) -> bool:
    """Returns whether a poll need not go on: a fill, or an order that is nowhere between being sent and being filled."""
    if isinstance(news, Seen):
        return not news.matched_shares and news.venue_status.upper() not in ("DELAYED", "MATCHED")
    return True
