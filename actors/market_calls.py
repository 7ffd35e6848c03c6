"""On-demand calls for markets that somebody waits for: how often, for which, and what an answer is worth."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import attrs
import trio

from actors.market_asking import CALL_VALUES_MAX
from actors.market_registry import CONDITION_ID
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.errors import FencedError, RejectedError, TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market
from protocols.venue.gamma import spellings_of

_log = logging.getLogger(__name__)
CALL_PAUSE_S = 0.72
"""A waiting trade shall know within a second of the venue being able to answer."""
_JITTER_S = 0.04
GATHER_S = 0.05
"""Trades of one moment share a call."""
BURST = 3
CLOSED_PAUSE_S = 10.0
"""Between calls for markets that may be hidden because they are closed (venue.md §3.1): nobody copies into those."""
IN_FLIGHT_MAX = 3
HASTE_S = 1.4
PATIENCE_S = 8.0
STORE_PATIENCE_S = 5.0


@attrs.define(eq=False, kw_only=True)
class Want:
    """A market that somebody waits for."""

    condition_id: str
    since_s: float
    askers: int = 0
    row_tried: bool = False
    """The database was asked before, whatever it answered."""
    asked_s: float | None = None
    """When the venue was asked last."""
    asked_closed: bool = False
    """The venue does not have it among its closed markets either."""
    alone: bool = False
    """The venue refused a call with it."""
    refused: bool = False
    """It refused one with nothing else: whatever this is, it is no market."""
    done: trio.Event = attrs.field(factory=trio.Event)

    @property
    def due_from_s(self) -> float:
        """Returns from when the venue may be asked, which is also its place in the queue."""
        return self.since_s + GATHER_S if self.asked_s is None else self.asked_s + CALL_PAUSE_S

    @property
    def is_askable(self) -> bool:
        """Returns whether the venue may be asked for it at all."""
        return self.row_tried and not self.refused and CONDITION_ID.fullmatch(self.condition_id) is not None


@attrs.define(eq=False, kw_only=True)
class CallPace:
    """Below 1.5 calls a second over time, three at once after a rest; overlapping, so that one that hangs delays none."""

    rng: Random
    _next_s: float = attrs.field(init=False, default=float("-inf"))
    _flying: int = attrs.field(init=False, default=0)
    _someone_is_patient: bool = attrs.field(init=False, default=False)

    def next_s(self, wants: Collection[Want]) -> float:
        """Returns when the next call may go out; infinite when a call must come back before."""
        due_s = min((want.due_from_s for want in wants if want.is_askable), default=float("inf"))
        return float("inf") if self._flying >= IN_FLIGHT_MAX else max(due_s, self._next_s)

    def take(self, wants: Collection[Want]) -> list[Want]:
        """Returns the wants of a call that goes out now, or none; those first that waited longest."""
        now_s = trio.current_time()
        if self.next_s(wants) > now_s:
            return []
        due = (want for want in wants if want.is_askable and (want.asked_s is None or want.due_from_s <= now_s))
        batch, values = list[Want](), 0
        for want in sorted(due, key=lambda want: want.due_from_s):
            values += len(spellings_of(want.condition_id))
            if batch and (values > CALL_VALUES_MAX or want.alone or batch[0].alone):
                break
            batch.append(want)
            want.asked_s = now_s
        pause_s = CALL_PAUSE_S + _JITTER_S * self.rng.random()
        self._next_s = max(self._next_s, now_s - (BURST - 1) * CALL_PAUSE_S) + pause_s
        self._flying += 1
        return batch

    @contextmanager
    def flight(self) -> Iterator[float]:
        """Counts a call that was taken, and yields how long it may last: one at a time has patience with a slow venue, the
        others find out whether it is back."""
        is_patient = not self._someone_is_patient
        self._someone_is_patient = True
        try:
            yield PATIENCE_S if is_patient else HASTE_S
        finally:
            self._flying -= 1
            if is_patient:
                self._someone_is_patient = False


@attrs.define(eq=False, kw_only=True)
class MarketCalls:
    """The calls themselves. No failure gets out."""

    catalog: MarketCatalog
    markets: MarketStore
    count: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    not_stored: int = attrs.field(init=False, default=0)
    _closed_due_s: float = attrs.field(init=False, default=float("-inf"))
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def ask(self, batch: Sequence[Want], *, patience_s: float) -> list[Market]:
        """Returns the markets that the venue has among those wanted."""
        return await self._ask(batch, None, patience_s) or []

    async def ask_closed(self, batch: Sequence[Want], *, patience_s: float) -> list[Market]:
        """Returns those that it has only among closed ones; each is asked for once, and seldom."""
        now_s = trio.current_time()
        left = [want for want in batch if not want.asked_closed and not want.alone]
        if not left or now_s < self._closed_due_s:
            return []
        self._closed_due_s = now_s + CLOSED_PAUSE_S
        found = await self._ask(left, True, patience_s)
        if found is None:
            return []
        for want in left:
            want.asked_closed = True
        return found

    async def keep(self, markets: Sequence[Market]) -> None:
        """Stores markets if the database takes them; decisions do not depend on it."""
        if not markets:
            return
        try:
            with trio.fail_after(STORE_PATIENCE_S):
                await self.markets.upsert(markets)
        except (TransientError, RejectedError, FencedError, trio.TooSlowError) as error:
            self.not_stored += len(markets)
            self._warn("keep", "markets not stored", error)

    async def _ask(self, batch: Sequence[Want], closed: bool | None, patience_s: float) -> list[Market] | None:
        self.count += 1
        try:
            with trio.fail_after(patience_s):
                return await self.catalog.markets([want.condition_id for want in batch], closed=closed)
        except RejectedError as error:
            for want in batch:
                want.alone, want.refused = True, len(batch) == 1
            self._failed(error)
        except (TransientError, trio.TooSlowError) as error:
            self._failed(error)
        return None

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._warn("ask", "a market that trades wait for is not told", error)

    def _warn(self, key: str, message: str, error: Exception) -> None:
        if self._log_limit.allows(key, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error) or "no answer in time"})
