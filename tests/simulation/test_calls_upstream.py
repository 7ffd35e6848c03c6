"""What the ingest costs the venue: counted by the venue."""

from simulation.ingest_world import eventually, ingest_world

PLATFORM = {"seed": 6, "rate_scale": 1, "wallets": 400, "lag_scale": 0.05, "cache_scale": 0}


async def calls(world, api):
    return sum((await world.state())["http"][api].values())


async def everybody(world):
    fills = []
    while len({fill["wallet"] for fill in fills}) < 40:
        fills = (await world.post("/ledger", wallets=None))["fills"]
    await world.follow(sorted({fill["wallet"] for fill in fills}))


async def test_a_planned_recycling_costs_two_calls_and_overlaps_two_sockets_briefly(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **PLATFORM) as world:
        await everybody(world)
        settings = {
            "stream.recycle_interval_s": "10",
            "stream.stall_timeout_s": "20",
            "stream.stall_timeout_max_s": "20",
            "poller.hot.enabled": "false",
        }
        async with world.engine(**settings) as running:
            actors = running.engine.actors
            assert actors is not None
            await eventually(lambda: actors.gap_filler.readings["start"] == 0 and actors.sync_writer.inserted > 0)
            before = await calls(world, "data")
            await eventually(lambda: actors.gap_filler.readings["recycle"] == 2)
            assert await calls(world, "data") - before == 2
            state = await world.state()
            assert state["connections"]["now"] == 1
            assert state["connections"]["total"] == 2
            assert actors.stream_reader.reconnects == {"start": 1, "recycle": 1}


async def test_an_unknown_market_costs_one_call_and_its_trades_find_it(database, tmp_path):
    async with ingest_world(database, tmp_path / "spill", **{**PLATFORM, "start_paused": True}) as world:
        wallet = "0x" + "5" * 40
        await world.follow([wallet])
        async with world.engine() as running:
            await eventually(lambda: world.knows(1))
            actors = running.engine.actors
            assert actors is not None
            await eventually(lambda: actors.stream_reader.connected)
            before = await calls(world, "gamma")
            await world.post("/emit", trades=[{"proxyWallet": wallet, "size": size} for size in (1, 2, 3, 4)])
            await eventually(lambda: actors.market_registry.learned == 1)
            await world.post("/emit", trades=[{"proxyWallet": wallet, "size": size} for size in (5, 6)])
            await eventually(lambda: actors.sync_writer.inserted == 6)
            assert await calls(world, "gamma") - before == 1
        joined = await world.fetch(
            "SELECT market_tokens.outcome, trades_public.outcome AS said FROM trades_public "
            "JOIN market_tokens ON market_tokens.token_id = trades_public.asset "
            "AND market_tokens.condition_id = trades_public.condition_id"
        )
        assert len(joined) == 6
        assert all(row["outcome"] == row["said"] for row in joined)
