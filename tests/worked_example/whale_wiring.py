"""How it hangs in the flow: in the program, lines of `engine/wiring.py`, and its figures in `engine/metrics.py`."""

from collections.abc import Iterator
from decimal import Decimal

from prometheus_client.core import CounterMetricFamily, Metric
from worked_example.whale import WhaleStore
from worked_example.whale_watch import WhaleWatch

from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.supervisor import Child, Run
from protocols.clock import Random
from protocols.trades import LanedTrade


def whale_graph(channel: Channel[LanedTrade], source: Run, store: WhaleStore, rng: Random) -> tuple[Graph, WhaleWatch]:
    """Returns the flow from a source to the watch, whose inbox is the channel's only one."""
    outbox = channel.outbox()
    watch = WhaleWatch(trades=channel.inbox, store=store, least_usd=Decimal(1000), rng=rng)
    graph = Graph(
        sources=(Child(name="source", run=source, writes=(outbox,)),),
        stages=(Child(name="whale_watch", run=watch.run, reads=(channel,)),),
        channels=(channel,),
    )
    return graph, watch


def whale_families(watch: WhaleWatch) -> Iterator[Metric]:
    """Yields the figures of the watch; nothing is paid for them while it works."""
    recorded = CounterMetricFamily("whales_recorded", "Large trades recorded")
    recorded.add_metric([], watch.recorded)
    yield recorded
