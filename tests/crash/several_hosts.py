"""One engine as several hosts run it, each in a namespace of its own, with a primary and a standby of PostgreSQL beside them.

    venue (and the test)      ingest1, ingest2: one has the lease, one stands by      db1 ── streams to ──▶ db2
                              execute1, execute2: an account each
                              api1, api2: the API, and jobs

All of it hangs on one bridge. A broker would be one more host in `HOSTS`, and one more setting of all engines in `SETTINGS`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio
from crash.engine_process import EngineProcess
from crash.live_world import LiveWorld, armed_engine, live_world_on
from crash.namespaces import Network, network
from crash.postgres_pair import PRIMARY, STANDBY, PostgresPair, postgres_pair
from engine_postgres.server_fixtures import scratch_directory

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from protocols.errors import TransientError

ROLES = {
    "ingest1": "ingest,decide,poll", "ingest2": "ingest,decide,poll", "execute1": "execute", "execute2": "execute",
    "api1": "jobs,api", "api2": "jobs,api",
}  # fmt: skip
HOSTS = (*ROLES, PRIMARY, STANDBY)
ACCOUNTS = ("main", "second")
TTL_S = 4.0
SETTINGS = {
    "limits.lease_ttl_s": str(TTL_S), "http.allowed_hosts": "*", "database.connect_timeout_s": "2",
    "database.statement_timeout_s": "2", "venue.request_timeout_s": "2",
}  # fmt: skip
HOLDERS = "SELECT name, holder, epoch FROM engine_leases WHERE expires_at > clock_timestamp() ORDER BY name"
FILLED = "SELECT account, count(*) AS orders FROM lt_orders WHERE filled_shares > 0 GROUP BY account"


@attrs.define(eq=False, kw_only=True)
class SeveralHosts:
    """What a test may do to them, and ask."""

    live: LiveWorld
    network: Network
    pair: PostgresPair
    home: Path
    stack: AsyncExitStack
    engines: dict[str, EngineProcess] = attrs.field(factory=dict)
    """By host; one that was killed too, until another is started there."""

    async def start(self, host: str) -> EngineProcess:
        """Starts an engine on a host, with the host's roles."""
        settings = {
            **self.live.world.settings, **SETTINGS, "database.url": self.pair.both, "cluster.roles": ROLES[host],
            "writer.spill_dir": str(self.home / f"spill-{host}"),
        }  # fmt: skip
        address = self.network.address(host)
        engine = armed_engine(settings, host=address, place=self.network.on(host))
        self.engines[host] = await self.stack.enter_async_context(engine)
        return self.engines[host]

    async def fetch(self, sql: str) -> list[Any]:
        """Asks the database, however long it takes until one can be asked."""
        while True:
            try:
                return await self.live.world.fetch(sql)
            except TransientError:
                await trio.sleep(0.05)

    async def holders(self) -> Mapping[str, str]:
        """By lease: the host whose engine holds it."""
        hosts = {str(engine.process.pid): host for host, engine in self.engines.items()}
        return {row["name"]: hosts.get(row["holder"].rsplit(" ", 1)[1], "?") for row in await self.fetch(HOLDERS)}

    async def until_held(self, lease: str, hosts: set[str], timeout_s: float = 60) -> str:
        """Returns the host that holds a lease, once it is one of some."""
        with trio.fail_after(timeout_s):
            while (host := (await self.holders()).get(lease)) not in hosts:
                await trio.sleep(0.05)
        return str(host)

    async def until_shared(self, hosts: set[str], timeout_s: float = 60) -> None:
        """Returns when every account is held by one of some hosts, and each of these holds one."""
        with trio.fail_after(timeout_s):
            while True:
                found = await self.holders()
                accounts = [found.get(f"live:{name}") for name in ACCOUNTS]
                if None not in accounts and set(accounts) == hosts:
                    return
                await trio.sleep(0.05)

    async def until_traded(self, orders: int = 1, timeout_s: float = 60) -> None:
        """Returns when every account has so many filled orders more than now."""
        before = await self._filled()
        with trio.fail_after(timeout_s):
            while any(count - before[name] < orders for name, count in (await self._filled()).items()):
                await trio.sleep(0.1)

    async def until_answered(self, host: str, *, ready: bool = True, timeout_s: float = 60) -> None:
        """Returns when an engine's `readyz` says that it is ready, or that it is not."""
        with trio.fail_after(timeout_s):
            while (answer := await self._readyz(host)) is None or (answer == 200) is not ready:
                await trio.sleep(0.05)

    async def _readyz(self, host: str) -> int | None:
        engine = self.engines[host]
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=0.5) as client:
                return (await client.get(f"http://{engine.host}:{engine.port}/readyz")).status_code
        except httpx.TransportError:
            return None

    async def _filled(self) -> dict[str, int]:
        rows = await self.fetch(FILLED)
        return dict.fromkeys(ACCOUNTS, 0) | {row["account"]: row["orders"] for row in rows}


@asynccontextmanager
async def several_hosts(seed: int, *, synchronous: bool = True) -> AsyncIterator[SeveralHosts]:
    """All hosts, trading; ended with the block. Skips where namespaces or PostgreSQL's own programs are not to be had."""
    with scratch_directory() as home, ExitStack() as outer:
        net = outer.enter_context(network(HOSTS))
        pair = outer.enter_context(postgres_pair(net, home / "postgres", synchronous=synchronous))
        database = DatabaseOptions(dsn=pair.both, connect_timeout_s=2, statement_timeout_s=5)
        options = {"rate_scale": 0.5, "host": net.address("venue")}
        async with (
            database_loop(),
            live_world_on(database, home, seed, accounts=ACCOUNTS, **options) as live,
            AsyncExitStack() as stack,
        ):
            hosts = SeveralHosts(live=live, network=net, pair=pair, home=home, stack=stack)
            for host in ROLES:
                await hosts.start(host)
            await hosts.until_held("ingest", {"ingest1", "ingest2"})
            await hosts.until_shared({"execute1", "execute2"})
            for host in ("execute1", "execute2", "api1", "api2"):
                await hosts.until_answered(host)
            await hosts.until_traded()
            yield hosts
