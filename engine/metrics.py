"""The metrics of the engine (design.md §7), read from the actors when somebody asks.

Actors keep plain counters; nothing is paid on the hot path but two histograms. Rendering takes milliseconds, so the web
application does it in a thread.
"""

from collections.abc import Iterator, Sequence

import attrs
import trio
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.cluster_metrics import cluster_families
from engine.coverage_metrics import coverage_families, job_families
from engine.edge_metrics import edge_families
from engine.live_metrics import live_families
from engine.login_metrics import login_families
from engine.model_metrics import model_families
from engine.notify_metrics import notify_families
from engine.poll_metrics import poll_families
from engine.price_metrics import price_families
from engine.running import Engine
from engine.tuner_metrics import tuner_families

LATENCY_BUCKETS_S = (0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

PRICE_AGE_BUCKETS_S = (0.25, 0.5, 1, 1.5, 2, 2.5, 3, 5, 15, 60, 300)


def trade_to_row_histogram(registry: CollectorRegistry) -> Histogram:
    """Returns the histogram of the time from a frame's arrival to its committed row, in seconds."""
    return Histogram(
        "polycopy_trade_to_row_seconds",
        "From the arrival of a trade to its committed row",
        buckets=LATENCY_BUCKETS_S,
        registry=registry,
    )


def trade_to_order_histogram(registry: CollectorRegistry) -> Histogram:
    """Returns the histogram of the time from a frame's arrival to the first byte of its order, in seconds."""
    return Histogram(
        "polycopy_trade_to_order_seconds",
        "From the arrival of a trade to its order on the wire",
        buckets=LATENCY_BUCKETS_S,
        registry=registry,
    )


def price_age_histogram(registry: CollectorRegistry) -> Histogram:
    """Returns the histogram of the age of served prices of open markets, in seconds."""
    return Histogram(
        "polycopy_price_age_seconds",
        "Age of a served price of an open market",
        buckets=PRICE_AGE_BUCKETS_S,
        registry=registry,
    )


@attrs.define(eq=False)
class EngineCollector(Collector):
    """Turns the state of a running engine into metric families."""

    engine: Engine
    now_s: float = attrs.field(init=False, default=0.0)
    """Monotonic time of the reading; set in the loop, since rendering happens in a thread."""
    _live: Sequence[Metric] = attrs.field(init=False, factory=lambda: live_families(None, 0.0))
    _edges: Sequence[Metric] = attrs.field(init=False, factory=lambda: list(edge_families(None, None)))
    _polls: Sequence[Metric] = attrs.field(init=False, factory=lambda: poll_families(None, None, 0.0))

    def read(self, now_s: float) -> None:
        """Reads, in the loop, what a thread cannot look at while it changes."""
        self.now_s = now_s
        self._live = live_families(self.engine.live, now_s)
        actors, services = self.engine.actors, self.engine.services
        self._edges = list(edge_families(self.engine.edges, actors))
        hot = None if self.engine.polls is None else self.engine.polls.hot
        self._polls = poll_families(hot, None if services is None else services.cold_figures, now_s)

    def collect(self) -> Iterator[Metric]:
        """Yields every family once."""
        yield from self._process()
        yield from self._channels()
        yield from self._actors()
        yield from self._stream()
        yield from self._trades()
        yield from self._decisions()
        yield from model_families(None if self.engine.forward is None else self.engine.forward.models)
        yield from self._live
        yield from self._polls
        yield from self._upstream()
        yield from self._serving()
        yield from notify_families(self.engine.services)
        yield from login_families(self.engine.services)
        yield from cluster_families(self.engine, self.now_s)
        yield from self._edges

    def _process(self) -> Iterator[Metric]:
        gauges = self.engine.gauges
        heap, limit = gauges.heap_bytes(), gauges.memory_limit_bytes()
        yield GaugeMetricFamily("polycopy_heap_bytes", "Resident memory", value=heap)
        yield GaugeMetricFamily("polycopy_memory_limit_bytes", "Memory this process may use", value=limit)
        yield GaugeMetricFamily("polycopy_heap_used_ratio", "Share of the limit", value=heap / limit if limit else 0)
        lag = gauges.loop_lag.quantile_s(0.99)
        yield GaugeMetricFamily("polycopy_loop_lag_seconds", "99th percentile of recent scheduler passes", value=lag)
        ready = float(self.engine.readiness.ready)
        yield GaugeMetricFamily("polycopy_ready", "1 when the engine may take traffic", value=ready)

    def _channels(self) -> Iterator[Metric]:
        label = ["channel"]
        depth = GaugeMetricFamily("polycopy_channel_depth", "Items waiting", labels=label)
        capacity = GaugeMetricFamily("polycopy_channel_capacity", "Items that may wait", labels=label)
        peak = GaugeMetricFamily("polycopy_channel_peak_depth", "Most items that ever waited", labels=label)
        sent = CounterMetricFamily("polycopy_channel_sent", "Items handed in", labels=label)
        received = CounterMetricFamily("polycopy_channel_received", "Items handed out first time", labels=label)
        redelivered = CounterMetricFamily("polycopy_channel_redelivered", "Items handed out again", labels=label)
        dead = CounterMetricFamily("polycopy_channel_dead_letters", "Items that nobody could handle", labels=label)
        dropped = CounterMetricFamily("polycopy_channel_dropped", "Items dropped", labels=["channel", "lane", "reason"])
        for stats in self.engine.gauges.channel_statistics():
            name = [stats.name]
            depth.add_metric(name, stats.depth)
            capacity.add_metric(name, stats.capacity)
            peak.add_metric(name, stats.peak_depth)
            sent.add_metric(name, stats.sent)
            received.add_metric(name, stats.received)
            redelivered.add_metric(name, stats.redelivered)
            dead.add_metric(name, stats.dead_lettered)
            for (lane, reason), count in stats.dropped_by.items():
                dropped.add_metric([stats.name, str(lane), reason], count)
        yield from (depth, capacity, peak, sent, received, redelivered, dead, dropped)

    def _actors(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("polycopy_actor_up", "1 while the actor runs", labels=["actor"])
        restarts = CounterMetricFamily("polycopy_actor_restarts", "Restarts after crashes", labels=["actor"])
        for name, state in list(self.engine.supervisor.states.items()):
            up.add_metric([name], float(state.up))
            restarts.add_metric([name], state.restarts)
        yield from (up, restarts)

    def _stream(self) -> Iterator[Metric]:
        actors = self.engine.actors
        frames = CounterMetricFamily("polycopy_stream_frames", "Frames by result", labels=["result"])
        reconnects = CounterMetricFamily("polycopy_stream_reconnects", "New sockets by reason", labels=["reason"])
        age = GaugeMetricFamily("polycopy_stream_last_frame_age_seconds", "Age of the last trade frame")
        if actors is not None:
            _add_all(frames, actors.stream_reader.frames)
            _add_all(reconnects, actors.stream_reader.reconnects)
            if (age_s := self.engine.stream_age_s(self.now_s)) is not None:
                age.add_metric([], age_s)
        yield from (frames, reconnects, age)

    def _trades(self) -> Iterator[Metric]:
        actors = self.engine.actors
        seen = CounterMetricFamily("polycopy_trades_seen", "Trades by lane, repeats not counted", labels=["lane"])
        repeated = CounterMetricFamily("polycopy_trades_repeated", "Sightings of a trade seen before")
        malformed = CounterMetricFamily("polycopy_trades_malformed", "Trades not understood", labels=["reason"])
        written = CounterMetricFamily("polycopy_rows_written", "Rows by result", labels=["result"])
        markets = CounterMetricFamily("polycopy_markets_learned", "Markets learned")
        spill = GaugeMetricFamily("polycopy_spill_bytes", "Size of the journal on disk")
        wallets = GaugeMetricFamily("polycopy_target_wallets", "Wallets in the sets")
        if actors is not None:
            writer = actors.sync_writer
            _add_all(seen, actors.trade_filter.seen_by_lane)
            repeated.add_metric([], actors.trade_filter.repeated)
            _add_all(malformed, actors.trade_filter.malformed)
            for result in ("inserted", "repeated", "rejected", "spilled", "replayed", "handed_to_gap"):
                written.add_metric([result], getattr(writer, result))
            markets.add_metric([], actors.market_registry.learned)
            spill.add_metric([], writer.spill.size_bytes)
            wallets.add_metric([], len(actors.target_registry.current().lanes))
        yield from (seen, repeated, malformed, written, markets, spill, wallets)

    def _decisions(self) -> Iterator[Metric]:
        forward = self.engine.forward
        made = CounterMetricFamily("polycopy_decisions", "Decisions of strategies", labels=["result", "reason"])
        waiting = GaugeMetricFamily("polycopy_decisions_waiting", "Decisions that wait for something")
        dead = CounterMetricFamily("polycopy_decisions_dead", "Decisions that could not be made")
        bots = GaugeMetricFamily("polycopy_strategies", "Strategies that run, paused ones too")
        settled = CounterMetricFamily("polycopy_orders_settled", "Paper orders settled", labels=["outcome"])
        scores = CounterMetricFamily("polycopy_scores", "Scores asked for by result", labels=["result"])
        if forward is not None:
            for (result, reason), count in list(forward.tester.maker.counts.items()):
                made.add_metric([result, reason], count)
            waiting.add_metric([], len(forward.tester.room))
            dead.add_metric([], forward.tester.dead_letters + forward.tester.room.dead)
            bots.add_metric([], len(forward.registry.current().runners))
            _add_all(settled, forward.settler.settled_by_outcome)
            _add_all(scores, forward.scores.results)
        yield from (made, waiting, dead, bots, settled, scores)

    def _upstream(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("polycopy_upstream_requests", "Calls upstream", labels=["api", "user", "code"])
        for (api, user, code), count in list(self.engine.traffic.requests.items()):
            requests.add_metric([api, user, code], count)
        yield requests

    def _serving(self) -> Iterator[Metric]:
        services = self.engine.services
        streams = GaugeMetricFamily("polycopy_feed_streams", "Open streams of the feed")
        events = CounterMetricFamily("polycopy_feed_events", "Trades handed to streams")
        resyncs = CounterMetricFamily("polycopy_feed_resyncs", "Streams told that they missed trades")
        if services is not None:
            streams.add_metric([], services.feed_hub.clients)
            events.add_metric([], services.feed_hub.events)
            resyncs.add_metric([], services.feed_hub.resyncs)
        yield from (streams, events, resyncs)
        yield from price_families(services.price_cache if services else None)
        yield from job_families(services.scheduler if services else None)
        yield from coverage_families(services.coverage if services else None, self.now_s)
        yield from tuner_families(services.tuner if services else None)


async def render(registry: CollectorRegistry, collector: EngineCollector) -> bytes:
    """Returns the exposition text; the loop only pays for reading live trading and a hop to a thread."""
    collector.read(trio.current_time())
    return await trio.to_thread.run_sync(generate_latest, registry)


def _add_all(family: CounterMetricFamily, counts: dict[str, int]) -> None:
    for label, count in list(counts.items()):
        family.add_metric([label], count)
