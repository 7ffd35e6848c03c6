"""Starts the engine, keeps it running while it holds its lease, and stops it in order.

Start is recovery: the same path after a first start, a stop and a crash. The web server comes first, so that `readyz` can
say what is still missing.
"""

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import trio
from prometheus_client import CollectorRegistry

from actors.rules.backoff import Backoff
from config.cluster import roles_of
from config.schema import EngineConfig
from engine.adapters.database_source import open_database
from engine.adapters.postgres.database import Connection, DatabaseOptions, once, open_connection
from engine.adapters.postgres.leases import LeaseOffice, lease_options
from engine.adapters.postgres.member_store import PostgresMemberStore
from engine.adapters.postgres.migrate import migrate
from engine.adapters.system_clock import process_owner_id, secret_random
from engine.apart import HostContext
from engine.api.app import engine_app
from engine.api.mount import ApiMount
from engine.channel_sizes import resize_channels
from engine.clustering import Self, address_of, joined
from engine.edge_hosting import EdgeContext, hosted_edges
from engine.hosting import Hosts
from engine.live_hosting import may_spend
from engine.live_passes import live_passes
from engine.metrics import price_age_histogram, trade_to_order_histogram, trade_to_row_histogram
from engine.page_wiring import page_mount
from engine.pages.mount import PageMount
from engine.places import postgres_dir
from engine.reload import Reloader
from engine.roles import Parts, parts_of
from engine.running import Engine
from engine.runtime.host import DrainReport
from engine.runtime.latency import LatencyRecorder
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from engine.serving import ServingContext, serving
from engine.web.asgi_server import ServerLimits, serve_asgi
from protocols.clock import Random, WallClock
from protocols.errors import TransientError
from protocols.instruments import Observer
from protocols.live.passes import LivePasses

_log = logging.getLogger(__name__)
T = TypeVar("T")
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
    reloader: Reloader
    live_switch: bool = False
    """The second switch of live trading; the first is `live.enabled`."""
    stop: trio.Event = attrs.field(factory=trio.Event)
    report: DrainReport | None = attrs.field(init=False, default=None)
    _http_stop: trio.Event = attrs.field(init=False, factory=trio.Event)
    _engine: Engine = attrs.field(init=False)
    _mount: ApiMount = attrs.field(init=False)
    _pages: PageMount = attrs.field(init=False)
    _registry: CollectorRegistry = attrs.field(init=False, factory=CollectorRegistry)
    _loop_lag: LoopLag = attrs.field(init=False, factory=LoopLag)
    latency: LatencyRecorder = attrs.field(init=False)
    order_latency: LatencyRecorder = attrs.field(init=False)
    _price_age: Observer = attrs.field(init=False)
    _parts: Parts = attrs.field(init=False)
    _port: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        gauges = RuntimeGauges(
            loop_lag=self._loop_lag,
            memory_mb=self.config.limits.memory_mb,
            channels_of=lambda: self._engine.channels,
        )
        self.reloader.subscribers.append(lambda config: resize_channels(self._engine.channels, config.channels))
        roles = roles_of(self.config.cluster.roles)
        self._parts = parts_of(roles)
        self._engine = Engine(
            config=self.config,
            roles=roles,
            supervisor=Supervisor(rng=self.rng),
            gauges=gauges,
            readiness=Readiness(),
            traffic=Traffic(),
        )
        self._pages = page_mount(self._engine, self.clock)
        self._mount = ApiMount(self._pages.closed)
        self._price_age = price_age_histogram(self._registry)
        self.latency = LatencyRecorder(trade_to_row_histogram(self._registry))
        self.order_latency = LatencyRecorder(trade_to_order_histogram(self._registry))

    async def run(self, *, task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED) -> DrainReport | None:
        """Runs until `stop` is set; returns what stopping left behind, or None when ingest had never started.

        Needs `database_loop` around it. `task_status` is started as soon as HTTP answers. Raises
        `RestartBudgetExceededError` when the supervisor gives up, `MigrationError` when database and program do not fit, and
        `OSError` when an address or directory cannot be used.
        """
        trio.lowlevel.add_instrument(self._loop_lag)
        self._engine.readiness.wait_for("database", "not reached yet")
        async with trio.open_nursery() as web:
            self._port = await web.start(self._serve_http)
            task_status.started(Running(engine=self._engine, http_port=self._port, registry=self._registry))
            await self._until_stop(self._run_with_database)
            # Requests in flight are finished and event streams ended, not cut.
            self._http_stop.set()
        trio.lowlevel.remove_instrument(self._loop_lag)
        return self.report

    async def _serve_http(self, *, task_status: trio.TaskStatus[int]) -> None:
        http = self.config.http
        names = {name.strip().lower() for name in http.allowed_hosts.split(",")}
        limits = ServerLimits(
            connections_max=http.connections_max, allowed_hosts=None if "*" in names else frozenset(names)
        )
        app = engine_app(self._engine, self._registry, self._mount, self._pages)
        await serve_asgi(
            app,
            host=http.host,
            port=http.port,
            limits=limits,
            clock=self.clock,
            shutdown=self._http_stop,
            task_status=task_status,
        )

    async def _run_with_database(self) -> None:
        async with open_database(self.config.database, postgres_dir(self.config)) as options:
            database_id = await self._prepared(options)
            # There is no moment without an open condition before all is there that this engine runs.
            self._engine.readiness.wait_for("services", "not started")
            self._engine.readiness.reached("database")
            ttl_s = self.config.limits.lease_ttl_s
            lease_connection = Connection(lease_options(options, ttl_s), "lease")
            office = LeaseOffice(
                connection=lease_connection,
                owner=process_owner_id(),
                holder=f"{socket.gethostname()} process {os.getpid()}",
                ttl_s=ttl_s,
            )
            hosts = Hosts(self._host_context(options, office, database_id), self._parts)
            try:
                async with (
                    hosted_edges(self._edge_context(options, office)) as lanes,
                    open_connection(options, "member") as connection,
                    joined(self._self(office), PostgresMemberStore(connection), ttl_s=office.ttl_s, rng=self.rng),
                    serving(self._engine, options, self._serving_context(office)) as services,
                ):
                    if hosts.ingest is not None:
                        hosts.ingest.lanes = lanes
                    services.live_passes.install(self._live_passes)
                    services.late_trades.install(lambda: self._engine.late_trades)
                    services.settling.install(lambda: self._engine.settle_paper)
                    services.poll_outlets.install(lambda: polls.outlets if (polls := self._engine.polls) else None)
                    await hosts.run()
            finally:
                self.report = hosts.report
                with trio.CancelScope(shield=True):
                    await lease_connection.aclose()

    def _self(self, office: LeaseOffice) -> Self:
        address = address_of(self.config, self._port)
        return Self(engine=self._engine, member_id=office.owner, holder=office.holder, address=address)

    def _host_context(self, options: DatabaseOptions, office: LeaseOffice, database_id: str) -> HostContext:
        return HostContext(
            config=self.config,
            engine=self._engine,
            options=options,
            office=office,
            stop=self.stop,
            clock=self.clock,
            rng=self.rng,
            latency=self.latency,
            order_latency=self.order_latency,
            database_id=database_id,
            trades_live=may_spend(self.config, live_switch=self.live_switch),
        )

    def _live_passes(self) -> LivePasses | None:
        return None if self._engine.live is None else live_passes(self._engine.live)

    def _edge_context(self, options: DatabaseOptions, office: LeaseOffice) -> EdgeContext:
        return EdgeContext(
            engine=self._engine,
            options=options,
            office=office,
            stop=self.stop,
            clock=self.clock,
            rng=self.rng,
            latency=self.latency,
        )

    def _serving_context(self, office: LeaseOffice) -> ServingContext:
        return ServingContext(
            mount=self._mount,
            pages=self._pages,
            reloader=self.reloader,
            price_age=self._price_age,
            clock=self.clock,
            rng=self.rng,
            secret_rng=secret_random(),
            owner=office.owner,
            holder=office.holder,
            live_switch=self.live_switch,
            is_money_real=self.config.live.enabled or self.live_switch,
            parts=self._parts,
        )

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

    async def _until_stop(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work`; once stop is set it may take the drain deadline and a little more, then it is cancelled."""
        async with trio.open_nursery() as nursery:

            async def watch_for_stop() -> None:
                await self.stop.wait()
                drains = bool(self._engine.graphs) and "lease" not in self._engine.readiness.open_conditions()
                await trio.sleep(self.config.limits.drain_s + 5 if drains else 0)
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch_for_stop)
            await work()
            nursery.cancel_scope.cancel()
