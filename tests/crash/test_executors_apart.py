"""One engine decides, others trade: killed, put to sleep and cut off, and no order is lost, doubled or strange.

    deciding (ingest, decide, …) ── claims ──▶ PostgreSQL ◀── two executors, each with its share of the accounts

The same once more with an engine that ingests and nothing else, and others that decide, trade and poll in one process each.

`pytest -m slow -s tests/crash/test_executors_apart.py` prints how long each take-over took.
"""

import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from crash.engine_process import EngineProcess
from crash.live_audit import audit, audit_end, audit_venue, undecided
from crash.live_world import START_USD, LiveWorld, armed_engine, live_world
from crash.test_kill import ledger
from crash.test_live_kill import unrest
from simulation.ingest_world import Fill

ACCOUNTS = ("main", "second", "third")
SHAPES = {
    "traders": ("ingest,decide,poll,jobs,api", "execute"),
    "all but the ingest": ("ingest,jobs,api", "decide,execute,poll"),
}
TTL_S = 4.0
HOLDERS = """
SELECT name, holder FROM engine_leases WHERE name LIKE 'live:%' AND expires_at > now() ORDER BY name
"""


@attrs.define(eq=False)
class Traders:
    live: LiveWorld
    stack: AsyncExitStack
    roles: str
    running: list[EngineProcess] = attrs.field(factory=list)

    async def start(self) -> EngineProcess:
        settings = {**self.live.world.settings, "cluster.roles": self.roles, "limits.lease_ttl_s": str(TTL_S)}
        engine = await self.stack.enter_async_context(armed_engine(settings))
        self.running.append(engine)
        return engine

    async def held(self) -> dict[str, int]:
        """By account: the process that holds its lease."""
        rows = await self.live.world.fetch(HOLDERS)
        return {row["name"].removeprefix("live:"): int(row["holder"].rsplit(" ", 1)[1]) for row in rows}

    async def until_shared(self, engines: Sequence[EngineProcess], timeout_s: float = 60) -> float:
        """Returns how long it took until every account is held by one of some engines, and each of them holds one."""
        began_s, pids = trio.current_time(), {engine.process.pid for engine in engines}
        with trio.fail_after(timeout_s):
            while True:
                held = await self.held()
                if len(held) == len(ACCOUNTS) and set(held.values()) == pids:
                    return trio.current_time() - began_s
                await trio.sleep(0.05)


@asynccontextmanager
async def apart(seed: int, traders: int, shape: str) -> AsyncIterator[tuple[LiveWorld, EngineProcess, Traders]]:
    async with live_world(seed, accounts=ACCOUNTS, rate_scale=0.5) as live, AsyncExitStack() as stack:
        ingests, trades = SHAPES[shape]
        deciding = await stack.enter_async_context(armed_engine(deciding_settings(live, ingests)))
        await deciding.until_ready(30)
        found = Traders(live, stack, trades)
        for _ in range(traders):
            await found.start()
        await found.until_shared(found.running)
        yield live, deciding, found


def deciding_settings(live: LiveWorld, roles: str) -> dict[str, str]:
    return {**live.world.settings, "cluster.roles": roles, "limits.lease_ttl_s": str(TTL_S)}


async def until_traded(live: LiveWorld, orders: int) -> None:
    """Returns when every account has so many filled orders more than now."""
    before = await _filled(live)
    with trio.fail_after(60):
        while any(count - before.get(name, 0) < orders for name, count in (await _filled(live)).items()):
            await trio.sleep(0.1)


async def _filled(live: LiveWorld) -> dict[str, int]:
    rows = await live.world.fetch(
        "SELECT account, count(*) AS orders FROM lt_orders WHERE filled_shares > 0 GROUP BY account"
    )
    return dict.fromkeys(ACCOUNTS, 0) | {row["account"]: row["orders"] for row in rows}


async def audited(live: LiveWorld) -> list[Any]:
    """The venue first: what is journaled and sent between two readings is then in the second."""
    at_venue = {name: await live.account(name) for name in ACCOUNTS}
    orders = await audit(live.world.database)
    for name in ACCOUNTS:
        audit_venue([one for one in orders if one["account"] == name], at_venue[name])
    return orders


async def at_rest(live: LiveWorld, traders: Traders, before: Counter[Fill]) -> None:
    """Nobody trades any more at the venue; what is on its way ends, and everything is compared."""
    await live.world.post("/play", action="pause")
    owed = await ledger(live.world, live.targets) - before
    with trio.move_on_after(60):
        while owed - await live.world.stored() or await undecided(live.world.fetch):
            await trio.sleep(0.3)
    # What was decided last becomes orders only then.
    with trio.move_on_after(60):
        while await unrest(live):
            await trio.sleep(0.3)
    for engine in traders.running:
        if engine.process.poll() is None:
            engine.send(signal.SIGTERM)
            assert await engine.wait() == 0, engine.log_text()[-4000:]
    orders = await audited(live)
    for name in ACCOUNTS:
        own = [one for one in orders if one["account"] == name]
        audit_end(own, await live.account(name), START_USD, Decimal(0))
        assert sum(one["filled_shares"] > 0 for one in own) > 3, f"nothing was traded with {name}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", SHAPES)
async def test_executors_that_die_and_sleep_lose_and_double_nothing(shape: str) -> None:
    async with apart(21, traders=2, shape=shape) as (live, deciding, traders):
        before = await ledger(live.world, live.targets)
        await until_traded(live, 2)
        first, second = traders.running
        # Killed: what it held is traded by the other in the time of a lease and two seconds.
        first.send(signal.SIGKILL)
        await first.wait()
        took_s = await traders.until_shared([second])
        print(f"kill -9 of an executor: taken over after {took_s:.1f} s of a lease of {TTL_S:.0f}")
        assert took_s <= TTL_S + 2
        await until_traded(live, 1)
        await audited(live)
        # A new one gets its share, while the other goes on.
        third = await traders.start()
        took_s = await traders.until_shared([second, third])
        print(f"a new executor: has its share after {took_s:.1f} s")
        await until_traded(live, 1)
        # Asleep beyond its lease, then awake again: what it had journaled is not sent a second time by anybody.
        third.send(signal.SIGSTOP)
        took_s = await traders.until_shared([second])
        print(f"SIGSTOP of an executor: taken over after {took_s:.1f} s")
        assert took_s <= TTL_S + 2
        await until_traded(live, 1)
        third.send(signal.SIGCONT)
        await traders.until_shared([second, third])
        await until_traded(live, 1)
        await audited(live)
        # Who decides dies and comes back: what was committed is traded meanwhile.
        deciding.send(signal.SIGKILL)
        await deciding.wait()
        async with armed_engine(deciding_settings(live, SHAPES[shape][0])) as again:
            await again.until_ready(30)
            await until_traded(live, 1)
            await at_rest(live, traders, before)
