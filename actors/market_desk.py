"""Markets at hand for decisions: from memory, else from the database, else asked for on demand."""

import logging
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs
import trio

from actors.market_calls import CallPace, MarketCalls, Want
from actors.rules.decision_market import with_kind
from actors.rules.log_limit import LogLimit
from protocols.clock import Random, WallClock
from protocols.decisions import MarketInput
from protocols.errors import TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market
from protocols.paper import DecisionMarkets
from protocols.venue.market_input import market_input

_log = logging.getLogger(__name__)
MARKETS_MAX = 2_000
MAX_AGE_MS = 60_000
EXCUSED_MS = 5_000
"""So long an entry that is too old counts, when nobody can give a newer one."""
STORE_PATIENCE_S = 0.25
"""A database that takes longer must not keep trades waiting."""
STORE_PAUSE_S = 0.7
STORE_REST_S = 2.0
"""After it failed."""


@attrs.define(eq=False, kw_only=True)
class _Entry:
    market: MarketInput
    read_ms: int
    excused_until_ms: int = 0


@attrs.define(eq=False, kw_only=True)
class MarketDesk:
    """Askers register a want and wait; one task reads and asks for all of them together.

    The database is read in one query for everything wanted at that moment. What has no row there is asked of the venue: at
    once, and again every 0.7 s for as long as somebody waits, a hundred ids a call.
    """

    store: DecisionMarkets
    catalog: MarketCatalog
    markets: MarketStore
    clock: WallClock
    rng: Random
    markets_max: int = MARKETS_MAX
    max_age_ms: int = MAX_AGE_MS
    queries: int = attrs.field(init=False, default=0)
    store_failures: int = attrs.field(init=False, default=0)
    _calls: MarketCalls = attrs.field(init=False)
    _pace: CallPace = attrs.field(init=False)
    _entries: OrderedDict[str, _Entry] = attrs.field(init=False, factory=OrderedDict)
    _wants: dict[str, Want] = attrs.field(init=False, factory=dict)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _store_due_s: float = attrs.field(init=False, default=float("-inf"))
    _store_rests: bool = attrs.field(init=False, default=False)
    """The database failed a moment ago."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def __attrs_post_init__(self) -> None:
        self._calls = MarketCalls(catalog=self.catalog, markets=self.markets)
        self._pace = CallPace(rng=self.rng)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def calls(self) -> int:
        """Returns how often the venue was asked."""
        return self._calls.count

    @property
    def call_failures(self) -> int:
        """Returns how often it gave no answer."""
        return self._calls.failures

    def known(self, condition_id: str, now_ms: int) -> MarketInput | None:
        """Returns a market that was read lately enough, or None; never waits. A resolved one does not grow old."""
        entry = self._entries.get(condition_id)
        if entry is None:
            return None
        self._entries.move_to_end(condition_id)
        fresh = now_ms - entry.read_ms <= self.max_age_ms or now_ms <= entry.excused_until_ms
        return entry.market if fresh or entry.market.resolved else None

    async def wait_for(self, condition_ids: Collection[str], *, deadline_s: float) -> None:
        """Returns when all these markets are known, at the latest at `deadline_s` of monotonic time.

        Never raises for a venue or a database that is down.
        """
        now_ms = self.clock.now_ms()
        wanted = [id_ for id_ in dict.fromkeys(condition_ids) if self.known(id_, now_ms) is None]
        if not wanted or deadline_s <= trio.current_time():
            await trio.lowlevel.checkpoint()
            return
        wants = [self._want(id_) for id_ in wanted]
        try:
            with trio.move_on_at(deadline_s):
                for want in wants:
                    await want.done.wait()
        finally:
            for want in wants:
                self._unwant(want)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads and asks until cancelled."""
        task_status.started()
        async with trio.open_nursery() as nursery:
            while True:
                self._wake = trio.Event()
                await self._read_rows()
                self._send_calls(nursery)
                with trio.move_on_at(self._next_s()):
                    await self._wake.wait()

    def _want(self, condition_id: str) -> Want:
        want = self._wants.get(condition_id)
        if want is None:
            want = self._wants[condition_id] = Want(condition_id=condition_id, since_s=trio.current_time())
            self._wake.set()
        want.askers += 1
        return want

    def _unwant(self, want: Want) -> None:
        want.askers -= 1
        if want.askers == 0 and self._wants.get(want.condition_id) is want:
            del self._wants[want.condition_id]

    def _next_s(self) -> float:
        """Returns when there is something to do, unless somebody wants something new before."""
        if not self._wants:
            return float("inf")
        return min(self._pace.next_s(self._wants.values()), self._store_due_s)

    async def _read_rows(self) -> None:
        now_s = trio.current_time()
        unread = [id_ for id_, want in self._wants.items() if not want.row_tried]
        wanted = list(self._wants) if now_s >= self._store_due_s else [] if self._store_rests else unread
        if wanted:
            self._store_due_s = now_s + STORE_PAUSE_S
            self._learned(await self._rows(wanted))
        for condition_id in unread:
            if (want := self._wants.get(condition_id)) is not None:
                want.row_tried = True

    async def _rows(self, condition_ids: Sequence[str]) -> Mapping[str, MarketInput]:
        self.queries += 1
        try:
            with trio.fail_after(STORE_PATIENCE_S):
                rows = await self.store.find(condition_ids)
        except (TransientError, trio.TooSlowError) as error:
            self.store_failures += 1
            self._store_rests = True
            self._store_due_s = trio.current_time() + STORE_REST_S
            if self._log_limit.allows("rows", trio.current_time()) is not None:
                fields = {"error": str(error) or "no answer in time"}
                _log.warning("markets not read, asking the venue", extra=fields)
            return {}
        self._store_rests = False
        return rows

    def _send_calls(self, nursery: trio.Nursery) -> None:
        while batch := self._pace.take(self._wants.values()):
            nursery.start_soon(self._call, batch)

    async def _call(self, batch: Sequence[Want]) -> None:
        asked_ms = self.clock.now_ms()
        try:
            with self._pace.flight() as patience_s:
                found = await self._calls.ask(batch, patience_s=patience_s)
                self._found(found, asked_ms)
                left = [want for want in batch if not want.done.is_set()]
                closed = await self._calls.ask_closed(left, patience_s=patience_s)
                self._found(closed, asked_ms)
        finally:
            self._wake.set()
        self._excuse(want for want in left if not want.done.is_set())
        await self._calls.keep([*found, *closed])

    def _found(self, markets: Sequence[Market], asked_ms: int) -> None:
        self._learned({market.condition_id: with_kind(market_input(market, asked_ms)) for market in markets})

    def _excuse(self, wants: Iterable[Want]) -> None:
        """Lets what is remembered count for a moment, though it is old: nobody gave a newer one."""
        for want in wants:
            entry = self._entries.get(want.condition_id)
            if entry is not None:
                entry.excused_until_ms = self.clock.now_ms() + EXCUSED_MS
                self._tell(want.condition_id)

    def _learned(self, markets: Mapping[str, MarketInput]) -> None:
        now_ms = self.clock.now_ms()
        for condition_id, market in markets.items():
            self._entries[condition_id] = _Entry(market=market, read_ms=now_ms)
            self._entries.move_to_end(condition_id)
            self._tell(condition_id)
        while len(self._entries) > self.markets_max:
            self._entries.popitem(last=False)

    def _tell(self, condition_id: str) -> None:
        want = self._wants.pop(condition_id, None)
        if want is not None:
            want.done.set()
