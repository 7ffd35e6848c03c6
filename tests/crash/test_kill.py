"""kill -9 while trades are written, while they go to the journal, and while the journal is replayed: 0 lost, 0 double.

Paper bots copy the traders meanwhile, and markets resolve: after each kill their money adds up in the tables, and no trade is
copied twice; in the end every purchase of a target was decided.
"""

import signal
from collections import Counter
from pathlib import Path

import pytest
import trio
from crash.engine_process import engine_process
from crash.frozen_server import freeze
from crash.paper_audit import audit, undecided
from crash.paper_bots import make_bots
from engine_postgres.server_fixtures import scratch_directory
from simulation.ingest_world import Fill, IngestWorld, ingest_world

from engine.adapters.postgres.database import DatabaseOptions, database_loop
from engine.adapters.postgres.embedded_server import EmbeddedServer, run_embedded_server
from engine.adapters.postgres.migrate import migrate
from protocols.clock import Random

# A short patience makes every stopped database a journal; a lease as short as it can be does not hold up the next engine.
CATCH_UP_S = 90
SETTINGS = {"writer.patience_ms": "30", "limits.lease_ttl_s": "2", "stream.gap_reread_s": "1",
            "logging.format": "json", "forward_testing.settle_interval_s": "1"}  # fmt: skip


async def ledger(world: IngestWorld, wallets: list[str]) -> Counter[Fill]:
    fills = (await world.post("/ledger", wallets=wallets))["fills"]
    return Counter(
        {(f["transaction_hash"], f["wallet"], f["token_id"], f["side"], f["size_micro"]): f["count"] for f in fills}
    )


async def first_life(world: IngestWorld) -> int:
    """Runs the first engine until it has stored something and kills it; from then on every trade is owed."""
    async with engine_process(world.settings) as engine:
        await engine.until_ready()
        await world.until_stored()
        began_s: int = (await world.state())["now_ms"] // 1000
        engine.send(signal.SIGKILL)
        await engine.wait()
        return began_s


async def one_life(world: IngestWorld, server: EmbeddedServer, rng: Random, spill: Path) -> bool:
    """Runs an engine for a moment and kills it; returns whether it left a journal behind."""
    async with engine_process(world.settings) as engine:
        await engine.until_ready()
        await trio.sleep(rng.uniform(0.1, 0.8))
        frozen = rng.random() < 0.6
        if frozen:
            freeze(server, signal.SIGSTOP)
            await trio.sleep(rng.uniform(0.1, 0.6))
            if rng.random() < 0.5:
                # Killed while it replays.
                freeze(server, signal.SIGCONT)
                await trio.sleep(rng.uniform(0.0, 0.05))
        engine.send(signal.SIGKILL)
        await engine.wait()
        freeze(server, signal.SIGCONT)
        return any(spill.rglob("*.spill"))


async def kills(count: int, seed: int) -> None:
    rng = Random(seed)
    with scratch_directory() as home:
        async with (
            database_loop(),
            run_embedded_server(data_dir=home / "postgres", durable=False) as server,
        ):
            options = DatabaseOptions(dsn=server.dsn)
            await migrate(options)
            async with ingest_world(
                options,
                home / "spill",
                seed=seed,
                rate_scale=8,
                wallets=300,
                lag_scale=0.1,
                cache_scale=0,
                life_scale=0.02,
            ) as world:
                world.settings |= SETTINGS
                wallets = await traders(world, 60)
                await world.follow(wallets[:30], target=True)
                await world.follow(wallets[30:])
                await make_bots(options)
                began_s = await first_life(world)
                journals, orders = [], [0]
                # A slow machine needs more lives until the bots have bought.
                while len(journals) < count or (orders[-1] <= 20 and len(journals) < 3 * count):
                    journals.append(await one_life(world, server, rng, home / "spill"))
                    orders.append(await audit(options))
                assert any(journals), "no kill ever found a journal: this test lost its teeth"
                assert orders == sorted(orders)
                assert orders[-1] > 20, "the bots bought nothing: this test lost its teeth"
                await check(world, wallets, began_s)
                await audit(options)


async def traders(world: IngestWorld, count: int) -> list[str]:
    found: Counter[str] = Counter()
    while len(found) < count:
        await trio.sleep(0.2)
        found = Counter(fill["wallet"] for fill in (await world.post("/ledger", wallets=None))["fills"])
    return [wallet for wallet, _ in found.most_common(count)]


async def check(world: IngestWorld, wallets: list[str], began_s: int, *, ready_s: float = 20) -> None:
    """Lets one engine live, waits until it has caught up, and compares row by row with the venue's own ledger."""
    async with engine_process(world.settings) as engine:
        await engine.until_ready(timeout_s=ready_s)
        await world.post("/play", action="pause")
        while (await world.state())["rows_in_flight"]:
            await trio.sleep(0.2)
        due, early = await ledger(world, wallets), await before(world, wallets, began_s)
        missing = due
        with trio.move_on_after(CATCH_UP_S):
            while missing:
                await trio.sleep(0.5)
                stored = await world.stored()
                missing = Counter({fill: n for fill, n in (due - stored).items() if fill not in early})
        assert missing == Counter(), f"lost; {engine.log_text()[-5000:]}"
        assert stored - due == Counter(), "doubled or never traded"
        with trio.move_on_after(CATCH_UP_S):
            while left := await undecided(world.database):
                await trio.sleep(0.5)
        assert not left, "purchases of targets that nobody decided about"
        engine.send(signal.SIGTERM)
        assert await engine.wait() == 0, engine.log_text()


async def before(world: IngestWorld, wallets: list[str], began_s: int) -> set[Fill]:
    """Fills from before the first engine: history that nobody asked for."""
    fills = (await world.post("/ledger", wallets=wallets, until=began_s))["fills"]
    return {(f["transaction_hash"], f["wallet"], f["token_id"], f["side"], f["size_micro"]) for f in fills}


@pytest.mark.timeout(600)
async def test_kills_lose_and_double_nothing():
    await kills(10, seed=11)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(5))
async def test_many_kills_lose_and_double_nothing(seed):
    await kills(40, seed=seed)
