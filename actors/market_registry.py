"""Learns the markets of stored trades."""

import logging
import re
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.recent_set import RecentSet
from config.markets import MarketsConfig
from protocols.channels import Inbox
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.ingest import MarketCatalog, MarketStore
from protocols.markets import Market

_log = logging.getLogger(__name__)
BATCH_MAX = 50
UNKNOWN_MAX = 2_000
SWEEP_IDS = 5_000
CONDITION_ID = re.compile("0x[0-9a-f]{62,64}")


@attrs.define(eq=False, kw_only=True)
class MarketRegistry:
    """unknown ids → markets. One reader and batches: an unknown market costs one call, however many trades name it.

    Ids wait a while for others that go into the same call, unless there are free places in calls that go out anyway; whoever
    cannot wait for a market asks for it himself (`MarketDesk`), and then it costs nothing here. The catalog verifies ids, so a
    market is either the right one or absent (D59). Absent ids are asked again with growing pauses; ids that were lost on the
    way are found again by a sweep over stored trades.
    """

    requests: Inbox[str]
    store: MarketStore
    catalog: MarketCatalog
    config: MarketsConfig
    rng: Random
    has_places: Callable[[], bool] = lambda: False
    """Whether asking the catalog costs no call just now."""
    learned: int = attrs.field(init=False, default=0)
    calls: int = attrs.field(init=False, default=0)
    absent: dict[str, "_Absent"] = attrs.field(init=False, factory=dict)
    """Ids that the venue did not know when asked last."""
    _gathered: dict[str, float] = attrs.field(init=False, factory=dict)
    """Ids that wait for others, and since when; one that is lost with a crash is found again by the sweep."""
    _known: RecentSet = attrs.field(init=False, factory=lambda: RecentSet(5_000))
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)
    _closed_due_s: float = attrs.field(init=False, default=float("-inf"))
    """From when on a few ids are worth a call to the list of closed markets, in which there may be no places."""
    _half_asked: set[str] = attrs.field(init=False, factory=set)
    """Ids of a batch that wait for it."""
    _swept_s: float = attrs.field(init=False, default=float("-inf"))
    _sweep_after: str = attrs.field(init=False, default="")
    """Where the next sweep goes on when the last one found as much as it may."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Learns markets until the stream of ids ends."""
        task_status.started()
        while True:
            ended, asked = False, list[str]()
            with trio.move_on_after(self._next_check_in_s()):
                asked = await self.requests.batch(BATCH_MAX)
                ended = not asked
            self._gather(asked)
            if ended:
                return
            await self._learn([*dict.fromkeys([*self._full(), *self._due_again(), *await self._sweep()])])

    def _gather(self, condition_ids: Sequence[str]) -> None:
        now_s = trio.current_time()
        for condition_id in condition_ids:
            if condition_id not in self._known:
                self._gathered.setdefault(condition_id, now_s)

    def _full(self) -> list[str]:
        """Takes what was gathered once the first of it has waited long enough, or it fills a call."""
        oldest_s = next(iter(self._gathered.values()), float("inf"))
        if len(self._gathered) < BATCH_MAX and trio.current_time() < oldest_s + self._linger_s():
            return []
        gathered, self._gathered = list(self._gathered), {}
        return gathered

    def _next_check_in_s(self) -> float:
        now_s = trio.current_time()
        due_s = min((absent.due_s for absent in self.absent.values()), default=float("inf"))
        due_s = min(due_s, next(iter(self._gathered.values()), float("inf")) + self._linger_s())
        return max(0.0, min(due_s, self._swept_s + self.config.sweep_interval_s) - now_s)

    def _linger_s(self) -> float:
        return 0.0 if self.has_places() else self.config.linger_s

    def _due_again(self) -> list[str]:
        now_s = trio.current_time()
        return [id_ for id_, absent in self.absent.items() if absent.due_s <= now_s][:BATCH_MAX]

    async def _sweep(self) -> list[str]:
        if trio.current_time() < self._swept_s + self.config.sweep_interval_s:
            return []
        self._swept_s = trio.current_time()
        found: list[str] = []
        while len(found) < UNKNOWN_MAX:
            try:
                unknown, self._sweep_after = await self.store.traded_without_market(self._sweep_after, SWEEP_IDS)
            except TransientError as error:
                self._warn("sweep", "stored trades without market not looked for", error)
                break
            found += [id_ for id_ in unknown if id_ not in self.absent]
            if not self._sweep_after:
                break
        return found

    async def _learn(self, condition_ids: Sequence[str]) -> None:
        """Asks for ids that are not stored yet, retrying while the world fails."""
        backoff = Backoff(first_s=0.5, max_s=60, rng=self.rng)
        for start in range(0, len(condition_ids), BATCH_MAX):
            wanted = [id_ for id_ in condition_ids[start : start + BATCH_MAX] if id_ not in self._known]
            while wanted:
                try:
                    await self._learn_batch(wanted)
                    break
                except TransientError as error:
                    self._warn("learn", "markets not learned, trying again", error)
                    await trio.sleep(backoff.next_s())
            backoff.reset()

    async def _learn_batch(self, wanted: Sequence[str]) -> None:
        self._half_asked = set()
        missing = await self.store.missing(wanted)
        found = await self._ask(missing) if missing else []
        found = await self._stored(found)
        self.learned += len(found)
        unknown = set(missing) - {market.condition_id for market in found}
        for condition_id in wanted:
            if condition_id in unknown:
                self._remember_absent(condition_id)
            else:
                self.absent.pop(condition_id, None)
                self._known.add(condition_id)

    async def _ask(self, missing: Sequence[str]) -> list[Market]:
        """One call; a second one only for ids that may be hidden because they are closed (venue.md §3.1)."""
        askable = [id_ for id_ in missing if CONDITION_ID.fullmatch(id_)]
        try:
            return await self._ask_catalog(askable) if askable else []
        except RejectedError as error:
            if len(askable) == 1:
                _log.warning("the venue refuses a market id", extra={"condition_id": askable[0], "error": str(error)})
                return []
        middle = len(askable) // 2
        return await self._ask(askable[:middle]) + await self._ask(askable[middle:])

    async def _ask_catalog(self, missing: Sequence[str]) -> list[Market]:
        self.calls += 1
        found = await self.catalog.markets(missing, closed=None)
        rest = sorted(set(missing) - {market.condition_id for market in found})
        now_s = trio.current_time()
        if rest and (len(missing) >= BATCH_MAX or now_s >= self._closed_due_s):
            self._closed_due_s = now_s + self.config.linger_s - self._linger_s()
            self.calls += 1
            found += await self.catalog.markets(rest, closed=True)
        else:
            self._half_asked.update(rest)
        return found

    async def _stored(self, found: list[Market]) -> list[Market]:
        """Stores markets and returns those that were taken; one bad market costs no other."""
        if not found:
            return []
        try:
            await self.store.upsert(found)
        except RejectedError as error:
            if len(found) == 1:
                fields = {"condition_id": found[0].condition_id, "error": str(error)}
                _log.error("the database refuses a market", extra=fields)
                return []
        else:
            return found
        middle = len(found) // 2
        return await self._stored(found[:middle]) + await self._stored(found[middle:])

    def _remember_absent(self, condition_id: str) -> None:
        tries = self.absent[condition_id].tries if condition_id in self.absent else 0
        due_s = self._closed_due_s
        if condition_id not in self._half_asked:
            tries += 1
            due_s = trio.current_time() + min(86_400.0, self.config.retry_missing_s * 2.0 ** (tries - 1))
        if len(self.absent) >= UNKNOWN_MAX:
            self.absent.pop(next(iter(self.absent)))
        self.absent[condition_id] = _Absent(due_s=due_s, tries=tries)

    def _warn(self, key: str, message: str, error: Exception) -> None:
        if self._log_limit.allows(key, trio.current_time()) is not None:
            _log.warning(message, extra={"error": str(error)})


@attrs.frozen(kw_only=True)
class _Absent:
    due_s: float
    tries: int
