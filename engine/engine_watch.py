"""Reads the running engine once a second, for everybody who looks: the Engine page, its stream, `GET /api/admin/engine`."""

from collections import Counter
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import attrs
import trio

from engine.api.answer import encode
from engine.api.engine_bodies import (
    ActorNode,
    ChannelEdge,
    DropCount,
    EngineAnswer,
    LiveState,
    StreamState,
    UpstreamCalls,
)
from engine.counter_window import CounterWindow
from engine.running import Engine
from engine.runtime.channel import Channel, ChannelOutbox
from engine.runtime.process_gauges import process_age_s
from engine.runtime.supervisor import ActorState, Child, WritingEnd
from protocols.clock import WallClock
from protocols.cluster import Role

INTERVAL_S = 1.0
RATE_WINDOW_S = 5.0
MINUTE_S = 60.0
_VERSION = version("polycopy")
_NEVER_STARTED = ActorState()


@attrs.define(eq=False, kw_only=True)
class EngineWatch:
    """The only one who reads. Clients hold the bytes of the newest reading together, none of them has a queue."""

    engine: Engine
    clock: WallClock
    serving: tuple[Child, ...] = ()
    """What serves users, of which the graph does not know."""
    clients: int = attrs.field(init=False, default=0)
    _window: CounterWindow = attrs.field(init=False, factory=CounterWindow)
    _event: bytes = attrs.field(init=False, default=b"")
    number: int = attrs.field(init=False, default=0)
    """Of the reading that `event` holds."""
    _changed: trio.Event = attrs.field(init=False, factory=trio.Event)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reads until cancelled; without clients only the counters, which costs microseconds."""
        task_status.started()
        while True:
            if self.clients:
                self._event = b"id: %d\ndata: %s\n\n" % (self.number + 1, encode(self.read()))
                self.number += 1
                self._changed.set()
                self._changed = trio.Event()
            self._window.add(trio.current_time(), self._counts())
            await trio.sleep(INTERVAL_S)

    async def event_after(self, number: int) -> tuple[int, bytes]:
        """Waits for a reading that is newer than `number`; returns the newest one with its number."""
        while self.number <= number:
            await self._changed.wait()
        return self.number, self._event

    def read(self) -> EngineAnswer:
        """Returns the engine as it is now."""
        engine, now_s = self.engine, trio.current_time()
        gauges, conditions = engine.gauges, engine.readiness.open_conditions()
        heap, limit = gauges.heap_bytes(), gauges.memory_limit_bytes()
        return EngineAnswer(
            version=_VERSION,
            at=datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            uptime_s=process_age_s(),
            ready=engine.readiness.ready,
            waiting_for=conditions | engine.readiness.degradations(),
            lease=self._lease(conditions),
            live=self._live(),
            stream=self._stream(now_s),
            heap_bytes=heap,
            heap_limit_bytes=limit,
            heap_ratio=round(heap / limit, 4) if limit else 0.0,
            loop_lag_p50_ms=round(gauges.loop_lag.quantile_s(0.5) * 1000, 1),
            loop_lag_p99_ms=round(gauges.loop_lag.quantile_s(0.99) * 1000, 1),
            upstream=self._upstream(now_s),
            actors=[self._node(child, group) for group, children in self._groups() for child in children],
            channels=[self._edge(one, now_s) for graph in engine.graphs.values() for one in graph.channels],
        )

    def _lease(self, conditions: Mapping[str, str]) -> str:
        if Role.INGEST not in self.engine.roles:
            return "none"
        return "held" if self.engine.graphs and "lease" not in conditions else "standby"

    def _groups(self) -> list[tuple[str, tuple[Child, ...]]]:
        graphs = self.engine.graphs.values()
        parts = [(name, getattr(graph, name)) for graph in graphs for name in ("sources", "stages", "services")]
        return [*parts, ("serving", self.serving)]

    def _node(self, child: Child, group: str) -> ActorNode:
        state = self.engine.supervisor.states.get(child.name, _NEVER_STARTED)
        error = state.last_error
        return ActorNode(name=child.name, group=group, up=state.up, restarts=state.restarts, last_error=error)

    def _edge(self, channel: Channel[Any], now_s: float) -> ChannelEdge:
        children = [child for _, group in self._groups() for child in group]
        stats = channel.statistics()
        return ChannelEdge(
            name=stats.name,
            writers=[child.name for child in children if any(_feeds(outbox, channel) for outbox in child.writes)],
            readers=[child.name for child in children if any(one is channel for one in child.reads)],
            policy=channel.overflow.value,
            capacity=stats.capacity,
            depth=stats.depth,
            peak_depth=stats.peak_depth,
            sent=stats.sent,
            received=stats.received,
            dropped=stats.dropped,
            dropped_by=[
                DropCount(lane=lane, reason=reason, count=count)
                for (lane, reason), count in sorted(stats.dropped_by.items())
            ],
            redelivered=stats.redelivered,
            dead_lettered=stats.dead_lettered,
            unacknowledged=stats.unacknowledged,
            sent_per_s=self._window.per_s(("sent", stats.name), stats.sent, now_s, RATE_WINDOW_S),
            dropped_per_s=self._window.per_s(("dropped", stats.name), stats.dropped, now_s, RATE_WINDOW_S),
        )

    def _counts(self) -> dict[Hashable, int]:
        counts = dict[Hashable, int](self._calls().items())
        for stats in self.engine.gauges.channel_statistics():
            counts["sent", stats.name] = stats.sent
            counts["dropped", stats.name] = stats.dropped
        return counts

    def _calls(self) -> Counter[tuple[str, str, str]]:
        calls = Counter[tuple[str, str, str]]()
        for (api, user, _), count in self.engine.traffic.requests.items():
            calls["calls", api, user] += count
        return calls

    def _upstream(self, now_s: float) -> list[UpstreamCalls]:
        return [
            UpstreamCalls(
                api=key[1], user=key[2], calls=count, last_minute=self._window.grown(key, count, now_s, MINUTE_S)
            )
            for key, count in sorted(self._calls().items())
        ]

    def _stream(self, now_s: float) -> StreamState | None:
        actors, age_s = self.engine.actors, self.engine.stream_age_s(now_s)
        if actors is None:
            return None
        reader = actors.stream_reader
        age_ms = None if age_s is None else round(age_s * 1000)
        return StreamState(connected=reader.connected, last_frame_age_ms=age_ms, reconnects=reader.reconnects.total())

    def _live(self) -> LiveState:
        live = self.engine.live
        if live is None:
            return LiveState(on=False, executor_up=False, reconciled=False, accounts=[])
        state = self.engine.supervisor.states.get("executor", _NEVER_STARTED)
        reconciled = live.executor.reconciled.is_set()
        return LiveState(on=True, executor_up=state.up, reconciled=reconciled, accounts=sorted(live.watchers))


def _feeds(end: WritingEnd, channel: Channel[Any]) -> bool:
    """Whether an end is one of `channel`; that of an edge which leaves the process is none."""
    return isinstance(end, ChannelOutbox) and end.feeds(channel)
