"""Trades that jobs have found in the venue's history, on their way into the ingest of this process."""

from collections.abc import Sequence

import attrs
import trio

from protocols.channels import Outbox
from protocols.errors import TransientError
from protocols.ingest import TargetView
from protocols.trades import RawTrade
from protocols.venue.data_api import PageRow, raw_trades, rows_of


@attrs.define(eq=False, kw_only=True)
class LateTrades:
    """jobs → raw trades, while this engine ingests. Identity, de-duplication and lanes are those of the stream."""

    trades: Outbox[RawTrade]
    targets: TargetView
    """Whose trades are wanted, as last read."""
    rows_sent: int = attrs.field(init=False, default=0)
    _sending: set[trio.CancelScope] = attrs.field(init=False, factory=set)
    _is_open: bool = attrs.field(init=False, default=False)
    _responses: int = attrs.field(init=False, default=0)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps the door open until it is cancelled; who stands in it then is told."""
        self._is_open = True
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._is_open = False
            for scope in self._sending:
                scope.cancel()

    async def send(self, rows: Sequence[PageRow], source: str) -> int:
        """Hands over the rows of one response that belong to wallets of the lanes, and returns how many they are.

        Equal fills are counted within the response. Raises `TransientError` when this engine has stopped ingesting.
        """
        self._responses += 1
        found = rows_of(rows, self.targets.current().lanes)
        wanted = list(raw_trades(found, f"{source}:{self._responses}", trio.current_time()))
        if self._is_open and await self._sent(wanted):
            self.rows_sent += len(wanted)
            return len(wanted)
        raise TransientError("this engine has stopped ingesting")

    async def _sent(self, wanted: Sequence[RawTrade]) -> bool:
        with trio.CancelScope() as scope:
            self._sending.add(scope)
            try:
                await self.trades.send_many(wanted)
            except trio.ClosedResourceError:
                return False
            finally:
                self._sending.discard(scope)
            return True
        return False
