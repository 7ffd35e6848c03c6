"""Takes what pollers of other processes have found into the ingest of this one."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from protocols.channels import Inbox, Outbox
from protocols.polled import PolledPage
from protocols.trades import RawTrade
from protocols.venue.data_api import raw_trades

PAGES_MAX = 8


@attrs.define(eq=False, kw_only=True)
class PolledReader:
    """the edge `polled` → raw trades. Identity, de-duplication and lanes are those of the stream.

    A page is acknowledged once its trades are stored, so that whoever ingests next gets it again. Each delivery is a counting
    scope of its own: the same page read twice is the same fills.
    """

    pages: Inbox[PolledPage]
    trades: Outbox[RawTrade]
    passed: Callable[[], Awaitable[None]]
    """Returns when what was sent before the call has been dealt with."""
    rows_read: int = attrs.field(init=False, default=0)
    _deliveries: int = attrs.field(init=False, default=0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads until cancelled. Raises `FencedError` when somebody else ingests by now."""
        task_status.started()
        while pages := await self.pages.batch(PAGES_MAX):
            for page in pages:
                self._deliveries += 1
                scope = f"{page.source}:polled:{self._deliveries}"
                await self.trades.send_many(raw_trades(page.rows, scope, trio.current_time()))
                self.rows_read += len(page.rows)
            await self.passed()
