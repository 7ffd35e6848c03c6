"""What pollers find, on its way to whoever ingests in another process."""

import itertools
from collections.abc import Iterator, Sequence

import attrs

from protocols.edges import EdgeCodec, EdgeStore
from protocols.errors import MalformedError, TransientError
from protocols.ingest import TargetView
from protocols.polled import PolledPage
from protocols.venue.data_api import PageRow, rows_of


@attrs.define(eq=False, kw_only=True)
class PolledDoor:
    """`TradeDoor`: responses → the edge `polled`. Once it has taken one, the trades of it are not lost any more."""

    store: EdgeStore
    codec: EdgeCodec[PolledPage]
    targets: TargetView
    rows_sent: int = attrs.field(init=False, default=0)
    _numbers: Iterator[int] = attrs.field(init=False, factory=lambda: itertools.count(1))

    async def send(self, rows: Sequence[PageRow], source: str) -> int:
        """Hands over the rows of one response that belong to wallets of the lanes, and returns how many they are.

        Raises `TransientError` while the database does not answer or nobody has ingested for so long that the edge is full.
        What was handed over and not answered is handed over once more by the next poll: it is a repeat there.
        """
        found = rows_of(rows, self.targets.current().lanes)
        if not found:
            return 0
        try:
            body = self.codec.encode(PolledPage(source=source, rows=tuple(found)))
        except MalformedError as error:
            raise TransientError(f"too much for one message: {error}") from None
        if not (await self.store.append(next(self._numbers), [body])).kept:
            raise TransientError("the edge to the ingest is full")
        self.rows_sent += len(found)
        return len(found)
