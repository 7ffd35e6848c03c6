"""Finds claims and obligations that another process has committed for our accounts."""

import logging
from collections.abc import Callable

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.live.elsewhere import OpenWork

_log = logging.getLogger(__name__)
LOOK_S = 0.25


@attrs.define(eq=False, kw_only=True)
class ClaimWatch:
    """rows that are new → executor, exit_keeper. Looks four times a second, and at once when a bell rings."""

    store: OpenWork
    found: Callable[[], None]
    """Told that something is new: who trades reads it; never waits."""
    rng: Random
    failures: int = attrs.field(init=False, default=0)
    finds: int = attrs.field(init=False, default=0)
    _bell: trio.Event = attrs.field(init=False, factory=trio.Event)
    _known: frozenset[str] = attrs.field(init=False, factory=frozenset)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def ring(self) -> None:
        """Says that there may be something; never waits."""
        self._bell.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Looks until cancelled."""
        task_status.started()
        backoff = Backoff(first_s=0.2, max_s=2.0, rng=self.rng)
        while True:
            self._bell = trio.Event()
            try:
                waiting = frozenset(await self.store.waiting())
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("claims", trio.current_time()) is not None:
                    _log.warning("claims of others not looked for", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if waiting - self._known:
                self.finds += 1
                self.found()
            self._known = waiting
            with trio.move_on_after(LOOK_S):
                await self._bell.wait()
