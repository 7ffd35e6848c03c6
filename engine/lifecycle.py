"""Starts the engine, keeps it running while it holds its lease, and stops it in order.

Start is recovery: the same path after a first start, a stop and a crash. The web server comes first, so that `readyz` can
say what is still missing.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import trio
from prometheus_client import CollectorRegistry

from actors.rules.backoff import Backoff
from config.schema import EngineConfig
from engine.adapters.assembly import open_adapters
from engine.adapters.database_source import open_database
from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop, once
from engine.adapters.postgres.leases import LeaseHold, LeaseOffice, LeaseRefused
from engine.adapters.postgres.migrate import migrate
from engine.adapters.spill_journal import JournalBusyError
from engine.adapters.system_clock import process_owner_id
from engine.metrics import trade_to_row_histogram
from engine.places import postgres_dir, spill_dir
from engine.runtime.host import DrainReport, run_graph
from engine.runtime.latency import LatencyRecorder
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor, is_fenced
from engine.web.app import engine_app
from engine.web.asgi_server import ServerLimits, serve_asgi
from engine.wiring import Adapters, Engine, build
from protocols.clock import Random, WallClock
from protocols.errors import TransientError

_log = logging.getLogger(__name__)
T = TypeVar("T")
INGEST = "ingest"
RELEASE_TIMEOUT_S = 2.0
DATABASE_ID = "SELECT database_id::text FROM engine_meta"


@attrs.frozen(kw_only=True)
class Running:
    """A started engine, for whoever started it."""

    engine: Engine
    http_port: int
    registry: CollectorRegistry


@attrs.define(eq=False, kw_only=True)
class EngineHost:
    """One engine process from start to stop."""

    config: EngineConfig
    clock: WallClock
    rng: Random
    stop: trio.Event = attrs.field(factory=trio.Event)
    report: DrainReport | None = attrs.field(init=False, default=None)
    _engine: Engine = attrs.field(init=False)
    _registry: CollectorRegistry = attrs.field(init=False, factory=CollectorRegistry)
    _loop_lag: LoopLag = attrs.field(init=False, factory=LoopLag)
    latency: LatencyRecorder = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        gauges = RuntimeGauges(
            loop_lag=self._loop_lag,
            memory_mb=self.config.limits.memory_mb,
            channels_of=lambda: self._engine.graph.channels if self._engine.graph else (),
        )
        self._engine = Engine(
            config=self.config,
            supervisor=Supervisor(rng=self.rng),
            gauges=gauges,
            readiness=Readiness(),
            upstream_requests=Counter(),
        )
        self.latency = LatencyRecorder(trade_to_row_histogram(self._registry))

    async def run(self, *, task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED) -> DrainReport | None:
        """Runs until `stop` is set; returns what stopping left behind, or None when ingest had never started.

        `task_status` is started as soon as HTTP answers. Raises `RestartBudgetExceededError` when the supervisor gives up,
        `MigrationError` when database and program do not fit, and `OSError` when an address or directory cannot be used.
        """
        trio.lowlevel.add_instrument(self._loop_lag)
        self._engine.readiness.wait_for("database", "not reached yet")
        async with trio.open_nursery() as web:
            port = await web.start(self._serve_http)
            task_status.started(Running(engine=self._engine, http_port=port, registry=self._registry))
            await self._until_stop(self._run_with_database)
            web.cancel_scope.cancel()
        trio.lowlevel.remove_instrument(self._loop_lag)
        return self.report

    async def _serve_http(self, *, task_status: trio.TaskStatus[int]) -> None:
        http = self.config.http
        names = {name.strip().lower() for name in http.allowed_hosts.split(",")}
        limits = ServerLimits(
            connections_max=http.connections_max, allowed_hosts=None if "*" in names else frozenset(names)
        )
        app = engine_app(self._engine, self._registry)
        await serve_asgi(app, host=http.host, port=http.port, limits=limits, clock=self.clock, task_status=task_status)

    async def _run_with_database(self) -> None:
        async with (
            open_database(self.config.database, postgres_dir(self.config)) as options,
            database_loop(),
        ):
            database_id = await self._prepared(options)
            self._engine.readiness.reached("database")
            lease_connection = Connection(options, "lease")
            office = LeaseOffice(
                connection=lease_connection,
                owner=process_owner_id(),
                holder=f"{socket.gethostname()} process {os.getpid()}",
                ttl_s=self.config.limits.lease_ttl_s,
            )
            try:
                await self._ingest_while_holding_lease(options, office, database_id)
            finally:
                with trio.CancelScope(shield=True):
                    await lease_connection.aclose()

    async def _prepared(self, options: DatabaseOptions) -> str:
        """Migrates, however long the database takes to appear; returns the id of the database."""

        async def attempt() -> str:
            for migration in await migrate(options):
                _log.info("migrated", extra={"version": migration.version, "migration": migration.name})
            return await once(options, "start", lambda raw: raw.fetchval(DATABASE_ID))

        return await self._retried("database", attempt)

    async def _retried(self, condition: str, attempt: Callable[[], Awaitable[T]]) -> T:
        backoff = Backoff(first_s=0.2, max_s=5, rng=self.rng)
        while True:
            try:
                return await attempt()
            except TransientError as error:
                pause_s = backoff.next_s()
                self._engine.readiness.wait_for(condition, str(error))
                fields = {"waiting_for": condition, "error": str(error), "next_try_s": round(pause_s, 1)}
                _log.warning("not ready yet", extra=fields)
                await trio.sleep(pause_s)

    async def _ingest_while_holding_lease(
        self, options: DatabaseOptions, office: LeaseOffice, database_id: str
    ) -> None:
        while not self.stop.is_set():
            self._engine.readiness.wait_for("lease", f"the lease {INGEST} is not ours yet")
            self._engine.readiness.wait_for("actors", "not started")
            hold = await self._lease(office)
            pause_s = 0.0
            try:
                await self._ingest(options, office, hold, database_id)
            except JournalBusyError as error:
                # The engine that had the lease before is still there, stalled or on its way out.
                self._engine.readiness.wait_for("actors", str(error))
                _log.warning("standing by, the journal is not free", extra={"error": str(error)})
                pause_s = office.ttl_s / 3
            except Exception as error:
                if not is_fenced(error):
                    raise
                self._engine.graph = self._engine.actors = None
                _log.error("another engine took over, standing by", extra={"lease": INGEST, "error": str(error)})
            finally:
                # However it ends, also by a stop in the middle of starting: the next engine must not wait for nothing.
                with trio.move_on_after(RELEASE_TIMEOUT_S, shield=True):
                    await self._release(office, hold)
            await trio.sleep(pause_s)

    async def _lease(self, office: LeaseOffice) -> LeaseHold:
        while True:
            answer = await self._retried("lease", lambda: office.acquire(INGEST))
            if isinstance(answer, LeaseHold):
                _log.info("lease held", extra={"lease": INGEST, "epoch": answer.epoch})
                self._engine.readiness.reached("lease")
                return answer
            self._stand_by(answer)
            await trio.sleep(min(answer.left_s + 0.05, office.ttl_s / 3))

    def _stand_by(self, refused: LeaseRefused) -> None:
        why = f"the lease {refused.name} is held by {refused.holder}"
        if self._engine.readiness.open_conditions().get("lease") != why:
            _log.warning("standing by, not ingesting", extra={"lease": refused.name, "holder": refused.holder})
        self._engine.readiness.wait_for("lease", why)

    async def _release(self, office: LeaseOffice, hold: LeaseHold) -> None:
        try:
            await office.release(hold)
        except TransientError as error:
            _log.warning("lease not given back, it will expire", extra={"error": str(error)})

    async def _ingest(self, options: DatabaseOptions, office: LeaseOffice, hold: LeaseHold, database_id: str) -> None:
        """Runs the graph under a lease. Raises a group with `FencedError` when another engine takes over."""
        async with open_adapters(
            self.config,
            options,
            hold,
            spill_dir=spill_dir(self.config, database_id),
            clock=self.clock,
            rng=self.rng,
            requests=self._engine.upstream_requests,
        ) as io:
            ports = Adapters(
                **attrs.asdict(io, recurse=False), clock=self.clock, rng=self.rng, trade_to_row=self.latency
            )
            self._engine.graph, self._engine.actors = build(self.config, ports, self._engine.gauges)
            self._engine.readiness.wait_for("actors", "starting")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._extend_lease, office, hold)
                self.report = await self._run_graph()
                nursery.cancel_scope.cancel()

    async def _run_graph(self) -> DrainReport:
        graph = self._engine.graph
        assert graph is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_when_started)
            report = await run_graph(
                graph,
                self._engine.supervisor,
                self.stop,
                drain_s=self.config.limits.drain_s,
                task_status=_Started(self._engine.readiness),
            )
            nursery.cancel_scope.cancel()
        return report

    async def _say_when_started(self) -> None:
        while not self._engine.readiness.ready:  # noqa: ASYNC110 - a condition of several parts, seconds long
            await trio.sleep(0.02)
        _log.info("ready")

    async def _extend_lease(self, office: LeaseOffice, hold: LeaseHold) -> None:
        while True:
            await trio.sleep(office.ttl_s / 3)
            try:
                await office.extend(hold)
            except TransientError as error:
                # Writes carry the epoch: until somebody takes over, nothing wrong can happen.
                _log.warning("lease not extended, trying again", extra={"error": str(error)})

    async def _until_stop(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work`; once stop is set it may take the drain deadline and a little more, then it is cancelled."""
        async with trio.open_nursery() as nursery:

            async def watch_for_stop() -> None:
                await self.stop.wait()
                ingesting = self._engine.graph is not None and "lease" not in self._engine.readiness.open_conditions()
                await trio.sleep(self.config.limits.drain_s + 5 if ingesting else 0)
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch_for_stop)
            await work()
            nursery.cancel_scope.cancel()


@attrs.define(eq=False)
class _Started:
    """Marks readiness when the graph has started."""

    _readiness: Readiness

    def started(self, value: None = None) -> None:
        self._readiness.reached("actors")
