"""Commits what is kept elsewhere until then: trades of lanes 1 and 2 from another process, decisions about stored trades."""

import logging
from collections.abc import Callable, Sequence

import attrs
import trio

from actors.refused_writes import commit_instead
from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from config.schema import WriterConfig
from protocols.channels import Inbox
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.ingest import TradeStore
from protocols.instruments import Observer
from protocols.receipts import Receipt
from protocols.trades import LanedTrade

_log = logging.getLogger(__name__)


@attrs.define(eq=False, kw_only=True)
class LaneWriter:
    """an edge → Postgres, where the edge itself keeps what the database cannot take now: there is no journal here.

    A batch is acknowledged when it is committed. What comes twice, after a crash or a lost answer, is one row: its key is the
    trade's identity. While the database does not answer the batch waits, the edge fills up, and its senders take another way.
    """

    trades: Inbox[LanedTrade]
    store: TradeStore
    config: WriterConfig
    rng: Random
    latency: Observer
    committed: Callable[[int], None] = lambda _rows: None
    """Told after each commit how many rows were new; never waits."""
    decided: Callable[[Sequence[Receipt]], None] = lambda _receipts: None
    """Told what became of decisions, once for each; never waits."""
    inserted: int = attrs.field(init=False, default=0)
    repeated: int = attrs.field(init=False, default=0)
    rejected: int = attrs.field(init=False, default=0)
    """Rows that the database will never take."""
    failures: int = attrs.field(init=False, default=0)
    stored: bool = attrs.field(init=False, default=True)
    """False while the database does not take rows."""
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until the edge ends. Raises `FencedError` when another process writes this edge by now."""
        task_status.started()
        while batch := await self.trades.batch(self.config.batch_max):
            await self._commit(batch)

    async def _commit(self, batch: Sequence[LanedTrade]) -> None:
        """Returns when the batch is committed; halves it to find the rows that the database will never take."""
        backoff = Backoff(first_s=self.config.retry_delay_s, max_s=self.config.retry_delay_max_s, rng=self.rng)
        while True:
            try:
                result = await self.store.write(batch)
            except TransientError as error:
                self._failed(error)
                await trio.sleep(backoff.next_s())
                continue
            except RejectedError as error:
                # Parts of it count for themselves meanwhile.
                left_out = await commit_instead(batch, error, self._commit, self.decided)
                self.rejected += left_out
                return
            self.stored = True
            self.inserted += result.inserted
            self.repeated += result.repeated
            self.committed(result.inserted)
            if result.receipts:
                self.decided(result.receipts)
            now_s = trio.current_time()
            for laned in batch:
                self.latency.observe(now_s - laned.trade.seen_s)
            return

    def _failed(self, error: TransientError) -> None:
        self.failures += 1
        self.stored = False
        if self._log_limit.allows("database", trio.current_time()) is not None:
            _log.warning("database takes no rows, trades wait on their edge", extra={"error": str(error)})
