"""The reading end of the edge `lanes`: Redis ─▶ lane_writer ─▶ PostgreSQL. Runs under a lease of its own, in any process."""

from collections.abc import Callable

import attrs
import trio

from actors.lane_writer import LaneWriter
from config.schema import EngineConfig
from engine.lane_edge import LANES
from engine.runtime.edge_inbox import EdgeInbox
from engine.runtime.edge_keeper import EdgeKeeper
from engine.runtime.host import Graph
from engine.runtime.supervisor import Child
from protocols.clock import Random
from protocols.edges import EdgeCodec, EdgeStore
from protocols.ingest import TradeStore
from protocols.instruments import Observer
from protocols.trades import LanedTrade

KEEPS_PER_TAKE_OVER = 4


@attrs.frozen(kw_only=True)
class LanePorts:
    """The world behind the reading end."""

    edge: EdgeStore
    codec: EdgeCodec[LanedTrade]
    trades: TradeStore
    rng: Random
    latency: Observer
    committed: Callable[[int], None]
    is_open: Callable[[bool, str], None]


@attrs.frozen(kw_only=True)
class LaneReading:
    """The reading end, for its host and for those who read its counters."""

    inbox: EdgeInbox[LanedTrade]
    keeper: EdgeKeeper
    writer: LaneWriter
    graph: Graph


def lane_reading(config: EngineConfig, io: LanePorts) -> LaneReading:
    """Returns the graph of the reading end; stopping it takes what lies in the stream, and then ends."""
    inbox = EdgeInbox(name=LANES, store=io.edge, codec=io.codec, rng=io.rng, wait_s=0.5)
    keeper = EdgeKeeper(
        inbox=inbox,
        interval_s=config.redis.take_over_idle_ms / 1000 / KEEPS_PER_TAKE_OVER,
        is_open=io.is_open,
    )
    writer = LaneWriter(
        trades=inbox,
        store=io.trades,
        config=config.writer,
        rng=io.rng,
        latency=io.latency,
        committed=io.committed,
    )
    graph = Graph(
        services=(Child(name="lanes_keeper", run=keeper.run),),
        # There is no source here but other processes. When this one stops, its end of the edge is closed.
        sources=(Child(name="lanes_source", run=_nothing, writes=(inbox,)),),
        stages=(Child(name="lane_writer", run=writer.run, reads=(inbox,)),),
        channels=(),
    )
    return LaneReading(inbox=inbox, keeper=keeper, writer=writer, graph=graph)


async def _nothing(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    await trio.sleep_forever()
