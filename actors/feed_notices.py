"""Wakes the feed of this process when another one has committed trades."""

from collections.abc import Callable

import attrs
import trio

from protocols.channels import Inbox
from protocols.edge_codec import CommittedNotice


@attrs.define(eq=False, kw_only=True)
class FeedNotices:
    """notices → a wake-up of the feed. One that is lost costs a second: the feed looks by itself as well."""

    notices: Inbox[CommittedNotice]
    wake: Callable[[], None]
    heard: int = attrs.field(init=False, default=0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listens until the edge ends."""
        task_status.started()
        while batch := await self.notices.batch(100):
            self.heard += len(batch)
            self.wake()
