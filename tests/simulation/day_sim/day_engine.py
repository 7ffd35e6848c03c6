"""One engine of a day: the real ingest under its lease and the real scheduler of jobs; it may be stopped, killed or cut off."""

from collections.abc import Mapping
from pathlib import Path

import attrs
import trio
from simulation.day_sim.day_clock import DayClock, Line, line_of, named
from simulation.day_sim.day_works import Watched, Works

from actors.scheduler import Scheduler
from config.loader import load_config
from config.schema import EngineConfig
from engine.adapters.job_adapters import open_job_adapters
from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.leases import LeaseOffice
from engine.apart import HostContext
from engine.ingesting import IngestHost
from engine.job_wiring import JobPorts, scheduler_of
from engine.running import Engine
from engine.runtime.latency import LatencyRecorder
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from protocols.clock import Random
from protocols.tuner_search import Finding, SearchOrder

LOOK_S = 10.0
"""How often a scheduler looks: of a day it has time enough."""


class _Nobody:
    def observe(self, value: float) -> None:
        return


class NoSearch:
    """`TunerSearch` where it is not installed."""

    def installed(self) -> bool:
        return False

    async def search(self, order: SearchOrder) -> list[Finding]:
        raise AssertionError("there is nothing to search for")


@attrs.define(eq=False, kw_only=True)
class DayEngine:
    """Starts again whenever it ends, until it is told to stop."""

    name: str
    options: DatabaseOptions
    settings: Mapping[str, str]
    spill_dir: Path
    clock: DayClock
    works: Works
    rng: Random
    restart_s: float = 20.0
    starts: int = 0
    scheduler: Scheduler | None = None
    engine: Engine | None = None
    config: EngineConfig = attrs.field(init=False)
    stop: trio.Event = attrs.field(init=False, factory=trio.Event)
    cut_until_s: float = float("-inf")
    cut_names: frozenset[str] = frozenset()
    """Connections that are cut until then; all when empty."""
    _life: trio.CancelScope | None = None
    _dead: bool = False

    def __attrs_post_init__(self) -> None:
        self.config = load_config(
            environ={}, overrides={**self.settings, "writer.spill_dir": str(self.spill_dir / self.name)}
        )

    async def run(self) -> None:
        """Lives, dies and lives again."""
        while not self.stop.is_set():
            self.starts += 1
            self._dead = False
            owner = f"{self.name}.{self.starts}"
            line_of.set(Line(owner, self._is_cut))
            with trio.CancelScope() as self._life:
                await self._live(owner)
            self.engine = self.scheduler = None
            with trio.move_on_after(self.restart_s):
                await self.stop.wait()

    def restart(self) -> None:
        """Stops it in order, at whatever it is doing."""
        if self._life is not None:
            self._life.cancel()

    def kill(self) -> None:
        """It has no time for a last word."""
        self._dead = True
        self.restart()

    def end(self) -> None:
        """For good."""
        self.stop.set()
        self.restart()

    def cut(self, seconds: float, *names: str) -> None:
        """Nothing gets through to the database for a while, from all or some of its connections."""
        self.cut_until_s, self.cut_names = trio.current_time() + seconds, frozenset(names)

    def _is_cut(self, name: str) -> bool:
        if self._dead:
            return True
        return trio.current_time() < self.cut_until_s and (not self.cut_names or name in self.cut_names)

    async def _live(self, owner: str) -> None:
        options = named(self.options, owner)
        gauges = RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=tuple)
        engine = Engine(
            config=self.config,
            supervisor=Supervisor(rng=self.rng),
            gauges=gauges,
            readiness=Readiness(),
            traffic=Traffic(),
        )
        async with (
            open_connection(options, "lease") as connection,
            open_job_adapters(self.config, options, engine.traffic) as io,
        ):
            office = LeaseOffice(
                connection=connection, owner=owner, holder=f"host of {owner}", ttl_s=self.config.limits.lease_ttl_s
            )
            ports = JobPorts(
                **attrs.asdict(io, recurse=False),
                late_trades=lambda: engine.late_trades,
                settling=lambda: engine.settle_paper,
                # No strategy is under care.
                tuner_search=NoSearch(),
                poll_outlets=lambda: None if engine.polls is None else engine.polls.outlets,
            )
            scheduler = scheduler_of(
                self.config, ports, clock=self.clock, rng=self.rng, owner=owner, holder=office.holder
            )
            scheduler.jobs = [Watched(job, owner, self.works) for job in scheduler.jobs]
            scheduler.poll_s = LOOK_S
            self.engine, self.scheduler = engine, scheduler
            ingest = self._ingest(engine, options, office)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(scheduler.run)
                nursery.start_soon(ingest.run)

    def _ingest(self, engine: Engine, options: DatabaseOptions, office: LeaseOffice) -> IngestHost:
        context = HostContext(
            config=self.config,
            engine=engine,
            options=options,
            office=office,
            database_id="day",
            stop=trio.Event(),
            clock=self.clock,
            rng=self.rng,
            latency=LatencyRecorder(_Nobody()),
            order_latency=LatencyRecorder(_Nobody()),
        )
        return IngestHost(context=context)
