"""The whole data flow, from top to bottom in flow order. The only file that names both an actor and an adapter.

venue ── stream_reader ──▶ raw_trades ──▶ trade_filter ──▶ writer ──▶ sync_writer ──▶ PostgreSQL
           │                   ▲            │  │              ▲           │  │ └─▶ feed_hub ──▶ event streams
           │                   │            │  └▶ copy_trades ─▶ forward_tester ◀── receipts
           └─▶ gap_requests ─▶ gap_filler   └─▶ market_requests ─▶ market_registry
                    ▲                                                     │
                    └───────────── rows that neither could take ──────────┘

requests ─▶ token_registry, price_cache ─▶ answers            clock ─▶ scheduler ─▶ jobs

The first part runs under the ingest lease (`build`), the last line in every engine that reaches its database
(`build_services`).
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs

from actors.book_cache import BookCache
from actors.feed_hub import FeedHub
from actors.gap_filler import GapFiller
from actors.market_ensurer import MarketEnsurer
from actors.market_registry import MarketRegistry
from actors.price_cache import PriceCache
from actors.scheduler import Scheduler
from actors.stream_reader import StreamReader
from actors.sync_writer import SyncWriter
from actors.target_registry import TargetRegistry
from actors.token_registry import TokenRegistry
from actors.trade_filter import TradeFilter
from actors.watch import Watch
from config.schema import EngineConfig
from engine.forward_wiring import ForwardTesting, PaperPorts, forward_testing
from engine.job_wiring import JobPorts, scheduler_of
from engine.runtime.channel import Channel, LanePolicy
from engine.runtime.host import Graph
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Child, Supervisor
from protocols.channels import Overflow
from protocols.clock import Random, WallClock
from protocols.feed import FeedStreamStore
from protocols.ingest import (
    GapRequest,
    GapStore,
    MarketCatalog,
    MarketStore,
    SpillStore,
    StreamDialer,
    TargetStore,
    TradeHistory,
    TradeStore,
)
from protocols.instruments import Observer
from protocols.prices import BookUpstream, PriceFallback, PriceStore, PriceUpstream
from protocols.trades import Lane, LanedTrade, RawTrade
from protocols.users import TokenStore


@attrs.frozen(kw_only=True)
class Adapters:
    """The world behind the ports."""

    dialer: StreamDialer
    history: TradeHistory
    catalog: MarketCatalog
    trades: TradeStore
    gaps: GapStore
    targets: TargetStore
    markets: MarketStore
    spill: SpillStore
    paper: PaperPorts
    clock: WallClock
    rng: Random
    trade_to_row: Observer
    committed: Callable[[], None] = lambda: None
    """Told after each commit; never waits."""


@attrs.frozen(kw_only=True)
class Actors:
    """Every actor of the graph, for those who read their counters."""

    target_registry: TargetRegistry
    stream_reader: StreamReader
    gap_filler: GapFiller
    trade_filter: TradeFilter
    forward: ForwardTesting
    sync_writer: SyncWriter
    market_registry: MarketRegistry


@attrs.frozen(kw_only=True)
class ServicePorts:
    """The world behind what serves users. `owner` is unique to this process, `holder` says who that is."""

    tokens: TokenStore
    feed: FeedStreamStore
    prices: PriceUpstream
    price_fallback: PriceFallback
    price_store: PriceStore
    price_age: Observer
    books: BookUpstream
    markets: MarketStore
    catalog: MarketCatalog
    jobs: JobPorts
    clock: WallClock
    rng: Random
    owner: str
    holder: str


@attrs.frozen(kw_only=True)
class Services:
    """What serves users, with the ingest lease or without."""

    token_registry: TokenRegistry
    feed_hub: FeedHub
    price_cache: PriceCache
    book_cache: BookCache
    market_ensurer: MarketEnsurer
    scheduler: Scheduler


@attrs.define(eq=False, kw_only=True)
class Engine:
    """What a running engine shows to its pages, metrics and tests. `actors` is None until it holds the lease."""

    config: EngineConfig
    supervisor: Supervisor
    gauges: RuntimeGauges
    readiness: Readiness
    upstream_requests: Counter[tuple[str, str]]
    actors: Actors | None = None
    services: Services | None = None
    graph: Graph | None = None

    def committed(self) -> None:
        """Says that trades were committed: open streams of the feed are told at once."""
        if self.services is not None:
            self.services.feed_hub.wake()

    def stream_age_s(self, now_s: float) -> float | None:
        """Returns the age of the last trade frame at monotonic time `now_s`, or None before the first."""
        last_s = self.actors.stream_reader.last_data_s if self.actors else None
        return None if last_s is None else max(0.0, now_s - last_s)


def build(config: EngineConfig, io: Adapters, gauges: RuntimeGauges) -> tuple[Graph, Actors]:
    """Returns the graph of the ingest, ready to run."""
    size = {name: channel.capacity for name, channel in config.channels.items()}
    raw_trades = Channel[RawTrade]("raw_trades", size["raw_trades"])
    copy_trades = Channel[LanedTrade]("copy_trades", size["copy_trades"])
    writer = Channel[LanedTrade]("writer", size["writer"], Overflow.LANES, _lanes(config))
    gap_requests = Channel[GapRequest]("gap_requests", size["gap_requests"])
    market_requests = Channel[str]("market_requests", size["market_requests"], Overflow.DROP_NEWEST)

    registry = TargetRegistry(store=io.targets, config=config.filter, rng=io.rng)
    stream_reader, gap_filler, sources = _sources(config, io, registry, raw_trades, gap_requests)
    filter_copied, filter_kept, filter_markets = copy_trades.outbox(), writer.outbox(), market_requests.outbox()
    trade_filter = TradeFilter(
        trades=raw_trades.inbox,
        copied=filter_copied,
        kept=filter_kept,
        markets=filter_markets,
        targets=registry,
        config=config.filter,
    )
    tester_kept = writer.outbox()
    forward = forward_testing(config, io.paper, copied=copy_trades.inbox, kept=tester_kept, clock=io.clock, rng=io.rng)
    writer_gaps = gap_requests.outbox()
    sync_writer = SyncWriter(
        trades=writer.inbox,
        gaps=writer_gaps,
        store=io.trades,
        spill=io.spill,
        config=config.writer,
        rng=io.rng,
        latency=io.trade_to_row,
        forget=trade_filter.forget,
        decided=forward.tester.received,
        committed=io.committed,
    )
    market_registry = MarketRegistry(
        requests=market_requests.inbox, store=io.markets, catalog=io.catalog, config=config.markets, rng=io.rng
    )
    graph = Graph(
        services=(
            Child(name="target_registry", run=registry.run),
            Child(name="market_registry", run=market_registry.run, reads=(market_requests,)),
            *forward.services,
            Child(name="watch", run=Watch(gauges=gauges, limits=config.limits, logging=config.logging).run),
        ),
        stages=(
            Child(
                name="trade_filter",
                run=trade_filter.run,
                reads=(raw_trades,),
                writes=(filter_copied, filter_kept, filter_markets),
            ),
            Child(name="forward_tester", run=forward.tester.run, reads=(copy_trades,), writes=(tester_kept,)),
            Child(name="sync_writer", run=sync_writer.run, reads=(writer,), writes=(writer_gaps,)),
        ),
        sources=sources,
        channels=_erased(raw_trades, copy_trades, writer, gap_requests, market_requests),
    )
    actors = Actors(
        target_registry=registry,
        stream_reader=stream_reader,
        gap_filler=gap_filler,
        trade_filter=trade_filter,
        forward=forward,
        sync_writer=sync_writer,
        market_registry=market_registry,
    )
    return graph, actors


def _sources(
    config: EngineConfig,
    io: Adapters,
    registry: TargetRegistry,
    raw_trades: Channel[RawTrade],
    gap_requests: Channel[GapRequest],
) -> tuple[StreamReader, GapFiller, tuple[Child, ...]]:
    """What the venue says now, and what it said while nobody listened."""
    reader_trades, reader_gaps, filler_trades = raw_trades.outbox(), gap_requests.outbox(), raw_trades.outbox()
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
    children = (
        Child(name="gap_filler", run=gap_filler.run, reads=(gap_requests,), writes=(filler_trades,)),
        Child(name="stream_reader", run=stream_reader.run, writes=(reader_trades, reader_gaps)),
    )
    return stream_reader, gap_filler, children


def build_services(config: EngineConfig, io: ServicePorts) -> tuple[tuple[Child, ...], Services]:
    """Returns what serves users. Raises `ValueError` for a cron expression that makes no sense."""
    token_registry = TokenRegistry(store=io.tokens, clock=io.clock, rng=io.rng, bootstrap=config.http.admin_token)
    feed_hub = FeedHub(store=io.feed, rng=io.rng, clients_max=config.http.streams_max)
    price_cache = PriceCache(
        upstream=io.prices,
        fallback=io.price_fallback,
        store=io.price_store,
        config=config.prices,
        clock=io.clock,
        rng=io.rng,
        ages=io.price_age,
    )
    scheduler = scheduler_of(config, io.jobs, clock=io.clock, rng=io.rng, owner=io.owner, holder=io.holder)
    children = (
        Child(name="token_registry", run=token_registry.run),
        Child(name="feed_hub", run=feed_hub.run),
        Child(name="price_cache", run=price_cache.run),
        Child(name="scheduler", run=scheduler.run),
    )
    services = Services(
        token_registry=token_registry,
        feed_hub=feed_hub,
        price_cache=price_cache,
        book_cache=BookCache(upstream=io.books, clock=io.clock),
        market_ensurer=MarketEnsurer(store=io.markets, catalog=io.catalog),
        scheduler=scheduler,
    )
    return children, services


def _lanes(config: EngineConfig) -> LanePolicy[LanedTrade]:
    """Lane 2 may be shed; lanes 0 and 1 wait."""
    return LanePolicy(
        lanes=len(Lane),
        lane_of=lambda laned: laned.lane,
        shed_from=Lane.KNOWN,
        shed_above=config.channels["writer"].shed_above,
    )


def _erased(*channels: Channel[Any]) -> tuple[Channel[Any], ...]:
    return channels
