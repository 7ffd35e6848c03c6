"""Keeps the rows of markets up to date with the quotes that were served, in batches and never on the way of a request."""

import logging
from collections import OrderedDict
from collections.abc import Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from actors.rules.price_writes import Kept, due, kept_of, next_due_s
from config.schema import PricesConfig
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.prices import MarketFacts, PriceStore, PriceWrite

_log = logging.getLogger(__name__)
BATCH_MAX = 500
GATHER_S = 0.25
"""Wait for more changes that go into the same statement."""


@attrs.define(eq=False, kw_only=True)
class PriceWrites:
    """At most one write a market in `prices.write_interval_s`, and only of what changed; the latest value wins."""

    store: PriceStore
    config: PricesConfig
    rng: Random
    written: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    refused: int = attrs.field(init=False, default=0)
    forgotten: int = attrs.field(init=False, default=0)
    """Writes that gave way to newer ones of other markets while the database was down."""
    _pending: OrderedDict[str, PriceWrite] = attrs.field(init=False, factory=OrderedDict)
    _kept: OrderedDict[str, Kept] = attrs.field(init=False, factory=OrderedDict)
    """What was written or queued last."""
    _written_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _wake: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    @property
    def depth(self) -> int:
        """How many markets wait to be written."""
        return len(self._pending)

    def note_row(self, facts: MarketFacts) -> None:
        """Says what a row holds, so that an equal observation is not written."""
        self._remember(facts.condition_id, kept_of(facts))

    def note(self, facts: MarketFacts, *, observed_ms: int, requested_ms: int) -> None:
        """Queues an observation if it differs from the last one."""
        condition_id, kept = facts.condition_id, kept_of(facts)
        if self._kept.get(condition_id) == kept:
            return
        self._remember(condition_id, kept)
        self._pending[condition_id] = PriceWrite(
            condition_id=condition_id,
            outcome_prices=facts.outcome_prices,
            closed=facts.closed,
            accepting_orders=facts.accepting_orders,
            resolution_status=facts.resolution_status,
            observed_ms=observed_ms,
            requested_ms=requested_ms,
        )
        if len(self._pending) > self.config.markets_max:
            self._kept.pop(self._pending.popitem(last=False)[0], None)
            self.forgotten += 1
        self._wake.set()

    async def run(self) -> None:
        """Writes until cancelled."""
        backoff = Backoff(first_s=0.5, max_s=30.0, rng=self.rng)
        while True:
            await self._until_due()
            now_s = trio.current_time()
            ids = due(self._pending, self._written_s, self.config.write_interval_s, now_s)[:BATCH_MAX]
            try:
                await self._write([self._pending[id_] for id_ in ids])
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("write", now_s) is not None:
                    _log.warning("prices not stored, trying again", extra={"error": str(error), "waiting": self.depth})
                await trio.sleep(backoff.next_s())
            else:
                backoff.reset()

    async def _until_due(self) -> None:
        while True:
            self._wake = trio.Event()
            due_s = next_due_s(self._pending, self._written_s, self.config.write_interval_s)
            if due_s <= trio.current_time():
                await trio.sleep(GATHER_S)
                return
            with trio.move_on_at(due_s):
                await self._wake.wait()

    async def _write(self, writes: Sequence[PriceWrite]) -> None:
        """Writes and takes out of the queue what was written; one bad value costs no other."""
        if not writes:
            return
        try:
            await self.store.write(writes)
        except RejectedError as error:
            if len(writes) > 1:
                middle = len(writes) // 2
                await self._write(writes[:middle])
                await self._write(writes[middle:])
                return
            self.refused += 1
            _log.error(
                "the database refuses a price", extra={"condition_id": writes[0].condition_id, "error": str(error)}
            )
        else:
            self.written += len(writes)
        self._done(writes)

    def _done(self, writes: Sequence[PriceWrite]) -> None:
        now_s = trio.current_time()
        for write in writes:
            # A newer one may have come meanwhile.
            if self._pending.get(write.condition_id) is write:
                del self._pending[write.condition_id]
            self._written_s[write.condition_id] = now_s
        if len(self._written_s) > 2 * self.config.markets_max:
            oldest_s = now_s - self.config.write_interval_s
            self._written_s = {id_: at_s for id_, at_s in self._written_s.items() if at_s > oldest_s}

    def _remember(self, condition_id: str, kept: Kept) -> None:
        self._kept[condition_id] = kept
        self._kept.move_to_end(condition_id)
        if len(self._kept) > 2 * self.config.markets_max:
            self._kept.popitem(last=False)
