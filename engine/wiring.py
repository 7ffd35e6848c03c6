"""The whole data flow, from top to bottom in flow order. The only file that names both an actor and an adapter.

venue ── stream_reader ──▶ raw_trades ──▶ trade_filter ──▶ writer ──▶ sync_writer ──▶ PostgreSQL
           │                   ▲            │  │              ▲           │  │ └─▶ feed_hub ──▶ event streams
           │                   │            │  └▶ copy_trades ─▶ forward_tester ◀── receipts
           └─▶ gap_requests ─▶ gap_filler   └─▶ market_requests ─▶ market_registry
                    ▲                                                     │
                    └───────────── rows that neither could take ──────────┘

hot_poller, cold-poll, coverage-audit ─▶ late_trades ─▶ raw_trades; hot_poller ─▶ positions (`poll_wiring.py`)
pollers of other processes ─▶ PostgreSQL ─▶ polled_reader ─▶ raw_trades
market_scout ─▶ markets, before anybody trades in them

Lanes 1 and 2 may take another way to the database, through other processes (`lane_edge.py`).

sync_writer ── claims ─▶ executor ─▶ venue ─▶ order_keeper, with live trading (`live_wiring.py`)

This runs under the ingest lease. What serves users runs in every engine that reaches its database (`service_wiring.py`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from actors.gap_filler import GapFiller
from actors.late_trades import LateTrades
from actors.market_registry import MarketRegistry
from actors.market_scout import MarketScout
from actors.polling.stream_watch import StreamWatch
from actors.stream_reader import StreamReader
from actors.sync_writer import SyncWriter
from actors.target_registry import TargetRegistry
from actors.trade_filter import TradeFilter
from actors.watch import Watch
from config.schema import EngineConfig
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing, told_of
from engine.lane_edge import LaneEdge, LaneSending, lane_sending, lanes_of
from engine.live_ports import LivePorts
from engine.live_side import LiveSide, MirrorPorts, side_of
from engine.live_wiring import LiveTrading, live_trading
from engine.poll_wiring import Polling, PollPorts, polling
from engine.polled_edge import PolledReading, polled_reading
from engine.runtime.channel import Channel
from engine.runtime.host import Graph
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.supervisor import Child
from engine.writer_channel import writer_channel
from protocols.channels import Outbox, Overflow
from protocols.clock import Random, WallClock
from protocols.edges import EdgeStore
from protocols.ingest import (
    GapRequest,
    GapStore,
    MarketCatalog,
    MarketStore,
    NewestMarkets,
    SpillStore,
    StreamDialer,
    TargetStore,
    TradeHistory,
    TradeStore,
)
from protocols.instruments import Observer
from protocols.receipts import Receipt
from protocols.trades import LanedTrade, RawTrade


@attrs.frozen(kw_only=True)
class Adapters:
    """The world behind the ports."""

    dialer: StreamDialer
    history: TradeHistory
    catalog: MarketCatalog
    prompt_catalog: MarketCatalog | None = None
    """For whom a trade waits; None: there is one catalogue only."""
    has_places: Callable[[], bool] = lambda: False
    """Whether asking `catalog` costs no call just now."""
    newest: NewestMarkets
    trades: TradeStore
    gaps: GapStore
    targets: TargetStore
    markets: MarketStore
    spill: SpillStore
    paper: PaperPorts | None
    """None: other processes decide about the trades that are stored here."""
    live: LivePorts | None = None
    """None: no order is ever made here."""
    mirrors: MirrorPorts | None = None
    """Decisions claim for accounts that other processes trade; only without `live`."""
    polls: PollPorts | None = None
    """None: nobody is polled."""
    lanes: LaneEdge | None = None
    """None: lanes 1 and 2 go to the writer of this process."""
    polled: EdgeStore | None = None
    """None: no other process can poll."""
    clock: WallClock
    rng: Random
    trade_to_row: Observer
    committed: Callable[[], None] = lambda: None
    """Told after each commit; never waits."""


@attrs.frozen
class Actors:
    """Every actor of the graph, for those who read their counters."""

    target_registry: TargetRegistry
    stream_reader: StreamReader
    gap_filler: GapFiller
    late_trades: LateTrades
    stream_watch: StreamWatch
    trade_filter: TradeFilter
    forward: ForwardTesting | None
    live: LiveTrading | None
    sync_writer: SyncWriter
    market_registry: MarketRegistry
    polling: Polling
    lanes: LaneSending | None = None
    polled: PolledReading | None = None


def build(config: EngineConfig, io: Adapters, gauges: RuntimeGauges) -> tuple[Graph, Actors]:
    """Returns the graph of the ingest, ready to run."""
    size = {name: channel.capacity for name, channel in config.channels.items()}
    raw_trades = Channel[RawTrade]("raw_trades", size["raw_trades"])
    copy_trades = Channel[LanedTrade]("copy_trades", size["copy_trades"])
    writer = writer_channel(config.channels["writer"], forget=lambda trade_ids: trade_filter.forget(trade_ids))
    gap_requests = Channel[GapRequest]("gap_requests", size["gap_requests"])
    market_requests = Channel[str]("market_requests", size["market_requests"], Overflow.DROP_NEWEST)

    registry = TargetRegistry(store=io.targets, config=config.filter, rng=io.rng)
    stream_reader, gap_filler, late_trades, sources = _sources(config, io, registry, raw_trades, gap_requests)
    lanes = lane_sending(
        io.lanes, config, writer, gap_requests, forget=lambda trade_ids: trade_filter.forget(trade_ids),
        hold=gap_filler.hold, clock=io.clock, rng=io.rng,
    )  # fmt: skip
    # Where others decide, trades of lane 0 are stored like all others: that is where they read them.
    to_tester = writer.outbox() if io.paper is None else copy_trades.outbox()
    filtered = (to_tester, lanes.outbox if lanes else writer.outbox(), market_requests.outbox())
    live = None if io.live is None else live_trading(config, io.live, clock=io.clock, rng=io.rng)
    side = side_of(config, live, io.mirrors, rng=io.rng)
    trade_filter = TradeFilter(
        trades=raw_trades.inbox,
        copied=filtered[0],
        kept=filtered[1],
        markets=filtered[2],
        targets=registry,
        config=config.filter,
        own=live.nudges if live else {},
    )
    forward, decide = _deciding(config, io, copy_trades, writer, side)
    writer_gaps, claims = gap_requests.outbox(), () if live is None else (live.claims,)
    told = told_of(forward, side)
    sync_writer = _sync_writer(config, io, writer, writer_gaps, forget=trade_filter.forget, decided=told)
    market_registry = _market_registry(config, io, market_requests)
    market_scout = MarketScout(newest=io.newest, store=io.markets, config=config.markets, rng=io.rng)
    watch = StreamWatch(reader=stream_reader, filler=gap_filler, silence_max_s=config.stream.stall_timeout_s)
    holdings = None if forward is None else forward.holdings
    polls = polling(config, io.polls, watch, late_trades, holdings, market_requests, io.clock, io.rng)
    polled = polled_reading(io.polled, raw_trades, (copy_trades, *lanes_of(lanes), writer), io.rng)
    graph = Graph(
        services=(
            Child(name="target_registry", run=registry.run),
            Child(name="market_registry", run=market_registry.run, reads=(market_requests,)),
            Child(name="market_scout", run=market_scout.run),
            *(forward.services if forward else ()),
            *(live.services if live else ()),
            *(side.services if side else ()),
            Child(name="watch", run=Watch(gauges=gauges, limits=config.limits, logging=config.logging).run),
        ),
        stages=(
            Child(name="trade_filter", run=trade_filter.run, reads=(raw_trades,), writes=filtered),
            *((lanes.child,) if lanes else ()),
            *decide,
            Child(name="sync_writer", run=sync_writer.run, reads=(writer,), writes=(writer_gaps, *claims)),
            *(live.stages if live else ()),
            *polls.stages,
        ),
        sources=(*sources, *polls.sources, *((polled.child,) if polled else ()), *(live.sources if live else ())),
        channels=(
            *_erased(raw_trades, copy_trades, *lanes_of(lanes), writer, gap_requests, market_requests),
            *polls.channels,
            *(live.channels if live else ()),
        ),
    )
    return graph, Actors(
        registry, stream_reader, gap_filler, late_trades, watch, trade_filter, forward, live,
        sync_writer, market_registry, polls, lanes, polled,
    )  # fmt: skip


def _deciding(
    config: EngineConfig,
    io: Adapters,
    copy_trades: Channel[LanedTrade],
    writer: Channel[LanedTrade],
    side: LiveSide | None,
) -> tuple[ForwardTesting | None, tuple[Child, ...]]:
    """What decides about trades on their way to the database; nothing where other processes decide."""
    if io.paper is None:
        return None, ()
    kept, copied = writer.outbox(), copy_trades.inbox
    forward = forward_testing(config, io.paper, copied=copied, kept=kept, clock=io.clock, rng=io.rng, live=side)
    return forward, (Child(name="forward_tester", run=forward.tester.run, reads=(copy_trades,), writes=(kept,)),)


def _sources(
    config: EngineConfig,
    io: Adapters,
    registry: TargetRegistry,
    raw_trades: Channel[RawTrade],
    gap_requests: Channel[GapRequest],
) -> tuple[StreamReader, GapFiller, LateTrades, tuple[Child, ...]]:
    """What the venue says now, and what it said while nobody listened."""
    reader_trades, reader_gaps = raw_trades.outbox(), gap_requests.outbox()
    # Pages of history never take the room of what the stream brings: it cannot wait.
    filler_trades, late_rows = [raw_trades.outbox(leaves_ratio=0.5) for _ in range(2)]
    stream_reader = StreamReader(
        dialer=io.dialer, trades=reader_trades, gaps=reader_gaps, config=config.stream, clock=io.clock, rng=io.rng
    )
    gap_filler = GapFiller(
        requests=gap_requests.inbox,
        trades=filler_trades,
        history=io.history,
        store=io.gaps,
        targets=registry,
        config=config.stream,
        clock=io.clock,
        rng=io.rng,
    )
    late_trades = LateTrades(trades=late_rows, targets=registry)
    children = (
        Child(name="late_trades", run=late_trades.run, writes=(late_rows,)),
        Child(name="gap_filler", run=gap_filler.run, reads=(gap_requests,), writes=(filler_trades,)),
        Child(name="stream_reader", run=stream_reader.run, writes=(reader_trades, reader_gaps)),
    )
    return stream_reader, gap_filler, late_trades, children


def _market_registry(config: EngineConfig, io: Adapters, requests: Channel[str]) -> MarketRegistry:
    return MarketRegistry(
        requests=requests.inbox,
        store=io.markets,
        catalog=io.catalog,
        has_places=io.has_places,
        config=config.markets,
        rng=io.rng,
    )


def _sync_writer(
    config: EngineConfig,
    io: Adapters,
    trades: Channel[LanedTrade],
    gaps: Outbox[GapRequest],
    *,
    forget: Callable[[Sequence[str]], None],
    decided: Callable[[Sequence[Receipt]], None],
) -> SyncWriter:
    return SyncWriter(
        trades=trades.inbox,
        gaps=gaps,
        store=io.trades,
        spill=io.spill,
        config=config.writer,
        rng=io.rng,
        latency=io.trade_to_row,
        forget=forget,
        decided=decided,
        committed=io.committed,
    )


def _erased(*channels: Channel[Any]) -> tuple[Channel[Any], ...]:
    return channels
