"""Books what happens to orders: the only writer of fills, positions and commitments."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.live.live_book import LiveBook
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Inbox
from protocols.clock import Random, WallClock
from protocols.errors import RejectedError, TransientError
from protocols.live.events import OrderEvent
from protocols.live.ports import Applied, LiveOrderStore

_log = logging.getLogger(__name__)
PACE_S = 0.01
BATCH_MAX = 200


@attrs.define(eq=False, kw_only=True)
class OrderKeeper:
    """order events → PostgreSQL → memory. A batch is acknowledged when it is committed; booking one again does nothing.

    While the database is down events wait in their channel, and whoever asks the venue waits with them: nothing is lost, since
    what an order came to can always be asked again.
    """

    events: Inbox[OrderEvent]
    store: LiveOrderStore
    book: LiveBook
    clock: WallClock
    rng: Random
    changed: Callable[[Sequence[OrderEvent], Applied], None] = lambda _events, _applied: None
    """Told after each commit; never waits."""
    doubtful: Callable[[], None] = lambda: None
    """Told when memory may not know all that was committed; never waits."""
    counts: Counter[str] = attrs.field(init=False, factory=Counter)
    """Orders by the status that an event brought them to."""
    dead: int = attrs.field(init=False, default=0)
    """Events that the database will never take."""
    failures: int = attrs.field(init=False, default=0)
    foreign: int = attrs.field(init=False, default=0)
    """Events about orders that are none of ours."""
    _untold: bool = attrs.field(init=False, default=False)
    """A commit was begun, and what it did has not been taken over: booking it again would not tell."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Books until the events end."""
        task_status.started()
        while batch := await self.events.batch(BATCH_MAX):
            await self._keep(batch)
            # What comes meanwhile is one transaction with the next: each takes its turn with orders that want to be journaled.
            await trio.sleep(PACE_S)

    async def _keep(self, batch: Sequence[OrderEvent]) -> None:
        backoff = Backoff(first_s=0.1, max_s=5.0, rng=self.rng)
        while True:
            doubtful, self._untold = self._untold, True
            try:
                applied = await self.store.apply(batch)
                break
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("database", trio.current_time()) is not None:
                    _log.warning("order events not booked yet, trying again", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
            except RejectedError as error:
                if len(batch) > 1:
                    # One of them will never do: it must not cost the others.
                    for event in batch:
                        await self._keep([event])
                    return
                self.dead += 1
                fields = {"order_hash": batch[0].order_hash, "event": type(batch[0]).__name__, "error": str(error)}
                _log.error("an order event that the database will never take", extra=fields)
                return
        self.foreign += len(applied.unknown)
        for order in applied.orders:
            self.counts[order.status.value] += 1
        self.book.applied(applied, self.clock.now_ms())
        self._untold = False
        if doubtful:
            self.doubtful()
        self.changed(batch, applied)
