"""Keeps the lines of live execution, in batches and off everybody's way."""

import logging
from collections.abc import Sequence

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Inbox
from protocols.clock import Random
from protocols.errors import RejectedError, TransientError
from protocols.live.ports import LogLine, LogStore

_log = logging.getLogger(__name__)
BATCH_MAX = 500
LINGER_S = 0.2
TRIES_MAX = 8


@attrs.define(eq=False, kw_only=True)
class LogWriter:
    """log lines → LogStore. Its channel drops the oldest line when it is full: whoever says something never waits.

    While the database is down a batch is tried for about half a minute and then given up; lines are no facts of money.
    """

    lines: Inbox[LogLine]
    store: LogStore
    rng: Random
    written: int = attrs.field(init=False, default=0)
    lost: int = attrs.field(init=False, default=0)
    """Lines given up here; those that the channel dropped are counted there."""
    failures: int = attrs.field(init=False, default=0)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Writes until the lines end."""
        task_status.started()
        while batch := await self.lines.batch(BATCH_MAX):
            await self._write(batch)
            if len(batch) < BATCH_MAX:
                # Lines come in handfuls: a transaction for each of them would be most of the database's work.
                await trio.sleep(LINGER_S)

    async def _write(self, batch: Sequence[LogLine]) -> None:
        backoff = Backoff(first_s=0.2, max_s=10.0, rng=self.rng)
        for _ in range(TRIES_MAX):
            try:
                await self.store.append(batch)
            except TransientError as error:
                self._failed(error)
                await trio.sleep(backoff.next_s())
            except RejectedError as error:
                self._failed(error)
                if len(batch) > 1:
                    # One of them will never do: it must not cost the others.
                    middle = len(batch) // 2
                    await self._write(batch[:middle])
                    await self._write(batch[middle:])
                    return
                break
            else:
                self.written += len(batch)
                return
        self.lost += len(batch)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if self._log_limit.allows("write", trio.current_time()) is not None:
            _log.warning("lines of live execution not written", extra={"error": str(error)})
