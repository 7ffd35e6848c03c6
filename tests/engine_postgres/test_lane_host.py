"""Who reads lanes gives the lease away while the store does not answer it alone. Here over PostgreSQL: the same contract."""

import attrs
import pytest
import trio
from property.made_trades import laned

from config.loader import load_config
from engine.adapters.postgres.database import Connection
from engine.adapters.postgres.edge_store import PostgresEdgeStore
from engine.adapters.postgres.leases import LeaseOffice
from engine.adapters.system_clock import SystemClock, system_random
from engine.edges import Edges
from engine.lane_edge import LANES
from engine.lane_hosting import LaneHost
from engine.runtime.readiness import Readiness
from engine.runtime.supervisor import Supervisor
from protocols.edge_codec import LanedTradeCodec
from protocols.errors import TransientError
from protocols.trades import Lane

TTL_S = 1.0
CODEC = LanedTradeCodec(wall_less_monotonic_s=0.0)
READER = "SELECT holder FROM engine_leases WHERE name = 'lanes' AND expires_at > now()"
ROWS = "SELECT count(*) FROM trades_public"


@attrs.define(eq=False)
class Cut:
    """A store that one process reaches, or not."""

    store: object
    is_cut: bool = False

    def __getattr__(self, name):
        method = getattr(self.store, name)

        async def call(*args):
            if self.is_cut:
                await trio.sleep(0.05)
                raise TransientError("cut off")
            return await method(*args)

        return call


class Unmeasured:
    def observe(self, value):
        pass


@pytest.fixture
async def connection(database, aio):
    connection = Connection(database, "test")
    yield connection
    await connection.aclose()


def host_of(database, connection, store, name, stop):
    return LaneHost(
        config=load_config(environ={}),
        options=database,
        office=LeaseOffice(connection=connection, owner=name, holder=name, ttl_s=TTL_S),
        edge=store,
        codec=CODEC,
        edges=Edges(clock=SystemClock()),
        readiness=Readiness(),
        supervisor=Supervisor(rng=system_random()),
        stop=stop,
        rng=system_random(),
        latency=Unmeasured(),
        committed=lambda: None,
    )


async def test_another_reads_while_the_store_answers_one_process_not(database, connection):
    async def value(sql):
        return await connection.run(lambda raw: raw.fetchval(sql))

    async def until(sql, wanted):
        with trio.fail_after(20):
            while await value(sql) != wanted:
                await trio.sleep(0.02)

    stop, sender = trio.Event(), PostgresEdgeStore(connection=connection, edge=LANES, who="sender")
    stores = {name: Cut(PostgresEdgeStore(connection=connection, edge=LANES, who=LANES, poll_s=0.02)) for name in "ab"}
    hosts = {name: host_of(database, connection, store, name, stop) for name, store in stores.items()}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts["a"].run)
        await until(READER, "a")
        await sender.append(1, [CODEC.encode(laned(1, Lane.KNOWN))])
        await until(ROWS, 1)
        nursery.start_soon(hosts["b"].run)
        stores["a"].is_cut = True
        await sender.append(2, [CODEC.encode(laned(2, Lane.KNOWN))])
        await until(READER, "b")
        await until(ROWS, 2)
        assert not hosts["a"].readiness.open_conditions(), "what it does not do it does not wait for"
        # A reader is not sought where nobody is cut off: it stays.
        stores["a"].is_cut = False
        await trio.sleep(3 * TTL_S)
        assert await value(READER) == "b"
        stop.set()
