"""One engine ingests, others decide: killed and put to sleep, and every strategy decides about every trade once.

    ingest ── trades ──▶ PostgreSQL ◀── two deciders, each with its share of the shards

`pytest -m slow -s tests/crash/test_deciders_apart.py` prints how long each take-over took.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from crash.engine_process import EngineProcess, engine_process
from crash.live_world import busiest
from crash.paper_audit import audit
from crash.paper_bots import BOTS
from simulation.ingest_world import IngestWorld, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, open_connection
from engine.adapters.postgres.strategy_store import StrategyStore
from protocols.decide_shards import SHARDS

TTL_S = 4.0
WORLD = {"seed": 9, "rate_scale": 2, "wallets": 200, "lag_scale": 0.1, "cache_scale": 0, "life_scale": 0.05}
HOLDERS = "SELECT holder FROM engine_leases WHERE name LIKE 'decide:%' AND expires_at > clock_timestamp()"
KINDS = ("FOLLOWER", "POOR", "CHOOSY")
BOTS_OF_KIND = 8
# Each strategy and each purchase of whom it copies: how many decisions speak of both.
TIMES = """
SELECT trades.trade_id, wallets.number,
    (SELECT count(*) FROM decisions WHERE decisions.trade_id = trades.trade_id AND wallets.number = ANY (strategies)) AS times
FROM trades_public AS trades CROSS JOIN ft_wallets AS wallets WHERE trades.lane = 0 AND trades.side = 'BUY'
"""
LATENCIES = """
SELECT extract(epoch FROM decided_at - ingested_at) * 1000 AS ms FROM decisions JOIN trades_public USING (trade_id)
ORDER BY decided_at DESC LIMIT 500
"""


@attrs.define(eq=False)
class Deciders:
    world: IngestWorld
    stack: AsyncExitStack
    running: list[EngineProcess] = attrs.field(factory=list)

    async def start(self, *roles: str) -> EngineProcess:
        settings = {
            **self.world.settings, "limits.lease_ttl_s": str(TTL_S), "logging.format": "json",
            "forward_testing.settle_interval_s": "1",
        }  # fmt: skip
        return await self.stack.enter_async_context(engine_process(settings, *roles))

    async def until_shared(self, *engines: EngineProcess, timeout_s: float = 60) -> float:
        """Returns how long it took until every shard is held, and by all of these engines."""
        began_s, pids = trio.current_time(), {engine.process.pid for engine in engines}
        with trio.fail_after(timeout_s):
            while True:
                rows = await self.world.fetch(HOLDERS)
                if len(rows) == SHARDS and {int(row["holder"].rsplit(" ", 1)[1]) for row in rows} == pids:
                    return trio.current_time() - began_s
                await trio.sleep(0.05)

    async def until_decided(self, *, more: int, timeout_s: float = 60) -> None:
        """Returns when there are so many more trades than now about which every strategy has decided."""
        wanted = await self.whole() + more
        with trio.fail_after(timeout_s):
            while await self.whole() < wanted:
                await trio.sleep(0.3)

    async def whole(self) -> int:
        rows = await self.times()
        left = {row["trade_id"] for row in rows if row["times"] == 0}
        return len({row["trade_id"] for row in rows} - left)

    async def times(self) -> list[Any]:
        rows = await self.world.fetch(TIMES)
        assert all(row["times"] <= 1 for row in rows), "a strategy has decided twice about a trade"
        return list(rows)


async def bots(options: DatabaseOptions) -> None:
    async with open_connection(options, "bots") as connection:
        store = StrategyStore(connection)
        owner_id = await store.user_id("admin")
        assert owner_id is not None
        made = [(f"{kind}_{number}", BOTS[kind]) for kind in KINDS for number in range(BOTS_OF_KIND)]
        await store.create(made, owner_id, by="test")


@asynccontextmanager
async def apart(database: DatabaseOptions, tmp_path: Any) -> AsyncIterator[tuple[IngestWorld, EngineProcess, Deciders]]:
    async with ingest_world(database, tmp_path / "spill", **WORLD) as world, AsyncExitStack() as stack:
        await bots(database)
        await world.follow(await busiest(world, 8), target=True)
        found = Deciders(world, stack)
        ingest = await found.start("ingest", "poll", "jobs", "api")
        await ingest.until_ready(60)
        yield world, ingest, found


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_deciders_that_die_and_sleep_leave_out_and_double_nothing(
    database: DatabaseOptions, tmp_path: Any
) -> None:
    async with apart(database, tmp_path) as (world, ingest, deciders):
        first, second = await deciders.start("decide"), await deciders.start("decide")
        await deciders.until_shared(first, second)
        await first.until_ready(30)
        await deciders.until_decided(more=20)
        # Killed: its shards are decided by the other in the time of a lease and two seconds.
        first.send(signal.SIGKILL)
        await first.wait()
        took_s = await deciders.until_shared(second)
        print(f"\nkill -9 of a decider: taken over after {took_s:.1f} s of a lease of {TTL_S:.0f}")
        assert took_s <= TTL_S + 2
        await deciders.until_decided(more=10)
        third = await deciders.start("decide")
        took_s = await deciders.until_shared(second, third)
        print(f"a new decider: has its share after {took_s:.1f} s")
        await deciders.until_decided(more=10)
        # Asleep beyond its leases, then awake again: what it decided in vain is refused.
        third.send(signal.SIGSTOP)
        took_s = await deciders.until_shared(second)
        print(f"SIGSTOP of a decider: taken over after {took_s:.1f} s")
        assert took_s <= TTL_S + 2
        await deciders.until_decided(more=10)
        third.send(signal.SIGCONT)
        await deciders.until_shared(second, third)
        # Who ingests dies and comes back.
        ingest.send(signal.SIGKILL)
        await ingest.wait()
        again = await deciders.start("ingest", "poll", "jobs", "api")
        await again.until_ready(60)
        await deciders.until_decided(more=10)
        ages_ms = sorted(float(row["ms"]) for row in await world.fetch(LATENCIES))
        print(
            f"row to decision: p50 {ages_ms[len(ages_ms) // 2]:.1f} ms, p99 {ages_ms[len(ages_ms) * 99 // 100]:.1f} ms"
        )
        await world.post("/play", action="pause")
        with trio.fail_after(60):
            while any(row["times"] != 1 for row in await deciders.times()):
                await trio.sleep(0.3)
        for engine in (second, third, again):
            engine.send(signal.SIGTERM)
            assert await engine.wait() == 0, engine.log_text()[-4000:]
        assert await audit(database) > 20


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_that_decides_for_all_and_deciders_follow_each_other(
    database: DatabaseOptions, tmp_path: Any
) -> None:
    async with apart(database, tmp_path) as (world, ingest, deciders):
        apart_ = await deciders.start("decide")
        await deciders.until_shared(apart_)
        await deciders.until_decided(more=10)
        ingest.send(signal.SIGTERM)
        assert await ingest.wait() == 0
        whole = await deciders.start("ingest", "decide", "poll", "jobs", "api")
        await whole.until_ready(60)
        # Who decides for all holds all shards, so that nobody decides apart.
        await deciders.until_shared(whole)
        await deciders.until_decided(more=10)
        whole.send(signal.SIGTERM)
        assert await whole.wait() == 0
        again = await deciders.start("ingest", "poll", "jobs", "api")
        await again.until_ready(60)
        await deciders.until_shared(apart_)
        await deciders.until_decided(more=10)
        await world.post("/play", action="pause")
        with trio.fail_after(60):
            while any(row["times"] != 1 for row in await deciders.times()):
                await trio.sleep(0.3)
        assert await audit(database) > 10
