"""The actor."""

from collections.abc import Sequence
from decimal import Decimal

import attrs
import trio
from worked_example.whale import Whale, WhaleStore, whale_of

from actors.rules.backoff import Backoff
from protocols.channels import Inbox
from protocols.clock import Random
from protocols.errors import TransientError
from protocols.trades import LanedTrade


@attrs.define(eq=False, kw_only=True)
class WhaleWatch:
    """trades → large ones, each recorded once."""

    trades: Inbox[LanedTrade]
    store: WhaleStore
    least_usd: Decimal
    rng: Random
    recorded: int = attrs.field(init=False, default=0)
    failures: int = attrs.field(init=False, default=0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Works until the inbox ends."""
        task_status.started()
        # Asking for the next batch acknowledges the last one, so a batch is recorded before that.
        while batch := await self.trades.batch(256):
            found = [whale_of(laned.trade, self.least_usd) for laned in batch]
            whales = [whale for whale in found if whale is not None]
            if whales:
                await self._record(whales)

    async def _record(self, whales: Sequence[Whale]) -> None:
        backoff = Backoff(first_s=0.2, max_s=5.0, rng=self.rng)
        while True:
            try:
                # An answer that got lost is no harm: the store knows these trades the second time.
                self.recorded += await self.store.record(whales)
            except TransientError:
                self.failures += 1
                await trio.sleep(backoff.next_s())
            else:
                return
