"""Keeps what a reader works on its own, and reads the books of an edge for metrics and for `readyz`."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from engine.runtime.edge_inbox import EdgeInbox
from protocols.edges import EdgeFigures
from protocols.errors import TransientError


@attrs.define(eq=False, kw_only=True)
class EdgeKeeper:
    """Every few seconds: the claims of one inbox, and the figures of its store."""

    inbox: EdgeInbox[Any]
    interval_s: float
    """A small part of the time after which others take over."""
    is_open: Callable[[bool, str], None] = lambda _answers, _why: None
    """Told whether the store answers, and why not; never waits."""
    figures: EdgeFigures | None = attrs.field(init=False, default=None)
    """As read last; None while the store does not answer."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps until cancelled. Raises `FencedError` when the lease of the reader is somebody else's by now."""
        task_status.started()
        try:
            while True:
                await self._keep()
                await trio.sleep(self.interval_s)
        finally:
            # Nobody reads here any more: what was said of the store would be said for ever.
            self.is_open(True, "")

    async def _keep(self) -> None:
        try:
            if ids := self.inbox.in_work():
                await self.inbox.store.keep(ids)
            self.figures = await self.inbox.store.figures()
            self.is_open(True, "")
        except TransientError as error:
            self.figures = None
            self.is_open(False, str(error))
