"""What an engine does beside serving, by its roles: it ingests, or decides or trades apart from who does, or nothing."""

import logging

import attrs
import trio

from config.schema import EngineConfig
from engine.adapters.postgres.database import DatabaseOptions
from engine.adapters.postgres.leases import LeaseOffice
from engine.deciding import DecideHost
from engine.executing import ExecuteHost
from engine.ingesting import IngestHost
from engine.roles import Parts
from engine.running import Engine
from engine.runtime.host import DrainReport
from engine.runtime.latency import LatencyRecorder
from protocols.clock import Random, WallClock

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class HostContext:
    """What every host is given."""

    config: EngineConfig
    engine: Engine
    options: DatabaseOptions
    office: LeaseOffice
    stop: trio.Event
    clock: WallClock
    rng: Random
    latency: LatencyRecorder
    order_latency: LatencyRecorder
    trades_live: bool
    """Both switches are on."""


class Hosts:
    """The hosts of one process, of which at most one runs."""

    def __init__(self, context: HostContext, *, parts: Parts, database_id: str) -> None:
        given = attrs.asdict(context, recurse=False)
        self._context, self._parts = context, parts
        self.ingest = IngestHost(
            **given, database_id=database_id, decides=parts.decides_within, executes=parts.trades_within
        )
        self._deciding = DecideHost(**{name: one for name, one in given.items() if name != "order_latency"})
        self._executing = ExecuteHost(
            **{name: one for name, one in given.items() if name not in {"latency", "trades_live"}}
        )

    @property
    def report(self) -> DrainReport | None:
        """Returns what stopping left behind, or None when nothing had started."""
        return self.ingest.report or self._deciding.report or self._executing.report

    async def run(self) -> None:
        """Does what this engine is for, beside serving, until it shall stop."""
        readiness, context = self._context.engine.readiness, self._context
        if self._parts.ingest:
            readiness.wait_for("lease", "not asked for yet")
            readiness.reached("services")
            await self.ingest.run()
        elif self._parts.decides_apart:
            readiness.wait_for("decide", "no shard is ours yet")
            readiness.reached("services")
            await self._deciding.run()
        elif self._parts.trades_apart and context.trades_live:
            readiness.wait_for("live", "no account is ours yet")
            readiness.reached("services")
            await self._executing.run()
        else:
            readiness.reached("services")
            _log.info("ready", extra={"roles": ", ".join(sorted(context.engine.roles))})
            await context.stop.wait()
