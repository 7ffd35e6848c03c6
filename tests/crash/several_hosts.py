"""One engine as several hosts run it, each in a namespace of its own, with PostgreSQL (twice) and Redis beside them.

    venue (and the test)      ingest1, ingest2: one has the lease, one stands by      db1 ── streams to ──▶ db2
                              decide1, decide2: half of the shards each, and          redis: lanes 1 and 2, feed events,
                                  half of the wallets to poll                             prices
                              execute1, execute2: an account each
                              api1, api2: the API, and jobs

All of it hangs on one bridge.
"""

import time
from collections import Counter
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
from crash.redis_host import BROKER, RedisHost, redis_host
from engine_postgres.server_fixtures import scratch_directory

from engine.adapters.postgres.database import DatabaseOptions, database_loop, open_connection
from engine.adapters.postgres.follow_store import FollowStore
from engine.lane_edge import LANES
from protocols.decide_shards import LEASE, SHARDS
from protocols.errors import TransientError
from protocols.trades import Lane

ROLES = {
    "ingest1": "ingest", "ingest2": "ingest", "decide1": "decide,poll", "decide2": "decide,poll",
    "execute1": "execute", "execute2": "execute", "api1": "jobs,api", "api2": "jobs,api",
}  # fmt: skip
HOSTS = (*ROLES, PRIMARY, STANDBY, BROKER)
ACCOUNTS = ("main", "second")
OTHERS = 12
"""So many wallets are followed and not copied, and as many are known and not even followed."""
TTL_S = 4.0
CUT_S = TTL_S + 2
START_S = 150
"""Eight engines start at once: 27 s on two busy cores."""
SETTINGS = {
    "limits.lease_ttl_s": str(TTL_S), "http.allowed_hosts": "*", "database.connect_timeout_s": "2",
    "database.statement_timeout_s": "2", "venue.request_timeout_s": "2",
    "channels.lanes.transport": "redis", "channels.feed_events.transport": "redis", "prices.transport": "redis",
    "redis.timeout_s": "1", "redis.take_over_idle_ms": "2000",
}  # fmt: skip
HOLDERS = "SELECT name, holder, epoch FROM engine_leases WHERE expires_at > clock_timestamp() ORDER BY name"
FILLED = "SELECT account, count(*) AS orders FROM lt_orders WHERE filled_shares > 0 GROUP BY account"
FOLLOWER = "INSERT INTO profiles (user_name) VALUES ('onlooker')"
OF_LANE = "SELECT lane, count(*) AS trades FROM trades_public GROUP BY lane"
POLLED_LEAST_LATELY = """
SELECT min(coalesce(extract(epoch FROM last_polled_at), 0))::float8 AS at_s
FROM unnest($1::text[]) AS wallet LEFT JOIN wallet_poll_state ON wallet_address = wallet
"""


@attrs.define(eq=False, kw_only=True)
class SeveralHosts:
    """What a test may do to them, and ask."""

    live: LiveWorld
    network: Network
    pair: PostgresPair
    broker: RedisHost
    others: Mapping[Lane, list[str]]
    """By lane: wallets that nobody copies."""
    home: Path
    stack: AsyncExitStack
    engines: dict[str, EngineProcess] = attrs.field(factory=dict)
    """By host; one that was killed too, until another is started there."""

    @property
    def watched(self) -> list[str]:
        """Every wallet whose trades have to be in the table."""
        return [*self.live.targets, *(wallet for wallets in self.others.values() for wallet in wallets)]

    async def start(self, host: str) -> EngineProcess:
        """Starts an engine on a host, with the host's roles."""
        settings = {
            **self.live.world.settings, **SETTINGS, "database.url": self.pair.both,
            "redis.url": self.broker.url, "cluster.roles": ROLES[host], "writer.spill_dir": str(self.home / f"spill-{host}"),
        }  # fmt: skip
        address = self.network.address(host)
        engine = armed_engine(settings, host=address, place=self.network.on(host))
        self.engines[host] = await self.stack.enter_async_context(engine)
        return self.engines[host]

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Asks the database, however long it takes until one can be asked."""
        while True:
            try:
                return await self.live.world.fetch(sql, *arguments)
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

    async def until_decided_by(self, hosts: set[str], timeout_s: float = 60) -> None:
        """Returns when every shard is held by one of some hosts, and each of these holds some."""
        with trio.fail_after(timeout_s):
            while True:
                found = [host for lease, host in (await self.holders()).items() if lease.startswith(LEASE)]
                if len(found) == SHARDS and set(found) == hosts:
                    return
                await trio.sleep(0.05)

    async def until_polled(self, timeout_s: float = 60) -> None:
        """Returns when everybody who is copied or followed was polled later than now."""
        wallets, now_s = [*self.live.targets, *self.others[Lane.FOLLOWED]], time.time()
        with trio.fail_after(timeout_s):
            while (await self.fetch(POLLED_LEAST_LATELY, wallets))[0]["at_s"] <= now_s:
                await trio.sleep(0.1)

    async def until_others_stored(self, more: int = 2, timeout_s: float = 60) -> None:
        """Returns when the table has so many more trades of each lane of those who are not copied."""
        before = await self._of_lane()
        with trio.fail_after(timeout_s):
            while any(count - before[lane] < more for lane, count in (await self._of_lane()).items()):
                await trio.sleep(0.1)

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

    async def _of_lane(self) -> dict[int, int]:
        rows = await self.fetch(OF_LANE)
        found = {row["lane"]: row["trades"] for row in rows}
        return {lane: found.get(lane, 0) for lane in self.others}


async def watched_too(live: LiveWorld) -> dict[Lane, list[str]]:
    """Has engines store trades of wallets that nobody copies: of some that a user without strategies follows, and of some that
    are only known.
    """
    found: Counter[str] = Counter()
    while len(found) < 2 * OTHERS:
        await trio.sleep(0.2)
        fills = (await live.world.post("/ledger", wallets=None))["fills"]
        found = Counter(fill["wallet"] for fill in fills if fill["wallet"] not in live.targets)
    busiest = [wallet for wallet, _ in found.most_common(2 * OTHERS)]
    followed, known = busiest[::2], busiest[1::2]
    await live.world.fetch(FOLLOWER)
    async with open_connection(live.world.database, "follows") as connection:
        await FollowStore(connection, "onlooker").add(followed, target=False)
    await live.world.fetch(
        "INSERT INTO traders (wallet_address) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", known
    )
    return {Lane.FOLLOWED: followed, Lane.KNOWN: known}


@asynccontextmanager
async def several_hosts(seed: int, *, synchronous: bool = True) -> AsyncIterator[SeveralHosts]:
    """All hosts, trading; ended with the block. Skips where namespaces or PostgreSQL's own programs are not to be had."""
    with scratch_directory() as home, ExitStack() as outer:
        net = outer.enter_context(network(HOSTS))
        pair = outer.enter_context(postgres_pair(net, home / "postgres", synchronous=synchronous))
        broker = outer.enter_context(redis_host(net, home))
        database = DatabaseOptions(dsn=pair.both, connect_timeout_s=2, statement_timeout_s=5)
        options = {"rate_scale": 0.5, "host": net.address("venue")}
        async with (
            database_loop(),
            live_world_on(database, home, seed, accounts=ACCOUNTS, **options) as live,
            AsyncExitStack() as stack,
        ):
            others = await watched_too(live)
            hosts = SeveralHosts(
                live=live, network=net, pair=pair, broker=broker, others=others, home=home, stack=stack
            )
            for host in ROLES:
                await hosts.start(host)
            for lease in ("ingest", LANES):
                await hosts.until_held(lease, {"ingest1", "ingest2"}, START_S)
            await hosts.until_decided_by({"decide1", "decide2"})
            await hosts.until_shared({"execute1", "execute2"})
            for host in ("decide1", "decide2", "execute1", "execute2", "api1", "api2"):
                await hosts.until_answered(host)
            await hosts.until_traded()
            await hosts.until_others_stored()
            await hosts.until_polled()
            yield hosts
