"""What `/api/admin/engine` answers: the graph of actors as it runs, and how the process fares."""

from engine.api.route import Struct


class ActorNode(Struct):
    """One actor of the graph, or of what serves users."""

    name: str
    group: str
    """`sources`, `stages`, `services` or `serving`."""
    up: bool
    restarts: int
    last_error: str | None
    """Of its last crash."""


class DropCount(Struct):
    """What one channel dropped for one reason."""

    lane: int
    reason: str
    count: int


class ChannelEdge(Struct):
    """One bounded channel between actors; its counters are those of this lease."""

    name: str
    writers: list[str]
    readers: list[str]
    policy: str
    capacity: int
    depth: int
    peak_depth: int
    sent: int
    received: int
    dropped: int
    dropped_by: list[DropCount]
    redelivered: int
    dead_lettered: int
    unacknowledged: int
    sent_per_s: float | None
    """Over the last seconds; null before there are two readings."""
    dropped_per_s: float | None


class UpstreamCalls(Struct):
    """Calls to one API of the venue by one part of the engine."""

    api: str
    user: str
    calls: int
    """Since the process began."""
    last_minute: int
    """Of the last 60 s, or since there are readings."""


class StreamState(Struct):
    """The trade stream of the venue; only who holds the lease listens."""

    connected: bool
    last_frame_age_ms: int | None
    reconnects: int


class LiveState(Struct):
    """Real money, as the executor has it."""

    on: bool
    """Whether there is an executor in this process: both switches are on and the lease is held."""
    executor_up: bool
    reconciled: bool
    """Whether it has compared its accounts with the venue, before which it sends nothing."""
    accounts: list[str]


class EngineAnswer(Struct):
    """One reading of everything."""

    version: str
    at: str
    """When, in UTC."""
    uptime_s: int | None
    ready: bool
    waiting_for: dict[str, str]
    """What is not true yet, and why; in an engine that is ready, what it goes on without."""
    lease: str
    """`held`, `standby`, or `none` in an engine that was not started to ingest."""
    live: LiveState
    stream: StreamState | None
    """Null without the lease."""
    heap_bytes: int
    heap_limit_bytes: int
    heap_ratio: float
    loop_lag_p50_ms: float
    loop_lag_p99_ms: float
    upstream: list[UpstreamCalls]
    actors: list[ActorNode]
    """In flow order: sources, stages, services, serving."""
    channels: list[ChannelEdge]
