"""Where pollers leave what they find: trades, changes of positions, and markets that nobody knows yet."""

from collections.abc import Sequence

import attrs
import trio

from protocols.channels import Outbox
from protocols.polling import TradeDoor
from protocols.positions import PositionEvent
from protocols.venue.data_api import PageRow


@attrs.define(eq=False, kw_only=True)
class PollOutlets:
    """The ingest as pollers see it. Trades wait for room, the rest never does: the database has it."""

    late: TradeDoor
    events: Outbox[PositionEvent]
    markets: Outbox[str]

    def wants(self, wallet: str) -> bool:
        """Returns whether trades of a wallet are taken now. Of one that is new they are not, until the sets are read again."""
        return wallet in self.late.targets.current().lanes

    async def trades(self, rows: Sequence[PageRow], source: str) -> int:
        """Hands over the rows of one response, and returns how many were wanted. Raises `TransientError`."""
        return await self.late.send(rows, source) if rows else 0

    def tell(self, events: Sequence[PositionEvent]) -> None:
        """Tells of what has been booked. When nobody listens fast enough the oldest are dropped, counted by the channel."""
        try:
            self.events.send_many_nowait(events)
        except trio.ClosedResourceError:
            return

    def learn(self, condition_ids: Sequence[str]) -> None:
        """Asks for markets that are not known; asked again with the next poll."""
        try:
            self.markets.send_many_nowait(condition_ids)
        except trio.ClosedResourceError:
            return
