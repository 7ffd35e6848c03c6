"""The reading end of the edge `polled`, in whoever ingests: PostgreSQL ─▶ polled_reader ─▶ raw_trades."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from actors.polling.polled_reader import PolledReader
from engine.runtime.channel import Channel
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.passing import passed
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.edges import EdgeStore
from protocols.polled import POLLED, PolledPage, PolledPageCodec
from protocols.trades import RawTrade

LOOK_S, WAIT_S = 1.0, 30.0
"""Between two looks into the database for something new, as late as polls may be anyway; and how long one request goes on."""
PAGES_MAX = 2_000
"""Pages that wait, above which pollers wait too."""


@attrs.frozen(kw_only=True)
class PolledReading:
    """The reading end, for the graph and for those who read its counters."""

    inbox: EdgeInbox[PolledPage]
    reader: PolledReader
    child: Child


def polled_reading(
    store: EdgeStore | None, raw_trades: Channel[RawTrade], further: Sequence[Channel[Any]], rng: Random
) -> PolledReading | None:
    """Returns the reading end, whose pages are done once they went through these channels; None without a store.

    Its claims are those of the ingest lease: whoever holds it next has them at once, so that nobody has to keep them.
    """
    if store is None:
        return None
    inbox = EdgeInbox(name=POLLED, store=store, codec=PolledPageCodec(), rng=rng, wait_s=WAIT_S)
    trades = raw_trades.outbox(leaves_ratio=0.5)
    reader = PolledReader(pages=inbox, trades=trades, passed=partial(passed, (raw_trades, *further)))
    child = Child(name="polled_reader", run=reader.run, reads=(inbox,), writes=(trades,))
    return PolledReading(inbox=inbox, reader=reader, child=child)
