"""A process that only writes the trades of the edge `lanes`, as a role of its own will; configured by environment."""

import signal
import sys

import trio

from config.loader import load_config
from engine.adapters.postgres.database import Connection, DatabaseOptions, database_loop
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.system_clock import SystemClock, process_owner_id
from engine.edge_hosting import EdgeContext, hosted_edges
from engine.running import Engine
from engine.runtime.logs import configure_logging
from engine.runtime.loop_lag import LoopLag
from engine.runtime.process_gauges import RuntimeGauges
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from engine.runtime.traffic import Traffic
from protocols.clock import Random


class Unmeasured:
    def observe(self, value: float) -> None:
        pass


async def main() -> None:
    config, clock, stop = load_config(), SystemClock(), trio.Event()
    configure_logging("info", "json", clock)
    assert config.database.url is not None
    options = DatabaseOptions(dsn=config.database.url.reveal())
    async with database_loop():
        office = LeaseOffice(
            connection=Connection(options, "lease"),
            owner=process_owner_id(),
            holder="reader",
            ttl_s=config.limits.lease_ttl_s,
        )
        engine = Engine(
            config=config,
            supervisor=Supervisor(rng=Random(1)),
            gauges=RuntimeGauges(loop_lag=LoopLag(), memory_mb=0, channels_of=lambda: ()),
            readiness=Readiness(),
            traffic=Traffic(),
        )
        context = EdgeContext(
            engine=engine,
            options=options,
            office=office,
            stop=stop,
            clock=clock,
            rng=Random(2),
            latency=Unmeasured(),
        )
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async with hosted_edges(context):
                async for _ in signals:
                    break
                stop.set()


if __name__ == "__main__":
    trio.run(main)
    sys.exit(0)
