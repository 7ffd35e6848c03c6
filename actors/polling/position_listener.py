"""Tells what copies traders how their positions changed."""

import attrs
import trio

from actors.holding_desk import HoldingDesk
from protocols.channels import Inbox
from protocols.positions import PositionEvent

BATCH_MAX = 256


@attrs.define(eq=False, kw_only=True)
class PositionListener:
    """changes of positions → holdings of copied traders."""

    events: Inbox[PositionEvent]
    holdings: HoldingDesk | None
    """None: whoever decides runs elsewhere, and reads what was stored."""
    heard: int = attrs.field(init=False, default=0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listens until the stream of changes ends."""
        task_status.started()
        while batch := await self.events.batch(BATCH_MAX):
            if self.holdings is not None:
                for event in batch:
                    await self.holdings.observe(event)
            self.heard += len(batch)
