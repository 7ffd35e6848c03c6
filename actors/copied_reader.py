"""Reads what another process has stored of copied traders."""

import logging

import attrs
import trio

from actors.rules.backoff import Backoff
from actors.rules.log_limit import LogLimit
from protocols.channels import Outbox
from protocols.clock import Random
from protocols.copied import CopiedTrades
from protocols.errors import TransientError
from protocols.trades import Lane, LanedTrade

_log = logging.getLogger(__name__)
LOOK_S = 0.25
PAGE = 200


@attrs.define(eq=False, kw_only=True)
class CopiedReader:
    """rows that are new → copy_trades. Looks four times a second, and at once when a bell rings.

    It begins where the table ended before those who decide looked at what is left of earlier runs: nothing lies between. A
    crash reads a page again; a trade that was decided is not decided again.
    """

    store: CopiedTrades
    trades: Outbox[LanedTrade]
    position: int
    """Up to here everything was passed on."""
    rng: Random
    read: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)
    _bell: trio.Event = attrs.field(init=False, factory=trio.Event)
    _log_limit: LogLimit = attrs.field(init=False, factory=LogLimit)

    def ring(self) -> None:
        """Says that there may be something; never waits."""
        self._bell.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads until cancelled."""
        task_status.started()
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            self._bell = trio.Event()
            try:
                page = await self.store.after(self.position, PAGE)
            except TransientError as error:
                self.failures += 1
                if self._log_limit.allows("read", trio.current_time()) is not None:
                    _log.warning("stored trades not read, nothing is decided meanwhile", extra={"error": str(error)})
                await trio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if page:
                await self.trades.send_many([LanedTrade(one.trade, Lane.TARGET) for one in page])
                self.position = page[-1].position
                self.read += len(page)
            if len(page) < PAGE:
                with trio.move_on_after(LOOK_S):
                    await self._bell.wait()
