"""Deciding apart from the ingest: stored trades in, decisions out, for some shards of the strategies. Called by `deciding.py`.

PostgreSQL ─▶ copied_reader ─▶ copy_trades ─▶ forward_tester ─▶ decisions ─▶ decision_writer ─▶ PostgreSQL
                                                   ▲                               │
                                                   └─────────── receipts ◀─────────┘

There is no journal here: while the database takes nothing, channels fill up and the reader waits. The trades are stored.
"""

import attrs

from actors.copied_reader import CopiedReader
from actors.lane_writer import LaneWriter
from config.schema import EngineConfig
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing, told_of
from engine.live_side import MirrorPorts, side_of
from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.supervisor import Child
from protocols.clock import Random, WallClock
from protocols.copied import CopiedTrades
from protocols.ingest import TradeStore
from protocols.instruments import Observer
from protocols.trades import LanedTrade


@attrs.frozen(kw_only=True)
class DecidePorts:
    """The world behind deciding."""

    paper: PaperPorts
    copied: CopiedTrades
    position: int
    """Where the stored trades end, read before anything else is."""
    trades: TradeStore
    mirrors: MirrorPorts | None
    """None: no decision claims an order."""
    clock: WallClock
    rng: Random
    latency: Observer


@attrs.frozen(kw_only=True)
class Deciding:
    """Its actors, for its host and for those who read their counters."""

    reader: CopiedReader
    forward: ForwardTesting
    writer: LaneWriter
    graph: Graph


def deciding(config: EngineConfig, io: DecidePorts, shards: frozenset[int]) -> Deciding:
    """Returns the graph of a process that decides these shards, ready to run."""
    size = {name: channel.capacity for name, channel in config.channels.items()}
    copy_trades = Channel[LanedTrade]("copy_trades", size["copy_trades"])
    decisions = Channel[LanedTrade]("decisions", size["copy_trades"])
    to_tester, to_writer = copy_trades.outbox(), decisions.outbox()
    side = side_of(config, None, io.mirrors, rng=io.rng)
    forward = forward_testing(
        config,
        io.paper,
        copied=copy_trades.inbox,
        kept=to_writer,
        clock=io.clock,
        rng=io.rng,
        live=side,
        shards=shards,
    )
    reader = CopiedReader(store=io.copied, trades=to_tester, position=io.position, rng=io.rng)
    writer = LaneWriter(
        trades=decisions.inbox,
        store=io.trades,
        config=config.writer,
        rng=io.rng,
        latency=io.latency,
        decided=told_of(forward, side),
    )
    graph = Graph(
        name="decide",
        services=(*forward.services, *(side.services if side else ())),
        sources=(Child(name="copied_reader", run=reader.run, writes=(to_tester,)),),
        stages=(
            Child(name="forward_tester", run=forward.tester.run, reads=(copy_trades,), writes=(to_writer,)),
            Child(name="decision_writer", run=writer.run, reads=(decisions,)),
        ),
        channels=(copy_trades, decisions),
    )
    return Deciding(reader=reader, forward=forward, writer=writer, graph=graph)
